"""``hydra diagnose``, ``experiments``, ``journal`` and ``sandbox``: what the healing loop sees, and what would be."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from hydra_agent.defs.diagnosing import Finding
    from hydra_assets.state.journal import JournalEntry

Group = Annotated[str | None, typer.Option("--group", "-g", help="Model group; all, or the only one, if none.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Candidate = Annotated[str | None, typer.Option("--candidate", "-c", help="Key of an experiment; the champion if none.")]
WORST_FEATURES = 5


def diagnose(group: Group = None, json_out: Json = False) -> None:
    """Look at the newest session now: signals, ranked causes, whose errors they are, and what is done about it.

    The same observation and rules as the loop's own, made anew; nothing is written. Confidence says how well the
    evidence fits a cause and no other. Exposure is the share of its size that a market may trade. An e-value is the
    wealth of a bet for (against) the champion in shadow: 20 confirms a provisional one, 5 against takes it back.
    """
    from hydra_console.cli.output import remark, result  # noqa: PLC0415
    from hydra_console.cli.parts import groups_of, parts_of_home  # noqa: PLC0415

    parts = parts_of_home()
    from hydra_agent.defs.diagnosing import diagnosed  # noqa: PLC0415

    found = []
    for name in groups_of(parts, group):
        with remark().status(f"looking at {name}"):
            finding = diagnosed(parts, name)
        if finding is None:
            remark().print(f"{name}: nothing was computed yet; run `hydra cycle`")
        else:
            found.append(finding)
    if json_out:
        print_json([finding.record() for finding in found])
        return
    for finding in found:
        _show_finding(finding, result())


def _show_finding(finding: "Finding", console: "Console") -> None:
    from rich.table import Table  # noqa: PLC0415

    size = f"{finding.stage} at {finding.size_fraction:.0%} of its size" if finding.champion else "nothing is traded"
    console.print(f"{finding.group} on {finding.session}: {finding.champion or 'no champion'}, {size}", style="bold")
    if (shadow := finding.shadow) is not None:
        console.print(f"e-values      {shadow.e_for:.2f} for it, {shadow.e_against:.2f} against it ({shadow.against})")
    table = Table("level", "family", "signal", "scope", "reason", "statistic", "threshold", title="signals")
    for signal in finding.signals:
        table.add_row(
            signal.level.name,
            str(signal.family),
            signal.name,
            signal.scope,
            str(signal.reason),
            f"{signal.statistic:.2f}",
            f"{signal.threshold:.2f}",
        )
    console.print(table if finding.signals else "signals       none of WARNING or more")
    causes = Table("cause", "confidence", "what", "evidence", title="causes, most likely first")
    for cause in finding.causes:
        evidence = ", ".join(f"{name} {value:.3g}" for name, value in cause.evidence.items())
        causes.add_row(str(cause.code), f"{cause.confidence:.2f}", cause.message, evidence)
    console.print(causes if finding.causes else "causes        nothing is wrong")
    if (errors := finding.errors) is not None:
        worst = sorted(errors.harm.items(), key=lambda item: -item[1])[:WORST_FEATURES]
        words = ", ".join(f"{name} {value:+.4f}" for name, value in worst)
        console.print(
            f"errors        log loss a decision that features added, more than before: {words} "
            f"({errors.decisions} decisions against {errors.reference_decisions})"
        )
    response = finding.response
    console.print(f"response      {response.code}; demands {response.demand} of the system")
    if response.masked:
        console.print(f"masked        {', '.join(response.masked)}")
    console.print(f"experiments   {'warranted' if response.heal else 'not warranted'}")
    console.print("exposure      " + ", ".join(f"{name} {share:.0%}" for name, share in finding.exposure.items()))


def experiments(
    group: Group = None,
    last: Annotated[int, typer.Option("--last", "-n", min=1, max=1000, help="How many, newest first.")] = 20,
    json_out: Json = False,
) -> None:
    """List experiments, newest first: who proposed what, the verdict, and the gate that decided.

    A key names an experiment everywhere: `hydra sandbox replay --candidate KEY`, `hydra journal --text KEY`.
    """
    from dataclasses import asdict  # noqa: PLC0415

    from rich.table import Table  # noqa: PLC0415

    from hydra_console.cli.output import result  # noqa: PLC0415
    from hydra_console.cli.parts import groups_of, parts_of_home  # noqa: PLC0415

    parts = parts_of_home()
    from hydra_agent.defs import asking  # noqa: PLC0415
    from hydra_assets.state.autonomy import AgentAction  # noqa: PLC0415
    from hydra_assets.state.autonomy_log import waiting  # noqa: PLC0415

    wanted = groups_of(parts, group)
    rows = asking.experiments(parts, wanted[0] if len(wanted) == 1 else None, last)
    if json_out:
        print_json([asdict(row) for row in rows])
        return
    table = Table("key", "head", "mutation", "verdict", "deciding gate")
    for row in rows:
        table.add_row(row.key, row.head, row.mutation, row.verdict, row.gate)
    result().print(table if rows else "no experiment yet: they are planned where a diagnosis warrants them")
    for asked in waiting(parts.database.engine):
        if asked.action is AgentAction.EXPERIMENT:
            result().print(f"waiting: `hydra promote {asked.subject}` or `hydra reject {asked.subject}`", markup=False)


def journal(  # noqa: PLR0913, PLR0917  one option a field of the journal
    question: Annotated[
        str | None, typer.Argument(help="In plain words, e.g. 'rejected experiments of March'.")
    ] = None,
    kind: Annotated[list[str] | None, typer.Option(help="observation, diagnosis, verdict, ...; repeatable.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Cause or gate; all of them have to hold.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="First session, YYYY-MM-DD.")] = None,
    to: Annotated[str | None, typer.Option(help="Last session, YYYY-MM-DD.")] = None,
    head: Annotated[list[str] | None, typer.Option(help="Who proposed it; repeatable.")] = None,
    mutation: Annotated[list[str] | None, typer.Option(help="What was changed; repeatable.")] = None,
    outcome: Annotated[list[str] | None, typer.Option(help="What came of it; repeatable.")] = None,
    regime: Annotated[list[str] | None, typer.Option(help="calm, normal or stressed; repeatable.")] = None,
    text: Annotated[str | None, typer.Option(help="Part of subject, message or note.")] = None,
    group: Group = None,
    limit: Annotated[int | None, typer.Option("--limit", "-n", min=1, max=10_000, help="Newest first.")] = None,
    json_out: Json = False,
) -> None:
    """Search the journal: what the loop saw, thought and did, newest first.

    A question is translated into these options by the language model of home.yaml, or by rules where there is none or
    it says nothing of use; how it was read is printed. Options hold besides, and win over what the question said.
    """
    from dataclasses import asdict, replace  # noqa: PLC0415

    from rich.table import Table  # noqa: PLC0415

    from hydra_assets import clock  # noqa: PLC0415
    from hydra_assets.state.journal import JournalQuery, search  # noqa: PLC0415
    from hydra_console.cli.output import parse_day, remark, result  # noqa: PLC0415
    from hydra_console.cli.parts import groups_of, parts_of_home  # noqa: PLC0415

    given: dict[str, Any] = {
        "kinds": _known_kinds(kind or ()),
        "tags": tuple(tag or ()),
        "date_from": parse_day(from_, "--from"),
        "date_to": parse_day(to, "--to"),
        "heads": tuple(head or ()),
        "mutations": tuple(mutation or ()),
        "outcomes": tuple(outcome or ()),
        "regimes": tuple(regime or ()),
        "text": text or "",
        "limit": limit,
    }
    parts = parts_of_home()
    from hydra_agent.defs.asking import understood  # noqa: PLC0415
    from hydra_agent.defs.assistant import assistant_of  # noqa: PLC0415

    engine, query = parts.database.engine, JournalQuery()
    if question:
        read = understood(engine, assistant_of(parts), question, clock.now().date())
        query = read.query
        left = f"; not understood: {', '.join(read.unread)}" if read.unread else ""
        remark().print(f"read by {read.by} as {_query_in_words(asdict(query))}{left}", markup=False)
    if group is not None:
        given["model_group"] = groups_of(parts, group)[0]
    found = search(engine, replace(query, **{name: value for name, value in given.items() if value}))
    if json_out:
        print_json([asdict(entry) | {"recorded_at": at} for at, entry in found])
        return
    table = Table("session", "kind", "subject", "head", "mutation", "outcome", "message")
    for _, entry in found:
        table.add_row(*_cells(entry))
    result().print(table if found else "no entry")


def _cells(entry: "JournalEntry") -> tuple[str, ...]:
    from rich.markup import escape  # noqa: PLC0415

    words = f"{entry.message} [note: {entry.note}]" if entry.note else entry.message
    cells = (entry.session, entry.kind, entry.subject, entry.head, entry.mutation, entry.outcome, words)
    return tuple(escape(str(cell)) for cell in cells)


def _known_kinds(kinds: "list[str] | tuple[str, ...]") -> tuple[str, ...]:
    from hydra_assets.state.journal import JournalKind  # noqa: PLC0415
    from hydra_console.cli.output import UserError  # noqa: PLC0415

    unknown = [kind for kind in kinds if kind not in set(JournalKind)]
    if unknown:
        msg = f"there is no kind {', '.join(unknown)}; there are {', '.join(JournalKind)}"
        raise UserError(msg)
    return tuple(kinds)


def _query_in_words(query: dict[str, Any]) -> str:
    said = {name: value for name, value in query.items() if value and name != "limit"}
    words = [f"{k}={', '.join(map(str, v)) if isinstance(v, tuple) else v}" for k, v in said.items()]
    return " ".join([*words, f"limit={query['limit']}"])


def sandbox_replay(
    group: Group = None,
    candidate: Candidate = None,
    from_: Annotated[str | None, typer.Option("--from", help="First session, YYYY-MM-DD.")] = None,
    to: Annotated[str | None, typer.Option(help="Last session, YYYY-MM-DD.")] = None,
    json_out: Json = False,
) -> None:
    """Play the champion, or a candidate beside it, on chosen sessions: out of sample, after all costs, in memory.

    Nothing is written and no verdict follows. A candidate is played up to its seal: what comes after it is opened by
    gate 8 alone, since a hold-out that somebody has looked at is none.
    """
    from dataclasses import asdict  # noqa: PLC0415

    from rich.table import Table  # noqa: PLC0415

    from hydra_console.cli.output import parse_day, remark, result  # noqa: PLC0415
    from hydra_console.cli.parts import one_group, parts_of_home  # noqa: PLC0415

    first, last = parse_day(from_, "--from"), parse_day(to, "--to")
    parts = parts_of_home()
    from hydra_agent.defs import sandbox  # noqa: PLC0415

    with remark().status("walking forward"):
        found = sandbox.replayed(parts, one_group(parts, group), candidate, first, last)
    if json_out:
        print_json(asdict(found))
        return
    table = Table("recipe", "sessions", "net, % of capital", "costs, %", "Sharpe", "max drawdown, %")
    for row in found.records:
        sharpe = "" if row.sharpe is None else f"{row.sharpe:.2f}"
        fall = "" if row.max_drawdown is None else f"{100 * row.max_drawdown:.1f}"
        table.add_row(row.name, str(row.sessions), f"{100 * row.net:.1f}", f"{100 * row.costs:.1f}", sharpe, fall)
    result().print(f"{found.group} from {found.first} to {found.last}")
    result().print(table)


def sandbox_stress(
    group: Group = None,
    candidate: Candidate = None,
    scenario: Annotated[list[str] | None, typer.Option("--scenario", "-s", help="Repeatable; all if none.")] = None,
    to: Annotated[str | None, typer.Option(help="Last session that is known, YYYY-MM-DD.")] = None,
    json_out: Json = False,
) -> None:
    """Put the champion or a candidate under stress: crashes, droughts, reversals, outages, redrawn pasts; in memory.

    Scenarios: unstressed, stationary_bootstrap, copula, flash_crash, flash_spike, liquidity_drought, vol_explosion,
    reversal, data_outage. The two redrawn pasts (stationary_bootstrap, copula) take longest.
    """
    from rich.table import Table  # noqa: PLC0415

    from hydra_console.cli.output import parse_day, remark, result  # noqa: PLC0415
    from hydra_console.cli.parts import one_group, parts_of_home  # noqa: PLC0415

    last = parse_day(to, "--to")
    parts = parts_of_home()
    from hydra_agent.defs import sandbox  # noqa: PLC0415

    with remark().status("stressing"):
        rows = sandbox.stress(parts, one_group(parts, group), candidate, scenario or (), last)
    if json_out:
        print_json(rows.to_dicts())
        return
    columns = ("scenario", "stress_reason", "message", "sharpe", "net_change", "max_drawdown_p95")
    table = Table(*columns)
    for row in rows.select(columns).iter_rows():
        table.add_row(*("" if v is None else f"{v:.3g}" if isinstance(v, float) else str(v) for v in row))
    result().print(table)


def print_json(found: object) -> None:
    """Print for a program; NaN and infinity, which JSON has not, are null."""
    import json  # noqa: PLC0415

    from hydra_console.cli.database import _plain  # noqa: PLC0415
    from hydra_console.cli.output import result  # noqa: PLC0415

    result().print(json.dumps(_plain(found), default=str, ensure_ascii=False), markup=False)
