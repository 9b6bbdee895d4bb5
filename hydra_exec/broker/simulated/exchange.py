"""What happens at the simulated broker, whoever is connected: orders are taken, steps pass, orders fill and end. Pure.

Each act is applied to the books and, in ``commit``, written to the store before anybody hears of it. An act that could
not be written leaves books and store apart: the exchange then refuses everything, and has to be rebuilt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from hydra_assets.state.records import Side
from hydra_exec.broker.port import BrokerError, ExecutionReport, FeeReport, OrderReport, Ticket
from hydra_exec.broker.simulated.books import Books
from hydra_exec.broker.simulated.config import SimConfig
from hydra_exec.broker.simulated.floor import Floor
from hydra_exec.broker.simulated.log import Store
from hydra_exec.broker.simulated.matching import Match, WorkingOrder, match
from hydra_exec.broker.simulated.path import happens
from hydra_exec.broker.simulated.records import (
    Amended,
    Began,
    Ended,
    Expired,
    Filled,
    Moved,
    Record,
    Rested,
    Taken,
    line_of,
    record_of,
)
from hydra_exec.broker.simulated.tape import SessionTape

END_OF_DAY = "end of day"
DUPLICATE = "103 an order of this name was taken before"
NO_SESSION = "201 no session is open"
DRAWN = "201 refused, as drawn"
NO_QUANTITY = "434 the order size cannot be zero"
OFF_GRID = "110 the price does not conform to the minimum price variation of the contract"
_REJECT_STREAM = 0x52E1_0000
_GRID_TOLERANCE_TICKS = 1e-6


@dataclass(frozen=True, slots=True)
class Said:
    """Something to report, of one order."""

    perm_id: int
    message: OrderReport | ExecutionReport | FeeReport


class Exchange:
    """Books, floor and store of one account."""

    def __init__(
        self,
        account: str,
        tapes: Mapping[date, Sequence[SessionTape]],
        store: Store,
        config: SimConfig,
        last_trades: Mapping[str, date] | None = None,
    ) -> None:
        self._tapes, self._store, self._config = tapes, store, config
        self._last_trades = last_trades or {}
        self.books = Books(account)
        self.books.read(record_of(line) for line in store.load())
        self.floor = self._floor_of(self.books.session)
        self._unwritten: list[Record] = []
        self._unsaid: list[Said] = []
        self._failed = False

    @property
    def finished(self) -> bool:
        """Whether all markets of the session have closed."""
        return self.floor.next_instant(self.books.now) is None

    def commit(self, *, flush: bool) -> list[Said]:
        """Write what was done; gives what there is to say of it."""
        lines = [line_of(record) for record in self._unwritten]
        said, self._unwritten, self._unsaid = self._unsaid, [], []
        if lines:
            self._failed = True
            self._store.append(lines, flush=flush)
            self._failed = False
        return said

    def check(self) -> None:
        """BrokerError where the books cannot be told from what was written."""
        if self._failed:
            msg = "the simulated broker could not write what it did: open it anew"
            raise BrokerError(msg)

    def take(self, ticket: Ticket) -> int:
        """Accept an order and fill what there is, or refuse it; its permanent id."""
        self.check()
        refusal, perm_id = self._refusal(ticket), self.books.next_perm_id
        self._do(
            Taken(perm_id, ticket.wire_ref, ticket.contract, ticket.side, ticket.quantity, ticket.limit_price, refusal)
        )
        self.report(perm_id)
        if not refusal:
            self._match(ticket.contract)
        return perm_id

    def amend(self, perm_id: int, limit_price: float) -> None:
        """Give a live order another limit; one that has ended, or a limit off the grid, changes nothing."""
        self.check()
        order = self.books.orders[perm_id]
        if order.live and self._on_grid(order.taken.contract, limit_price):
            self._do(Amended(perm_id, limit_price))
            self.report(perm_id)
            self._match(order.taken.contract)
        else:
            self.report(perm_id)

    def end(self, perm_id: int, why: str) -> None:
        """Cancel an order, if it lives; says how it stands."""
        self.check()
        if self.books.orders[perm_id].live:
            self._do(Ended(perm_id, why))
        self.report(perm_id)

    def begin(self, session: date) -> None:
        """Go to a session's opening. What was left of the one before passes first, with whatever fills in it."""
        self.check()
        current = self.books.session
        if session == current:
            return
        if current is not None and session < current:
            msg = f"the simulated account is in session {current} already and cannot go back to {session}"
            raise BrokerError(msg)
        while not self.finished:
            self.step()
        self._end_day(list(self.books.live))
        self.floor = self._floor_of(session)
        instants = self.floor.instants
        self._do(Began(session, max(self.books.now, instants[0]) if instants else self.books.now))
        for contract in list(self.books.positions):
            if self._last_trades.get(contract, session) < session:
                self._do(Expired(contract))

    def step(self) -> None:
        """Let the next step of any market begin; nothing where all have closed."""
        self.check()
        at = self.floor.next_instant(self.books.now)
        if at is None:
            return
        self._do(Moved(at))
        live = [(perm_id, self.books.orders[perm_id].taken.contract) for perm_id in self.books.live]
        for contract in dict.fromkeys(contract for _, contract in live):
            self._match(contract)
        self._end_day([perm_id for perm_id, contract in live if self.floor.over(contract, at)])

    def idle(self, seconds: float) -> None:
        """Time outside a session."""
        self.check()
        self._do(Moved(self.books.now + timedelta(seconds=seconds)))

    def report(self, perm_id: int) -> None:
        """Say how an order stands."""
        self._unsaid.append(Said(perm_id, self.books.report(perm_id)))

    def _do(self, record: Record) -> None:
        self.books.apply(record)
        self._unwritten.append(record)

    def _floor_of(self, session: date | None) -> Floor:
        return Floor(self._tapes.get(session, ()) if session else (), self._config)

    def _end_day(self, perm_ids: Sequence[int]) -> None:
        for perm_id in perm_ids:
            if self.books.orders[perm_id].live:
                self._do(Ended(perm_id, END_OF_DAY))
                self.report(perm_id)

    def _refusal(self, ticket: Ticket) -> str:
        if ticket.wire_ref in self.books.by_ref:
            return DUPLICATE
        if self.books.session is None or self.floor.over(ticket.contract, self.books.now):
            return NO_SESSION
        if happens(self._config.reject_rate, self._config.seed, ticket.wire_ref, _REJECT_STREAM):
            return DRAWN
        if ticket.quantity <= 0:
            return NO_QUANTITY
        return "" if self._on_grid(ticket.contract, ticket.limit_price) else OFF_GRID

    def _on_grid(self, contract: str, price: float) -> bool:
        tape = self.floor.tape(contract)
        if tape is None:
            return True
        ticks = price / tape.terms.tick
        return abs(ticks - round(ticks)) < _GRID_TOLERANCE_TICKS

    def _match(self, contract: str) -> None:
        """Fill what a contract's quote and caps allow. Outside its hours it has neither, and orders only wait."""
        now, tape = self.books.now, self.floor.tape(contract)
        working = [
            WorkingOrder(order.taken.perm_id, order.taken.side, order.remaining, order.limit_price, order.resting)
            for order in self.books.live_in(contract)
        ]
        if not working or self.floor.over(contract, now):
            return
        used = {side: self.books.used_of(contract, side) for side in Side}
        impact, tick = (tape.impact if self._config.impact else 0.0, tape.terms.tick) if tape else (0.0, 1.0)
        allowances = self.floor.allowances(contract, used, now)
        matches, rest = match(working, self.floor.touch(contract, now), allowances, impact, tick)
        if rest:
            self._do(Rested(tuple(rest)))
        if tape is not None:
            step = self.floor.step(tape, now)
            for found in matches:
                self._fill(found, tape, step)

    def _fill(self, found: Match, tape: SessionTape, step: int) -> None:
        fee = round(tape.terms.fee_per_contract * found.quantity, 2)
        self._do(Filled(found.number, step, found.quantity, found.price, fee, tape.terms.currency, found.took))
        self._unsaid.append(Said(found.number, self.books.executions[-1]))
        self.report(found.number)
        self._unsaid.append(Said(found.number, self.books.fees[-1]))
