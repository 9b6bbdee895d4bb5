"""A session at a real broker, in its own hours: what was decided is worked, and how it went is noted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.sessions import SessionCalendar
from hydra_exec.account_run import Account, AccountRun
from hydra_exec.broker.port import BrokerError, RefusedError
from hydra_exec.broker.simulated.tape import working_window
from hydra_exec.desk.desk import SessionWork, WorkOutcome
from hydra_exec.trading_log import begin_session, end_session

LEAD = timedelta(hours=2)
"""How long before its opening a session may be waited for."""


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A market's session that is open, or opens soon."""

    market: str
    session: date
    opens_at: datetime
    closes_at: datetime


def open_sessions(
    markets: Mapping[str, MarketSpec], calendars: Mapping[str, SessionCalendar], now: datetime
) -> list[OpenSession]:
    """Sessions that are open now or open within ``LEAD``, at most one a market."""
    out = []
    for market, spec in markets.items():
        for day in (now.date() - timedelta(days=1), now.date(), now.date() + timedelta(days=1)):
            if not calendars[market].is_session(day):
                continue
            opens_at, closes_at = working_window(spec, calendars[market], day)
            if opens_at - LEAD <= now < closes_at:
                out.append(OpenSession(market, day, opens_at, closes_at))
                break
    return out


def work_session(account: Account, run: AccountRun, opened: Sequence[OpenSession]) -> SessionWork:
    """Connect, reconcile, work the orders of the sessions that are open, and note how it ended.

    A session without an order counts too: journal and broker were compared. What ends in an error is on record as
    such before the error goes on; only an account that was refused before anything was done has had nothing to do.
    """
    config = account.config
    wall = account.line.broker.now().date()
    session = min(each.session for each in opened)
    number = begin_session(
        account.engine, config.account, str(config.broker), account.real_sources, wall, session, account.run_id
    )
    outcome = WorkOutcome.NOTHING_TO_DO
    try:
        account.line.open()
        outcome = WorkOutcome.UNRECOVERABLE
        worked = _work(account, run, opened)
    except BrokerError as error:
        refused = isinstance(error, RefusedError)
        end_session(account.engine, number, outcome if refused else WorkOutcome.UNRECOVERABLE)
        raise
    word = account.line.standing.positions if account.line.agreed else None
    end_session(account.engine, number, worked.outcome, None, word)
    return worked


def _work(account: Account, run: AccountRun, opened: Sequence[OpenSession]) -> SessionWork:
    by_market = {each.market: each.session for each in opened}
    orders = [
        order
        for session in sorted(set(by_market.values()))
        for order in account.line.journal.to_work(session)
        if by_market.get(order.market) == order.work_session
    ]
    if orders:
        return account.desk.work([(order, run.work_of(order)) for order in orders])
    return SessionWork(WorkOutcome.CLEAN if account.line.agreed else WorkOutcome.UNRECOVERABLE)
