"""Column map of a table of intraday bars: each row holds one bar of one contract."""

from typing import Annotated, Literal

from pydantic import Field

from hydra_assets.markets.model import Strict
from hydra_assets.sources.base import Dataset
from hydra_assets.sources.csv_layout import Layout

BarValue = Literal["open", "high", "low", "close", "volume"]


def _own_names() -> dict[BarValue, str]:
    return {"open": "open", "high": "high", "low": "low", "close": "close", "volume": "volume"}


class IntradayKnown(Strict):
    """When a bar could first have been known, never before it was over.

    ``delivery``: when the file was had, or when its transport says that it was public; the safe rule for a file of
    which nobody knows when it was written. ``bar_end``: the bar's end plus ``transport_minutes``, of a file that
    records what a live feed said. ``settlement``: of a file that is published once a session, with its settlement.
    """

    rule: Literal["delivery", "bar_end", "settlement"] = "delivery"
    transport_minutes: Annotated[int, Field(ge=0)] = 0


class IntradayMap(Strict):
    """A table of intraday bars: each row holds one."""

    name: str
    kind: Literal["intraday"]
    description: str
    layout: Layout = Layout()
    start: str
    """Column of the instant at which a bar begins."""
    start_formats: tuple[str, ...] = Field(default=("%Y-%m-%dT%H:%M:%SZ",), min_length=1)
    timezone: str = "UTC"
    """Zone of the instants. A wall time that clocks going back make double, or going forward skip, is unreadable."""
    minutes: str | Annotated[int, Field(ge=1, le=1440)]
    """Column of a bar's length in minutes, or the length of all of them."""
    contract: str
    values: dict[BarValue, str] = Field(default_factory=_own_names, min_length=5)
    known: IntradayKnown = IntradayKnown()
    contract_roots: Literal["checked", "any"] = "any"
    """``checked``: a contract of another root than the market's (or the binding's ``root``) is another market's."""
    price_scale: Annotated[float, Field(gt=0)] = 1.0

    @property
    def columns(self) -> list[str]:
        """Columns that must be there."""
        named = [self.start, self.contract, *self.values.values()]
        return list(dict.fromkeys([*named, self.minutes] if isinstance(self.minutes, str) else named))

    @property
    def datasets(self) -> tuple[Dataset, ...]:
        """What the map can deliver."""
        return (Dataset.INTRADAY_BARS,)
