"""``champion_stage``: what use has shown of a champion: confirmed, taken back or amended."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

import dagster as dg
import numpy as np

from hydra_agent.amend import amended
from hydra_agent.arena import played
from hydra_agent.defs.group_watch import Parts, group_watch
from hydra_agent.diagnose.edge import RECENT_OUTCOMES
from hydra_agent.frames import said_by, session_of
from hydra_agent.observe.model import outcomes_due
from hydra_agent.shadow import Step, steps
from hydra_agent.view import Reign
from hydra_agent.watch import GroupWatch
from hydra_assets.columns import PREDICTIONS
from hydra_assets.defs.registry import RegistryResource
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import MarketSpec
from hydra_assets.partitions import group_session_partitions
from hydra_assets.registry.champions import (
    Cause,
    Champion,
    PromotionReason,
    Record,
    champion_as_of,
    crown,
    repair_alias,
)
from hydra_assets.state.autonomy import AgentAction
from hydra_assets.state.autonomy_log import may
from hydra_assets.state.chain import EntryKind
from hydra_assets.state.journal import JournalEntry, JournalKind, write
from hydra_assets.state.promotions import record_stage, stage_as_of
from hydra_assets.state.records import ChampionStage, StageKind
from hydra_assets.state.trial_ledger import TrialLedger
from hydra_assets.stats.eprocess import ECode

STAGE = "champion_stage"


def stage_assets(home_config: HomeConfig, markets: Sequence[MarketSpec]) -> list[dg.AssetsDefinition]:
    """The asset of a home."""
    partitions = group_session_partitions(home_config, markets)

    @dg.asset(
        name=STAGE,
        group_name="agent",
        description="Champion against predecessor in shadow: confirmed, taken back, or amended.",
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[dg.AssetDep(PREDICTIONS.name, partition_mapping=dg.AllPartitionMapping())],
        kinds={"postgresql"},
    )
    def champion_stage(
        context: dg.AssetExecutionContext,
        home: HomeResource,
        lake: LakeResource,
        database: DatabaseResource,
        registry: RegistryResource,
    ) -> dg.MaterializeResult[None]:
        parts = Parts(home, lake, database, registry)
        last: dict[str, date] = {}
        for key in context.partition_keys:
            group, day = key.split("|")
            last[group] = max(date.fromisoformat(day), last.get(group, date.min))
        for group, day in last.items():
            done = keep_stage(parts, group, day, context.run.run_id)
            context.log.info(f"{group}: {'; '.join(done) or 'nothing changes'}")
            context.add_asset_metadata(
                {"steps": dg.MetadataValue.json(done)}, asset_key=context.asset_key, partition_key=f"{group}|{day}"
            )
        return dg.MaterializeResult()

    return [champion_stage]


def keep_stage(parts: Parts, group: str, last: date, run_id: str) -> list[str]:
    """Confirm, take back or amend the newest champion; says what was done. Safe to repeat."""
    watch = group_watch(parts, group, last)
    if watch is None or not watch.reigns:
        return []
    repair_alias(parts.database.engine, parts.registry.registry, group)
    reign, champions = watch.reigns[-1], parts.champions(group)
    reigning = champion_as_of(champions, date.max)
    stage = stage_as_of(watch.stages, date.max)
    if reigning is None or (stage is not None and stage.stage is StageKind.RETIRED):
        return []
    predecessor = predecessor_of(champions, reign)
    shadow = np.zeros(len(watch.view))
    if predecessor is not None:
        history = parts.history(group, last)
        said = said_by("shadow", predecessor.model.recipe, history.features, history.market, lambda _: predecessor)
        shadow = played(history.market, [said], factors=history.factors).net[0]
    done = []
    on_record = {(s.stage, s.effective_after) for s in watch.stages if s.recipe_sha256 == reigning.model.recipe.sha256}
    begun = next((s for s in watch.stages if s.recipe_sha256 == reigning.model.recipe.sha256), None)
    for step in steps(np.nan_to_num(reign.net), shadow, reign.since, begun is not None and begun.size_fraction >= 1.0):
        session = session_of(watch.view, step.row)
        if step.code is ECode.CONFIRM:
            if (StageKind.FULL, session) not in on_record:
                done += _confirm(parts, group, begun_by(champions, reign), session, step, run_id)
        elif predecessor is None:
            done += _retire(parts, group, reigning, session, step, run_id)
        else:
            done += _take_back(parts, group, reigning, predecessor, watch, step, run_id)
            return done
    return done + _amend(parts, watch, reigning, run_id)


SETTLED = frozenset({PromotionReason.FIRST_CHAMPION, PromotionReason.ROLLED_BACK, PromotionReason.BY_A_PERSON})
"""Who came first, or was taken back to, or was set by a person, is not given up for whom it followed."""


def begun_by(champions: Sequence[Champion], reign: Reign) -> Champion:
    """The promotion that a reign began with."""
    return [c for c in champions if c.version == reign.version][-1]


def predecessor_of(champions: Sequence[Champion], reign: Reign) -> Champion | None:
    """The last champion of another recipe before the reign; None where there is none to go back to."""
    first = begun_by(champions, reign)
    if first.reason in SETTLED:
        return None
    before = [c for c in champions if c.after <= first.after and c.model.recipe != first.model.recipe]
    return max(before, key=lambda c: c.after) if before else None


def _figures(step: Step) -> dict[str, float]:
    return {"e_for": min(step.e_for, 1e12), "e_against": min(step.e_against, 1e12)}


def _confirm(parts: Parts, group: str, reigning: Champion, session: date, step: Step, run_id: str) -> list[str]:
    """Full size for a reign's recipe, named by the promotion that it began with: its experiment earns the wealth."""
    message = f"confirmed: e = {step.e_for:.1f} for it"
    engine, subject = parts.database.engine, f"{group}.{session}"
    if not may(engine, AgentAction.CONFIRM, group, subject, message):
        return ["full size waits for a person"]
    stage = ChampionStage(
        group,
        reigning.model.recipe.sha256,
        session,
        StageKind.FULL,
        1.0,
        "confirmed",
        _figures(step),
        run_id,
    )
    experiment = reigning.model.name if reigning.reason == PromotionReason.EXPERIMENT else None
    facts = {"version": reigning.version, "experiment": experiment, **_figures(step)}
    # What takes effect comes last: whatever is cut off before it is done again.
    TrialLedger(engine, parts.home.root).append(EntryKind.CONFIRMATION, group, subject, facts)
    write(engine, _journal(JournalKind.PROMOTION, group, session, subject, "confirmed", message, facts, run_id))
    return [message] if record_stage(engine, stage) else []


