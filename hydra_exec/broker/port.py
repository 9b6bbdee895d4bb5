"""What execution asks of a broker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from hydra_assets.state.records import Side


@dataclass(frozen=True, slots=True)
class WorkingOrder:
    """A day order as the broker holds it; good for the first session after the one it was sent in."""

    order_ref: str
    contract: str
    side: Side
    quantity: int
    limit_price: float
    session: date


@dataclass(frozen=True, slots=True)
class Execution:
    """A fill as the broker reports it. ``fee`` is for the whole fill, in the market's currency."""

    exec_id: str
    order_ref: str
    contract: str
    side: Side
    quantity: int
    price: float
    fee: float
    session: date


@dataclass(frozen=True, slots=True)
class Bar:
    """A contract's range in one session, in price units."""

    low: float
    high: float


class Broker(Protocol):
    """One market's account. The position is the broker's own word, never ours."""

    def positions(self) -> Mapping[str, int]:
        """Contracts held by contract, long positive, flat ones left out."""
        ...

    def submit(self, order: WorkingOrder) -> None:
        """Take an order; one whose ``order_ref`` it knows is the same order and changes nothing."""
        ...

    def advance(self, session: date, bars: Mapping[str, Bar]) -> Sequence[Execution]:
        """Live through a session: what filled in it. Day orders that did not are gone."""
        ...
