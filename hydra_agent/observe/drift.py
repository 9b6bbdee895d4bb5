"""Feature drift against the champion's training window: level, gaps, standstill, and consistency with the others.

Each feature of each market is a column of its own. Its innovations are watched (``stats.detectors.reference``), since
features persist; besides them the size of what the other features' innovations do not explain of it, for a feature that
is replaced by noise or turned round keeps its own distribution and stops going with the rest.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydra_agent.observe.innovations import innovations, long_run_ratio
from hydra_agent.observe.signals import Family, Floats, Level, SignalReason, SignalTrack
from hydra_agent.view import Feed, GroupView
from hydra_assets.features.dictionary import FEATURES, Group
from hydra_assets.stats.detectors.alarms import episodes
from hydra_assets.stats.detectors.cusum import Cusum
from hydra_assets.stats.detectors.reference import Reference

Flags = NDArray[np.bool_]

REFERENCE_SESSIONS = 504
"""Newest sessions before the champion's reign that are its reference; fewer where there are fewer."""
RIDGE = 0.5
"""Of the regression of an innovation on the others, in units of their variance: they are collinear."""
LEAST_UNEXPLAINED = 0.5
"""Share of its own spread below which what a feature leaves unexplained counts as that much: some features are sums of
others by definition, and what is left of them is nobody's yardstick."""
MIN_FIT = 100
"""Sessions below which nothing is said of how features go together."""
CLIP = 4.0
SPREAD_WINDOW = 20
LEANS = 0.15
"""Coefficient from which on a feature counts as what another is explained by."""
COMMON_SESSIONS = 20
MEDIAN_OF_SQUARE = 0.455
"""Median of a squared standard normal."""
UNWATCHED = frozenset({Group.CALENDAR, Group.QUALITY})
"""What moves by the calendar is no sample of anything, and quality is watched as freshness."""
GAP_WINDOW, GAP_MARGIN = 20, 0.2
STILL_FACTOR, STILL_EXTRA = 3.0, 10
"""A standstill is longer than three times the longest of the reference, and ten sessions more."""
_GROUPS = {feature.name: feature.group for feature in FEATURES}
WATCHED = Cusum(k=0.5)


@dataclass(frozen=True, slots=True)
class DriftThresholds:
    """Thresholds of the columns' statistics, derived for the whole panel (docs/studies/detectors.md)."""

    level: float
    consistency: float = 12.0
    gap_share: float = 0.4
    """Share of sessions missing, while the rest of its feed is there, beyond that of the reference."""


def drift_signals(view: GroupView, since: int, thresholds: DriftThresholds) -> list[SignalTrack]:
    """Signals of every feature in every market from row ``since`` on; before it nothing is said."""
    first = max(0, since - REFERENCE_SESSIONS)
    watched = [_GROUPS.get(name) not in UNWATCHED for name in view.feature_names]
    names = [name for name, kept in zip(view.feature_names, watched, strict=True) if kept]
    features = view.features[:, :, watched]
    t, m, f = features.shape
    columns = features.reshape(t, m * f)
    span = slice(first, since)
    e = np.stack([innovations(features[:, j], names, view.market.sigma_daily[:, j], span) for j in range(m)], axis=1)
    flat = e.reshape(t, m * f)
    shifted = WATCHED.statistics(flat[since:], Reference.fit(flat[span], whiten=False)).statistic
    level = thresholds.level * long_run_ratio(flat[span])
    apart = _unexplained(e, first, since)
    strange = _usual_square(apart[since:])
    still, still_bound = _standstill(columns, first, since)
    gaps, gap_bound = _gap_excess(
        _alone_missing(features, names, view.feeds).reshape(t, m * f), first, since, thresholds.gap_share
    )
    out = []
    for j, symbol in enumerate(view.symbols):
        for i, name in enumerate(names):
            c = j * f + i
            kinds = (
                (shifted[:, c], float(level[c]), SignalReason.SHIFTED),
                (strange[:, c], thresholds.consistency, SignalReason.INCONSISTENT),
                (gaps[since:, c], float(gap_bound[c]), SignalReason.GAPS),
                (still[since:, c], float(still_bound[c]), SignalReason.FROZEN),
            )
            for statistic, bound, reason in kinds:
                out.append(_track(name, symbol, statistic, bound, reason, since))
    return out


def _track(name: str, symbol: str, statistic: Floats, bound: float, reason: SignalReason, since: int) -> SignalTrack:
    active = episodes(statistic, bound).active
    before = np.full(since, np.nan)
    level = np.concatenate([np.zeros(since), np.where(active, int(Level.WARNING), 0)]).astype(np.int8)
    return SignalTrack(Family.DRIFT, name, symbol, np.concatenate([before, statistic]), bound, level, reason)


