"""The published limits on historical requests, alone and against the loopback's own count of them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.sources.ib.pacing import HistoryPacing, HistoryRequest, PacingCode, PacingVerdict
from tests.support.tws.contracts import Wanted
from tests.support.tws.pacing import Pacing
from tests.support.tws.requests import History

START = datetime(2026, 1, 5, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
C = PacingCode


def ask(number: int = 0, what: str = "TRADES", bar: str = "30 secs", contract: str = "HE-2026-02") -> HistoryRequest:
    return HistoryRequest(contract, "CME", what, bar, f"end {number}", "1 D")


def test_the_same_again_waits_fifteen_seconds() -> None:
    pacing = HistoryPacing()
    pacing.sent(ask(), START)
    assert pacing.verdict(ask(), START + 4 * SECOND) == PacingVerdict(C.IDENTICAL, 11 * SECOND)
    assert pacing.verdict(ask(1), START + 4 * SECOND).code is C.OK
    assert pacing.verdict(ask(), START + 15 * SECOND).code is C.OK


def test_the_sixth_of_a_kind_waits_for_two_seconds() -> None:
    pacing = HistoryPacing()
    for n in range(5):
        assert pacing.verdict(ask(n), START + 0.1 * n * SECOND).code is C.OK
        pacing.sent(ask(n), START + 0.1 * n * SECOND)
    now = START + SECOND
    assert pacing.verdict(ask(5), now) == PacingVerdict(C.BURST, SECOND)
    assert pacing.verdict(ask(5, contract="HE-2026-04"), now).code is C.OK
    assert pacing.verdict(ask(5, what="MIDPOINT"), now).code is C.OK
    assert pacing.verdict(ask(5), now + SECOND).code is C.OK


@pytest.mark.parametrize(("what", "limit"), [("TRADES", 60), ("BID_ASK", 30)])
def test_sixty_in_ten_minutes_and_bid_ask_twice(what: str, limit: int) -> None:
    pacing = HistoryPacing()
    sent = 0
    while pacing.verdict(ask(sent, what), START + sent * SECOND).code is C.OK:
        pacing.sent(ask(sent, what), START + sent * SECOND)
        pacing.answered()
        sent += 1
    assert sent == limit
    now = START + limit * SECOND
    assert pacing.verdict(ask(sent, what), now) == PacingVerdict(C.WINDOW, timedelta(minutes=10) - limit * SECOND)
    assert pacing.verdict(ask(sent, what), START + timedelta(minutes=10)).code is C.OK
    assert pacing.verdict(ask(sent, bar="1 min"), now).code is C.OK


def test_a_heavy_request_waits_for_room_for_two() -> None:
    pacing = HistoryPacing()
    for n in range(59):
        pacing.sent(ask(n), START + n * SECOND)
        pacing.answered()
    now = START + 100 * SECOND
    assert pacing.verdict(ask(99), now).code is C.OK
    assert pacing.verdict(ask(99, "BID_ASK"), now) == PacingVerdict(C.WINDOW, timedelta(minutes=10) - 100 * SECOND)


def test_fifty_may_be_open() -> None:
    pacing = HistoryPacing()
    for n in range(50):
        pacing.sent(ask(n, bar="1 day"), START + n * SECOND)
    now = START + 60 * SECOND
    assert pacing.verdict(ask(50), now).code is C.OPEN
    pacing.answered()
    assert pacing.verdict(ask(50), now).code is C.OK


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 4_000),
            st.integers(0, 3),
            st.sampled_from(["TRADES", "BID_ASK"]),
            st.sampled_from(["30 secs", "1 day"]),
        ),
        max_size=150,
    )
)
def test_the_terminal_refuses_nothing_that_went_when_it_was_told_to(asked: list[tuple[int, int, str, str]]) -> None:
    ours, theirs, now = HistoryPacing(), Pacing(), START
    wanted = Wanted(1000, "HE", "FUT", "", "CME", "USD", "", "")
    for milliseconds, number, what, bar in asked:
        now += timedelta(milliseconds=milliseconds)
        request = ask(number, what, bar)
        for _ in range(70):
            verdict = ours.verdict(request, now)
            if verdict.code is C.OK:
                break
            assert verdict.wait > timedelta(0)
            now += verdict.wait
        assert verdict.code is C.OK
        ours.sent(request, now)
        ours.answered()
        assert theirs.allows(History(1, wanted, False, request.end, bar, "1 D", what, False), now)
