"""Constant maturities of 30, 60 and 90 days from the expiries of a session; between two expiries, never beyond them.

With c1, c2 the shares of the expiries T1 <= t <= T2, linear in time:

One underlying future. Total variance accrues: it is interpolated linearly in time, at the money with its slope and
curvature in k, and as the variance of ln(S_T/F), whose mean goes with it.

Two underlyings. Their variances are of different things and do not accrue from one to the other. Volatilities per year
are mixed with the shares as weights, and the result is flagged.

In both cases the shape is that of the mixture of the two standardised densities, of (ln(S_T/F) - mean)/sd, put at the
mean and sd of the maturity: skew and kurtosis are then their averages, and quantiles, mode and tilts are solved for;
risk reversal and butterfly are averaged relative to the volatility at the money.
(Cumulants linear in time would be exact for independent returns, but overstate by a quarter the skew of a smile that
stays as it is in k.) Standard errors are added with their shares as if fully correlated: what the models get wrong at
one expiry they get wrong at the next.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from hydra_assets.options.black76 import Floats
from hydra_assets.options.bootstrap import NORMAL_90
from hydra_assets.options.moments import COLUMN, Statistic, solve_mode, solve_quantiles
from hydra_assets.options.slices import Bools, Index, SmileSlices

TARGET_DAYS: Final = (30, 60, 90)
_QUANTILES = slice(COLUMN[Statistic.Q01], COLUMN[Statistic.Q99] + 1)
_MODE_Z: Floats = np.linspace(-4.0, 4.0, 161)
_NEWTON_STEPS = 40


class MaturityReason(StrEnum):
    """Why a session has a maturity, or not."""

    OK = "ok"
    NO_USABLE_EXPIRY = "no_usable_expiry"
    ALL_EXPIRE_BEFORE = "all_expire_before"
    """Nothing is extrapolated."""
    ALL_EXPIRE_AFTER = "all_expire_after"


REASONS: Final = tuple(MaturityReason)


@dataclass(frozen=True, slots=True)
class Expiries:
    """Slices of a market: ``[n]``, in any order, and their numbers ``[n, len(Statistic)]``.

    ``session`` and ``underlying`` are codes, sessions from 0; ``days`` to expiry. ``values`` and ``se`` are to expiry,
    as the density and the bootstrap give them, NaN where a grade forbids them: NaN stays NaN in what is made of it.
    Slices that are not ``usable`` are as if not listed.
    """

    session: NDArray[np.int64]
    days: Floats
    underlying: NDArray[np.int64]
    smiles: SmileSlices
    values: Floats
    se: Floats
    usable: Bools


@dataclass(frozen=True, slots=True)
class ConstantMaturities:
    """Statistics to each maturity, ``[sessions, targets, len(Statistic)]``, with standard error and 90 % interval.

    ``first`` and ``second`` are the slices in use, -1 where there are none, ``share`` that of the second, ``across``
    the flag of two underlyings and ``reason`` the place in ``REASONS``; all ``[sessions, targets]``.
    """

    days: Floats
    values: Floats
    se: Floats
    low: Floats
    high: Floats
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    share: Floats
    across: Bools
    reason: NDArray[np.int8]


def constant_maturities(
    expiries: Expiries, sessions: int, targets: tuple[int, ...] = TARGET_DAYS
) -> ConstantMaturities:
    """Interpolate every session to every target.

    Of two expiries of one underlying that enclose the target the tightest pair is taken; without such a pair, the
    tightest of two underlyings. An expiry on the target itself stands alone.
    """
    shape = (sessions, len(targets))
    first, second = np.full(shape, -1, dtype=np.intp), np.full(shape, -1, dtype=np.intp)
    reason = np.zeros(shape, dtype=np.int8)
    table = _by_session(expiries, sessions)
    for column, target in enumerate(targets):
        first[:, column], second[:, column], reason[:, column] = _enclosing(expiries, table, float(target))
    found = first >= 0
    i, j = first[found], second[found]
    days = np.broadcast_to(np.array(targets, dtype=np.float64), shape)
    gap = expiries.days[j] - expiries.days[i]
    share = np.where(gap > 0.0, (days[found] - expiries.days[i]) / np.where(gap > 0.0, gap, 1.0), 0.0)
    across = expiries.underlying[i] != expiries.underlying[j]
    values, se = np.full((*shape, len(Statistic)), np.nan), np.full((*shape, len(Statistic)), np.nan)
    values[found], se[found] = _interpolated(expiries, i, j, share, across, days[found])
    shares, flags = np.full(shape, np.nan), np.zeros(shape, dtype=np.bool_)
    shares[found], flags[found] = share, across
    half = NORMAL_90 * se
    return ConstantMaturities(
        days[0].copy(), values, se, values - half, values + half, first, second, shares, flags, reason
    )


def _by_session(expiries: Expiries, sessions: int) -> NDArray[np.intp]:
    """Usable slices of each session in order of expiry, ``[sessions, most]``, padded with -1."""
    sound = expiries.usable & np.isfinite(expiries.days)
    rows = np.flatnonzero(sound)
    rows = rows[np.lexsort((expiries.underlying[rows], expiries.days[rows], expiries.session[rows]))]
    session = expiries.session[rows]
    place = np.arange(len(rows)) - np.searchsorted(session, session)
    table = np.full((sessions, int(place.max(initial=0)) + 1), -1, dtype=np.intp)
    table[session, place] = rows
    return table


def _enclosing(
    expiries: Expiries, table: NDArray[np.intp], target: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int8]]:
    """Slices on either side of a target, ``[sessions]`` each, and the reason where there are none."""
    listed = table >= 0
    days = np.where(listed, expiries.days[table] if len(expiries.days) else 0.0, np.nan)
    code = np.where(listed, expiries.underlying[table] if len(expiries.days) else 0, -1)
    early, late = days <= target, days >= target
    pair = early[:, :, None] & late[:, None, :]
    cost = days[:, None, :] - days[:, :, None]
    # A pair of two underlyings comes after every pair of one.
    cost = cost + np.where(code[:, :, None] == code[:, None, :], 0.0, 1e9)
    flat = np.where(pair, cost, np.inf).reshape(len(table), -1)
    best = np.argmin(flat, axis=1)
    row, some = np.arange(len(table)), pair.any(axis=(1, 2))
    width = table.shape[1]
    first = np.where(some, table[row, best // width], -1)
    second = np.where(some, table[row, best % width], -1)
    without = np.where(
        ~listed.any(axis=1),
        REASONS.index(MaturityReason.NO_USABLE_EXPIRY),
        np.where(early.any(axis=1), *(REASONS.index(r) for r in _BEYOND)),
    )
    return first, second, np.where(some, REASONS.index(MaturityReason.OK), without).astype(np.int8)


_BEYOND = (MaturityReason.ALL_EXPIRE_BEFORE, MaturityReason.ALL_EXPIRE_AFTER)


def _interpolated(
    expiries: Expiries, i: NDArray[np.intp], j: NDArray[np.intp], share: Floats, across: Bools, days: Floats
) -> tuple[Floats, Floats]:
    """Statistics and standard errors of pairs (i, j), ``[pairs, len(Statistic)]``.

    Nearly all are sums a1 x1 + a2 x2 of the two expiries' own, with the same a for the errors.
    """
    own = np.stack([expiries.values[i], expiries.values[j]], axis=1)
    shares = np.stack([1.0 - share, share], axis=1)
    root_time = np.sqrt(days[:, None] / np.stack([expiries.days[i], expiries.days[j]], axis=1))
    scales, units = own[:, :, COLUMN[Statistic.SD]], own[:, :, COLUMN[Statistic.ATM_TOTAL_VOL]]
    scale, unit = (_level(v, shares, root_time, across)[:, None] for v in (scales, units))
    mixed = across[:, None]
    by_scale, by_unit = scales / scale, units / unit
    rule = dict.fromkeys(Statistic, shares)
    rule[Statistic.MEAN] = np.where(mixed, shares / by_scale**2, shares)
    rule[Statistic.SD] = np.where(mixed, shares * root_time, shares * by_scale)
    rule[Statistic.ATM_TOTAL_VOL] = np.where(mixed, shares * root_time, shares * by_unit)
    for name in (Statistic.RISK_REVERSAL_TOTAL_VOL, Statistic.BUTTERFLY_TOTAL_VOL):
        rule[name] = shares / by_unit
    rule[Statistic.ATM_SKEW_TOTAL_VOL] = np.where(mixed, shares, shares * by_unit)
    rule[Statistic.ATM_CURVATURE_TOTAL_VOL] = shares * by_unit
    for name in (Statistic.MODE, *list(Statistic)[_QUANTILES]):
        rule[name] = shares / by_scale
    weight = np.stack([rule[name] for name in Statistic], axis=2)
    # An expiry of no share says nothing, not even NaN.
    weight, own = np.where(shares[:, :, None] > 0.0, weight, 0.0), np.where(shares[:, :, None] > 0.0, own, 0.0)
    error = np.where(shares[:, :, None] > 0.0, np.stack([expiries.se[i], expiries.se[j]], axis=1), 0.0)
    values = weight[:, 0] * own[:, 0] + weight[:, 1] * own[:, 1]
    se = weight[:, 0] * error[:, 0] + weight[:, 1] * error[:, 1]
    slopes = own[:, :, COLUMN[Statistic.ATM_SKEW_TOTAL_VOL]]
    slope = values[:, COLUMN[Statistic.ATM_SKEW_TOTAL_VOL]]
    # d2w/dk2 = 2 (s'^2 + s s'') is what is linear in time.
    bend = (shares[:, 0] * slopes[:, 0] ** 2 + shares[:, 1] * slopes[:, 1] ** 2 - slope**2) / unit[:, 0]
    values[:, COLUMN[Statistic.ATM_CURVATURE_TOTAL_VOL]] += np.where(across, 0.0, bend)
    _fill_shape(expiries, i, j, share, values)
    return values, se


def _level(levels: Floats, shares: Floats, root_time: Floats, across: Bools) -> Floats:
    """Total volatility of the maturity, ``[pairs]``: variance linear in time, or volatility per year if across."""
    own = np.where(shares > 0.0, levels, 0.0)
    accrued = shares[:, 0] * own[:, 0] ** 2 + shares[:, 1] * own[:, 1] ** 2
    mixed = shares[:, 0] * own[:, 0] * root_time[:, 0] + shares[:, 1] * own[:, 1] * root_time[:, 1]
    return np.where(across, mixed, np.sqrt(accrued))


def _fill_shape(expiries: Expiries, i: NDArray[np.intp], j: NDArray[np.intp], share: Floats, values: Floats) -> None:
    """Quantiles, mode and tilts of the mixed standardised densities, written into ``values``."""
    mean, sd = values[:, COLUMN[Statistic.MEAN]], values[:, COLUMN[Statistic.SD]]
    mix = _Standardised(
        expiries.smiles.take(i),
        expiries.smiles.take(j),
        share,
        *(expiries.values[rows, COLUMN[name]] for rows in (i, j) for name in (Statistic.MEAN, Statistic.SD)),
    )
    with np.errstate(all="ignore"):
        one = (expiries.values[i, _QUANTILES] - mix.mean_1[:, None]) / mix.sd_1[:, None]
        two = (expiries.values[j, _QUANTILES] - mix.mean_2[:, None]) / mix.sd_2[:, None]
        two = np.where(share[:, None] > 0.0, two, one)
        start = (1.0 - share)[:, None] * one + share[:, None] * two
        unit = np.ones(len(i))
        # A mixture's quantile lies between those of its parts.
        lower, upper = np.minimum(one, two), np.maximum(one, two)
        z = solve_quantiles(mix, start, lower, upper, unit, _NEWTON_STEPS)
        grid = np.tile(_MODE_Z, (len(i), 1))
        mode = mean + sd * solve_mode(mix, grid, mix.density(grid), unit, 6)
        quantiles = mean[:, None] + sd[:, None] * z
        above = 1.0 - mix.distribution((-mean / sd)[:, None])[:, 0]
        low, middle, high = quantiles[:, 2], quantiles[:, 4], quantiles[:, 6]
        values[:, _QUANTILES], values[:, COLUMN[Statistic.MODE]] = quantiles, mode
        values[:, COLUMN[Statistic.TILT]] = (middle + 0.5 * sd * sd) / sd
        values[:, COLUMN[Statistic.TILT_MODE]] = (mode + 0.5 * sd * sd) / sd
        values[:, COLUMN[Statistic.TILT_PROBABILITY]] = above - ndtr(-0.5 * sd)
        values[:, COLUMN[Statistic.ASYMMETRY]] = (high + low - 2.0 * middle) / (high - low)


@dataclass(frozen=True, slots=True)
class _Standardised:
    """Mixture of two standardised densities, ``[n]``, with ``share`` of the second."""

    first: SmileSlices
    second: SmileSlices
    share: Floats
    mean_1: Floats
    sd_1: Floats
    mean_2: Floats
    sd_2: Floats

    def __len__(self) -> int:
        return len(self.share)

    def take(self, index: Index) -> "_Standardised":
        return _Standardised(
            *(getattr(self, name).take(index) for name in ("first", "second")),
            *(getattr(self, name)[index] for name in ("share", "mean_1", "sd_1", "mean_2", "sd_2")),
        )

    def density(self, k: Floats) -> Floats:
        one = self.sd_1[:, None] * self.first.density(self.mean_1[:, None] + self.sd_1[:, None] * k)
        two = self.sd_2[:, None] * self.second.density(self.mean_2[:, None] + self.sd_2[:, None] * k)
        return self._mix(one, two)

    def distribution(self, k: Floats) -> Floats:
        one = self.first.distribution(self.mean_1[:, None] + self.sd_1[:, None] * k)
        two = self.second.distribution(self.mean_2[:, None] + self.sd_2[:, None] * k)
        return self._mix(one, two)

    def _mix(self, one: Floats, two: Floats) -> Floats:
        share = self.share[:, None]
        return np.where(share > 0.0, (1.0 - share) * one + share * two, one)
