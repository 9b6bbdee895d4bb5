"""The gate at work: what it tells the book and when, what reaches the broker, and that nothing leads to it."""

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import timedelta
from types import BuiltinFunctionType, MethodWrapperType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.state.records import Side
from hydra_exec.broker.port import BrokerError, BrokerKind, Link, LinkState, NotSentError, OrderReport, Ticket, Word
from hydra_exec.order_state import TicketState
from hydra_exec.risk_gate import GateCode, GuardedBroker, WireSituation, guard
from tests.support.gates import AT, FACTS, QUOTE, RULES, TICKET, WIRE, NotingBook, NotingBroker

REPORT = OrderReport(Word.WORKING, 0, AT, wire_ref="wire-1")
OTHER = replace(TICKET, wire_ref="wire-2")


class Desk:
    """A gate with the broker and the book behind it; what holds of a market may be changed."""

    def __init__(self) -> None:
        self.broker = NotingBroker()
        self.book = NotingBook(
            orders={ref: replace(FACTS, lots_in_others=0) for ref in ("wire-1", "wire-2", "wire-3")},
            states=dict.fromkeys(("wire-1", "wire-2", "wire-3"), TicketState.CREATED),
        )
        self.wire: WireSituation = WIRE
        self.asked: list[str] = []
        self.gate: GuardedBroker = guard(self.broker, RULES, self.book, self._situation)

    def _situation(self, market: str) -> WireSituation:
        self.asked.append(market)
        return self.wire

    def sent(self, ticket: Ticket = TICKET) -> GateCode:
        return self.gate.send(ticket).code


def test_a_ticket_is_on_record_as_sent_before_the_broker_hears_of_it() -> None:
    desk = Desk()
    heard: list[object] = []
    desk.book.during = lambda _: heard.extend(desk.broker.noted)
    assert desk.sent() is GateCode.PASSED
    assert heard == []
    assert desk.broker.noted == [("place", TICKET)]
    assert desk.book.told == [("sending", TICKET, AT), ("sent", "wire-1", 41, 7)]
    assert desk.asked == ["HE"]


def test_what_the_gate_denies_never_reaches_the_broker_or_the_book() -> None:
    desk = Desk()
    desk.wire = replace(WIRE, switched_on=False)
    assert desk.sent() is GateCode.SWITCHED_OFF
    assert desk.gate.amend(TICKET).code is GateCode.NOT_ON_RECORD
    assert (desk.broker.noted, desk.book.told) == ([], [])


def test_a_ticket_that_nobody_wrote_down_is_not_sent() -> None:
    desk = Desk()
    verdict = desk.gate.send(replace(TICKET, wire_ref="stranger"))
    assert (verdict.code, verdict.message) == (GateCode.NOT_ON_RECORD, "stranger is not on record")
    del desk.book.states["wire-1"]
    assert desk.sent() is GateCode.NOT_ON_RECORD
    assert desk.broker.noted == []


def test_a_book_that_cannot_write_ahead_lets_nothing_out() -> None:
    desk = Desk()

    def no_database(_: str) -> None:
        raise OSError("no database")

    desk.book.during = no_database
    with pytest.raises(OSError, match="no database"):
        desk.gate.send(TICKET)
    assert desk.broker.noted == []


def test_certainly_not_sent() -> None:
    desk = Desk()
    desk.broker.fails = NotSentError("no socket")
    verdict = desk.gate.send(TICKET)
    assert (verdict.code, verdict.message) == (GateCode.NOT_SENT, "no socket")
    assert desk.book.told[1:] == [("not_sent", "wire-1")]


@pytest.mark.parametrize("error", [BrokerError("what?"), OSError("reset"), ValueError("odd")])
def test_nobody_can_tell_whether_it_has_left(error: Exception) -> None:
    desk = Desk()
    desk.broker.fails = error
    verdict = desk.gate.send(TICKET)
    assert (verdict.code, verdict.message) == (GateCode.UNCLEAR, repr(error))
    assert desk.book.told[1:] == [("unclear", "wire-1")]


