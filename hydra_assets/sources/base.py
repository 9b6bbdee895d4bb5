"""What every source is: payload bytes out of ``fetch``, canonical rows out of ``parse``, nothing lost between.

A source never decides what is current. It says, for each row, what the row is about (``event_time``,
``event_session``) and the earliest instant at which it could have been known (``known_at``); the lake does the rest.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import polars as pl

from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import MarketSpec, SourceBinding
from hydra_assets.markets.sessions import SessionCalendar


class Dataset(StrEnum):
    """The raw datasets a source may deliver."""

    FUTURES_BARS = "raw_futures_bars"
    INTRADAY_BARS = "raw_intraday_bars"
    OPTION_CHAINS = "raw_option_chains"
    COT_REPORTS = "raw_cot_reports"
    HEADLINES = "raw_headlines"
    POSTS = "raw_posts"


class Disposition(StrEnum):
    """What became of a row of a payload that did not become a canonical row as it stands."""

    QUARANTINED = "quarantined"
    """Malformed or implausible: kept with the reason and the raw text, and reported by a check."""
    SET_ASIDE = "set_aside"
    """Well-formed but not ours: another market's row, an intraday bar in a daily file, a subtotal line."""


class PayloadState(StrEnum):
    """The named state in which a delivery from a vendor ends."""

    PARSED = "parsed"
    UNCHANGED = "unchanged"
    """Byte for byte what was delivered before."""
    UNREADABLE = "unreadable"
    """The parser refused the whole payload (HTML, truncated archive, wrong encoding, missing column)."""
    EMPTY = "empty"
    """Zero length, or a header and no row."""
    UNREACHABLE = "unreachable"
    """The vendor did not answer within the retries."""
    NOTHING_NEW = "nothing_new"
    """The vendor answered that nothing changed (304), or has no file for the window."""


class SourceError(Exception):
    """A source's own error: what is wrong, with a stable reason code, and what to do next."""

    def __init__(self, reason: str, detail: str, *, state: PayloadState = PayloadState.UNREADABLE) -> None:
        """Keep the reason code, the sentence for a person and the named end state."""
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.state = state


class ParseError(SourceError):
    """The only exception a parser may raise: the payload as a whole cannot be read."""


@dataclass(frozen=True, slots=True)
class Payload:
    """Bytes as a vendor delivered them, archived under their digest before anything reads them.

    ``available_at`` is the transport's own evidence of when the bytes were public (a vintage's time in the
    file name, a Last-Modified header); None where there is none. ``meta`` is what ``fetch`` knows and the
    bytes do not say (report family, column map name, market of a per-market file).
    """

    dataset: Dataset
    source: str
    name: str
    content: bytes
    fetched_at: datetime
    available_at: datetime | None = None
    meta: Mapping[str, str] = field(default_factory=dict)

    @property
    def sha256(self) -> str:
        """Hex digest of the bytes."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """What the pipeline asks for: everything known in sessions ``first`` to ``last`` (dates, inclusive).

    ``first`` None means from the beginning of what the source holds: the first run of a home.
    ``now`` is the clock's reading; nothing known after it is delivered.
    """

    dataset: Dataset
    markets: tuple[MarketSpec, ...]
    first: date | None
    last: date
    now: datetime


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """What a source is built from: where the home and its vendor files are, and what each market asks of it."""

    home_path: Path
    home: HomeConfig
    data_root: Path
    bindings: Mapping[str, tuple[SourceBinding, ...]]
    """Per market symbol, the bindings that name this source."""


@dataclass(frozen=True, slots=True)
class ParseContext:
    """What a parser may know besides the bytes: the configured markets and their calendars."""

    markets: Mapping[str, MarketSpec]
    calendars: Mapping[str, SessionCalendar]


REJECT_SCHEMA: dict[str, pl.DataType] = {
    "source_row": pl.Int64(),
    "disposition": pl.String(),
    "reason": pl.String(),
    "detail": pl.String(),
    "raw": pl.String(),
}
"""One reject: 0-based row of the payload, its disposition, a stable reason code, a sentence, the raw text."""


@dataclass(frozen=True, slots=True)
class ParseResult:
    """Canonical rows and rejects of one payload.

    ``rows`` has the dataset's columns (see ``hydra_assets.columns``) without ``session``, ``ingested_at``,
    ``source`` and ``payload_sha256``, which the ingest adds, and with ``source_row`` (0-based, the payload row it
    came from; one payload row may give several canonical rows). ``total_rows`` counts the payload's data rows.
    """

    rows: pl.DataFrame
    rejects: pl.DataFrame
    total_rows: int
    notes: tuple[str, ...] = ()
    """Remarks for a person and for the schema check, e.g. ``new_column:foo``."""

    def unaccounted(self) -> list[int]:
        """Payload rows that neither became a canonical row nor a reject: must be empty."""
        seen = set(self.rows["source_row"].to_list()) | set(self.rejects["source_row"].to_list())
        return sorted(set(range(self.total_rows)) - seen)


def rejects_frame(rejects: Sequence[tuple[int, Disposition, str, str, str]]) -> pl.DataFrame:
    """Rejects as a frame: (source_row, disposition, reason, detail, raw)."""
    return pl.DataFrame(
        [(row, str(disposition), reason, detail, raw) for row, disposition, reason, detail, raw in rejects],
        schema=REJECT_SCHEMA,
        orient="row",
    )


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """One line of ``hydra sources check``."""

    source: str
    ok: bool
    reason: str
    detail: str


class Source(Protocol):
    """A vendor behind two verbs. Implementations keep no state but their configuration.

    Each is built as ``SomeSource(settings: SourceSettings)``.
    """

    name: str
    known_at_rules: Mapping[Dataset, str]
    """One sentence per dataset: when a row of it could first have been known, and why."""

    def fetch(self, request: FetchRequest) -> Iterator[Payload]:
        """Deliver payloads that may hold rows known in the window; raises SourceError where the vendor fails."""
        ...

    def parse(self, payload: Payload, context: ParseContext) -> ParseResult:
        """Turn bytes into canonical rows; raises ParseError, and nothing else, where that is impossible."""
        ...

    def check(self) -> SourceHealth:
        """Say whether the source could deliver now, without delivering."""
        ...
