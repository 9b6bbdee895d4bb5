"""Every denial at the wire, what is just allowed, and what cancels need."""

import math
from dataclasses import replace
from datetime import timedelta

import pytest

from hydra_assets.state.records import Side
from hydra_assets.state.system import SystemState
from hydra_exec.broker.port import Link, LinkState, Quote, Ticket
from hydra_exec.order_state import TicketState
from hydra_exec.risk_gate import (
    BookView,
    Exposure,
    GateCode,
    Generation,
    Handed,
    Moment,
    OrderFacts,
    Request,
    Step,
    WireSituation,
    generation,
    may_cancel,
    may_send,
)
from tests.support.gates import AT, FACTS, LIMITS, LINK, MOMENT, QUOTE, REQUEST, RULES, TICKET, VIEW, WIRE

SECOND = timedelta(seconds=1)
HANDED = Handed(TICKET, LINK.generation)
AMENDMENT = replace(REQUEST, step=Step.AMEND, handed=HANDED, book=replace(VIEW, state=TicketState.WORKING))


def ask(
    request: Request = REQUEST, wire: WireSituation = WIRE, moment: Moment = MOMENT, **ticket: object
) -> tuple[GateCode, dict[str, float]]:
    changed = replace(request, ticket=replace(request.ticket, **ticket))  # type: ignore[arg-type]
    verdict = may_send(changed, wire, RULES, moment)
    assert verdict.passed or (verdict.message and generation(verdict.code) is Generation.WIRE)
    return verdict.code, dict(verdict.figures)


def code(**changes: object) -> GateCode:
    return ask(**changes)[0]  # type: ignore[arg-type]


def book(**changes: object) -> Request:
    return replace(REQUEST, book=replace(VIEW, **changes))  # type: ignore[arg-type]


def order(**changes: object) -> Request:
    return replace(REQUEST, order=replace(FACTS, **changes))  # type: ignore[arg-type]


def moment(**changes: object) -> Moment:
    return replace(MOMENT, **changes)  # type: ignore[arg-type]


def wire(**changes: object) -> WireSituation:
    return replace(WIRE, **changes)  # type: ignore[arg-type]


def test_a_good_ticket_and_a_good_amendment_pass() -> None:
    assert ask() == (GateCode.PASSED, {})
    assert ask(AMENDMENT) == (GateCode.PASSED, {})


def test_a_ticket_is_the_one_that_was_written_ahead() -> None:
    assert code(request=book(state=None)) is GateCode.NOT_ON_RECORD
    assert code(request=order(contract="HE-2026-02")) is GateCode.NOT_ON_RECORD
    assert code(request=order(side=Side.SELL)) is GateCode.NOT_ON_RECORD
    assert code(contract="HE-2026-02") is GateCode.NOT_ON_RECORD


@pytest.mark.parametrize("state", [state for state in TicketState if state is not TicketState.CREATED])
def test_a_name_is_sent_once(state: TicketState) -> None:
    assert code(request=book(state=state)) is GateCode.ALREADY_SENT


def test_a_name_that_this_gate_handed_over_is_not_sent_again_whatever_the_book_says() -> None:
    assert code(request=replace(REQUEST, handed=HANDED)) is GateCode.ALREADY_SENT


@pytest.mark.parametrize("state", TicketState)
def test_only_what_lives_by_the_brokers_word_is_amended(state: TicketState) -> None:
    request = replace(AMENDMENT, book=replace(VIEW, state=state))
    lives = state in {TicketState.WORKING, TicketState.PARTIALLY_FILLED}
    assert code(request=request) is (GateCode.PASSED if lives else GateCode.NOT_LIVE)


def test_only_what_was_sent_on_this_connection_is_amended() -> None:
    assert code(request=replace(AMENDMENT, handed=None)) is GateCode.NOT_ON_RECORD
    assert code(request=replace(AMENDMENT, handed=Handed(TICKET, 6))) is GateCode.NOT_ON_RECORD
    assert code(request=AMENDMENT, quantity=1) is GateCode.NOT_ON_RECORD
    assert code(request=AMENDMENT, limit_price=80.05) is GateCode.PASSED


