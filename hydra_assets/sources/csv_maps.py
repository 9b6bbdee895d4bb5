"""Column maps: how a vendor's table says what our columns say. Configuration, one YAML file each, strictly typed.

Packaged maps live in ``sources/maps``; a home's ``maps/*.yaml`` add to them or override them. A new layout is a
new file here, not code.
"""

from enum import StrEnum
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from hydra_assets.markets.model import Strict
from hydra_assets.sources.base import Dataset
from hydra_assets.sources.csv_intraday_map import IntradayMap
from hydra_assets.sources.csv_layout import Layout

BarPrice = Literal["open", "high", "low", "close", "settle", "bid", "ask", "bid_size", "ask_size"]
ChainPrice = Literal["bid", "ask", "bid_size", "ask_size", "close", "settle"]
Activity = Literal["volume", "open_interest"]
Right = Literal["C", "P"]


def _plain_rights() -> dict[str, Right]:
    return {"C": "C", "P": "P"}


class MapError(Exception):
    """A column map that cannot be used; the message names the file and the key."""


class When(Strict):
    """The column, or the part of the file's name, that dates a row."""

    column: str | None = None
    formats: tuple[str, ...] = ("%Y-%m-%d",)
    file_name: str | None = None
    """Regular expression with one group: the date (first format) stands in the file's name."""
    daily_at: str | None = None
    """Time of day (HH:MM:SS) of the daily close among intraday rows; needs a format with a time."""
    instant: bool = False
    """The column is the UTC instant of a snapshot: it is event_time, its date event_session."""

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.column is None) == (self.file_name is None):
            msg = "exactly one of column and file_name dates the rows"
            raise ValueError(msg)
        return self


class Evidence(Strict):
    """A column that says when the vendor itself last wrote the row; known_at is not earlier."""

    column: str
    format: str = "%Y-%m-%d %H:%M:%S"
    timezone: str


class Known(Strict):
    """When a row could first have been known.

    ``settlement``: prices at settlement publication, activity one session later. ``instant``: all of it at the
    snapshot plus ``transport_minutes``.
    """

    rule: Literal["settlement", "instant"] = "settlement"
    transport_minutes: Annotated[int, Field(ge=0)] = 0
    evidence: Evidence | None = None


class Leg(Strict):
    """One contract of a row of prices: its column and those of its values."""

    contract: str
    prices: dict[BarPrice, str] = Field(default_factory=dict)
    activity: dict[Activity, str] = Field(default_factory=dict)


class UnderlyingMeaning(StrEnum):
    """What a vendor's underlying price is."""

    FORWARD = "forward"
    """The forward of the option's own expiry."""
    INDEX = "index"
    """The spot index: converts coin to currency, and is not stored as an underlying price."""
    FUTURE = "future"
    """The future the option is exercised into."""


class UnderlyingColumn(Strict):
    """The vendor's underlying price."""

    column: str
    meaning: UnderlyingMeaning
    evidence: Evidence | None = None
    """When the vendor wrote the underlying price. One price written at one time for three contract months or more
    is a vendor's filler, not their settlement: it is dropped from options and quarantined as a bar."""


class VendorIv(Strict):
    """The vendor's implied volatility."""

    column: str
    unit: Literal["percent", "fraction"]


class BarsMap(Strict):
    """A table of futures bars: each row holds one contract or several."""

    name: str
    kind: Literal["bars"]
    description: str
    layout: Layout = Layout()
    when: When
    known: Known = Known()
    legs: tuple[Leg, ...] = Field(min_length=1)
    """In order of trust: of two legs that name one contract with one value the first stays."""
    contract_roots: Literal["checked", "any"] = "any"
    """``checked``: a contract of another root than the market's (or the binding's ``root``) is another market's."""
    price_scale: Annotated[float, Field(gt=0)] = 1.0
    zero_is_missing: tuple[BarPrice | Activity, ...] = ()
    zero_until_published: tuple[Activity, ...] = ()
    """Zeros on a contract's newest days, after a positive value: not published yet, so missing."""
    negative_prices: bool = False

    @property
    def columns(self) -> list[str]:
        """Columns that must be there."""
        named = [c for leg in self.legs for c in (leg.contract, *leg.prices.values(), *leg.activity.values())]
        return _present([self.when.column, *named, _column(self.known.evidence)])

    @property
    def datasets(self) -> tuple[Dataset, ...]:
        """What the map can deliver."""
        return (Dataset.FUTURES_BARS,)


