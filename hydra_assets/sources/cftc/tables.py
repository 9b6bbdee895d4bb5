"""Bytes of a CFTC delivery to tables of text cells: yearly text, zip with one text, site CSV, JSON and xlsx.

Nothing is interpreted here. Every data row of the payload is numbered, and either stands in ``cells`` or in
``malformed`` with the reason; what cannot be read as a whole raises ParseError with a stable reason.
"""

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from hydra_assets.sources.base import ParseError, PayloadState

MAX_UNPACKED_BYTES = 1_500_000_000
"""Largest content of an archive that is unpacked; the whole legacy history since 1986 is a fifth of it."""
_QUOTED = r'"(?:[^"]|"")*"'
_MARK = "\x01"


@dataclass(frozen=True, slots=True)
class Malformed:
    """A data row that does not have the header's number of fields, or that is no row at all."""

    source_row: int
    detail: str
    raw: str


@dataclass(frozen=True, slots=True)
class Table:
    """Text cells under one header.

    ``cells``: ``source_row`` (0-based within the table), ``raw`` and ``f0`` ... ``f<n-1>``, all text; one row per
    well-formed data row, in payload order. ``total_rows`` counts the data rows, malformed ones included.
    """

    header: tuple[str, ...]
    cells: pl.DataFrame
    malformed: tuple[Malformed, ...]
    total_rows: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a payload held: its tables in order, the file names inside it, and remarks."""

    tables: tuple[Table, ...]
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def read_delivery(content: bytes, name: str) -> Delivery:
    """Recognise the container and read it; ParseError where that is impossible.

    Reasons: ``zero_length``, ``no_rows`` (state EMPTY), ``html_instead_of_data``, ``wrong_encoding``, ``truncated``,
    ``truncated_archive``, ``archive_members``, ``too_large``, ``vendor_error``, ``unreadable``.
    """
    names: tuple[str, ...] = (name,)
    if content[:2] == b"PK":
        members = _members(content, name)
        if any(m.filename == "[Content_Types].xml" for m in members):
            return _non_empty(Delivery(tuple(_read_workbook(content, name)), names), name)
        content, member = _unpack_one(content, members, name)
        names = (name, member)
    text, notes = _decode(content, name)
    if not text.strip():
        raise ParseError("zero_length", f"{name} has no content", state=PayloadState.EMPTY)
    head = text[:2000].lstrip().lower()
    if head.startswith(("<!doctype", "<html", "<?xml", "<head", "<body")) or "<html" in head:
        raise ParseError("html_instead_of_data", f"{name} is a web page")
    table = _read_json(text, name) if head.startswith(("[", "{")) else _read_csv(text, name)
    return _non_empty(Delivery((table,), names, notes), name)


def _non_empty(delivery: Delivery, name: str) -> Delivery:
    if not sum(t.total_rows for t in delivery.tables):
        raise ParseError("no_rows", f"{name} has a header and no row", state=PayloadState.EMPTY)
    return delivery


def _decode(content: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    """UTF-8, or Windows-1252 with a note; anything with control bytes (UTF-16, binary) is a wrong encoding."""
    notes: tuple[str, ...] = ()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
        notes = ("encoding:cp1252",)
    if content[:2] in {b"\xff\xfe", b"\xfe\xff"} or "\x00" in text or _MARK in text or "\ufffd" in text:
        raise ParseError("wrong_encoding", f"{name} is neither UTF-8 nor Windows-1252 text")
    return text, notes


def _members(content: bytes, name: str) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError) as error:
        raise ParseError("truncated_archive", f"{name}: {error}") from error
    if sum(m.file_size for m in members) > MAX_UNPACKED_BYTES:
        raise ParseError("too_large", f"{name} unpacks to more than {MAX_UNPACKED_BYTES} bytes")
    return members


def _unpack_one(content: bytes, members: Sequence[zipfile.ZipInfo], name: str) -> tuple[bytes, str]:
    """The one data file of an archive and its name."""
    files = [m for m in members if m.filename.lower().endswith((".txt", ".csv", ".json"))]
    if len(files) != 1:
        listed = ", ".join(m.filename for m in members)[:200]
        raise ParseError("archive_members", f"{name} holds {len(files)} data files, not one: {listed}")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(files[0]) as file:
            # A declared size may lie; the read itself is bounded too.
            unpacked = file.read(MAX_UNPACKED_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, NotImplementedError) as error:
        raise ParseError("truncated_archive", f"{name}: {error}") from error
    if len(unpacked) > MAX_UNPACKED_BYTES:
        raise ParseError("too_large", f"{name} unpacks to more than {MAX_UNPACKED_BYTES} bytes")
    return unpacked, files[0].filename


def _frame(header: Sequence[str], rows: Sequence[tuple[int, str, Sequence[str | None]]]) -> pl.DataFrame:
    columns = list(zip(*(cells for _, _, cells in rows), strict=True)) if rows else [()] * len(header)
    data = {"source_row": [n for n, _, _ in rows], "raw": [raw for _, raw, _ in rows]}
    schema: dict[str, pl.DataType] = {"source_row": pl.Int64(), "raw": pl.String()}
    schema |= {f"f{i}": pl.String() for i in range(len(header))}
    return pl.DataFrame(data | {f"f{i}": list(column) for i, column in enumerate(columns)}, schema=schema)


def _fields_of(line: str) -> list[str] | None:
    """One line by the standard library's reader; None where its quotes do not balance."""
    if line.count('"') % 2:
        return None
    try:
        return next(csv.reader([line], skipinitialspace=True), None)
    except csv.Error:
        return None


