"""Signals of the model: are its probabilities still right, does it still earn, and what is the market like."""

import numpy as np

from hydra_agent.observe.signals import POOL, Family, Floats, Level, SignalReason, SignalTrack, graded
from hydra_agent.view import GroupView, Reign
from hydra_assets.stats.detectors.alarms import episodes
from hydra_assets.stats.detectors.calibration import CalibrationCusum
from hydra_assets.stats.detectors.edge import EdgeCusum, normal_threshold
from hydra_assets.stats.returns import SESSIONS_PER_YEAR

CALIBRATION = CalibrationCusum(odds_ratio=2.0)
LEAST_FALL = 0.04
"""Standard deviations a session; 0.6 of annual Sharpe ratio. A champion that promises less cannot be told from none."""


def outcomes_due(view: GroupView, reign: Reign) -> tuple[Floats, Floats]:
    """Outcomes and the probabilities said of them, at the row that made them known: both ``[T, M]``.

    Decisions of neighbouring sessions share most of their outcome, so of each market every horizon-th counts; markets
    take turns.
    """
    horizon = reign.walk.recipe.horizon_sessions
    up, said = np.full(view.up.shape, np.nan), np.full(view.up.shape, np.nan)
    for j in range(view.up.shape[1]):
        rows = np.arange(reign.since + j % horizon, len(view), horizon)
        rows = rows[(view.exit_row[rows, j] >= 0) & np.isfinite(reign.walk.probability[rows, j])]
        up[view.exit_row[rows, j], j] = view.up[rows, j]
        said[view.exit_row[rows, j], j] = reign.walk.probability[rows, j]
    return up, said


def calibration_signals(view: GroupView, reign: Reign, threshold: float) -> list[SignalTrack]:
    """Whether things happen as often as was said, over all markets in one sum."""
    up, said = outcomes_due(view, reign)
    # Markets one after the other within a session: the sum does not mind, and one series has the power of all.
    t, m = up.shape
    pooled = CALIBRATION.statistics(up.reshape(-1), said.reshape(-1)).statistic.reshape(t, m)
    statistic = _newest(pooled)
    return [_pooled(Family.CALIBRATION, "odds", statistic, threshold, SignalReason.MISCALIBRATED, Level.WARNING)]


def performance_signals(reign: Reign, warning_years: float, critical_years: float) -> list[SignalTrack]:
    """Whether the pooled return is still that of the walk-forward, or of no edge: Page's optimal CUSUM of the two.

    Thresholds follow from the years between two false alarms, for the fall that the champion's own expectation gives.
    Returns are held to five standard deviations: one crash is no evidence on an edge.
    """
    if not reign.expected_sd > 0.0:
        return []
    good = max(reign.expected_net / reign.expected_sd, LEAST_FALL)
    x = np.clip(reign.net / reign.expected_sd, -5.0, 5.0)
    x[: reign.since] = np.nan
    detector = EdgeCusum(good, 0.0)
    statistic = detector.statistics(x).statistic
    warning, critical = (
        normal_threshold(detector.fall, years * SESSIONS_PER_YEAR) for years in (warning_years, critical_years)
    )
    return [
        _pooled(Family.PERFORMANCE, "edge_warning", statistic, warning, SignalReason.EDGE_FALLING, Level.WARNING),
        _pooled(Family.PERFORMANCE, "edge", statistic, critical, SignalReason.EDGE_GONE, Level.CRITICAL),
    ]


def regime_signals(view: GroupView) -> list[SignalTrack]:
    """The pool's volatility state, for the diagnosis; a state of the market is no fault."""
    state = view.regime.astype(np.float64)
    level = graded(state, (1.5, Level.INFO))
    return [SignalTrack(Family.REGIME, "volatility", POOL, state, 1.5, level, SignalReason.STRESSED)]


def _pooled(
    family: Family, name: str, statistic: Floats, threshold: float, reason: SignalReason, level: Level
) -> SignalTrack:
    active = episodes(statistic, threshold).active
    return SignalTrack(
        family, name, POOL, statistic, threshold, np.where(active, int(level), 0).astype(np.int8), reason
    )


def _newest(pooled: Floats) -> Floats:
    """Of ``[T, M]`` in order of time and market, each session's last value."""
    out = np.full(len(pooled), np.nan)
    for j in range(pooled.shape[1]):
        out = np.where(np.isfinite(pooled[:, j]), pooled[:, j], out)
    return out
