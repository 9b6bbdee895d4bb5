"""What a person does to trading: switch it on and off, leave all positions, open the live gate. All of it on record."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta

from hydra_assets import clock
from hydra_assets.state.execution_tables import orders
from hydra_assets.state.journal import JournalEntry, JournalKind, write
from hydra_assets.state.records import OrderStatus
from hydra_assets.state.system_log import current_state
from hydra_exec.account_data import AccountData
from hydra_exec.assembly import simulated_rig
from hydra_exec.broker.port import BrokerKind
from hydra_exec.deciding import AccountDay, Values, contract_root, decide_market
from hydra_exec.defs.account import AccountParts, parts_of
from hydra_exec.defs.live import live_account
from hydra_exec.defs.live_permit import live_standing
from hydra_exec.desk.line import Line
from hydra_exec.journal import store
from hydra_exec.journal.compare import ReconcileCode
from hydra_exec.journal.records import Order
from hydra_exec.live_gate.conditions import LiveCondition
from hydra_exec.live_gate.record_log import RecordLog
from hydra_exec.live_gate.records import Drill, DrillKind, OperatorWord
from hydra_exec.plan import Motive
from hydra_exec.trading_log import equities, last_traded, order_names, switch, switched_on

OPERATOR = "/operator"
"""Ends the name of an order that a person asked for: the session may have one of its own in the same contract."""
FLATTENED = "flattened"
OWN_WORD = frozenset({LiveCondition.OPERATOR_RECORD, LiveCondition.OPERATOR_EXPIRED})
"""Conditions that a person's record meets; all others have to hold before it is made."""
NEVER_LIVE = (
    "a simulated home never trades live: its prices are no market's, and every real broker refuses its champion"
)


class OperatingError(Exception):
    """Something that cannot be done; the message is one sentence that says why."""


def turn(parts: AccountParts, on: bool, actor: str, reason: str) -> bool:
    """Switch working on or off on a person's word; whether it was on before.

    To stop is always possible. OperatingError where a live account is to be started and its gate is not open.
    """
    engine, config = parts.database.engine, parts.config
    if on and config.mode == "live":
        missing = live_standing(parts, config.account)[1].reason
        if missing is not None:
            msg = (
                f"trading.mode of home.yaml is live, and the live gate of {config.account} is not open: {missing} "
                "`hydra live-gate` says what a live account needs."
            )
            raise OperatingError(msg)
    before = switched_on(engine)
    switch(engine, on, actor, reason)
    return before


@dataclass(frozen=True, slots=True)
class Flattened:
    """What became of a person's word to leave everything, at the cutoff of ``session``."""

    session: date
    ended: tuple[str, ...]
    """Orders that were not worked to their end and never will be."""
    decided: tuple[Order, ...]
    """New orders, passed or denied by the gate."""
    already: tuple[Order, ...]
    """Orders of the same words, said before."""
    strangers: dict[str, int]
    """Positions in what is none of the home's contracts: nothing here can leave them."""
    left: dict[str, int]
    """Lots of the home's contracts that none of the orders leaves, bought positive: what the gate denied, what is more
    than a session bears, and what an order that has ended did not fill. Said again in the next session, they go on."""
    switched_on: bool

    @property
    def denied(self) -> tuple[Order, ...]:
        """What the gate did not let pass: it is still held."""
        return tuple(order for order in (*self.decided, *self.already) if order.status is OrderStatus.DENIED)