def test_sentences_for_a_reader() -> None:
    off = may_send(REQUEST, wire(switched_on=False), RULES, MOMENT)
    lost = may_send(REQUEST, WIRE, RULES, moment(link=Link(LinkState.DEGRADED, 7)))
    unknown = may_send(book(unknown=True), WIRE, RULES, MOMENT)
    delayed = may_send(REQUEST, WIRE, RULES, moment(link=replace(LINK, live_data=False)))
    assert [verdict.message for verdict in (off, lost, unknown, delayed)] == [
        "the operator's switch is off",
        "the terminal has lost the broker",
        "a ticket of the market is in state unknown",
        "quotes are delayed",
    ]


def test_switch_and_connection() -> None:
    assert code(wire=wire(switched_on=False)) is GateCode.SWITCHED_OFF
    assert code(moment=moment(link=Link(LinkState.DOWN, 7))) is GateCode.LINK_DOWN
    assert code(moment=moment(link=Link(LinkState.DEGRADED, 7))) is GateCode.DEGRADED


def test_a_blackout_begins_at_its_first_instant_and_is_over_at_its_last() -> None:
    windows = ((AT - 9 * SECOND, AT - 8 * SECOND), (AT, AT + SECOND))
    assert code(wire=wire(blackouts=windows)) is GateCode.BLACKOUT
    assert code(wire=wire(blackouts=((AT - SECOND, AT),))) is GateCode.PASSED
    assert code(wire=wire(blackouts=((AT + SECOND, AT + 2 * SECOND),))) is GateCode.PASSED


def test_trading_hours_hold_their_first_instant_and_not_their_last() -> None:
    assert code(wire=wire(opens_at=AT)) is GateCode.PASSED
    assert code(wire=wire(opens_at=AT + SECOND)) is GateCode.SESSION_CLOSED
    assert code(wire=wire(closes_at=AT)) is GateCode.SESSION_CLOSED
    assert code(wire=wire(closes_at=AT + SECOND)) is GateCode.PASSED
    assert code(wire=wire(opens_at=None)) is GateCode.SESSION_CLOSED
    assert code(wire=wire(closes_at=None)) is GateCode.SESSION_CLOSED


EXIT = replace(
    REQUEST,
    ticket=replace(TICKET, side=Side.SELL),
    order=replace(FACTS, side=Side.SELL, worst_price=79.0),
    book=replace(VIEW, exposure=Exposure(9)),
)


@pytest.mark.parametrize("system", [SystemState.HALTED, SystemState.LOCKDOWN])
def test_a_halt_lets_only_reducing_tickets_out(system: SystemState) -> None:
    assert code(wire=wire(system=system)) is GateCode.STATE
    assert code(request=EXIT, wire=wire(system=system)) is GateCode.PASSED
    assert code(wire=wire(system=SystemState.DEGRADED)) is GateCode.PASSED


def test_a_ticket_that_nobody_knows_of_bars_new_risk_in_its_market() -> None:
    assert code(request=book(unknown=True)) is GateCode.UNKNOWN_TICKET
    assert code(request=replace(EXIT, book=replace(EXIT.book, unknown=True))) is GateCode.PASSED
    # What the unknown one may still sell leaves too little to sell.
    crowded = replace(EXIT, book=replace(EXIT.book, unknown=True, exposure=Exposure(3, working_sell=2)))
    assert code(request=crowded) is GateCode.UNKNOWN_TICKET


def test_the_tickets_of_an_order_never_exceed_it() -> None:
    assert code(request=order(lots_in_others=2)) is GateCode.PASSED
    assert ask(order(lots_in_others=3)) == (GateCode.QUANTITY, {"lots": 2})
    assert code(quantity=4) is GateCode.QUANTITY
    assert code(quantity=0) is GateCode.QUANTITY
    assert code(quantity=1) is GateCode.PASSED
    # An amendment is of a ticket that is counted once.
    whole = replace(AMENDMENT, order=replace(FACTS, lots_in_others=2))
    assert code(request=whole) is GateCode.PASSED
    assert code(request=replace(AMENDMENT, order=replace(FACTS, lots_in_others=3))) is GateCode.QUANTITY


