"""``hypotheses``: where a session's diagnosis asks for it, the experiments that are tried."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import dagster as dg

from hydra_agent.defs import assistant as language
from hydra_agent.defs.diagnosing import errors_of
from hydra_agent.defs.group_watch import Parts, group_watch
from hydra_agent.defs.pictures import as_inline, harm_picture
from hydra_agent.diagnose.causes import Diagnosis
from hydra_agent.experiment.task import ExperimentKey
from hydra_agent.frames import session_of
from hydra_agent.heads.base import Situation
from hydra_agent.heads.budget import meta_diagnosis
from hydra_agent.heads.hypothesise import Hypotheses, hypothesise
from hydra_agent.llm.assistant import Assistant
from hydra_agent.past import past_of
from hydra_agent.playbook.proposal import difference
from hydra_agent.watch import GroupWatch, causes_json
from hydra_assets.columns import DIAGNOSIS
from hydra_assets.defs.registry import RegistryResource
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import MarketSpec
from hydra_assets.models.recipe import Recipe
from hydra_assets.partitions import EXPERIMENTS, group_session_partitions
from hydra_assets.registry.champions import champion_as_of
from hydra_assets.state.alerts import AlertSink
from hydra_assets.state.autonomy import AgentAction
from hydra_assets.state.autonomy_log import may
from hydra_assets.state.journal import JournalEntry, JournalKind, JournalQuery, search, write
from hydra_assets.state.records import Alert, AlertLevel
from hydra_assets.state.trial_ledger import LedgerError, TrialLedger

HYPOTHESES = "hypotheses"
FORCED_TAG = "hydra/heal"
"""Tag of a run that experiments whether or not the diagnosis asks for it: a person did."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What became of a group's turn: a code, and the keys of the experiments that were planned."""

    code: str
    message: str
    keys: tuple[str, ...] = ()
    harm: tuple[tuple[str, float], ...] = ()
    """Features with what they added to the champion's errors of late, worst first."""


def hypotheses_assets(home_config: HomeConfig, markets: Sequence[MarketSpec]) -> list[dg.AssetsDefinition]:
    """The asset of a home."""

    @dg.asset(
        name=HYPOTHESES,
        group_name="agent",
        description="Experiments that the heads propose where a diagnosis asks for them, within their budgets.",
        partitions_def=group_session_partitions(home_config, markets),
        deps=[DIAGNOSIS.name],
        kinds={"postgresql"},
    )
    def hypotheses(
        context: dg.AssetExecutionContext,
        home: HomeResource,
        lake: LakeResource,
        database: DatabaseResource,
        registry: RegistryResource,
    ) -> dg.MaterializeResult[None]:
        group, day = context.partition_key.split("|")
        forced = FORCED_TAG in context.run.tags
        parts = Parts(home, lake, database, registry)
        turn = take_turn(parts, group, date.fromisoformat(day), context.run.run_id, forced=forced)
        if turn.keys:
            context.instance.add_dynamic_partitions(str(EXPERIMENTS.name), list(turn.keys))
        context.log.info(f"{group}: {turn.code}. {turn.message}")
        metadata: dict[str, Any] = {
            "outcome": turn.code,
            "message": turn.message,
            "experiments": dg.MetadataValue.json([*turn.keys]),
        }
        image = harm_picture(turn.harm, [spec.symbol for spec in parts.home.markets.values() if spec.group == group])
        if image is not None:
            metadata["errors"] = dg.MetadataValue.md(as_inline(image))
        return dg.MaterializeResult(metadata=metadata)

    return [hypotheses]


def take_turn(
    parts: Parts, group: str, session: date, run_id: str, *, forced: bool = False, assistant: Assistant | None = None
) -> Turn:
    """Observe, diagnose and, where it is warranted, plan experiments. Safe to repeat: a plan is written once.

    ``assistant`` is asked when a plan is made; None takes that of the home.
    """
    engine = parts.database.engine
    watch = group_watch(parts, group, session)
    if watch is None:
        return Turn("no_features", "nothing was computed yet")
    row = len(watch.view) - 1
    diagnosis, response = watch.decided(row)
    now = session_of(watch.view, row)
    regime = ("calm", "normal", "stressed")[int(watch.view.regime[row])]
    entry = JournalEntry(
        JournalKind.DIAGNOSIS,
        group,
        now,
        f"{group}.{now}",
        outcome=str(response.code),
        regime=regime,
        tags=tuple(str(cause.code) for cause in diagnosis.causes),
        message=diagnosis.top.message if diagnosis.top else "nothing is wrong",
        facts={"causes": json.loads(causes_json(diagnosis.causes)), "exposure": response.group_exposure},
        run_id=run_id,
    )
    write(engine, entry)
    if not response.heal and not forced:
        return Turn(str(response.code), entry.message)
    if earlier := _planned(parts, group, now):
        return Turn("planned_before", f"{len(earlier)} experiments of this session are planned already", earlier)
    if not may(engine, AgentAction.EXPERIMENT, group, f"{group}.{now}", entry.message):
        return Turn("waits_for_a_person", "experiments need an approval: see `hydra experiments`")
    return _plan(parts, watch, diagnosis, regime, run_id, assistant or language.assistant_of(parts))


