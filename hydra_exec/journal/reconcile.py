"""Take a broker's full answer into the journal and say whether the two agree."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

import sqlalchemy as sa

from hydra_assets.state.execution_tables import reconciliations
from hydra_assets.state.records import Side
from hydra_exec.broker.port import Message, OrderReport, Snapshot
from hydra_exec.journal.compare import Difference, ReconcileCode, differences, settle_absent, strangers
from hydra_exec.journal.journal import Journal
from hydra_exec.journal.records import FillKind, FillLine

Price = Callable[[str], float | None]


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What a comparison came to. ``strangers`` are open orders at the broker that have to be cancelled."""

    code: ReconcileCode
    differences: Mapping[str, Difference]
    strangers: tuple[OrderReport, ...] = ()
    positions: Mapping[str, int] = field(default_factory=dict)
    """The broker's own word."""

    @property
    def agreed(self) -> bool:
        """Whether the journal's position is the broker's."""
        return self.code in {ReconcileCode.AGREED, ReconcileCode.ADJUSTED}


class Reconciler:
    """Compares again and again; remembers what differed the last time.

    What differs in two full answers in a row, with nothing at work in the contract, is what an execution that nobody
    told us of has left: the journal takes the broker's word over, on a line of its own, at ``price``.
    """

    def __init__(self, journal: Journal, client_id: int, price: Price) -> None:
        self._journal, self._client_id, self._price = journal, client_id, price
        journal.book.client_id = client_id
        self._before: dict[str, Difference] = {}

    def take(self, snapshot: Snapshot, managed: frozenset[str] = frozenset()) -> Reconciliation:
        """Apply an answer's reports, end what it shows to have ended, and compare positions.

        ``managed`` are the tickets that somebody works now; whatever else lives is to be cancelled.
        """
        journal = self._journal
        reports: list[Message] = [*snapshot.executions, *snapshot.fees, *snapshot.ended, *snapshot.open_orders]
        journal.take(reports, keep_repeated=False)
        with journal.consistently(), journal.engine.begin() as connection:
            settled = settle_absent(journal.book, snapshot)
            found = differences(journal.book, snapshot)
            busy = {ticket.contract for ticket in journal.live()}
            lasting = {c: d for c, d in found.items() if self._before.get(c) == d and c not in busy}
            lines = [self._line(snapshot, contract, each) for contract, each in lasting.items()]
            left = {c: d for c, d in found.items() if c not in lasting}
            code = ReconcileCode.DIFFERENT if left else ReconcileCode.ADJUSTED if lines else ReconcileCode.AGREED
            journal.write_tickets(connection, settled)
            if lines:
                journal.add_fill_lines(connection, lines)
            self._record(connection, snapshot, code, found)
        self._before = left
        left_over = strangers(journal.book, snapshot, self._client_id, managed)
        return Reconciliation(code, found, left_over, dict(snapshot.positions))

    def _line(self, snapshot: Snapshot, contract: str, found: Difference) -> FillLine:
        change = found.broker - found.journal
        name = f"adjustment.{snapshot.generation}.{snapshot.taken_at.isoformat()}.{contract}"
        return FillLine(
            base_exec_id=name,
            revision=1,
            exec_id=name,
            contract=contract,
            side=Side.of(change),
            quantity=abs(change),
            price=self._price(contract) or 0.0,
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
                positions=dict(snapshot.positions),
                differences={contract: asdict(each) for contract, each in found.items()},
                run_id=self._journal.run_id,
            )
        )
