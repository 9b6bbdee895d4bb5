"""Twenty kills with -9 in the middle of promotions and rollbacks: one champion, an intact ledger, a re-run finishes."""

from pathlib import Path

import pytest

from studies.heal_kill9 import prepared, run_kills

pytestmark = pytest.mark.endurance


def test_a_killed_promotion_leaves_one_champion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HYDRA_HOME", "HYDRA_POSTGRES_URL", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(name, "")
    kills = list(run_kills(prepared(tmp_path / "home"), kills=20, seed=5))
    for kill in kills:
        print(kill.number, kill.work, f"{kill.moment:.2f}", "struck" if kill.struck else "done before", *kill.problems)
    assert [kill.problems for kill in kills] == [()] * 20
    assert sum(kill.struck for kill in kills) >= 8, "most kills came too late"
