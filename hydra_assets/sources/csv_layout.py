"""How bytes of a delimited text become a table of texts: part of every column map."""

from typing import Literal

from hydra_assets.markets.model import Strict


class Layout(Strict):
    """How bytes become a table of texts. Gzip is recognised by its first bytes."""

    separator: Literal[",", ";", "tab", "tabs"] = ","
    """``tabs``: any run of tabs is one separator."""
    encoding: Literal["utf-8", "latin-1"] = "utf-8"
    missing: tuple[str, ...] = ("",)
    """Texts that mean no value."""
    thousands: str = ""
    """Separator inside numbers."""
    subtotal: str | None = None
    """Regular expression; a row whose first field matches is a subtotal line."""
    ignored: tuple[str, ...] = ()
    """Columns of the vendor that are known and not read; any further one is reported as new."""
    ends_with_newline: bool = False
    """The vendor ends each line: a last line without its end was cut off and is quarantined."""
