"""What is done next in each standing of an order, and whole sessions against a broker of bad luck."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.state.records import Side
from hydra_exec.broker.port import Quote
from hydra_exec.config import PatienceConfig
from hydra_exec.manager import (
    Action,
    Amend,
    Cancel,
    CancelReason,
    Finish,
    FinishCode,
    Place,
    TicketView,
    Window,
    Work,
    next_actions,
)
from hydra_exec.manager.patience import Bounds, PatienceCode
from hydra_exec.order_state import LIVE, TicketState
from hydra_exec.risk_gate import PriceGrid

OPEN = datetime(2025, 11, 3, 14, 30, tzinfo=UTC)
GRID = PriceGrid.of_tick(0.025)
CONFIG = PatienceConfig(
    open_share=0.1, step_share=0.1, cross_share=0.5, end_share=0.9, twap_lots=5, max_quote_age_seconds=60.0
)
WORK = Work(Side.BUY, 4, Bounds(GRID, 81.0, 0.05), Window(OPEN, OPEN + timedelta(minutes=100)))
LARGE = replace(WORK, quantity=9)
"""Two slices of five and four lots, each of 50 minutes, in steps of five."""


def at(minutes: float) -> datetime:
    return OPEN + timedelta(minutes=minutes)


def ticket(minutes: float, **changes: object) -> TicketView:
    working = TicketView("w0", 0, 4, 80.0, TicketState.WORKING, 0, at(minutes))
    return replace(working, **changes)  # type: ignore[arg-type]


def do(
    minutes: float,
    *tickets: TicketView,
    work: Work = WORK,
    quote: Quote | str | None = "fresh",
    degraded: bool = False,
    closed: bool = False,
) -> list[Action]:
    touch = Quote(80.0, 80.4, at(minutes)) if isinstance(quote, str) else quote
    return next_actions(work, tickets, touch, at(minutes), CONFIG, degraded, closed)


def test_nothing_before_the_opening_share_then_the_near_side() -> None:
    assert do(-10) == do(0) == do(9.9) == []
    assert do(10) == [Place(0, 4, 80.0, PatienceCode.PASSIVE)]
    assert do(35) == [Place(0, 4, 80.2, PatienceCode.STEPPING)]
    assert do(50) == [Place(0, 4, 80.4, PatienceCode.CROSSING)]


def test_a_ticket_is_moved_by_a_tick_or_not_at_all() -> None:
    assert do(15, ticket(10)) == []
    assert do(20, ticket(10)) == [Amend("w0", 80.1, PatienceCode.STEPPING)]
    assert do(15, ticket(10), quote=Quote(79.975, 80.4, at(15))) == [Amend("w0", 79.975, PatienceCode.PASSIVE)]
    assert do(15, ticket(10, limit_price=80.00000000001)) == []
    assert do(20, ticket(10, state=TicketState.PARTIALLY_FILLED, filled=1)) == [
        Amend("w0", 80.1, PatienceCode.STEPPING)
    ]


def test_what_would_add_risk_is_taken_back_once_and_not_sent_again() -> None:
    assert do(15, ticket(10), closed=True) == [Cancel("w0", CancelReason.CLOSED_TO_RISK)]
    assert do(16, ticket(10, state=TicketState.PENDING_CANCEL), closed=True) == []
    assert do(35, ticket(10, state=TicketState.CANCELLED), closed=True) == do(35, closed=True) == []
    assert do(90, ticket(10, state=TicketState.CANCELLED), closed=True) == [Finish(FinishCode.UNFILLED)]


@pytest.mark.parametrize("state", [TicketState.CREATED, TicketState.SENT, TicketState.PENDING_CANCEL])
def test_what_the_broker_has_not_confirmed_is_left_alone_and_bars_the_next(state: TicketState) -> None:
    assert do(30, ticket(10, state=state)) == []


def test_an_unknown_ticket_bars_everything_to_the_end_and_beyond() -> None:
    for minutes in (10, 30, 60, 95, 500):
        assert do(minutes, ticket(10, state=TicketState.UNKNOWN)) == []
        assert do(minutes, ticket(10, state=TicketState.PENDING_CANCEL)) == []


def test_on_a_degraded_connection_nothing_is_placed_and_instead_of_an_amendment_it_is_cancelled() -> None:
    assert do(10, degraded=True) == []
    assert do(15, ticket(10), degraded=True) == []
    assert do(20, ticket(10), degraded=True) == [Cancel("w0", CancelReason.DEGRADED)]
    assert do(95, ticket(10), degraded=True) == [Cancel("w0", CancelReason.WINDOW_OVER)]
    assert do(95, degraded=True) == [Finish(FinishCode.UNFILLED)]


def test_without_a_touch_what_stands_stays_and_on_an_old_one_it_is_taken_back() -> None:
    old = Quote(80.0, 80.4, at(18))
    assert do(20, quote=None) == []
    assert do(20, ticket(10), quote=None) == []
    assert do(20, quote=old) == []
    assert do(20, ticket(10), quote=old) == [Cancel("w0", CancelReason.STALE_QUOTE)]
    assert do(20, ticket(10), quote=Quote(80.4, 80.0, at(20))) == []


@pytest.mark.parametrize(
    "state", [TicketState.WORKING, TicketState.PARTIALLY_FILLED, TicketState.SENT, TicketState.CREATED]
)
def test_at_the_end_it_is_given_up(state: TicketState) -> None:
    assert do(89, ticket(89, limit_price=80.4, state=state)) == []
    assert do(90, ticket(89, limit_price=80.4, state=state)) == [Cancel("w0", CancelReason.WINDOW_OVER)]


@pytest.mark.parametrize(
    ("filled", "code"), [(0, FinishCode.UNFILLED), (1, FinishCode.PARTLY_FILLED), (4, FinishCode.FILLED)]
)
def test_how_it_ends(filled: int, code: FinishCode) -> None:
    assert do(95, ticket(10, state=TicketState.CANCELLED, filled=filled)) == [Finish(code)]


def test_a_filled_order_is_finished_at_once_and_an_overfilled_one_too() -> None:
    assert do(20, ticket(10, state=TicketState.FILLED, filled=4)) == [Finish(FinishCode.FILLED)]
    assert do(20, ticket(10, state=TicketState.FILLED, filled=5)) == [Finish(FinishCode.FILLED)]


def test_the_next_ticket_is_for_the_rest_has_a_new_number_and_waits_for_the_next_step() -> None:
    ended = ticket(10, state=TicketState.CANCELLED, filled=1)
    assert do(19, ended) == []
    assert do(20, ended) == [Place(1, 3, 80.1, PatienceCode.STEPPING)]
    later = ticket(21, wire_ref="w1", number=1, quantity=3, state=TicketState.CANCELLED)
    assert do(22, later, ended) == do(29, ended, later) == []
    assert do(30, later, ended) == [Place(2, 3, 80.2, PatienceCode.STEPPING)]


@pytest.mark.parametrize("state", [TicketState.REJECTED, TicketState.ABSENT, TicketState.WITHDRAWN])
def test_an_order_that_is_refused_three_times_is_given_up(state: TicketState) -> None:
    refused = [ticket(10 + n, number=n, wire_ref=f"w{n}", state=state) for n in range(3)]
    assert do(30, *refused[:2]) == [Place(2, 4, 80.2, PatienceCode.STEPPING)]
    assert do(30, *refused) == [Finish(FinishCode.REFUSED)]
    cancelled = [replace(each, state=TicketState.CANCELLED) for each in refused]
    assert do(30, *cancelled) == [Place(3, 4, 80.2, PatienceCode.STEPPING)]


def test_what_could_fill_to_too_much_is_cancelled() -> None:
    late = ticket(10, state=TicketState.ABSENT, filled=2)
    assert do(21, late, ticket(20, wire_ref="w1", number=1)) == [Cancel("w1", CancelReason.TOO_MUCH)]
    two = (ticket(10, quantity=1), ticket(11, wire_ref="w1", number=1, quantity=1))
    assert do(21, *two) == [Cancel("w0", CancelReason.TOO_MUCH), Cancel("w1", CancelReason.TOO_MUCH)]
    asked = (replace(two[0], state=TicketState.UNKNOWN), two[1])
    assert do(21, *asked) == [Cancel("w1", CancelReason.TOO_MUCH)]
    just = ticket(20, wire_ref="w1", number=1, quantity=2, limit_price=80.1)
    assert do(21, late, just) == []


def test_a_large_order_goes_in_slices_and_what_is_left_rolls_on() -> None:
    assert do(5, work=LARGE) == [Place(0, 5, 80.0, PatienceCode.PASSIVE)]
    first = ticket(5, quantity=5, limit_price=80.4)
    assert do(44, replace(first, priced_at=at(30)), work=LARGE) == []
    assert do(45, first, work=LARGE) == [Cancel("w0", CancelReason.SLICE_OVER)]
    assert do(52, first, work=LARGE) == [Cancel("w0", CancelReason.SLICE_OVER)]
    ended = replace(first, state=TicketState.CANCELLED, filled=2)
    assert do(46, ended, work=LARGE) == do(54, ended, work=LARGE) == []
    assert do(55, ended, work=LARGE) == [Place(1, 7, 80.0, PatienceCode.PASSIVE)]
    whole = replace(first, state=TicketState.FILLED, filled=5)
    assert do(40, whole, work=LARGE) == []
    assert do(55, whole, work=LARGE) == [Place(1, 4, 80.0, PatienceCode.PASSIVE)]
    assert do(94, ended, work=LARGE) == [Place(1, 7, 80.4, PatienceCode.CROSSING)]
    assert do(95, ended, work=LARGE) == [Finish(FinishCode.PARTLY_FILLED)]


def test_a_single_lot_is_worked_to_its_end() -> None:
    ended = ticket(10, state=TicketState.CANCELLED, filled=3)
    assert do(20, ended) == [Place(1, 1, 80.1, PatienceCode.STEPPING)]
    assert do(20, work=replace(WORK, quantity=1)) == [Place(0, 1, 80.1, PatienceCode.STEPPING)]
    overfilled = ticket(20, state=TicketState.WORKING, filled=4, limit_price=80.1)
    assert do(21, overfilled) == []  # nothing of it can fill any more


def test_our_own_limit_as_the_bid_is_no_reason_to_go_further() -> None:
    own = ticket(20, limit_price=80.1)
    assert do(25, own, quote=Quote(80.1, 80.4, at(25))) == []
    assert do(30, own, quote=Quote(80.1, 80.4, at(30))) == [Amend("w0", 80.2, PatienceCode.STEPPING)]


def test_a_slice_begins_with_its_first_instant() -> None:
    at_once = CONFIG.model_copy(update={"open_share": 0.0})
    touch = Quote(80.0, 80.4, at(50))
    cut = replace(LARGE, quantity=10)
    filled = ticket(5, quantity=5, state=TicketState.FILLED, filled=5)
    assert next_actions(cut, [filled], touch, at(50), at_once) == [Place(1, 5, 80.0, PatienceCode.PASSIVE)]
    begun = ticket(50, wire_ref="w1", number=1, quantity=5)
    assert next_actions(cut, [filled, begun], touch, at(51), at_once) == []


def test_cheap_contracts_are_worked_too() -> None:
    grid = PriceGrid.of_tick(0.0005)
    cheap = replace(WORK, bounds=Bounds(grid, 0.25, 0.05))
    assert do(20, work=cheap, quote=Quote(0.2, 0.204, at(20))) == [Place(0, 4, 0.201, PatienceCode.STEPPING)]


def test_slices_follow_the_volume() -> None:
    late = replace(LARGE, volume_profile=(0.0, 1.0))
    # The first slice has three quarters of the window: it opens at 7.5 minutes, the second at 77.5.
    assert do(7, work=late) == []
    assert do(7.5, work=late) == [Place(0, 5, 80.0, PatienceCode.PASSIVE)]
    filled = ticket(10, quantity=5, state=TicketState.FILLED, filled=5)
    assert do(77, filled, work=late) == []
    assert do(77.5, filled, work=late) == [Place(1, 4, 80.0, PatienceCode.PASSIVE)]


@pytest.mark.parametrize(("quantity", "worst"), [(0, 80.0), (1, 0.0), (1, -1.0), (1, math.nan), (1, math.inf)])
def test_what_is_no_work(quantity: int, worst: float) -> None:
    with pytest.raises(ValueError, match="lots at"):
        replace(WORK, quantity=quantity, bounds=Bounds(GRID, worst, 0.05))


class Floor:
    """A broker of bad luck: ``draw`` picks one of so many outcomes."""

    def __init__(self, draw: Callable[[int], int]) -> None:
        self.draw = draw
        self.tickets: dict[str, TicketView] = {}
        self.finished: FinishCode | None = None

    def take(self, action: Action, now: datetime) -> None:
        match action:
            case Place(number, quantity, limit, _):
                assert not [t for t in self.tickets.values() if t.state in LIVE], "a second ticket"
                assert number == len(self.tickets)
                name = f"w{number}"
                state = [TicketState.SENT, TicketState.WORKING, TicketState.REJECTED, TicketState.WITHDRAWN]
                self.tickets[name] = TicketView(name, number, quantity, limit, state[self.draw(4)], 0, now)
            case Amend(name, limit, _):
                self.tickets[name] = replace(self.tickets[name], limit_price=limit, priced_at=now)
            case Cancel(name, _):
                filled = self.tickets[name].filled
                state = [TicketState.CANCELLED, TicketState.PENDING_CANCEL, TicketState.FILLED]
                outcome = state[self.draw(3)]
                if outcome is TicketState.FILLED:
                    filled = self.tickets[name].quantity
                self.tickets[name] = replace(self.tickets[name], state=outcome, filled=filled)
            case Finish(code):
                self.finished = code

    def live_on(self) -> None:
        for name, view in self.tickets.items():
            if view.state not in LIVE:
                continue
            match self.draw(8):
                case 0 if view.filled + 1 < view.quantity:
                    state = TicketState.PARTIALLY_FILLED
                    if view.state is TicketState.PENDING_CANCEL:
                        state = view.state
                    self.tickets[name] = replace(view, state=state, filled=view.filled + 1)
                case 1:
                    self.tickets[name] = replace(view, state=TicketState.FILLED, filled=view.quantity)
                case 2 if view.state is TicketState.SENT:
                    self.tickets[name] = replace(view, state=TicketState.WORKING)
                case 3:
                    self.tickets[name] = replace(view, state=TicketState.UNKNOWN)
                case 4 if view.state in {TicketState.PENDING_CANCEL, TicketState.UNKNOWN}:
                    self.tickets[name] = replace(view, state=TicketState.CANCELLED)
                case _:
                    pass

    def settle(self) -> None:
        """The broker's last word on what nobody can do anything about."""
        for name, view in self.tickets.items():
            if view.state in {TicketState.PENDING_CANCEL, TicketState.UNKNOWN}:
                self.tickets[name] = replace(view, state=TicketState.CANCELLED)


