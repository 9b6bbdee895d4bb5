"""Dropped files of headlines or posts: JSON lines, and CSV with any of the usual separators and column names.

The JSON-lines layout, also the one that is written here: one object a line with ``title`` (a post: ``text``) and
optionally ``publisher`` (``author``), ``url``, ``published`` (a date or an instant) and ``first_seen`` (an instant with
an offset). A post of several lines needs JSON lines: in a CSV it looks like a quote that nobody closed.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from urllib.parse import urlsplit

import polars as pl

from hydra_assets.sources.base import ParseError, PayloadState
from hydra_assets.sources.feeds_items import (
    HEADLINE,
    DateError,
    DateOrder,
    Form,
    Item,
    Items,
    Reason,
    archive_times,
    date_order,
    plain_text,
)

MAX_BYTES = 1 << 28
_SEPARATORS = ("\t", ",", ";", "|")


def write_items(rows: pl.DataFrame, form: Form) -> bytes:
    """JSON lines of ``[n]`` headlines or posts.

    Columns: the form's text, and optionally its writer, ``url``, ``published`` and ``first_seen`` instants (UTC).
    Nulls are left out by the reader.
    """
    unknown = [name for name in rows.columns if name not in form.names]
    if unknown or form.text not in rows.columns:
        msg = f"a {form.kind} needs a {form.text} and knows no column {unknown}"
        raise ValueError(msg)
    times = [name for name in ("published", "first_seen") if name in rows.columns]
    text = rows.with_columns(
        pl.col(name).dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%S%.6f+00:00") for name in times
    )
    return text.write_ndjson().encode()


def read_items(content: bytes, fetched_at: datetime, meta: Mapping[str, str], form: Form = HEADLINE) -> Items:
    """Items of a dropped file; see ``archive_times`` for when they count as known.

    ``meta`` may carry the form's writer (``publisher`` or ``author``, for rows without one), ``date_order`` (``dmy`` or
    ``mdy``, where the file's own dates do not show it) and the column name of any of the form's fields under
    ``column.<field>``.

    Raises
    ------
    ParseError
        Zero length, HTML, another encoding, no column for the text, or a file that no CSV reader can split.
    """
    if len(content) > MAX_BYTES:
        raise ParseError("too_large", f"{len(content)} bytes; the bound is {MAX_BYTES}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParseError("wrong_encoding", f"not UTF-8: {error}") from error
    if not text.strip():
        raise ParseError("zero_length", "the file is empty", state=PayloadState.EMPTY)
    if text.lstrip()[:200].lower().startswith(("<!doctype", "<html")):
        raise ParseError("html_instead_of_data", "the file is a web page")
    records = list(_json_lines(text, form) if text.lstrip().startswith("{") else _csv_rows(text, meta, form))
    dates = [fields["published"] for fields, _, _ in records if fields is not None]
    order = date_order(dates) or (DateOrder(meta["date_order"]) if meta.get("date_order") in set(DateOrder) else None)
    writer = meta.get(form.writer, "")
    return Items([_item(row, record, fetched_at, order, writer, form) for row, record in enumerate(records)])


_Record = tuple[dict[str, str] | None, str, str]
"""Fields (None where the row cannot be split), the raw text, and what is wrong with it."""


def _json_lines(text: str, form: Form) -> Iterator[_Record]:
    for line in text.split("\n"):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield None, line, f"not JSON: {error}"
            continue
        if not isinstance(entry, dict):
            yield None, line, "not a JSON object"
            continue
        lower = {str(key).lower(): value for key, value in entry.items()}
        cells = {field: _text(next((lower[n] for n in names if n in lower), "")) for field, names in form.names.items()}
        yield {**cells, form.text: " ".join(cells[form.text].split())}, line, ""


def _csv_rows(text: str, meta: Mapping[str, str], form: Form) -> Iterator[_Record]:
    head = text.lstrip("\r\n").split("\n", 1)[0]
    separator = max(_SEPARATORS, key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        header: list[str] | None = None
        where: dict[str, int] = {}
        for row in reader:
            if not row:
                continue
            if header is None:
                header = [cell.strip().lower() for cell in row]
                where = _where(header, meta, form)
                continue
            raw = separator.join(row)
            if len(row) != len(header):
                yield None, raw, f"{len(row)} cells where the header has {len(header)}"
                continue
            yield {field: row[where[field]] if field in where else "" for field in form.names}, raw, ""
    except csv.Error as error:
        raise ParseError("unreadable_csv", str(error)) from error


def _where(header: list[str], meta: Mapping[str, str], form: Form) -> dict[str, int]:
    where: dict[str, int] = {}
    for field, names in form.names.items():
        declared = meta.get(f"column.{field}")
        found = next((n for n in ((declared.lower(),) if declared else names) if n in header), None)
        if found is not None:
            where[field] = header.index(found)
    if form.text not in where:
        raise ParseError("missing_column", f"no column for the {form.text} among {', '.join(header)[:200]!r}")
    return where


def _item(row: int, record: _Record, fetched_at: datetime, order: DateOrder | None, anybody: str, form: Form) -> Item:
    fields, raw, fault = record
    if fields is None:
        reason = Reason.NOT_JSON if "JSON" in fault else Reason.RAGGED_ROW
        return Item(row, "", "", "", fetched_at, fetched_at, raw, reason, fault)
    text, url = plain_text(fields[form.text]), fields["url"].strip()
    # A site publishes headlines; it writes no post.
    writer = fields[form.writer].strip() or anybody or (_host(url) if form is HEADLINE else "")
    if not text:
        return Item(row, "", url, writer, fetched_at, fetched_at, raw, form.no_text, f"no {form.text}")
    if "\n" in fields[form.text].strip():
        # An unclosed quote swallows the rows after it: better seen by a person than taken for one item.
        detail = f"a {form.text} of several lines"
        return Item(row, text, url, writer, fetched_at, fetched_at, raw, form.several_lines, detail)
    try:
        event, known = archive_times(fields["published"], fields["first_seen"], fetched_at, order)
    except DateError as error:
        return Item(row, text, url, writer, fetched_at, fetched_at, raw, error.reason, str(error))
    return Item(row, text, url, writer, event, known, raw)


def _text(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").removeprefix("www.")
    except ValueError:
        return ""
