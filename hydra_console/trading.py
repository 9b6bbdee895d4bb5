"""How the trading of a home stands, gathered in one place for a person and for programs."""

from collections.abc import Mapping
from typing import Any

import polars as pl
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from hydra_assets.columns import FUTURES_CURVE
from hydra_assets.home import HomeConfig
from hydra_assets.lake import Lake
from hydra_assets.markets.model import MarketSpec
from hydra_assets.replay.breakers import BreakerState
from hydra_assets.state.execution_tables import (
    connection_log,
    heartbeats,
    orders,
    reconciliations,
    tickets,
    trading_sessions,
    trading_switch,
)
from hydra_assets.state.records import OrderStatus
from hydra_exec.breakers.log import load
from hydra_exec.broker.port import BrokerKind
from hydra_exec.config import TradingConfig, trading_config
from hydra_exec.connection.client_lock import Role
from hydra_exec.deciding import contract_root
from hydra_exec.journal import store
from hydra_exec.journal.reading import load_book
from hydra_exec.trading_log import equities

CENTS = 100.0
DAYS_SHOWN = 5
EVENTS_SHOWN = 5
INTENTS = (str(OrderStatus.CREATED), str(OrderStatus.WORKING))


def watermark(kind: str, config: TradingConfig) -> str | None:
    """What has to be said of figures that are no real fills, None where they are."""
    if config.broker is not BrokerKind.SIMULATED:
        return None
    return f"SIMULATED - {'simulated' if kind == 'simulated' else 'real'} prices, no real orders, no real fills"


def trading_standing(
    engine: sa.Engine, lake: Lake, home: HomeConfig, markets: Mapping[str, MarketSpec]
) -> dict[str, Any]:
    """Account, switch, newest session, positions, open intents, tickets, breakers, connection and worth, for JSON.

    ``foreign`` are lots that the broker last said are held in what is none of the home's contracts, by its name. Money
    is the account's currency. A position's settle is the last one that is known of its contract; without any its value
    is None.
    """
    config = trading_config(home)
    account = config.account
    with engine.connect() as connection:
        book = load_book(connection, account)
        live = store.ticket_records(connection, tickets.c.account == account, tickets.c.state.in_(store.LIVE_STATES))
        intents = store.read_orders(connection, orders.c.account == account, orders.c.status.in_(INTENTS))
        switched = connection.execute(sa.select(trading_switch).order_by(trading_switch.c.id.desc()).limit(1)).first()
        last = _newest(connection, trading_sessions, account)
        answer = _newest(connection, reconciliations, account)
        beat = connection.execute(
            sa.select(heartbeats).where(heartbeats.c.role == str(Role.TRADING), heartbeats.c.account == account)
        ).first()
        events = connection.execute(
            sa.select(connection_log)
            .where(connection_log.c.account == account)
            .order_by(connection_log.c.id.desc())
            .limit(EVENTS_SHOWN)
        ).all()
    return {
        "broker": str(config.broker),
        "account": account,
        "mode": config.mode,
        "watermark": watermark(home.kind, config),
        "switch": {"on": switched is None or switched.on} | _fields(switched, "actor", "reason", "recorded_at"),
        "last_session": _fields(last, "session", "outcome", "started_at", "ended_at") if last else None,
        "positions": positions(lake, markets, book.positions),
        "foreign": _foreign(markets, answer),
        "open_intents": [
            {
                "order_ref": order.order_ref,
                "lots": order.side.sign * order.quantity,
                "contract": order.contract,
                "limit_price": order.limit_price,
                "work_session": order.work_session,
                "motive": order.motive,
                "status": str(order.status),
            }
            for order in intents
        ],
        "live_tickets": [
            {
                "wire_ref": ticket.wire_ref,
                "order_ref": ticket.order_ref,
                "state": str(ticket.progress.state),
                "filled": ticket.progress.filled,
                "quantity": ticket.progress.quantity,
                "limit_price": ticket.limit_price,
            }
            for ticket in live
        ],
        "unknown_tickets": sum(ticket.unknown for ticket in live),
        "breakers": _breakers(engine, account),
        "connection": {
            "heartbeat": _fields(beat, "last_at", "state", "expected") if beat else None,
            "events": [_fields(event, "recorded_at", "event", "detail", "generation") for event in events],
        },
        "equity": _worth(engine, config),
        "last_reconciliation": _fields(answer, "taken_at", "code", "positions", "differences") if answer else None,
    }


