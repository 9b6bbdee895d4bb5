"""Whatever goes wrong, in any few ways at once: the journal holds what the broker holds, and nothing is sent twice.

``uv run python -m studies.random_scripts --examples 10000`` plays more of them.
"""

from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, example, given, settings

from tests.support.ib_trader import unsynced
from tests.support.random_scripts import WITHIN_SECONDS, Scene, play, scenes
from tests.support.tws import Ask, script
from tests.support.tws.script import NextIdRegress, ResetOnRequest

pytestmark = pytest.mark.endurance

EXAMPLES = 300
LOST_ID = (NextIdRegress(2, 1, forget=True), ResetOnRequest(Ask.PLACE_ORDER, 6))
"""The terminal has lost the id of an order that lives: asked for its end by that id, it knows of none."""


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(scene=Scene(script(*LOST_ID), (4, 1), (0, -2), 1, restart=False))
@example(scene=Scene(script(*LOST_ID), (1, -1), (0,), 1, restart=False))
@given(scene=scenes())
def _random(state_engine: sa.Engine, tmp_path: Path, scene: Scene) -> None:
    played = play(state_engine, tmp_path, scene)
    assert played.problems == ()
    assert played.seconds <= WITHIN_SECONDS


def test_after_any_script_the_journal_is_what_the_broker_says(state_engine: sa.Engine, tmp_path: Path) -> None:
    _random(unsynced(state_engine), tmp_path)
