"""Small markets to replay on: one lot moves 400 in money per unit of price, so a tick of 0.025 is 10."""

from typing import Any

import numpy as np

from hydra_assets.replay.breakers import BreakerConfig
from hydra_assets.replay.costs import CostConfig, SlippageMode
from hydra_assets.replay.decisions import DecisionKind, Decisions
from hydra_assets.replay.market import MarketArrays, MarketTerms
from hydra_assets.replay.tables import ReplayConfig

MULTIPLIER, TICK = 400.0, 0.025
FREE = CostConfig(mode=SlippageMode.POINT, scale=0.0)
POINT = CostConfig(mode=SlippageMode.POINT)


def terms(markets: int = 1, **changes: float) -> MarketTerms:
    """Half-spread 0.6 ticks (6 in money), fee 2.50, cap 1 %, up to 100 lots."""
    values = {
        "multiplier": MULTIPLIER,
        "tick": TICK,
        "half_spread_ticks": 0.6,
        "fee_per_contract": 2.5,
        "impact_y": 0.8,
        "participation_cap": 0.01,
        "typical_daily_volume": 10_000.0,
        "max_position_contracts": 100.0,
    } | changes
    symbols = tuple(f"SIM_{m}" for m in range(markets))
    return MarketTerms(symbols=symbols, **{name: np.full(markets, value) for name, value in values.items()})


def world(settle: Any, adv: Any = 10_000.0, **changes: Any) -> MarketArrays:
    """Markets with these settles, ``[session]`` or ``[session, market]``; the change is the settle's own."""
    prices = np.array(settle, dtype=np.float64)
    prices = prices[:, None] if prices.ndim == 1 else prices
    filled = prices.copy()
    for t in range(1, len(filled)):
        filled[t] = np.where(np.isfinite(filled[t]), filled[t], filled[t - 1])
    change = np.zeros_like(prices)
    change[1:] = MULTIPLIER * np.diff(filled, axis=0)

    def table(values: Any) -> Any:
        array = np.asarray(values)
        array = array[:, None] if array.ndim == 1 else array
        return np.broadcast_to(array, prices.shape).copy()

    columns = {
        "held_change": change,
        "sigma_daily": np.full(prices.shape, 0.02),
        "adv": table(np.asarray(adv, dtype=np.float64)),
        "roll": np.zeros(prices.shape, dtype=bool),
        "tradable": np.ones(prices.shape, dtype=bool),
    }
    own_terms = changes.pop("terms", None) or terms(prices.shape[1])
    columns |= {name: table(values) for name, values in changes.items()}
    return MarketArrays(terms=own_terms, days=np.arange(len(prices)) + 18_000, settle=prices, **columns)


def lots(*wanted: float) -> Decisions:
    """One candidate in one market that wants these positions."""
    return Decisions(DecisionKind.LOTS, np.array(wanted, dtype=np.float64)[None, :, None])


def config(**changes: Any) -> ReplayConfig:
    """Costs at a point, no breakers, 100,000 of capital."""
    return ReplayConfig(**({"capital": 100_000.0, "costs": POINT, "breakers": None} | changes))


def only(**breaker: Any) -> BreakerConfig:
    """Breakers of which none is on but these."""
    off = dict.fromkeys(
        ("daily_loss", "drawdown", "single_trade_loss", "position_multiple", "exit_sessions", "max_stale_sessions")
    )
    return BreakerConfig(**(off | breaker))