@pytest.mark.parametrize("fails", [None, NotSentError("no"), OSError("reset")])
def test_a_name_is_handed_over_once_whatever_came_of_it_and_whatever_the_book_says(fails: Exception | None) -> None:
    desk = Desk()
    desk.broker.fails = fails
    desk.gate.send(TICKET)
    desk.book.states["wire-1"] = TicketState.CREATED
    desk.broker.fails = None
    assert desk.sent() is GateCode.ALREADY_SENT
    assert len(desk.broker.noted) == 1


def test_an_interrupt_leaves_the_ticket_on_record_as_sent() -> None:
    desk = Desk()

    def interrupted(_: Ticket) -> int:
        raise KeyboardInterrupt

    desk.broker.place = interrupted  # type: ignore[method-assign]
    gate = guard(desk.broker, RULES, desk.book, lambda _: WIRE)
    with pytest.raises(KeyboardInterrupt):
        gate.send(TICKET)
    assert desk.book.told == [("sending", TICKET, AT)]


def test_a_ticket_is_amended_with_another_limit_and_then_with_a_third() -> None:
    desk = Desk()
    desk.gate.send(TICKET)
    desk.book.states["wire-1"] = TicketState.WORKING
    second, third = replace(TICKET, limit_price=80.05), replace(TICKET, limit_price=80.075)
    assert desk.gate.amend(second).code is GateCode.PASSED
    assert desk.gate.amend(third).code is GateCode.PASSED
    assert desk.broker.noted[1:] == [("amend", second), ("amend", third)]
    assert len(desk.book.told) == 2


def test_an_amendment_that_has_not_left_changes_nothing() -> None:
    desk = Desk()
    desk.gate.send(TICKET)
    desk.book.states["wire-1"] = TicketState.WORKING
    desk.broker.fails = NotSentError("no socket")
    verdict = desk.gate.amend(replace(TICKET, limit_price=80.05))
    assert (verdict.code, verdict.message) == (GateCode.NOT_SENT, "no socket")
    assert len(desk.book.told) == 2


def test_an_amendment_of_which_nobody_can_tell_is_on_record_as_such() -> None:
    desk = Desk()
    desk.gate.send(TICKET)
    desk.book.states["wire-1"] = TicketState.WORKING
    desk.broker.fails = OSError("reset")
    verdict = desk.gate.amend(replace(TICKET, limit_price=80.05))
    assert (verdict.code, verdict.message) == (GateCode.UNCLEAR, "OSError('reset')")
    assert desk.book.told[2:] == [("unclear", "wire-1")]


def test_nothing_is_amended_on_a_later_connection() -> None:
    desk = Desk()
    desk.gate.send(TICKET)
    desk.book.states["wire-1"] = TicketState.WORKING
    desk.broker.state = Link(LinkState.UP, 8)
    assert desk.gate.amend(TICKET).code is GateCode.NOT_ON_RECORD


def test_a_cancel_passes_whatever_holds_and_its_failures_have_codes() -> None:
    desk = Desk()
    desk.wire = replace(WIRE, switched_on=False, opens_at=None)
    desk.broker.state = Link(LinkState.DEGRADED, 7)
    assert desk.gate.cancel(REPORT).code is GateCode.PASSED
    assert desk.broker.noted == [("cancel", REPORT)]
    desk.broker.fails = NotSentError("no socket")
    assert (desk.gate.cancel(REPORT).code, desk.gate.cancel(REPORT).message) == (GateCode.NOT_SENT, "no socket")
    desk.broker.fails = OSError("reset")
    assert (desk.gate.cancel(REPORT).code, desk.gate.cancel(REPORT).message) == (GateCode.UNCLEAR, "OSError('reset')")
    noted = len(desk.broker.noted)
    desk.broker.state = Link(LinkState.DOWN, 7)
    assert desk.gate.cancel(REPORT).code is GateCode.LINK_DOWN
    assert (len(desk.broker.noted), desk.book.told) == (noted, [])


