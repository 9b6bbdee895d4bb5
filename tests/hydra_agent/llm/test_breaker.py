from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hydra_agent.llm.breaker import Breaker, Phase, replayed
from hydra_agent.llm.config import BreakerPolicy
from hydra_agent.llm.records import CallCode, CallRecord, Touchpoint

POLICY = BreakerPolicy(failures=3, pause_seconds=60.0)
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def record(seconds: float, code: CallCode, provider: str = "a") -> CallRecord:
    return CallRecord(at(seconds), Touchpoint.RERANK, provider, "m", "", "", "", code, "", 0, 0, False, 0.0, 0.0, 1)


def test_the_transition_table() -> None:
    state = Breaker()
    for second in (0, 1):
        state = state.after(False, at(second), POLICY)
        assert state.phase(at(second), POLICY) is Phase.CLOSED
    state = state.after(False, at(2), POLICY)
    assert [state.phase(at(s), POLICY) for s in (2, 61.9, 62)] == [Phase.OPEN, Phase.OPEN, Phase.HALF_OPEN]
    again = state.after(False, at(70), POLICY)
    assert [again.phase(at(s), POLICY) for s in (70, 129, 130)] == [Phase.OPEN, Phase.OPEN, Phase.HALF_OPEN]
    assert again.after(True, at(130), POLICY) == Breaker()


def test_a_success_in_between_keeps_it_closed() -> None:
    state = Breaker()
    for success in (False, False, True, False, False):
        state = state.after(success, NOW, POLICY)
    assert state.phase(NOW, POLICY) is Phase.CLOSED


def test_a_clock_that_runs_backwards_keeps_it_open() -> None:
    assert Breaker(3, at(100)).phase(at(0), POLICY) is Phase.OPEN


@given(st.lists(st.booleans(), max_size=30))
def test_it_is_open_exactly_after_enough_failures_in_a_row(calls: list[bool]) -> None:
    state = Breaker()
    for success in calls:
        state = state.after(success, NOW, POLICY)
    row = next((i for i, success in enumerate(reversed(calls)) if success), len(calls))
    assert (state.phase(NOW, POLICY) is Phase.OPEN) == (row >= POLICY.failures)


def test_a_new_process_takes_up_where_the_records_end() -> None:
    records = [record(s, CallCode.SCHEMA) for s in (0, 1, 2)] + [record(3, CallCode.OK, "b")]
    assert replayed(records, "a", POLICY) == Breaker(3, at(2))
    assert replayed(records, "b", POLICY) == replayed([], "a", POLICY) == Breaker()
    assert replayed([*records, replace(records[0], code=CallCode.OK)], "a", POLICY) == Breaker()
