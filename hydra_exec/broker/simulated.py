"""The simulated broker: day orders that fill only where the next session's bar trades through their limit.

A buy at L fills at L when the session's low is at or below L minus one tick, a sell when its high is at or above L plus
one tick: touching the limit is not enough, since we stand at the end of the queue. Fills are complete (the gate has
capped the size at a share of volume) and never better than the limit.
"""

from collections.abc import Mapping, Sequence
from datetime import date

from hydra_assets.state.records import Side
from hydra_exec.broker.port import Bar, Execution, WorkingOrder

_ROUNDING_TICKS = 1e-6


def trades_through(order: WorkingOrder, bar: Bar, tick: float) -> bool:
    """Whether a bar goes at least one tick beyond the order's limit."""
    slack = _ROUNDING_TICKS * tick
    if order.side is Side.BUY:
        return bar.low <= order.limit_price - tick + slack
    return bar.high >= order.limit_price + tick - slack


class SimulatedBroker:
    """``Broker`` of one market that lives on its bars; starts from the positions and working orders it is given."""

    def __init__(
        self, tick: float, fee_per_contract: float, positions: Mapping[str, int], working: Sequence[WorkingOrder]
    ) -> None:
        self._tick = tick
        self._fee = fee_per_contract
        self._positions = {contract: held for contract, held in positions.items() if held}
        self._working = {order.order_ref: order for order in working}

    def positions(self) -> Mapping[str, int]:
        """Contracts held by contract."""
        return dict(self._positions)

    def submit(self, order: WorkingOrder) -> None:
        """Take an order; the same name twice is one order."""
        self._working.setdefault(order.order_ref, order)

    def advance(self, session: date, bars: Mapping[str, Bar]) -> Sequence[Execution]:
        """Fill what the session's bars trade through; a contract without a bar fills nothing."""
        done = []
        for order in sorted(self._working.values(), key=lambda working: working.order_ref):
            bar = bars.get(order.contract)
            if bar is None or order.session >= session or not trades_through(order, bar, self._tick):
                continue
            signed = order.quantity if order.side is Side.BUY else -order.quantity
            held = self._positions.pop(order.contract, 0) + signed
            if held:
                self._positions[order.contract] = held
            done.append(
                Execution(
                    exec_id=f"{order.order_ref}/{session.isoformat()}",
                    order_ref=order.order_ref,
                    contract=order.contract,
                    side=order.side,
                    quantity=order.quantity,
                    price=order.limit_price,
                    fee=self._fee * order.quantity,
                    session=session,
                )
            )
        self._working = {ref: order for ref, order in self._working.items() if order.session >= session}
        return done
