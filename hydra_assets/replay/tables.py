"""What each fill costs and earns, per lot and in whole cents, for every session and market before any candidate moves.

Fills of session t are priced with row t-1 of volatility, volume and settle. Money of a fill f in lots over its first
session is f * fill_change + |f| * fill_change_side: the two parts differ for a limit order, whose buys and sells have
different prices, and the second is zero otherwise.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hydra_assets.markets.model import Strict
from hydra_assets.replay.breakers import BreakerConfig
from hydra_assets.replay.costs import (
    CENTS,
    CostConfig,
    fee_cents,
    impact_coefficient,
    slippage_multiplier,
    spread_cents,
)
from hydra_assets.replay.fills import FillConfig, FillMode, cap_lots, limit_prices, traded_through
from hydra_assets.replay.market import Codes, Flags, Floats, MarketArrays, faults, known_factor, stale_sessions
from hydra_assets.replay.sizing import SizingConfig

LARGEST_CENTS = 2.0**53
"""Whole numbers up to here are exact in a double."""


class ReplayConfig(Strict):
    """Everything that a replay is told besides the market and the decisions. ``capital`` is in money."""

    capital: float = Field(default=1_000_000.0, gt=0, lt=LARGEST_CENTS / CENTS)
    costs: CostConfig = CostConfig()
    fills: FillConfig = FillConfig()
    sizing: SizingConfig = SizingConfig()
    breakers: BreakerConfig | None = BreakerConfig()

    @property
    def capital_cents(self) -> int:
        """Starting equity in cents."""
        return round(CENTS * self.capital)


@dataclass(frozen=True, slots=True)
class SessionTables:
    """Per session and market, ``[session, market]``; money in cents per lot. Row 0 never fills."""

    fault: Codes
    stale: NDArray[np.int64]
    executable: Flags
    """Whether anything can be done: usable inputs the session before, a usable price in this one."""
    buy_cap: Floats
    sell_cap: Floats
    carry: Floats
    """Variation of one lot carried into the session."""
    fill_change: Floats
    fill_change_side: Floats
    fee: Floats
    spread: Floats
    """Half-spread charged on a fill; zero for limit orders, whose limit already pays it."""
    impact: Floats
    """Cents per lot and square root of a lot."""
    roll: Flags
    """Whether the contract is changed in this session: at the flag, or the first session after it that trades."""
    roll_lot: Floats
    """Half-spread and fee of one lot and side in a roll."""
    notional: Floats
    """Value of one lot at the cutoff; NaN on a fault."""
    exit_cap: Floats
    """Lots that a session's cap would be, seen from the cutoff, not cut to whole ones; NaN on a fault."""


def lagged(values: Floats) -> Floats:
    """Row t-1 in row t, NaN in row 0."""
    out = np.full_like(values, np.nan)
    out[1:] = values[:-1]
    return out


def session_tables(market: MarketArrays, costs: CostConfig, fills: FillConfig) -> SessionTables:
    """Make the tables. Raises ValueError where the mode needs prices that the market does not have."""
    terms = market.terms
    fault = faults(market)
    good_before = np.zeros(fault.shape, dtype=np.bool_)
    good_before[1:] = fault[:-1] == 0
    adv, settle, sigma = lagged(market.adv), lagged(market.settle), lagged(market.sigma_daily)
    cap_factor, impact_factor = (known_factor(f, adv) for f in (market.cap_factor, market.impact_factor))
    cap_before, impact_before = (known_factor(lagged(f), adv) for f in (cap_factor, impact_factor))
    participation = terms.participation_cap if fills.participation_cap is None else fills.participation_cap
    with np.errstate(invalid="ignore", divide="ignore"):
        slip = slippage_multiplier(costs, terms.symbols, market.days, adv, terms.typical_daily_volume)
        spread = spread_cents(terms.half_spread_ticks, terms.tick, terms.multiplier, slip, costs.scale)
        impact = impact_coefficient(
            terms.impact_y if costs.impact_y is None else costs.impact_y,
            sigma,
            settle,
            terms.multiplier,
            adv,
            slip * costs.scale * fills.impact_factor * impact_before,
        )
        buy_change, sell_change, buy_ok, sell_ok = _execution(market, fills, settle)
    executable = good_before & market.priced
    cap = np.where(executable, cap_lots(participation, adv, fills.cap_factor * cap_before), 0.0)
    fee = np.broadcast_to(fee_cents(terms.fee_per_contract, costs.scale), fault.shape)
    spread = np.where(executable, spread, 0.0)
    buy_change, sell_change = (np.where(executable & np.isfinite(c), c, 0.0) for c in (buy_change, sell_change))
    good = fault == 0
    return SessionTables(
        fault=fault,
        stale=stale_sessions(fault),
        executable=executable,
        buy_cap=np.where(buy_ok, cap, 0.0),
        sell_cap=np.where(sell_ok, cap, 0.0),
        carry=np.where(np.isfinite(market.held_change), np.rint(CENTS * market.held_change), 0.0),
        fill_change=0.5 * (buy_change + sell_change),
        fill_change_side=0.5 * (buy_change - sell_change),
        fee=fee,
        spread=np.zeros_like(spread) if fills.mode is FillMode.LIMIT else spread,
        impact=np.where(executable, impact, 0.0),
        roll=rolls_done(market.roll, executable),
        roll_lot=spread + fee,
        notional=np.where(good, np.rint(CENTS * market.settle * terms.multiplier), np.nan),
        exit_cap=np.where(good, participation * (market.adv * cap_factor), np.nan),
    )


def rolls_done(flag: Flags, executable: Flags) -> Flags:
    """Where due rolls are carried out: a flag waits for the first session in which anything can be done."""
    done = np.zeros_like(flag)
    due = np.zeros(flag.shape[1], dtype=np.bool_)
    for t in range(len(flag)):
        due |= flag[t]
        done[t] = due & executable[t]
        due &= ~executable[t]
    return done


def _execution(market: MarketArrays, fills: FillConfig, decided_at: Floats) -> tuple[Floats, Floats, Flags, Flags]:
    """Cents from the price of a buy and of a sell to the settle, and whether each is done."""
    everywhere = np.ones(market.settle.shape, dtype=np.bool_)
    terms = market.terms
    money = CENTS * terms.multiplier
    if fills.mode is FillMode.NEXT_SETTLE:
        zero = np.zeros(market.settle.shape)
        return zero, zero, everywhere, everywhere
    if fills.mode is FillMode.NEXT_OPEN:
        if market.open is None:
            msg = "fills at the open need open prices"
            raise ValueError(msg)
        done = np.asarray(np.isfinite(market.open) & (market.open > 0.0))
        change = np.rint(money * (market.settle - market.open))
        return change, change, done, done
    if market.low is None or market.high is None:
        msg = "limit orders need low and high prices"
        raise ValueError(msg)
    buy, sell = limit_prices(decided_at, terms.half_spread_ticks, terms.tick)
    buy_ok, sell_ok = traded_through(buy, sell, market.low, market.high, terms.tick)
    return np.rint(money * (market.settle - buy)), np.rint(money * (market.settle - sell)), buy_ok, sell_ok
