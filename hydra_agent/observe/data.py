"""Data contracts, freshness and activity: what is asked of the feeds before anything is asked of a model."""

import numpy as np

from hydra_agent.observe.signals import Family, Floats, Level, SignalReason, SignalTrack, graded
from hydra_agent.view import FeedKind, GroupView

UNIT_FACTOR = {FeedKind.PRICES: 5.0, FeedKind.OPTIONS: 5.0, FeedKind.VOLUMES: 30.0, FeedKind.REPORTS: 10.0}
"""Factor against the last believed levels beyond which a delivery is in another unit. Prices do not move so overnight
(``quality_prices``); the volume of a thin market does move tenfold, a report's open interest by a few per cent."""
BELIEVED = 5
"""Deliveries whose median is the level to compare with."""
LATE_FACTOR, STALE_FACTOR = 1.0, 2.0
"""A feed is late one session after its due date and stale one session after the next delivery was due as well."""
DROUGHT, DORMANT = 0.4, 0.05
"""Share of a market's usual volume below which it is a drought, and below which it is dormant."""
USUAL_SESSIONS, RECENT_SESSIONS, MIN_USUAL = 252, 10, 60


def unit_changes(levels: Floats, factor: float, at_least: Floats | None = None) -> Floats:
    """|log| of each level against the median of the last believed ones, ``[T, M]``; NaN where nothing is compared.

    A level beyond the factor is not believed, so a change of unit stays one until the old unit is back. With
    ``at_least`` ``[T, M]`` only rises count, against that level where it is the higher one.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        logs = np.where(levels > 0.0, np.log(levels), np.nan)
        floor = None if at_least is None else np.log(at_least)
    out = np.full(levels.shape, np.nan)
    bound = float(np.log(factor))
    for j in range(levels.shape[1]):
        seen = np.flatnonzero(np.isfinite(logs[:, j]))
        values, own = logs[seen, j], None if floor is None else floor[seen, j]
        if len(values) <= BELIEVED:
            continue
        before = np.median(np.lib.stride_tricks.sliding_window_view(values[:-1], BELIEVED), axis=1)
        apart = _apart(values[BELIEVED:], before, None if own is None else own[BELIEVED:])
        if not (apart > bound).any():
            out[seen[BELIEVED:], j] = apart
            continue
        out[seen, j] = _one_by_one(values, bound, own)
    return out


def _one_by_one(values: Floats, bound: float, floor: Floats | None) -> Floats:
    """The same where something was not believed: the window is of believed levels only."""
    out = np.full(len(values), np.nan)
    believed = list(values[:BELIEVED])
    for t in range(BELIEVED, len(values)):
        before = np.median(believed[-BELIEVED:], keepdims=True)
        out[t] = _apart(values[t : t + 1], before, None if floor is None else floor[t : t + 1])[0]
        if out[t] <= bound:
            believed.append(float(values[t]))
    return out


def _apart(values: Floats, before: Floats, floor: Floats | None) -> Floats:
    if floor is None:
        return np.asarray(np.abs(values - before))
    return np.asarray(np.maximum(values - np.fmax(before, floor), 0.0))


def contract_signals(view: GroupView) -> list[SignalTrack]:
    """A change of unit in any feed that has one; CRITICAL, for nothing may be traded on it."""
    out = []
    for k, feed in enumerate(view.feeds):
        factor = UNIT_FACTOR.get(feed.kind)
        if factor is None or not feed.has_unit:
            continue
        levels = view.feed_level[:, :, k]
        if feed.kind is FeedKind.VOLUMES:
            # A volume that falls to a hundredth is a market that rests, which ``activity_signals`` stops, and one that
            # comes back from there is what it was: only more than ever is usual can be another unit.
            usual = _trailing_median(levels, USUAL_SESSIONS, MIN_USUAL)
            apart = unit_changes(levels, factor, np.vstack([np.full((1, levels.shape[1]), np.nan), usual[:-1]]))
        else:
            apart = unit_changes(levels, factor)
        bound = float(np.log(factor))
        for j, symbol in enumerate(view.symbols):
            level = graded(apart[:, j], (bound, Level.CRITICAL))
            out.append(
                SignalTrack(Family.CONTRACT, feed.name, symbol, apart[:, j], bound, level, SignalReason.UNIT_CHANGE)
            )
    return out


def freshness_signals(view: GroupView) -> list[SignalTrack]:
    """Age of each feed on the ladder: on time, late (WARNING), stale (CRITICAL)."""
    out = []
    for k, feed in enumerate(view.feeds):
        late, stale = LATE_FACTOR * feed.due_sessions, STALE_FACTOR * feed.due_sessions
        for j, symbol in enumerate(view.symbols):
            age = view.feed_age[:, j, k]
            level = graded(age, (late, Level.WARNING), (stale, Level.CRITICAL))
            reasons = SignalReason.LATE, SignalReason.STALE
            out.append(SignalTrack(Family.FRESHNESS, feed.name, symbol, age, late, level, *reasons))
    return out


def volume_ratio(view: GroupView) -> Floats:
    """Median volume of the last sessions over the usual one, ``[T, M]``; NaN where the usual one is not known."""
    kinds = [feed.kind for feed in view.feeds]
    if FeedKind.VOLUMES not in kinds:
        return np.full(view.market.settle.shape, np.nan)
    k = kinds.index(FeedKind.VOLUMES)
    volume = np.where(view.feed_age[:, :, k] == 0, view.feed_level[:, :, k], 0.0)
    volume[~np.isfinite(view.feed_level[:, :, k])] = np.nan
    recent = _trailing_median(volume, RECENT_SESSIONS, RECENT_SESSIONS)
    # What is usual ends where the recent sessions begin: a drought does not lower its own yardstick at once.
    usual = np.full(volume.shape, np.nan)
    usual[RECENT_SESSIONS:] = _trailing_median(volume, USUAL_SESSIONS, MIN_USUAL)[:-RECENT_SESSIONS]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(usual > 0.0, recent / usual, np.nan)


def activity_signals(view: GroupView) -> list[SignalTrack]:
    """How much less is traded than usual: 1 - ratio.

    A drought is a WARNING; a dormant market is CRITICAL to trade in, and says nothing of the model.
    """
    quiet = 1.0 - volume_ratio(view)
    out = []
    for j, symbol in enumerate(view.symbols):
        level = graded(quiet[:, j], (1.0 - DROUGHT, Level.WARNING), (1.0 - DORMANT, Level.CRITICAL))
        reasons = SignalReason.DROUGHT, SignalReason.DORMANT
        out.append(SignalTrack(Family.ACTIVITY, "volume", symbol, quiet[:, j], 1.0 - DROUGHT, level, *reasons))
    return out


def _trailing_median(values: Floats, window: int, minimum: int) -> Floats:
    out = np.full(values.shape, np.nan)
    for j in range(values.shape[1]):
        padded = np.concatenate([np.full(window - 1, np.nan), values[:, j]])
        windows = np.lib.stride_tricks.sliding_window_view(padded, window)
        enough = np.isfinite(windows).sum(axis=1) >= minimum
        if enough.any():
            out[enough, j] = np.nanmedian(windows[enough], axis=1)
    return out
