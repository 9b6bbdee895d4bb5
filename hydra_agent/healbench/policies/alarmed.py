"""Policies that act on alarms or ideas without asking whether they are worth it."""

from dataclasses import dataclass

import numpy as np

from hydra_agent.diagnose.causes import Diagnosis
from hydra_agent.healbench.case import Case, Event, EventKind, Promotion, Record, Voice
from hydra_agent.healbench.policies.court import Court
from hydra_agent.observe.drift import drift_signals
from hydra_agent.observe.model import calibration_signals, performance_signals
from hydra_agent.observe.signals import Level
from hydra_agent.view import Floats, Reign, Walk

NEWEST_WINDOW = 504
"""Sessions that a refit after an alarm is trained on: what came before is of another market, it is thought."""


@dataclass(frozen=True, slots=True)
class DetectThenRetrain:
    """Any alarm of drift, calibration or edge: the same recipe is fitted to the newest window, a quarter at most once.

    The detectors are HYDRA's own; what differs is what is done about them.
    """

    name: str = "detect, retrain"

    def run(self, case: Case) -> Record:
        """Refit at every onset."""
        rows, first = case.shape[0], case.setting.first
        probability, base, exposure = case.silence()
        recipe = case.recipe.model_copy(update={"window_sessions": NEWEST_WINDOW})
        voice, row, events = Voice(case.recipe, first), first, list[Event]()
        while row < rows:
            probability[row:], base[row:] = case.spoken(voice, row, rows)
            alarm = self._alarm(case, probability, base, row)
            if alarm is None or alarm + 1 >= rows:
                break
            row = alarm + 1
            voice = Voice(recipe, row)
            events.append(Event(alarm, EventKind.REFIT))
        return Record(self.name, probability, base, exposure, tuple(events), alarmed=tuple(e.row for e in events))

    def _alarm(self, case: Case, probability: Floats, base: Floats, since: int) -> int | None:
        """First row of an alarm at least a quarter after ``since``."""
        nothing = np.zeros(case.shape[0])
        walk = Walk(self.name, case.recipe, probability, base, (since,))
        reign = Reign(walk, 1, since, nothing, nothing, 0.0, 0.0, 0.25)
        years = case.config.edge_warning_years
        tracks = (
            *drift_signals(case.view, since, case.config.drift),
            *calibration_signals(case.view, reign, case.config.calibration),
            *performance_signals(case.view, reign, years, years),
        )
        active = np.flatnonzero(np.max([track.level for track in tracks], axis=0) >= Level.WARNING)
        later = active[active >= since + case.setting.refit]
        return int(later[0]) if len(later) else None


@dataclass(frozen=True, slots=True)
class NewestWins:
    """Experiments every so often, and the last one that was tried becomes champion: no gate at all."""

    name: str = "newest wins"

    def run(self, case: Case) -> Record:
        """Replace the recipe at every turn, refit in between."""
        rows, setting = case.shape[0], case.setting
        probability, base, exposure = case.silence()
        court, recipe = Court(case), case.recipe
        events, promotions = list[Event](), list[Promotion]()
        for row in range(setting.first, rows, setting.refit):
            if row > setting.first and (row - setting.first) % setting.turn == 0:
                new = court.newest(row - 1, recipe, Diagnosis(()))
                if new is not None:
                    promotions.append(Promotion(row - 1, new, recipe))
                    events.append(Event(row - 1, EventKind.PROMOTED))
                    recipe = new
            end = min(row + setting.refit, rows)
            probability[row:end], base[row:end] = case.spoken(Voice(recipe, row), row, end)
        return Record(self.name, probability, base, exposure, tuple(events), tuple(promotions))
