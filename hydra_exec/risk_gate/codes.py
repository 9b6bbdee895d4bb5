"""Verdicts of the risk gate: one code for every way to be denied, in the order in which they are looked for. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Generation(StrEnum):
    """When a code is looked for."""

    DECISION = "decision"
    """When an order is decided, at a session's cutoff."""
    WIRE = "wire"
    """Each time something is to be handed to the broker."""


class GateCode(StrEnum):
    """Verdict on an order or a ticket; of several denials the first in this order is given.

    Up to ``MARGIN`` they are of the decision, from ``NOT_ON_RECORD`` on of the wire. What only reduces a position (no
    larger, not through zero, with all that works on the same side) is never denied for what would add risk.
    """

    PASSED = "passed"
    DUPLICATE = "duplicate"
    """An order of that name exists."""
    SIMULATED_CHAMPION = "simulated_champion"
    """A simulated champion meets a broker that is not the simulated one: its prices are none of that broker's, so not
    even an order that reduces passes."""
    HALTED = "halted"
    """The system is HALTED or in LOCKDOWN: only what reduces passes."""
    NO_CHAMPION = "no_champion"
    """Nothing vouches for the order, and it does not only reduce."""
    BREAKER = "breaker"
    """The account's or the market's breaker is not active, and the order does not only reduce."""
    UNRECONCILED = "unreconciled"
    """Journal and broker differ, or a ticket is in state unknown, and the order does not only reduce."""
    STALE_INPUT = "stale_input"
    """The settle that the limit was set from is missing, or older than the limit on its age."""
    BAD_PRICE = "bad_price"
    """The limit is not a positive finite price on the tick grid."""
    PRICE_COLLAR = "price_collar"
    """The limit is too far from the settle."""
    CONTRACT_NEAR_END = "contract_near_end"
    """First notice or last trade is too near for a new position, or nobody knows when it is."""
    POSITION_LIMIT = "position_limit"
    """With a complete fill and all that works, the position would be beyond the market's limit."""
    PARTICIPATION = "participation"
    """The order is larger than the market's cap on a share of its volume; one that reduces may always be of one lot."""
    NOTIONAL = "notional"
    """The value of the positions, of the market or of the account, would be beyond its share of the equity."""
    MARGIN = "margin"
    """The initial margin of all positions would be beyond its share of the equity."""

    NOT_ON_RECORD = "not_on_record"
    """The ticket was not written ahead, or is not the one that was."""
    ALREADY_SENT = "already_sent"
    """It was handed over before, or has ended: a name is used once."""
    NOT_LIVE = "not_live"
    """An amendment of a ticket that the broker has not said to live, or that has ended or is asked to."""
    SWITCHED_OFF = "switched_off"
    """The operator's switch is off."""
    LINK_DOWN = "link_down"
    """There is no connection: the only thing that a cancel is denied for."""
    DEGRADED = "degraded"
    """The terminal has lost the broker: what is sent may be held or lost."""
    BLACKOUT = "blackout"
    """The gateway's nightly restart is near."""
    SESSION_CLOSED = "session_closed"
    """Outside the market's trading hours."""
    STATE = "state"
    """The system is HALTED or in LOCKDOWN by now, and the ticket does not only reduce."""
    UNKNOWN_TICKET = "unknown_ticket"
    """Another ticket of the market is in state unknown, and this one does not only reduce."""
    QUANTITY = "quantity"
    """The tickets of the order would exceed it, or the ticket has no lots."""
    WIRE_POSITION_LIMIT = "wire_position_limit"
    """The position limit, asked again with what is held and works when it is sent."""
    OFF_TICK = "off_tick"
    """The limit is not a positive finite price on the tick grid."""
    WORST_PRICE = "worst_price"
    """The limit is worse than the worst price that the order was decided with."""
    NO_LIVE_DATA = "no_live_data"
    """Quotes are delayed ones."""
    NO_QUOTE = "no_quote"
    """No side of the touch has been heard of."""
    STALE_QUOTE = "stale_quote"
    """The touch is older than the limit on its age, or from the future."""
    WIRE_COLLAR = "wire_collar"
    """The limit is too far from the fresh touch on the paying side."""
    ORDER_RATE = "order_rate"
    """Too many instructions in the last minute or since the session opened."""
    NOT_SENT = "not_sent"
    """It passed, and the adapter says that it has certainly not left."""
    UNCLEAR = "unclear"
    """It passed, and nobody can tell whether it has left."""


_FIRST_OF_WIRE = list(GateCode).index(GateCode.NOT_ON_RECORD)


def generation(code: GateCode) -> Generation:
    """When a code is looked for; ``PASSED``, which both give, counts as the decision's."""
    return Generation.WIRE if list(GateCode).index(code) >= _FIRST_OF_WIRE else Generation.DECISION


@dataclass(frozen=True, slots=True)
class Verdict:
    """A code, one sentence for a reader, and the figures that were compared (prices, lots, money, seconds)."""

    code: GateCode
    message: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether it may go on; after ``send``, whether it was handed over."""
        return self.code is GateCode.PASSED