def _read_csv(text: str, name: str) -> Table:
    """Comma-separated text; a physical line is a row, since no CFTC field spans lines."""
    ended = text.endswith(("\n", "\r"))
    split = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines = [line for line in split if line.strip()]
    header = _fields_of(lines[0])
    if not header:
        raise ParseError("unreadable", f"the first line of {name} is no header: {lines[0][:80]!r}")
    raw = pl.DataFrame({"raw": pl.Series(lines[1:], dtype=pl.String)}).with_row_index("source_row")
    bare = pl.col("raw").str.replace_all(_QUOTED, _MARK)
    regular = (
        (bare.str.count_matches(",", literal=True) + 1 == len(header))
        & ~bare.str.contains('"', literal=True)
        & ~bare.str.contains(rf"[^,]{_MARK}|{_MARK}[^,]")
    )
    raw = raw.with_columns(regular.alias("regular"), pl.col("source_row").cast(pl.Int64))
    good = raw.filter("regular").drop("regular")
    cells = _split(good, len(header), name)
    others: list[tuple[int, str, Sequence[str | None]]] = []
    malformed: list[Malformed] = []
    for number, line in raw.filter(~pl.col("regular")).select("source_row", "raw").iter_rows():
        fields = _fields_of(line)
        if fields is not None and len(fields) == len(header):
            others.append((number, line, fields))
        else:
            found = "unbalanced quotes" if fields is None else f"{len(fields)} fields"
            malformed.append(Malformed(number, f"{found}, the header has {len(header)}", line))
    if malformed and not ended and malformed[-1].source_row == raw.height - 1:
        raise ParseError("truncated", f"{name} breaks off in row {raw.height}: {malformed[-1].detail}")
    if others:
        cells = pl.concat([cells, _frame(header, others)]).sort("source_row")
    return Table(tuple(header), cells, tuple(malformed), raw.height)


def _split(lines: pl.DataFrame, width: int, name: str) -> pl.DataFrame:
    """Fields of lines that are known to be regular CSV of that width."""
    schema = {f"f{i}": pl.String() for i in range(width)}
    if not lines.height:
        return lines.with_columns(pl.lit(None, pl.String).alias(c) for c in schema)
    block = "\n".join(lines["raw"].to_list()).encode()
    try:
        cells = pl.read_csv(io.BytesIO(block), has_header=False, schema=schema, quote_char='"')
    except pl.exceptions.PolarsError as error:
        raise ParseError("unreadable", f"{name}: {error}") from error
    if cells.height != lines.height:
        raise ParseError("unreadable", f"{name}: {lines.height} lines gave {cells.height} rows")
    return lines.hstack(cells)


def _read_json(text: str, name: str) -> Table:
    """The site's JSON: a list of objects that leave out what is null."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ParseError("truncated", f"{name} is no complete JSON: {error}") from error
    if isinstance(data, dict):
        raise ParseError("vendor_error", f"{name}: {str(data)[:200]}")
    keys: dict[str, None] = {}
    for item in data:
        if isinstance(item, dict):
            keys.update(dict.fromkeys(item))
    header = tuple(keys)
    rows: list[tuple[int, str, Sequence[str | None]]] = []
    malformed: list[Malformed] = []
    for number, item in enumerate(data):
        if not isinstance(item, dict) or any(isinstance(v, list | dict) for v in item.values()):
            malformed.append(Malformed(number, "not a flat object", json.dumps(item)[:2000]))
            continue
        cells = [None if (v := item.get(key)) is None else str(v) for key in header]
        rows.append((number, json.dumps(item), cells))
    return Table(header, _frame(header, rows), tuple(malformed), len(data))


def _read_workbook(content: bytes, name: str) -> list[Table]:
    """Every sheet of an xlsx export, the first row of each its header."""
    import fastexcel  # noqa: PLC0415  only these exports need it

    tables = []
    try:
        book = fastexcel.read_excel(content)
        for sheet in book.sheet_names:
            cells = book.load_sheet(sheet, header_row=None, dtypes="string").to_polars()
            if cells.height:
                tables.append(_sheet(cells))
    except (fastexcel.FastExcelError, pl.exceptions.PolarsError, ValueError, OSError) as error:
        raise ParseError("unreadable", f"{name}: {error}") from error
    except BaseException as error:
        # The reader is Rust; a panic there surfaces outside of Exception.
        if type(error).__name__ == "PanicException":
            raise ParseError("unreadable", f"{name}: {error}") from error
        raise
    return tables


def _sheet(cells: pl.DataFrame) -> Table:
    header = tuple(str(cell or "") for cell in cells.row(0))
    body = cells[1:].filter(~pl.all_horizontal(pl.all().is_null()))
    body.columns = [f"f{i}" for i in range(len(header))]
    body = body.with_columns(pl.all().cast(pl.String))
    raw = body.select(pl.concat_str(pl.all().fill_null(""), separator=",").alias("raw"))["raw"]
    number = pl.Series("source_row", range(body.height), dtype=pl.Int64)
    return Table(header, body.select(number, raw, pl.all()), (), body.height)
