"""How TWS writes a value as text, and which values stand for "none"."""

from datetime import datetime
from zoneinfo import ZoneInfo

Value = str | int | float | bool | None

UNSET_DOUBLE = "1.7976931348623157E308"
"""A price or amount that is not there; a client reads it as ``sys.float_info.max``."""


def text(value: Value) -> str:
    """One field. Flags are 1 and 0, whole numbers carry no point, nothing is the empty string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return str(value)


def number(field: str) -> float | None:
    """A price or amount out of a request; None where the client left it unset."""
    return float(field) if field else None


def whole(field: str) -> int:
    """A whole number out of a request; an empty field is zero."""
    return int(float(field)) if field else 0


def flag(field: str) -> bool:
    """A flag out of a request; clients write 1, True or nothing."""
    return field in {"1", "True", "true"}


def stamp(moment: datetime, zone: str) -> str:
    """``yyyymmdd hh:mm:ss zone``, as executions and intraday bars carry it."""
    return f"{moment.astimezone(ZoneInfo(zone)):%Y%m%d %H:%M:%S} {zone}"
