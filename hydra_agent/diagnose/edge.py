"""Causes in the model: shifted labels, a fit that never held, an edge that is gone or has turned round."""

import numpy as np

from hydra_agent.diagnose.causes import Cause, CauseCode
from hydra_agent.observe.edge_score import edge_score
from hydra_agent.observe.health import Health
from hydra_agent.observe.model import outcomes_due
from hydra_agent.observe.signals import Family, Floats, Level, SignalTrack
from hydra_agent.view import GroupView, Reign
from hydra_assets.stats.returns import SESSIONS_PER_YEAR

RECENT_OUTCOMES = 120
FROM_THE_START_SESSIONS = 40
"""A fall that begins within these sessions of the reign is no change: the champion never was what it seemed."""
Z = 2.0
BIAS_Z = 1.0
"""Of the newest outcomes alone; that there is a bias at all is the detector's word, which looks further back."""
REVERSED_Z = -1.7
"""A statistic that has climbed from zero to its threshold has a score below zero in any case: by one standard deviation
after the years that an edge of nothing takes, by two after the half year that a reversed one takes."""


def edge_causes(view: GroupView, reign: Reign, health: Health, row: int) -> list[Cause]:
    """Causes that the calibration's and the performance's signals speak for at a row."""
    tracks = {track.name: track for track in health.signals if track.family in {Family.CALIBRATION, Family.PERFORMANCE}}
    out = []
    if (odds := tracks.get("odds")) is not None and odds.level[row] >= Level.WARNING:
        out += _label_shift(view, reign, odds, row)
    gone, falling = tracks.get("edge"), tracks.get("edge_warning")
    if gone is not None and gone.level[row] >= Level.CRITICAL:
        out.append(_edge(view, reign, gone, row))
    elif falling is not None and falling.level[row] >= Level.WARNING:
        out.append(_transient(falling, row))
    return out


def _label_shift(view: GroupView, reign: Reign, odds: SignalTrack, row: int) -> list[Cause]:
    up, said = outcomes_due(view, reign)
    y, p = _newest(up[: row + 1]), _newest(said[: row + 1])
    if len(y) < 20:
        return []
    bias = float((y - p).sum() / np.sqrt((p * (1.0 - p)).sum()))
    tells = float(np.cov(p, y)[0, 1] / max(p.std() * y.std(), 1e-12) * np.sqrt(len(y)))
    confidence = 0.75 if abs(bias) > BIAS_Z and tells > -Z else 0.3
    return [
        Cause(
            CauseCode.LABEL_SHIFT,
            confidence,
            f"of the last {len(y)} outcomes {y.mean():.0%} rose where {p.mean():.0%} were said to",
            evidence={
                "bias_z": bias,
                "discrimination_z": tells,
                "over_threshold": odds.statistic[row] / odds.threshold,
            },
        )
    ]


def _newest(values: Floats) -> Floats:
    """The last outcomes in order of time, markets within a session as they come."""
    flat = values.reshape(-1)
    return flat[np.isfinite(flat)][-RECENT_OUTCOMES:]


def _edge(view: GroupView, reign: Reign, track: SignalTrack, row: int) -> Cause:
    statistic = track.statistic[: row + 1]
    zero = np.flatnonzero(statistic <= 0.0)
    since = max(int(zero[-1]) + 1 if len(zero) else reign.since, reign.since)
    found = edge_score(view, reign.walk, reign.since)
    score, claimed = found.score[since : row + 1], found.claimed[since : row + 1]
    spread = float(np.sqrt(max((found.ratio[row] * claimed).sum(), 1e-300)))
    z = float(score.sum()) / spread
    net = reign.net[since : row + 1]
    net = net[np.isfinite(net)]
    sharpe = float(net.mean() / net.std() * np.sqrt(SESSIONS_PER_YEAR)) if net.any() else 0.0
    evidence = {
        "sharpe_since": sharpe,
        "z_against_zero": z,
        "z_claimed": float(claimed.sum()) / spread,
        "sessions": float(row + 1 - since),
        "over_threshold": float(statistic[-1]) / track.threshold,
    }
    if since - reign.since <= FROM_THE_START_SESSIONS:
        code, words = CauseCode.OVERFITTING_DECAY, "was never there in use"
    elif z < REVERSED_Z:
        code, words = CauseCode.EDGE_REVERSED, "has turned round"
    else:
        code, words = CauseCode.EDGE_DECAY, "is gone"
    message = (
        f"the edge {words}: net Sharpe {sharpe:+.2f} over {len(net)} sessions; "
        f"prices answer what was said by {z:+.1f} standard deviations, {evidence['z_claimed']:+.1f} claimed"
    )
    return Cause(code, 0.8, message, since_row=since, evidence=evidence)


def _transient(track: SignalTrack, row: int) -> Cause:
    over = float(track.statistic[row]) / track.threshold
    message = "earns less than expected, not yet beyond what luck does"
    return Cause(CauseCode.TRANSIENT, 0.4, message, evidence={"over_threshold": over})
