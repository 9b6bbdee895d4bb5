"""What the market gives a replay: prices, lagged measures and terms, and where a session cannot be used.

Row t of every array is what is known at the cutoff of session t. A decision taken there is carried out in session t+1;
costs and caps of a fill in session t+1 are made from row t (volatility, volume, settle), never from the session itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hydra_assets.markets.model import MarketSpec

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.int8]


class MarketFault(StrEnum):
    """Why a session of a market takes no decision; its place in the class is its code in arrays, 0 is none."""

    NONE = "none"
    NOT_TRADABLE = "not_tradable"
    """The source says that the market did not trade."""
    BAD_PRICE = "bad_price"
    """The settle is missing, zero or negative: a volatility in fractions of it means nothing."""
    NO_VOLATILITY = "no_volatility"
    NO_VOLUME = "no_volume"
    """Average volume is missing or zero: no share of it can be traded."""


FAULTS = tuple(MarketFault)


@dataclass(frozen=True, slots=True)
class MarketTerms:
    """Terms of the markets, each ``[market]``: money per lot follows from ticks by ``tick * multiplier``."""

    symbols: tuple[str, ...]
    multiplier: Floats
    """Money per unit of price on one contract."""
    tick: Floats
    half_spread_ticks: Floats
    fee_per_contract: Floats
    impact_y: Floats
    participation_cap: Floats
    """Share of lagged average daily volume that a session's orders may be."""
    typical_daily_volume: Floats
    max_position_contracts: Floats

    @classmethod
    def of(cls, specs: Sequence[MarketSpec]) -> "MarketTerms":
        """Take the terms out of market specifications, in their order."""

        def column(values: list[float]) -> Floats:
            return np.array(values, dtype=np.float64)

        return cls(
            symbols=tuple(spec.symbol for spec in specs),
            multiplier=column([spec.multiplier for spec in specs]),
            tick=column([spec.tick for spec in specs]),
            half_spread_ticks=column([spec.liquidity.half_spread_ticks for spec in specs]),
            fee_per_contract=column([spec.liquidity.fee_per_contract for spec in specs]),
            impact_y=column([spec.liquidity.impact_y for spec in specs]),
            participation_cap=column([spec.liquidity.participation_cap for spec in specs]),
            typical_daily_volume=column([spec.liquidity.typical_daily_volume for spec in specs]),
            max_position_contracts=column([spec.risk.max_position_contracts for spec in specs]),
        )


@dataclass(frozen=True, slots=True)
class MarketArrays:
    """Shared market data, ``[session, market]`` unless said otherwise.

    ``held_change`` is the variation of one lot of the contract *carried into* the session, from the last settle before
    to this one, in money; NaN where there was none. ``settle``, ``open``, ``high`` and ``low`` are prices of the
    contract held *after* the session. Where the two differ, ``roll`` is set and the change of contract is made at the
    session's settles.

    Raises ValueError on wrong shapes, sessions out of order, and on a priced session after the market's first without
    ``held_change``: its profit would silently be lost.
    """

    terms: MarketTerms
    days: NDArray[np.int64]
    """``[session]``, days since 1970-01-01."""
    settle: Floats
    held_change: Floats
    sigma_daily: Floats
    """Volatility of a session's return as a fraction of the price, from sessions up to this one."""
    adv: Floats
    """Average daily volume in contracts, from what was published by the cutoff."""
    roll: Flags
    tradable: Flags
    open: Floats | None = None
    high: Floats | None = None
    low: Floats | None = None
    cap_factor: Floats | None = None
    """Share of the average volume that the cap is taken of: what the hours have in which orders work, or what the last
    week had of it; NaN: all of it."""
    impact_factor: Floats | None = None
    """Impact in those hours over that of the whole session; NaN: 1."""

    def __post_init__(self) -> None:
        shape = (len(self.days), len(self.terms.symbols))
        names = [field.name for field in fields(self) if field.name not in {"terms", "days"}]
        for name in names:
            array = getattr(self, name)
            if array is not None and array.shape != shape:
                msg = f"{name} is {array.shape}, the sessions and markets are {shape}"
                raise ValueError(msg)
        if (np.diff(self.days) <= 0).any():
            msg = "sessions are not in order"
            raise ValueError(msg)
        priced = self.priced
        seen_before = np.zeros(shape, dtype=np.bool_)
        seen_before[1:] = np.logical_or.accumulate(priced, axis=0)[:-1]
        lost = priced & seen_before & ~np.isfinite(self.held_change)
        if lost.any():
            session, market = np.argwhere(lost)[0]
            msg = f"held_change is missing at session {session} of {self.terms.symbols[market]}, which has a settle"
            raise ValueError(msg)

    @property
    def priced(self) -> Flags:
        """Where the market traded at a price that can be used."""
        return np.asarray(self.tradable & np.isfinite(self.settle) & (self.settle > 0.0))


def known_factor(values: Floats | None, like: Floats) -> Floats:
    """Factors of a market, 1 where they are not known: absence changes nothing."""
    return np.ones_like(like) if values is None else np.where(np.isfinite(values), values, 1.0)


def faults(market: MarketArrays) -> Codes:
    """Code in ``FAULTS`` of each ``[session, market]``: the first that applies."""
    return np.select(
        [~market.tradable, ~market.priced, ~_positive(market.sigma_daily), ~_positive(market.adv)],
        [np.int8(FAULTS.index(fault)) for fault in FAULTS[1:]],
        np.int8(0),
    ).astype(np.int8)


def stale_sessions(fault: Codes) -> NDArray[np.int64]:
    """Return how many sessions in a row, this one included, have had a fault, ``[session, market]``."""
    row = np.arange(1, len(fault) + 1)[:, None]
    last_good = np.maximum.accumulate(np.where(fault == 0, row, 0), axis=0)
    return np.asarray(row - last_good, dtype=np.int64)


def _positive(values: Floats) -> Flags:
    return np.asarray(np.isfinite(values) & (values > 0.0))
