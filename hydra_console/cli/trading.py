"""``hydra paper-trade``, ``fill-report`` and ``flatten``: the operator's hand on trading."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from hydra_console.cli.healing import Json, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from hydra_exec.defs.account import AccountParts
    from hydra_exec.defs.operating import Flattened

Reason = Annotated[str, typer.Option("--reason", "-r", help="Goes on record.")]
Now = Annotated[bool, typer.Option("--now", help="Trade what can be traded at once, in this process.")]
FLATTEN = "flatten"


def account_of_home() -> "AccountParts":
    """The account of the environment's home, ready."""
    from hydra_console.cli.session import open_home  # noqa: PLC0415

    open_home()
    from hydra_assets.defs.resources import default_resources  # noqa: PLC0415  heavy, and a home may be missing
    from hydra_exec.defs.account import AccountParts  # noqa: PLC0415

    made: dict[str, Any] = default_resources()
    return AccountParts(made["home"], made["lake"], made["database"], "")


def start(reason: Reason = "", now: Now = False) -> None:
    """Let orders be worked, from the next session on.

    On paper, or live where `hydra live-gate` is open.
    """
    _turn(on=True, reason=reason)
    if now:
        trade_now()


def stop(reason: Reason) -> None:
    """Let no order be worked until `start`. Positions are kept; `hydra flatten` leaves them."""
    _turn(on=False, reason=reason)


def _turn(*, on: bool, reason: str) -> None:
    from hydra_console.cli.output import result  # noqa: PLC0415
    from hydra_console.cli.parts import person  # noqa: PLC0415

    parts = account_of_home()
    from hydra_exec.broker.port import BrokerKind  # noqa: PLC0415
    from hydra_exec.defs.operating import turn  # noqa: PLC0415

    config = parts.config
    before = turn(parts, on, person(), reason or "paper trading is started")
    was = "it was so already" if before == on else f"it was {'on' if before else 'off'}"
    console, simulated = result(), config.broker is BrokerKind.SIMULATED
    console.print(f"account {config.account} at the {config.broker} broker: {'on' if on else 'off'} ({was})")
    if not on:
        console.print("positions are kept; `hydra flatten` leaves them, `hydra paper-trade start` goes on")
        if not simulated:
            console.print("what lives at the broker is taken back by the process that works it, at its next look")
    elif simulated:
        console.print(
            "next: `hydra cycle` trades each session that it brings, and so does `daily_trade` of `hydra up`;"
        )
        console.print("      `hydra paper-trade start --now` trades what is predicted already")
    else:
        console.print("next: under `hydra up`, `daily_trade` decides after each session and `work_session` works the")
        console.print(
            "      orders in the next one's hours; `hydra paper-trade start --now` works what is decided already"
        )


def trade_now() -> None:
    """Trade what can be traded at once; exit status 1 where a run fails."""
    from hydra_assets import clock  # noqa: PLC0415
    from hydra_console.bootstrap.lock import file_lock  # noqa: PLC0415
    from hydra_console.cli.datasets import CYCLE_LOCK, _execute  # noqa: PLC0415
    from hydra_console.cli.output import result  # noqa: PLC0415

    parts = account_of_home()
    from hydra_console.cycle import complaints  # noqa: PLC0415
    from hydra_console.trade_now import trade_requests  # noqa: PLC0415
    from hydra_exec.trading_log import last_traded  # noqa: PLC0415

    console = result()
    with file_lock(parts.home.root / CYCLE_LOCK, wait_seconds=0, what="cycle, backfill or trade"):
        requests = trade_requests(parts, clock.now())
        if not requests:
            console.print(
                "now: nothing, the account has seen every session that is predicted; `hydra cycle` brings more"
            )
            return
        outcomes = _execute(requests, list)
    for line in complaints(outcomes):
        console.print(f"- {line}", markup=False)
    if not all(outcome.success for outcome in outcomes):
        raise typer.Exit(1)
    newest = last_traded(parts.database.engine, parts.config.account)
    console.print(f"now: done, the newest session that was decided is {newest or 'none'}")


def status(json_out: Json = False) -> None:
    """Say how trading stands: switch, session, positions, open intents, tickets, breakers, connection, worth."""
    from hydra_console.cli.output import result  # noqa: PLC0415

    parts = account_of_home()
    from hydra_console.trading import show_trading, trading_standing  # noqa: PLC0415

    found = trading_standing(parts.database.engine, parts.lake.lake, parts.home.config, parts.home.markets)
    if json_out:
        print_json(found)
    else:
        show_trading(found, result())