def test_the_position_limit_is_asked_again() -> None:
    assert code(request=book(exposure=Exposure(3))) is GateCode.PASSED
    assert ask(book(exposure=Exposure(4))) == (GateCode.WIRE_POSITION_LIMIT, {"lots_after": 6, "max_position": 5})
    assert code(request=book(exposure=Exposure(1, working_buy=3))) is GateCode.WIRE_POSITION_LIMIT
    assert code(request=EXIT) is GateCode.PASSED  # from nine to seven
    # An amendment works already: it is among the lots that may be bought.
    working = replace(AMENDMENT.book, exposure=Exposure(3, working_buy=2))
    assert code(request=replace(AMENDMENT, book=working)) is GateCode.PASSED
    beyond = replace(AMENDMENT.book, exposure=Exposure(4, working_buy=2))
    assert code(request=replace(AMENDMENT, book=beyond)) is GateCode.WIRE_POSITION_LIMIT


@pytest.mark.parametrize("price", [80.01, 0.0, -80.0, math.nan, math.inf])
def test_a_limit_is_on_the_grid(price: float) -> None:
    assert code(limit_price=price) is GateCode.OFF_TICK


def test_the_figures_of_a_limit_off_the_grid() -> None:
    assert ask(limit_price=80.01) == (GateCode.OFF_TICK, {"limit_price": 80.01})


def test_a_touch_below_one_is_a_touch() -> None:
    cheap = order(worst_price=0.6)
    assert code(request=cheap, moment=quoted(0.5, 0.5), limit_price=0.525) is GateCode.PASSED
    assert code(request=cheap, moment=quoted(0.5, None), limit_price=0.55) is GateCode.WIRE_COLLAR


def test_a_limit_is_no_worse_than_the_orders() -> None:
    assert code(limit_price=80.5) is GateCode.PASSED
    assert ask(limit_price=80.525) == (GateCode.WORST_PRICE, {"limit_price": 80.525, "worst_price": 80.5})
    assert code(request=EXIT, limit_price=79.0) is GateCode.PASSED
    assert code(request=EXIT, limit_price=78.975) is GateCode.WORST_PRICE
    assert code(request=order(worst_price=math.nan)) is GateCode.WORST_PRICE
    assert code(request=order(worst_price=math.inf)) is GateCode.WORST_PRICE


def test_delayed_quotes_are_none() -> None:
    assert code(moment=moment(link=replace(LINK, live_data=False))) is GateCode.NO_LIVE_DATA
    assert code(moment=moment(link=replace(LINK, live_data=False), quote=None)) is GateCode.NO_LIVE_DATA
    assert code(moment=moment(quote=replace(QUOTE, live=False))) is GateCode.NO_LIVE_DATA


@pytest.mark.parametrize(
    "sides", [(None, None), (math.nan, None), (0.0, math.inf), (-1.0, -1.0), (None, math.nan), (0.0, 0.0)]
)
def test_a_touch_has_a_side(sides: tuple[float | None, float | None]) -> None:
    assert code(moment=moment(quote=Quote(*sides, at=AT))) is GateCode.NO_QUOTE
    assert code(moment=moment(quote=None)) is GateCode.NO_QUOTE


def test_a_touch_is_fresh() -> None:
    assert code(moment=moment(quote=replace(QUOTE, at=AT - 60 * SECOND))) is GateCode.PASSED
    assert ask(moment=moment(quote=replace(QUOTE, at=AT - 61 * SECOND))) == (
        GateCode.STALE_QUOTE,
        {"age_seconds": 61.0},
    )
    assert code(moment=moment(quote=replace(QUOTE, at=AT + SECOND))) is GateCode.STALE_QUOTE


def quoted(bid: float | None, ask: float | None) -> Moment:
    return moment(quote=Quote(bid, ask, AT))


def test_the_collar_is_on_the_paying_side_of_the_middle() -> None:
    # 5 % above a middle of 76 are 79.8, below one of 84 are 79.8 too.
    assert code(moment=quoted(75.0, 77.0), limit_price=79.8) is GateCode.PASSED
    assert ask(moment=quoted(75.0, 77.0), limit_price=79.825) == (
        GateCode.WIRE_COLLAR,
        {"limit_price": 79.825, "touch": 76.0, "collar_fraction": 0.05},
    )
    assert code(moment=quoted(99.0, 101.0)) is GateCode.PASSED  # a buy far below
    assert code(request=EXIT, moment=quoted(83.0, 85.0), limit_price=79.8) is GateCode.PASSED
    assert code(request=EXIT, moment=quoted(83.0, 85.0), limit_price=79.775) is GateCode.WIRE_COLLAR
    assert code(request=EXIT, moment=quoted(59.0, 61.0)) is GateCode.PASSED


