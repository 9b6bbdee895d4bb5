"""Paths of a t-copula over the markets' standardised returns and the recipe's signals.

An observation is a session's return over the volatility known before it, and the signal (the signed share wanted) at
the cutoff whose position earns it (``paths.earning_lag``), for every market. The copula of all of them is fitted on
ranks. A path's signals are blocks of the past, all markets together (``bootstrap.stationary_rows``), so that they
persist as they did; its returns are drawn given those signals, through the empirical margins, and put on the
volatility, price, volume, rolls and closed sessions of the past, session by session.

Kept: the margins, each pair's Kendall tau (signal and earned return included, which is the edge), joint tails of one
degree of freedom, persistence and joint behaviour of the signals, the path of volatility. Not kept: what a return does
to later signals, what a signal says of other sessions' returns, tails of a market beyond its
worst session, different tail dependence for different pairs or for falls and rises.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydra_assets.replay.market import MarketArrays
from hydra_assets.replay.tables import lagged
from hydra_assets.stress.bootstrap import Rows, stationary_rows
from hydra_assets.stress.copula import Conditional, TCopula, conditional, empirical, fit, latent, uniforms
from hydra_assets.stress.paths import PathBatch, World, batch, part_after_open, paths_at_once
from hydra_assets.stress.reprice import held_returns, last_priced

Floats = NDArray[np.float64]

LEAST_VALUES = 10
"""Distinct values below which a margin has no ranks to speak of: it is left out."""


@dataclass(frozen=True, slots=True)
class CopulaModel:
    """What is drawn from: ``returns [n, k]`` of the ``markets`` (places, ``[k]``) in sessions ``rows [n]``."""

    copula: TCopula
    rows: Rows
    returns: Floats
    markets: NDArray[np.int64]
    lag: int
    """Sessions from a signal to the return that is paired with it."""
    draws: Conditional


def standardised_returns(market: MarketArrays) -> Floats:
    """Return of each session over the volatility known before it, ``[session, market]``; NaN where either is not."""
    with np.errstate(invalid="ignore", divide="ignore"):
        z = held_returns(market) / lagged(market.sigma_daily)
    return np.asarray(np.where(np.isfinite(z), z, np.nan))


def copula_model(world: World, lag: int, least_sessions: int) -> CopulaModel | None:
    """Fit the model; None where fewer than ``least_sessions`` have the returns and signals of all markets."""
    z, signal = standardised_returns(world.market), np.full_like(world.wishes.shares, np.nan)
    signal[lag:] = world.wishes.shares[:-lag]
    markets = _margins(z)
    signals = np.intersect1d(markets, _margins(signal))
    if not len(markets):
        return None
    both = np.concatenate([z[:, markets], signal[:, signals]], axis=1)
    rows = np.flatnonzero(np.isfinite(both).all(axis=1))
    if len(rows) < least_sessions:
        return None
    known, k = both[rows], len(markets)
    # One market has no tail to share with another: its signal stands in.
    copula = fit(known, k if k > 1 else known.shape[1])
    given = latent(uniforms(known[:, k:]), copula.degrees) if known.shape[1] > k else np.zeros((len(rows), 0))
    return CopulaModel(copula, rows, known[:, :k], markets, lag, conditional(copula, given, k))


def drawn_returns(model: CopulaModel, places: Rows, normal: Floats, chi: Floats) -> Floats:
    """Standardised returns given the signals paired with the model's rows at ``places``, ``[path, session, market]``.

    ``normal`` are standard normal numbers in the result's shape, ``chi`` chi-square ones ``[path, session]`` with
    ``model.draws.degrees``.
    """
    draws = model.draws
    spread = draws.scale[places] * np.sqrt(draws.degrees / chi)
    x = draws.location[places] + spread[..., None] * (normal @ draws.root.T)
    columns = [empirical(model.returns[:, m], model.copula.degrees, x[..., m]) for m in range(model.returns.shape[1])]
    return np.stack(columns, axis=-1)


def copula_batches(
    world: World, model: CopulaModel, paths: int, block: float, seed: tuple[int, ...], label: str
) -> Iterator[PathBatch]:
    """Yield all paths, as many at once as fit; the draws do not depend on how many those are."""
    sessions = len(world.market.days)
    blocks, normals, chis = (np.random.default_rng((*seed, stream)) for stream in range(3))
    places = stationary_rows(len(model.rows), sessions + model.lag, paths, block, blocks)
    width = paths_at_once(world.market)
    for low in range(0, paths, width):
        own = np.ascontiguousarray(places[:, low : low + width].T)
        shape = (len(own), sessions)
        normal = normals.standard_normal((*shape, len(model.markets)))
        z = drawn_returns(model, own[:, : -model.lag], normal, chis.chisquare(model.draws.degrees, shape))
        labels = [f"{label}{path}" for path in range(low, low + len(own))]
        yield _batch(world, model, z, model.rows[own[:, model.lag :]] - model.lag, labels)


def _batch(world: World, model: CopulaModel, z: Floats, cutoff: Rows, labels: list[str]) -> PathBatch:
    """Batch of ``z [path, session, drawn market]`` and decisions of the rows ``cutoff [path, session]``."""
    market = world.market
    sessions, markets = market.settle.shape
    before = last_priced(market)
    value = np.take_along_axis(market.settle, np.maximum(before, 0), axis=0) * market.terms.multiplier
    unit = np.where(before >= 0, value * lagged(market.sigma_daily), np.nan)[:, :, None]
    drawn = np.full((sessions, markets, len(z)), np.nan)
    drawn[:, model.markets] = z.transpose(1, 2, 0)
    change = np.where(market.priced[:, :, None], drawn * unit, np.nan)

    def same(array: Any) -> Any:
        return None if array is None else np.broadcast_to(array[:, :, None], change.shape)

    kept = ("settle", "sigma_daily", "adv", "roll", "cap_factor", "impact_factor")
    columns = {name: same(getattr(market, name)) for name in kept}
    columns["held_change"] = change
    columns["tradable"] = same(market.tradable) & np.isfinite(change)
    columns["open"] = None
    if market.open is not None:
        part = (part_after_open(market) / market.terms.multiplier)[:, None]
        columns["open"] = same(np.where(np.isfinite(market.open), market.settle, np.nan)) - part * change

    def decided(array: Floats) -> Floats:
        return np.ascontiguousarray(array[cutoff].transpose(1, 2, 0))

    wishes = world.wishes
    factor = None if wishes.factor is None else decided(wishes.factor)
    return batch(replace(market, high=None, low=None), columns, decided(wishes.shares), factor, labels)


def _margins(values: Floats) -> NDArray[np.int64]:
    """Columns of ``[session, market]`` that vary. Known for long or not, each stays: its edge would be lost."""
    known = [column[np.isfinite(column)] for column in values.T]
    return np.flatnonzero([len(np.unique(column)) >= LEAST_VALUES for column in known])
