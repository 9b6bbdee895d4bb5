"""``hydra promote``, ``reject``, ``rollback``, ``pause``, ``resume`` and ``autonomy``: a person steers the loop."""

from typing import TYPE_CHECKING, Annotated

import typer

from hydra_console.cli.healing import Group, Json, print_json

if TYPE_CHECKING:
    import sqlalchemy as sa

    from hydra_agent.defs.operating import Goes
    from hydra_assets.state.autonomy_log import ApprovalState

Subject = Annotated[
    str | None,
    typer.Argument(help="What waits: an experiment's key or GROUP.YYYY-MM-DD. Without it, what waits is listed."),
]
Action = Annotated[
    str | None, typer.Option("--action", "-a", help="experiment, promote, confirm, roll_back, ...; where several wait.")
]
Reason = Annotated[str, typer.Option("--reason", "-r", help="Goes on record.")]


def promote(subject: Subject = None, action: Action = None, reason: Reason = "", json_out: Json = False) -> None:
    """Approve what waits for a person: experiments of a cycle, a promotion, a confirmation, a rollback.

    Which actions wait depends on `hydra autonomy`. What did not pass every gate never waits here: nobody is promoted
    past the gates, not by a person either. Says which job goes on.
    """
    from hydra_assets.state.autonomy_log import ApprovalState  # noqa: PLC0415

    _answer(subject, ApprovalState.APPROVED, action, reason, json_out)


def reject(subject: Subject = None, action: Action = None, reason: Reason = "", json_out: Json = False) -> None:
    """Reject what waits for a person. It is not asked for again; the champion stays as it is."""
    from hydra_assets.state.autonomy_log import ApprovalState  # noqa: PLC0415

    _answer(subject, ApprovalState.REJECTED, action, reason, json_out)


def _answer(subject: str | None, state: "ApprovalState", action: str | None, reason: str, json_out: bool) -> None:
    from dataclasses import asdict  # noqa: PLC0415

    from hydra_console.cli.output import result  # noqa: PLC0415
    from hydra_console.cli.parts import parts_of_home, person  # noqa: PLC0415

    engine = parts_of_home().database.engine
    if subject is None:
        _list_waiting(engine, json_out)
        return
    from hydra_agent.defs import operating  # noqa: PLC0415

    found = operating.answer(engine, subject, state, person(), reason, action)
    if json_out:
        print_json(asdict(found))
        return
    request = found.approval
    result().print(f"{found.state}: {request.action} of {request.subject} ({request.message})", markup=False)
    if found.next is None:
        result().print("nothing follows from it; the champion stays as it is")
        return
    result().print("next: this job does it")
    result().print(f"      {_command(found.next)}", markup=False)


def _command(goes: "Goes") -> str:
    import json  # noqa: PLC0415
    import shlex  # noqa: PLC0415

    tags = shlex.quote(json.dumps(goes.tags))
    return f"uv run dagster job execute -m hydra_agent.definitions -j {goes.job} --tags {tags}"


def _list_waiting(engine: "sa.Engine", json_out: bool) -> None:
    from dataclasses import asdict  # noqa: PLC0415

    from rich.table import Table  # noqa: PLC0415

    from hydra_assets.state.autonomy_log import waiting  # noqa: PLC0415
    from hydra_console.cli.output import result  # noqa: PLC0415

    found = waiting(engine)
    if json_out:
        print_json([asdict(row) for row in found])
        return
    table = Table("subject", "action", "group", "since", "message")
    for row in found:
        table.add_row(row.subject, str(row.action), row.model_group, f"{row.requested_at:%Y-%m-%d %H:%M}", row.message)
    result().print(table if found else "nothing waits for a person")


