"""The champion of a case in the course of its reign: what it says to the end of the path, as it would say it now.

Tracks are causal, so they are made over the whole path at once, and made again from a row on when something about the
champion changes there. Scheduled refits follow ``evaluation.refit``: held back where probabilities have become worse
than the base rate's or fresh fits do worse than the reigning one.
"""

from dataclasses import replace

import numpy as np

from hydra_agent.arena import played, squared_errors
from hydra_agent.healbench.case import Case, Event, EventKind, Voice
from hydra_agent.healbench.lab import fold_starts
from hydra_agent.observe.drift import drift_signals
from hydra_agent.observe.health import Health, observe
from hydra_agent.observe.signals import Family, Level
from hydra_agent.shadow import Step, steps
from hydra_agent.view import Reign, Walk
from hydra_assets.evaluation.refit import judge_refit
from hydra_assets.models.recipe import Recipe
from hydra_assets.verdict import Severity, Verdict


class Throne:
    """One reign. ``voice`` is who speaks at the end of the path as things stand, ``voices`` who speaks from which row.

    ``before`` is the predecessor in shadow; None is cash.
    """

    def __init__(
        self,
        case: Case,
        recipe: Recipe,
        since: int,
        before: Voice | None,
        *,
        confirmed: bool,
        fit_row: int | None = None,
    ) -> None:
        self.case, self.recipe, self.since, self.before, self.confirmed = case, recipe, since, before, confirmed
        t, m = case.shape
        self.probability, self.base = np.full((t, m), np.nan), np.full((t, m), np.nan)
        self.voices: list[tuple[int, Voice]] = [(since, Voice(recipe, since if fit_row is None else fit_row))]
        self.trial = case.lab.walk({"trial": recipe}, t)["trial"]
        self.refits: list[Event] = []
        silent = np.full((t, m), np.nan)
        shadow = silent, silent
        if before is not None:
            said, base = case.spoken(before, since, t)
            shadow = (np.vstack([silent[:since], said]), np.vstack([silent[:since], base]))
        self._shadow = Walk("shadow", recipe, *shadow, ())
        self._speak(since)
        own = played(case.market, [self.trial]).net[0]
        tried = own[fold_starts(recipe, since)[0] : since]
        self._expected = float(tried.mean()), float(tried.std(ddof=1))
        errors = squared_errors(case.view, self.trial.until(since))
        self._expected_brier = float(np.nanmean(errors)) if np.isfinite(errors).any() else 0.25
        self._drift = drift_signals(case.view, since, case.config.drift)
        self._observe()

    def voice(self, row: int) -> Voice:
        """Who speaks at a row."""
        return next(voice for start, voice in reversed(self.voices) if start <= row)

    def reign_now(self, row: int) -> Reign:
        """The reign as if the voice of a row had spoken from its beginning: outcomes are held against what stands."""
        said = self.probability.copy()
        said[self.since : row + 1] = self.case.spoken(self.voice(row), self.since, row + 1)[0]
        return replace(self.reign, walk=replace(self.reign.walk, probability=said))

    def amend(self, row: int, voice: Voice) -> None:
        """Let another voice of the same recipe speak from a row on."""
        self.voices = [(start, one) for start, one in self.voices if start < row] + [(row, voice)]
        self.refits = [event for event in self.refits if event.row < row]
        self._speak(row)
        self._observe()

    def steps(self, after: int) -> list[Step]:
        """Confirmation and taking back as things stand, later than a row."""
        found = steps(np.nan_to_num(self.reign.net), self._against, self.since, self.confirmed)
        return [step for step in found if step.row > after]

    def _speak(self, row: int) -> None:
        """Say everything from a row on, refitted on schedule where the refit is not held back."""
        case, (t, _) = self.case, self.case.shape
        due = [start for start in range(self.since + case.setting.refit, t, case.setting.refit) if start > row]
        own, base = (squared_errors(case.view, walk) for walk in (self.trial, self._baseline()))
        voice, start = self.voices[-1][1], row
        broken = self._broken()
        for end in [*due, t]:
            self.probability[start:end], self.base[start:end] = case.spoken(voice, start, end)
            start = end
            if end == t:
                break
            # The fit is judged without its amendments, which fresh fits do not have either.
            reigning = squared_errors(case.view.until(end), self._bare(voice, end))
            contract = Verdict("contracts", not broken[end - 1], Severity.ERROR, "", "")
            verdict = judge_refit([contract], own[:end], base[:end], reigning, self.recipe.reach_sessions)
            if verdict.passed:
                voice = replace(voice, fit_row=end, offset=0.0)
                self.voices.append((end, voice))
                self.refits.append(Event(end, EventKind.REFIT))

    def _bare(self, voice: Voice, stop: int) -> Walk:
        """What a voice's fit says of the sessions after it, nothing masked and nothing moved."""
        said, base = (np.full((stop, self.case.shape[1]), np.nan) for _ in range(2))
        since = voice.fit_row
        said[since:], base[since:] = self.case.spoken(Voice(voice.recipe, since), since, stop)
        return Walk("fit", self.recipe, said, base, ())

    def _baseline(self) -> Walk:
        return replace(self.trial, probability=self.trial.base)

    def _broken(self) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        levels = [track.level for track in self.case.data if track.family is Family.CONTRACT]
        return np.asarray(np.max(levels, axis=0) >= Level.CRITICAL)

    def _observe(self) -> None:
        case = self.case
        said = Walk("champion", self.recipe, self.probability, self.base, (self.since,))
        returns = played(case.market, [said, self._shadow])
        net, gross = returns.net[0].copy(), returns.gross[0].copy()
        net[: self.since] = gross[: self.since] = np.nan
        self._against = returns.net[1]
        mean, sd = self._expected
        self.reign = Reign(said, 1, self.since, net, gross, mean, sd, self._expected_brier)
        self.health: Health = observe(case.view, self.reign, case.config, case.data, self._drift)
        self.worst = self.health.levels.max(axis=0)
