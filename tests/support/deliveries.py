"""Tiny vendors for tests of the ingest: JSON lines of settles, delivered as told, and a ledger in memory."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from hydra_assets.columns import DATASETS
from hydra_assets.ingest import Ingest, IngestReport
from hydra_assets.lake import Lake
from hydra_assets.lake.archive import Archive
from hydra_assets.markets.model import MarketSpec
from hydra_assets.sources.base import (
    REJECT_SCHEMA,
    Dataset,
    Disposition,
    FetchRequest,
    ParseContext,
    ParseError,
    ParseResult,
    Payload,
    SourceError,
    SourceHealth,
    rejects_frame,
)
from hydra_assets.state.records import PayloadRecord
from tests.support.source_markets import context as context_of
from tests.support.source_markets import market

BARS = DATASETS["raw_futures_bars"]
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
VALUES = ("market", "contract", "event_session", "record", "settle", "open_interest", "known_at")
_SCHEMA = {
    name: dtype for name, dtype in BARS.schema.items() if name not in {"session", "ingested_at", "payload_sha256"}
}

Line = Mapping[str, object] | str


def settle(contract: str, day: date, value: float | None, **more: object) -> dict[str, object]:
    """One settle; ``open_interest`` beside it gives an activity record, ``known_at`` overrides the schedule."""
    return {"contract": contract, "day": day.isoformat(), "settle": value, **more}


def delivery(
    name: str, lines: Sequence[Line], *, public: datetime | None = None, fetched: datetime = NOW, source: str = "tiny"
) -> Payload:
    """A payload of JSON lines (a text stands as it is)."""
    content = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines).encode()
    return Payload(Dataset.FUTURES_BARS, source, name, content, fetched, public)


@dataclass
class TinySource:
    """Yields its payloads, then raises its error; ``loses`` drops payload rows in silence, as no parser may."""

    payloads: Sequence[Payload] = ()
    error: SourceError | None = None
    loses: frozenset[int] = frozenset()
    name: str = "tiny"
    known_at_rules: Mapping[Dataset, str] = field(default_factory=dict)

    def fetch(self, request: FetchRequest) -> Iterator[Payload]:
        yield from self.payloads
        if self.error:
            raise self.error

    def parse(self, payload: Payload, context: ParseContext) -> ParseResult:
        if not payload.content.strip():
            return ParseResult(pl.DataFrame(schema=_SCHEMA), pl.DataFrame(schema=REJECT_SCHEMA), 0)
        try:
            lines = payload.content.decode().splitlines()
        except UnicodeDecodeError as error:
            raise ParseError("wrong_encoding", str(error)) from error
        rows: list[dict[str, object]] = []
        rejects: list[tuple[int, Disposition, str, str, str]] = []
        for number, line in enumerate(lines):
            if number in self.loses:
                continue
            try:
                rows += _records(number, json.loads(line), context, rejects)
            except ValueError as error:
                rejects.append((number, Disposition.QUARANTINED, "malformed", str(error), line))
        return ParseResult(
            pl.DataFrame(rows, schema=_SCHEMA, strict=False), rejects_frame(rejects), len(lines), ("read:json",)
        )

    def check(self) -> SourceHealth:
        return SourceHealth(self.name, ok=True, reason="ok", detail="")


def _records(
    number: int, cells: dict[str, object], context: ParseContext, rejects: list[tuple[int, Disposition, str, str, str]]
) -> list[dict[str, object]]:
    contract, day = str(cells["contract"]), date.fromisoformat(str(cells["day"]))
    symbol = contract.split("-", maxsplit=1)[0]
    if symbol not in context.markets:
        rejects.append((number, Disposition.SET_ASIDE, "market_not_configured", symbol, json.dumps(cells)))
        return []
    calendar = context.calendars[symbol]
    instant = calendar.at_local(day, calendar.settlement_published)
    known = datetime.fromisoformat(str(cells["known_at"])) if "known_at" in cells else instant
    row: dict[str, object] = {
        "market": symbol,
        "contract": contract,
        "contract_month": date.fromisoformat(contract[-7:] + "-01"),
        "event_session": day,
        "event_time": instant,
        "source_row": number,
        "record": "price",
        "settle": cells["settle"],
        "known_at": known,
    }
    activity = row | {"record": "activity", "settle": None, "open_interest": cells.get("open_interest")}
    return [row, activity] if "open_interest" in cells else [row]


@dataclass
class MemoryLedger:
    """``PayloadLedger`` that keeps the newest outcome per delivery, as the database does."""

    rows: dict[tuple[str, ...], PayloadRecord] = field(default_factory=dict)

    def parsed(self, dataset: str, context: str) -> dict[str, datetime | None]:
        return {r.sha256: r.available_at for r in self._parsed(dataset) if r.context == context}

    def published(self, dataset: str) -> dict[str, datetime]:
        return {r.sha256: r.available_at or r.fetched_at for r in self._parsed(dataset)}

    def record(self, deliveries: Sequence[PayloadRecord]) -> None:
        for d in deliveries:
            self.rows[d.dataset, d.source, d.name, d.sha256, str(d.state), d.reason] = d

    def _parsed(self, dataset: str) -> list[PayloadRecord]:
        return [r for r in self.rows.values() if r.dataset == dataset and r.state == "parsed"]


class ForgetfulLedger(MemoryLedger):
    """A ledger whose process dies just before it would write."""

    def record(self, deliveries: Sequence[PayloadRecord]) -> None:
        raise KeyboardInterrupt


@dataclass
class Bench:
    """A lake, an archive and a ledger, and ingests on them."""

    root: Path
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    markets: tuple[MarketSpec, ...] = field(default_factory=lambda: (market(),))
    history_start: date = date(2025, 1, 2)

    @property
    def lake(self) -> Lake:
        return Lake(str(self.root / "lake"))

    @property
    def archive(self) -> Archive:
        return Archive(self.root / "archive")

    def ingest(self, *sources: TinySource, asked: Sequence[str] = (), now: datetime = NOW) -> IngestReport:
        ingest = Ingest(self.lake, self.archive, self.ledger, context_of(*self.markets), self.history_start, "run")
        wanted = tuple(m for m in self.markets if not asked or m.symbol in asked)
        return ingest.run(sources, FetchRequest(Dataset.FUTURES_BARS, wanted, None, now.date(), now))

    def deliver(self, *payloads: Payload, now: datetime = NOW) -> tuple[PayloadRecord, ...]:
        return self.ingest(TinySource(payloads), now=now).deliveries

    def rows(self) -> pl.DataFrame:
        """Rows of the lake in a fixed order."""
        return self.lake.read(BARS.name).sort([*BARS.key, "source", "known_at"])

    def quarantine(self) -> pl.DataFrame:
        return self.lake.read("quarantine").sort("payload_sha256", "source_row", "reason")
