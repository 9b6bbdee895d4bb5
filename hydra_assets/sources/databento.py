"""Databento: DBN files as a source of futures bars and option chains.

One payload is a *bundle*: the vendor's files, byte for byte, stored in a plain zip, definitions included. A statistic
names its contract by an instrument id that only the definitions explain, so a payload without them could not be read
again from the archive; and a session's bar, quote and settlement come in different files but are one record that
grows. A bare DBN file is a payload too: its symbol mappings then name the outright futures.

A record grows: each row of a contract, session and record carries all that was known by its ``known_at`` (the quote
at the cutoff, then the preliminary settlement, then the final one, then the day's bar), so an as-of read needs only
the newest row. Settlements never step back from final to preliminary or from actual to theoretical.

Known when. ``known_at`` is the later of the market's rule (settlement publication; one session later for activity)
and the vendor's evidence (``ts_recv`` of a statistic, the end of the UTC day of a bar). A quote is known at its
``ts_recv``. The event of a price row is its quote's instant where it has one, the settlement publication otherwise.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from hydra_assets.sources.base import (
    Dataset,
    FetchRequest,
    ParseContext,
    ParseError,
    ParseResult,
    Payload,
    PayloadState,
    SourceHealth,
    SourceSettings,
)
from hydra_assets.sources.databento_events import consolidate
from hydra_assets.sources.databento_files import DbnFile, RecordType, decode
from hydra_assets.sources.databento_records import events
from hydra_assets.sources.databento_symbology import from_definitions, from_symbols, no_instruments
from hydra_assets.sources.local_files import bound_files, dates_in_name, read_file

__all__ = ["DatabentoSource", "bundle", "parse_databento"]

NAME = "databento"
OVERLAP = timedelta(days=7)
"""Days before the window whose files a bundle holds, so that its first session is complete."""
EMIT_BEFORE = timedelta(days=4)
"""Days before the window whose sessions are still read: their activity becomes known in the window."""
MAX_MEMBERS = 100_000


def bundle(files: Sequence[tuple[str, bytes]]) -> bytes:
    """Files, ``(name, bytes)``, as one payload: a stored zip whose bytes depend on nothing else."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
    return buffer.getvalue()


def parse_databento(payload: Payload, context: ParseContext) -> ParseResult:
    """Canonical rows of a bundle or of one DBN file; rows are the records of all members in order of their names.

    ``payload.meta["emit_from"]`` (ISO date, optional) is the first session that is read. Reasons of rejects:
    :class:`hydra_assets.sources.databento_records.Reason`.

    Raises
    ------
    ParseError
        A member is no DBN, or is truncated; a broken bundle; a dataset that DBN files do not hold.
    """
    if payload.dataset not in {Dataset.FUTURES_BARS, Dataset.OPTION_CHAINS}:
        raise ParseError("wrong_dataset", f"DBN files hold no {payload.dataset}")
    files = [_decoded(name, content) for name, content in _members(payload)]
    offsets = np.concatenate([[0], np.cumsum([file.total for file in files])]).astype(np.int64)
    found = [
        events(group.rtype, group.rows + offset, group.array)
        for file, offset in zip(files, offsets, strict=False)
        for group in file.groups
    ]
    first = payload.meta.get("emit_from")
    rows, rejects = consolidate(
        found,
        _instruments(files, context),
        payload.dataset,
        context,
        date.fromisoformat(first) if first is not None else None,
    )
    return ParseResult(rows, rejects, int(offsets[-1]))


def _decoded(name: str, content: bytes) -> DbnFile:
    try:
        return decode(content)
    except ParseError as error:
        raise ParseError(error.reason, f"{name}: {error.detail}", state=error.state) from error


def _members(payload: Payload) -> list[tuple[str, bytes]]:
    if not payload.content.startswith(b"PK"):
        return [(payload.name, payload.content)]
    try:
        with zipfile.ZipFile(io.BytesIO(payload.content)) as archive:
            members = sorted(archive.infolist(), key=lambda member: member.filename)
            # Stored members only: what they claim to hold cannot exceed the bundle.
            if len(members) > MAX_MEMBERS or any(m.compress_type != zipfile.ZIP_STORED for m in members):
                raise ParseError("unexpected_bundle", "compressed or too many members")
            return [(member.filename, archive.read(member)) for member in members]
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError) as error:
        raise ParseError("broken_bundle", str(error)) from error


