"""Signals of the model: are its probabilities still right, does it still earn, and what is the market like."""

import numpy as np

from hydra_agent.observe.edge_score import edge_score
from hydra_agent.observe.signals import POOL, Family, Floats, Level, SignalReason, SignalTrack, graded
from hydra_agent.view import GroupView, Reign
from hydra_assets.stats.detectors.alarms import REARM, episodes
from hydra_assets.stats.detectors.calibration import CalibrationCusum
from hydra_assets.stats.returns import SESSIONS_PER_YEAR

CALIBRATION = CalibrationCusum(odds_ratio=1.5)
"""A base rate that moves from one half to three fifths."""
ODDS_THRESHOLD = 6.0
"""0.02 alarms a year of four markets whose outcomes do not overlap (``outcomes_due``), where the table's null is one
market with overlapping ones (``python -m hydra_agent.healbench.budgets``). Dear, for a base rate moved by mistake
changes a model that should be kept; scheduled refits follow a slow move by themselves."""
EDGE_REARM = 0.8
"""Share of the threshold below which the edge counts as back. Nearer to it than elsewhere: while it is held against a
champion it does not trade, and waiting for half costs half as much again (``healbench.budgets``)."""


def outcomes_due(view: GroupView, reign: Reign) -> tuple[Floats, Floats]:
    """Outcomes by the reign's label and the probabilities said of them, at the rows that made them known: ``[T, M]``.

    Decisions of neighbouring sessions share most of their outcome, so of each market every horizon-th counts; markets
    take turns.
    """
    view, horizon = view.of(reign.walk.recipe.label), reign.walk.recipe.horizon_sessions
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
    statistic = newest_of_session(pooled)
    return [_pooled(Family.CALIBRATION, "odds", statistic, threshold, SignalReason.MISCALIBRATED, Level.WARNING)]


def performance_signals(
    view: GroupView, reign: Reign, warning_years: float, critical_years: float
) -> list[SignalTrack]:
    """Whether prices still answer to what the champion says (``edge_score``).

    Statistics are in units of the threshold, which the years between two false alarms and the champion's own claims
    give, so each has a threshold of 1.
    """
    found = edge_score(view, reign.walk, reign.since)
    statistic = found.statistic
    warning, critical = (
        statistic / found.threshold(years * SESSIONS_PER_YEAR) for years in (warning_years, critical_years)
    )
    for track in (warning, critical):
        track[: reign.since] = np.nan
    reasons = SignalReason.EDGE_FALLING, SignalReason.EDGE_GONE
    return [
        _pooled(Family.PERFORMANCE, "edge_warning", warning, 1.0, reasons[0], Level.WARNING, EDGE_REARM),
        _pooled(Family.PERFORMANCE, "edge", critical, 1.0, reasons[1], Level.CRITICAL, EDGE_REARM),
    ]


def regime_signals(view: GroupView) -> list[SignalTrack]:
    """The pool's volatility state, for the diagnosis; a state of the market is no fault."""
    state = view.regime.astype(np.float64)
    level = graded(state, (1.5, Level.INFO))
    return [SignalTrack(Family.REGIME, "volatility", POOL, state, 1.5, level, SignalReason.STRESSED)]


def _pooled(
    family: Family,
    name: str,
    statistic: Floats,
    threshold: float,
    reason: SignalReason,
    level: Level,
    rearm: float = REARM,
) -> SignalTrack:
    active = episodes(statistic, threshold, rearm).active
    return SignalTrack(
        family, name, POOL, statistic, threshold, np.where(active, int(level), 0).astype(np.int8), reason
    )


def newest_of_session(pooled: Floats) -> Floats:
    """Of ``[T, M]`` in order of time and market, each session's last value."""
    out = np.full(len(pooled), np.nan)
    for j in range(pooled.shape[1]):
        out = np.where(np.isfinite(pooled[:, j]), pooled[:, j], out)
    return out
