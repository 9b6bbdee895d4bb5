"""Futures prices, bars and activity of one simulated market.

The curve is a two-factor one after Schwartz and Smith (Management Science 46, 2000) with both factors reverting to a
seasonal mean, in its martingale form: contract M's log price moves from session k - 1 to k by

    a_k = v_k sqrt(dt) [e^{-kx tau} sx z1 + e^{-ky tau} sy z2] + e^{-kx tau} J - compensator,

with tau the years to M's last trade and v_k the volatility multiplier known at k - 1. Nearby contracts move most, the
whole curve has bounded variance, and the expected return of every contract is zero but for the edge in z.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtri

from hydra_assets.sources.simulated.listing import Futures
from hydra_assets.sources.simulated.rng import Stream, normals, uniforms
from hydra_assets.sources.simulated.states import LatentPath, factor_direction
from hydra_assets.sources.simulated.world import SESSIONS_PER_YEAR, MarketModel

Array = NDArray[np.float64]

_DT = 1 / SESSIONS_PER_YEAR
_SLOTS = 16
"""Contracts that may be listed at once; a contract's random numbers stand at its month modulo this."""
_DRAWS = 6
_PEAK_AGE = 1.3
"""Open interest is highest this many contract intervals before last trade."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Log prices, ``[n, m]`` over sessions and contract months, listed or not, and what moved them.

    ``sd`` is the standard deviation of the return *into* the session by diffusion, ``drift`` its mean by the edge,
    both as known the session before. ``size``, ``[m]``, is each contract's own share of activity, about one.
    """

    log_price: Array
    sd: Array
    drift: Array
    size: Array


def years(sessions: NDArray[np.datetime64], until: NDArray[np.datetime64]) -> Array:
    """Years (ACT/365) from sessions ``[n]`` to dates ``[m]``, not below zero, ``[n, m]``."""
    days = (until[None, :].astype(np.int64) - sessions[:, None].astype(np.int64)).astype(np.float64)
    return np.asarray(np.maximum(days, 0.0) / 365)


def season_scale(model: MarketModel, sessions: NDArray[np.datetime64]) -> Array:
    """Seasonal factor of variance on dates, any shape."""
    year = sessions.astype(np.int64) / 365.25
    return np.asarray(1 + model.vol_season * np.cos(2 * np.pi * (year - model.vol_peak)))


def simulate_curve(path: LatentPath, futures: Futures) -> Curve:
    """Prices of every contract on every session of the path."""
    model = path.model
    tau = years(path.sessions, futures.last_trade)
    short = np.exp(-model.short_reversion * tau)
    long = np.exp(-model.long_reversion * tau)
    previous = np.concatenate([path.sessions[:1], path.sessions[:-1]])
    scale = (path.scale_in * np.sqrt(season_scale(model, previous) * _DT))[:, None]
    sx, sy = scale * short * model.short_vol, scale * long * model.long_vol
    jump_rate = model.jumps_per_year * _DT
    compensator = jump_rate * np.expm1(0.5 * (short * model.jump_sd) ** 2)
    step = sx * path.shock_short[:, None] + sy * path.shock_long[:, None] + short * path.jump[:, None]
    step -= 0.5 * (sx**2 + sy**2) + compensator
    step[0] = 0.0
    start = normals(path.seed, path.key, int(path.days[0]), Stream.START, 6)[4:]
    level = np.log(model.base_price) + np.array([model.season[month.month - 1] for month in futures.months])
    level = level + short[0] * model.short_vol / np.sqrt(2 * model.short_reversion) * np.clip(start[0], -2, 2)
    level = level + long[0] * model.long_vol / np.sqrt(2 * model.long_reversion) * np.clip(start[1], -2, 2)
    along_short, along_long = factor_direction(model)
    mean = np.concatenate([[0.0], path.drift[:-1]])[:, None]
    return Curve(
        log_price=level + np.cumsum(step, axis=0),
        sd=np.sqrt(sx**2 + sy**2),
        drift=mean * (sx * along_short + sy * along_long),
        size=np.exp(0.15 * _per_contract(path, futures)),
    )


def settles(path: LatentPath, curve: Curve) -> Array:
    """Settlement prices, ``[n, m]``: rounded to the tick and at least one."""
    return to_tick(np.exp(curve.log_price), path.spec.tick)


def to_tick(price: Array, tick: float) -> Array:
    """Nearest multiple of the tick, at least one, as the shortest decimal."""
    return np.asarray(np.round(np.maximum(np.round(price / tick), 1.0) * tick, 9))


