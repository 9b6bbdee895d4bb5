"""A healing turn: experiments chosen by the heads, walked up to the seal, judged on every trial so far."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from hydra_agent.arena import played
from hydra_agent.diagnose.causes import Diagnosis
from hydra_agent.heads.base import Head, Situation
from hydra_agent.heads.budget import DEFAULT_BUDGET, ExperimentOutcome
from hydra_agent.heads.hypothesise import HEADS, Past, hypothesise
from hydra_agent.heads.research import ResearchHead
from hydra_agent.healbench.case import Case
from hydra_agent.judge.cycle import Trial, judge
from hydra_agent.judge.holdout import HOLDOUT_SESSIONS, judge_holdout
from hydra_agent.observe.signals import Family, Level
from hydra_agent.past import HOLDOUT_WEALTH, OUTCOMES, TriedExperiment, VerdictCode
from hydra_agent.playbook.proposal import Proposal
from hydra_assets.models.recipe import Recipe
from hydra_assets.stats.alpha_wealth import Durable, Opening, WealthEvent, spend
from hydra_assets.verdict import Severity, Verdict

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Affordable:
    """A head without what a case cannot pay for."""

    head: Head
    affordable: Callable[[Recipe], bool]

    @property
    def name(self) -> str:
        """Name in records."""
        return self.head.name

    @property
    def every_sessions(self) -> int:
        """Sessions between two turns."""
        return self.head.every_sessions

    def propose(self, situation: Situation) -> list[Proposal]:
        """Proposals whose recipe can be paid for."""
        champion = situation.champion
        return [one for one in self.head.propose(situation) if self.affordable(one.recipe(champion))]


def heads_of(case: Case) -> tuple[Head, ...]:
    """HYDRA's heads as the case can pay for them, the research head with the case's providers."""
    own = [replace(head, providers=case.providers) if isinstance(head, ResearchHead) else head for head in HEADS]
    return tuple(Affordable(head, case.affordable) for head in own)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a turn came to."""

    message: str
    experiments: int
    key: str = ""
    promoted: Recipe | None = None


@dataclass(eq=False)
class Court:
    """The trials of a life, and what they have cost."""

    case: Case
    trials: list[Trial] = field(default_factory=list)
    experiments: list[TriedExperiment] = field(default_factory=list)
    recipes: list[tuple[Recipe, int]] = field(default_factory=list)
    turns: dict[str, int] = field(default_factory=dict)
    wealth: list[WealthEvent] = field(default_factory=list)

    def confirmed(self, experiment: str | None) -> None:
        """A promotion has proved durable."""
        if experiment is not None:
            self.wealth.append(Durable(experiment))

    def turn(self, row: int, champion: Recipe, diagnosis: Diagnosis, extra: Sequence[Proposal] = ()) -> Outcome:
        """Experiment at a session's cutoff and judge what comes of it."""
        chosen = self._chosen(row, champion, diagnosis, extra)
        return self._judged(row, champion, chosen) if chosen else Outcome("nothing to try", 0)

    def newest(self, row: int, champion: Recipe, diagnosis: Diagnosis) -> Recipe | None:
        """The last experiment that would be tried, judged by nobody."""
        chosen = self._chosen(row, champion, diagnosis, ())
        self._remember(row, dict.fromkeys(range(len(chosen)), VerdictCode.STOPPED), dict(enumerate(chosen)))
        return chosen[-1][1] if chosen else None

    def _chosen(
        self, row: int, champion: Recipe, diagnosis: Diagnosis, extra: Sequence[Proposal]
    ) -> tuple[tuple[Proposal, Recipe], ...]:
        case = self.case
        situation = Situation(champion, diagnosis, row + 1, case.view.feature_names)
        budget = replace(DEFAULT_BUDGET, per_cycle=case.setting.per_cycle)
        past = Past(self.experiments, self.recipes, self.turns)
        return hypothesise(situation, past, row, heads_of(case), extra, budget).chosen

    def _judged(self, row: int, champion: Recipe, chosen: Sequence[tuple[Proposal, Recipe]]) -> Outcome:
        case, sealed_row = self.case, row + 1 - HOLDOUT_SESSIONS
        keys = [f"{row}.{i}" for i in range(len(chosen))]
        planned = dict(zip(keys, chosen, strict=True))
        walked = case.lab.walk({key: recipe for key, (_, recipe) in planned.items()}, sealed_row)
        walks = [walk for walk in walked.values() if np.isfinite(walk.probability).any()]
        own = case.lab.walk({"champion": champion}, sealed_row)["champion"]
        returns = played(case.market, [*walks, own])
        for i, walk in enumerate(walks):
            first = walk.starts[0]
            self.trials.append(Trial(walk.name, case.view.days[first:sealed_row], returns.net[i, first:]))
        verdict = judge(case.view.until(sealed_row), walks, own, returns, self.trials, self._contracts(sealed_row))
        outcome, codes = Outcome("no candidate passed", len(chosen)), dict.fromkeys(keys, VerdictCode.STOPPED)
        if verdict.passed:
            best = verdict.passed[0]
            passed = self._open(row, best, planned[best][1], champion)
            codes |= dict.fromkeys(verdict.passed[1:], VerdictCode.NOT_FITTEST)
            codes[best] = VerdictCode.PROMOTE if passed else VerdictCode.HOLDOUT
            outcome = Outcome(str(codes[best]), len(chosen), best, planned[best][1] if passed else None)
        self._remember(row, codes, planned)
        return outcome

    def _remember(self, row: int, codes: Mapping[K, VerdictCode], planned: Mapping[K, tuple[Proposal, Recipe]]) -> None:
        for key, (proposal, recipe) in planned.items():
            found = OUTCOMES.get(codes[key], ExperimentOutcome.FAILED)
            self.experiments.append(TriedExperiment(row, proposal.head, proposal.category, found))
            self.recipes.append((recipe, row))
            self.turns[proposal.head] = row

    def _open(self, row: int, key: str, recipe: Recipe, champion: Recipe) -> bool:
        """Break the seal for one candidate."""
        level = spend(self.wealth, HOLDOUT_WEALTH)
        if level is None:
            return False
        walks = self.case.lab.walk({key: recipe, "champion": champion}, row + 1)
        returns = played(self.case.market, list(walks.values()))
        sealed = slice(row + 1 - HOLDOUT_SESSIONS, row + 1)
        found = judge_holdout(returns, True, sealed, level, max(recipe.reach_sessions, champion.reach_sessions))
        self.wealth.append(Opening(key, level, found.passed))
        return found.passed

    def _contracts(self, sealed_row: int) -> tuple[Verdict, ...]:
        broken = any(
            track.level[sealed_row - 1] >= Level.CRITICAL for track in self.case.data if track.family is Family.CONTRACT
        )
        return (Verdict("contracts", not broken, Severity.ERROR, "unit_change" if broken else "ok", ""),)
