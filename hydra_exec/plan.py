"""From what is wanted and what the broker holds to the orders of a session. Pure.

An old contract is left before a new one is entered, so that no half-filled roll doubles a position. Where nothing is
wanted for a reason, what is held is kept, but for contracts that near their end; a tripped breaker and LOCKDOWN leave
everything.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from hydra_assets.state.records import Side
from hydra_exec.targets import TargetReason


class Motive(StrEnum):
    """Why an order is wanted."""

    TARGET = "target"
    ROLL = "roll"
    """Another contract of the market is to be held."""
    NEAR_END = "near_end"
    """The contract nears first notice or last trade, and nothing says what to hold instead."""
    BREAKER = "breaker"
    LOCKDOWN = "lockdown"
    OPERATOR = "operator"
    """A person asked for it (``hydra flatten``)."""


FLATTENING = frozenset({Motive.BREAKER, Motive.LOCKDOWN, Motive.OPERATOR})


@dataclass(frozen=True, slots=True)
class Wanted:
    """A row of ``target_positions`` with what its session says of every contract of the market."""

    market: str
    session: date
    contract: str | None
    contracts: int
    reason: TargetReason
    settles: Mapping[str, float] = field(default_factory=dict)
    """Settles of this session; a contract with an older one is not in it."""
    ending: frozenset[str] = frozenset()
    """Contracts past their roll."""


@dataclass(frozen=True, slots=True)
class Change:
    """Lots to trade of a contract, bought positive."""

    contract: str
    lots: int
    motive: Motive


def changes(wanted: Wanted, held: Mapping[str, int], flatten: Motive | None = None) -> list[Change]:
    """What to trade of a market, whose positions ``held`` are by the broker's word."""
    held = {contract: lots for contract, lots in sorted(held.items()) if lots}
    if flatten is not None:
        return [Change(contract, -lots, flatten) for contract, lots in held.items()]
    if wanted.reason is not TargetReason.OK or wanted.contract is None:
        return [
            Change(contract, -lots, Motive.NEAR_END) for contract, lots in held.items() if contract in wanted.ending
        ]
    others = [Change(contract, -lots, Motive.ROLL) for contract, lots in held.items() if contract != wanted.contract]
    change = wanted.contracts - held.get(wanted.contract, 0)
    return others or ([Change(wanted.contract, change, Motive.TARGET)] if change else [])


def worst_price(side: Side, settle: float, chase_fraction: float, tick: float) -> float:
    """The worst limit for an order: the settle and a fraction of it, on the grid, never beyond it.

    >>> worst_price(Side.BUY, 80.0, 0.02, 0.025), worst_price(Side.SELL, 80.0, 0.02, 0.025)
    (81.6, 78.4)
    """
    ticks = settle * (1.0 + side.sign * chase_fraction) / tick
    whole = math.floor(ticks + 1e-9) if side is Side.BUY else math.ceil(ticks - 1e-9)
    return round(whole * tick, 10)
