"""The journal as the risk gate asks it: of this instant, and written before the wire hears of anything."""

from datetime import datetime

from hydra_assets.state.records import Side
from hydra_exec.broker.port import Ticket
from hydra_exec.journal.journal import Journal
from hydra_exec.order_state import TicketState
from hydra_exec.risk_gate.facts import OrderFacts


class GateBook:
    """``risk_gate.book.Book`` of a journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def held(self, contract: str) -> int:
        """Lots of a contract."""
        return self._journal.positions.get(contract, 0)

    def working(self, contract: str) -> tuple[int, int]:
        """Lots that may still be bought and sold."""
        live = [ticket for ticket in self._journal.live() if ticket.contract == contract]
        buys = sum(ticket.progress.remaining for ticket in live if ticket.side is Side.BUY)
        return buys, sum(ticket.progress.remaining for ticket in live) - buys

    def order_of(self, wire_ref: str) -> OrderFacts | None:
        """The order that a ticket is cut from."""
        found = self._journal.planned(wire_ref)
        if found is None:
            return None
        order, own = found
        others = [t for t in self._journal.tickets_at_hand(order.order_ref) if t.wire_ref != own.wire_ref]
        return OrderFacts(
            order_ref=order.order_ref,
            market=order.market,
            contract=order.contract,
            side=order.side,
            quantity=order.quantity,
            worst_price=order.limit_price,
            lots_in_others=sum(t.progress.filled + t.progress.remaining for t in others),
        )

    def state_of(self, wire_ref: str) -> TicketState | None:
        """State of a ticket."""
        found = self._journal.planned(wire_ref)
        return found[1].progress.state if found else None

    def unknown(self, market: str) -> bool:
        """Whether a ticket of the market is in state unknown."""
        return any(ticket.unknown for ticket in self._journal.live() if ticket.market == market)

    def sending(self, ticket: Ticket, at: datetime) -> None:
        """Put a ticket on record as sent."""
        self._journal.sending(ticket, at)

    def sent(self, wire_ref: str, order_id: int, generation: int) -> None:
        """Note what it went out as."""
        self._journal.sent(wire_ref, order_id, generation)

    def not_sent(self, wire_ref: str) -> None:
        """It has certainly not left."""
        self._journal.not_sent(wire_ref)

    def unclear(self, wire_ref: str) -> None:
        """Nobody can tell whether it has left."""
        self._journal.unclear(wire_ref)
