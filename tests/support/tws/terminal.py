"""TWS without a socket: clock, broker, desk, script and the sessions that listen.

Everything a test wants to set, move or read is here; ``server.py`` only carries bytes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .book import Quote, Tape
from .broker import Broker, Terms
from .clock import VirtualClock
from .contracts import Catalogue, Future, FutureOption, MarketRule, listing
from .desk import Desk
from .events import BrokerEvent
from .messages.market import HistoryBar
from .messages.session import NO_ID, error
from .pacing import Pacing
from .script import EndDay, Event, External, Flow, Grant, HangUp, Lost, Outage, Restored, Rights, Say, Script
from .script.director import Director
from .session import Session

LOST_CONNECTION = (1100, "Connectivity between IBKR and Trader Workstation has been lost.")
RESTORED_DATA_LOST = (1101, "Connectivity between IBKR and Trader Workstation has been restored - data lost.")
RESTORED = (1102, "Connectivity between IBKR and Trader Workstation has been restored - data maintained.")


@dataclass(frozen=True)
class Config:
    """What a server is like, before anything goes wrong."""

    server_version: int = 178
    futures: Sequence[Future] = field(default_factory=lambda: listing("HE", ("20250414", "20250514", "20250613")))
    rules: Sequence[MarketRule] = ()
    options: Sequence[FutureOption] = ()
    """What can be looked at and not traded."""
    terms: Terms = field(default_factory=Terms)
    zone: str = "US/Central"
    rights: Rights = Rights.LIVE
    paced: bool = False
    """Whether historical requests are held to the published rules."""
    tape: Tape | None = None
    """Quotes of every step; without one, only the test shows quotes."""


class Terminal:
    """One TWS. ``broker`` is what is true; clients hear what the script lets them."""

    def __init__(self, config: Config, script: Script) -> None:
        self.config = config
        self.clock = VirtualClock()
        self.director = Director(script)
        catalogue = Catalogue(list(config.futures), {rule.rule: rule for rule in config.rules}, list(config.options))
        self.broker = Broker(catalogue, self.clock, self.director, config.terms, self._emit)
        self.desk = Desk(self.broker, self.clock, self.director)
        self.pacing = Pacing()
        self.rights = config.rights
        self.bars: dict[int, Sequence[HistoryBar]] = {}
        self.sessions: list[Session] = []
        self.heard: list[tuple[str, ...]] = []
        """Every request of every client, as fields."""
        self.complaints: list[str] = []
        """What clients sent that is no protocol, or could not be answered; a test asserts that it is empty."""
        self._lost: Lost | None = None
        self._held: list[BrokerEvent] = []
        self._held_orders: list[Callable[[], None]] = []
        self._down_until = 0

    @property
    def account(self) -> str:
        """The one account's name."""
        return self.config.terms.account

    @property
    def accepting(self) -> bool:
        """Whether connections are accepted."""
        return self.clock.step >= self._down_until

    @property
    def cash(self) -> float:
        """Opening cash, profit that was realised, and commissions of what is open.

        Average cost holds the commissions of opening fills, so that they are realised with the position.
        """
        return self.broker.account.opening_cash + self.broker.account.realized_pnl

    def unrealized(self, con_id: int) -> float:
        """Open profit of one contract at its mark."""
        return self.broker.account.unrealized_pnl(con_id, self.broker.book(con_id).quote.mark)

    def connect(self) -> Session:
        """A new connection."""
        session = Session(self)
        self.sessions.append(session)
        return session

    def leave(self, session: Session) -> None:
        """A connection is gone; its client id is free."""
        if session in self.sessions:
            self.sessions.remove(session)

    def show(self, con_id: int, quote: Quote) -> None:
        """A quote of the test's own."""
        self.broker.show(con_id, quote)

    def step(self) -> None:
        """One step on: what was held comes, the script's events happen, quotes are new, orders fill."""
        step = self.clock.tick()
        for session in list(self.sessions):
            session.outbox.step()
        for event in self.director.events(step):
            self.play(event)
        quotes: Mapping[int, Quote] = self.config.tape(step) if self.config.tape else {}
        self.broker.step(quotes)

    def play(self, event: Event) -> None:
        """An event now, whatever the script says."""
        match event:
            case Lost():
                self._lost = event
                self._say(*LOST_CONNECTION)
            case Restored(data_lost):
                self._restore(data_lost=data_lost)
            case Outage(steps):
                self._down_until = self.clock.step + steps
                for session in self.sessions:
                    session.outbox.end(reset=True)
            case HangUp():
                for session in self.sessions:
                    session.outbox.end(reset=False)
            case Say(code, words):
                self._say(code, words)
            case External(con_id, side, quantity, price):
                self.broker.trade_by_hand(con_id, side, quantity, price)
            case EndDay():
                self.desk.end_day()
            case Grant(rights):
                self.rights = rights
                for session in self.sessions if rights is Rights.COMPETING else ():
                    session.lose_data(competing=True)

    def order(self, act: Callable[[], None]) -> None:
        """Something that a client wants of its orders; it goes no further than the link to the broker does."""
        flow = self._lost.orders if self._lost else Flow.LIVE
        if flow is Flow.LIVE:
            act()
        elif flow is Flow.HELD:
            self._held_orders.append(act)

    def _restore(self, *, data_lost: bool) -> None:
        self._lost = None
        self._say(*(RESTORED_DATA_LOST if data_lost else RESTORED))
        if data_lost:
            for session in self.sessions:
                session.lose_data()
        held, self._held = self._held, []
        for event in held:
            self._emit(event)
        orders, self._held_orders = self._held_orders, []
        for act in orders:
            act()

    def _emit(self, event: BrokerEvent) -> None:
        flow = self._lost.events if self._lost else Flow.LIVE
        if flow is Flow.LIVE:
            for session in self.sessions:
                if session.ready:
                    session.hear(event)
        elif flow is Flow.HELD:
            self._held.append(event)

    def _say(self, code: int, words: str) -> None:
        for session in self.sessions:
            if session.ready:
                session.send(error(NO_ID, code, words))
