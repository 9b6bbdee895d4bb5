"""Files of a LEAN folder: bundled into one payload, opened again, and told apart by their names."""

import io
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from hydra_assets.markets.contracts import STRIKE_DECIMALS
from hydra_assets.sources.base import Dataset, ParseError
from hydra_assets.sources.csv_maps import LeanMap

MAX_BYTES = 256 * 2**20
MAX_MEMBERS = 100_000
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)
_KIND = "(?P<kind>quote|trade|openinterest)"
_STYLE = "(?:american|european)_(?P<right>call|put)_(?P<strike>[0-9]{1,12})"
_FUTURE = re.compile(rf"^(?P<root>[a-z0-9]+)_{_KIND}_[0-9]{{6}}_(?P<expiry>[0-9]{{8}})\.csv$")
_OPTION = re.compile(rf"^(?P<root>[a-z0-9]+)_{_KIND}_{_STYLE}_(?P<expiry>[0-9]{{8}})\.csv$")
_INTRADAY = re.compile(r"^[0-9]{8}_(?P<root>[a-z0-9]+)_(?:tick|second|minute|hour)_.*\.csv$")
_UNIVERSE = re.compile(r"^[0-9]{8}\.csv$")


@dataclass(frozen=True, slots=True)
class Member:
    """One file of the bundle: what its name says and its lines."""

    name: str
    lines: list[str]
    reason: str | None
    kind: str = ""
    right: str | None = None
    strike: float | None = None
    expiry: date | None = None


def bundle(files: Sequence[tuple[str, bytes]]) -> bytes:
    """One stored zip of a folder's files, the same bytes for the same files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
    return out.getvalue()


def texts_of(content: bytes) -> Iterator[tuple[str, str]]:
    """Names and texts of all files of an archive, archives in it opened too."""
    budget = [MAX_BYTES]
    for name, data in _members(content, budget):
        if name.endswith(".zip"):
            inner = [(f"{name}/{member}", text) for member, text in _members(data, budget)]
        else:
            inner = [(name, data)]
        for path, raw in inner:
            try:
                yield path, raw.decode("utf-8-sig")
            except UnicodeDecodeError as error:
                raise ParseError("wrong_encoding", f"{path} is no text: {error.reason}") from error


def _members(content: bytes, budget: list[int]) -> Iterator[tuple[str, bytes]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            budget[0] -= sum(info.file_size for info in infos)
            if budget[0] < 0 or len(infos) > MAX_MEMBERS:
                raise ParseError("too_large", "the archive unpacks to more than is read")
            for info in infos:
                yield info.filename, archive.read(info)
    except _ZIP_ERRORS as error:
        raise ParseError("bad_zip", str(error) or type(error).__name__) from error


def named(path: str, text: str, root: str, dataset: Dataset, column_map: LeanMap) -> Member:
    """What a file's name says of it: the contract's facts, or the reason why its rows are not read."""
    name = path.rsplit("/", 1)[-1]
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[-1] == "":
        lines.pop()
    if _UNIVERSE.match(name):
        # The first line is the header.
        return Member(path, lines[1:], "universe_file")
    intraday, future, option = _INTRADAY.match(name), _FUTURE.match(name), _OPTION.match(name)
    found = intraday or future or option
    reason = None
    if found is None:
        reason = "unknown_member"
    elif found["root"] != root:
        reason = "other_market"
    elif intraday is not None:
        reason = "intraday_bar"
    elif (future is not None) != (dataset is Dataset.FUTURES_BARS):
        reason = "other_dataset"
    if reason is not None or found is None:
        return Member(path, lines, reason)
    try:
        expiry = datetime.strptime(found["expiry"], "%Y%m%d").date()  # noqa: DTZ007  a date, no instant
    except ValueError:
        expiry = None
    if option is None:
        return Member(path, lines, None, found["kind"], expiry=expiry)
    strike = round(int(option["strike"]) * column_map.strike_scale, STRIKE_DECIMALS)
    return Member(path, lines, None, option["kind"], option["right"][0].upper(), strike, expiry)


def lines_of(members: list[Member]) -> pl.DataFrame:
    """All rows in order: ``source_row``, ``raw`` (member name and line), the name's facts and the split fields."""
    names = pl.DataFrame(
        {
            "member": range(len(members)),
            "name": [m.name for m in members],
            "set_aside": [m.reason for m in members],
            "kind": [m.kind for m in members],
            "right": [m.right for m in members],
            "strike": [m.strike for m in members],
            "expiry": [m.expiry for m in members],
            "line": [m.lines for m in members],
        },
        schema={
            "member": pl.Int64,
            "name": pl.String,
            "set_aside": pl.String,
            "kind": pl.String,
            "right": pl.String,
            "strike": pl.Float64,
            "expiry": pl.Date,
            "line": pl.List(pl.String),
        },
    )
    lines = names.filter(pl.col("line").list.len() > 0).explode("line")
    return lines.with_columns(
        pl.int_range(pl.len(), dtype=pl.Int64).alias("source_row"),
        pl.concat_str("name", pl.lit(": "), "line").alias("raw"),
        pl.col("line").str.strip_chars().str.split(",").alias("fields"),
    )
