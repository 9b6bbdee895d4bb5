"""Ingest: vendor bytes in, raw rows and quarantine out, every row of every delivery accounted for.

The order makes a killed run harmless. Bytes are archived first; rows go into the lake in one commit per dataset;
the delivery is written to the ledger last. A run that dies between two steps is simply run again: rows that are
in the lake already are recognised by key and value.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Protocol

import polars as pl

from hydra_assets.columns import DATASETS, QUARANTINE, DatasetSpec, PartitionedBy
from hydra_assets.lake.archive import Archive
from hydra_assets.lake.tables import Lake
from hydra_assets.lake.validate import RowFault, faults
from hydra_assets.lake.versions import classify
from hydra_assets.markets.sessions import WEEKDAYS
from hydra_assets.sources.base import (
    Disposition,
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

_INSTANT = pl.Datetime("us", "UTC")
NO_MARKET = "NONE"
"""Market of a quarantined row whose market is not known."""


class PayloadLedger(Protocol):
    """Where deliveries are recorded."""

    def parsed(self, dataset: str, context: str) -> Mapping[str, datetime | None]:
        """Digests of the payloads already parsed in this context, with the time at which they were public."""
        ...

    def published(self, dataset: str) -> Mapping[str, datetime]:
        """Since when each payload parsed in any context was public: its own evidence, or its first fetch."""
        ...

    def record(self, deliveries: Sequence[PayloadRecord]) -> None:
        """Add deliveries."""
        ...


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
        batch = _Batch(self.lake, spec, self.ledger, self._placed)
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
                deliveries.append(_without_payload(source, request, error))
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

    def _take(self, source: Source, payload: Payload, batch: "_Batch", now: datetime) -> PayloadRecord:
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


class _Batch:
    """Rows accepted so far in one ingest, and what the lake holds already.

    A payload may hold rows of markets that nobody asked for; the lake's rows of a market are read when its first row
    comes, so that those are recognised too.
    """

    def __init__(
        self,
        lake: Lake,
        spec: DatasetSpec,
        ledger: PayloadLedger,
        place: Callable[[pl.DataFrame], pl.DataFrame],
    ) -> None:
        self.lake = lake
        self.place = place
        self.spec = spec
        self.ledger = ledger
        self.parsed: dict[str, set[str]] = {}
        self.published = dict(ledger.published(spec.name))
        self.held: dict[str, pl.DataFrame] = {}
        self.fresh: list[tuple[datetime, datetime, pl.DataFrame]] = []
        self.accepted: list[pl.DataFrame] = []
        self.refused: list[pl.DataFrame] = []

    def parsed_in(self, context: str) -> set[str]:
        """Digests of the payloads parsed in a context, those of this ingest among them."""
        if context not in self.parsed:
            self.parsed[context] = set(self.ledger.parsed(self.spec.name, context))
        return self.parsed[context]

    def take(self, base: PayloadRecord, payload: Payload, rows: pl.DataFrame, result: ParseResult) -> PayloadRecord:
        good = rows.filter(pl.col("fault").is_null()).drop("fault", "fault_detail")
        bad = rows.filter(pl.col("fault").is_not_null())
        self._hold(good)
        public = self._public(payload, base.sha256)
        transport = pl.Series([public], dtype=_INSTANT).new_from_index(0, good.height)
        judged = classify(self._overlapping(good), good, self.spec, transport)
        for standing, fault, text in (
            ("older", RowFault.OLDER_VINTAGE, "a vintage that was public later is loaded already"),
            ("conflict", RowFault.CONFLICTING_DUPLICATE, "another row of this payload gives the key other values"),
        ):
            refused = judged.filter(pl.col("standing") == standing).drop("standing")
            bad = pl.concat(
                [bad, refused.with_columns(pl.lit(str(fault)).alias("fault"), pl.lit(text).alias("fault_detail"))]
            )
        restated = judged.filter(pl.col("standing") == "restated").drop("standing")
        if self.spec.partitioned_by is PartitionedBy.MARKET_SESSION:
            # A restatement belongs to the session that learns of it: what is decided already does not change.
            restated = self.place(restated)
        fresh = pl.concat([judged.filter(pl.col("standing") == "new").drop("standing"), restated])
        same = judged.filter(pl.col("standing") == "same")
        # A run that died after the commit left this payload's rows in the lake: they are loaded, not superseded.
        loaded_before = same.join(
            self._overlapping(same).filter(pl.col("payload_sha256") == base.sha256),
            on=[*self.spec.key, "source", "source_row"],
            how="semi",
            nulls_equal=True,
        )
        self.parsed_in(base.context).add(base.sha256)
        self.accepted.append(fresh)
        if not fresh.is_empty():
            self.fresh.append((*_span(fresh), fresh.with_columns(pl.lit(public).cast(_INSTANT).alias("available_at"))))
        self.refused.append(_quarantine_rows(base, bad, result.rejects))
        return _counted(base, result, [fresh, loaded_before], same, bad)

    def _hold(self, rows: pl.DataFrame) -> None:
        for market in rows["market"].unique():
            if market not in self.held:
                held = self.lake.read(self.spec.name, markets=[market])
                self.held[market] = held.with_columns(
                    pl.col("payload_sha256")
                    .replace_strict(self.published, default=None, return_dtype=_INSTANT)
                    .alias("available_at")
                )

    def _public(self, payload: Payload, sha256: str) -> datetime:
        """Since when the payload's bytes were public: its own evidence, or our first sight of them."""
        if sha256 not in self.published:
            # A run that died before its ledger entry has left rows: they say when it was.
            seen = [part.filter(pl.col("payload_sha256") == sha256)["ingested_at"].min() for part in self.held.values()]
            earlier = [stamp for stamp in seen if isinstance(stamp, datetime)]
            self.published[sha256] = payload.available_at or min([payload.fetched_at, *earlier])
            if earlier:
                ours = pl.col("payload_sha256") == sha256
                stamp = pl.lit(self.published[sha256]).cast(_INSTANT)
                self.held = {
                    market: part.with_columns(pl.when(ours).then(stamp).otherwise("available_at").alias("available_at"))
                    for market, part in self.held.items()
                }
        return self.published[sha256]

    def _overlapping(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Known rows of the same span of events, from the lake and from this ingest."""
        if rows.is_empty():
            return rows.clear().with_columns(pl.lit(None, dtype=_INSTANT).alias("available_at"))
        lo, hi = _span(rows)
        near = pl.col("event_time").is_between(lo, hi)
        parts = [self.held[market].filter(near) for market in rows["market"].unique(maintain_order=True)]
        parts += [part.filter(near) for first, last, part in self.fresh if first <= hi and last >= lo]
        columns = [*self.spec.columns, "available_at"]
        return pl.concat(part.select(columns) for part in parts)

    def frames(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        rows = pl.concat(self.accepted) if self.accepted else pl.DataFrame(schema=self.spec.schema)
        refused = pl.concat(self.refused) if self.refused else pl.DataFrame(schema=QUARANTINE.schema)
        return rows, refused.unique(list(QUARANTINE.key), keep="first", maintain_order=True)


def _span(rows: pl.DataFrame) -> tuple[datetime, datetime]:
    first, last = rows["event_time"].min(), rows["event_time"].max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        msg = "no event time in rows that were validated"
        raise TypeError(msg)
    return first, last


def _counted(
    base: PayloadRecord, result: ParseResult, loaded: list[pl.DataFrame], same: pl.DataFrame, bad: pl.DataFrame
) -> PayloadRecord:
    taken: set[int] = set()

    def count(rows: Iterable[int]) -> int:
        fresh = set(rows) - taken
        taken.update(fresh)
        return len(fresh)

    rejects = result.rejects
    quarantined = rejects.filter(pl.col("disposition") == str(Disposition.QUARANTINED))
    aside = rejects.filter(pl.col("disposition") == str(Disposition.SET_ASIDE))
    n_loaded = count(row for frame in loaded for row in frame["source_row"].to_list())
    n_quarantined = count([*bad["source_row"].to_list(), *quarantined["source_row"].to_list()])
    n_superseded = count(same["source_row"].to_list())
    n_aside = count(aside["source_row"].to_list())
    refused = pl.concat(
        [
            rejects.select("source_row", "disposition", "reason"),
            bad.select(
                "source_row", pl.lit(str(Disposition.QUARANTINED)).alias("disposition"), pl.col("fault").alias("reason")
            ),
        ]
    ).unique()
    return replace(
        base,
        rows_total=result.total_rows,
        rows_loaded=n_loaded,
        rows_superseded=n_superseded,
        rows_quarantined=n_quarantined,
        rows_set_aside=n_aside,
        reasons={(how, why): n for how, why, n in refused.group_by("disposition", "reason").len().iter_rows()},
        notes=result.notes,
    )


def _quarantine_rows(base: PayloadRecord, bad: pl.DataFrame, rejects: pl.DataFrame) -> pl.DataFrame:
    parsed = bad.select(
        "market",
        "source_row",
        pl.col("fault").alias("reason"),
        pl.col("fault_detail").alias("detail"),
        pl.struct(pl.exclude("fault", "fault_detail", "ingested_at")).struct.json_encode().alias("raw"),
    )
    refused = rejects.filter(pl.col("disposition") == str(Disposition.QUARANTINED)).select(
        pl.lit(NO_MARKET).alias("market"), "source_row", "reason", "detail", "raw"
    )
    return (
        pl.concat([parsed, refused])
        .with_columns(
            pl.col("market").fill_null(NO_MARKET),
            pl.lit(base.dataset).alias("dataset"),
            pl.lit(base.source).alias("source"),
            pl.lit(base.sha256).alias("payload_sha256"),
            pl.lit(base.name).alias("payload_name"),
            pl.lit(base.fetched_at.astimezone(UTC).date()).alias("quarantined_on"),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in QUARANTINE.schema.items())
    )


def _without_payload(source: Source, request: FetchRequest, error: SourceError) -> PayloadRecord:
    return PayloadRecord(
        dataset=request.dataset,
        source=source.name,
        name="fetch",
        sha256="",
        size_bytes=0,
        fetched_at=request.now,
        available_at=None,
        state=error.state,
        reason=error.reason,
        detail=error.detail,
    )