def flatten(parts: AccountParts, markets: Sequence[str], actor: str, reason: str) -> Flattened:
    """Leave all positions of some markets, of all where none is named, through the risk gate.

    Orders that wait or are half worked end first, so that none of them meets the way out: opening the line has ended
    their tickets, and what filled is in the position. Then each position, by the broker's own word, gets an order that
    crosses the spread at once, of no more than a session bears. The same words again change nothing.

    Raises
    ------
    OperatingError
        There is no such market, no session was traded, or the broker has not answered.
    BrokerError, ClientLockError
        The broker cannot be asked.
    """
    chosen = _chosen(parts, markets)
    engine, account = parts.database.engine, parts.config.account
    session = _newest(parts)
    if session is None:
        raise OperatingError(f"account {account} has not been traded yet: there is nothing to leave")
    sessions = {m: _own_session(parts, m, session) for m in chosen}
    data = parts.data(min(sessions.values()), session)
    names = {market: order_names(engine, account, day) for market, day in sessions.items()}
    with _line(parts, data, session) as line:
        standing = line.open()
        if standing.code is ReconcileCode.NO_ANSWER:
            raise OperatingError("the broker has not answered in full: what is held is not known; say it again")
        ended = _end_open(parts, line, chosen)
        decided: list[Order] = []
        for market, day in sessions.items():
            said = frozenset(n.removesuffix(OPERATOR) for n in names[market] if n.endswith(OPERATOR))
            held = _account_day(parts, dict(standing.positions), standing.agreed, said)
            decided += _orders(parts, data, market, day, session, held)
        line.journal.decide([replace(order, reason=order.reason or f"{actor}: {reason}") for order in decided])
        new = {order.order_ref for order in decided}
        already = [order for order in _said_before(parts, names) if order.order_ref not in new]
        left = _left(parts, line, chosen, standing.positions, [*decided, *already])
    roots = {spec.root for spec in parts.home.markets.values()}
    unlisted = {c: lots for c, lots in standing.positions.items() if contract_root(c) not in roots}
    found = Flattened(
        session=session,
        ended=ended,
        decided=tuple(decided),
        already=tuple(already),
        strangers={c: lots for c, lots in {**unlisted, **standing.foreign}.items() if lots},
        left=left,
        switched_on=switched_on(engine),
    )
    _note(parts, chosen, found, actor, reason)
    return found


def _chosen(parts: AccountParts, markets: Sequence[str]) -> list[str]:
    unknown = [market for market in markets if market not in parts.home.markets]
    if unknown:
        raise OperatingError(f"no market {', '.join(unknown)} in this home; it has {', '.join(parts.home.markets)}")
    return list(dict.fromkeys(markets)) or list(parts.home.markets)


def _newest(parts: AccountParts) -> date | None:
    """The session at whose cutoff the account stands: a simulated one lives in the sessions that it has seen."""
    seen = last_traded(parts.database.engine, parts.config.account)
    if parts.config.broker is BrokerKind.SIMULATED or seen is None:
        return seen
    return max(calendar.latest_finished(parts.home.now()) for calendar in parts.home.calendars.values())


def _own_session(parts: AccountParts, market: str, session: date) -> date:
    calendar = parts.home.calendars[market]
    return session if calendar.is_session(session) else calendar.previous_session(session)


@contextmanager
def _line(parts: AccountParts, data: AccountData, session: date) -> Iterator[Line]:
    """The line to the account's broker, whichever it is."""
    if parts.config.broker is not BrokerKind.SIMULATED:
        with live_account(parts, session) as (account, _):
            yield account.line
        return
    settles = {c: s for days in data.days.values() for day in days.values() for c, s in day.settles.items()}
    rig = simulated_rig(parts_of(parts, settles.get), data.tapes, last_trades=data.last_trades)
    try:
        yield rig.line
    finally:
        rig.close()


def _end_open(parts: AccountParts, line: Line, markets: Sequence[str]) -> tuple[str, ...]:
    with parts.database.engine.connect() as connection:
        found = store.read_orders(
            connection,
            orders.c.account == parts.config.account,
            orders.c.market.in_(markets),
            orders.c.status.in_((str(OrderStatus.CREATED), str(OrderStatus.WORKING))),
            orders.c.motive != str(Motive.OPERATOR),
        )
    for order in found:
        line.journal.end_order(order.order_ref, OrderStatus.DONE, FLATTENED)
    return tuple(order.order_ref for order in found)


def _left(
    parts: AccountParts, line: Line, markets: Sequence[str], held: Mapping[str, int], leaving: Sequence[Order]
) -> dict[str, int]:
    """Lots held in some markets, less what the orders that leave them may still fill."""
    roots = {parts.home.markets[market].root for market in markets}
    out = {contract: lots for contract, lots in held.items() if contract_root(contract) in roots}
    for order in leaving:
        if order.status in {OrderStatus.CREATED, OrderStatus.WORKING}:
            filled = sum(ticket.progress.filled for ticket in line.journal.tickets_of(order.order_ref))
            out[order.contract] = out.get(order.contract, 0) + order.side.sign * (order.quantity - filled)
    return {contract: lots for contract, lots in out.items() if lots}


