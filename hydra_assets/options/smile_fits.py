"""The smiles of a batch of slices: what each can bear, fitted in one pass, averaged, free of calendar arbitrage.

Slices with eight strikes and quotes on both sides get the three models; SSVI is fitted expiry by expiry within one
underlying future, so that its total variance never falls. Thinner ones get SSVI with the shape of their neighbours of
the same session, one to four quotes a level only. Where the average of three models breaks the calendar order between
two expiries of one future, all of that future's expiries fall back to SSVI, which cannot.
"""

from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hydra_assets.options import mixture, ssvi, svi
from hydra_assets.options.average import MODELS, Average, average
from hydra_assets.options.black76 import Floats
from hydra_assets.options.calendar import calendar_violation, fit_sequence
from hydra_assets.options.mixture import LognormalMixture
from hydra_assets.options.slices import CHUNK_SLICES, Bools, Fit, SliceQuotes
from hydra_assets.options.ssvi import Ssvi
from hydra_assets.options.svi import Svi

Ints = NDArray[np.int64]
FULL_STRIKES = 8
THIN_STRIKES = 5
QUOTES_PER_WING = 2
PRIOR_STRENGTH = 4.0
"""Pull of a thin slice's shape towards its neighbours': one over the variance of the shape between neighbours."""
LONE_SHAPE = 0.5
"""phi sqrt(theta) of a thin slice without neighbours: the smile of a kurtosis of about 3.4."""
CALENDAR_Z: Floats = np.linspace(-8.0, 8.0, 201)
CALENDAR_TOLERANCE = 1e-10
KINDS = ("three_models", "prior", "level")
"""How a slice was fitted."""
P = TypeVar("P", Ssvi, LognormalMixture, Svi)


@dataclass(frozen=True, slots=True)
class Layout:
    """What the fits need to know of n slices besides their quotes; ``[n]`` each.

    ``group`` numbers the (market, session, underlying future), ``session`` the (market, session); ``strikes`` counts
    different strikes.
    """

    group: Ints
    session: Ints
    years: Floats
    strikes: Ints


@dataclass(frozen=True, slots=True)
class SmileFits:
    """Fits of n slices: the average (its models in the order of ``MODELS``), and the calendar's evidence.

    ``svi_min_g`` is raw SVI's least Durrleman g, NaN where it was not tried. ``calendar_gain`` is the least gain of
    total variance over the expiry before it of the same future, NaN for the first; ``by_theorem`` is true where SSVI
    stands alone. ``kind`` is an index into ``KINDS``, -1 without any quote. ``dropped`` marks thin slices without a
    smile because theirs broke the calendar order. Each is ``[n]``.
    """

    average: Average
    svi_min_g: Floats
    calendar_gain: Floats
    by_theorem: Bools
    kind: Ints
    dropped: Bools


def fit_smiles(quotes: SliceQuotes, layout: Layout) -> SmileFits:
    """Fit every slice with what its quotes can bear."""
    calls = (quotes.used & (quotes.k >= 0.0)).sum(axis=1)
    puts = (quotes.used & (quotes.k < 0.0)).sum(axis=1)
    full = (layout.strikes >= FULL_STRIKES) & (np.minimum(calls, puts) >= QUOTES_PER_WING)
    thin = ~full & (layout.strikes >= THIN_STRIKES)
    few = ~full & ~thin & (calls + puts > 0)
    kind = np.select([full, thin, few], [0, 1, 2], default=-1)
    sound = np.flatnonzero(full)
    whole = quotes.take(sound)
    sequence = fit_sequence(whole, layout.years[sound], layout.group[sound])
    base = _spread(sequence, sound, quotes, Ssvi)
    base = _thin(base, quotes, layout, thin, few)
    raw_svi = svi.fit(whole, near=sequence.slices)
    fits: dict[str, Fit[Any]] = {
        "ssvi": base,
        "mixture": _spread(mixture.fit(whole), sound, quotes, LognormalMixture),
        "svi": _spread(raw_svi, sound, quotes, Svi),
    }
    smiles = average(fits, quotes)
    gain = calendar_gains(smiles, layout)
    broken = np.isin(layout.group, layout.group[gain < -CALENDAR_TOLERANCE])
    dropped = np.zeros(len(quotes), dtype=np.bool_)
    if broken.any():
        alone = average({"ssvi": base}, quotes)
        again = calendar_gains(alone, layout, only=broken)
        # Only the thin slices' borrowed shapes are fitted without regard to the calendar.
        dropped = np.isin(layout.group, layout.group[again < -CALENDAR_TOLERANCE]) & (kind > 0)
        smiles = merged(without(alone, dropped), smiles, broken)
        gain = np.where(broken, calendar_gains(smiles, layout, only=broken), gain)
    min_g = np.full(len(quotes), np.nan)
    min_g[sound] = raw_svi.min_g
    by_theorem = broken | (smiles.weights[:, MODELS.index("ssvi")] >= 1.0)
    return SmileFits(smiles, min_g, gain, by_theorem, kind, dropped)