def positions(lake: Lake, markets: Mapping[str, MarketSpec], held: Mapping[str, int]) -> list[dict[str, Any]]:
    """Positions by contract with their last known settle, its session, and what they are worth at it."""
    symbols = {spec.root: symbol for symbol, spec in markets.items()}
    out = []
    for contract, lots in sorted(held.items()):
        symbol = symbols.get(contract_root(contract))
        row: dict[str, Any] = {"contract": contract, "market": symbol, "lots": lots, "settle": None, "session": None}
        if symbol is not None:
            columns = ["session", "contract", "settle", "settle_age_sessions"]
            known = lake.read(FUTURES_CURVE.name, markets=[symbol], columns=columns).drop_nulls()
            own = known.filter((pl.col("contract") == contract) & (pl.col("settle_age_sessions") == 0))
            newest = own.sort("session").tail(1)
            row |= dict(newest.select("settle", "session").row(0, named=True)) if newest.height else {}
        usable = row["settle"] is not None and symbol is not None
        row["value"] = round(lots * row["settle"] * markets[symbol].multiplier, 2) if usable and symbol else None
        out.append(row)
    return out


def _foreign(markets: Mapping[str, MarketSpec], answer: sa.Row[Any] | None) -> dict[str, int]:
    roots = {spec.root for spec in markets.values()}
    said = {} if answer is None else answer._mapping["positions"]
    return {name: lots for name, lots in said.items() if lots and contract_root(name) not in roots}


def _breakers(engine: sa.Engine, account: str) -> list[dict[str, Any]]:
    """Where each machine stands, the account's first; a machine that never moved is active and not listed."""
    return [
        {
            "market": market or None,
            "state": machine.state.name.lower(),
            "reason": str(machine.reason) if machine.reason else None,
            "since": machine.since,
        }
        for market, machine in sorted(load(engine, account).machines.items())
    ]


def _worth(engine: sa.Engine, config: TradingConfig) -> dict[str, Any]:
    known = equities(engine, config.account)
    before = [round(CENTS * config.capital), *(cents for _, cents in known)]
    earned = [(day, cents - was) for (day, cents), was in zip(known, before, strict=False)]
    return {
        "capital": config.capital,
        "equity": known[-1][1] / CENTS if known else config.capital,
        "last_days": [{"session": day, "pnl": cents / CENTS} for day, cents in earned[-DAYS_SHOWN:]],
    }


def _newest(connection: sa.Connection, table: sa.Table, account: str) -> sa.Row[Any] | None:
    query = sa.select(table).where(table.c.account == account).order_by(table.c.id.desc()).limit(1)
    return connection.execute(query).first()


def _fields(row: sa.Row[Any] | None, *names: str) -> dict[str, Any]:
    return {name: None if row is None else row._mapping[name] for name in names}


def trading_lines(standing: Mapping[str, Any]) -> list[str]:
    """The same in a few lines, for ``hydra status``."""
    last = standing["last_session"]
    traded = "not traded yet" if last is None else f"last session {last['session']} {_outcome(last)}"
    own = [f"{row['contract']} {row['lots']:+d}" for row in standing["positions"]]
    held = ", ".join([*own, *(f"{name} {lots:+d} (FOREIGN)" for name, lots in standing["foreign"].items())])
    unknown = f", {standing['unknown_tickets']} UNKNOWN" if standing["unknown_tickets"] else ""
    return [
        f"trading       {standing['broker']} broker, account {standing['account']}, {standing['mode']}, "
        f"{_switch(standing)}; {traded}",
        f"positions     {held or 'none'}; equity {standing['equity']['equity']:,.2f}",
        f"intents       {len(standing['open_intents'])} orders open, {len(standing['live_tickets'])} tickets at the "
        f"broker{unknown}",
        f"breakers      {breakers_in_words(standing)}",
        f"connection    {connection_in_words(standing)}",
    ]


