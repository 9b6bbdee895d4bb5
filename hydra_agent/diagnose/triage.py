"""Ordered triage: a cause further up in the order explains away what lies below it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hydra_agent.diagnose.attribution import Attribution
from hydra_agent.diagnose.causes import Cause, CauseCode, Diagnosis
from hydra_agent.diagnose.edge import edge_causes
from hydra_agent.observe.health import Health
from hydra_agent.observe.signals import Family, Level, Signal, SignalReason, SignalTrack
from hydra_agent.view import GroupView, Reign
from hydra_assets.features.dictionary import FEATURES

EXPLAINED = 0.5
"""What is left of a model's cause where a cause in the data stands above it."""
MANY_FEATURES = 0.3
"""Share of the features that have to move for it to be the market and not a feed."""
SHIFTED_ALONE = 0.35
"""Confidence in a feature's corruption where nothing but its mean has moved: watched, not acted upon."""
DRAGGED_ALONG = 0.4
"""What the second most striking feature takes at most from the confidence in the first: features that lean on a broken
one stop going with it too."""
DATA = frozenset({Family.CONTRACT, Family.FRESHNESS, Family.ACTIVITY})
_TRACKS = {
    CauseCode.LABEL_SHIFT: "odds",
    CauseCode.OVERFITTING_DECAY: "edge",
    CauseCode.EDGE_REVERSED: "edge",
    CauseCode.EDGE_DECAY: "edge",
    CauseCode.TRANSIENT: "edge_warning",
}
UNREAD = 0.4
"""Confidence in a fault of a feature that the champion does not read; below it nothing is done."""
_GROUPS = {feature.name: str(feature.group) for feature in FEATURES}


def diagnose(
    view: GroupView, reign: Reign | None, health: Health, row: int, shap: Attribution | None = None
) -> Diagnosis:
    """Rank the causes of what is seen at a row.

    Parameters
    ----------
    view, reign, health
        What was observed; nothing after the row is looked at.
    row
        The session.
    shap
        What the features did to the champion's errors of late, where it was computed.
    """
    signals = health.at(row, Level.INFO)
    data = [*_contracts(signals), *_freshness(signals), *_activity(signals)]
    model = [*_features(view, reign, health, row, signals, shap)]
    if reign is not None and row >= reign.since:
        model += edge_causes(view, reign, health, row)
    sure = any(cause.confidence >= EXPLAINED for cause in data)
    since = min(
        (_begun(t, row) for t in health.signals if t.family in DATA and t.level[row] >= Level.WARNING), default=row
    )
    # Data explain what begins with them or later: a halt does not end because a report is late.
    ranked = data + [
        replace(cause, confidence=cause.confidence * EXPLAINED)
        if sure and _alarmed_since(health, cause, row) >= since
        else cause
        for cause in model
    ]
    order = list(CauseCode)
    return Diagnosis(tuple(sorted(ranked, key=lambda cause: (-cause.confidence, order.index(cause.code)))))


def _begun(track: SignalTrack, row: int, least: Level = Level.WARNING) -> int:
    """First row of the alarm that is open at a row."""
    quiet = np.flatnonzero(track.level[: row + 1] < least)
    return int(quiet[-1]) + 1 if len(quiet) else 0


def _alarmed_since(health: Health, cause: Cause, row: int) -> int:
    """Row on which a model's cause was first seen, which is later than when it is thought to have begun."""
    name = _TRACKS.get(cause.code)
    if name is None:
        return row if cause.since_row is None else cause.since_row
    least = Level.CRITICAL if name == "edge" else Level.WARNING
    return min((_begun(t, row, least) for t in health.signals if t.name == name), default=row)


def _contracts(signals: Sequence[Signal]) -> list[Cause]:
    broken = [s for s in signals if s.family is Family.CONTRACT and s.level >= Level.CRITICAL]
    if not broken:
        return []
    named = sorted({f"{s.name} of {s.scope}" for s in broken})
    worst = max(s.statistic for s in broken)
    return [
        Cause(
            CauseCode.UNIT_CHANGE,
            1.0,
            f"levels moved by a factor of {np.exp(worst):.0f}: {', '.join(named)}",
            scopes=tuple(sorted({s.scope for s in broken})),
            evidence={"log_factor": worst, "feeds": float(len(named))},
        )
    ]


