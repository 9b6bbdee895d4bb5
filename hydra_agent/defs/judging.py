"""Judging a cycle: one replay, gates 1 to 7, the sealed hold-out for the fittest, and the ledger's entries."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hydra_agent.arena import Returns, played
from hydra_agent.defs.group_watch import Parts
from hydra_agent.defs.laboratory import Bench, run_recipes, walks_of
from hydra_agent.experiment.isolated import Run, RunReason
from hydra_agent.experiment.task import Limits
from hydra_agent.judge.cycle import CycleVerdict, judge
from hydra_agent.judge.holdout import HOLDOUT_SESSIONS, HoldoutReason, HoldoutVerdict, judge_holdout
from hydra_agent.past import HOLDOUT_WEALTH, VerdictCode, trials_of, wealth_events
from hydra_agent.view import Walk
from hydra_assets.columns import FUTURES_CURVE
from hydra_assets.defs.models import HELD
from hydra_assets.defs.training import expected_sessions
from hydra_assets.evaluation.contracts import input_contracts
from hydra_assets.features.curve_group import held_returns
from hydra_assets.models.recipe import Recipe
from hydra_assets.state.chain import EntryKind, series_bytes
from hydra_assets.state.journal import JournalEntry, JournalKind, write
from hydra_assets.state.trial_ledger import TrialLedger
from hydra_assets.stats.alpha_wealth import spend
from hydra_assets.stats.gate_records import CandidateReport
from hydra_assets.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Judged:
    """What a cycle came to: code and sentence by experiment, and every gate's report."""

    verdicts: dict[str, tuple[VerdictCode, str]]
    reports: tuple[CandidateReport, ...]


