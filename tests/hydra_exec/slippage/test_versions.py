"""Versions of what was learned: which one held in a session."""

from datetime import date

import sqlalchemy as sa

from hydra_exec.slippage.learn import SlippageVersion
from hydra_exec.slippage.versions import as_of, record, versions

D1, D2, D3 = (date(2025, 3, day) for day in (3, 4, 5))
FIRST = SlippageVersion("HE", D1, 0.8, 1.25, 50, {"reason": "too_few_fills", "orders": 25})
SECOND = SlippageVersion("HE", D2, 0.6, 1.0, 200, {"reason": "fitted", "low": 0.5, "high": 0.7})


def test_a_version_holds_after_its_session_until_the_next(state_engine: sa.Engine) -> None:
    assert as_of(state_engine, "HE", D3) is None
    assert record(state_engine, SECOND)
    assert record(state_engine, FIRST, "run")
    assert [as_of(state_engine, "HE", day) for day in (D1, D2, D3)] == [None, FIRST, SECOND]
    assert as_of(state_engine, "ZC", D3) is None
    assert versions(state_engine, "HE") == [FIRST, SECOND]


def test_what_was_learned_of_a_session_stays(state_engine: sa.Engine) -> None:
    assert record(state_engine, FIRST)
    assert not record(state_engine, SlippageVersion("HE", D1, 9.9, 1.0, 999))
    assert as_of(state_engine, "HE", D2) == FIRST