@given(st.data())
def test_no_luck_makes_it_buy_too_much_pay_too_much_or_go_on_for_ever(data: st.DataObject) -> None:
    side = data.draw(st.sampled_from(Side))
    quantity = data.draw(st.integers(1, 14))
    worst = data.draw(st.integers(3_150, 3_250)) * 0.025
    profile = data.draw(st.sampled_from([(), (1.0, 4.0, 1.0), (0.0, 1.0)]))
    work = Work(side, quantity, Bounds(GRID, worst, 0.01), WORK.window, profile)
    floor = Floor(lambda most: data.draw(st.integers(0, most - 1)))
    quote: Quote | None = None
    for minutes in range(0, 130, 3):
        now = at(minutes)
        if data.draw(st.booleans()):
            bid = data.draw(st.integers(3_150, 3_250))
            ask = bid + data.draw(st.integers(-1, 8))
            quote = data.draw(
                st.sampled_from(
                    [None, Quote(bid * 0.025, ask * 0.025, now), Quote(bid * 0.025, None, now), Quote(None, 81.0, now)]
                )
            )
        degraded = data.draw(st.integers(0, 5)) == 0
        if minutes >= 100:
            floor.settle()
        actions = next_actions(work, list(floor.tickets.values()), quote, now, CONFIG, degraded)
        assert actions == next_actions(work, list(floor.tickets.values())[::-1], quote, now, CONFIG, degraded)
        for action in actions:
            if isinstance(action, Place | Amend):
                assert not degraded
                assert GRID.has(action.limit_price)
                assert side.sign * (action.limit_price - worst) <= 1e-6
                assert quote is not None
            floor.take(action, now)
        may_fill = sum(t.filled if t.state not in LIVE else t.quantity for t in floor.tickets.values())
        assert may_fill <= quantity
        if floor.finished is not None:
            break
        floor.live_on()
    assert floor.finished is not None
    filled = sum(t.filled for t in floor.tickets.values())
    assert (floor.finished is FinishCode.FILLED) == (filled == quantity)
    assert len(floor.tickets) <= 10 * 3