def test_the_book_is_asked_about_the_tickets_contract_and_market() -> None:
    desk = Desk()
    desk.book.position["HE-2025-12"] = 4
    assert desk.gate.send(TICKET).figures["lots_after"] == 6
    desk.book.position["HE-2025-12"] = 0
    desk.book.works["HE-2025-12"] = (4, 0)
    assert desk.gate.send(TICKET).figures["lots_after"] == 6
    desk.book.works["HE-2025-12"] = (0, 4)
    assert desk.sent() is GateCode.PASSED
    desk.book.unknown_markets.add("HE")
    assert desk.sent(OTHER) is GateCode.UNKNOWN_TICKET


def test_the_minute_and_the_session_are_counted_by_the_brokers_clock() -> None:
    desk = Desk()
    desk.book.orders = {f"n{i}": replace(FACTS, lots_in_others=0) for i in range(12)}
    desk.book.states = dict.fromkeys(desk.book.orders, TicketState.CREATED)
    seen = []
    # Three a minute and five a session: the fourth within a minute waits until the first is more than a minute old.
    for number, seconds in enumerate((0, 10, 20, 59, 61, 70, 81, 200, 300)):
        desk.broker.at = AT + timedelta(seconds=seconds)
        desk.broker.touch = replace(QUOTE, at=desk.broker.at)
        seen.append(desk.sent(replace(TICKET, wire_ref=f"n{number}")) is GateCode.PASSED)
    assert seen == [True, True, True, False, True, False, True, False, False]
    # Another session of the market begins: what was sent before it is another's.
    desk.wire = replace(WIRE, opens_at=AT + timedelta(seconds=300))
    assert desk.sent(replace(TICKET, wire_ref="n10")) is GateCode.PASSED


def test_instants_of_earlier_days_are_forgotten() -> None:
    desk = Desk()
    desk.book.orders = {f"n{i}": replace(FACTS, lots_in_others=0) for i in range(12)}
    desk.book.states = dict.fromkeys(desk.book.orders, TicketState.CREATED)
    seen = []
    for number, days in enumerate((0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5)):
        desk.broker.at = AT + timedelta(days=days)
        desk.broker.touch = replace(QUOTE, at=desk.broker.at)
        desk.wire = replace(WIRE, closes_at=AT + timedelta(days=30))
        seen.append(desk.sent(replace(TICKET, wire_ref=f"n{number}")))
    # At most the last day's are kept, which a session never outlives.
    assert seen == [GateCode.PASSED] * 8


def test_what_is_sent_as_the_session_opens_counts() -> None:
    desk = Desk()
    gate = guard(desk.broker, replace(RULES, orders_per_session=1), desk.book, lambda _: replace(WIRE, opens_at=AT))
    assert gate.send(TICKET).passed
    desk.broker.at = AT + timedelta(minutes=2)
    desk.broker.touch = replace(QUOTE, at=desk.broker.at)
    assert gate.send(OTHER).code is GateCode.ORDER_RATE


def test_a_market_without_a_session_is_closed() -> None:
    desk = Desk()
    assert desk.sent(OTHER) is GateCode.PASSED
    desk.wire = replace(WIRE, opens_at=None)
    assert desk.sent() is GateCode.SESSION_CLOSED


def test_a_failed_send_counts_against_the_rate() -> None:
    desk = Desk()
    desk.broker.fails = NotSentError("no socket")
    assert [desk.sent(replace(TICKET, wire_ref=f"wire-{n}")) for n in (1, 2, 3)] == [GateCode.NOT_SENT] * 3
    desk.book.orders["wire-4"] = replace(FACTS, lots_in_others=0)
    desk.book.states["wire-4"] = TicketState.CREATED
    assert desk.sent(replace(TICKET, wire_ref="wire-4")) is GateCode.ORDER_RATE


