"""What is archived of a conversation with the terminal: everything that was answered, as canonical JSON. Pure."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any

from hydra_assets.sources.base import ParseError

BARS_FORMAT = "hydra.ib.bars.1"
CHAIN_FORMAT = "hydra.ib.chain.1"
BAR_FIELDS = ("con_id", "date", "open", "high", "low", "close", "volume", "average", "count")
QUOTE_FIELDS = (
    "con_id",
    "taken_at",
    "bid",
    "ask",
    "bid_size",
    "ask_size",
    "last",
    "last_size",
    "close",
    "volume",
    "data_type",
)
_LARGEST = 1e300
"""The API writes the largest double where it has no value."""


def plain(value: Any) -> Any:
    """A record of the client's as plain data: what is not there is null, empty fields of records are left out."""
    if is_dataclass(value) and not isinstance(value, type):
        pairs = ((f.name, plain(getattr(value, f.name))) for f in fields(value))
        return {name: item for name, item in pairs if item not in (None, "", [], {})}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) and abs(value) < _LARGEST else None
    return value if isinstance(value, str | int | bool) or value is None else str(value)


def written(document: Mapping[str, Any]) -> bytes:
    """The document's bytes: the same document always has the same ones."""
    text = json.dumps(plain(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return f"{text}\n".encode()


def read(content: bytes, expected: str) -> dict[str, Any]:
    """A document of a format; ParseError where the bytes are something else."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ParseError("not_json", str(error)) from None
    if not isinstance(document, dict) or document.get("format") != expected:
        found = document.get("format") if isinstance(document, dict) else type(document).__name__
        raise ParseError("unknown_format", f"{expected} is expected, this is {found}")
    return document


def instant(text: Any) -> datetime | None:
    """An instant as it is written here, in UTC; None where it is none."""
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return found.astimezone(UTC) if found.tzinfo else None


def table(document: Mapping[str, Any], key: str, columns: int) -> list[list[Any]]:
    """Rows of a table of the document; ParseError where it is none or a row has another width."""
    rows = document.get(key)
    if not isinstance(rows, list) or any(not isinstance(row, list) or len(row) != columns for row in rows):
        raise ParseError("unknown_layout", f"{key}: rows of {columns} values are expected")
    return rows


def records(document: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """Details of contracts in the document; ParseError where one of them has no contract with a number."""
    found = document.get(key)
    if not isinstance(found, list):
        raise ParseError("unknown_layout", f"{key} is missing")
    for one in found:
        contract = one.get("contract") if isinstance(one, dict) else None
        if not isinstance(contract, dict) or not isinstance(contract.get("conId"), int):
            raise ParseError("unknown_layout", f"{key}: details without a contract's number")
    return found