class ChainMap(Strict):
    """A table of option quotes or settlements: each row holds one option."""

    name: str
    kind: Literal["chain"]
    description: str
    layout: Layout = Layout()
    when: When
    known: Known = Known()
    market: str | None = None
    """Column with the vendor's market name, compared with the market's root or the binding's ``root``."""
    option_root_suffix: str = ""
    """Added to the option root where several exchanges list the market, so that their keys cannot meet."""
    expiry: str
    expiry_formats: tuple[str, ...] = ("%Y-%m-%d",)
    expiry_is: Literal["date", "contract_month"] = "date"
    """``contract_month``: the expiry is the market's own rule for that option month."""
    strike: str
    strike_scale: Annotated[float, Field(gt=0)] = 1.0
    right: str
    right_names: dict[str, Right] = Field(default_factory=_plain_rights)
    prices: dict[ChainPrice, str]
    activity: dict[Activity, str] = Field(default_factory=dict)
    price_in_coin: bool = False
    underlying: UnderlyingColumn | None = None
    vendor_iv: VendorIv | None = None
    synthetic: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Column and texts that mark a row the vendor made up: set aside."""
    zero_is_missing: tuple[ChainPrice, ...] = ()

    @model_validator(mode="after")
    def _coin_needs_a_rate(self) -> Self:
        if self.price_in_coin and self.underlying is None:
            msg = "price_in_coin needs underlying, the rate of conversion"
            raise ValueError(msg)
        return self

    @property
    def columns(self) -> list[str]:
        """Columns that must be there."""
        named = [self.when.column, self.market, self.expiry, self.strike, self.right, *self.prices.values()]
        named += [*self.activity.values(), *self.synthetic, _column(self.known.evidence), _column(self.vendor_iv)]
        if self.underlying is not None:
            named += [self.underlying.column, _column(self.underlying.evidence)]
        return _present(named)

    @property
    def datasets(self) -> tuple[Dataset, ...]:
        """What the map can deliver: bars too where the underlying price is a future's or a forward's."""
        if self.underlying is None or self.underlying.meaning is UnderlyingMeaning.INDEX:
            return (Dataset.OPTION_CHAINS,)
        return (Dataset.FUTURES_BARS, Dataset.OPTION_CHAINS)


class LeanMap(Strict):
    """The folder layout of LEAN (QuantConnect): zipped files per contract, everything else in their names."""

    name: str
    kind: Literal["lean"]
    description: str
    strike_scale: Annotated[float, Field(gt=0)] = 1e-4
    partial_session_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """A newest session with less than this share of the previous one's option quotes is an unfinished delivery."""

    @property
    def datasets(self) -> tuple[Dataset, ...]:
        """What the map can deliver."""
        return (Dataset.FUTURES_BARS, Dataset.OPTION_CHAINS)


ColumnMap = BarsMap | ChainMap | LeanMap | IntradayMap
_KINDS: dict[str, type[BarsMap] | type[ChainMap] | type[LeanMap] | type[IntradayMap]] = {
    "bars": BarsMap,
    "chain": ChainMap,
    "lean": LeanMap,
    "intraday": IntradayMap,
}


def load_maps(extra_dir: Path | None = None) -> dict[str, ColumnMap]:
    """All known maps by name; a file of ``extra_dir`` (a home's ``maps/``) overrides a packaged one of its name."""
    maps = _read_all(resources.files("hydra_assets.sources") / "maps")
    if extra_dir is not None and extra_dir.is_dir():
        maps |= _read_all(extra_dir)
    return maps


def read_map(file: Traversable) -> ColumnMap:
    """Read one map; MapError naming the file and the key where it is wrong."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        msg = f"{file.name}: {error}"
        raise MapError(msg) from error
    kind = content.get("kind") if isinstance(content, dict) else None
    if kind not in _KINDS:
        msg = f"{file.name}: kind: one of {', '.join(_KINDS)} is needed, not {kind!r}"
        raise MapError(msg)
    try:
        return _KINDS[kind].model_validate(content)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'map'}: {e['msg']}" for e in error.errors())
        msg = f"{file.name}: {wrong}"
        raise MapError(msg) from error


def _read_all(folder: Traversable) -> dict[str, ColumnMap]:
    found: dict[str, ColumnMap] = {}
    for file in sorted((f for f in folder.iterdir() if f.name.endswith((".yaml", ".yml"))), key=lambda f: f.name):
        column_map = read_map(file)
        if column_map.name in found:
            msg = f"{file.name}: name: a map {column_map.name!r} stands in another file already"
            raise MapError(msg)
        found[column_map.name] = column_map
    return found


def _column(part: Evidence | VendorIv | None) -> str | None:
    return part.column if part is not None else None


def _present(columns: list[str | None]) -> list[str]:
    return list(dict.fromkeys(c for c in columns if c))
