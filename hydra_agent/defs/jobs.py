"""Jobs of the agent, and the sensors that start them; each is idempotent by its run key."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import dagster as dg
import polars as pl
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from hydra_agent.defs.experiments import CANDIDATE_EVALUATION, CANDIDATE_MODEL, CANDIDATE_STRESS
from hydra_agent.defs.hypotheses import HYPOTHESES
from hydra_agent.defs.promoting import PROMOTION
from hydra_agent.defs.succession import STAGE
from hydra_agent.experiment.task import ExperimentKey
from hydra_agent.past import VerdictCode
from hydra_assets.columns import CHAMPION_HEALTH, DIAGNOSIS
from hydra_assets.defs.jobs import RANGE_END, RANGE_START
from hydra_assets.defs.resources import DatabaseResource, HomeResource
from hydra_assets.markets.model import MarketSpec
from hydra_assets.partitions import EXPERIMENTS
from hydra_assets.state.autonomy import AgentAction
from hydra_assets.state.autonomy_log import approved
from hydra_assets.state.chain import EntryKind
from hydra_assets.state.content import latest_content
from hydra_assets.state.trial_ledger import TrialLedger

WATCH_JOB, HYPOTHESES_JOB, HEALING_JOB, PROMOTION_JOB = "watch_job", "hypotheses_job", "healing_job", "promotion_job"
PARTITION_TAG = "dagster/partition"
SENSOR_SECONDS = 60


def agent_jobs() -> list[UnresolvedAssetJobDefinition]:
    """Watching, planning, experimenting, promoting: in this order in a cycle."""
    jobs = (
        (
            WATCH_JOB,
            (STAGE, CHAMPION_HEALTH.name, DIAGNOSIS.name),
            "Stage, health and diagnosis; after predictions.",
        ),
        (HYPOTHESES_JOB, (HYPOTHESES,), "Plan experiments for a group's session, where its diagnosis asks for them."),
        (
            HEALING_JOB,
            (CANDIDATE_MODEL, CANDIDATE_STRESS, CANDIDATE_EVALUATION),
            "Train and judge the run's experiments.",
        ),
        (PROMOTION_JOB, (PROMOTION,), "Make the candidate that passed every gate the provisional champion."),
    )
    return [
        dg.define_asset_job(
            name,
            selection=dg.AssetSelection.assets(*assets),
            description=description,
            executor_def=dg.in_process_executor,
        )
        for name, assets, description in jobs
    ]


def group_range_tags(groups: Sequence[str], first: date, last: date) -> dict[str, str]:
    """Run tags for all partitions of neighbouring groups from first to last."""
    return {RANGE_START: f"{groups[0]}|{first.isoformat()}", RANGE_END: f"{groups[-1]}|{last.isoformat()}"}


def experiment_tags(keys: Sequence[str]) -> dict[str, str]:
    """Run tags for experiments that were added one after the other; they name the cycle."""
    read = ExperimentKey.read(keys[0])
    return {RANGE_START: keys[0], RANGE_END: keys[-1], "hydra/cycle": f"{read.group}.{read.session}"}


def pending_experiments(instance: dg.DagsterInstance, judged: set[str]) -> list[list[str]]:
    """Cycles of which an experiment has no verdict, whole: candidates are judged among those of their cycle."""
    cycles: dict[tuple[str, date], list[str]] = {}
    for key in instance.get_dynamic_partitions(str(EXPERIMENTS.name)):
        # A home of an older release has keys of another form; they were judged then.
        if ExperimentKey.fits(key):
            read = ExperimentKey.read(key)
            cycles.setdefault((read.group, read.session), []).append(key)
    return [keys for keys in cycles.values() if not judged.issuperset(keys)]


def agent_sensors(markets: Sequence[MarketSpec]) -> list[dg.SensorDefinition]:
    """Health to planning, plans to experiments, verdicts to promotion."""
    group_of = {market.symbol: market.group for market in markets}

    @dg.sensor(
        job_name=HYPOTHESES_JOB,
        name="health_to_healing",
        minimum_interval_seconds=SENSOR_SECONDS,
        description="The newest diagnosis of each group is looked at; what it warrants is decided there.",
    )
    def health(context: dg.SensorEvaluationContext, database: DatabaseResource) -> Iterator[Any]:
        del context
        content = latest_content(database.engine, datasets=[DIAGNOSIS.name]).filter(pl.col("row_count") > 0)
        own = content.with_columns(pl.col("market").replace_strict(group_of, default=None).alias("group"))
        for (group,), rows in own.drop_nulls("group").group_by("group"):
            newest = rows.filter(pl.col("session") == rows["session"].max()).sort("market")
            partition = f"{group}|{newest['session'][0]}"
            # A diagnosis that was made again and says something else is looked at again.
            said = hashlib.sha256("".join(newest["sha256"]).encode()).hexdigest()[:12]
            # So is one that a person has approved meanwhile.
            yes = approved(database.engine, AgentAction.EXPERIMENT, str(group), f"{group}.{newest['session'][0]}")
            run_key = f"heal-{partition}-{said}{'-approved' if yes else ''}"
            yield dg.RunRequest(run_key=run_key, partition_key=partition)

    @dg.sensor(
        job_name=HEALING_JOB,
        name="plans_to_experiments",
        minimum_interval_seconds=SENSOR_SECONDS,
        description="Planned experiments are run and judged, a cycle at a time.",
    )
    def plans(context: dg.SensorEvaluationContext, home: HomeResource, database: DatabaseResource) -> Iterator[Any]:
        entries = TrialLedger(database.engine, home.root).entries()
        judged = {entry.subject for entry in entries if entry.kind is EntryKind.VERDICT}
        for keys in pending_experiments(context.instance, judged):
            tags = experiment_tags(keys)
            yield dg.RunRequest(run_key=f"experiments-{tags['hydra/cycle']}", tags=tags)

    @dg.sensor(
        job_name=PROMOTION_JOB,
        name="ledger_to_promotion",
        minimum_interval_seconds=SENSOR_SECONDS,
        description="A candidate that passed every gate is promoted.",
    )
    def passed(context: dg.SensorEvaluationContext, home: HomeResource, database: DatabaseResource) -> Iterator[Any]:
        del context
        for cycle, key in passed_cycles(TrialLedger(database.engine, home.root)).items():
            yes = approved(database.engine, AgentAction.PROMOTE, cycle.split("|")[0], key)
            yield dg.RunRequest(run_key=f"promote-{cycle}{'-approved' if yes else ''}", partition_key=cycle)

    return [health, plans, passed]


def passed_cycles(ledger: TrialLedger) -> dict[str, str]:
    """``GROUP|YYYY-MM-DD`` of cycles with a candidate that passed and was not promoted yet, and its experiment."""
    entries = ledger.entries()
    promoted = {entry.subject for entry in entries if entry.kind is EntryKind.PROMOTION}
    return {
        f"{entry.model_group}|{entry.facts['session']}": entry.subject
        for entry in entries
        if entry.kind is EntryKind.VERDICT
        and entry.facts["code"] == VerdictCode.PROMOTE
        and entry.subject not in promoted
    }
