"""``promotion``: a candidate that passed every gate becomes the provisional champion."""

from collections.abc import Sequence
from datetime import date

import dagster as dg

from hydra_agent.defs.experiments import CANDIDATE_EVALUATION
from hydra_agent.defs.group_watch import Parts
from hydra_agent.past import VerdictCode
from hydra_assets.columns import DIAGNOSIS
from hydra_assets.defs.registry import RegistryResource
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.evaluation.scores import scores_of
from hydra_assets.features.dictionary import FEATURE_NAMES
from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import MarketSpec
from hydra_assets.models.recalibrated import learned
from hydra_assets.models.recipe import Recipe
from hydra_assets.models.snapshot import training_snapshot
from hydra_assets.models.trained import TrainedModel, train
from hydra_assets.partitions import group_session_partitions
from hydra_assets.registry.champions import Cause, PromotionReason, Record, crown, repair_alias
from hydra_assets.registry.succession import PROVISIONAL_SIZE
from hydra_assets.state.autonomy import AgentAction
from hydra_assets.state.autonomy_log import may
from hydra_assets.state.chain import EntryKind
from hydra_assets.state.journal import JournalEntry, JournalKind, write
from hydra_assets.state.promotions import current_champion
from hydra_assets.state.trial_ledger import TrialLedger

PROMOTION = "promotion"


def promotion_assets(home_config: HomeConfig, markets: Sequence[MarketSpec]) -> list[dg.AssetsDefinition]:
    """The asset of a home."""
    partitions = group_session_partitions(home_config, markets)

    @dg.asset(
        name=PROMOTION,
        group_name="agent",
        description="The candidate of the cycle that passed all gates, fitted to everything known; provisional.",
        partitions_def=partitions,
        deps=[dg.AssetDep(CANDIDATE_EVALUATION, partition_mapping=dg.AllPartitionMapping())],
        kinds={"mlflow", "postgresql"},
    )
    def promotion(
        context: dg.AssetExecutionContext,
        home: HomeResource,
        lake: LakeResource,
        database: DatabaseResource,
        registry: RegistryResource,
    ) -> dg.MaterializeResult[None]:
        group, day = context.partition_key.split("|")
        parts = Parts(home, lake, database, registry)
        outcome = promote_passed(parts, group, date.fromisoformat(day), context.run.run_id)
        context.log.info(f"{group}: {outcome}")
        return dg.MaterializeResult(metadata={"outcome": outcome})

    return [promotion]


def promote_passed(parts: Parts, group: str, session: date, run_id: str) -> str:
    """Promote the candidate of a session's cycle that passed every gate; says what became of it. Safe to repeat.

    Raises
    ------
    LedgerError
        The ledger was touched: nothing is promoted by it.
    """
    ledger = TrialLedger(parts.database.engine, parts.home.root)
    entries = ledger.verified(group)
    cycle = f"{group}.{session}"
    passed = [
        entry.subject
        for entry in entries
        if entry.kind is EntryKind.VERDICT
        and entry.facts["cycle"] == cycle
        and entry.facts["code"] == VerdictCode.PROMOTE
    ]
    if not passed:
        return "nobody_passed"
    key = passed[0]
    trial = next(e for e in entries if e.kind is EntryKind.TRIAL and e.subject == key)
    current = current_champion(parts.database.engine, group)
    done = any(e.kind is EntryKind.PROMOTION and e.subject == key for e in entries)
    if done:
        repair_alias(parts.database.engine, parts.registry.registry, group)
        return "promoted_before"
    recipe = Recipe.model_validate_json(trial.facts["recipe"])
    # A run that was cut off may have crowned it already: then the rest is to be written, and nothing is fitted again.
    crowned = current is not None and current.recipe_sha256 == recipe.sha256
    if not crowned:
        if current is None or current.recipe_sha256 != trial.facts["champion_recipe_sha256"]:
            return "judged_against_another_champion"
        if not may(parts.database.engine, AgentAction.PROMOTE, group, key, f"{key} passed all gates"):
            return "waits_for_a_person"
        model, record = fitted(parts, group, session, key, recipe)
        # A person may have taken days to approve: nothing is decided for sessions that are over.
        after = max(session, newest_watched(parts, group))
        cause = Cause(str(PromotionReason.EXPERIMENT), run_id, after, PROVISIONAL_SIZE)
        crown(parts.database.engine, parts.registry.registry, group, model, record, cause)
    repair_alias(parts.database.engine, parts.registry.registry, group)
    facts = {"recipe_sha256": recipe.sha256, "session": session.isoformat()}
    entry = JournalEntry(
        JournalKind.PROMOTION,
        group,
        session,
        key,
        head=trial.facts["head"],
        mutation="+".join(mutation["id"] for mutation in trial.facts["mutations"]),
        outcome="provisional",
        message=f"{key} is champion at {PROVISIONAL_SIZE:.0%} of its size",
        facts=facts,
        run_id=run_id,
    )
    write(parts.database.engine, entry)
    ledger.append(EntryKind.PROMOTION, group, key, facts)
    return "promoted"


def newest_watched(parts: Parts, group: str) -> date:
    """Newest session that a group was watched on."""
    symbols = [spec.symbol for spec in parts.home.markets.values() if spec.group == group]
    rows = parts.lake.lake.read(DIAGNOSIS.name, markets=symbols, columns=["session"])
    return rows["session"].max() or date.min  # type: ignore[return-value]  # a column of dates


def fitted(parts: Parts, group: str, session: date, key: str, recipe: Recipe) -> tuple[TrainedModel, Record]:
    """A recipe fitted to everything that was known at a session, with what the registry keeps of it."""
    history = parts.history(group, session)
    snapshot = training_snapshot(history.features, history.labels, FEATURE_NAMES, recipe.label, session)
    play = history.play({key: recipe})
    scores = scores_of(play, key, history.labels, history.regimes, session)
    recalibration = learned(play.predictions[key], history.labels, recipe, session)
    model = train(key, recipe, snapshot, recalibration, scores.thesis.green)
    files = {
        "scores.json": scores.to_json().encode(),
        "recipe.json": recipe.model_dump_json(indent=1).encode(),
    }
    return model, Record(scores.metrics, {"experiment": key}, files)
