"""Experiment assets on the dynamic partition ``experiment``: candidates trained for real, stressed, judged."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg
import numpy as np

from hydra_agent.arena import Returns, played, shares_of_walk
from hydra_agent.defs.group_watch import Parts
from hydra_agent.defs.hypotheses import HYPOTHESES, planned_of
from hydra_agent.defs.judging import Court
from hydra_agent.defs.laboratory import Bench, bench_of, run_recipes, walks_of
from hydra_agent.defs.pictures import equity_picture, waterfall_picture
from hydra_agent.experiment.isolated import Run
from hydra_agent.experiment.task import ExperimentKey, Limits
from hydra_assets.columns import FEATURE_VECTOR, LABELS
from hydra_assets.defs.registry import RegistryResource
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.defs.stress import stress_rows, told
from hydra_assets.evaluation.stressed import DEFAULT_PLAN
from hydra_assets.models.recipe import Recipe
from hydra_assets.partitions import EXPERIMENTS
from hydra_assets.replay.decisions import DecisionKind, Decisions
from hydra_assets.replay.tables import ReplayConfig
from hydra_assets.state.journal import JournalEntry, JournalKind, write
from hydra_assets.state.judgements import record_stress
from hydra_assets.stress.report import stress_report

CANDIDATE_MODEL, CANDIDATE_STRESS = "candidate_model", "candidate_stress"
CANDIDATE_EVALUATION = "candidate_evaluation"
LIMITS = Limits()


def by_cycle(keys: Sequence[str]) -> dict[tuple[str, date], list[str]]:
    """Experiments by group and session, in their order."""
    out: dict[tuple[str, date], list[str]] = {}
    for key in keys:
        read = ExperimentKey.read(key)
        out.setdefault((read.group, read.session), []).append(key)
    return out


def recipes_of(plans: Mapping[str, JournalEntry]) -> dict[str, Recipe]:
    """Recipes of planned experiments; ValueError where a plan's recipe is not that of its key."""
    out = {}
    for key, plan in plans.items():
        recipe = Recipe.model_validate_json(plan.facts["recipe"])
        read = ExperimentKey.read(key)
        if ExperimentKey.of(read.group, read.session, recipe) != read:
            msg = f"the plan of {key} is of another recipe"
            raise ValueError(msg)
        out[key] = recipe
    return out


@dg.asset(
    name=CANDIDATE_MODEL,
    group_name="experiments",
    description="Recipes walked forward on a sealed snapshot, each in a process of its own, three at a time.",
    partitions_def=EXPERIMENTS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[
        dg.AssetDep(name, partition_mapping=dg.AllPartitionMapping())
        for name in (FEATURE_VECTOR.name, LABELS.name, HYPOTHESES)
    ],
    kinds={"lightgbm"},
)
def candidate_model(
    context: dg.AssetExecutionContext,
    home: HomeResource,
    lake: LakeResource,
    database: DatabaseResource,
    registry: RegistryResource,
) -> dg.MaterializeResult[None]:
    """Train every candidate and keep its out-of-fold predictions under its own folder."""
    parts = Parts(home, lake, database, registry)
    for (group, session), keys in by_cycle(context.partition_keys).items():
        plans = planned_of(parts, keys)
        bench = bench_of(parts, group, session)

        def tell(run: Run) -> None:
            context.log.info(f"{run.key}: {run.reason} in {run.seconds:.1f} s. {run.message}")

        for run in run_recipes(parts, bench.known, recipes_of(plans), "known", LIMITS, tell):
            plan = plans[run.key]
            facts: dict[str, Any] = {
                "reason": str(run.reason),
                "seconds": run.seconds,
                "recipe": plan.facts["recipe"],
                "difference": plan.facts["difference"],
                "network": run.result.get("network", ""),
                "snapshot_sha256": run.result.get("snapshot", ""),
            }
            entry = JournalEntry(
                JournalKind.EXPERIMENT,
                group,
                session,
                run.key,
                head=plan.head,
                mutation=plan.mutation,
                outcome=str(run.reason),
                regime=plan.regime,
                message=run.message or plan.message,
                facts=facts,
                run_id=context.run.run_id,
            )
            write(database.engine, entry)
            context.add_asset_metadata(
                {
                    "outcome": str(run.reason),
                    "seconds": run.seconds,
                    "changed": dg.MetadataValue.json(facts["difference"]),
                },
                asset_key=context.asset_key,
                partition_key=run.key,
            )
    return dg.MaterializeResult()


