"""What a person does to the loop: approve, reject, roll back, pause, resume, set the autonomy. All of it on record."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl
import sqlalchemy as sa

from hydra_agent.defs import demand
from hydra_agent.defs.group_watch import Parts, newest_session
from hydra_agent.defs.hypotheses import FORCED_TAG
from hydra_agent.defs.jobs import HYPOTHESES_JOB, PARTITION_TAG, PROMOTION_JOB, WATCH_JOB, group_range_tags
from hydra_agent.experiment.task import ExperimentKey
from hydra_assets.columns import DIAGNOSIS
from hydra_assets.registry.champions import (
    Cause,
    Champion,
    PromotionReason,
    Record,
    champion_as_of,
    crown,
)
from hydra_assets.state.autonomy import AgentAction, AutonomyLevel
from hydra_assets.state.autonomy_log import (
    Approval,
    ApprovalState,
    current_level,
    decide,
    set_level,
    waiting,
)
from hydra_assets.state.chain import EntryKind
from hydra_assets.state.content import latest_content
from hydra_assets.state.db import Lock, advisory_lock
from hydra_assets.state.demands import post, posted, state_and_word
from hydra_assets.state.journal import JournalEntry, JournalKind, JournalQuery, search, write
from hydra_assets.state.promotions import current_champion
from hydra_assets.state.system import Actor, Demand, SystemState, Transition, TransitionCode, strictest, transition
from hydra_assets.state.system_log import current_state, request_state
from hydra_assets.state.tables import system_state
from hydra_assets.state.trial_ledger import TrialLedger

ORIGIN = "operator"


class OperatingError(Exception):
    """Something that cannot be done; the message is one sentence that says why."""


@dataclass(frozen=True, slots=True)
class Goes:
    """What goes on after an approval: a Dagster job with the tags of its run."""

    job: str
    tags: dict[str, str]


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that a person has answered."""

    approval: Approval
    state: ApprovalState
    next: Goes | None
    """None after a rejection: nothing follows from it."""


def answer(
    engine: sa.Engine, subject: str, state: ApprovalState, actor: str, reason: str, action: str | None = None
) -> Answered:
    """Approve or reject what waits under a subject; OperatingError where nothing does, or several things do."""
    open_requests = waiting(engine)
    found = [each for each in open_requests if each.subject == subject and action in {None, str(each.action)}]
    if not found:
        others = ", ".join(f"{each.action} {each.subject}" for each in open_requests)
        waits = f"what waits: {others}" if others else "nothing waits for an answer"
        msg = f"no approval is asked for under {subject}; {waits}. Nobody is promoted past the gates"
        raise OperatingError(msg)
    if len(found) > 1:
        msg = f"{subject} waits for several answers; name one with --action: {', '.join(str(a.action) for a in found)}"
        raise OperatingError(msg)
    (request,) = found
    decide(engine, request.action, request.model_group, subject, state, actor, reason)
    session = _session_of(engine, request)
    entry = JournalEntry(
        JournalKind.OPERATOR,
        request.model_group,
        session,
        f"{request.action}.{subject}",
        outcome=str(state),
        message=f"{actor} {state} {request.action}: {reason or request.message}",
    )
    write(engine, entry)
    approved = state is ApprovalState.APPROVED
    return Answered(request, state, goes_on(request, session, _newest_watched(engine)) if approved else None)


def _session_of(engine: sa.Engine, request: Approval) -> date:
    """Session of a request: its subject is an experiment, or ``GROUP.YYYY-MM-DD``."""
    if ExperimentKey.fits(request.subject):
        return ExperimentKey.read(request.subject).session
    try:
        return date.fromisoformat(request.subject.removeprefix(f"{request.model_group}."))
    except ValueError:
        query = JournalQuery(model_group=request.model_group, limit=1)
        newest = search(engine, query)
        return newest[0][1].session if newest else request.requested_at.date()


def _newest_watched(engine: sa.Engine) -> date:
    """Newest session with a diagnosis; the day before all others where there is none."""
    content = latest_content(engine, datasets=[DIAGNOSIS.name]).filter(pl.col("row_count") > 0)
    newest = content["session"].max()
    return newest if isinstance(newest, date) else date.min


def goes_on(request: Approval, session: date, newest: date) -> Goes:
    """The run that does what was approved; what changes who trades is looked at as of the newest session."""
    partition = {PARTITION_TAG: f"{request.model_group}|{session}"}
    match request.action:
        case AgentAction.EXPERIMENT:
            # Whoever approved has said that experiments are wanted.
            return Goes(HYPOTHESES_JOB, partition | {FORCED_TAG: "approved"})
        case AgentAction.PROMOTE:
            return Goes(PROMOTION_JOB, partition)
        case _:
            day = max(session, newest)
            return Goes(WATCH_JOB, group_range_tags([request.model_group], day, day))


@dataclass(frozen=True, slots=True)
class RolledBack:
    """A champion that a person took back to."""

    group: str
    version: int
    to_version: int
    decides_as: int
    """Its number now: another one where an older release has written its artefact in another way."""
    recipe: str
    effective_after: date


