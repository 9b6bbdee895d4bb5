"""The simulated broker's books: what its records, read in order, add up to. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from hydra_assets.state.records import Side
from hydra_exec.broker.port import ExecutionReport, FeeReport, OrderReport, Word
from hydra_exec.broker.simulated.records import Amended, Began, Ended, Expired, Filled, Moved, Record, Rested, Taken

FIRST_PERM_ID = 1_000_001
UNBORN = datetime(1970, 1, 1, tzinfo=UTC)
"""The clock before the first session."""
FIRST_REVISION = 1
CLIENT_ID = 0
"""Its only client's."""


@dataclass(frozen=True, slots=True)
class SimOrder:
    """An order as the broker holds it."""

    taken: Taken
    limit_price: float
    filled: int = 0
    resting: bool = False
    ended: str = ""
    """Why it was cancelled."""

    @property
    def remaining(self) -> int:
        """What has not filled."""
        return self.taken.quantity - self.filled

    @property
    def word(self) -> Word:
        """What is said of it."""
        if self.taken.refusal:
            return Word.REJECTED
        if self.remaining <= 0:
            return Word.FILLED
        return Word.CANCELLED if self.ended else Word.WORKING

    @property
    def live(self) -> bool:
        """Whether it may fill."""
        return self.word is Word.WORKING


@dataclass(slots=True)
class Used:
    """Lots of one contract and side that orders have had: in the session, from the touch, and in the last such step."""

    of_day: int = 0
    took: int = 0
    step: int = -1
    of_step: int = 0

    def add(self, fill: Filled) -> None:
        """A fill."""
        self.of_day += fill.quantity
        self.took += fill.quantity if fill.took else 0
        self.of_step = fill.quantity + (self.of_step if fill.step == self.step else 0)
        self.step = fill.step


@dataclass(slots=True)
class Books:
    """Orders, executions and positions of one account. ``apply`` is the one thing that changes them."""

    account: str
    now: datetime = UNBORN
    session: date | None = None
    orders: dict[int, SimOrder] = field(default_factory=dict)
    by_ref: dict[str, int] = field(default_factory=dict)
    live: dict[int, None] = field(default_factory=dict)
    """Orders that may fill, in the order of their arrival."""
    of_session: dict[int, None] = field(default_factory=dict)
    """Orders of the session."""
    executions: list[ExecutionReport] = field(default_factory=list)
    """Those of the session."""
    fees: list[FeeReport] = field(default_factory=list)
    positions: dict[str, int] = field(default_factory=dict)
    used: dict[tuple[str, Side], Used] = field(default_factory=dict)
    next_perm_id: int = FIRST_PERM_ID
    fills: int = 0

    def read(self, records: Iterable[Record]) -> None:
        """Apply records in order."""
        for record in records:
            self.apply(record)

    def apply(self, record: Record) -> None:
        """Take one record into the books."""
        match record:
            case Moved(at):
                self.now = at
            case Began(session, at):
                self.now, self.session = at, session
                self.of_session, self.executions, self.fees, self.used = {}, [], [], {}
            case Taken():
                self._take(record)
            case Amended(perm_id, limit_price):
                self.orders[perm_id] = replace(self.orders[perm_id], limit_price=limit_price)
            case Ended(perm_id, why):
                self.orders[perm_id] = replace(self.orders[perm_id], ended=why)
                self.live.pop(perm_id, None)
            case Rested(perm_ids):
                for perm_id in perm_ids:
                    self.orders[perm_id] = replace(self.orders[perm_id], resting=True)
            case Filled():
                self._fill(record)
            case Expired(contract):
                self.positions.pop(contract, None)

    def used_of(self, contract: str, side: Side) -> Used:
        """What orders of a contract and side have had."""
        return self.used.setdefault((contract, side), Used())

    def live_in(self, contract: str) -> list[SimOrder]:
        """Orders of a contract that may fill, in the order of their arrival."""
        return [order for perm_id in self.live if (order := self.orders[perm_id]).taken.contract == contract]

    def report(self, perm_id: int) -> OrderReport:
        """What is said of an order."""
        order = self.orders[perm_id]
        taken = order.taken
        return OrderReport(
            word=order.word,
            filled=order.filled,
            at=self.now,
            wire_ref=taken.wire_ref,
            perm_id=perm_id,
            order_id=perm_id - FIRST_PERM_ID + 1,
            client_id=CLIENT_ID,
            contract=taken.contract,
            side=taken.side,
            quantity=taken.quantity,
            limit_price=order.limit_price,
            account=self.account,
            detail=taken.refusal or order.ended,
        )

    def _take(self, taken: Taken) -> None:
        self.orders[taken.perm_id] = order = SimOrder(taken, taken.limit_price)
        # A name that is used again goes on naming the order that had it first.
        self.by_ref.setdefault(taken.wire_ref, taken.perm_id)
        self.of_session[taken.perm_id] = None
        self.next_perm_id = taken.perm_id + 1
        if order.live:
            self.live[taken.perm_id] = None

    def _fill(self, fill: Filled) -> None:
        order = self.orders[fill.perm_id]
        taken = order.taken
        self.orders[fill.perm_id] = order = replace(order, filled=order.filled + fill.quantity)
        if not order.live:
            self.live.pop(fill.perm_id, None)
        self.used_of(taken.contract, taken.side).add(fill)
        held = self.positions.pop(taken.contract, 0) + taken.side.sign * fill.quantity
        if held:
            self.positions[taken.contract] = held
        self.fills += 1
        base = f"sim.{self.fills:08d}"
        exec_id = f"{base}.{FIRST_REVISION:02d}"
        self.executions.append(
            ExecutionReport(
                exec_id=exec_id,
                base_exec_id=base,
                revision=FIRST_REVISION,
                contract=taken.contract,
                side=taken.side,
                quantity=fill.quantity,
                price=fill.price,
                executed_at=self.now,
                perm_id=fill.perm_id,
                wire_ref=taken.wire_ref,
                order_id=fill.perm_id - FIRST_PERM_ID + 1,
                client_id=CLIENT_ID,
                account=self.account,
            )
        )
        self.fees.append(FeeReport(exec_id, fill.fee, fill.currency))
