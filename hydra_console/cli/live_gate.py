"""``hydra live-gate``: what a live account needs, and a person's records on it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from hydra_console.cli.healing import Json, print_json

if TYPE_CHECKING:
    from hydra_exec.live_gate.conditions import LiveFacts

VERDICT = "verdict"
HELP = "What a live account needs: `hydra live-gate [ACCOUNT]` says, and exits with 1 while anything is missing."


class VerdictFirst(TyperGroup):
    """A group whose first word may be an account: then the verdict on it is meant."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the verdict's own name before what names no command."""
        if not args or (args[0] not in self.commands and args[0] != "--help"):
            args = [VERDICT, *args]
        return super().parse_args(ctx, args)


def verdict(
    account: Annotated[str | None, typer.Argument(help="Account; the home's own if none.")] = None,
    json_out: Json = False,
) -> None:
    """Say of every condition whether it is met, and what is missing. Exit status 1 while anything is."""
    from rich.table import Table  # noqa: PLC0415

    from hydra_console.cli.output import result  # noqa: PLC0415
    from hydra_console.cli.trading import account_of_home  # noqa: PLC0415

    parts = account_of_home()
    from hydra_exec.defs import operating  # noqa: PLC0415
    from hydra_exec.defs.live_permit import live_standing  # noqa: PLC0415

    name = account or parts.config.account
    facts, found = live_standing(parts, name)
    simulated = parts.home.config.kind != "real"
    rows = _conditions(facts, {each.code: (each.have, each.need, each.sentence) for each in found.missing})
    is_open = found.open and not simulated
    if json_out:
        print_json({"account": name, "open": is_open, "simulated_home": simulated, "conditions": rows})
    else:
        if simulated:
            result().print(f"{operating.NEVER_LIVE}. What it would need besides:")
        table = Table("condition", "", "have", "need")
        for row in rows:
            table.add_row(row["condition"], "met" if row["met"] else "MISSING", row["have"], row["need"])
        result().print(table)
        for row in rows:
            if not row["met"]:
                result().print(f"- {row['sentence']}", markup=False)
        result().print(f"account {name}: the live gate is {'open' if is_open else 'closed'}")
    if not is_open:
        raise typer.Exit(1)


def _conditions(facts: "LiveFacts", missing: dict[Any, tuple[str, str, str]]) -> list[dict[str, Any]]:
    """Every condition, met or missing; of the operator's word, that it expired is only said where there is one."""
    from hydra_exec.live_gate.conditions import (  # noqa: PLC0415
        MAX_BIAS_HALF_SPREADS,
        MIN_CORRELATION,
        MIN_HELD,
        MIN_SESSIONS,
        LiveCondition,
        counted_sessions,
    )

    def figure(value: float | None) -> str:
        return "not known" if value is None else f"{value:.3g}"

    own = [word for word in facts.records.words if word.account == facts.account]
    met = {
        LiveCondition.PAPER_SESSIONS: (str(len(counted_sessions(facts.sessions, facts.now))), str(MIN_SESSIONS)),
        LiveCondition.SLIPPAGE_BIAS: (
            figure(facts.bias_half_spreads),
            f"within {MAX_BIAS_HALF_SPREADS} half-spreads",
        ),
        LiveCondition.SLIPPAGE_CORRELATION: (figure(facts.correlation), f"above {MIN_CORRELATION}"),
        LiveCondition.HEALING_CYCLE: ("one held", f"{MIN_HELD.days} days"),
        LiveCondition.DENSITY_GATE: ("green", "green"),
        LiveCondition.THESIS_GATE: ("green", "green"),
        LiveCondition.CHAIN_BROKEN: ("intact", "intact"),
        LiveCondition.BREAKER_DRILL: ("passed", "passed"),
        LiveCondition.RECONNECT_DRILL: ("passed", "passed"),
        LiveCondition.OPERATOR_RECORD: (own[-1].operator if own else "none", facts.account),
        LiveCondition.OPERATOR_EXPIRED: (f"until {own[-1].expires_at:%Y-%m-%d}" if own else "none", "not expired"),
    }
    out = []
    for code, (have, need) in met.items():
        if code is LiveCondition.OPERATOR_EXPIRED and LiveCondition.OPERATOR_RECORD in missing:
            continue
        had, needed, sentence = missing.get(code, (have, need, ""))
        row = {"condition": str(code), "met": code not in missing, "have": had, "need": needed, "sentence": sentence}
        out.append(row)
    return out


def record(
    account: Annotated[str, typer.Option("--account", help="The account that may trade live.")],
    expires: Annotated[int, typer.Option("--expires", min=0, max=365, help="Days; 0 takes the word back.")],
    reason: Annotated[str, typer.Option("--reason", "-r", help="Goes on record.")],
    confirm: Annotated[
        str | None, typer.Option("--confirm", help="The account's name again; asked for if none.")
    ] = None,
    json_out: Json = False,
) -> None:
    """Put your word on record that an account may trade live, for some days; it is worth nothing on its own.

    Refused with the list of what is missing unless every other condition holds. It cannot be edited or deleted
    unseen; a later record replaces it.
    """
    from dataclasses import asdict  # noqa: PLC0415

    from hydra_console.cli.output import UserError, result  # noqa: PLC0415
    from hydra_console.cli.parts import person  # noqa: PLC0415
    from hydra_console.cli.trading import account_of_home  # noqa: PLC0415

    parts = account_of_home()
    from hydra_exec.defs import operating  # noqa: PLC0415

    operating.may_record(parts, account, expires)
    typed: str = confirm if confirm is not None else typer.prompt("Type the account's name again", err=True)
    if typed.strip() != account:
        msg = f"nothing was recorded: {typed.strip()!r} is not {account}"
        raise UserError(msg)
    word = operating.record_word(parts, account, person(), reason, expires)
    if json_out:
        print_json(asdict(word))
        return
    if expires == 0:
        result().print(f"taken back: account {account} may not trade live")
        return
    result().print(f"on record: account {account} may trade live until {word.expires_at:%Y-%m-%d %H:%M} UTC")
    if parts.config.mode != "live":
        result().print("next: trading.mode of home.yaml is paper; nothing trades live before it says live")


def drill(
    kind: Annotated[str, typer.Argument(help="breaker or reconnect.")],
    passed: Annotated[bool, typer.Option("--passed/--failed", help="How it went.")],
    detail: Annotated[str, typer.Option("--detail", help="What was done and seen; goes on record.")],
    account: Annotated[str | None, typer.Option("--account", help="The home's own if none.")] = None,
    json_out: Json = False,
) -> None:
    """Put a drill on record: a breaker tripped on purpose, or the connection cut while orders worked.

    The newest one of each kind counts.
    """
    from dataclasses import asdict  # noqa: PLC0415

    from hydra_console.cli.output import UserError, result  # noqa: PLC0415
    from hydra_console.cli.trading import account_of_home  # noqa: PLC0415

    parts = account_of_home()
    from hydra_exec.defs import operating  # noqa: PLC0415
    from hydra_exec.live_gate.records import DrillKind  # noqa: PLC0415

    if kind not in set(DrillKind):
        msg = f"there is no drill {kind}; there are {', '.join(DrillKind)}"
        raise UserError(msg)
    done = operating.record_drill(parts, DrillKind(kind), account or parts.config.account, passed, detail)
    if json_out:
        print_json(asdict(done))
    else:
        result().print(f"on record: {done.kind} drill of {done.account} {'passed' if done.passed else 'failed'}")
