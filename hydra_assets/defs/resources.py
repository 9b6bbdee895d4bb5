"""Resources: the home, the lake and the database, each a thin Dagster shell around the real thing."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

import dagster as dg
import sqlalchemy as sa

from hydra_assets import clock
from hydra_assets.home import HomeConfig, home_path, read_home
from hydra_assets.lake import Lake
from hydra_assets.lake.archive import Archive
from hydra_assets.markets.loader import markets_of
from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.sessions import SessionCalendar, calendar_of
from hydra_assets.sources.base import ParseContext, Source
from hydra_assets.sources.registry import build_sources
from hydra_assets.state.db import connect
from hydra_assets.state.payloads import parsed_payloads, published_payloads, record_payloads
from hydra_assets.state.records import PayloadRecord


class HomeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The home directory: configuration, markets, calendars and sources."""

    path: str

    @cached_property
    def root(self) -> Path:
        """Home directory."""
        return Path(self.path)

    @cached_property
    def config(self) -> HomeConfig:
        """``home.yaml``."""
        return read_home(self.root)

    @cached_property
    def markets(self) -> dict[str, MarketSpec]:
        """The home's markets by symbol, in partition order."""
        return markets_of(self.config, self.root)

    @cached_property
    def calendars(self) -> dict[str, SessionCalendar]:
        """Session calendar of each market."""
        return {symbol: calendar_of(spec) for symbol, spec in self.markets.items()}

    @cached_property
    def sources(self) -> dict[str, Source]:
        """Source objects by name."""
        return build_sources(self.root, self.config, self.markets)

    @property
    def parse_context(self) -> ParseContext:
        """What parsers may know."""
        return ParseContext(self.markets, self.calendars)

    @property
    def archive(self) -> Archive:
        """The payload archive."""
        return Archive(self.root / "archive")

    def now(self) -> datetime:
        """The clock's reading."""
        return clock.now()


class LakeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The lake at a directory or object-store URI."""

    uri: str

    @cached_property
    def lake(self) -> Lake:
        """Open the lake."""
        return Lake(self.uri)


class DatabaseResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The state database."""

    url: str

    @cached_property
    def engine(self) -> sa.Engine:
        """SQLAlchemy engine on the state database."""
        return connect(self.url)


@dataclass(frozen=True, slots=True)
class DatabaseLedger:
    """``PayloadLedger`` on the state database."""

    engine: sa.Engine

    def parsed(self, dataset: str, context: str) -> Mapping[str, datetime | None]:
        """Payloads parsed in this context."""
        return parsed_payloads(self.engine, dataset, context)

    def published(self, dataset: str) -> Mapping[str, datetime]:
        """Since when payloads parsed in any context were public."""
        return published_payloads(self.engine, dataset)

    def record(self, deliveries: Sequence[PayloadRecord]) -> None:
        """Add deliveries in one transaction."""
        record_payloads(self.engine, deliveries)


def default_resources() -> dict[str, object]:
    """Resources of the home that the environment names."""
    home = home_path()
    return {
        "home": HomeResource(path=str(home)),
        "lake": LakeResource(uri=os.environ.get("HYDRA_LAKE_URI") or str(home / "lake")),
        "database": DatabaseResource(url=os.environ.get("HYDRA_POSTGRES_URL", "")),
    }
