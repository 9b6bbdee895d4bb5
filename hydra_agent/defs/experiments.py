"""Experiment assets on the dynamic partition ``experiment``: a candidate model and its comparison with the champion."""

import re
from pathlib import Path

import dagster as dg
import sqlalchemy as sa
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from hydra_agent.evaluation import GroupData, evaluate, fit_recipe
from hydra_agent.experiment import Experiment, propose
from hydra_assets.columns import FEATURE_VECTOR, LABELS
from hydra_assets.defs.group import group_history, groups_of
from hydra_assets.defs.models import MODEL
from hydra_assets.defs.registry import RegistryResource
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.defs.training import specs_of
from hydra_assets.models.recipe import BOOSTED, FIRST_RECIPES, Recipe
from hydra_assets.models.trained import TrainedModel
from hydra_assets.partitions import EXPERIMENTS
from hydra_assets.registry.champions import Champion, champions_of
from hydra_assets.state.candidates import candidates_of, record_candidate
from hydra_assets.state.records import Candidate

HEALING_JOB, PROPOSAL_JOB = "healing_job", "proposal_job"
CANDIDATE_MODEL, CANDIDATE_EVALUATION = "candidate_model", "candidate_evaluation"
POINTER = "sha256"
"""File that names the artefact: written last, so that what it names is there."""
_SHA_NAME = re.compile(r"[0-9a-f]{64}")


def candidate_folder(home: HomeResource, key: str) -> Path:
    """Where an experiment's own artefacts are; nothing of the champion's is there."""
    return home.root / "experiments" / Experiment.from_key(key).key


def load_group(home: HomeResource, lake: LakeResource, group: str) -> GroupData:
    """Everything known of a group's markets up to the present."""
    history = group_history(lake.lake, specs_of(home, group), home.now().date())
    return GroupData(history.features, history.labels)


def reigning(engine: sa.Engine, registry: RegistryResource, group: str) -> Champion | None:
    """A group's champion, None where there is none."""
    champions = champions_of(engine, registry.registry, group)
    return champions[-1] if champions else None


@dg.asset(
    name=CANDIDATE_MODEL,
    group_name="experiments",
    description="The champion's recipe with one change, fitted to a snapshot that ends before the judged sessions.",
    partitions_def=EXPERIMENTS,
    deps=[
        dg.AssetDep(dg.AssetKey(name), partition_mapping=dg.AllPartitionMapping())
        for name in (FEATURE_VECTOR.name, LABELS.name, MODEL)
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
    """Train the candidate and store its artefact under its own digest."""
    experiment = Experiment.from_key(context.partition_key)
    champion = reigning(database.engine, registry, experiment.group)
    base: Recipe = champion.model.recipe if champion else FIRST_RECIPES[BOOSTED]
    data = load_group(home, lake, experiment.group)
    fitted = fit_recipe(experiment.key, experiment.recipe(base), data, experiment.cutoff)
    folder = candidate_folder(home, experiment.key)
    folder.mkdir(parents=True, exist_ok=True)
    pointer = folder / POINTER
    if fitted is None:
        pointer.unlink(missing_ok=True)
        return dg.MaterializeResult(metadata={"trained": False, "cutoff": experiment.cutoff.isoformat()})
    temporary = folder / "written.tmp"
    for content, file in ((fitted.to_bytes(), folder / f"{fitted.sha256}.json"), (fitted.sha256.encode(), pointer)):
        temporary.write_bytes(content)
        temporary.replace(file)
    return dg.MaterializeResult(
        metadata={
            "trained": True,
            "cutoff": experiment.cutoff.isoformat(),
            "rows": fitted.training_rows,
            "model_sha256": fitted.sha256,
            "snapshot_sha256": fitted.snapshot_sha256,
            "changed": dg.MetadataValue.json(
                {k: v for k, v in fitted.recipe.model_dump().items() if v != base.model_dump()[k]}
            ),
        }
    )


@dg.asset(
    name=CANDIDATE_EVALUATION,
    group_name="experiments",
    description="Candidate against the champion's recipe, both fitted to the same cutoff, on the sessions after it.",
    partitions_def=EXPERIMENTS,
    deps=[candidate_model],
    kinds={"postgresql"},
)
def candidate_evaluation(
    context: dg.AssetExecutionContext,
    home: HomeResource,
    lake: LakeResource,
    database: DatabaseResource,
    registry: RegistryResource,
) -> dg.MaterializeResult[None]:
    """Judge the candidate and record the verdict; judging again replaces it."""
    experiment = Experiment.from_key(context.partition_key)
    champion = reigning(database.engine, registry, experiment.group)
    verdict = evaluate(
        read_candidate(candidate_folder(home, experiment.key)),
        champion.model.recipe if champion else None,
        load_group(home, lake, experiment.group),
        experiment.cutoff,
    )
    record_candidate(
        database.engine,
        Candidate(
            experiment_id=experiment.key,
            model_group=experiment.group,
            champion_version=champion.version if champion else None,
            metrics=verdict.metrics,
            verdict=str(verdict.code),
            run_id=context.run.run_id,
        ),
    )
    return dg.MaterializeResult(metadata={"verdict": str(verdict.code), **verdict.metrics})


def read_candidate(folder: Path) -> TrainedModel | None:
    """The candidate's model, None where none could be trained; ModelError where it was changed since."""
    pointer = folder / POINTER
    if not pointer.exists():
        return None
    sha256 = pointer.read_text(encoding="utf-8").strip()
    if not _SHA_NAME.fullmatch(sha256):
        return None
    return TrainedModel.from_bytes((folder / f"{sha256}.json").read_bytes(), sha256)


def register_experiments(
    instance: dg.DagsterInstance, home: HomeResource, lake: LakeResource, database: DatabaseResource
) -> list[str]:
    """Propose one experiment per group and add its partition; the keys to run ``healing_job`` with."""
    keys = []
    for group, symbols in groups_of(list(home.markets.values())).items():
        sessions = lake.lake.read(FEATURE_VECTOR.name, markets=symbols, columns=["session"])["session"].unique().sort()
        tried = [candidate.experiment_id for candidate in candidates_of(database.engine, group)]
        experiment = propose(group, sessions.to_list(), tried)
        if experiment is not None:
            keys.append(experiment.key)
    if keys:
        instance.add_dynamic_partitions(str(EXPERIMENTS.name), keys)
    return keys


@dg.op(out=dg.Out(list[str]))
def propose_experiments(
    context: dg.OpExecutionContext, home: HomeResource, lake: LakeResource, database: DatabaseResource
) -> list[str]:
    """Add the partition of one experiment per group."""
    keys = register_experiments(context.instance, home, lake, database)
    context.log.info(f"experiments: {', '.join(keys) or 'none, history is too short'}")
    return keys


@dg.job(name=PROPOSAL_JOB, executor_def=dg.in_process_executor)
def proposal_job() -> None:
    """Propose the next experiment of each group; run ``healing_job`` on the partitions that it adds."""
    propose_experiments()


def agent_jobs() -> list[UnresolvedAssetJobDefinition | dg.JobDefinition]:
    """The proposal job, and the healing job on one experiment's partition."""
    healing = dg.define_asset_job(
        HEALING_JOB,
        selection=dg.AssetSelection.assets(CANDIDATE_MODEL, CANDIDATE_EVALUATION),
        description="Train one candidate and compare it with the champion.",
        partitions_def=EXPERIMENTS,
        executor_def=dg.in_process_executor,
    )
    return [proposal_job, healing]
