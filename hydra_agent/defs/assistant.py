"""The language model as the loop uses it: from the home's configuration, on the record, and never needed.

It orders causes that the rules have found, adds proposals that the playbook allows, and translates a question about the
journal. Exposure and response are decided before it is asked and are never shown to it as something to decide.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from pydantic import ValidationError

from hydra_agent.defs.group_watch import Parts
from hydra_agent.diagnose.causes import Diagnosis
from hydra_agent.llm.assistant import Assistant
from hydra_agent.llm.budget import Spent
from hydra_agent.llm.config import DEFAULT_CHAIN, LlmConfig
from hydra_agent.llm.mutations import ParameterValue, Playbook, Proposals
from hydra_agent.llm.records import Answer, AnswerCode, CallCode, CallRecord, Touchpoint
from hydra_agent.llm.rerank import Cause, Ranking
from hydra_agent.llm.text import Entry, plain
from hydra_agent.playbook.mutations import (
    BOUNDS,
    MUTATIONS,
    AddFeature,
    Hyperparameter,
    Mutation,
    MutationError,
    QuarantineFeature,
    read_mutation,
)
from hydra_agent.playbook.proposal import Proposal
from hydra_assets import clock
from hydra_assets.features.dictionary import FEATURE_NAMES
from hydra_assets.home import HomeConfig, HomeError
from hydra_assets.models.recipe import Recipe
from hydra_assets.state.journal import JournalEntry, JournalKind, JournalQuery, search, write
from hydra_assets.state.llm_log import LlmCall, recent_calls, record_call, spent_on

HEAD = "language_model"
"""Head under whose name its proposals are tried."""
STANDARD = "standard"
"""Name of the chain of DeepSeek-R1, then Qwen."""
REMEMBERED_CALLS = 200
"""Of the past, from which the breakers start."""
REMEMBERED_ENTRIES = 60
"""Of the journal, from which a prompt's context is taken."""
_TOLD = (
    JournalKind.DIAGNOSIS,
    JournalKind.VERDICT,
    JournalKind.PROMOTION,
    JournalKind.ROLLBACK,
    JournalKind.META,
    JournalKind.OPERATOR,
)


