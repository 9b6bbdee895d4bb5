"""The checks of a ticket each time it is to be handed to the broker. Pure."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from hydra_exec.broker.port import Link, LinkState, Quote, Ticket
from hydra_exec.order_state import TicketState
from hydra_exec.risk_gate.codes import GateCode, Verdict
from hydra_exec.risk_gate.decide import CLOSED_TO_RISK, PASSED, within
from hydra_exec.risk_gate.facts import BookView, GateRules, Moment, OrderFacts, WireSituation

AMENDABLE = frozenset({TicketState.WORKING, TicketState.PARTIALLY_FILLED})
"""Only what the broker has said to live: an amendment of anything else may become an order of its own."""


class Step(StrEnum):
    """What is asked for."""

    SEND = "send"
    AMEND = "amend"


@dataclass(frozen=True, slots=True)
class Handed:
    """A ticket as a gate last handed it over, and the connection that it was sent on."""

    ticket: Ticket
    generation: int


@dataclass(frozen=True, slots=True)
class Request:
    """A ticket that is to be handed over, with all that is known of it; ``handed`` if this gate did so before."""

    step: Step
    ticket: Ticket
    order: OrderFacts
    handed: Handed | None
    book: BookView

    @property
    def added(self) -> int:
        """Lots that may fill besides those that work already: an amendment adds none."""
        return self.ticket.quantity if self.step is Step.SEND else 0

    @property
    def reduces(self) -> bool:
        """Whether it only takes risk away."""
        return self.book.exposure.reduces(self.ticket.side, self.added)


def may_send(request: Request, wire: WireSituation, rules: GateRules, moment: Moment) -> Verdict:
    """Judge a ticket or its amendment; the first denial in the order of ``GateCode``."""
    return next(_denials(request, wire, rules, moment), PASSED)


def may_cancel(link: Link) -> Verdict:
    """Judge a request for an order's end: it needs a connection and nothing else."""
    return next(_way(link), PASSED)


def _denials(request: Request, wire: WireSituation, rules: GateRules, moment: Moment) -> Iterator[Verdict]:
    yield from _record(request, moment.link)
    if not wire.switched_on:
        yield Verdict(GateCode.SWITCHED_OFF, "the operator's switch is off")
    yield from _way(moment.link)
    if moment.link.state is LinkState.DEGRADED:
        yield Verdict(GateCode.DEGRADED, "the terminal has lost the broker")
    yield from _leave(request, wire, moment)
    yield from _lots(request, wire)
    yield from _limit(request, wire)
    yield from _touch(request.ticket, wire, moment)
    if moment.sent_last_minute >= rules.orders_per_minute or moment.sent_this_session >= rules.orders_per_session:
        yield Verdict(
            GateCode.ORDER_RATE,
            f"{moment.sent_last_minute} instructions in a minute, {moment.sent_this_session} in the session",
            {"last_minute": moment.sent_last_minute, "this_session": moment.sent_this_session},
        )


def _way(link: Link) -> Iterator[Verdict]:
    if link.state is LinkState.DOWN:
        yield Verdict(GateCode.LINK_DOWN, link.detail or "no connection")


def _record(request: Request, link: Link) -> Iterator[Verdict]:
    """Whether the ticket is the one that was written ahead, and where its life stands."""
    ticket, order, handed, state = request.ticket, request.order, request.handed, request.book.state
    if state is None or (ticket.contract, ticket.side) != (order.contract, order.side):
        yield Verdict(GateCode.NOT_ON_RECORD, f"{ticket.wire_ref} is not on record, or not as this")
    if request.step is Step.SEND:
        if state is not TicketState.CREATED or handed is not None:
            yield Verdict(GateCode.ALREADY_SENT, f"{ticket.wire_ref} is {state}")
    elif handed is None or handed.ticket.quantity != ticket.quantity or handed.generation != link.generation:
        yield Verdict(GateCode.NOT_ON_RECORD, f"{ticket.wire_ref} was not handed over like this on this connection")
    elif state not in AMENDABLE:
        yield Verdict(GateCode.NOT_LIVE, f"{ticket.wire_ref} is {state}")