def _outcome(last: Mapping[str, Any]) -> str:
    return last["outcome"] or "UNDER WAY, OR KILLED"


def _switch(standing: Mapping[str, Any]) -> str:
    return "switched on" if standing["switch"]["on"] else "SWITCHED OFF"


def breakers_in_words(standing: Mapping[str, Any]) -> str:
    """Machines that are not active, with what they tripped for; or that all are."""
    rest = [row for row in standing["breakers"] if row["state"] != BreakerState.ACTIVE.name.lower()]
    words = [f"{row['market'] or 'account'} {row['state']}: {row['reason']} since {row['since']}" for row in rest]
    return "; ".join(words) or "all active"


def connection_in_words(standing: Mapping[str, Any]) -> str:
    """When the broker was last heard of, by the wall clock, or by its own where it lives on another."""
    found = standing["connection"]
    if (beat := found["heartbeat"]) is not None:
        return f"{beat['state']}, last heard of {beat['last_at']:%Y-%m-%d %H:%M:%S} UTC"
    if not found["events"]:
        return "none was made yet"
    event = found["events"][0]
    return f"none now; last {event['event']} {event['recorded_at']:%Y-%m-%d %H:%M:%S} UTC"


def show_trading(standing: Mapping[str, Any], console: Console) -> None:
    """Print ``hydra paper-trade status`` for a person."""
    if standing["watermark"]:
        console.print(standing["watermark"], style="bold yellow")
    console.print(f"account         {standing['account']} at the {standing['broker']} broker, {standing['mode']}")
    switched = standing["switch"]
    who = "nobody has said otherwise" if switched["actor"] is None else _who(switched)
    console.print(f"switch          {'on' if switched['on'] else 'OFF'} ({who})", markup=False)
    last = standing["last_session"]
    console.print(f"last session    {'none' if last is None else str(last['session']) + ': ' + _outcome(last)}")
    worth = standing["equity"]
    console.print(f"equity          {worth['equity']:,.2f}, of {worth['capital']:,.2f} at the beginning")
    days = ", ".join(f"{row['session']} {row['pnl']:+,.2f}" for row in worth["last_days"])
    console.print(f"last days       {days or 'none'}")
    _show_rows(console, "positions", standing["positions"], ("contract", "lots", "settle", "session", "value"))
    for name, lots in standing["foreign"].items():
        console.print(f"FOREIGN         {name} {lots:+d}: none of the home's contracts", markup=False)
    intents = ("order_ref", "lots", "limit_price", "work_session", "motive", "status")
    _show_rows(console, "open intents", standing["open_intents"], intents)
    sent = ("order_ref", "state", "filled", "quantity", "limit_price", "wire_ref")
    _show_rows(console, "live tickets", standing["live_tickets"], sent)
    console.print(f"breakers        {breakers_in_words(standing)}", markup=False)
    console.print(f"connection      {connection_in_words(standing)}", markup=False)
    for event in standing["connection"]["events"]:
        words = f"{event['recorded_at']:%Y-%m-%d %H:%M:%S} {event['event']} {event['detail']}".rstrip()
        console.print(f"                {words}", markup=False)
    answer = standing["last_reconciliation"]
    if answer is None:
        console.print("reconciliation  none")
    else:
        at = f"{answer['taken_at']:%Y-%m-%d %H:%M:%S} UTC by the broker's clock"
        differs = f", different: {answer['differences']}" if answer["differences"] else ""
        console.print(f"reconciliation  {answer['code']} at {at}{differs}", markup=False)


def _who(switched: Mapping[str, Any]) -> str:
    return f"{switched['actor']}, {switched['recorded_at']:%Y-%m-%d %H:%M} UTC: {switched['reason']}"


def _show_rows(console: Console, title: str, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    if not rows:
        console.print(f"{title:<15} none")
        return
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*("" if row[name] is None else str(row[name]) for name in columns))
    console.print(table)
