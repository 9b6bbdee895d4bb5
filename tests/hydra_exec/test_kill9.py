"""Twenty kills with -9 at random instants of trading: another process takes it up, and nothing is sent twice.

``uv run python -m studies.trade_kills --kills 10000`` strikes more often.
"""

import pytest

from tests.support.trade_kills import run_kills

pytestmark = pytest.mark.endurance

KILLS = 20


def test_trading_survives_kills(database_url: str) -> None:
    kills = list(run_kills(database_url, KILLS, seed=5))
    assert [kill.problems for kill in kills] == [()] * KILLS
    assert len({kill.lines for kill in kills}) >= 5, "the kills struck too few different moments"