def test_amendments_count_too() -> None:
    desk = Desk()
    desk.gate.send(TICKET)
    desk.book.states["wire-1"] = TicketState.WORKING
    codes = [desk.gate.amend(TICKET).code for _ in range(3)]
    assert codes == [GateCode.PASSED, GateCode.PASSED, GateCode.ORDER_RATE]


def test_all_else_is_the_brokers_own() -> None:
    desk = Desk()
    gate = desk.gate
    assert (gate.kind, gate.account, gate.now()) == (BrokerKind.SIMULATED, "SIM", AT)
    assert gate.connect() is desk.broker.state
    assert gate.link() is desk.broker.state
    assert gate.snapshot() == desk.broker.snapshot()
    assert gate.quote("HE-2025-12") is QUOTE
    assert gate.quote("HE-2026-02") is None
    assert gate.wait(seconds=0.5) == ()
    gate.close()
    assert desk.broker.noted == [("connect", None), ("wait", 0.5), ("close", None)]


CELLS = frozenset({"__closure__", "__globals__", "__builtins__"})
"""Where Python keeps what a function closes over, and the module that it stands in: the doors that stay open."""

NOT_FOLLOWED = (type, str, int, float, MethodWrapperType, BuiltinFunctionType)
"""Without attributes of their own, or bound to what they were found on."""


def reachable(start: object, depth: int = 4) -> Iterator[object]:
    """All that attributes, ``__dict__`` and slots lead to, but for ``CELLS``."""
    seen: dict[int, object] = {}
    ring = [start]
    for _ in range(depth):
        found = []
        for owner in ring:
            names = set(dir(owner)) | set(getattr(owner, "__slots__", ())) | set(getattr(owner, "__dict__", {}))
            for name in names - CELLS:
                value = getattr(owner, name, None)
                if id(value) not in seen and not isinstance(value, NOT_FOLLOWED):
                    seen[id(value)] = value
                    found.append(value)
        yield from found
        ring = found


def test_no_attribute_leads_to_the_broker() -> None:
    desk = Desk()
    assert any(value is desk.broker for value in reachable(desk, depth=1))  # the walk finds what is there
    assert any(value is desk.broker for value in reachable(desk.broker.now, depth=1))  # and a bound method's object
    assert not any(isinstance(value, NotingBroker) for value in reachable(desk.gate))


def test_the_gate_offers_no_place() -> None:
    assert {field.name for field in fields(GuardedBroker)} == {
        "kind",
        "account",
        "now",
        "connect",
        "close",
        "link",
        "snapshot",
        "quote",
        "wait",
        "send",
        "amend",
        "cancel",
    }
    assert not hasattr(Desk().gate, "place")
    with pytest.raises(AttributeError):
        Desk().gate.send = lambda _: None  # type: ignore[misc]


@given(st.lists(st.tuples(st.sampled_from([1, 2, 3]), st.sampled_from(["ok", "not_sent", "reset"])), max_size=8))
def test_whatever_happens_no_name_is_placed_twice_and_none_before_it_is_on_record(
    script: list[tuple[int, str]],
) -> None:
    desk = Desk()
    fails = {"ok": None, "not_sent": NotSentError("x"), "reset": OSError("x")}
    for number, outcome in script:
        desk.broker.fails = fails[outcome]
        desk.gate.send(replace(TICKET, wire_ref=f"wire-{number}"))
    placed = [ticket.wire_ref for what, ticket in desk.broker.noted if what == "place" and isinstance(ticket, Ticket)]
    written = [entry[1].wire_ref for entry in desk.book.told if isinstance(entry[1], Ticket)]
    assert placed == written
    assert len(placed) == len(set(placed))


def test_a_sell_is_counted_by_its_own_side() -> None:
    desk = Desk()
    desk.book.orders["wire-1"] = replace(FACTS, side=Side.SELL, worst_price=79.0, lots_in_others=0)
    desk.book.works["HE-2025-12"] = (0, 4)
    assert desk.gate.send(replace(TICKET, side=Side.SELL)).figures["lots_after"] == 6
