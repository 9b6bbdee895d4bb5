"""Ingest: vendor bytes in, raw rows and quarantine out, every row of every delivery accounted for.

The order makes a killed run harmless. Bytes are archived first; rows go into the lake in one commit per dataset;
the delivery is written to the ledger last. A run that dies between two steps is simply run again: rows that are
in the lake already are recognised by key and value.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property

import polars as pl

from hydra_assets.columns import DATASETS, QUARANTINE, DatasetSpec, PartitionedBy
from hydra_assets.ingest_batch import _INSTANT, Batch, PayloadLedger, without_payload
from hydra_assets.lake.archive import Archive
from hydra_assets.lake.tables import Lake
from hydra_assets.lake.validate import faults
from hydra_assets.markets.sessions import WEEKDAYS
from hydra_assets.sources.base import (
    FetchRequest,
    ParseContext,
    ParseError,
    ParseResult,
    Payload,
    PayloadState,
    Source,
    SourceError,
)
from hydra_assets.state.records import PayloadRecord

PARSER_VERSION = "1"
"""Raised when a parser reads the same bytes differently, so that known payloads are read again."""


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one ingest did."""

    deliveries: tuple[PayloadRecord, ...]
    rows_appended: int

    @property
    def failures(self) -> tuple[PayloadRecord, ...]:
        """Deliveries that could not be read at all."""
        bad = {PayloadState.UNREADABLE, PayloadState.UNREACHABLE, PayloadState.EMPTY}
        return tuple(d for d in self.deliveries if d.state in bad)


@dataclass
class Ingest:
    """One ingest of one dataset: sources in, lake, archive and ledger out."""

    lake: Lake
    archive: Archive
    ledger: PayloadLedger
    context: ParseContext
    history_start: date
    run_id: str
    first_sessions: Mapping[str, date] = field(default_factory=dict)
    """Markets whose first session is another than ``history_start``."""

    def run(self, sources: Iterable[Source], request: FetchRequest) -> IngestReport:
        """Fetch, archive, parse, validate and append; a vendor's failure is a recorded state, not an exception."""
        dataset = request.dataset
        spec = DATASETS[dataset]
        batch = Batch(self.lake, spec, self.ledger, self._placed)
        deliveries: list[PayloadRecord] = []
        for source in sources:
            before = len(deliveries)
            try:
                for payload in source.fetch(request):
                    # One by one: what came before a failure is kept.
                    deliveries.append(self._take(source, payload, batch, request.now))  # noqa: PERF401
                if len(deliveries) == before:
                    raise SourceError("no_payload", "nothing for this window", state=PayloadState.NOTHING_NEW)
            except SourceError as error:
                deliveries.append(without_payload(source, request, error))
        rows, quarantine = batch.frames()
        self.lake.append(dataset, rows)
        self._quarantine(quarantine)
        self.ledger.record([replace(delivery, run_id=self.run_id) for delivery in deliveries])
        return IngestReport(tuple(deliveries), rows.height)

    @cached_property
    def _configuration(self) -> str:
        facts = [PARSER_VERSION, self.history_start.isoformat(), str(sorted(self.first_sessions.items()))]
        facts += [spec.model_dump_json() for _, spec in sorted(self.context.markets.items())]
        return "\n".join(facts)

    def context_digest(self, meta: Mapping[str, str]) -> str:
        """Digest of what parsing depends on besides the bytes: the configuration and what ``fetch`` said of them.

        With a new market, or for another market of the same file, known bytes are read again.
        """
        return hashlib.sha256(f"{self._configuration}\n{sorted(meta.items())}".encode()).hexdigest()[:16]

    def _take(self, source: Source, payload: Payload, batch: "Batch", now: datetime) -> PayloadRecord:
        sha256 = payload.sha256
        self.archive.store(sha256, payload.content)
        base = PayloadRecord(
            dataset=payload.dataset,
            source=payload.source,
            name=payload.name,
            sha256=sha256,
            size_bytes=len(payload.content),
            fetched_at=payload.fetched_at,
            available_at=payload.available_at,
            state=PayloadState.PARSED,
            context=self.context_digest(payload.meta),
        )
        if not payload.content:
            return replace(base, state=PayloadState.EMPTY, reason="zero_length", detail="the vendor delivered no byte")
        if sha256 in batch.parsed_in(base.context):
            return replace(
                base,
                state=PayloadState.UNCHANGED,
                reason="delivered_before",
                detail="byte for byte a payload parsed before",
            )
        try:
            result = source.parse(payload, self.context)
        except ParseError as error:
            return replace(base, state=error.state, reason=error.reason, detail=error.detail)
        if result.total_rows == 0:
            return replace(base, state=PayloadState.EMPTY, reason="no_rows", detail="a header and no row")
        lost = result.unaccounted()
        if lost:
            # A defect of the parser, not of the data: stop before anything is written.
            msg = f"{payload.source} {payload.name}: parser lost rows {lost[:5]} of {result.total_rows}"
            raise RuntimeError(msg)
        rows = self._rows(payload, sha256, result, batch.spec, now)
        return batch.take(base, payload, rows, result)

    def _rows(
        self, payload: Payload, sha256: str, result: ParseResult, spec: DatasetSpec, now: datetime
    ) -> pl.DataFrame:
        stamped = result.rows.with_columns(
            pl.lit(now).cast(_INSTANT).alias("ingested_at"),
            pl.lit(payload.source).alias("source"),
            pl.lit(sha256).alias("payload_sha256"),
        )
        absent = [pl.lit(None, dtype=t).alias(c) for c, t in spec.schema.items() if c not in stamped.columns]
        typed = stamped.with_columns(absent).select(pl.col(c).cast(t) for c, t in spec.schema.items())
        if spec.partitioned_by is PartitionedBy.REPORT_WEEK:
            monday = pl.col("report_date") - pl.duration(days=pl.col("report_date").dt.weekday() - 1)
            return faults(typed.with_columns(monday.cast(pl.Date).alias("report_week")), spec, now)
        parts = []
        for (market,), part in typed.group_by(["market"], maintain_order=True):
            # Where every weekday is decided but trading never stops, a weekend's quote is no fault.
            always_open = self.context.markets[str(market)].calendar == WEEKDAYS
            calendar = None if always_open else self.context.calendars[str(market)]
            parts.append(faults(self._placed(part), spec, now, calendar))
        return pl.concat(parts) if parts else faults(typed, spec, now)

    def _placed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows of markets and sessions in the session in which they become known, or their market's first."""
        parts = [rows.clear()]
        for (market,), part in rows.group_by(["market"], maintain_order=True):
            calendar = self.context.calendars[str(market)]
            start = self.first_sessions.get(str(market), self.history_start)
            first = start if calendar.is_session(start) else calendar.next_session(start)
            # Past the calendar's end there is no session; a maximum would make the first one of it.
            placed = part.with_columns(calendar.session_for(part["known_at"]).alias("session"))
            late = pl.when(pl.col("session") < first).then(pl.lit(first)).otherwise("session")
            parts.append(placed.with_columns(late.alias("session")))
        return pl.concat(parts)

    def _quarantine(self, rows: pl.DataFrame) -> None:
        if rows.is_empty():
            return
        known = self.lake.read(QUARANTINE.name, columns=list(QUARANTINE.key))
        fresh = rows.join(known, on=list(QUARANTINE.key), how="anti", nulls_equal=True)
        self.lake.append(QUARANTINE.name, fresh)
