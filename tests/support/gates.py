"""A broker that notes what it is asked, a book in memory, and facts at which the risk gate passes everything."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from hydra_assets.state.records import Side
from hydra_assets.state.system import SystemState
from hydra_exec.broker.port import (
    BrokerKind,
    Link,
    LinkState,
    Message,
    OrderReport,
    Quote,
    Snapshot,
    Ticket,
)
from hydra_exec.order_state import TicketState
from hydra_exec.risk_gate import (
    BookView,
    Exposure,
    GateRules,
    Limits,
    Moment,
    OrderFacts,
    OrderWish,
    PriceGrid,
    Request,
    Situation,
    Step,
    WireSituation,
)

AT = datetime(2025, 11, 3, 15, 0, tzinfo=UTC)
LIMITS = Limits(
    grid=PriceGrid.of_tick(0.025),
    multiplier=400.0,
    max_position=5,
    max_quantity=4,
    collar_fraction=0.05,
    max_market_notional_share=1.0,
    max_account_notional_share=2.0,
    max_margin_share=0.5,
    min_sessions_to_end=3,
    max_exit_settle_age_sessions=7,
    max_quote_age_seconds=60.0,
)
WISH = OrderWish("HE/2025-11-03/HE-2025-12", "HE", "HE-2025-12", Side.BUY, 2, 80.025)
GOOD = Situation(
    system=SystemState.RUNNING,
    broker=BrokerKind.SIMULATED,
    has_champion=True,
    champion_simulated=False,
    exists=False,
    reconciled=True,
    breakers_active=True,
    exposure=Exposure(held=1),
    settle=80.0,
    settle_age_sessions=0,
    sessions_to_end=3,
    equity=1_000_000.0,
    margin_per_lot=2_000.0,
)
TICKET = Ticket("wire-1", "HE-2025-12", Side.BUY, 2, 80.0)
FACTS = OrderFacts(WISH.order_ref, "HE", "HE-2025-12", Side.BUY, 4, 80.5, lots_in_others=1)
VIEW = BookView(TicketState.CREATED, Exposure(held=1), unknown=False)
WIRE = WireSituation(
    switched_on=True,
    system=SystemState.RUNNING,
    limits=LIMITS,
    opens_at=datetime(2025, 11, 3, 14, 30, tzinfo=UTC),
    closes_at=datetime(2025, 11, 3, 19, 5, tzinfo=UTC),
    blackouts=((datetime(2025, 11, 3, 4, 40, tzinfo=UTC), datetime(2025, 11, 3, 4, 50, tzinfo=UTC)),),
)
LINK = Link(LinkState.UP, 7)
QUOTE = Quote(79.975, 80.025, AT)
MOMENT = Moment(AT, LINK, QUOTE, 0, 0)
RULES = GateRules(orders_per_minute=3, orders_per_session=5)
REQUEST = Request(Step.SEND, TICKET, FACTS, None, VIEW)


@dataclass
class NotingBroker:
    """Notes every instruction; ``fails`` is raised by the next one."""

    kind: BrokerKind = BrokerKind.SIMULATED
    account: str = "SIM"
    at: datetime = AT
    state: Link = LINK
    touch: Quote | None = QUOTE
    noted: list[tuple[str, object]] = field(default_factory=list)
    fails: Exception | None = None

    def now(self) -> datetime:
        return self.at

    def connect(self) -> Link:
        self.noted.append(("connect", None))
        return self.state

    def close(self) -> None:
        self.noted.append(("close", None))

    def link(self) -> Link:
        return self.state

    def snapshot(self) -> Snapshot:
        return Snapshot(self.account, self.state.generation, self.at, self.at, {}, (), ())

    def place(self, ticket: Ticket) -> int:
        self._note("place", ticket)
        return 41

    def amend(self, ticket: Ticket) -> None:
        self._note("amend", ticket)

    def cancel(self, report: OrderReport) -> None:
        self._note("cancel", report)

    def quote(self, contract: str) -> Quote | None:
        return self.touch if contract == "HE-2025-12" else None

    def wait(self, seconds: float) -> Sequence[Message]:
        self.noted.append(("wait", seconds))
        return ()

    def _note(self, what: str, about: object) -> None:
        self.noted.append((what, about))
        if self.fails is not None:
            raise self.fails


@dataclass
class NotingBook:
    """A book in memory that notes what it is told; ``during`` is called with each note."""

    orders: dict[str, OrderFacts] = field(default_factory=dict)
    states: dict[str, TicketState] = field(default_factory=dict)
    position: dict[str, int] = field(default_factory=dict)
    works: dict[str, tuple[int, int]] = field(default_factory=dict)
    unknown_markets: set[str] = field(default_factory=set)
    told: list[tuple[object, ...]] = field(default_factory=list)
    during: Callable[[str], None] = lambda _: None

    def held(self, contract: str) -> int:
        return self.position.get(contract, 0)

    def working(self, contract: str) -> tuple[int, int]:
        return self.works.get(contract, (0, 0))

    def order_of(self, wire_ref: str) -> OrderFacts | None:
        return self.orders.get(wire_ref)

    def state_of(self, wire_ref: str) -> TicketState | None:
        return self.states.get(wire_ref)

    def unknown(self, market: str) -> bool:
        return market in self.unknown_markets

    def sending(self, ticket: Ticket, at: datetime) -> None:
        self.during("sending")
        self.told.append(("sending", ticket, at))
        self.states[ticket.wire_ref] = TicketState.SENT

    def sent(self, wire_ref: str, order_id: int, generation: int) -> None:
        self.told.append(("sent", wire_ref, order_id, generation))

    def not_sent(self, wire_ref: str) -> None:
        self.told.append(("not_sent", wire_ref))
        self.states[wire_ref] = TicketState.WITHDRAWN

    def unclear(self, wire_ref: str) -> None:
        self.told.append(("unclear", wire_ref))
        self.states[wire_ref] = TicketState.UNKNOWN
