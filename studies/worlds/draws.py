"""The options engine's output of one market, drawn: truth, plus errors by the calibration.

Every random number belongs to a session's date, and what has a memory runs forward from the world's first session: a
longer history begins with the same rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.signal import lfilter
from scipy.special import ndtr, ndtri

from hydra_assets.options.implied_moments import MomentsReason
from hydra_assets.sources.simulated.market import SimulatedMarket
from studies.worlds.calibration import (
    COMPONENTS,
    ERRORS,
    MOMENTS,
    SCALED_BY,
    Grades,
    MarketCalibration,
    bin_of,
    quantile,
    se_terms,
)
from studies.worlds.slices import Slices, Tenor, tenor

Floats = NDArray[np.float64]
Ranks = NDArray[np.int64]

STREAM = 4001
"""Part of the address of these random numbers that no stream of the simulated source has."""
_SLOTS = 16
"""Expiries that may be listed at once; a slice's luck stands at its month modulo this."""
_GRADES = np.array([None, "C", "B"], dtype=object)
VIEW_DAYS, LATER_DAYS = 60.0, 90.0


@dataclass(frozen=True, slots=True)
class Drawn:
    """What the engine would have said, ``[n]`` sessions: ranks of the slices' grades, moments and standard errors.

    ``rank`` is ``[n, m]``: 0 where a slice is of no use, 1 grade C, 2 grade B. ``shift`` is by how much P(S_T > F) is
    off. Numbers are NaN where the engine has none.
    """

    rank: Ranks
    view: Tenor
    later: Tenor
    grade: Ranks
    moments: dict[str, Floats]
    se: dict[str, Floats]
    shift: Floats
    off: dict[str, Floats]
    """Errors of the moments about the engine's line."""


def draw(market: SimulatedMarket, slices: Slices, calibration: MarketCalibration) -> Drawn:
    """Draw the engine's output for all sessions of a market."""
    count = len(COMPONENTS)
    z = _normals(market, 2 * (1 + _SLOTS + count))
    common, own, parts = z[:, :2], z[:, 2 : 2 + 2 * _SLOTS], z[:, 2 + 2 * _SLOTS :]
    rank = _ranks(market, slices, calibration.grades, common, own)
    view, later = (tenor(slices, rank > 0, days) for days in (VIEW_DAYS, LATER_DAYS))
    rows, near = np.arange(len(rank)), np.maximum(view.first, 0)
    pair = [np.where(at >= 0, rank[rows, np.maximum(at, 0)], 0) for at in (view.first, view.second)]
    # Nothing of the second expiry is in a maturity on the first; the engine grades it so too.
    grade = np.minimum(pair[0], pair[1])
    u = _components(parts, calibration)
    truth = view.values | {"later_vol": later.values["atm_vol"]}
    with np.errstate(invalid="ignore", divide="ignore"):
        terms = se_terms(
            (grade == 2).astype(np.float64),
            view.across.astype(np.float64),
            truth["atm_vol"],
            view.share,
            (slices.days[rows, near], slices.width[rows, near]),
        )
    se = {
        name: np.exp(_times(terms, calibration.se[name]) + quantile(calibration.laws[f"{name}_se"], u[f"{name}_se"]))
        for name in ERRORS
    }
    moments, off = {}, {}
    for name in MOMENTS:
        line = calibration.lines[name]
        scale = se[SCALED_BY[name]] if name in SCALED_BY else truth[name]
        off[name] = quantile(calibration.laws[name], u[name]) * scale
        moments[name] = line.level + line.slope * truth[name] + off[name]
    bears = grade == 2
    for numbers in (moments, se, off):
        numbers["kurt"] = np.where(bears, numbers["kurt"], np.nan)
    return Drawn(
        rank=rank,
        view=view,
        later=later,
        grade=grade,
        moments=moments,
        se=se,
        shift=moments["tilt_probability"] - truth["tilt_probability"],
        off=off,
    )


