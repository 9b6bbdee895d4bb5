"""A hash chain: each entry's digest is of its own content and of the digest before it. Pure.

An edit, a deletion, an insertion or a change of order breaks the chain at that place. A cut at its end does not, so the
newest digest is kept besides, outside the database (``Anchor``), and has to be found again.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

GENESIS = "0" * 64
"""What the first entry's ``previous`` reads."""


class ChainReason(StrEnum):
    """Whether a chain can be believed, or where it cannot."""

    INTACT = "intact"
    EMPTY = "empty"
    EDITED = "edited"
    """An entry's digest is not of its content."""
    BROKEN_LINK = "broken_link"
    """An entry does not follow the one before it: something was taken out, put in or moved."""
    CUT_OFF = "cut_off"
    """The entry that was newest when the anchor was written is gone."""


class EntryKind(StrEnum):
    """What an entry records."""

    TRIAL = "trial"
    """A recipe was evaluated out of sample; its returns are the entry's series."""
    VERDICT = "verdict"
    HOLDOUT = "holdout"
    """The sealed hold-out was opened for a trial."""
    PROMOTION = "promotion"
    CONFIRMATION = "confirmation"
    """A promotion proved durable."""
    ROLLBACK = "rollback"
    FILL = "fill"
    """A revision of an execution, in the chain of the fills."""
    DRILL = "drill"
    """A drill before live trading, in the chain of the gate's records."""
    OPERATOR = "operator"
    """An operator's word that an account may trade live, in the same chain."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One link. ``subject`` names the experiment or version; the same kind, group and subject is the same entry."""

    seq: int
    kind: EntryKind
    model_group: str
    subject: str
    body: str
    """Canonical JSON."""
    series: bytes | None
    previous: str
    sha256: str

    @property
    def facts(self) -> dict[str, Any]:
        """The body, read."""
        read: dict[str, Any] = json.loads(self.body)
        return read


@dataclass(frozen=True, slots=True)
class Anchor:
    """The newest entry when it was written."""

    seq: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """Whether to learn from a chain; ``seq`` is the first entry that cannot be believed."""

    reason: ChainReason
    seq: int | None
    message: str

    @property
    def intact(self) -> bool:
        """Whether everything in it may be believed."""
        return self.reason in {ChainReason.INTACT, ChainReason.EMPTY}


def canonical(facts: Mapping[str, Any]) -> str:
    """JSON with one spelling; ValueError for NaN and infinities, which JSON has not."""
    return json.dumps(facts, sort_keys=True, separators=(",", ":"), allow_nan=False)


def linked(
    before: Anchor | None,
    kind: EntryKind,
    model_group: str,
    subject: str,
    facts: Mapping[str, Any],
    series: bytes | None,
) -> Entry:
    """Make the entry that follows ``before``."""
    seq, previous = (before.seq + 1, before.sha256) if before else (1, GENESIS)
    body = canonical(facts)
    return Entry(
        seq,
        kind,
        model_group,
        subject,
        body,
        series,
        previous,
        _digest(seq, kind, model_group, subject, body, series, previous),
    )


def verify(entries: Sequence[Entry], anchor: Anchor | None) -> ChainVerdict:
    """Check every entry, in order of ``seq``, and that the anchor's is among them."""
    before: Entry | None = None
    for entry in entries:
        seq, previous = (before.seq + 1, before.sha256) if before else (1, GENESIS)
        own = _digest(entry.seq, entry.kind, entry.model_group, entry.subject, entry.body, entry.series, entry.previous)
        if own != entry.sha256:
            return ChainVerdict(ChainReason.EDITED, entry.seq, f"entry {entry.seq} was changed after it was written")
        if (entry.seq, entry.previous) != (seq, previous):
            return ChainVerdict(
                ChainReason.BROKEN_LINK, entry.seq, f"entry {entry.seq} does not follow the one before it"
            )
        before = entry
    newest = before.seq if before else 0
    if anchor is not None and not holds(entries, anchor):
        first = min(newest + 1, anchor.seq)
        return ChainVerdict(
            ChainReason.CUT_OFF, first, f"the ledger once had {anchor.seq} entries and the last of them is gone"
        )
    if before is None:
        return ChainVerdict(ChainReason.EMPTY, None, "no entry yet")
    return ChainVerdict(ChainReason.INTACT, None, f"{len(entries)} entries, each follows the one before it")


def holds(entries: Sequence[Entry], anchor: Anchor) -> bool:
    """Whether an anchor's entry is in its place among ``entries``, which are numbered from 1."""
    return 1 <= anchor.seq <= len(entries) and entries[anchor.seq - 1].sha256 == anchor.sha256


def _digest(seq: int, kind: str, model_group: str, subject: str, body: str, series: bytes | None, previous: str) -> str:
    held = hashlib.sha256(series).hexdigest() if series is not None else ""
    return hashlib.sha256(
        canonical({"of": [seq, str(kind), model_group, subject, body, held, previous]}).encode()
    ).hexdigest()


def series_bytes(days: NDArray[np.int64], returns: NDArray[np.float64]) -> bytes:
    """Returns by session as bytes: days since 1970-01-01, then returns, both ``[n]``, little-endian."""
    if days.shape != returns.shape or days.ndim != 1:
        msg = f"days {days.shape} and returns {returns.shape}"
        raise ValueError(msg)
    return days.astype("<i8").tobytes() + returns.astype("<f8").tobytes()


def read_series(content: bytes) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Days and returns of ``series_bytes``; ValueError where the length is none of theirs."""
    if len(content) % 16:
        msg = f"{len(content)} bytes are no series"
        raise ValueError(msg)
    half = len(content) // 2
    return np.frombuffer(content[:half], "<i8").astype(np.int64), np.frombuffer(content[half:], "<f8").astype(
        np.float64
    )
