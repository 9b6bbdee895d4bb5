"""One market's trading over its sessions: fills of yesterday's orders, then today's decision, session by session.

At the cutoff of session t the bar of t is known, so the orders sent after the cutoff of t-1 are settled against it
first; the new order is the difference between the target and what the *broker* then holds. A roll leaves the old
contract first and enters the new one when the old is flat, so that no half-filled roll doubles the position.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from hydra_assets.state.records import Side
from hydra_exec.broker.port import Bar, Broker, Execution, WorkingOrder
from hydra_exec.risk_gate import GateCode, Intent, Limits, Situation, check
from hydra_exec.targets import TargetReason


@dataclass(frozen=True, slots=True)
class Target:
    """A row of ``target_positions`` with the settle of every contract of its session."""

    session: date
    contract: str | None
    contracts: int
    reason: TargetReason
    settles: Mapping[str, float]
    """Settles of this session, by contract; a contract with an older one is not in it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """An order with the gate's verdict on it."""

    order_ref: str
    session: date
    intent: Intent
    code: GateCode


@dataclass(frozen=True, slots=True)
class Traded:
    """What came of a range of sessions."""

    decisions: tuple[Decision, ...]
    executions: tuple[Execution, ...]


def limit_price(side: Side, settle: float, half_spread_ticks: float, tick: float) -> float:
    """Settle plus (minus) the half-spread, on the tick grid, rounded towards the settle's other side."""
    ticks = settle / tick
    if side is Side.BUY:
        return round(math.ceil(ticks + half_spread_ticks - 1e-9) * tick, 10)
    return round(math.floor(ticks - half_spread_ticks + 1e-9) * tick, 10)


def intents(
    market: str, target: Target, held: Mapping[str, int], limits: Limits, half_spread_ticks: float
) -> list[Intent]:
    """Orders from what is held towards the target: exits of other contracts first; none where it is not ``ok``.

    What is more than the market's cap on one order is left for the next sessions.
    """
    if target.reason is not TargetReason.OK or target.contract is None:
        return []
    others = sorted(contract for contract in held if contract != target.contract)
    changes = {contract: -held[contract] for contract in others} or {
        target.contract: target.contracts - held.get(target.contract, 0)
    }
    out = []
    for contract, change in changes.items():
        if not change:
            continue
        side = Side.BUY if change > 0 else Side.SELL
        settle = target.settles.get(contract)
        price = limit_price(side, settle, half_spread_ticks, limits.tick) if settle is not None else 0.0
        out.append(Intent(market, contract, side, min(abs(change), limits.max_quantity), price, held.get(contract, 0)))
    return out


def trade(
    market: str,
    targets: Sequence[Target],
    bars: Mapping[date, Mapping[str, Bar]],
    broker: Broker,
    limits: Limits,
    half_spread_ticks: float,
    halted: bool = False,
) -> Traded:
    """Live through sessions in order; every order passes the gate before the broker hears of it.

    ``halted``: the system's state, as it is now, allows no new position.
    """
    decisions: list[Decision] = []
    executions: list[Execution] = []
    for target in targets:
        executions += broker.advance(target.session, bars.get(target.session, {}))
        for intent in intents(market, target, broker.positions(), limits, half_spread_ticks):
            settle = target.settles.get(intent.contract)
            situation = Situation(
                has_champion=target.reason is TargetReason.OK,
                settle=settle,
                settle_age_sessions=None if settle is None else 0,
                halted=halted,
            )
            code = check(intent, limits, situation)
            reference = f"{market}/{target.session.isoformat()}/{intent.contract}"
            decisions.append(Decision(reference, target.session, intent, code))
            if code is GateCode.PASSED:
                broker.submit(
                    WorkingOrder(
                        reference, intent.contract, intent.side, intent.quantity, intent.limit_price, target.session
                    )
                )
    return Traded(tuple(decisions), tuple(executions))