def calendar_gains(smiles: Average, layout: Layout, only: Bools | None = None) -> Floats:
    """Least gain of total variance of each slice over the earlier expiry of its future, on 201 points; ``[n]``."""
    gain = np.full(len(smiles), np.nan)
    stands = smiles.standing if only is None else smiles.standing & only
    rows = np.flatnonzero(stands)
    rows = rows[np.lexsort((layout.years[rows], layout.group[rows]))]
    follows = np.flatnonzero(layout.group[rows[1:]] == layout.group[rows[:-1]])
    before, after = rows[:-1][follows], rows[1:][follows]
    for i in range(0, len(after), CHUNK_SLICES):
        a, b = before[i : i + CHUNK_SLICES], after[i : i + CHUNK_SLICES]
        later = smiles.take(b)
        unit = np.sqrt(later.total_variance(np.zeros((len(b), 1))))
        gain[b] = calendar_violation(smiles.take(a), later, CALENDAR_Z * unit)
    return gain


def without(smiles: Average, rows: Bools) -> Average:
    """The same average with no smile at all on some rows."""
    return Average(
        smiles.models,
        np.where(rows[:, None], 0.0, smiles.weights),
        *(np.where(rows, np.nan, part) for part in (smiles.rmse, smiles.largest_residual, smiles.down_weighted)),
    )


def merged(first: Average, second: Average, where: Bools) -> Average:
    """The first average on the slices of ``where``, the second elsewhere; their models are the same."""
    pick = {
        f.name: np.where(
            where[:, None] if f.name == "weights" else where, getattr(first, f.name), getattr(second, f.name)
        )
        for f in fields(Average)
        if f.name != "models"
    }
    return Average(second.models, **pick)


def _thin(base: Fit[Ssvi], quotes: SliceQuotes, layout: Layout, thin: Bools, few: Bools) -> Fit[Ssvi]:
    """Fill in the slices that bear no free fit."""
    prior = _neighbours(base, quotes, layout)
    for rows, fit in ((np.flatnonzero(thin), True), (np.flatnonzero(few), False)):
        if not len(rows):
            continue
        part, shape = quotes.take(rows), prior.take(rows)
        found = (
            ssvi.fit_with_prior(part, shape, np.full(len(rows), PRIOR_STRENGTH)) if fit else ssvi.atm_only(part, shape)
        )
        spread = _spread(found, rows, quotes, Ssvi)
        base = Fit(
            Ssvi(
                *(
                    np.where(spread.fitted, getattr(spread.slices, f.name), getattr(base.slices, f.name))
                    for f in fields(Ssvi)
                )
            ),
            base.residual + spread.residual,
            base.fitted | spread.fitted,
        )
    return base


def _neighbours(base: Fit[Ssvi], quotes: SliceQuotes, layout: Layout) -> Ssvi:
    """Mean shape of the session's freely fitted slices, at each slice's own level; ``[n]``."""
    size = int(layout.session.max(initial=-1)) + 1
    good = base.fitted
    at = layout.session[good]
    count = np.bincount(at, minlength=size)
    rho = np.bincount(at, base.slices.rho[good], minlength=size)
    unit = np.bincount(at, (base.slices.phi * np.sqrt(base.slices.theta))[good], minlength=size)
    known, per = count > 0, np.maximum(count, 1)
    own_rho: Floats = np.where(known, rho / per, 0.0)[layout.session]
    own_unit: Floats = np.where(known, unit / per, LONE_SHAPE)[layout.session]
    distance = np.where(quotes.used, np.abs(quotes.k), np.inf)
    nearest = distance.argmin(axis=1) if distance.shape[1] else np.zeros(len(quotes), dtype=np.intp)
    level = quotes.w[np.arange(len(quotes)), nearest] if distance.shape[1] else np.zeros(len(quotes))
    level = np.where(quotes.used.any(axis=1), level, np.nan)
    return Ssvi(level, own_rho, np.minimum(own_unit / np.sqrt(level), ssvi.phi_cap(level, own_rho)))


def _spread(fit: Fit[P], rows: NDArray[np.intp], quotes: SliceQuotes, model: type[P]) -> Fit[P]:
    """Put fits of some rows into their places among all; the others are NaN and not fitted."""
    n = len(quotes)
    parameters = {}
    for f in fields(model):
        parameters[f.name] = np.full(n, np.nan)
        parameters[f.name][rows] = getattr(fit.slices, f.name)
    residual, fitted = np.zeros(quotes.k.shape), np.zeros(n, dtype=np.bool_)
    residual[rows], fitted[rows] = fit.residual, fit.fitted
    return Fit(model(**parameters), residual, fitted)
