"""What happens at the broker, before it is anybody's message."""

from dataclasses import dataclass

from .book import Quote
from .records import BrokerExecution, BrokerOrder, BrokerPosition


@dataclass(frozen=True, slots=True)
class OrderChanged:
    """An order is new, amended, filled further or over."""

    order: BrokerOrder


@dataclass(frozen=True, slots=True)
class OrderTold:
    """A code that goes to an order's owner."""

    client_id: int
    order_id: int
    code: int
    words: str
    number: int


@dataclass(frozen=True, slots=True)
class Executed:
    """A fill or a correction of one; ``number`` is its order's, None for a trade by hand."""

    execution: BrokerExecution
    number: int | None


@dataclass(frozen=True, slots=True)
class Commissioned:
    """What a fill cost."""

    execution: BrokerExecution
    number: int | None


@dataclass(frozen=True, slots=True)
class PositionChanged:
    """A position after a fill."""

    position: BrokerPosition


@dataclass(frozen=True, slots=True)
class Quoted:
    """A new quote."""

    con_id: int
    quote: Quote


BrokerEvent = OrderChanged | OrderTold | Executed | Commissioned | PositionChanged | Quoted
