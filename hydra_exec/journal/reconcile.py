"""Take a broker's full answer into the journal and say whether the two agree."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

import sqlalchemy as sa

from hydra_assets.state.execution_tables import reconciliations
from hydra_assets.state.records import Side
from hydra_exec.broker.port import Message, OrderReport, Snapshot
from hydra_exec.journal.compare import ABSENCE, Difference, ReconcileCode, differences, settle_absent, strangers
from hydra_exec.journal.journal import Journal
from hydra_exec.journal.records import FillKind, FillLine

Price = Callable[[str], float | None]
SETTLED = timedelta(seconds=2)
"""How long a difference has to last: an execution and the position that it makes are not told at one moment."""
FRESH = timedelta(seconds=5)
"""How long after a fill the positions of its contract may still be those of before."""


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What a comparison came to. ``strangers`` are open orders at the broker that have to be cancelled."""

    code: ReconcileCode
    differences: Mapping[str, Difference]
    strangers: tuple[OrderReport, ...] = ()
    positions: Mapping[str, int] = field(default_factory=dict)
    """The broker's own word."""
    foreign: Mapping[str, int] = field(default_factory=dict)
    """Its word on what is none of our contracts, by its own names."""

    @property
    def agreed(self) -> bool:
        """Whether the journal's position is the broker's."""
        return self.code in {ReconcileCode.AGREED, ReconcileCode.ADJUSTED}


class Reconciler:
    """Compares again and again; remembers what differed, and which tickets were missing, and since when.

    What differs by the same in all full answers for ``SETTLED``, with nothing at work in the contract, is what an
    execution that nobody told us of has left: the journal takes the broker's word over, on a line of its own, at
    ``price``. Without a price it goes on differing: a line at any other would be a loss or a gain that never was.
    """

    def __init__(self, journal: Journal, client_id: int, price: Price) -> None:
        self._journal, self._client_id, self._price = journal, client_id, price
        journal.book.client_id = client_id
        self._before: dict[str, tuple[Difference, datetime]] = {}
        self._absent: Mapping[str, datetime] = {}
        self._unexplained: dict[str, datetime] = {}

    def take(self, snapshot: Snapshot, managed: frozenset[str] = frozenset()) -> Reconciliation:
        """Apply an answer's reports, end what it shows to have ended, and compare positions.

        ``managed`` are the tickets that somebody works now; whatever else lives is to be cancelled.
        """
        journal = self._journal
        reports: list[Message] = [*snapshot.executions, *snapshot.fees, *snapshot.ended, *snapshot.open_orders]
        journal.take(reports, keep_repeated=False)
        with journal.consistently(), journal.engine.begin() as connection:
            settled = settle_absent(journal.book, snapshot, self._absent)
            found = differences(journal.book, snapshot)
            since = self._since(snapshot, found)
            lasting = [c for c, (_, first) in since.items() if snapshot.asked_at - first >= SETTLED]
            lines = [line for contract in lasting if (line := self._line(snapshot, contract, found[contract]))]
            adjusted = {line.contract for line in lines}
            left = found.keys() - adjusted
            code = ReconcileCode.DIFFERENT if left else ReconcileCode.ADJUSTED if lines else ReconcileCode.AGREED
            journal.write_tickets(connection, settled.tickets)
            if lines:
                journal.add_fill_lines(connection, lines)
            self._record(connection, snapshot, code, found)
        self._before = {contract: each for contract, each in since.items() if contract not in adjusted}
        self._absent = settled.absent
        left_over = strangers(journal.book, snapshot, self._client_id, managed)
        return Reconciliation(code, found, left_over, dict(snapshot.positions), dict(snapshot.foreign))

    def _since(self, snapshot: Snapshot, found: Mapping[str, Difference]) -> dict[str, tuple[Difference, datetime]]:
        """Differences in contracts where nothing is at work, each with the question that it has lasted since."""
        book, asked_at = self._journal.book, snapshot.asked_at
        # An execution that an ended ticket still lacks is waited for, and not for ever: it may never be told.
        open_ones = [ticket for ticket in book.tickets.values() if ticket.progress.unexplained and not ticket.live]
        waits = {ticket.wire_ref: self._unexplained.get(ticket.wire_ref, asked_at) for ticket in open_ones}
        busy = {ticket.contract for ticket in book.tickets.values() if ticket.live}
        busy |= {ticket.contract for ticket in open_ones if asked_at - waits[ticket.wire_ref] < ABSENCE}
        self._unexplained = waits
        fresh = (fill for fill in book.fills.values() if fill.kind is FillKind.FILL)
        busy |= {fill.contract for fill in fresh if snapshot.asked_at - fill.executed_at < FRESH}
        since = {}
        for contract, each in found.items():
            before, first = self._before.get(contract, (None, snapshot.asked_at))
            if contract not in busy:
                since[contract] = (each, first if before == each else snapshot.asked_at)
        return since

    def _line(self, snapshot: Snapshot, contract: str, found: Difference) -> FillLine | None:
        price = self._price(contract)
        if price is None:
            return None
        change = found.broker - found.journal
        name = f"adjustment.{snapshot.generation}.{snapshot.taken_at.isoformat()}.{contract}"
        return FillLine(
            base_exec_id=name,
            revision=1,
            exec_id=name,
            contract=contract,
            side=Side.of(change),
            quantity=abs(change),
            price=price,
            executed_at=snapshot.taken_at,
            perm_id=0,
            wire_ref=None,
            kind=FillKind.ADJUSTMENT,
        )

    def _record(
        self, connection: sa.Connection, snapshot: Snapshot, code: ReconcileCode, found: Mapping[str, Difference]
    ) -> None:
        connection.execute(
            sa.insert(reconciliations).values(
                account=snapshot.account,
                generation=snapshot.generation,
                taken_at=snapshot.taken_at,
                code=str(code),
                positions={**snapshot.positions, **snapshot.foreign},
                differences={contract: asdict(each) for contract, each in found.items()},
                run_id=self._journal.run_id,
            )
        )
