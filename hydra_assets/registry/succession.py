"""Who follows whom at a training date: the first champion by the gates, refits by contracts and non-inferiority."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from typing import Protocol

import polars as pl
import sqlalchemy as sa

from hydra_assets.evaluation.evidence import Played, cycle_evidence, squared_errors
from hydra_assets.evaluation.first_champion import FIRST_GATES, FirstVerdict, judge_first
from hydra_assets.evaluation.refit import judge_refit
from hydra_assets.evaluation.scores import Scores, scores_of
from hydra_assets.labels.known import LabelKind
from hydra_assets.models.protocol import ModelError, ModelReason
from hydra_assets.models.recalibrated import learned
from hydra_assets.models.recipe import FIRST_RECIPES, Recipe
from hydra_assets.models.snapshot import Snapshot
from hydra_assets.models.trained import TrainedModel, train
from hydra_assets.registry.champions import (
    Cause,
    Champion,
    PromotionReason,
    Record,
    Standing,
    champion_as_of,
    crown,
    register,
    repair_alias,
    standing_of,
)
from hydra_assets.registry.port import Registry, VersionState
from hydra_assets.state.promotions import stage_as_of, stages_of
from hydra_assets.state.records import StageKind
from hydra_assets.stats.gate_records import CandidateReport, GateConfig
from hydra_assets.verdict import Verdict

REFIT_HELD_BACK = "refit_held_back"
NOT_TRAINABLE = "not_trainable"
PROVISIONAL_SIZE = 0.25
"""Share of its size that a recipe new to its group trades, until what it earns has confirmed it."""


class History(Protocol):
    """A group's history, as far as judging needs it; it may reach past the cutoff, nothing later is looked at."""

    @property
    def features(self) -> pl.DataFrame:
        """Rows of ``feature_vector``."""
        ...

    @property
    def labels(self) -> pl.DataFrame:
        """Rows of ``labels``."""
        ...

    @property
    def regimes(self) -> pl.DataFrame:
        """Rows of ``regimes``."""
        ...

    def play(self, others: Mapping[str, Recipe]) -> Played:
        """The standing recipes and further ones, replayed."""
        ...


def _no_files(_: str) -> Mapping[str, bytes]:
    return {}


def _no_other_label(label: LabelKind) -> Snapshot:
    raise ModelError(ModelReason.UNKNOWN_FEATURE, str(label), "no snapshot with labels of this kind")


@dataclass(frozen=True, slots=True)
class Case:
    """One training date of a group: what was known, and where results go."""

    group: str
    snapshot: Snapshot
    contracts: tuple[Verdict, ...]
    history: History
    run_id: str
    newest: bool
    """Whether it is the run's last date: artefacts of candidates that fail are kept of that one."""
    gates: GateConfig = FIRST_GATES
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Further configuration for the registry."""
    files: Callable[[str], Mapping[str, bytes]] = _no_files
    """Further files for the registry by a recipe's name: what explains it, as known at the cutoff."""
    labelled: Callable[[LabelKind], Snapshot] = _no_other_label
    """The same date's snapshot with labels of another kind; ModelError where there is none."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a training date: a code, a sentence, figures, and the model that was fitted, if any."""

    code: str
    message: str = ""
    scores: Scores | None = None
    reports: tuple[CandidateReport, ...] = ()
    model: TrainedModel | None = field(default=None, repr=False)


def succeed(engine: sa.Engine, registry: Registry, champions: list[Champion], case: Case) -> Outcome:
    """Judge a training date and promote where it is due. Safe to repeat and to be cut off anywhere."""
    standing = standing_of(champions, case.snapshot.cutoff)
    retired = retired_at(engine, case.group, case.snapshot.cutoff)
    if standing is Standing.NO_CHAMPION or (standing is Standing.REFIT_DUE and retired):
        return _first(engine, registry, case)
    reigning = champion_as_of(champions, case.snapshot.cutoff)
    if standing is Standing.REFIT_DUE and reigning is not None:
        return _refit(engine, registry, case, reigning)
    repair_alias(engine, registry, case.group)
    return Outcome(str(standing))


def retired_at(engine: sa.Engine, group: str, cutoff: date) -> bool:
    """Whether the champion of a session's cutoff trades nothing for good: somebody may come first again."""
    stage = stage_as_of(stages_of(engine, group), cutoff + timedelta(days=1))
    return stage is not None and stage.stage is StageKind.RETIRED