def _account_day(parts: AccountParts, positions: dict[str, int], agreed: bool, said: frozenset[str]) -> AccountDay:
    engine, config = parts.database.engine, parts.config
    known = equities(engine, config.account)
    return AccountDay(
        account=config.account,
        broker=config.broker,
        champion_simulated=parts.home.config.kind != "real",
        positions=positions,
        reconciled=agreed,
        equity=known[-1][1] / 100.0 if known else config.capital,
        system=current_state(engine),
        existing=said,
        flatten=Motive.OPERATOR,
    )


def _orders(
    parts: AccountParts, data: AccountData, market: str, day: date, session: date, account: AccountDay
) -> list[Order]:
    """Orders that leave a market. Those of a name that is on record are left out: they were decided."""
    found = data.days.get(day, {}).get(market)
    if found is None:
        held = [c for c in account.positions if contract_root(c) == parts.home.markets[market].root]
        if held:
            raise OperatingError(f"{market} has no prices in {day}: bring the datasets up with `hydra cycle`")
        return []
    work_session = parts.home.calendars[market].next_session(session)
    config = parts.config
    # What only reduces is held to no share of the equity, so the other markets' values are of no matter.
    decided = decide_market(
        found, work_session, parts.home.markets[market], account, Values(), config.limits, config.patience
    )
    new = [order for order in decided if order.order_ref not in account.existing]
    return [replace(order, order_ref=order.order_ref + OPERATOR) for order in new]


def _said_before(parts: AccountParts, names: dict[str, frozenset[str]]) -> list[Order]:
    refs = [name for own in names.values() for name in own if name.endswith(OPERATOR)]
    with parts.database.engine.connect() as connection:
        return store.read_orders(connection, orders.c.order_ref.in_(refs)) if refs else []


def _note(parts: AccountParts, markets: Sequence[str], found: Flattened, actor: str, reason: str) -> None:
    """Put a person's word on record, once a group and session."""
    for group in sorted({parts.home.markets[market].group for market in markets}):
        own = [m for m in markets if parts.home.markets[m].group == group]
        facts = {
            "markets": own,
            "ended": [ref for ref in found.ended if ref.split("/")[0] in own],
            "decided": {o.order_ref: o.gate_code for o in found.decided if o.market in own},
        }
        subject = f"{group}.{found.session}.flatten.{'-'.join(own)}"
        message = f"{actor} leaves all positions of {', '.join(own)}: {reason}"
        entry = JournalEntry(
            JournalKind.OPERATOR, group, found.session, subject, outcome=FLATTENED, message=message, facts=facts
        )
        write(parts.database.engine, entry)


def may_record(parts: AccountParts, account: str, days: int) -> None:
    """OperatingError where a person's word for an account cannot be put on record; to take one back is always possible.

    The home is simulated, or anything but the word itself is missing.
    """
    _real(parts)
    missing = [each for each in live_standing(parts, account)[1].missing if each.code not in OWN_WORD] if days else []
    if missing:
        words = " ".join(each.sentence for each in missing)
        raise OperatingError(f"no word opens the live gate while this is missing: {words}")


def record_word(parts: AccountParts, account: str, operator: str, reason: str, days: int) -> OperatorWord:
    """Put on record that an account may trade live for some days; 0 takes such a word back.

    Raises
    ------
    OperatingError
        As ``may_record``.
    RecordError
        The records were touched, or nobody and nothing is named.
    """
    may_record(parts, account, days)
    now = clock.now()
    log = RecordLog(parts.database.engine, parts.home.root)
    return log.operator_record(account, operator, reason, now + timedelta(days=days), now)


def record_drill(parts: AccountParts, kind: DrillKind, account: str, passed: bool, detail: str) -> Drill:
    """Put a drill on record; OperatingError in a simulated home, where none counts."""
    _real(parts)
    log = RecordLog(parts.database.engine, parts.home.root)
    return log.drill(kind, account, passed=passed, detail=detail, at=clock.now())


def _real(parts: AccountParts) -> None:
    if parts.home.config.kind != "real":
        raise OperatingError(NEVER_LIVE)