@dg.asset(
    name=CANDIDATE_STRESS,
    group_name="experiments",
    description="What each candidate stands when markets do what they have not done yet.",
    partitions_def=EXPERIMENTS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[candidate_model],
    kinds={"postgresql", "numpy"},
)
def candidate_stress(
    context: dg.AssetExecutionContext,
    home: HomeResource,
    lake: LakeResource,
    database: DatabaseResource,
    registry: RegistryResource,
) -> dg.MaterializeResult[None]:
    """Stress every candidate that was trained."""
    parts = Parts(home, lake, database, registry)
    for (group, session), keys in by_cycle(context.partition_keys).items():
        recipes = recipes_of(planned_of(parts, keys))
        bench = bench_of(parts, group, session)
        runs = run_recipes(parts, bench.known, recipes, "known", LIMITS)
        for walk in walks_of(runs, recipes, bench.known):
            market = bench.known.market
            decisions = Decisions(
                DecisionKind.KELLY, shares_of_walk(market, walk)[None], size_factor=bench.known.factors
            )
            report = stress_report(market, decisions, ReplayConfig(), DEFAULT_PLAN)
            record_stress(database.engine, stress_rows(told(report), group, session, walk.name, context.run.run_id))
            context.add_asset_metadata(
                {"stress": str(report.reason)}, asset_key=context.asset_key, partition_key=walk.name
            )
    return dg.MaterializeResult()


@dg.asset(
    name=CANDIDATE_EVALUATION,
    group_name="experiments",
    description="All candidates of a cycle and the champion in one replay, gates 1 to 8, and the ledger's entries.",
    partitions_def=EXPERIMENTS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[candidate_model, candidate_stress],
    kinds={"postgresql"},
)
def candidate_evaluation(
    context: dg.AssetExecutionContext,
    home: HomeResource,
    lake: LakeResource,
    database: DatabaseResource,
    registry: RegistryResource,
) -> dg.MaterializeResult[None]:
    """Judge the cycle's candidates together and record every verdict."""
    parts = Parts(home, lake, database, registry)
    for (group, session), keys in by_cycle(context.partition_keys).items():
        plans = planned_of(parts, keys)
        recipes = recipes_of(plans)
        bench = bench_of(parts, group, session)
        runs = run_recipes(parts, bench.known, recipes, "known", LIMITS)
        judged = Court(parts, bench, plans, recipes, runs, LIMITS, context.run.run_id).judged()
        for key, (code, message) in judged.verdicts.items():
            context.log.info(f"{key}: {code}. {message}")
            context.add_asset_metadata(
                {"verdict": str(code), "message": message, **_pictures(bench, judged.reports, runs, recipes, key)},
                asset_key=context.asset_key,
                partition_key=key,
            )
    return dg.MaterializeResult()


def _pictures(
    bench: Bench, reports: Sequence[Any], runs: Sequence[Run], recipes: dict[str, Recipe], key: str
) -> dict[str, Any]:
    """The cycle's gates, and this candidate's equity against the champion's."""
    from hydra_assets.defs.pictures import as_markdown  # noqa: PLC0415  matplotlib is slow to import

    out: dict[str, Any] = {}
    image = waterfall_picture(reports, bench.view.symbols)
    if image is not None:
        out["gates"] = dg.MetadataValue.md(as_markdown(image))
    own = walks_of([run for run in runs if run.key == key], recipes, bench.known)
    champion = bench.champion_walk(bench.known)
    if own:
        sides = [*own, *([champion] if champion else [])]
        returns: Returns = played(bench.known.market, sides, factors=bench.known.factors)
        curves = {"candidate": returns.net[0]} | ({"champion": returns.net[1]} if champion else {})
        days = np.asarray(bench.known.market.days)
        image = equity_picture(days, curves, f"{key} against the champion", bench.view.symbols)
        if image is not None:
            out["equity"] = dg.MetadataValue.md(as_markdown(image))
    return out
