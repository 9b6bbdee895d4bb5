"""What a person does to the loop, as Dagster jobs with run config; the ``hydra`` command calls the same functions."""

from dataclasses import asdict
from datetime import date
from typing import Any

import dagster as dg
from pydantic import Field

from hydra_agent.defs import operating, sandbox
from hydra_agent.defs.diagnosing import diagnosed
from hydra_agent.defs.group_watch import Parts
from hydra_assets.state.autonomy_log import ApprovalState

KEYS = {"home", "lake", "database", "registry"}
ACTOR = "a person in Dagster"


class GroupConfig(dg.Config):
    """Which group."""

    group: str = Field(description="Model group, for instance sim.")


class AnswerConfig(dg.Config):
    """An answer to a waiting approval."""

    subject: str = Field(description="What waits: an experiment's key, or GROUP.YYYY-MM-DD.")
    approve: bool = Field(description="False rejects.")
    action: str = Field(default="", description="Which action, where several wait under one subject.")
    reason: str = ""


class RollbackConfig(GroupConfig):
    """A person's rollback."""

    reason: str
    to_version: int = Field(default=0, description="0 is the predecessor.")


class SandboxConfig(GroupConfig):
    """What is played again."""

    candidate: str = Field(default="", description="Key of an experiment; the champion if none.")
    first: str = Field(default="", description="First session, YYYY-MM-DD.")
    last: str = Field(default="", description="Last session, YYYY-MM-DD.")
    scenarios: list[str] = Field(default=[], description="Stress only; all if none.")


class ReasonConfig(dg.Config):
    """Why."""

    reason: str


class AutonomyConfig(ReasonConfig):
    """How far the loop goes without a person."""

    level: str


@dg.op(required_resource_keys=KEYS)
def diagnose_now(context: dg.OpExecutionContext, config: GroupConfig) -> None:
    """Look at a group's newest session anew."""
    found = diagnosed(Parts.of(context), config.group)
    _show(context, {} if found is None else found.record())


@dg.op(required_resource_keys=KEYS)
def answer_approval(context: dg.OpExecutionContext, config: AnswerConfig) -> None:
    """Approve or reject what waits."""
    state = ApprovalState.APPROVED if config.approve else ApprovalState.REJECTED
    engine = Parts.of(context).database.engine
    found = operating.answer(engine, config.subject, state, ACTOR, config.reason, config.action or None)
    _show(context, {"state": str(found.state), "next": asdict(found.next) if found.next else None})


@dg.op(required_resource_keys=KEYS)
def roll_back_champion(context: dg.OpExecutionContext, config: RollbackConfig) -> None:
    """Make an earlier version the champion again."""
    to = config.to_version or None
    found = operating.roll_back(Parts.of(context), config.group, to, ACTOR, config.reason, context.run_id)
    _show(context, asdict(found))


@dg.op(required_resource_keys=KEYS)
def replay_in_sandbox(context: dg.OpExecutionContext, config: SandboxConfig) -> None:
    """Play the champion or a candidate again on chosen sessions; writes nothing."""
    first, last = (_day(text) for text in (config.first, config.last))
    _show(context, asdict(sandbox.replayed(Parts.of(context), config.group, config.candidate or None, first, last)))


@dg.op(required_resource_keys=KEYS)
def stress_in_sandbox(context: dg.OpExecutionContext, config: SandboxConfig) -> None:
    """Put the champion or a candidate under stress; writes nothing."""
    found = sandbox.stress(
        Parts.of(context), config.group, config.candidate or None, config.scenarios, _day(config.last)
    )
    columns = ("scenario", "stress_reason", "message")
    _show(context, {"scenarios": found.select(columns).to_dicts()})


@dg.op(required_resource_keys=KEYS)
def pause_trading(context: dg.OpExecutionContext, config: ReasonConfig) -> None:
    """Halt trading until a person resumes it."""
    _show(context, asdict(operating.pause(Parts.of(context).database.engine, ACTOR, config.reason)))


@dg.op(required_resource_keys=KEYS)
def resume_trading(context: dg.OpExecutionContext, config: ReasonConfig) -> None:
    """Loosen the system state as far as the demands allow."""
    parts = Parts.of(context)
    _show(context, asdict(operating.resume(parts.database.engine, operating.demands_now(parts), ACTOR, config.reason)))


@dg.op(required_resource_keys=KEYS)
def set_autonomy_level(context: dg.OpExecutionContext, config: AutonomyConfig) -> None:
    """Set the level of autonomy."""
    engine = Parts.of(context).database.engine
    before, after = operating.set_autonomy(engine, config.level, ACTOR, config.reason)
    _show(context, {"before": str(before), "after": str(after)})


def operating_jobs() -> list[dg.JobDefinition]:
    """One job of each, named after its command."""
    named = {
        "diagnose_job": diagnose_now,
        "answer_job": answer_approval,
        "rollback_job": roll_back_champion,
        "sandbox_replay_job": replay_in_sandbox,
        "sandbox_stress_job": stress_in_sandbox,
        "pause_job": pause_trading,
        "resume_job": resume_trading,
        "autonomy_job": set_autonomy_level,
    }
    # A person's word is given once: no run of it is repeated by itself.
    tags = {"dagster/max_retries": "0"}
    return [
        dg.GraphDefinition(name=name.removesuffix("_job"), node_defs=[op]).to_job(
            name=name, description=op.description, executor_def=dg.in_process_executor, tags=tags
        )
        for name, op in named.items()
    ]


def _show(context: dg.OpExecutionContext, found: dict[str, Any]) -> None:
    """The outcome where a run's page shows it, and in its log."""
    words = {name: value if isinstance(value, int | float) else str(value) for name, value in found.items()}
    context.log.info(", ".join(f"{name}: {value}" for name, value in words.items()) or "no features yet")
    context.add_output_metadata(words)


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
