"""Ten kills with -9 at random moments: nothing half-written, nothing lost, and the re-run ends as if none had been."""

from pathlib import Path

import pytest

from studies.kill9 import run_kills

pytestmark = pytest.mark.endurance


def test_a_killed_cycle_leaves_all_consistent_and_its_rerun_completes(tmp_path: Path) -> None:
    kills = list(run_kills(tmp_path, kills=10, seed=3))
    for kill in kills:
        print(f"{kill.victim} at {kill.moment:.1f} of {kill.work:.1f} s, {kill.step}: {kill.problems or 'consistent'}")
    assert len(kills) == 10
    assert [kill.problems for kill in kills] == [()] * 10
    assert len({kill.step for kill in kills}) >= 5, "the kills struck too few different steps"
