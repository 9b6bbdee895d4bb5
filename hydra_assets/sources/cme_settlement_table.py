"""The CME clearing settlement CSV as text: its 29 columns, and the way from bytes to string cells and back.

One row per contract, every cell quoted, no quotes or line breaks inside cells. Cells used here: ``BizDt`` the
business date; ``Sym`` the Globex symbol and ``ID`` the clearing code; ``SecTyp`` FUT or OOF (option on a future,
FIXML codes); ``MMY`` the contract month, with a day where the contract is a daily or weekly one; ``PutCall`` 0 put,
1 call (FIX tag 201); ``PrevDayVol`` and ``PrevDayOI`` the *previous* business day's volume and open interest.
"""

import csv
import io
import zipfile
import zlib
from dataclasses import dataclass

import polars as pl

from hydra_assets.sources.base import Disposition, ParseError, PayloadState, rejects_frame

_HEADER = (
    "BizDt,Sym,ID,StrkPx,SecTyp,MMY,MatDt,PutCall,Exch,Desc,LastTrdDt,BidPrice,OpeningPrice,SettlePrice,SettleDelta,"
    "HighLimit,LowLimit,DHighPrice,DLowPrice,HighBid,LowBid,PrevDayVol,PrevDayOI,FixingPrice,UndlyExch,UndlyID,"
    "UndlySecTyp,UndlyMMY,BankBusDay"
)
COLUMNS = _HEADER.split(",")
"""The layout, in order."""
REQUIRED = ("BizDt", "Sym", "SecTyp", "MMY", "StrkPx", "PutCall", "LastTrdDt", "SettlePrice", "PrevDayVol", "PrevDayOI")
"""Columns without which the file means nothing; any other may be missing and is noted."""
MAX_BYTES = 1 << 29
"""Largest file that is unpacked: a real day of all CME products is below 100 MB."""


@dataclass(frozen=True, slots=True)
class SettlementTable:
    """``cells``: ``[n]`` rows of strings, one column per known name, with ``source_row`` and ``raw``."""

    cells: pl.DataFrame
    rejects: pl.DataFrame
    total_rows: int
    notes: tuple[str, ...]


def read_table(content: bytes) -> SettlementTable:
    """Cells of a settlement file, plain or as the single member of a zip; a ragged line becomes a reject.

    Raises
    ------
    ParseError
        The bytes are no such table: zero length, HTML, broken zip, another encoding, a required column missing.
    """
    text = _text(_unzipped(content))
    lines = text.split("\n")
    header = _header(lines[0])
    known = set(COLUMNS)
    notes = [f"new_column:{name}" for name in header if name not in known]
    notes += [f"missing_column:{name}" for name in COLUMNS if name not in header]
    rows = (
        pl.DataFrame({"raw": pl.Series(lines[1:], dtype=pl.String)})
        .with_columns(pl.col("raw").str.strip_chars_end("\r"))
        .filter(pl.col("raw") != "")
        .with_row_index("source_row")
        .with_columns(pl.col("source_row").cast(pl.Int64))
    )
    field = r'(?:"[^"]*"|[^",]*)'
    regular = pl.col("raw").str.contains(rf"^(?:{field},){{{len(header) - 1}}}{field}$")
    cells = [_cells(rows.filter(regular), header)]
    ragged: list[tuple[int, Disposition, str, str, str]] = []
    for source_row, raw in rows.filter(~regular).iter_rows():
        values = _csv_line(raw)
        if values is not None and len(values) == len(header):
            row = dict(zip(header, values, strict=True))
            cells.append(pl.DataFrame({"source_row": [source_row], "raw": [raw], **{n: [v] for n, v in row.items()}}))
        else:
            detail = f"{0 if values is None else len(values)} cells where the header has {len(header)}"
            ragged.append((source_row, Disposition.QUARANTINED, "ragged_row", detail, raw))
    missing = [pl.lit("").alias(name) for name in COLUMNS if name not in header]
    frame = pl.concat(cells).sort("source_row").with_columns(missing).select("source_row", "raw", *COLUMNS)
    return SettlementTable(frame, rejects_frame(ragged), rows.height, tuple(notes))


def write_table(cells: pl.DataFrame) -> bytes:
    """Bytes of a settlement file from string cells, ``[n]`` rows with any of the 29 columns; the others are empty."""
    absent = [pl.lit("").alias(name) for name in COLUMNS if name not in cells.columns]
    body = cells.with_columns(absent).select(pl.col(name).cast(pl.String).fill_null("") for name in COLUMNS)
    return (",".join(COLUMNS) + "\n" + body.write_csv(include_header=False, quote_style="always")).encode()


def _cells(rows: pl.DataFrame, header: list[str]) -> pl.DataFrame:
    schema = dict.fromkeys(header, pl.String())
    if rows.is_empty():
        return pl.DataFrame(schema={"source_row": pl.Int64(), "raw": pl.String(), **schema})
    body = "\n".join(rows["raw"].to_list()).encode()
    try:
        parsed = pl.read_csv(body, has_header=False, new_columns=header, infer_schema=False).fill_null("")
    except pl.exceptions.PolarsError as error:
        raise ParseError("unreadable_csv", str(error)) from error
    if parsed.shape != (rows.height, len(header)):
        detail = f"{parsed.height} rows of {parsed.width} cells where {rows.height} of {len(header)} were expected"
        raise ParseError("unreadable_csv", detail)
    return pl.concat([rows, parsed], how="horizontal")


def _header(line: str) -> list[str]:
    names = _csv_line(line.rstrip("\r")) or []
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise ParseError("missing_column", f"no {', '.join(missing)} in the header {line[:200]!r}")
    if len(set(names)) != len(names) or {"source_row", "raw"} & set(names):
        raise ParseError("duplicate_column", f"a column name stands twice in {line[:200]!r}")
    return names


def _csv_line(line: str) -> list[str] | None:
    try:
        return next(csv.reader([line], strict=True), None)
    except csv.Error:
        return None


def _text(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParseError("wrong_encoding", f"not UTF-8: {error}") from error
    text = text.lstrip()
    if not text:
        raise ParseError("zero_length", "the file is empty", state=PayloadState.EMPTY)
    if text.startswith("<"):
        raise ParseError("html_instead_of_csv", f"the file begins with {text[:40]!r}")
    return text


def _unzipped(content: bytes) -> bytes:
    if not content.startswith(b"PK"):
        return content
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [m for m in archive.infolist() if not m.is_dir()]
            if len(members) != 1 or members[0].file_size > MAX_BYTES:
                raise ParseError("unexpected_zip", "not one member of a plausible size")
            with archive.open(members[0]) as member:
                # The declared size is the archive's own claim: read no more than the bound.
                data = member.read(MAX_BYTES + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError) as error:
        raise ParseError("broken_zip", str(error)) from error
    if len(data) > MAX_BYTES:
        raise ParseError("unexpected_zip", "larger than it says")
    return data
