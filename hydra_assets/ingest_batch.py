"""What one ingest has accepted so far: incoming rows judged against the lake's and counted, payload by payload."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

import polars as pl

from hydra_assets.columns import QUARANTINE, DatasetSpec, PartitionedBy
from hydra_assets.lake.tables import Lake
from hydra_assets.lake.validate import RowFault
from hydra_assets.lake.versions import classify
from hydra_assets.sources.base import (
    Disposition,
    FetchRequest,
    ParseResult,
    Payload,
    Source,
    SourceError,
)
from hydra_assets.state.records import PayloadRecord

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


class Batch:
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
        """Judge one payload's validated rows: what is new is kept for the commit, and every row is counted."""
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
        """Rows to append and rows for quarantine, of all payloads so far."""
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


def without_payload(source: Source, request: FetchRequest, error: SourceError) -> PayloadRecord:
    """Record of a fetch that brought no payload: the vendor's failure with its named state."""
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
