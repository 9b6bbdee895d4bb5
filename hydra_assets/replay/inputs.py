"""From rows of ``futures_curve`` to the arrays of a replay.

A market's session counts as traded where its front contract settled in it. What a lot earns is taken from settles
themselves: from the last one that was booked to the newest one known of the *same* contract, so that a session without
a settle delays a move and never loses it.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.arrays import floats
from hydra_assets.features.returns import trailing
from hydra_assets.labels.make import session_vol
from hydra_assets.markets.model import MarketSpec
from hydra_assets.replay.market import MarketArrays, MarketTerms

Floats = NDArray[np.float64]

CURVE_COLUMNS = ("market", "session", "contract", "contract_month", "role", "settle", "settle_age_sessions", "volume")
VOL_SESSIONS = 20
"""Window of the volatility, as of the labels."""
ADV_SESSIONS = 20
FRESH_SESSIONS = 5
MIN_VOLUMES = 10
"""Published volumes within the window below which there is no average: thin contracts do not trade every day."""


def market_arrays(curve: pl.DataFrame, specs: Sequence[MarketSpec]) -> MarketArrays:
    """Arrays over all sessions of any of the markets.

    Parameters
    ----------
    curve
        ``CURVE_COLUMNS`` of all listed contracts, from ``VOL_SESSIONS`` before the first wanted session.
    specs
        The markets, in the order of the arrays' columns.

    Returns
    -------
    Arrays ``[session, market]``. Row t holds nothing that was not known at the cutoff of session t.

    Raises
    ------
    ValueError
        No rows of any of the markets.
    """
    days = curve.filter(pl.col("market").is_in([spec.symbol for spec in specs]))["session"].unique().sort()
    if days.is_empty():
        msg = f"no session of {', '.join(spec.symbol for spec in specs)}"
        raise ValueError(msg)
    columns = [_one_market(curve.filter(pl.col("market") == spec.symbol), days, spec) for spec in specs]
    settle, change, sigma, adv, fresh, roll = (np.stack(parts, axis=1) for parts in zip(*columns, strict=True))
    return MarketArrays(
        terms=MarketTerms.of(specs),
        days=days.to_physical().cast(pl.Int64).to_numpy(),
        settle=settle,
        held_change=change,
        sigma_daily=sigma,
        adv=adv,
        roll=roll.astype(np.bool_),
        tradable=np.isfinite(settle),
        cap_factor=fresh,
    )


def aligned(rows: pl.DataFrame, column: str, market: MarketArrays) -> Floats:
    """One column of rows by (market, session) as ``[session, market]``; NaN where there is no row or no value."""
    out = np.full(market.settle.shape, np.nan)
    place = {symbol: j for j, symbol in enumerate(market.terms.symbols)}
    known = rows.filter(pl.col("market").is_in(list(place)))
    day = known["session"].to_physical().cast(pl.Int64).to_numpy()
    row = np.searchsorted(market.days, day)
    there = (row < len(market.days)) & (market.days[np.minimum(row, len(market.days) - 1)] == day)
    col = np.array([place[symbol] for symbol in known["market"].to_list()], dtype=np.int64)
    out[row[there], col[there]] = floats(known, column)[there]
    return out


def _one_market(rows: pl.DataFrame, days: pl.Series, spec: MarketSpec) -> tuple[Floats, ...]:
    n = len(days)
    settle, change, roll = np.full(n, np.nan), np.full(n, np.nan), np.zeros(n)
    returns = np.full(n, np.nan)
    fresh = _fresh_settles(rows)
    fronts = _fronts(rows)
    held: str | None = None
    booked = latest = 0.0
    for t, day in enumerate(days.to_list()):
        prices = fresh.get(day, {})
        if held is not None:
            latest = prices.get(held, latest)
        front = fronts.get(day)
        if front is None or front not in prices or not prices[front] > 0.0:
            continue
        if held is not None:
            change[t] = (latest - booked) * spec.multiplier
            returns[t] = latest / booked - 1.0
            roll[t] = front != held
        settle[t] = prices[front]
        held, booked, latest = front, prices[front], prices[front]
    traded = np.isfinite(settle)
    sigma = np.full(n, np.nan)
    # Windows count the market's own sessions, as the labels' do.
    sigma[traded] = session_vol(returns[traded], VOL_SESSIONS)
    adv, share = _average_volume(rows, days, traded)
    return settle, change, sigma, adv, share, roll


def _fresh_settles(rows: pl.DataFrame) -> dict[date, dict[str, float]]:
    out: dict[date, dict[str, float]] = {}
    fresh = rows.filter((pl.col("settle_age_sessions") == 0) & pl.col("settle").is_not_null())
    for session, contract, settle in fresh.select("session", "contract", "settle").iter_rows():
        out.setdefault(session, {})[contract] = settle
    return out


def _front_rows(rows: pl.DataFrame) -> pl.DataFrame:
    front = rows.filter(pl.col("role") == "front").sort("session", "contract_month", maintain_order=True)
    return front.unique("session", keep="first", maintain_order=True)


def _fronts(rows: pl.DataFrame) -> dict[date, str]:
    return dict(_front_rows(rows).select("session", "contract").iter_rows())


def average_volume(volume: Floats) -> tuple[Floats, Floats]:
    """Average daily volume of a market's own sessions ``[n]``, and the last week's share of it, 1 at most.

    The share caps what is traded: an average of a month still allows twenty times too much a week after a market has
    dried up. NaN where too few volumes were published.
    """
    total, _, count = trailing(volume, ADV_SESSIONS)
    adv = np.where(count >= MIN_VOLUMES, total / np.maximum(count, 1), np.nan)
    total, _, count = trailing(volume, FRESH_SESSIONS)
    with np.errstate(invalid="ignore", divide="ignore"):
        fresh = np.where(count > 0, total / np.maximum(count, 1), np.nan) / adv
    return adv, np.minimum(fresh, 1.0)


def _average_volume(rows: pl.DataFrame, days: pl.Series, traded: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    front = pl.DataFrame({"session": days}).join(
        _front_rows(rows).select("session", "volume"), on="session", how="left", maintain_order="left"
    )
    out = np.full((2, len(days)), np.nan)
    out[:, traded] = average_volume(floats(front, "volume")[traded])
    return out[0], out[1]
