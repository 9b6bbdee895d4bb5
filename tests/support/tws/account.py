"""Positions, average cost and profit as a fold over executions.

A fill in the position's direction moves the average cost by its money and its commission; a fill against it realises
``(price * value - average cost) * quantity * sign - commission`` on what it closes and leaves the cost of the rest;
what goes beyond flat opens at its own price.
"""

from collections.abc import Iterable
from dataclasses import replace

from .contracts import Catalogue
from .records import BrokerExecution, BrokerPosition


def apply(
    position: BrokerPosition, fill: BrokerExecution, value_per_point: float
) -> tuple[BrokerPosition, float | None]:
    """The position after a fill, and what the fill realised net of its commission (None if it closed nothing)."""
    signed = fill.side.sign * fill.quantity
    if signed == 0:
        return position, None
    money, fee = fill.price * value_per_point, fill.commission / fill.quantity
    held = position.quantity
    closed = min(abs(held), fill.quantity) if held * signed < 0 else 0
    opened = fill.quantity - closed
    realized = None
    if closed:
        direction = 1 if held > 0 else -1
        realized = (money - position.average_cost) * direction * closed - fee * closed
    cost = position.average_cost
    if opened:
        # Costs are per contract and unsigned, so that a commission makes a short's cost smaller and a long's larger.
        entry = money + fill.side.sign * fee
        carried = 0 if closed else abs(held)
        cost = (cost * carried + entry * opened) / (carried + opened)
    quantity = held + signed
    moved = replace(
        position,
        quantity=quantity,
        average_cost=cost if quantity else 0.0,
        realized_pnl=position.realized_pnl + (realized or 0.0),
    )
    return moved, realized


def effective(executions: Iterable[BrokerExecution]) -> list[BrokerExecution]:
    """Each fill once, in the order of its first report, as its last revision says."""
    latest: dict[str, BrokerExecution] = {}
    for execution in executions:
        latest[execution.base] = execution
    return list(latest.values())


class Account:
    """Positions of one account."""

    def __init__(self, name: str, cash: float, catalogue: Catalogue) -> None:
        self.name = name
        self.opening_cash = cash
        self._catalogue = catalogue
        self._positions: dict[int, BrokerPosition] = {}

    @property
    def positions(self) -> dict[int, BrokerPosition]:
        """Every contract that was ever held, flat ones included."""
        return dict(self._positions)

    @property
    def realized_pnl(self) -> float:
        """Of all contracts, net of the commissions of closing fills."""
        return sum(position.realized_pnl for position in self._positions.values())

    def position(self, con_id: int) -> BrokerPosition:
        """One contract's position."""
        return self._positions.get(con_id, BrokerPosition(con_id, 0, 0.0))

    def fill(self, execution: BrokerExecution) -> float | None:
        """Book one execution; returns what it realised."""
        value = self._catalogue[execution.con_id].value_per_point
        moved, realized = apply(self.position(execution.con_id), execution, value)
        self._positions[execution.con_id] = moved
        return realized

    def rebuild(self, con_id: int, executions: Iterable[BrokerExecution]) -> None:
        """Fold anew: a correction changes what came after it too."""
        self._positions[con_id] = BrokerPosition(con_id, 0, 0.0)
        for execution in effective(executions):
            if execution.con_id == con_id:
                self.fill(execution)

    def unrealized_pnl(self, con_id: int, price: float | None) -> float:
        """Open profit at a price; zero without one."""
        position = self.position(con_id)
        if price is None or not position.quantity:
            return 0.0
        return position.quantity * (price * self._catalogue[con_id].value_per_point - position.average_cost)
