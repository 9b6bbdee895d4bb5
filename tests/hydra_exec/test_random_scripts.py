"""Whatever goes wrong, in any few ways at once: the journal holds what the broker holds, and nothing is sent twice.

``uv run python -m studies.random_scripts --examples 10000`` plays more of them.
"""

from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings

from tests.support.ib_trader import unsynced
from tests.support.random_scripts import WITHIN_SECONDS, Scene, play, scenes

pytestmark = pytest.mark.endurance

EXAMPLES = 300


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scene=scenes())
def _random(state_engine: sa.Engine, tmp_path: Path, scene: Scene) -> None:
    played = play(state_engine, tmp_path, scene)
    assert played.problems == ()
    assert played.seconds <= WITHIN_SECONDS


def test_after_any_script_the_journal_is_what_the_broker_says(state_engine: sa.Engine, tmp_path: Path) -> None:
    _random(unsynced(state_engine), tmp_path)