def _freshness(signals: Sequence[Signal]) -> list[Cause]:
    out = []
    for code, level, confidence in (
        (CauseCode.STALE_SOURCE, Level.CRITICAL, 0.95),
        (CauseCode.LATE_SOURCE, Level.WARNING, 0.7),
    ):
        old = [s for s in signals if s.family is Family.FRESHNESS and s.level == level]
        if old:
            named = sorted({f"{s.name} of {s.scope}" for s in old})
            age = max(s.statistic for s in old)
            out.append(
                Cause(
                    code,
                    confidence,
                    f"nothing new for {age:.0f} sessions: {', '.join(named)}",
                    scopes=tuple(sorted({s.scope for s in old})),
                    evidence={"age_sessions": age, "feeds": float(len(named))},
                )
            )
    return out


def _activity(signals: Sequence[Signal]) -> list[Cause]:
    out = []
    for code, reason, confidence in (
        (CauseCode.DORMANT_MARKET, SignalReason.DORMANT, 0.95),
        (CauseCode.LIQUIDITY_DROUGHT, SignalReason.DROUGHT, 0.85),
    ):
        quiet = [s for s in signals if s.family is Family.ACTIVITY and s.reason is reason]
        if quiet:
            least = 1.0 - max(s.statistic for s in quiet)
            out.append(
                Cause(
                    code,
                    confidence,
                    f"{least:.0%} of the usual volume: {', '.join(s.scope for s in quiet)}",
                    scopes=tuple(s.scope for s in quiet),
                    evidence={f"volume_ratio_{s.scope}": 1.0 - s.statistic for s in quiet},
                )
            )
    return out


def _features(
    view: GroupView,
    reign: Reign | None,
    health: Health,
    row: int,
    signals: Sequence[Signal],
    shap: Attribution | None,
) -> list[Cause]:
    """One feature that moved alone is broken; many that moved together are another market.

    Features that the champion reads come first: what it does not read harms nobody yet, and is watched.
    """
    moved = [s for s in signals if s.family is Family.DRIFT and s.level >= Level.WARNING]
    if not moved:
        return []
    by_name: dict[str, list[Signal]] = {}
    for signal in moved:
        by_name.setdefault(signal.name, []).append(signal)
    share = len(by_name) / len(view.feature_names)
    groups = {_GROUPS.get(name, name) for name in by_name}
    if share >= MANY_FEATURES and len(groups) > 1:
        return [
            Cause(
                CauseCode.REGIME_CHANGE,
                min(0.9, 0.4 + share),
                f"{len(by_name)} of {len(view.feature_names)} features have moved",
                features=tuple(sorted(by_name)),
                evidence={"share_of_features": share, "groups": float(len(groups))},
            ),
        ]
    read = by_name.keys() if reign is None else by_name.keys() & set(reign.walk.recipe.features)
    by_name = {name: found for name, found in by_name.items() if name in read} or by_name
    episodes = {name: _episode(health, name, row) for name in by_name}
    weight = {name: worst for name, (_, worst) in episodes.items()}
    name = max(weight, key=lambda each: (weight[each], each))
    found = by_name[name]
    rest = sorted((value for other, value in weight.items() if other != name), reverse=True)
    alone = 1.0 if not rest else 1.0 - DRAGGED_ALONG * min(rest[0] / weight[name], 1.0)
    evidence = {"over_threshold": weight[name], "features_moved": float(len(by_name))}
    if shap is not None and name in shap.harm:
        evidence["share_of_errors"] = shap.harm[name]
    how, where = (", ".join(sorted(words)) for words in ({str(s.reason) for s in found}, {s.scope for s in found}))
    # A level that has moved may be the market's doing; what stands still, is not there or contradicts the rest is not.
    sure = 0.9 if any(s.reason is not SignalReason.SHIFTED for s in found) else SHIFTED_ALONE
    sure = sure if read else min(sure, UNREAD)
    return [
        Cause(
            CauseCode.FEATURE_CORRUPTED,
            sure * alone,
            f"{name} is {how} in {where}",
            scopes=tuple(sorted({s.scope for s in found})),
            features=(name,),
            since_row=episodes[name][0],
            evidence=evidence,
        ),
    ]


def _episode(health: Health, name: str, row: int) -> tuple[int, float]:
    """First row of a feature's open episodes, and how far over its threshold it has been since then at most.

    The worst so far and not the newest: features that lean on a broken one take turns with it.
    """
    first, worst = row, 0.0
    for track in health.drift_of(name):
        if track.level[row] >= Level.WARNING:
            begun = _begun(track, row)
            first = min(first, begun)
            worst = max(worst, float(np.nanmax(track.statistic[begun : row + 1])) / track.threshold)
    return first, worst