def _unexplained(innovation: Floats, first: int, since: int) -> Floats:
    """Squares of what the other innovations of the market do not explain of each, ``[T, M*F]``; takes ``[T, M, F]``.

    In units of what the second half of the reference left unexplained by a fit to its first half.
    """
    t, m, f = innovation.shape
    out = np.full((t, m, f), np.nan)
    half = first + (since - first) // 2
    for j in range(m):
        usable = np.isfinite(innovation[first:since, j]).any(axis=0)
        if usable.sum() < 3 or half - first < MIN_FIT:
            continue
        e = innovation[:, j, usable]
        filled = np.clip(np.where(np.isfinite(e), e, 0.0), -CLIP, CLIP)
        gram = filled[first:half].T @ filled[first:half] / (half - first)
        # One inverse gives the regression of each on all others: b_ij = -P_ij / P_ii.
        precision = np.linalg.inv(gram + RIDGE * np.eye(len(gram)))
        residual = filled @ precision / np.diag(precision)
        scale = np.maximum(np.sqrt((residual[half:since] ** 2).mean(axis=0)), LEAST_UNEXPLAINED)
        squared = (residual / scale) ** 2
        squared /= _common(squared)
        # Where a feature that much is explained by is missing, nothing is said.
        leans_on = np.abs(precision / np.diag(precision)) > LEANS
        missing = ~np.isfinite(e)
        squared[(missing.astype(np.float64) @ leans_on) > 0.0] = np.nan
        out[:, j, np.flatnonzero(usable)] = squared
    # A session before the second half says nothing: the fit has seen it.
    out[:half] = np.nan
    return out.reshape(t, m * f)


def _common(squared: Floats) -> Floats:
    """What all features of a market share of it, ``[T, 1]``: a wilder market is no broken feed."""
    middle = np.median(squared, axis=1) / MEDIAN_OF_SQUARE
    total = np.cumsum(np.concatenate([[0.0], middle]))
    row = np.arange(len(middle))
    start = np.maximum(row + 1 - COMMON_SESSIONS, 0)
    mean: Floats = (total[row + 1] - total[start]) / (row + 1 - start)
    return np.maximum(mean, 1.0)[:, None]


def _usual_square(squared: Floats) -> Floats:
    """Median of each column's last ``SPREAD_WINDOW`` observations over that of a normal's squares, ``[T, K]``.

    A median: a market's wild sessions and an option engine's rare misses are not a feature that has come apart.
    """
    out = np.full(squared.shape, np.nan)
    for j in range(squared.shape[1]):
        seen = np.flatnonzero(np.isfinite(squared[:, j]))
        if len(seen) >= SPREAD_WINDOW:
            windows = np.lib.stride_tricks.sliding_window_view(squared[seen, j], SPREAD_WINDOW)
            out[seen[SPREAD_WINDOW - 1 :], j] = np.median(windows, axis=1) / MEDIAN_OF_SQUARE
    return out


def _standstill(columns: Floats, first: int, since: int) -> tuple[Floats, Floats]:
    """Sessions in a row with the same value, ``[T, K]``, and the bound of each column ``[K]``."""
    t = len(columns)
    same = np.zeros(columns.shape, dtype=bool)
    same[1:] = columns[1:] == columns[:-1]
    row = np.arange(t)[:, None]
    moved = np.maximum.accumulate(np.where(~same, row, 0), axis=0)
    run = (row - moved).astype(np.float64)
    longest = run[first:since].max(axis=0, initial=0.0)
    return run, STILL_FACTOR * longest + STILL_EXTRA


def _alone_missing(features: Floats, names: list[str], feeds: tuple[Feed, ...]) -> Flags:
    """Where a feature is missing though most others of each of its feeds are there, ``[T, M, F]``.

    What is missing together is the feed's affair (``freshness``), or a chain too thin to be read.
    """
    missing = ~np.isfinite(features)
    explained = np.zeros(missing.shape, dtype=np.bool_)
    for feed in feeds:
        own = [i for i, name in enumerate(names) if name in feed.features]
        # Features of several feeds say nothing of one of them.
        proper = [i for i in own if sum(names[i] in each.features for each in feeds) == 1]
        count = missing[:, :, proper].sum(axis=2)
        for i in own:
            others = len(proper) - (i in proper)
            if others:
                gone = count - (missing[:, :, i] if i in proper else 0)
                explained[:, :, i] |= gone >= 0.5 * others
    return missing & ~explained


def _gap_excess(missing: Flags, first: int, since: int, least: float) -> tuple[Floats, Floats]:
    """Share of the last sessions that is missing less that of the reference ``[T, K]``, and each column's bound."""
    total = np.cumsum(np.vstack([np.zeros((1, missing.shape[1])), missing]), axis=0)
    recent = np.full(missing.shape, np.nan)
    recent[GAP_WINDOW - 1 :] = (total[GAP_WINDOW:] - total[:-GAP_WINDOW]) / GAP_WINDOW
    if since - first < GAP_WINDOW:
        return recent, np.full(missing.shape[1], least)
    excess: Floats = recent - missing[first:since].mean(axis=0)
    # Some features are missing in runs, as the chain bears them or not: a run like those of the reference is none.
    worst = excess[first + GAP_WINDOW - 1 : since].max(axis=0)
    return excess, np.maximum(least, worst + GAP_MARGIN)
