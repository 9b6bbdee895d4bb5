"""Training snapshots on disk: content-addressed Parquet files, and which one a group's training date has.

A file is named by the digest of its content and never changes; a reader checks that it holds what its name says. The
pointer of a training date is written last, in one step, so a crash leaves either the old one or the new one.
"""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from hydra_assets.labels.known import LabelKind
from hydra_assets.models.snapshot import Snapshot, digest


class SnapshotError(Exception):
    """A snapshot that is not there or not what was recorded; the message says what to do."""


@dataclass(frozen=True, slots=True)
class SnapshotStore:
    """Snapshots under a directory."""

    root: Path

    def put(self, group: str, training_date: date, snapshot: Snapshot, origin: dict[str, Any]) -> None:
        """Keep a snapshot for a training date; ``origin`` says what it was taken from (tables and versions)."""
        file = self.root / f"{snapshot.sha256}.parquet"
        file.parent.mkdir(parents=True, exist_ok=True)
        # Written even where it exists: taking a snapshot again is the remedy for a damaged file.
        temporary = file.with_suffix(".tmp")
        snapshot.rows.write_parquet(temporary, compression="zstd")
        temporary.replace(file)
        pointer = self._pointer(group, training_date, snapshot.label)
        pointer.parent.mkdir(parents=True, exist_ok=True)
        record = {
            "sha256": snapshot.sha256,
            "features": list(snapshot.features),
            "label": str(snapshot.label),
            "cutoff": snapshot.cutoff.isoformat(),
            "rows": len(snapshot.rows),
            "origin": origin,
        }
        temporary = pointer.with_suffix(".tmp")
        temporary.write_text(json.dumps(record, indent=1, sort_keys=True), encoding="utf-8")
        temporary.replace(pointer)

    def get(self, group: str, training_date: date, label: LabelKind = LabelKind.FIXED_HORIZON) -> Snapshot | None:
        """The snapshot of a training date, None where none was taken; SnapshotError where it is damaged or gone."""
        pointer = self._pointer(group, training_date, label)
        if not pointer.exists():
            return None
        record = json.loads(pointer.read_text(encoding="utf-8"))
        file = self.root / f"{record['sha256']}.parquet"
        remedy = f"materialise training_snapshot of {group} {training_date} again"
        names, label = tuple(record["features"]), LabelKind(record["label"])
        cutoff = date.fromisoformat(record["cutoff"])
        try:
            rows = pl.read_parquet(file)
            found = digest(rows, names, label, cutoff)
        except (OSError, pl.exceptions.PolarsError) as broken:
            msg = f"snapshot {file.name} cannot be read: {remedy}"
            raise SnapshotError(msg) from broken
        if found != record["sha256"]:
            msg = f"snapshot {file.name} has digest {found[:12]}: it was changed or damaged; {remedy}"
            raise SnapshotError(msg)
        return Snapshot(rows, names, label, cutoff, found)

    def remove(self, group: str, training_date: date) -> None:
        """Forget which snapshots a training date has; the files stay."""
        for label in LabelKind:
            self._pointer(group, training_date, label).unlink(missing_ok=True)

    def _pointer(self, group: str, training_date: date, label: LabelKind) -> Path:
        own = "" if label is LabelKind.FIXED_HORIZON else f".{label}"
        return self.root / group / f"{training_date.isoformat()}{own}.json"
