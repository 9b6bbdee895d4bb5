"""How the size of one decision came about, computed anew by the code that sized it."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.columns import DIVERGENCE, FUTURES_CURVE, PREDICTIONS, DatasetSpec
from hydra_assets.evaluation.strategies import shares_of, size_factors
from hydra_assets.labels.known import SPECS, LabelKind
from hydra_assets.labels.spec import TripleBarrier
from hydra_assets.lake import Lake
from hydra_assets.markets.model import MarketSpec
from hydra_assets.replay.inputs import CURVE_COLUMNS, market_arrays
from hydra_assets.replay.market import faults
from hydra_assets.replay.sizing import sizing_tables
from hydra_assets.replay.tables import ReplayConfig
from hydra_exec.defs.account import WINDOW_DAYS


def sizes_of(
    lake: Lake, specs: Sequence[MarketSpec], symbol: str, session: date, capital: float, label: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Sizes of a market in a session before its exposure, as ``hydra_exec.targets.wanted_lots`` makes them.

    Parameters
    ----------
    specs
        The home's markets: the volatility target is split among those of the market's group.
    label
        ``model_label`` and ``horizon_sessions`` of the session's prediction.

    Returns
    -------
    ``kelly_share``, the mean of the decisions that are still held; lots that it stakes, and the most that margin with
    volatility, and volume with the market's limit, allow; ``size_factor``; whole ``lots``, None where the session
    decides nothing. None where there is no prediction or no price.
    """
    group = next(spec.group for spec in specs if spec.symbol == symbol)
    own = [spec for spec in specs if spec.group == group]
    symbols, first = [spec.symbol for spec in own], session - timedelta(days=WINDOW_DAYS)

    def read(dataset: DatasetSpec, columns: Sequence[str]) -> pl.DataFrame:
        return lake.read(dataset.name, markets=symbols, first=first, last=session, columns=list(columns))

    curve = read(FUTURES_CURVE, CURVE_COLUMNS)
    priced = curve.filter((pl.col("market") == symbol) & (pl.col("session") == session))
    if priced.is_empty() or label["horizon_sessions"] is None:
        return None
    market, config = market_arrays(curve, own), ReplayConfig(capital=capital)
    spec = SPECS[LabelKind(label["model_label"] or LabelKind.FIXED_HORIZON)]
    share = shares_of(
        read(PREDICTIONS, ("market", "session", "probability_up", "base_rate")),
        market,
        label["horizon_sessions"],
        spec if isinstance(spec, TripleBarrier) else None,
    )
    factor = size_factors(read(DIVERGENCE, ("market", "session", "size_factor")), market)
    tables, cents = sizing_tables(market, config.sizing), float(config.capital_cents)
    staked, most = share * tables.rate * cents, tables.cap_rate * cents
    cap = np.minimum(most, tables.cap_lots)
    lots = np.where(faults(market) == 0, np.trunc(np.clip(staked, -cap, cap) * factor), np.nan)
    j = symbols.index(symbol)

    def here(values: NDArray[np.float64]) -> float | None:
        return float(values[-1, j]) if np.isfinite(values[-1, j]) else None

    return {
        "capital": capital,
        "kelly_share": here(share),
        "kelly_fraction": config.sizing.kelly_fraction,
        "lots_uncapped": here(staked),
        "cap_margin_and_volatility": here(most),
        "cap_volume_and_limit": here(tables.cap_lots),
        "size_factor": here(factor),
        "lots": here(lots),
        "sigma_daily": here(market.sigma_daily),
    }
