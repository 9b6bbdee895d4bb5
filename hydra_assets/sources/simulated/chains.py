"""Option chains of one simulated market as rows: which strikes are listed, and how a thin market quotes them.

The quoting imitates the Class III milk chain of 2012-01-03 (84 contracts on 55 strikes): market makers show about a
quarter of the at-the-money price as width near the money, half of it in the money, a sixth out of it; an offer stands
for every wing, a bid only where value less half the width is worth a tick; odd one-lots spoil a tenth of the quotes;
deep in-the-money legs are mostly not listed. Widths scale with the model's ``thinness``; where it is small, as in a
market that is made by several, they also narrow with the option's value out of the money.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, minimum_filter1d
from scipy.special import ndtri

from hydra_assets.sources.simulated.curve import Curve
from hydra_assets.sources.simulated.listing import Futures, OptionSeries
from hydra_assets.sources.simulated.rng import Stream, uniforms
from hydra_assets.sources.simulated.states import LatentPath
from hydra_assets.sources.simulated.surface import Surface, fair_values, surface_of
from hydra_assets.sources.simulated.world import strike_step

Array = NDArray[np.float64]
Index = NDArray[np.int64]

LOOK_BACK = 31
"""Sessions before the first that decide what it shows: listed strikes stay for 30 sessions, quotes go stale."""
_LOW_SDS, _HIGH_SDS = 2.8, 2.2
_NEAREST = 18
"""At most so many strikes on either side of the forward."""
_STRIKES, _SERIES, _DRAWS = 64, 8, 7
_ITM_SDS = 1.6
_LISTED_DEEP = 0.25
"""Share of in-the-money legs listed beyond ``_ITM_SDS`` standard deviations."""
_Z = (-1.2, -0.6, 0.6, 1.2)
_WIDTH = (0.19, 0.28, 0.28, 0.6)
_WING_OFFER = 0.08


@dataclass(frozen=True, slots=True)
class Quotes:
    """Flat positions ``[q]`` of the listed option contracts: surface row, series, strike in steps, right."""

    row: Index
    series: Index
    number: Index
    call: NDArray[np.bool_]
    strike: Array


@dataclass(frozen=True, slots=True)
class _Grid:
    """Listed strikes in steps, first and last, ``[k, e]``."""

    low: Index
    high: Index


def chain_rows(path: LatentPath, futures: Futures, series: OptionSeries, curve: Curve, rows: slice) -> pl.DataFrame:
    """Chain rows of sessions ``rows``, ordered by session, expiry, strike and right.

    Columns: session, previous_session, contract_month (the option's), expiry (dates), strike, right, bid, ask,
    bid_size, ask_size, settle, and ``volume`` and ``open_interest`` of the *previous* session (null where it did not
    list the contract).
    """
    terms = path.spec.options
    if terms is None:
        msg = f"{path.spec.symbol} has no options"
        raise ValueError(msg)
    known = slice(max(rows.start - LOOK_BACK, 0), rows.stop)
    surface = surface_of(path, futures, series, curve, known)
    step = strike_step(path.spec, path.model)
    grid = _listed_strikes(surface, series.listed[known], step)
    quotes = _flatten(path, series, grid, surface, rows.start - known.start, step)
    call, put = fair_values(path, surface, quotes.row, quotes.series, quotes.strike)
    fair = np.where(quotes.call, call, put)
    noise = _noise(path, known, quotes)
    mid = _with_stale(path, surface, quotes, fair, noise)
    frame = _quoted(path, surface, quotes, mid, noise, terms.tick)
    volume, interest = _activity(path, series, grid, known, quotes, noise)
    # The exchange settles what somebody holds, and some of the rest.
    settled = (interest > 0) | (noise[:, 4] < 0.4)
    settle = np.where(settled, _on_tick(np.maximum(np.round(fair / terms.tick), 1), terms.tick), np.nan)
    dates = pl.Series(path.sessions[known]).cast(pl.Date)
    identity = pl.DataFrame(
        {
            "session": dates.gather(quotes.row),
            "previous_session": dates.gather(np.maximum(quotes.row - 1, 0)),
            "contract_month": pl.Series(series.months, dtype=pl.Date).gather(quotes.series),
            "expiry": pl.Series(series.expiry[quotes.series]).cast(pl.Date),
            "strike": np.round(quotes.strike, 9),
            "right": pl.Series(quotes.call).replace_strict({True: "C", False: "P"}, return_dtype=pl.String),
        }
    )
    activity = pl.DataFrame({"settle": settle, "volume": volume, "open_interest": interest})
    return pl.concat([identity, frame, activity], how="horizontal").with_columns(
        pl.col(pl.Float64).fill_nan(None).name.keep()
    )


def _listed_strikes(surface: Surface, listed: NDArray[np.bool_], step: float) -> _Grid:
    """Strikes spanned by the last 30 sessions' ranges, so that a listed strike stays when the price moves on."""
    sd = np.sqrt(surface.variance)
    low = np.where(listed, np.floor(surface.forward * np.exp(-_LOW_SDS * sd) / step), np.inf)
    high = np.where(listed, np.ceil(surface.forward * np.exp(_HIGH_SDS * sd) / step), -np.inf)
    # A window of 30 that ends at the row itself: the filter's own is centred.
    low = minimum_filter1d(low, 30, axis=0, origin=14, mode="constant", cval=np.inf)
    high = maximum_filter1d(high, 30, axis=0, origin=14, mode="constant", cval=-np.inf)
    middle = np.round(surface.forward / step)
    low = np.maximum(np.maximum(low, middle - _NEAREST), 1)
    high = np.minimum(high, middle + _NEAREST)
    shown = listed & np.isfinite(low) & np.isfinite(high)
    return _Grid(np.where(shown, low, 1).astype(np.int64), np.where(shown, high, 0).astype(np.int64))


def _flatten(path: LatentPath, series: OptionSeries, grid: _Grid, surface: Surface, lead: int, step: float) -> Quotes:
    """Listed contracts of the surface's rows from ``lead`` on, deep in-the-money legs thinned out."""
    count = np.maximum(grid.high - grid.low + 1, 0)[lead:]
    row, number = (a.ravel() for a in np.indices(count.shape))
    per = count.ravel()
    first = np.repeat(np.cumsum(per) - per, per)
    row, which = np.repeat(row + lead, per), np.repeat(number, per)
    strike_number = grid.low[row, which] + np.arange(len(row)) - first
    row, which, strike_number = (np.repeat(a, 2) for a in (row, which, strike_number))
    call = np.tile([True, False], len(row) // 2)
    strike = strike_number * step
    inner = np.log(surface.forward[row, which] / strike) / np.sqrt(surface.variance[row, which])
    inner = np.where(call, inner, -inner)
    luck = _contract_luck(path, series)[which, strike_number % _STRIKES, call.astype(np.int64)]
    keep = (inner < _ITM_SDS) | (luck < _LISTED_DEEP)
    return Quotes(row[keep], which[keep], strike_number[keep], call[keep], strike[keep])


def _contract_luck(path: LatentPath, series: OptionSeries) -> Array:
    """One uniform number per contract for its whole life, ``[e, strike slot, right]``."""
    days = series.expiry.astype(np.int64)
    used = np.flatnonzero(series.listed.any(axis=0))
    out = np.full((len(days), _STRIKES, 2), 0.5)
    for e in used:
        out[e] = uniforms(path.seed, path.key, int(days[e]), Stream.SERIES, _STRIKES * 2).reshape(_STRIKES, 2)
    return out


def _noise(path: LatentPath, known: slice, quotes: Quotes) -> Array:
    """Uniform numbers per quote, ``[q, draws]``, from its session's block at the contract's own slot."""
    days = path.days[known]
    rows = np.unique(quotes.row)
    block = np.array(
        [uniforms(path.seed, path.key, int(days[r]), Stream.QUOTES, _SERIES * _STRIKES * 2 * _DRAWS) for r in rows]
    ).reshape(-1, _SERIES, _STRIKES, 2, _DRAWS)
    return np.asarray(
        block[
            np.searchsorted(rows, quotes.row),
            quotes.series % _SERIES,
            quotes.number % _STRIKES,
            quotes.call.astype(np.int64),
        ]
    )


def _with_stale(path: LatentPath, surface: Surface, quotes: Quotes, fair: Array, noise: Array) -> Array:
    """Fair values with a share of them replaced by those of one to three sessions ago."""
    share = path.world.stale_share
    stale = np.flatnonzero(noise[:, 0] < share)
    if not len(stale):
        return fair
    lag = 1 + np.floor(noise[stale, 0] / share * 3).astype(np.int64)
    # A world's first sessions have nothing older to stand on.
    row = np.maximum(quotes.row[stale] - lag, 0)
    call, put = fair_values(path, surface, row, quotes.series[stale], quotes.strike[stale])
    out = fair.copy()
    out[stale] = np.where(quotes.call[stale], call, put)
    return out


def _quoted(path: LatentPath, surface: Surface, quotes: Quotes, mid: Array, noise: Array, tick: float) -> pl.DataFrame:
    """Bid, ask and sizes in a thin market around the mids."""
    forward, variance = surface.forward[quotes.row, quotes.series], surface.variance[quotes.row, quotes.series]
    sd = np.sqrt(variance)
    atm = 0.4 * forward * sd * path.model.thinness
    inner = np.log(forward / quotes.strike) / sd * np.where(quotes.call, 1, -1)
    thin = path.model.thinness
    narrowing = np.minimum(thin, 1.0) + np.maximum(1.0 - thin, 0.0) * np.exp(-0.5 * np.minimum(inner, 0.0) ** 2)
    width = np.interp(inner, _Z, _WIDTH) * atm * narrowing * np.exp(0.2 * ndtri(noise[:, 1]))
    width = np.maximum(width, 2 * tick)
    middle = mid + 0.12 * width * np.clip(ndtri(noise[:, 2]), -2.5, 2.5)
    bid, ask = middle - width / 2, middle + width / 2
    odd = noise[:, 3]
    bid = np.where(odd < 0.06, bid - width * noise[:, 5] * 2, bid)
    ask = np.where((odd > 0.03) & (odd < 0.1), ask + width * noise[:, 6], ask)
    ask_ticks = np.maximum(np.ceil(np.maximum(ask, _WING_OFFER * atm) / tick - 1e-9), 1)
    bid_ticks = np.minimum(np.floor(bid / tick + 1e-9), ask_ticks - 1)
    no_bid = bid_ticks < 1
    no_ask = noise[:, 3] > 0.97
    bid = np.where(no_bid | no_ask, np.nan, _on_tick(bid_ticks, tick))
    ask = np.where(no_ask, np.nan, _on_tick(ask_ticks, tick))
    usual = np.where(inner > 0.6, 5, np.where(inner > -1, 20, 25))
    lots = np.where(odd < 0.1, 1 + np.floor(noise[:, 5] * 4), usual)
    bid_size = np.where(np.isnan(bid), np.nan, np.where(noise[:, 6] < 0.1, 2, lots))
    ask_size = np.where(np.isnan(ask), np.nan, np.where(noise[:, 5] < 0.1, 5, lots))
    return pl.DataFrame({"bid": bid, "ask": ask, "bid_size": bid_size, "ask_size": ask_size})


def _activity(
    path: LatentPath, series: OptionSeries, grid: _Grid, known: slice, quotes: Quotes, noise: Array
) -> tuple[Array, Array]:
    """Volume and open interest of the session before, ``[q]``; missing where it did not list the contract.

    Open interest is a bell over the listed strikes, more on every fifth of them, rising over the series' life; it
    follows the middle of the listed range, which moves slowly, and not the price.
    """
    before = quotes.row - 1
    at = np.maximum(before, 0)
    low, high = grid.low[at, quotes.series], grid.high[at, quotes.series]
    listed = (before >= 0) & (quotes.number >= low) & (quotes.number <= high)
    place = (quotes.number - 0.5 * (low + high)) / np.maximum(high - low, 1)
    bell = np.exp(-0.5 * ((place - np.where(quotes.call, 0.08, -0.02)) / 0.2) ** 2)
    luck = _contract_luck(path, series)[quotes.series, quotes.number % _STRIKES, quotes.call.astype(np.int64)]
    liking = bell * np.exp(0.8 * ndtri(luck)) * np.where(quotes.number % 5 == 0, 2.0, 0.7)
    days = series.expiry.astype(np.int64)[quotes.series] - path.days[known][at]
    life = np.exp(-np.maximum(days, 0) / 90.0)
    futures_interest = path.spec.liquidity.typical_daily_volume * path.model.open_interest_days
    total = futures_interest * path.model.option_open_interest
    interest = np.floor(total * 0.02 * liking * life)
    volume = np.floor(interest * 0.08 * noise[:, 6] ** 4 * 2)
    return np.where(listed, volume, np.nan), np.where(listed, interest, np.nan)


def _on_tick(ticks: Array, tick: float) -> Array:
    return np.asarray(np.round(ticks * tick, 9))