def moment_rows(keys: pl.DataFrame, slices: Slices, drawn: Drawn) -> pl.DataFrame:
    """Rows of ``implied_moments`` at 60 and 90 days with the columns that features and divergence read."""
    usable = (drawn.rank > 0).sum(axis=1)
    parts = []
    for days, at, first in ((60, "60d", drawn.view.first), (90, "90d", drawn.later.first)):
        there = first >= 0
        view = days == VIEW_DAYS
        reason = np.where(
            there,
            str(MomentsReason.OK),
            np.where(usable > 0, str(MomentsReason.NOT_BRACKETED), str(MomentsReason.NO_USABLE_SLICE)),
        )
        named = {name: values if view else np.full(len(usable), np.nan) for name, values in drawn.moments.items()}
        named["atm_vol"] = drawn.moments["atm_vol" if view else "later_vol"]
        named |= {f"{name}_se": values if view else np.full(len(usable), np.nan) for name, values in drawn.se.items()}
        del named["later_vol"]
        parts.append(
            keys.with_columns(
                pl.lit(at).alias("tenor"),
                pl.Series("grade", _GRADES[np.where(there & view, drawn.grade, 0)].tolist(), dtype=pl.String),
                *(pl.Series(name, values, nan_to_null=True) for name, values in named.items()),
                pl.Series("slices_usable", usable.astype(np.int64)),
                pl.Series("moments_reason", reason.tolist(), dtype=pl.String),
            )
        )
    return pl.concat(parts)


def philox(seed: int, key: int, day: int, stream: int, n: int) -> Floats:
    """Uniform numbers ``[n]`` of a day, as in the simulated source's ``rng``, for streams of this package."""
    bits = np.random.Philox(key=[seed % 2**64, key], counter=[0, 0, day % 2**64, stream])
    return np.asarray(((bits.random_raw(n) >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53)


def _normals(market: SimulatedMarket, n: int) -> Floats:
    path = market.path
    return np.asarray(ndtri(np.array([philox(path.seed, path.key, day, STREAM, n) for day in path.days.tolist()])))


def _remembered(z: Floats, decay: float | Sequence[float]) -> Floats:
    """Unit-variance autoregressions driven by z ``[n, k]``, from their stationary law on; one decay, or one each."""
    each = np.broadcast_to(np.asarray(decay, dtype=np.float64), z.shape[1:])
    scaled = z * np.sqrt(1.0 - each**2)
    scaled[:1] = z[:1]
    columns = [lfilter([1.0], [1.0, -phi], scaled[:, k]) for k, phi in enumerate(each.tolist())]
    return np.stack(columns, axis=1)


def _ranks(market: SimulatedMarket, slices: Slices, grades: Grades, common: Floats, own: Floats) -> Ranks:
    """Grades of all slices: the luck of slice and session, cut at the shares of its width."""
    if market.series is None:
        return np.zeros(slices.days.shape, dtype=np.int64)
    slow, fast = np.sqrt(grades.slow), np.sqrt(1.0 - grades.slow)
    shared = slow * _remembered(common[:, :1], grades.decay) + fast * common[:, 1:]
    each = slow * _remembered(own[:, :_SLOTS], grades.decay) + fast * own[:, _SLOTS:]
    months = np.array([(m.year * 12 + m.month) % _SLOTS for m in market.series.months], dtype=np.int64)
    slot = months[np.maximum(slices.series, 0)]
    luck = np.sqrt(1.0 - grades.common) * each[np.arange(len(each))[:, None], slot] + np.sqrt(grades.common) * shared
    u = ndtr(luck)
    place = bin_of(slices.width, grades)
    low = np.array(grades.unusable)[place]
    high = low + np.array(grades.grade_c)[place]
    return np.where(slices.listed, (u > low).astype(np.int64) + (u > high), 0)


def _components(z: Floats, calibration: MarketCalibration) -> dict[str, Floats]:
    """Probabilities ``[n]`` of every component, correlated among each other and from session to session.

    Both parts, slow and fast, have the calibrated correlation, so their weighted sum has it, too, where two
    components remember alike.
    """
    count = len(COMPONENTS)
    root = np.linalg.cholesky(np.array(calibration.correlation))
    laws = [calibration.laws[name] for name in COMPONENTS]
    slow = np.array([law.slow for law in laws])
    # Row by row, so that no session's bits depend on how many there are.
    mixed = [sum(z[:, k + at][:, None] * root[:, k] for k in range(count)) for at in (0, count)]
    total = (
        np.sqrt(slow) * _remembered(np.asarray(mixed[0]), [law.decay for law in laws]) + np.sqrt(1.0 - slow) * mixed[1]
    )
    u = ndtr(total)
    return {name: u[:, k] for k, name in enumerate(COMPONENTS)}


def _times(terms: Floats, coefficients: tuple[float, ...]) -> Floats:
    total = np.zeros(len(terms))
    for k, value in enumerate(coefficients):
        total = total + terms[:, k] * value
    return total
