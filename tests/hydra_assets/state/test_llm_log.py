from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from hydra_assets.state.healing_tables import llm_calls
from hydra_assets.state.llm_log import LlmCall, recent_calls, record_call, spent_on

CALL = LlmCall(
    called_at=datetime(2026, 11, 21, 23, 59, 59, tzinfo=UTC),
    touchpoint="rerank",
    provider="local",
    model="m",
    prompt_sha256="ab",
    prompt="which one?",
    reply='{"order": ["a"]}',
    code="ok",
    message="",
    tokens_in=300,
    tokens_out=45,
    tokens_reported=True,
    cost=0.25,
    seconds=1.5,
    attempt=1,
)


def test_a_call_is_read_as_it_was_written(state_engine: sa.Engine) -> None:
    record_call(state_engine, CALL)
    assert recent_calls(state_engine, 5) == [CALL]


def test_a_day_is_a_utc_day_and_failed_calls_count(state_engine: sa.Engine) -> None:
    new_york = datetime(2026, 11, 21, 19, 30, tzinfo=timezone(timedelta(hours=-5)))  # 00:30 UTC of the 22nd
    for call in (
        CALL,
        replace(CALL, code="timeout", tokens_in=7, tokens_out=8, cost=0.5),
        replace(CALL, called_at=new_york),
    ):
        record_call(state_engine, call)
    assert spent_on(state_engine, date(2026, 11, 21)) == (360, 0.75)
    assert spent_on(state_engine, date(2026, 11, 22)) == (345, 0.25)
    assert spent_on(state_engine, date(2026, 11, 23)) == (0, 0.0)


def test_the_newest_come_in_the_order_in_which_they_were_made(state_engine: sa.Engine) -> None:
    for attempt in range(1, 5):
        record_call(state_engine, replace(CALL, attempt=attempt))
    assert [call.attempt for call in recent_calls(state_engine, 3)] == [2, 3, 4]


def test_what_a_database_cannot_hold_is_left_out(state_engine: sa.Engine) -> None:
    record_call(state_engine, replace(CALL, reply="a\x00b\ud800c"))
    assert [call.reply for call in recent_calls(state_engine, 1)] == ["ab?c"]


def test_calls_are_never_changed(state_engine: sa.Engine) -> None:
    record_call(state_engine, CALL)
    for statement in (sa.delete(llm_calls), sa.update(llm_calls).values(cost=0.0)):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), state_engine.begin() as connection:
            connection.execute(statement)
