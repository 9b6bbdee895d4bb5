"""The live gate's records in the database, and their anchor in a file beside it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from hydra_assets.state.chain import Anchor, ChainReason, ChainVerdict, Entry, EntryKind, linked
from hydra_assets.state.db import Lock
from hydra_assets.state.execution_tables import gate_records
from hydra_exec.live_gate.records import (
    Drill,
    DrillKind,
    GateRecords,
    OperatorWord,
    drill_facts,
    read_records,
    word_facts,
)

ANCHOR_FILE = "live_gate.anchor"


class RecordError(Exception):
    """A record cannot be made; the message says why."""


class RecordLog:
    """Appends to the records and reads them; ``home`` is the folder that holds the anchor."""

    def __init__(self, engine: sa.Engine, home: Path) -> None:
        self._engine, self.anchor_file = engine, home / ANCHOR_FILE

    def drill(self, kind: DrillKind, account: str, *, passed: bool, detail: str, at: datetime) -> Drill:
        """Record a drill; the same one again changes nothing."""
        drill = Drill(kind, account, _aware(at), passed, detail)
        self._append(EntryKind.DRILL, account, f"{kind}/{at.isoformat()}", drill_facts(drill))
        return drill

    def operator_record(
        self, account: str, operator: str, reason: str, expires_at: datetime, at: datetime
    ) -> OperatorWord:
        """Record an operator's word; one that has expired already takes back those before it.

        Raises
        ------
        RecordError
            No account, operator or reason is named, or the records were touched.
        """
        if not (account.strip() and operator.strip() and reason.strip()):
            msg = "a record for live trading names the account, the operator and the reason"
            raise RecordError(msg)
        found = self.read().chain
        if not found.intact:
            msg = f"the records were touched: {found.message}. Nobody can open the gate on top of them"
            raise RecordError(msg)
        word = OperatorWord(account, operator, reason, _aware(at), _aware(expires_at))
        self._append(EntryKind.OPERATOR, account, at.isoformat(), word_facts(word))
        return word

    def read(self) -> GateRecords:
        """What the records say, nothing where they were touched."""
        try:
            anchor = self.anchor()
            return read_records(self.entries(), anchor)
        except (OSError, ValueError, KeyError, TypeError) as error:
            return GateRecords(ChainVerdict(ChainReason.EDITED, None, f"the records cannot be read: {error}"))

    def entries(self) -> list[Entry]:
        """All links in order, whether or not they can be believed; ValueError for a kind that there is not."""
        with self._engine.connect() as connection:
            return _entries(connection)

    def anchor(self) -> Anchor | None:
        """The newest link that was anchored, None before the first."""
        try:
            read = json.loads(self.anchor_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return Anchor(int(read["seq"]), str(read["sha256"]))

    def _append(self, kind: EntryKind, account: str, subject: str, facts: Mapping[str, object]) -> None:
        """Add a link unless there is one of that kind, account and subject; the anchor follows a chain that holds.

        A kill between the two leaves an older anchor, which the chain still holds, or with the first record none.
        Records that were touched go on, and their anchor stays where it is: what was done stays visible.
        """
        with self._engine.connect() as connection, _held(connection):
            entries = _entries(connection)
            if not any((e.kind, e.model_group, e.subject) == (kind, account, subject) for e in entries):
                last = Anchor(entries[-1].seq, entries[-1].sha256) if entries else None
                added = linked(last, kind, account, subject, facts, None)
                connection.execute(sa.insert(gate_records).values(_values(added)))
                connection.commit()
                anchored = entries or [added]
                entries = [*entries, added]
            else:
                anchored = entries
            anchor = self.anchor()
            if anchor is None and len(anchored) == 1:
                anchor = Anchor(anchored[0].seq, anchored[0].sha256)
            if read_records(entries, anchor).chain.intact:
                self._write_anchor(Anchor(entries[-1].seq, entries[-1].sha256))

    def _write_anchor(self, anchor: Anchor) -> None:
        temporary = self.anchor_file.with_suffix(".tmp")
        temporary.write_text(json.dumps({"seq": anchor.seq, "sha256": anchor.sha256}), encoding="utf-8")
        temporary.replace(self.anchor_file)


@contextmanager
def _held(connection: sa.Connection) -> Iterator[None]:
    """Hold the records over several transactions of a connection, whose death frees them."""
    connection.execute(sa.select(sa.func.pg_advisory_lock(int(Lock.GATE_RECORDS))))
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(sa.select(sa.func.pg_advisory_unlock(int(Lock.GATE_RECORDS))))
        connection.commit()


def _entries(connection: sa.Connection) -> list[Entry]:
    return [_entry(row) for row in connection.execute(sa.select(gate_records).order_by(gate_records.c.seq))]


def _values(entry: Entry) -> dict[str, Any]:
    return {
        "seq": entry.seq,
        "kind": str(entry.kind),
        "account": entry.model_group,
        "subject": entry.subject,
        "body": entry.body,
        "previous": entry.previous,
        "sha256": entry.sha256,
    }


def _entry(row: sa.Row[Any]) -> Entry:
    kind = EntryKind(row.kind)
    return Entry(row.seq, kind, row.account, row.subject, row.body, None, row.previous, row.sha256)


def _aware(at: datetime) -> datetime:
    if at.tzinfo is None:
        msg = f"{at} has no UTC offset"
        raise RecordError(msg)
    return at
