from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from hydra_agent.llm.budget import Spent, affordable, spent
from hydra_agent.llm.config import Budget
from hydra_agent.llm.records import CallCode, CallRecord, Touchpoint

DAY = date(2026, 11, 21)
RECORD = CallRecord(
    datetime(2026, 11, 21, 23, 59, tzinfo=UTC),
    Touchpoint.RERANK,
    "a",
    "m",
    "",
    "",
    "",
    CallCode.OK,
    "",
    100,
    50,
    True,
    0.25,
    1.0,
    1,
)


def test_the_days_calls_are_summed_and_failed_ones_count() -> None:
    records = [RECORD, replace(RECORD, code=CallCode.TIMEOUT, tokens_in=10, tokens_out=8_192, cost=0.5)]
    assert spent(records, DAY) == Spent(8_352, 0.75)


def test_a_new_day_begins_with_nothing() -> None:
    assert spent([RECORD], DAY + timedelta(days=1)) == Spent(0, 0.0)


def test_the_day_is_utc() -> None:
    local = replace(RECORD, at=datetime(2026, 11, 22, 1, 0, tzinfo=timezone(timedelta(hours=3))))
    assert spent([local], DAY) == Spent(150, 0.25)


@pytest.mark.parametrize(
    ("so_far", "fits"),
    [
        (Spent(0, 0.0), True),
        (Spent(900, 0.9), True),
        (Spent(901, 0.0), False),
        (Spent(0, 0.91), False),
        (Spent(0, float("nan")), False),
    ],
)
def test_a_call_must_fit_whole_into_tokens_and_money(so_far: Spent, fits: bool) -> None:
    assert affordable(so_far, Budget(tokens=1_000, money=1.0), 100, 0.1) is fits