def fill_report(
    market: Annotated[list[str] | None, typer.Option("--market", "-m", help="Repeatable; all markets if none.")] = None,
    first: Annotated[str | None, typer.Option(help="First session, e.g. 2024-01-02.")] = None,
    last: Annotated[str | None, typer.Option(help="Last session.")] = None,
    json_out: Json = False,
) -> None:
    """Set what fills have cost beside what was expected, by market, local hour and size of the order.

    Slippage is against the middle of the quote that the ticket was sent on; what is paid is positive. Bias is what was
    paid beyond the expectation, in half-spreads; the live gate wants it within half of one.
    """
    from hydra_console.cli.output import UserError, parse_day, result  # noqa: PLC0415

    start_day, end_day = parse_day(first, "--first"), parse_day(last, "--last")
    if start_day is not None and end_day is not None and start_day > end_day:
        msg = f"the range is empty: {start_day} lies after {end_day}"
        raise UserError(msg)
    parts = account_of_home()
    from hydra_console import fill_report as report  # noqa: PLC0415
    from hydra_console.trading import watermark  # noqa: PLC0415

    specs = parts.home.markets
    unknown = [name for name in market or () if name not in specs]
    if unknown:
        msg = f"no market {', '.join(unknown)} in this home; it has {', '.join(specs)}"
        raise UserError(msg)
    chosen = {name: specs[name] for name in specs if not market or name in market}
    mark = watermark(parts.home.config.kind, parts.config)
    found = report.fill_report(parts.database.engine, parts.lake.lake, chosen, start_day, end_day)
    if json_out:
        print_json({"watermark": mark, **found})
    else:
        report.show_fill_report(found, mark, result())


def flatten(
    reason: Reason,
    market: Annotated[list[str] | None, typer.Option("--market", "-m", help="Repeatable; all markets if none.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
    now: Now = False,
    json_out: Json = False,
) -> None:
    """Leave all positions through the risk gate, across the spread at once; open orders end.

    Said twice it is the same. No more is left in a session than it bears; exit status 1 says that something stays held.
    The next decision may take a position again: `hydra pause` keeps new ones away.
    """
    from dataclasses import asdict  # noqa: PLC0415

    from hydra_console.bootstrap.lock import file_lock  # noqa: PLC0415
    from hydra_console.cli.datasets import CYCLE_LOCK  # noqa: PLC0415
    from hydra_console.cli.output import UserError, result  # noqa: PLC0415
    from hydra_console.cli.parts import person  # noqa: PLC0415

    parts = account_of_home()
    from hydra_exec.defs import operating  # noqa: PLC0415

    account = parts.config.account
    if not yes:
        what = ", ".join(market) if market else "every market"
        typed: str = typer.prompt(
            f"This leaves all positions of {account} in {what}. Type {FLATTEN} to go on", err=True
        )
        if typed.strip() != FLATTEN:
            msg = f"nothing was done: {FLATTEN} was not typed"
            raise UserError(msg)
    with file_lock(parts.home.root / CYCLE_LOCK, wait_seconds=0, what="cycle, backfill or trade"):
        found = operating.flatten(parts, market or [], person(), reason)
    if json_out:
        print_json(asdict(found))
    else:
        _show_flattened(parts, found, result(), now=now)
    if now and (found.decided or found.already):
        trade_now()
    if found.denied or found.strangers or found.left:
        raise typer.Exit(1)


def _show_flattened(parts: "AccountParts", found: "Flattened", console: "Console", *, now: bool) -> None:
    from hydra_assets.state.system import SystemState  # noqa: PLC0415
    from hydra_assets.state.system_log import current_state  # noqa: PLC0415
    from hydra_exec.broker.port import BrokerKind  # noqa: PLC0415

    for ref in found.ended:
        console.print(f"ended    {ref}: it is worked no further")
    for orders, word in ((found.decided, "order   "), (found.already, "already ")):
        for order in orders:
            what = f"{order.side} {order.quantity} {order.contract}, at {order.limit_price} at worst"
            came = f"{order.gate_code}, {order.status}"
            console.print(f"{word} {what}, in session {order.work_session}: {came}", markup=False)
    for contract, lots in found.strangers.items():
        console.print(
            f"LEFT     {lots:+d} {contract}: none of the home's contracts, leave it at the broker", markup=False
        )
    for contract, lots in found.left.items():
        what = "no order of these leaves it, say `hydra flatten` again in the next session"
        console.print(f"LEFT     {lots:+d} {contract}: {what}", markup=False)
    for order in found.denied:
        console.print(f"DENIED   {order.contract}: {order.reason}", markup=False)
    if not (found.decided or found.already):
        if not (found.strangers or found.left):
            console.print(f"nothing is held at the cutoff of {found.session}")
        return
    if not found.switched_on:
        console.print("the switch is OFF, and nothing is worked: `hydra paper-trade start` first")
    if not now and parts.config.broker is BrokerKind.SIMULATED:
        console.print("next: the simulated broker works them in its next session, which `hydra cycle` brings")
    elif not now:
        console.print("next: `work_session` of `hydra up` works them in the session's hours, or say --now in them")
    if current_state(parts.database.engine) is SystemState.RUNNING:
        console.print("      the next decision may take a position again; `hydra pause` keeps new ones away")