def rollback(
    reason: Annotated[str, typer.Option("--reason", "-r", help="Goes on record.")],
    group: Group = None,
    to: Annotated[int | None, typer.Option(help="Version; the predecessor's if none.")] = None,
    json_out: Json = False,
) -> None:
    """Make an earlier champion the champion again, from the newest session on, at full size.

    Without --to it is the last champion of another recipe. Fit, recipe and calibration come back as they were. The
    ledger and the journal keep who did it and why.
    """
    from dataclasses import asdict  # noqa: PLC0415

    from hydra_console.cli.output import result  # noqa: PLC0415
    from hydra_console.cli.parts import one_group, parts_of_home, person  # noqa: PLC0415

    parts = parts_of_home()
    from hydra_agent.defs import operating  # noqa: PLC0415

    done = operating.roll_back(parts, one_group(parts, group), to, person(), reason)
    if json_out:
        print_json(asdict(done))
        return
    number = "" if done.decides_as == done.to_version else f" as version {done.decides_as}"
    result().print(
        f"{done.group}: version {done.version} taken back; version {done.to_version} ({done.recipe}) decides{number} "
        f"on the sessions after {done.effective_after}"
    )


def pause(
    reason: Annotated[str, typer.Option("--reason", "-r", help="Goes on record.")], json_out: Json = False
) -> None:
    """Halt trading: no new position, existing ones are kept. No software takes it back; `hydra resume` does."""
    from hydra_agent.defs import operating  # noqa: PLC0415
    from hydra_console.cli.output import result  # noqa: PLC0415
    from hydra_console.cli.parts import parts_of_home, person  # noqa: PLC0415

    verdict = operating.pause(parts_of_home().database.engine, person(), reason)
    if json_out:
        print_json({"before": verdict.before, "after": verdict.after})
        return
    was = "it was so already, and is a person's halt now" if not verdict.changed else f"it was {verdict.before}"
    result().print(f"the system is {verdict.after} ({was})")


def resume(
    reason: Annotated[str, typer.Option("--reason", "-r", help="Goes on record.")], json_out: Json = False
) -> None:
    """End a pause as far as the agent's demands allow; out of LOCKDOWN the way leads to HALTED first.

    The newest session is looked at anew. A demand ends with its cause: the diagnosis has to change, not the word.
    """
    from hydra_console.cli.output import remark, result  # noqa: PLC0415
    from hydra_console.cli.parts import parts_of_home, person  # noqa: PLC0415

    parts = parts_of_home()
    from hydra_agent.defs import operating  # noqa: PLC0415

    with remark().status("looking at the newest session"):
        demands = operating.demands_now(parts)
    verdict = operating.resume(parts.database.engine, demands, person(), reason)
    if json_out:
        print_json({"before": verdict.before, "after": verdict.after})
        return
    result().print(f"the system is {verdict.after} (it was {verdict.before})")


def autonomy(
    level: Annotated[str | None, typer.Argument(help="OBSERVE_ONLY, SUPERVISED, SEMI_AUTO or AUTONOMOUS.")] = None,
    reason: Annotated[str | None, typer.Option("--reason", "-r", help="Goes on record; needed to set a level.")] = None,
    json_out: Json = False,
) -> None:
    """Show what the loop may do by itself at each level, or set the level.

    free: done and recorded. ask: waits for `hydra promote` or `hydra reject`. no: not done. To trade less is never a
    matter of permission.
    """
    from rich.table import Table  # noqa: PLC0415

    from hydra_assets.state.autonomy import GRID, AgentAction, AutonomyLevel, permission  # noqa: PLC0415
    from hydra_assets.state.autonomy_log import current_level  # noqa: PLC0415
    from hydra_console.cli.output import UserError, result  # noqa: PLC0415
    from hydra_console.cli.parts import parts_of_home, person  # noqa: PLC0415

    engine = parts_of_home().database.engine
    from hydra_agent.defs import operating  # noqa: PLC0415

    if level is not None:
        if not reason:
            msg = "say why with --reason: it goes on record"
            raise UserError(msg)
        before, after = operating.set_autonomy(engine, level, person(), reason)
        if not json_out:
            result().print(f"autonomy is {after} (it was {before})")
            return
    current = current_level(engine)
    if json_out:
        grid = {str(each): {str(a): str(p) for a, p in row.items()} for each, row in GRID.items()}
        print_json({"level": str(current), "grid": grid})
        return
    table = Table("action", *(f"{each} (now)" if each is current else str(each) for each in AutonomyLevel))
    for act in AgentAction:
        table.add_row(str(act), *(str(permission(each, act)) for each in AutonomyLevel))
    result().print(table)