@dataclass(frozen=True)
class Court:
    """One cycle before the gates."""

    parts: Parts
    bench: Bench
    plans: Mapping[str, JournalEntry]
    recipes: dict[str, Recipe]
    runs: Sequence[Run]
    limits: Limits
    run_id: str

    @cached_property
    def ledger(self) -> TrialLedger:
        """The trial ledger of the home."""
        return TrialLedger(self.parts.database.engine, self.parts.home.root)

    @cached_property
    def walks(self) -> list[Walk]:
        """Candidates that could be trained."""
        return walks_of(self.runs, self.recipes, self.bench.known)

    @cached_property
    def champion(self) -> Walk | None:
        """The reigning recipe, walked over the same sessions."""
        return self.bench.champion_walk(self.bench.known)

    @cached_property
    def returns(self) -> Returns:
        """Of the candidates and of the champion after them, from one replay."""
        sides = [*self.walks, *([self.champion] if self.champion else [])]
        return played(self.bench.known.market, sides, factors=self.bench.known.factors)

    def judged(self) -> Judged:
        """Judge and record; judging again finds what is on record and changes nothing.

        Raises
        ------
        LedgerError
            The ledger was touched: nothing is judged by it.
        """
        self.ledger.verified()
        for run in self.runs:
            self._record_trial(run)
        verdict = CycleVerdict((), (), 0)
        if self.walks:
            trials = trials_of(self.ledger.verified(self.bench.group))
            view = self.bench.view.until(self.bench.sealed_row)
            verdict = judge(view, self.walks, self.champion, self.returns, trials, self.contracts())
        opened = self._open(verdict)
        found = {run.key: _code(run, verdict, opened) for run in self.runs}
        for key, (code, message) in found.items():
            self._record_verdict(key, code, message, verdict, opened.get(key))
        return Judged(found, verdict.reports)

    def contracts(self) -> tuple[Verdict, ...]:
        """Data checks on what the evaluation rests on, as of the seal."""
        bench, known = self.bench, self.bench.known
        symbols = [spec.symbol for spec in known.specs]
        curve = self.parts.lake.lake.read(FUTURES_CURVE.name, markets=symbols, last=bench.sealed_after, columns=HELD)
        expected = expected_sessions(self.parts.home, bench.group, bench.sealed_after)
        return input_contracts(known.features, known.labels, held_returns(curve), expected, bench.sealed_after)

    def _record_trial(self, run: Run) -> None:
        """A trial counts from the moment that its returns are known, before anybody has looked at a gate."""
        plan, recipe, series = self.plans[run.key], self.recipes[run.key], None
        place = next((i for i, walk in enumerate(self.walks) if walk.name == run.key), None)
        if place is not None and self.walks[place].starts:
            first = self.walks[place].starts[0]
            series = series_bytes(np.asarray(self.bench.known.market.days[first:]), self.returns.net[place, first:])
        facts: dict[str, Any] = {
            "session": self.bench.session.isoformat(),
            "cycle": plan.facts["cycle"],
            "head": plan.head,
            "category": plan.facts["category"],
            "mutations": plan.facts["mutations"],
            "recipe": recipe.model_dump_json(),
            "champion_recipe_sha256": plan.facts["champion_recipe_sha256"],
            "sealed_after": self.bench.sealed_after.isoformat(),
            "snapshot_sha256": run.result.get("snapshot", ""),
            "seed": recipe.seed,
            "run": str(run.reason),
        }
        self.ledger.append(EntryKind.TRIAL, self.bench.group, run.key, facts, series)

    def _open(self, verdict: CycleVerdict) -> dict[str, HoldoutVerdict]:
        """The hold-out of the fittest that passed; an opening that is on record is made at the same level."""
        if not verdict.passed:
            return {}
        key, bench = verdict.passed[0], self.bench
        entries = self.ledger.verified(bench.group)
        earlier = next((e for e in entries if e.kind is EntryKind.HOLDOUT and e.subject == key), None)
        level = float(earlier.facts["level"]) if earlier else spend(wealth_events(entries), HOLDOUT_WEALTH)
        if level is None:
            return {key: HoldoutVerdict(HoldoutReason.NO_WEALTH, None, None, HOLDOUT_SESSIONS)}
        found = self._opened(key, level)
        facts = {
            "level": level,
            "p_value": found.p_value,
            "passed": found.passed,
            "reason": str(found.reason),
            "sessions": found.sessions,
        }
        self.ledger.append(EntryKind.HOLDOUT, bench.group, key, facts)
        return {key: found}

    def _opened(self, key: str, level: float) -> HoldoutVerdict:
        """What the hold-out says; it is spent also where the candidate cannot be walked over it."""
        bench = self.bench
        runs = run_recipes(self.parts, bench.whole, {key: self.recipes[key]}, "sealed", self.limits)
        walks = walks_of(runs, self.recipes, bench.whole)
        if not walks:
            return HoldoutVerdict(HoldoutReason.UNUSABLE, level, None, HOLDOUT_SESSIONS)
        champion = bench.champion_walk(bench.whole)
        returns = played(bench.whole.market, [*walks, *([champion] if champion else [])], factors=bench.whole.factors)
        sealed = slice(bench.sealed_row, len(bench.view))
        sides = [walk.recipe.reach_sessions for walk in (*walks, *([champion] if champion else []))]
        return judge_holdout(returns, champion is not None, sealed, level, max(sides))

    def _record_verdict(
        self, key: str, code: VerdictCode, message: str, verdict: CycleVerdict, holdout: HoldoutVerdict | None
    ) -> None:
        plan, bench = self.plans[key], self.bench
        gates = [asdict(v) for r in verdict.reports if r.candidate == key for v in r.verdicts]
        facts: dict[str, Any] = {
            "code": str(code),
            "cycle": plan.facts["cycle"],
            "session": bench.session.isoformat(),
            "sessions_judged": verdict.sessions,
            "gates": [{name: str(gate[name]) for name in ("gate", "status", "reason")} for gate in gates],
            "holdout": None if holdout is None else str(holdout.reason),
        }
        self.ledger.append(EntryKind.VERDICT, bench.group, key, facts)
        entry = JournalEntry(
            JournalKind.VERDICT,
            bench.group,
            bench.session,
            key,
            head=plan.head,
            mutation=plan.mutation,
            outcome=str(code),
            regime=plan.regime,
            tags=tuple(str(gate["gate"]) for gate in gates if str(gate["status"]) == "failed"),
            message=message,
            facts=facts | {"difference": plan.facts["difference"], "numbers": _finite(gates)},
            run_id=self.run_id,
        )
        write(self.parts.database.engine, entry)


def _code(run: Run, verdict: CycleVerdict, opened: Mapping[str, HoldoutVerdict]) -> tuple[VerdictCode, str]:
    if run.predictions is None:
        untrainable = run.reason is RunReason.NOT_TRAINABLE
        code = VerdictCode.NOT_TRAINABLE if untrainable else VerdictCode.BROKEN
        return code, f"{run.reason}: {run.message}"
    report = verdict.report(run.key)
    if report is None:
        return VerdictCode.STOPPED, "no session was tested before the sealed hold-out"
    if not report.passed:
        return VerdictCode.STOPPED, report.message
    if (holdout := opened.get(run.key)) is None:
        return VerdictCode.NOT_FITTEST, f"{report.message}; {verdict.passed[0]} is fitter"
    if not holdout.passed:
        words = "the wealth is spent" if not holdout.opened else f"p = {holdout.p_value}, level {holdout.level:.3f}"
        return VerdictCode.HOLDOUT, f"passes gates 1-7; the hold-out says {holdout.reason}: {words}"
    return VerdictCode.PROMOTE, f"{report.message}; the hold-out agrees, p = {holdout.p_value:.3f}"


def _finite(gates: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, float | None]]:
    """Figures of every gate; JSON has no infinity."""
    return {
        str(gate["gate"]): {name: float(v) if np.isfinite(v) else None for name, v in gate["numbers"].items()}
        for gate in gates
    }
