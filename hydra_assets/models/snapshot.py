"""Training snapshots: the features and labels that were known at a cutoff, with a digest of exactly those."""

import hashlib
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from hydra_assets.labels.known import LabelKind
from hydra_assets.models.labelled import LABEL_COLUMNS, feature_matrix, labelled_rows
from hydra_assets.models.protocol import Floats


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A training set.

    ``rows`` has market, session, the features and ``LABEL_COLUMNS``, ordered by session and market; all of it was known
    at ``cutoff``.
    """

    rows: pl.DataFrame
    features: tuple[str, ...]
    label: LabelKind
    cutoff: date
    sha256: str

    @property
    def matrix(self) -> Floats:
        """Features ``[n, f]``; missing is NaN."""
        return feature_matrix(self.rows, self.features)


def training_snapshot(
    features: pl.DataFrame, labels: pl.DataFrame, names: tuple[str, ...], label: LabelKind, cutoff: date
) -> Snapshot:
    """Take the snapshot of a market group as of a cutoff session.

    ``features`` (``feature_vector``) and ``labels`` may reach past the cutoff: what was not known by then is dropped
    before anything is computed from it.
    """
    rows = labelled_rows(
        features.filter(pl.col("session") <= cutoff), labels.filter(pl.col("session") <= cutoff), names, label
    ).drop_nulls("label_class")
    return Snapshot(rows, names, label, cutoff, digest(rows, names, label, cutoff))


def digest(rows: pl.DataFrame, names: tuple[str, ...], label: LabelKind, cutoff: date) -> str:
    """SHA-256 of a training set: what it is of, its keys, features and labels, byte by byte.

    A file of an earlier version has no ``label_sigma``; its digest is what it was.
    """
    found = hashlib.sha256(f"{cutoff.isoformat()}|{label}|{'|'.join(names)}|{len(rows)}".encode())
    for name in ("market", "label_class"):
        found.update("|".join(rows[name].to_list()).encode())
    for name in ("session", *LABEL_COLUMNS[:2]):
        found.update(rows[name].to_physical().cast(pl.Int64).to_numpy().tobytes())
    found.update(np.ascontiguousarray(feature_matrix(rows, names)).tobytes())
    for name in (name for name in LABEL_COLUMNS[3:] if name in rows.columns):
        found.update(rows[name].to_numpy().tobytes())
    return found.hexdigest()


def newest_sessions(rows: pl.DataFrame, sessions: int | None) -> pl.DataFrame:
    """Rows of the newest so many sessions (pooled over markets); all where None."""
    if sessions is None:
        return rows
    kept = rows["session"].unique().sort().tail(sessions)
    return rows.filter(pl.col("session") >= kept[0]) if len(kept) else rows
