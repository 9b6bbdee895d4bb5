"""The trial ledger in the database, and its anchor in a file beside it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from hydra_assets.state.chain import Anchor, ChainVerdict, Entry, EntryKind, linked, verify
from hydra_assets.state.db import Lock, advisory_lock
from hydra_assets.state.healing_tables import trial_ledger

ANCHOR_FILE = "ledger.anchor"
_COLUMNS = [trial_ledger.c[name] for name in Entry.__dataclass_fields__]


class LedgerError(Exception):
    """The ledger cannot be believed: nothing is learned from it and nothing promoted until a person has looked."""


class TrialLedger:
    """Appends to the ledger and reads it; ``home`` is the folder that holds the anchor."""

    def __init__(self, engine: sa.Engine, home: Path) -> None:
        self.engine, self.anchor_file = engine, home / ANCHOR_FILE

    def append(
        self, kind: EntryKind, model_group: str, subject: str, facts: Mapping[str, Any], series: bytes | None = None
    ) -> Entry:
        """Add an entry, or give back the one of that kind, group and subject: appending again changes nothing.

        A ledger that was touched goes on recording, and its anchor stays where it is: what was done stays visible.
        """
        own = sa.select(*_COLUMNS).where(
            trial_ledger.c.kind == str(kind),
            trial_ledger.c.model_group == model_group,
            trial_ledger.c.subject == subject,
        )
        newest = sa.select(trial_ledger.c.seq, trial_ledger.c.sha256).order_by(trial_ledger.c.seq.desc()).limit(1)
        with self.engine.begin() as connection, advisory_lock(connection, Lock.LEDGER):
            if (row := connection.execute(own).one_or_none()) is not None:
                entry = _entry(row)
            else:
                last = connection.execute(newest).one_or_none()
                entry = linked(Anchor(*last) if last else None, kind, model_group, subject, facts, series)
                connection.execute(
                    sa.insert(trial_ledger).values(
                        {name: getattr(entry, name) for name in Entry.__dataclass_fields__} | {"kind": str(kind)}
                    )
                )
        # A kill before this line leaves an older anchor, which the chain still holds.
        with self.engine.begin() as connection, advisory_lock(connection, Lock.LEDGER):
            self._move_anchor(connection, Anchor(entry.seq, entry.sha256))
        return entry

    def entries(self) -> list[Entry]:
        """All entries in order, whether or not they can be believed; LedgerError for a kind that there is not."""
        with self.engine.connect() as connection:
            return [_entry(row) for row in connection.execute(sa.select(*_COLUMNS).order_by(trial_ledger.c.seq))]

    def verified(self, model_group: str | None = None) -> list[Entry]:
        """All entries (of a group), or LedgerError where the chain was touched."""
        entries = self.entries()
        found = verify(entries, self.anchor())
        if not found.intact:
            msg = f"the trial ledger was touched: {found.message}. Nothing is learned from it or promoted"
            raise LedgerError(msg)
        return [entry for entry in entries if model_group in {None, entry.model_group}]

    def verdict(self) -> ChainVerdict:
        """Whether the ledger can be believed; LedgerError where not even its rows or its anchor can be read."""
        return verify(self.entries(), self.anchor())

    def anchor(self) -> Anchor | None:
        """The newest entry that was anchored, None before the first; LedgerError where the file cannot be read."""
        try:
            read = json.loads(self.anchor_file.read_text(encoding="utf-8"))
            return Anchor(int(read["seq"]), str(read["sha256"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, OverflowError) as broken:
            msg = f"{self.anchor_file.name} cannot be read; it was written by something else"
            raise LedgerError(msg) from broken

    def _move_anchor(self, connection: sa.Connection, anchor: Anchor) -> None:
        """Write an anchor over an older one that the chain still holds."""
        current = self.anchor()
        if current is not None:
            held = connection.scalar(sa.select(trial_ledger.c.sha256).where(trial_ledger.c.seq == current.seq))
            if current.seq >= anchor.seq or held != current.sha256:
                return
        temporary = self.anchor_file.with_suffix(".tmp")
        temporary.write_text(json.dumps({"seq": anchor.seq, "sha256": anchor.sha256}), encoding="utf-8")
        temporary.replace(self.anchor_file)


def _entry(row: sa.Row[Any]) -> Entry:
    fields = dict(row._mapping)
    try:
        kind = EntryKind(fields["kind"])
    except ValueError as unknown:
        msg = f"the trial ledger was touched: entry {fields['seq']} is a {fields['kind']!r}, which there is not"
        raise LedgerError(msg) from unknown
    return Entry(**fields | {"kind": kind})