def _first(engine: sa.Engine, registry: Registry, case: Case) -> Outcome:
    cutoff, history = case.snapshot.cutoff, case.history
    played = history.play({})
    evidence = cycle_evidence(played, list(FIRST_RECIPES), history.labels, history.regimes, case.contracts, cutoff)
    verdict = judge_first(evidence, case.gates)
    if verdict.chosen is None:
        if case.newest:
            _keep_candidates(registry, case, played, verdict)
        return Outcome(str(verdict.reason), verdict.message, reports=verdict.reports)
    scores = scores_of(played, verdict.chosen, history.labels, history.regimes, cutoff)
    try:
        model = _fitted(case, verdict.chosen, FIRST_RECIPES[verdict.chosen], played, scores)
    except ModelError as error:
        return Outcome(NOT_TRAINABLE, str(error), reports=verdict.reports)
    reason = str(PromotionReason.FIRST_CHAMPION)
    cause = Cause(reason, case.run_id, size_fraction=PROVISIONAL_SIZE)
    crown(engine, registry, case.group, model, _record(case, scores, verdict.reports), cause)
    return Outcome(reason, verdict.message, scores, verdict.reports, model)


def _keep_candidates(registry: Registry, case: Case, played: Played, verdict: FirstVerdict) -> None:
    """Register what failed, with the reports that say why."""
    for report in verdict.reports:
        history = case.history
        scores = scores_of(played, report.candidate, history.labels, history.regimes, case.snapshot.cutoff)
        try:
            model = _fitted(case, report.candidate, FIRST_RECIPES[report.candidate], played, scores)
        except ModelError:
            # There is no artefact to keep; the report is in the run's metadata.
            continue
        register(registry, case.group, model, _record(case, scores, verdict.reports), VersionState.CANDIDATE)


def _refit(engine: sa.Engine, registry: Registry, case: Case, champion: Champion) -> Outcome:
    history, cutoff = case.history, case.snapshot.cutoff
    name, recipe = champion.model.name, champion.model.recipe
    played = history.play({} if FIRST_RECIPES.get(name) == recipe else {name: recipe})
    labels = history.labels.filter(pl.col("session") <= cutoff)
    own = played.predictions[name]
    known = history.features.filter(pl.col("session") <= cutoff)
    decided = known.filter(pl.col("session") > champion.model.cutoff)
    # Fresh fits have no amendments, so the reigning one is judged without its own: they would hold every refit back.
    bare = replace(champion.model, masked=(), offset=0.0)
    reigning = decided.select("market", "session").hstack(bare.predicted(decided))
    base = own.with_columns(pl.col("base_rate").alias("probability_up"))
    errors = [squared_errors(rows, labels, recipe, played.market) for rows in (own, base, reigning)]
    verdict = judge_refit(case.contracts, errors[0], errors[1], errors[2], recipe.reach_sessions)
    scores = scores_of(played, name, history.labels, history.regimes, cutoff)
    if not verdict.passed:
        return Outcome(REFIT_HELD_BACK, f"{verdict.reason}", scores)
    try:
        model = _fitted(case, name, recipe, played, scores)
    except ModelError as error:
        return Outcome(NOT_TRAINABLE, str(error), scores)
    reason = str(PromotionReason.SCHEDULED_REFIT)
    crown(engine, registry, case.group, model, _record(case, scores, ()), Cause(reason, case.run_id))
    return Outcome(reason, scores.thesis.message, scores, (), model)


def _fitted(case: Case, name: str, recipe: Recipe, played: Played, scores: Scores) -> TrainedModel:
    recalibration = learned(played.predictions[name], case.history.labels, recipe, case.snapshot.cutoff)
    own = case.snapshot if recipe.label == case.snapshot.label else case.labelled(recipe.label)
    return train(name, recipe, own, recalibration, scores.thesis.green)


def _record(case: Case, scores: Scores, reports: tuple[CandidateReport, ...]) -> Record:
    files = {
        "scores.json": scores.to_json().encode(),
        "gates.json": json.dumps([asdict(report) for report in reports], indent=1).encode(),
    }
    return Record(scores.metrics, case.parameters, {**files, **case.files(scores.name)})