def _leave(request: Request, wire: WireSituation, moment: Moment) -> Iterator[Verdict]:
    """Whether this may be sent now: the gateway's and the market's hours, the system's state."""
    if any(start <= moment.at < end for start, end in wire.blackouts):
        yield Verdict(GateCode.BLACKOUT, f"{moment.at:%H:%M} UTC is too near the gateway's restart")
    if wire.opens_at is None or wire.closes_at is None or not wire.opens_at <= moment.at < wire.closes_at:
        yield Verdict(GateCode.SESSION_CLOSED, f"{moment.at:%Y-%m-%d %H:%M} UTC is outside the trading hours")
    if wire.system in CLOSED_TO_RISK and not request.reduces:
        yield Verdict(GateCode.STATE, f"the system is {wire.system} and the ticket does not only reduce")


def _lots(request: Request, wire: WireSituation) -> Iterator[Verdict]:
    """Whether there is room for what would be filled."""
    ticket, order, exposure = request.ticket, request.order, request.book.exposure
    if request.book.unknown and not request.reduces:
        yield Verdict(GateCode.UNKNOWN_TICKET, "a ticket of the market is in state unknown")
    if ticket.quantity < 1 or ticket.quantity + order.lots_in_others > order.quantity:
        yield Verdict(
            GateCode.QUANTITY, f"{order.order_ref} has no room for {ticket.quantity} lots", {"lots": ticket.quantity}
        )
    lots, most = abs(exposure.after(ticket.side, request.added)), wire.limits.max_position
    if lots > most and not request.reduces:
        yield Verdict(
            GateCode.WIRE_POSITION_LIMIT,
            f"{lots} lots in {ticket.contract}, {most} are allowed",
            {"lots_after": lots, "max_position": most},
        )


def _limit(request: Request, wire: WireSituation) -> Iterator[Verdict]:
    ticket, order = request.ticket, request.order
    if not wire.limits.grid.has(ticket.limit_price):
        yield Verdict(GateCode.OFF_TICK, f"a limit of {ticket.limit_price}", {"limit_price": ticket.limit_price})
    if not within(ticket.side.sign * ticket.limit_price, ticket.side.sign * order.worst_price):
        yield Verdict(
            GateCode.WORST_PRICE,
            f"a limit of {ticket.limit_price} is worse than the order's",
            {"limit_price": ticket.limit_price, "worst_price": order.worst_price},
        )


def _touch(ticket: Ticket, wire: WireSituation, moment: Moment) -> Iterator[Verdict]:
    """Whether the limit is near a live, fresh touch; where one side is missing, the other stands for both."""
    quote, limits = moment.quote, wire.limits
    middle = None if quote is None else _middle(quote)
    if not moment.link.live_data or (quote is not None and not quote.live):
        yield Verdict(GateCode.NO_LIVE_DATA, "quotes are delayed")
    elif quote is None or middle is None:
        yield Verdict(GateCode.NO_QUOTE, f"no touch of {ticket.contract}")
    elif not 0.0 <= (age := (moment.at - quote.at).total_seconds()) <= limits.max_quote_age_seconds:
        yield Verdict(GateCode.STALE_QUOTE, f"the touch is {age:.0f} s old", {"age_seconds": age})
    # A buy pays by a high limit, a sell by a low one.
    elif not within(ticket.side.sign * (ticket.limit_price - middle), limits.collar_fraction * middle):
        yield Verdict(
            GateCode.WIRE_COLLAR,
            f"a limit of {ticket.limit_price} is further than {limits.collar_fraction:.1%} from the touch {middle}",
            {"limit_price": ticket.limit_price, "touch": middle, "collar_fraction": limits.collar_fraction},
        )


def _middle(quote: Quote) -> float | None:
    """Mean of the sides that are positive finite prices, None where none is."""
    sides = [side for side in (quote.bid, quote.ask) if side is not None and math.isfinite(side) and side > 0.0]
    return sum(sides) / len(sides) if sides else None