def _retire(parts: Parts, group: str, reigning: Champion, session: date, step: Step, run_id: str) -> list[str]:
    engine, subject = parts.database.engine, f"{group}.{session}"
    message = f"retired: e = {step.e_against:.1f} against it, and nobody came before it"
    figures = _figures(step)
    stage = ChampionStage(
        group, reigning.model.recipe.sha256, session, StageKind.RETIRED, 0.0, "worse_than_cash", figures, run_id
    )
    facts = {"version": reigning.version, **figures}
    TrialLedger(engine, parts.home.root).append(EntryKind.ROLLBACK, group, subject, facts)
    write(engine, _journal(JournalKind.ROLLBACK, group, session, subject, "retired", message, facts, run_id))
    return [message] if record_stage(engine, stage) else []


def _take_back(
    parts: Parts, group: str, reigning: Champion, before: Champion, watch: GroupWatch, step: Step, run_id: str
) -> list[str]:
    session, engine = session_of(watch.view, step.row), parts.database.engine
    subject, newest = f"{group}.{session}", session_of(watch.view, len(watch.view) - 1)
    message = (
        f"version {reigning.version} taken back: e = {step.e_against:.1f} against it; version {before.version} again"
    )
    if not may(engine, AgentAction.ROLL_BACK, group, subject, message):
        return ["a rollback waits for a person"]
    facts = {"version": reigning.version, "to_version": before.version, **_figures(step)}
    TrialLedger(engine, parts.home.root).append(EntryKind.ROLLBACK, group, subject, facts)
    write(engine, _journal(JournalKind.ROLLBACK, group, newest, subject, "rolled_back", message, facts, run_id))
    # Its fit, recipe and calibration are one artefact: all of it comes back.
    cause = Cause(str(PromotionReason.ROLLED_BACK), run_id, newest, 1.0)
    crown(engine, parts.registry.registry, group, before.model, Record(), cause)
    return [message]


def _amend(parts: Parts, watch: GroupWatch, reigning: Champion, run_id: str) -> list[str]:
    """Mask a feature or move the base rate, as the newest session's response asks."""
    row = len(watch.view) - 1
    _, response = watch.decided(row)
    history = parts.history(watch.group, session_of(watch.view, row))
    plain = replace(reigning, model=replace(reigning.model, offset=0.0))
    own = said_by("plain", reigning.model.recipe, history.features, history.market, lambda _: plain)
    due = outcomes_due(watch.view, replace(watch.reigns[-1], walk=own))
    up, said = (values.reshape(-1) for values in due)
    known = np.flatnonzero(np.isfinite(up) & np.isfinite(said))[-RECENT_OUTCOMES:]
    model = amended(reigning.model, response, up[known], said[known])
    if model is None:
        return []
    session, group, engine = session_of(watch.view, row), watch.group, parts.database.engine
    masks = model.masked != reigning.model.masked
    action = AgentAction.REDUCE if masks else AgentAction.RECALIBRATE
    reason = PromotionReason.MASKED if masks else PromotionReason.RECALIBRATED
    words = (
        f"masked: {', '.join(model.masked) or 'nothing any more'}"
        if masks
        else f"log-odds moved to {model.offset:+.2f}"
    )
    if not may(engine, action, group, f"{group}.{session}", words):
        return ["an amendment waits for a person"]
    crown(engine, parts.registry.registry, group, model, Record(), Cause(str(reason), run_id, session))
    facts = {"masked": list(model.masked), "offset": model.offset}
    write(
        engine, _journal(JournalKind.RESPONSE, group, session, f"{group}.{session}", str(reason), words, facts, run_id)
    )
    return [words]


def _journal(
    kind: JournalKind,
    group: str,
    session: date,
    subject: str,
    outcome: str,
    message: str,
    facts: Mapping[str, object],
    run_id: str,
) -> JournalEntry:
    return JournalEntry(kind, group, session, subject, outcome=outcome, message=message, facts=facts, run_id=run_id)