def activity(path: LatentPath, futures: Futures, curve: Curve, rows: slice) -> tuple[Array, Array]:
    """Cleared volume and open interest at the end of sessions ``rows``, ``[k, m]`` whole numbers.

    Both follow a contract's life: rising from its listing, highest one to two contract intervals before last trade,
    gone at its end.
    """
    model, spec = path.model, path.spec
    age = years(path.sessions[rows], futures.last_trade) * len(spec.contract_months)
    noise = _noise(path, futures, rows)
    volume = spec.liquidity.typical_daily_volume * _life(age, 0.9) * curve.size * path.scale_in[rows, None]
    volume = np.where(futures.listed[rows], volume * np.exp(0.4 * noise[:, :, 4]), 0.0)
    total = spec.liquidity.typical_daily_volume * model.open_interest_days
    interest = total * _life(age, _PEAK_AGE) * curve.size * np.exp(0.01 * noise[:, :, 5])
    return np.round(volume), np.where(futures.listed[rows], np.round(interest), 0.0)


def bars(path: LatentPath, futures: Futures, curve: Curve, rows: slice) -> pl.DataFrame:
    """Rows for ``write_settlement`` of sessions ``rows``; volume and open interest are the session's before."""
    before = slice(max(rows.start - 1, 0), rows.stop)
    lead = rows.start - before.start
    settle = settles(path, curve)
    volume, interest = activity(path, futures, curve, before)
    first = rows.start == 0
    at, contract = np.nonzero(futures.listed[rows])
    k = at + rows.start
    last_k = np.maximum(k - 1, 0)
    noise = _noise(path, futures, rows)[at, contract]
    sd = np.maximum(curve.sd[k, contract], 0.004)
    now, then = settle[k, contract], settle[last_k, contract]
    move = np.log(now / then)
    opening = then * np.exp(0.3 * move + 0.35 * sd * noise[:, 0])
    tick = path.spec.tick
    opening = to_tick(opening, tick)
    high = to_tick(np.maximum(opening, now) * np.exp(0.45 * sd * np.abs(noise[:, 1])), tick)
    low = to_tick(np.minimum(opening, now) * np.exp(-0.45 * sd * np.abs(noise[:, 2])), tick)
    traded = volume[at + lead, contract] > 0
    known = futures.listed[last_k, contract] & (k > 0) if first else futures.listed[last_k, contract]
    source = np.maximum(at + lead - 1, 0)

    def where(mask: NDArray[np.bool_], values: Array) -> pl.Series:
        return pl.Series(np.where(mask, values, np.nan)).fill_nan(None)

    months = pl.Series(futures.months, dtype=pl.Date)
    return pl.DataFrame(
        {
            "root": pl.repeat(path.spec.root, len(at), eager=True),
            "contract_month": months.gather(contract),
            "last_trade": pl.Series(futures.last_trade[contract]).cast(pl.Date),
            "session": pl.Series(path.sessions[k]).cast(pl.Date),
            "settle": now,
            "open": where(traded, opening),
            "high": where(traded, high),
            "low": where(traded, low),
            "prev_volume": where(known, volume[source, contract]),
            "prev_open_interest": where(known, interest[source, contract]),
        }
    )


def _life(age: Array, peak: float) -> Array:
    """Share of the market's activity in a contract ``age`` intervals before last trade; about one over the curve."""
    grid = np.arange(0.5, 12)
    weight = age / peak * np.exp(1 - age / peak)
    return np.asarray(weight / float(np.sum(grid / peak * np.exp(1 - grid / peak))))


def _slots(futures: Futures) -> NDArray[np.int64]:
    return np.array([(m.year * 12 + m.month) % _SLOTS for m in futures.months], dtype=np.int64)


def _noise(path: LatentPath, futures: Futures, rows: slice) -> Array:
    """Normal numbers of sessions ``rows`` for each contract, ``[k, m, draws]``."""
    drawn = [uniforms(path.seed, path.key, int(day), Stream.BARS, _SLOTS * _DRAWS) for day in path.days[rows]]
    block = ndtri(np.array(drawn)).reshape(-1, _SLOTS, _DRAWS)
    return np.asarray(block[:, _slots(futures)])


def _per_contract(path: LatentPath, futures: Futures) -> Array:
    """One normal number per contract for its whole life, ``[m]``."""
    return np.array(
        [float(normals(path.seed, path.key, m.toordinal() + 2**40, Stream.SERIES, 1)[0]) for m in futures.months]
    )
