"""From bytes to a table of texts: every line becomes a row of the table or a reject, and nothing is guessed."""

import csv
import io
import zlib
from dataclasses import dataclass

import polars as pl

from hydra_assets.sources.base import REJECT_SCHEMA, Disposition, ParseError, PayloadState
from hydra_assets.sources.csv_layout import Layout

MAX_BYTES = 512 * 2**20
"""Largest text that is read; a daily file of any vendor is far below."""
_SEPARATORS = {",": ",", ";": ";", "tab": "\t", "tabs": "\t"}


@dataclass(frozen=True, slots=True)
class TextTable:
    """``frame``: columns by header name as texts (missing texts are null), plus ``source_row`` and ``raw``."""

    frame: pl.DataFrame
    rejects: pl.DataFrame
    total_rows: int
    notes: tuple[str, ...]


def read_table(content: bytes, layout: Layout, needed: list[str]) -> TextTable:
    """Split a delimited text with one header row.

    Rejects ``ragged_row`` and ``cut_off_row`` (quarantined), ``blank_line`` and ``subtotal`` (set aside). ParseError
    ``zero_length``, ``bad_gzip``, ``too_large``, ``html``, ``binary``, ``wrong_encoding``, ``missing_column``,
    ``duplicate_column`` and ``bad_quoting``. Columns beyond the needed are notes ``new_column:NAME``.
    """
    text = decode(content, layout.encoding)
    lines = text.replace("\r\n", "\n").split("\n")
    cut_off = layout.ends_with_newline and lines[-1] != ""
    if lines[-1] == "":
        lines.pop()
    if not lines:
        raise ParseError("zero_length", "the payload holds no line", state=PayloadState.EMPTY)
    if layout.separator == "tabs":
        lines = [line.rstrip("\t") for line in lines]
    separator = _SEPARATORS[layout.separator]
    header, rows = _split(lines, separator, collapse=layout.separator == "tabs")
    names = [name.strip() for name in header]
    lost = [name for name in needed if name not in names]
    if lost:
        detail = f"no column {', '.join(map(repr, lost))}; the header has {', '.join(names)[:300]}"
        raise ParseError("missing_column", detail)
    twice = sorted({name for name in needed if names.count(name) > 1})
    if twice:
        raise ParseError("duplicate_column", f"{', '.join(twice)} stands in the header more than once")
    last = rows.height - 1
    state = rows.select(
        "source_row",
        "raw",
        pl.coalesce(
            _reason(pl.lit(cut_off) & (pl.col("source_row") == last), "cut_off_row"),
            _reason(pl.col("raw").str.strip_chars() == "", "blank_line"),
            _reason(_subtotal(layout.subtotal), "subtotal"),
            _reason(pl.col("fields").list.len() != len(names), "ragged_row"),
        ).alias("reason"),
    )
    detail = f"the header has {len(names)} fields"
    rejects = reject_rows(state.filter(pl.col("reason").is_not_null()), detail, aside={"blank_line", "subtotal"})
    good = rows.filter(state["reason"].is_null())
    wanted = [(names.index(name), name) for name in needed]
    frame = good.select(
        "source_row",
        "raw",
        *[_text(pl.col("fields").list.get(i), layout.missing).alias(name) for i, name in wanted],
    )
    notes = tuple(f"new_column:{name}" for name in names if name not in needed and name not in layout.ignored)
    return TextTable(frame, rejects, rows.height, notes)


def decode(content: bytes, encoding: str) -> str:
    """Text of a payload, unpacked where it is gzip; ParseError where it is no text."""
    if not content:
        raise ParseError("zero_length", "the payload holds no byte", state=PayloadState.EMPTY)
    if content[:2] == b"\x1f\x8b":
        content = _gunzip(content)
    if len(content) > MAX_BYTES:
        raise ParseError("too_large", f"{len(content)} bytes")
    if content.lstrip()[:1] == b"<":
        raise ParseError("html", "markup where a table was expected")
    if b"\x00" in content:
        raise ParseError("binary", "NUL bytes where a text was expected")
    try:
        return content.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeDecodeError as error:
        raise ParseError("wrong_encoding", f"not {encoding}: {error.reason} at byte {error.start}") from error


def reject_rows(frame: pl.DataFrame, detail: str, aside: set[str]) -> pl.DataFrame:
    """Rejects from ``source_row``, ``reason`` and ``raw``: set aside for the reasons named, else quarantined."""
    disposition = (
        pl.when(pl.col("reason").is_in(list(aside)))
        .then(pl.lit(str(Disposition.SET_ASIDE)))
        .otherwise(pl.lit(str(Disposition.QUARANTINED)))
    )
    if "detail" not in frame.columns:
        frame = frame.with_columns(pl.lit(detail).alias("detail"))
    return frame.with_columns(disposition.alias("disposition")).select(
        pl.col(name).cast(dtype) for name, dtype in REJECT_SCHEMA.items()
    )


def _gunzip(content: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        out = unpacker.decompress(content, MAX_BYTES + 1)
    except zlib.error as error:
        raise ParseError("bad_gzip", str(error)) from error
    if len(out) > MAX_BYTES:
        raise ParseError("too_large", f"more than {MAX_BYTES} bytes unpacked")
    if not unpacker.eof:
        raise ParseError("bad_gzip", "the archive is cut off")
    return out


def _split(lines: list[str], separator: str, *, collapse: bool) -> tuple[list[str], pl.DataFrame]:
    if any('"' in line for line in lines):
        return _split_quoted(lines, separator)
    column = pl.col("raw")
    if collapse:
        column = column.str.replace_all("\t+", "\t")
    frame = pl.DataFrame({"raw": lines[1:]}, schema={"raw": pl.String}).with_columns(
        pl.int_range(pl.len(), dtype=pl.Int64).alias("source_row"), column.str.split(separator).alias("fields")
    )
    header = "\t".join(part for part in lines[0].split("\t") if part) if collapse else lines[0]
    return header.split(separator), frame


def _split_quoted(lines: list[str], separator: str) -> tuple[list[str], pl.DataFrame]:
    try:
        records = list(csv.reader(io.StringIO("\n".join(lines), newline=""), delimiter=separator, strict=True))
    except csv.Error as error:
        raise ParseError("bad_quoting", str(error)) from error
    body = records[1:]
    frame = pl.DataFrame(
        {"raw": [separator.join(fields) for fields in body], "fields": body},
        schema={"raw": pl.String, "fields": pl.List(pl.String)},
    ).with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias("source_row"))
    return records[0], frame


def _text(field: pl.Expr, missing: tuple[str, ...]) -> pl.Expr:
    stripped = field.str.strip_chars()
    return pl.when(~stripped.is_in(list(missing))).then(stripped)


def _subtotal(pattern: str | None) -> pl.Expr:
    return pl.col("fields").list.first().str.contains(pattern) if pattern is not None else pl.lit(False)


def _reason(condition: pl.Expr, reason: str) -> pl.Expr:
    return pl.when(condition).then(pl.lit(reason))
