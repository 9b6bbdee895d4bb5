"""All signals of a group, and what a session's own come to."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hydra_agent.observe.data import activity_signals, contract_signals, freshness_signals
from hydra_agent.observe.drift import WATCHED, DriftThresholds, drift_signals
from hydra_agent.observe.model import ODDS_THRESHOLD, calibration_signals, performance_signals, regime_signals
from hydra_agent.observe.signals import Codes, Family, Level, Signal, SignalTrack
from hydra_agent.view import GroupView, Reign
from hydra_assets.stats.detectors.thresholds import threshold_for


@dataclass(frozen=True, slots=True)
class HealthConfig:
    """Thresholds of the detectors, each from its share of a budget of false alarms."""

    drift: DriftThresholds
    calibration: float = ODDS_THRESHOLD
    edge_warning_years: float = 1.0
    edge_critical_years: float = 20.0
    """Years between two false alarms of the group's edge. What is critical stops trading: false stops cost a sound
    champion 4.3 % of its profit at 5 years, 1.5 % at 10 and 0.8 % at 20, where two are allowed; an edge that turns is
    seen after 126, 182 and 252 sessions (``healbench.budgets``, 24 worlds)."""


DRIFT_BUDGET = 0.4
"""Alarms a market-year on features without any change, shared by level and consistency."""


def health_config(features: int) -> HealthConfig:
    """Thresholds for a panel of so many features a market (docs/studies/detectors.md)."""
    drift = threshold_for(WATCHED, DRIFT_BUDGET / 2.0, features).value
    return HealthConfig(DriftThresholds(drift))


@dataclass(frozen=True, eq=False)
class Health:
    """Tracks of all signals over the sessions of a view."""

    signals: tuple[SignalTrack, ...]
    sessions: int

    @cached_property
    def levels(self) -> Codes:
        """Levels of all signals, ``[signal, T]``."""
        return (
            np.stack([track.level for track in self.signals]) if self.signals else np.zeros((0, self.sessions), np.int8)
        )

    def drift_of(self, feature: str) -> list[SignalTrack]:
        """Tracks of a feature, of every market and kind."""
        return self._drift.get(feature, [])

    @cached_property
    def _drift(self) -> dict[str, list[SignalTrack]]:
        out: dict[str, list[SignalTrack]] = {}
        for track in self.signals:
            if track.family is Family.DRIFT:
                out.setdefault(track.name, []).append(track)
        return out

    def at(self, row: int, least: Level = Level.OK) -> list[Signal]:
        """Signals of a session of at least a level, gravest first, families in their own order."""
        found = [self.signals[i].at(row) for i in np.flatnonzero(self.levels[:, row] >= least)]
        order = list(Family)
        return sorted(found, key=lambda signal: (-signal.level, order.index(signal.family)))

    def level(self, families: Sequence[Family] = tuple(Family)) -> Codes:
        """Gravest level of each session over some families, ``[T]``."""
        chosen = [track.family in families for track in self.signals]
        gravest: Codes = self.levels[chosen].max(axis=0, initial=0)
        return gravest


def observe_data(view: GroupView) -> tuple[SignalTrack, ...]:
    """Signals that depend on no champion."""
    return (
        *contract_signals(view),
        *freshness_signals(view),
        *activity_signals(view),
        *regime_signals(view),
    )


def observe(
    view: GroupView,
    reign: Reign | None,
    config: HealthConfig,
    data: Sequence[SignalTrack] | None = None,
    drift: Sequence[SignalTrack] | None = None,
) -> Health:
    """Everything that is watched; without a champion its data alone.

    ``data`` takes the result of ``observe_data`` where it is at hand, ``drift`` that of ``drift_signals``: neither
    depends on what the champion says.
    """
    found = tuple(observe_data(view) if data is None else data)
    if reign is not None:
        found += (
            *(drift_signals(view, reign.since, config.drift) if drift is None else drift),
            *calibration_signals(view, reign, config.calibration),
            *performance_signals(view, reign, config.edge_warning_years, config.edge_critical_years),
        )
    return Health(found, len(view))