def _instruments(files: list[DbnFile], context: ParseContext) -> pl.DataFrame:
    defined = [
        from_definitions(group.array, context)
        for file in files
        for group in file.groups
        if group.rtype == RecordType.DEFINITION and group.array is not None
    ]
    table = pl.concat([no_instruments(), *defined])
    mapped = pl.concat([no_instruments(), *(from_symbols(file.symbols, context) for file in files)])
    # Where an id has a definition, that is better evidence than a symbol.
    return pl.concat([table, mapped.join(table, on="instrument_id", how="anti")]).unique(maintain_order=True)


class DatabentoSource:
    """DBN files below the data folder: binding options ``files`` and ``definitions``, globs relative to it."""

    name = NAME
    known_at_rules: Mapping[Dataset, str] = {
        Dataset.FUTURES_BARS: (
            "Settlement: the later of its ts_recv and the settlement publication. Bars: the end of their UTC day. "
            "Quotes: their ts_recv. Volume and open interest: the later of ts_recv and one session later."
        ),
        Dataset.OPTION_CHAINS: "As for futures.",
    }

    def __init__(self, settings: SourceSettings) -> None:
        self._settings = settings

    def fetch(self, request: FetchRequest) -> Iterator[Payload]:
        """One bundle of the files whose name's dates touch the window and the week before it, with all definitions."""
        markets = [market.symbol for market in request.markets]
        data = [path for path in bound_files(self._settings, markets, request.dataset) if _touches(path, request)]
        definitions = [
            path
            for path in bound_files(self._settings, markets, request.dataset, "definitions")
            if path not in set(data)
        ]
        if not data:
            return
        root = self._settings.data_root
        files = [(path.relative_to(root).as_posix(), read_file(path)) for path in [*data, *definitions]]
        empty = next((name for name, content in files if not content), None)
        if empty is not None:
            raise ParseError("zero_length", f"{empty} is empty", state=PayloadState.EMPTY)
        days = [found for path in data if (found := dates_in_name(path.name)) is not None]
        # A batch file of a UTC day is complete, and delivered, when the day is over.
        public = datetime.combine(max(last for _, last in days), time(), UTC) + timedelta(days=1) if days else None
        meta = {} if request.first is None else {"emit_from": (request.first - EMIT_BEFORE).isoformat()}
        label = re.sub(r"[^A-Za-z0-9_.-]+", "_", "-".join(markets))[:80]
        name = f"{label}.{request.first or 'begin'}.{request.last}.dbn.zip"
        available = min(public, request.now) if public is not None else None
        yield Payload(request.dataset, self.name, name, bundle(files), request.now, available, meta)

    def parse(self, payload: Payload, context: ParseContext) -> ParseResult:
        """See :func:`parse_databento`."""
        return parse_databento(payload, context)

    def check(self) -> SourceHealth:
        """Whether any bound file exists, and whether the newest one can be decoded."""
        files = bound_files(self._settings, list(self._settings.bindings))
        if not files:
            return SourceHealth(self.name, ok=False, reason="no_files", detail="no file matches the bindings' globs")
        try:
            decode(read_file(files[-1]))
        except ParseError as error:
            return SourceHealth(self.name, ok=False, reason=error.reason, detail=f"{files[-1].name}: {error.detail}")
        return SourceHealth(
            self.name, ok=True, reason="files_found", detail=f"{len(files)} files, last {files[-1].name}"
        )


def _touches(path: Path, request: FetchRequest) -> bool:
    days = dates_in_name(path.name)
    if days is None:
        return True
    first = request.first - OVERLAP if request.first is not None else date.min
    # A session's last evidence stands in the UTC day after it.
    last = min(request.last + timedelta(days=1), request.now.date())
    return days[1] >= first and days[0] <= last