def llm_config(home: HomeConfig) -> LlmConfig:
    """The section ``llm`` of a home, whose chain may read ``standard``; HomeError where it is wrong."""
    section = home.llm | ({"chain": DEFAULT_CHAIN} if home.llm.get("chain") == STANDARD else {})
    try:
        return LlmConfig.model_validate(section)
    except ValidationError as wrong:
        problems = "; ".join(f"llm.{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in wrong.errors())
        msg = f"home.yaml: {problems}"
        raise HomeError(msg) from None


def assistant_of(parts: Parts) -> Assistant:
    """The assistant of a home; without a chain, or without its keys, it answers every question with ``no_llm``."""
    engine = parts.database.engine

    def record(call: CallRecord) -> None:
        fields = asdict(call)
        codes = {"touchpoint": str(call.touchpoint), "code": str(call.code)}
        record_call(engine, LlmCall(called_at=fields.pop("at"), **fields | codes))

    config = llm_config(parts.home.config)
    history = [_record(call) for call in recent_calls(engine, REMEMBERED_CALLS)] if config.chain else []
    return Assistant(config, record, lambda day: Spent(*spent_on(engine, day)), clock.now, history=history)


def _record(call: LlmCall) -> CallRecord:
    fields = asdict(call)
    codes = {"touchpoint": Touchpoint(call.touchpoint), "code": CallCode(call.code)}
    return CallRecord(at=fields.pop("called_at"), **fields | codes)


def reordered(
    engine: sa.Engine, assistant: Assistant, diagnosis: Diagnosis, group: str, session: date, run_id: str
) -> Diagnosis:
    """The diagnosis with its causes in the order that the assistant gives them: the same causes, each as it was.

    It is what heads see. What was asked and said is on record in the journal, its words in ``note``.
    """
    answer = assistant.rerank(told(diagnosis), context_of(engine, group, session, diagnosis))
    ranking = answer.value
    place = {code: i for i, code in enumerate(ranking.order)} if ranking is not None else {}
    causes = tuple(sorted(diagnosis.causes, key=lambda cause: place.get(str(cause.code), len(place))))
    _record_answer(engine, answer, ranking, group, session, "rerank", ", ".join(place), run_id)
    return Diagnosis(causes)


def proposed(
    engine: sa.Engine,
    assistant: Assistant,
    champion: Recipe,
    diagnosis: Diagnosis,
    group: str,
    session: date,
    run_id: str,
) -> tuple[Proposal, ...]:
    """At most three changes of the champion's recipe that the playbook allows as they stand, under the head's name."""
    answer = assistant.propose(
        playbooks(champion),
        told(diagnosis),
        lambda playbook, parameters: _refusal(champion, playbook, parameters),
        context_of(engine, group, session, diagnosis),
    )
    accepted = answer.value.accepted if answer.value is not None else ()
    found = tuple(Proposal(HEAD, (read_mutation(each.playbook, each.parameters),), each.rationale) for each in accepted)
    words = ", ".join(each.playbook for each in accepted)
    _record_answer(engine, answer, None, group, session, "propose", words, run_id)
    return found


def told(diagnosis: Diagnosis) -> list[Cause]:
    """Causes as a prompt shows them: a code once, with its confidence and evidence, and no word of a person."""
    out: dict[str, Cause] = {}
    for cause in diagnosis.causes:
        evidence = {"confidence": cause.confidence, **cause.evidence}
        out.setdefault(str(cause.code), Cause(str(cause.code), evidence))
    return list(out.values())


def playbooks(champion: Recipe) -> list[Playbook]:
    """Every mutation of the playbook with its parameters and bounds, as far as the champion's recipe has them."""
    return [Playbook(kind.id, (kind.__doc__ or "").strip(), _parameters(kind, champion)) for kind in MUTATIONS.values()]


def _parameters(kind: type[Mutation], champion: Recipe) -> dict[str, object]:
    schema = kind.model_json_schema()
    out: dict[str, Any] = {name: _short(field) for name, field in schema["properties"].items()}
    if kind is QuarantineFeature:
        out["feature"]["enum"] = list(champion.features)
    elif kind is AddFeature:
        out["feature"]["enum"] = [name for name in FEATURE_NAMES if name not in champion.features]
    elif kind is Hyperparameter:
        own = {name: bounds for name, bounds in BOUNDS.items() if name in champion.model.model_dump()}
        out["name"]["enum"] = list(own)
        out["value"] = {"type": "number", "bounds_by_name": {name: list(bounds) for name, bounds in own.items()}}
    return out


def _short(field: Mapping[str, Any]) -> dict[str, Any]:
    """A field of a JSON schema without titles; of a choice its first part, since replies are flat and have no null."""
    chosen = field["anyOf"][0] if "anyOf" in field else field
    return {name: value for name, value in chosen.items() if name not in {"title", "description"}}


def _refusal(champion: Recipe, playbook: str, parameters: Mapping[str, ParameterValue]) -> str | None:
    try:
        Proposal(HEAD, (read_mutation(playbook, parameters),), "").recipe(champion)
    except MutationError as refused:
        return str(refused)
    return None


def context_of(engine: sa.Engine, group: str, session: date, diagnosis: Diagnosis) -> list[Entry]:
    """Journal entries of a group before a session: those of the same causes first, then those of an experiment.

    Words that a model wrote are not shown to one again.
    """
    kinds = tuple(map(str, _TOLD))
    query = JournalQuery(kinds=kinds, model_group=group, date_to=session - timedelta(days=1), limit=REMEMBERED_ENTRIES)
    causes = {str(cause.code) for cause in diagnosis.causes}
    # A cycle's verdicts of this very session are the freshest there are, its diagnosis is in the question.
    own = replace(query, kinds=(str(JournalKind.VERDICT),), date_from=session, date_to=session)
    found = [entry for _, entry in (*search(engine, own), *search(engine, query))]
    return [Entry(entry.session, _line(entry), _relevance(entry, causes)) for entry in found]


def _relevance(entry: JournalEntry, causes: set[str]) -> float:
    return 2.0 if causes & set(entry.tags) else 1.0 if entry.mutation else 0.0


def _line(entry: JournalEntry) -> str:
    named = {
        "kind": str(entry.kind),
        "outcome": entry.outcome,
        "mutation": entry.mutation,
        "tags": list(entry.tags),
        "regime": entry.regime,
        "message": entry.message,
    }
    return json.dumps({name: value for name, value in named.items() if value})


def _record_answer(
    engine: sa.Engine,
    answer: Answer[Ranking] | Answer[Proposals],
    ranking: Ranking | None,
    group: str,
    session: date,
    question: str,
    words: str,
    run_id: str,
) -> None:
    """What a question came to; nothing where there was nobody or nothing to ask."""
    if answer.code in {AnswerCode.NO_LLM, AnswerCode.NOTHING_TO_ASK}:
        return
    entry = JournalEntry(
        JournalKind.META,
        group,
        session,
        f"{group}.{session}.{question}",
        head=HEAD,
        outcome=str(answer.code),
        message=f"{question}: {words or 'nothing'}",
        # A refusal quotes what it refuses.
        note=plain(ranking.note if ranking is not None else answer.message),
        facts={"provider": answer.provider},
        run_id=run_id,
    )
    write(engine, entry)