def test_the_side_that_is_there_stands_for_both() -> None:
    assert code(moment=quoted(76.0, None), limit_price=79.8) is GateCode.PASSED
    assert code(moment=quoted(76.0, None), limit_price=79.825) is GateCode.WIRE_COLLAR
    assert code(moment=quoted(math.nan, 76.0), limit_price=79.8) is GateCode.PASSED
    assert code(moment=quoted(0.0, 76.0), limit_price=79.825) is GateCode.WIRE_COLLAR


@pytest.mark.parametrize("fraction", [math.nan, math.inf])
def test_a_collar_is_a_number(fraction: float) -> None:
    assert code(wire=wire(limits=replace(LIMITS, collar_fraction=fraction))) is GateCode.WIRE_COLLAR


def test_instructions_are_counted() -> None:
    assert code(moment=moment(sent_last_minute=2, sent_this_session=4)) is GateCode.PASSED
    assert ask(moment=moment(sent_last_minute=3, sent_this_session=3)) == (
        GateCode.ORDER_RATE,
        {"last_minute": 3, "this_session": 3},
    )
    assert code(moment=moment(sent_last_minute=0, sent_this_session=5)) is GateCode.ORDER_RATE
    assert code(request=AMENDMENT, moment=moment(sent_last_minute=3)) is GateCode.ORDER_RATE


def test_a_cancel_needs_a_connection_and_nothing_else() -> None:
    assert may_cancel(Link(LinkState.UP, 1)).passed
    assert may_cancel(Link(LinkState.DEGRADED, 1, live_data=False)).passed
    down = may_cancel(Link(LinkState.DOWN, 1))
    assert (down.code, down.message) == (GateCode.LINK_DOWN, "no connection")
    assert may_cancel(Link(LinkState.DOWN, 1, detail="reset by peer")).message == "reset by peer"


def test_of_several_denials_the_first_in_the_order_of_the_codes_is_given() -> None:
    request = Request(
        Step.SEND,
        Ticket("wire-1", "HE-2025-12", Side.BUY, 9, 81.01),
        OrderFacts("o", "HE", "HE-2025-12", Side.BUY, 4, 80.5, 1),
        HANDED,
        BookView(None, Exposure(4), unknown=True),
    )
    limits = LIMITS
    situation = wire(
        switched_on=False, system=SystemState.HALTED, opens_at=None, blackouts=((AT, AT + SECOND),), limits=limits
    )
    instant = Moment(AT, Link(LinkState.DOWN, 7, live_data=False), None, 99, 99)
    seen = []

    def look() -> None:
        seen.append(may_send(request, situation, RULES, instant).code)

    look()
    request = replace(request, book=replace(request.book, state=TicketState.CREATED))
    look()
    request = replace(request, handed=None)
    look()
    situation = replace(situation, switched_on=True)
    look()
    instant = replace(instant, link=Link(LinkState.DEGRADED, 7, live_data=False))
    look()
    instant = replace(instant, link=Link(LinkState.UP, 7, live_data=False))
    look()
    situation = replace(situation, blackouts=())
    look()
    situation = replace(situation, opens_at=AT)
    look()
    situation = replace(situation, system=SystemState.RUNNING)
    look()
    request = replace(request, book=replace(request.book, unknown=False))
    look()
    request = replace(request, ticket=replace(request.ticket, quantity=3))
    look()
    request = replace(request, book=replace(request.book, exposure=Exposure(2)))
    look()
    request = replace(request, ticket=replace(request.ticket, limit_price=81.0))
    look()
    request = replace(request, order=replace(request.order, worst_price=81.0))
    look()
    instant = replace(instant, link=LINK)
    look()
    instant = replace(instant, quote=Quote(70.0, 70.0, AT - timedelta(hours=1)))
    look()
    instant = replace(instant, quote=Quote(70.0, 70.0, AT))
    look()
    instant = replace(instant, quote=Quote(80.0, 80.0, AT))
    look()
    instant = replace(instant, sent_last_minute=0, sent_this_session=0)
    look()
    assert seen == [
        code
        for code in GateCode
        if generation(code) is Generation.WIRE and code not in {GateCode.NOT_LIVE, GateCode.NOT_SENT, GateCode.UNCLEAR}
    ] + [GateCode.PASSED]
