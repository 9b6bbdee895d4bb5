"""An account lives through sessions in order: work what was decided, book it, judge the breakers, decide anew.

A session is done once: what is on record as ended is never traded again, and one that a killed process has left is
taken up where it stands. All markets of the account go through a session together, since limits and breakers are the
account's.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa

from hydra_assets import clock
from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.sessions import SessionCalendar
from hydra_assets.state.system import SystemState
from hydra_exec.breakers.account import AccountBreakers
from hydra_exec.broker.port import NoAnswerError, Sessions
from hydra_exec.broker.simulated.tape import working_window
from hydra_exec.config import TradingConfig
from hydra_exec.deciding import AccountDay, Values, contract_root, decide_market
from hydra_exec.desk.desk import Desk, SessionWork, WorkOutcome
from hydra_exec.desk.line import Line
from hydra_exec.journal.compare import ReconcileCode
from hydra_exec.journal.records import Order
from hydra_exec.manager import Window, Work
from hydra_exec.manager.patience import Bounds
from hydra_exec.market_days import MarketDay
from hydra_exec.plan import Motive
from hydra_exec.risk_gate.grid import PriceGrid
from hydra_exec.trading_log import Booked, begin_session, end_session, last_traded, order_names, trades
from hydra_exec.valuation import CENTS, Valuation

SETTLE = timedelta(seconds=15)
"""How long a decision waits for what is in question at a real broker: longer than a ticket takes to be absent."""


@dataclass(frozen=True, slots=True)
class Account:
    """What an account trades and how. ``virtual`` is the clock of a broker that lives on tapes, None for a real one."""

    engine: sa.Engine
    config: TradingConfig
    markets: Mapping[str, MarketSpec]
    calendars: Mapping[str, SessionCalendar]
    line: Line
    desk: Desk
    breakers: AccountBreakers
    virtual: Sessions | None
    real_sources: bool
    system: Callable[[], SystemState]
    run_id: str

    def market_of(self, contract: str) -> tuple[str, float] | None:
        """Market and multiplier of a contract; None where it is none of the account's markets'."""
        root = contract_root(contract)
        return next(((symbol, spec.multiplier) for symbol, spec in self.markets.items() if spec.root == root), None)

    @property
    def strangers(self) -> list[str]:
        """Contracts that are held and are none of the account's markets': nobody minds them."""
        return sorted(contract for contract in self.line.journal.positions if self.market_of(contract) is None)


Days = Mapping[date, Mapping[str, MarketDay]]


class AccountRun:
    """Goes through sessions. ``days`` are the markets' days by session: what each decision is made from."""

    def __init__(self, account: Account, days: Days) -> None:
        self._account, self._days = account, days
        self.valuation = Valuation(account.config.capital, self._terms)
        self._booked = Booked()
        self._marked: dict[str, float] = {}

    def run(self, sessions: Sequence[date], progress: Callable[[date, WorkOutcome], None] | None = None) -> list[date]:
        """Trade the sessions that were not traded yet; those that were."""
        account = self._account
        last = self.catch_up()
        account.line.open()
        self._book()
        done = []
        for session in sessions:
            if last is not None and session <= last:
                continue
            outcome = self.session(session)
            done.append(session)
            if progress is not None:
                progress(session, outcome)
            if outcome is WorkOutcome.UNRECOVERABLE:
                break
        return done

    def catch_up(self) -> date | None:
        """Book what was filled before, at the last settles known in the session that was traded last; which that was.

        Before the line opens: what it takes over on the broker's word is booked at these settles.
        """
        last = last_traded(self._account.engine, self._account.config.account)
        self._book()
        for session in sorted(self._days):
            if last is not None and session <= last:
                days = self._days[session].values()
                self.valuation.mark({name: listed.settle for day in days for name, listed in day.contracts.items()})
        return last

    def session(self, session: date) -> WorkOutcome:
        """One session: work, book, judge, decide; how the work ended."""
        account = self._account
        wall = clock.now().date()
        number = begin_session(
            account.engine,
            account.config.account,
            str(account.config.broker),
            account.real_sources,
            wall,
            session,
            account.run_id,
        )
        outcome = self.work(session).outcome
        self._book()
        self.valuation.mark(self._settles(session))
        account.breakers.judge(session, self.valuation, self._days.get(session, {}))
        if outcome is not WorkOutcome.UNRECOVERABLE:
            try:
                self.decide(session)
            except NoAnswerError:
                end_session(account.engine, number, WorkOutcome.UNRECOVERABLE)
                raise
        standing = account.line.standing
        word = standing.positions if standing.code is not ReconcileCode.NO_ANSWER else None
        # Without a worth it counts as not traded: the next run takes it up again.
        worth = None if outcome is WorkOutcome.UNRECOVERABLE else self.valuation.equity
        end_session(account.engine, number, outcome, worth, word)
        account.line.journal.tidy()
        return outcome

    def work(self, session: date) -> SessionWork:
        """Work the orders of a session; with a real broker only in the session's own hours, which the gate sees to."""
        account = self._account
        if account.virtual is None:
            return SessionWork(WorkOutcome.NOTHING_TO_DO)
        orders = account.line.journal.to_work(session)
        if orders or account.line.journal.positions:
            account.virtual.begin(session)
        if not orders:
            if account.line.journal.positions:
                # What is held may have expired: then the broker's word is another one from here on.
                account.line.reconcile()
            return SessionWork(WorkOutcome.NOTHING_TO_DO)
        return account.desk.work([(order, self.work_of(order)) for order in orders])

    def work_of(self, order: Order) -> Work:
        """An order with its bounds and window."""
        account = self._account
        spec = account.markets[order.market]
        bounds = Bounds(PriceGrid.of_tick(spec.tick), order.limit_price, spec.risk.price_collar_fraction)
        window = Window(*working_window(spec, account.calendars[order.market], order.work_session))
        day = self._days.get(order.session, {}).get(order.market)
        return Work(order.side, order.quantity, bounds, window, day.volume_profile if day is not None else ())

    def decide(self, session: date, flatten: Motive | None = None) -> list[Order]:
        """Decide on every market that has a day; the orders, passed and denied.

        NoAnswerError where the broker does not say what is held: nothing is decided then, and nothing taken for flat.
        """
        account = self._account
        account.line.journal.expire_before(self._next(session))
        line = account.line
        if account.virtual is None:
            standing = line.settle(SETTLE)
        else:
            # At a broker in virtual time nothing happens that the work of the session has not heard.
            standing = line.standing if line.agreed else line.reconcile()
        if standing.code is ReconcileCode.NO_ANSWER:
            msg = f"the broker does not say what is held, and nothing can be decided: {line.silence or 'no connection'}"
            raise NoAnswerError(msg)
        rests, resting = account.breakers.resting()
        day = AccountDay(
            account=account.config.account,
            broker=account.config.broker,
            champion_simulated=not account.real_sources,
            positions=standing.positions,
            reconciled=standing.agreed,
            equity=self.valuation.equity / CENTS,
            system=account.system(),
            account_breaker_rests=rests,
            resting=resting,
            unknown=frozenset(ticket.market for ticket in account.line.journal.live() if ticket.unknown),
            existing=order_names(account.engine, account.config.account, session),
            flatten=flatten,
        )
        values = self._values(session)
        out: list[Order] = []
        for market, each in sorted(self._days.get(session, {}).items()):
            work_session = account.calendars[market].next_session(session)
            config = account.config
            spec = account.markets[market]
            made = decide_market(each, work_session, spec, day, values, config.limits, config.patience)
            values = values.with_orders(each, spec, day, made)
            out += made
        account.line.journal.decide(out)
        return out

    def _next(self, session: date) -> date:
        return min(calendar.next_session(session) for calendar in self._account.calendars.values())

    def _values(self, session: date) -> Values:
        days = self._days.get(session, {})
        notional = {market: abs(self.valuation.value(market)) / CENTS for market in self.valuation.holdings}
        margin = {}
        for market, holding in self.valuation.holdings.items():
            lots = sum(abs(held) for held in holding.lots.values())
            each = days[market].margin_per_lot if market in days else None
            margin[market] = notional[market] if each is None else lots * each
        return Values(notional, margin)

    def _settles(self, session: date) -> dict[str, float]:
        return {
            contract: settle for day in self._days.get(session, {}).values() for contract, settle in day.settles.items()
        }

    def _terms(self, contract: str) -> tuple[str, float]:
        found = self._account.market_of(contract)
        if found is None:
            msg = f"{contract} is none of the account's markets'"
            raise KeyError(msg)
        return found

    def _book(self) -> None:
        found, self._booked = trades(self._account.engine, self._account.config.account, self._booked)
        self.valuation.trade(trade for trade in found if self._account.market_of(trade.contract) is not None)