def roll_back(
    parts: Parts, group: str, to_version: int | None, actor: str, reason: str, run_id: str = ""
) -> RolledBack:
    """Make an earlier version the champion again, on a person's word; from the newest session on, at full size.

    Raises
    ------
    OperatingError
        There is no champion, no such version, or nobody to go back to.
    LedgerError
        The ledger was touched, and the rollback could not be put on record behind it.
    """
    champions = parts.champions(group)
    current = champion_as_of(champions, date.max)
    if current is None:
        raise OperatingError(f"{group} has no champion: there is nothing to take back")
    target = _target(champions, current, to_version, group)
    session = newest_session(parts.history(group, date.max))
    engine, ledger = parts.database.engine, TrialLedger(parts.database.engine, parts.home.root)
    ledger.verified()
    subject = f"{group}.{session}.{current.version}_to_{target.version}"
    facts = {"version": current.version, "to_version": target.version, "actor": actor, "reason": reason}
    ledger.append(EntryKind.ROLLBACK, group, subject, facts)
    entry = JournalEntry(
        JournalKind.ROLLBACK,
        group,
        session,
        subject,
        outcome=str(PromotionReason.BY_A_PERSON),
        message=f"{actor} took version {current.version} back to version {target.version}: {reason}",
        facts=facts,
        run_id=run_id,
    )
    write(engine, entry)
    # What takes effect comes last: cut off anywhere, the same words again complete it.
    cause = Cause(str(PromotionReason.BY_A_PERSON), run_id, session, 1.0)
    crown(engine, parts.registry.registry, group, target.model, Record(), cause)
    newest = current_champion(engine, group)
    number = newest.version if newest is not None else target.version
    return RolledBack(group, current.version, target.version, number, target.model.name, session)


def _target(champions: Sequence[Champion], current: Champion, to_version: int | None, group: str) -> Champion:
    if to_version is None:
        before = [c for c in champions if c.model.recipe != current.model.recipe and c.after <= current.after]
        if not before:
            raise OperatingError(f"nobody of another recipe came before version {current.version}; name one with --to")
        return max(before, key=lambda champion: champion.after)
    found = [champion for champion in champions if champion.version == to_version]
    if not found:
        known = ", ".join(str(version) for version in dict.fromkeys(c.version for c in champions))
        raise OperatingError(f"{group} never had a champion of version {to_version}; it had {known}")
    if to_version == current.version:
        raise OperatingError(f"version {to_version} is the champion already")
    return found[-1]


def pause(engine: sa.Engine, actor: str, reason: str) -> Transition:
    """Halt trading on a person's word, which no software takes back; OperatingError in LOCKDOWN, which is stricter."""
    state = current_state(engine)
    if state is SystemState.LOCKDOWN:
        raise OperatingError(
            "the system is in LOCKDOWN, which is stricter than a pause; `hydra resume` leads to HALTED"
        )
    words = f"{actor}: {reason}"
    verdict = request_state(engine, SystemState.HALTED, actor=Actor.PERSON, origin=ORIGIN, reason=words)
    if verdict.code is TransitionCode.UNCHANGED:
        _own_halt(engine, words)
    return verdict


def _own_halt(engine: sa.Engine, words: str) -> None:
    """Make a halt that software asked for a person's, so that software does not end it."""
    with engine.begin() as connection, advisory_lock(connection, Lock.SYSTEM_STATE):
        columns = (system_state.c.state, system_state.c.origin)
        newest = connection.execute(sa.select(*columns).order_by(system_state.c.id.desc()).limit(1)).one()
        if newest.state == SystemState.HALTED and newest.origin != ORIGIN:
            _add(connection, SystemState.HALTED, SystemState.HALTED, Actor.PERSON, ORIGIN, words)


def resume(engine: sa.Engine, demands: Sequence[Demand], actor: str, reason: str) -> Transition:
    """Loosen the state as far as all demands allow, out of LOCKDOWN to HALTED at most.

    ``demands`` are the agent's, looked at anew; those of other owners are as they were posted. What somebody still
    demands is theirs from then on: it ends with the demand.

    Raises
    ------
    OperatingError
        The demands allow nothing looser than what holds.
    """
    post(engine, demand.ORIGIN, demands)
    words = f"{actor}: {reason}"
    with engine.begin() as connection, advisory_lock(connection, Lock.SYSTEM_STATE):
        standing = posted(connection)
        state, _ = state_and_word(connection)
        if state is SystemState.RUNNING:
            raise OperatingError("the system is RUNNING; there is nothing to resume")
        wanted = standing[0].demand if standing else strictest(())
        if wanted.state.strictness >= state.strictness:
            raise OperatingError(f"{wanted.state} is demanded, and no word ends it before its cause: {wanted.reason}")
        if state is SystemState.LOCKDOWN:
            _add(connection, SystemState.HALTED, state, Actor.PERSON, ORIGIN, words)
            return transition(state, SystemState.HALTED, Actor.PERSON)
        _add(connection, SystemState.RUNNING, state, Actor.PERSON, ORIGIN, words)
        if wanted.state is not SystemState.RUNNING:
            _add(connection, wanted.state, SystemState.RUNNING, Actor.SOFTWARE, standing[0].owner, wanted.reason)
    return transition(state, wanted.state, Actor.PERSON)


def _add(
    connection: sa.Connection, state: SystemState, previous: SystemState, actor: Actor, origin: str, reason: str
) -> None:
    row = {"state": str(state), "previous": str(previous), "actor": str(actor), "origin": origin, "reason": reason}
    connection.execute(sa.insert(system_state).values(row))


def demands_now(parts: Parts) -> list[Demand]:
    """What the agent demands of the system, looked at anew."""
    return demand.demands_of(demand.findings(parts))


def set_autonomy(engine: sa.Engine, level: str, actor: str, reason: str) -> tuple[AutonomyLevel, AutonomyLevel]:
    """Set how far the loop goes without a person; the level before and after."""
    try:
        wanted = AutonomyLevel(level.upper())
    except ValueError:
        msg = f"there is no level {level}; there are {', '.join(AutonomyLevel)}"
        raise OperatingError(msg) from None
    before = current_level(engine)
    set_level(engine, wanted, actor, reason)
    return before, wanted
