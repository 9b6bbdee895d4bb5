"""What the gate asks of the journal, and what it has to be told before and after a send."""

from datetime import datetime
from typing import Protocol

from hydra_exec.broker.port import Ticket
from hydra_exec.order_state import TicketState
from hydra_exec.risk_gate.facts import OrderFacts


class Book(Protocol):
    """The journal of one account, as the gate needs it. Every answer is of this instant."""

    def held(self, contract: str) -> int:
        """Lots of the broker's last confirmed position with every execution since; negative is short."""
        ...

    def working(self, contract: str) -> tuple[int, int]:
        """Lots that may still be bought and sold by tickets that were sent, those in state unknown among them."""
        ...

    def order_of(self, wire_ref: str) -> OrderFacts | None:
        """The order that a ticket is cut from, None where the ticket is not on record."""
        ...

    def state_of(self, wire_ref: str) -> TicketState | None:
        """State of a ticket, None where it is not on record."""
        ...

    def unknown(self, market: str) -> bool:
        """Whether a ticket of the market is in state unknown."""
        ...

    def sending(self, ticket: Ticket, at: datetime) -> None:
        """Write durably that a ticket is sent, before the broker hears of it; raise unless it was ``created``."""
        ...

    def sent(self, wire_ref: str, order_id: int, generation: int) -> None:
        """The broker's adapter took it, under this id on this connection."""
        ...

    def not_sent(self, wire_ref: str) -> None:
        """It has certainly not left."""
        ...

    def unclear(self, wire_ref: str) -> None:
        """Nobody can tell whether it, or an amendment of it, has left."""
        ...