def _plan(
    parts: Parts, watch: GroupWatch, diagnosis: Diagnosis, regime: str, run_id: str, assistant: Assistant
) -> Turn:
    """Ask the heads, keep to the budgets, and write the plan."""
    engine, group, row = parts.database.engine, watch.group, len(watch.view) - 1
    now = session_of(watch.view, row)
    try:
        entries = TrialLedger(engine, parts.home.root).verified(group)
    except LedgerError as touched:
        AlertSink(engine).raise_alert(Alert(AlertLevel.CRITICAL, "ledger_touched", str(touched), run_id=run_id))
        return Turn("ledger_touched", str(touched))
    champion = champion_as_of(parts.champions(group), date.max)
    if champion is None:
        return Turn("no_champion", "there is no recipe to change: the first champion comes from the training dates")
    past = past_of(entries, watch.view.days)
    recipe = champion.model.recipe
    seen = language.reordered(engine, assistant, diagnosis, group, now, run_id)
    extra = language.proposed(engine, assistant, recipe, seen, group, now, run_id)
    reign, champions = watch.reigns[-1], parts.champions(group)
    blamed = errors_of(parts.history(group, now), watch.view, reign, champions)
    harm = sorted(blamed.harm.items(), key=lambda item: -item[1]) if blamed else []
    situation = Situation(recipe, seen, len(watch.view), watch.view.feature_names, tuple(harm))
    found = hypothesise(situation, past, row, extra=extra)
    keys = _write_plan(parts, watch, recipe, found, now, regime, run_id)
    if (meta := meta_diagnosis(past.experiments)) is not None:
        facts = {"experiments": meta.experiments, "passed": meta.passed, "broken": meta.broken, "by_head": meta.by_head}
        note = JournalEntry(
            JournalKind.META,
            group,
            now,
            f"{group}.{len(past.experiments)}",
            message=meta.message,
            facts=facts,
            run_id=run_id,
        )
        write(engine, note)
    if not keys:
        return Turn("nothing_to_try", f"{len(found.refused)} proposals were refused", harm=tuple(harm))
    message = f"{len(keys)} experiments, {len(found.refused)} proposals refused"
    return Turn("planned", message, tuple(keys), tuple(harm))


def _planned(parts: Parts, group: str, now: date) -> tuple[str, ...]:
    """Experiments that were planned at a session, in their order."""
    query = JournalQuery(kinds=(str(JournalKind.PROPOSAL),), model_group=group, date_from=now, date_to=now, limit=1000)
    return tuple(entry.subject for _, entry in reversed(search(parts.database.engine, query)))


def _write_plan(
    parts: Parts, watch: GroupWatch, champion: Recipe, found: Hypotheses, now: date, regime: str, run_id: str
) -> list[str]:
    keys = []
    for proposal, recipe in found.chosen:
        key = ExperimentKey.of(watch.group, now, recipe).text
        keys.append(key)
        # A model's words are nobody's reason.
        by_model = proposal.head == language.HEAD
        facts: dict[str, Any] = {
            "cycle": f"{watch.group}.{now}",
            "recipe": recipe.model_dump_json(),
            "champion_recipe_sha256": champion.sha256,
            "mutations": proposal.parameters,
            "category": str(proposal.category),
            "difference": difference(champion, recipe),
        }
        write(
            parts.database.engine,
            JournalEntry(
                JournalKind.PROPOSAL,
                watch.group,
                now,
                key,
                head=proposal.head,
                mutation="+".join(proposal.ids),
                regime=regime,
                message="proposed by a language model" if by_model else proposal.rationale,
                facts=facts,
                note=proposal.rationale if by_model else "",
                run_id=run_id,
            ),
        )
    return keys


def planned_of(parts: Parts, keys: Sequence[str]) -> dict[str, JournalEntry]:
    """Plans of experiments by key, from the journal; KeyError where there is none: nothing else is run."""
    out = {}
    for key in keys:
        read = ExperimentKey.read(key)
        query = JournalQuery(kinds=(str(JournalKind.PROPOSAL),), model_group=read.group, text=key, limit=1)
        found = [entry for _, entry in search(parts.database.engine, query) if entry.subject == key]
        if not found:
            msg = f"nobody has planned the experiment {key}"
            raise KeyError(msg)
        out[key] = found[0]
    return out
