"""What a person asks of the record: the journal in plain words, read by a language model or by rules; experiments."""

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from hydra_agent.defs.group_watch import Parts
from hydra_agent.experiment.isolated import RunReason
from hydra_agent.llm.assistant import Assistant
from hydra_agent.llm.journal_filter import JournalFilter, Vocabulary
from hydra_agent.llm.rules_filter import rules_filter
from hydra_agent.past import VerdictCode
from hydra_assets.state.chain import EntryKind
from hydra_assets.state.healing_tables import journal
from hydra_assets.state.journal import JournalKind, JournalQuery, search
from hydra_assets.state.trial_ledger import TrialLedger

BY_RULES = "rules"
_SPOKEN_KINDS = {
    JournalKind.OBSERVATION: ("observations", "seen", "saw"),
    JournalKind.DIAGNOSIS: ("diagnoses", "diagnosed"),
    JournalKind.RESPONSE: ("responses",),
    JournalKind.PROPOSAL: ("proposals", "proposed", "hypotheses", "hypothesis"),
    JournalKind.EXPERIMENT: ("experiments", "trials", "trained"),
    JournalKind.VERDICT: ("verdicts", "judged"),
    JournalKind.PROMOTION: ("promotions",),
    JournalKind.ROLLBACK: ("rollbacks", "taken back", "rolled back"),
    JournalKind.OPERATOR: ("operators", "person", "by a person"),
}
_SPOKEN_OUTCOMES = {
    "stopped": ("failed", "rejected by a gate"),
    "promote": ("passed", "succeeded", "worked"),
    "rejected": ("refused",),
    "broken": ("crashed", "broke"),
}


@dataclass(frozen=True, slots=True)
class Understood:
    """A question as the journal is searched for it."""

    query: JournalQuery
    by: str
    """Who read it: a provider's name, or ``rules``."""
    unread: tuple[str, ...]
    """Words that rules have left out of account."""


def vocabulary(engine: sa.Engine) -> Vocabulary:
    """The values that the journal holds, with words that mean them."""
    columns = ("outcome", "head", "regime", "mutation")
    with engine.connect() as connection:
        held = {name: _distinct(connection, journal.c[name]) for name in columns}
        tags = _distinct(connection, sa.func.unnest(journal.c.tags))
    return Vocabulary(
        kinds={str(kind): _SPOKEN_KINDS.get(kind, ()) for kind in JournalKind},
        outcomes={value: _SPOKEN_OUTCOMES.get(value, ()) for value in held["outcome"]},
        heads=dict.fromkeys(held["head"], ()),
        regimes=dict.fromkeys(held["regime"], ()),
        mutations=dict.fromkeys(held["mutation"], ()),
        tags=dict.fromkeys(tags, ()),
    )


def _distinct(connection: sa.Connection, column: sa.ColumnElement[str]) -> list[str]:
    return sorted(value for value in connection.scalars(sa.select(column).distinct()) if value)


def understood(engine: sa.Engine, assistant: Assistant, question: str, today: date) -> Understood:
    """Read a question; whatever the assistant fails to say, the rules do."""
    words = vocabulary(engine)
    answer = assistant.filter(question, words)
    if answer.value is not None:
        return Understood(_query(answer.value), answer.provider or "", ())
    reading = rules_filter(question, today, words)
    return Understood(_query(reading.filter), BY_RULES, reading.unread)


def _query(found: JournalFilter) -> JournalQuery:
    def one(value: str | None) -> tuple[str, ...]:
        return () if value is None else (value,)

    kind = found.kind
    if kind == JournalKind.EXPERIMENT and found.outcome is not None and found.outcome not in set(RunReason):
        # "Experiments that failed" are verdicts: an experiment's own outcome is how its process ended.
        kind = str(JournalKind.VERDICT)
    return JournalQuery(
        kinds=one(kind),
        tags=found.tags,
        date_from=found.date_from,
        date_to=found.date_to,
        mutations=one(found.mutation),
        heads=one(found.head),
        outcomes=one(found.outcome),
        regimes=one(found.regime),
        text=found.text or "",
        limit=found.limit,
    )


@dataclass(frozen=True, slots=True)
class TriedRow:
    """An experiment in one line."""

    key: str
    session: date
    head: str
    mutation: str
    verdict: str
    gate: str
    """The first gate that stopped it; empty where none did."""
    message: str


def experiments(parts: Parts, group: str | None, last: int) -> list[TriedRow]:
    """Newest experiments with what became of them, newest first; one without a verdict is ``planned``."""
    engine = parts.database.engine
    query = JournalQuery(kinds=(str(JournalKind.PROPOSAL),), model_group=group or "", limit=last)
    ledger = TrialLedger(engine, parts.home.root).entries()
    verdicts = {entry.subject: entry.facts for entry in ledger if entry.kind is EntryKind.VERDICT}
    words = {
        entry.subject: entry.message
        for _, entry in search(
            engine, JournalQuery(kinds=(str(JournalKind.VERDICT),), model_group=group or "", limit=10_000)
        )
    }
    rows = []
    for _, plan in search(engine, query):
        facts = verdicts.get(plan.subject)
        code = str(facts["code"]) if facts else "planned"
        message = words.get(plan.subject, plan.message)
        rows.append(
            TriedRow(plan.subject, plan.session, plan.head, plan.mutation, code, _deciding(code, facts), message)
        )
    return rows


def _deciding(code: str, facts: dict[str, object] | None) -> str:
    if facts is None:
        return ""
    if code == VerdictCode.HOLDOUT:
        return f"holdout: {facts['holdout']}"
    gates = facts["gates"]
    failed = [gate for gate in gates if gate["status"] == "failed"] if isinstance(gates, list) else []
    return f"{failed[0]['gate']}: {failed[0]['reason']}" if failed else ""
