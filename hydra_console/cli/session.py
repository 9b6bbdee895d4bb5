"""What most commands begin with: the home of the environment, ready, and its parts."""

import os
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from hydra_console.bootstrap.environment import Environment, ensure

if TYPE_CHECKING:
    import sqlalchemy as sa

    from hydra_assets.home import HomeConfig
    from hydra_assets.lake import Lake
    from hydra_assets.markets.model import MarketSpec
    from hydra_assets.markets.sessions import SessionCalendar

DEFAULT_YEARS = 5


def open_home() -> Environment:
    """Make the database and environment of the home ready; HomeError where there is no home."""
    from hydra_assets.home import home_path, read_home  # noqa: PLC0415

    config = read_home(home_path())
    return _claimed(ensure(home_path()), config)


def open_or_create_home() -> tuple[Environment, bool]:
    """As open_home; where there is none, a simulated one is made. The second value says so."""
    from hydra_assets.home import home_path, read_home, write_home  # noqa: PLC0415

    path = home_path()
    created = not (path / "home.yaml").exists()
    environment = ensure(path)
    if created:
        write_home(path, default_home(path))
    return _claimed(environment, read_home(path)), created


def _claimed(environment: Environment, config: "HomeConfig") -> Environment:
    from hydra_assets.state.db import claim  # noqa: PLC0415

    engine = engine_of(environment)
    claim(engine, config.kind)
    engine.dispose()
    return environment


def default_home(path: Path) -> "HomeConfig":
    """The embedded market over the five years up to its newest finished session."""
    from hydra_assets import clock  # noqa: PLC0415
    from hydra_assets.home import DEFAULT_SIM_MARKETS, HomeConfig  # noqa: PLC0415
    from hydra_assets.markets.loader import markets_of  # noqa: PLC0415
    from hydra_assets.markets.sessions import calendar_of  # noqa: PLC0415
    from hydra_console.plan import first_open, newest_finished  # noqa: PLC0415

    draft = HomeConfig(kind="simulated", markets=DEFAULT_SIM_MARKETS, history_start=date(2000, 1, 3))
    calendars = {symbol: calendar_of(spec) for symbol, spec in markets_of(draft, path).items()}
    last = newest_finished(draft, calendars, clock.now())
    start = last.replace(year=last.year - DEFAULT_YEARS, day=min(last.day, 28)) + timedelta(days=1)
    return draft.model_copy(update={"history_start": first_open(calendars, start)})


def config_of(environment: Environment) -> "tuple[HomeConfig, dict[str, MarketSpec], dict[str, SessionCalendar]]":
    """Configuration, markets and calendars of a home."""
    from hydra_assets.home import read_home  # noqa: PLC0415
    from hydra_assets.markets.loader import markets_of  # noqa: PLC0415
    from hydra_assets.markets.sessions import calendar_of  # noqa: PLC0415

    config = read_home(environment.home)
    markets = markets_of(config, environment.home)
    return config, markets, {symbol: calendar_of(spec) for symbol, spec in markets.items()}


def engine_of(environment: Environment) -> "sa.Engine":
    """Engine on the state database."""
    from hydra_assets.state.db import connect  # noqa: PLC0415

    return connect(environment.url)


def lake_of(environment: Environment) -> "Lake":
    """The home's lake."""
    from hydra_assets.lake import Lake  # noqa: PLC0415

    return Lake(os.environ.get("HYDRA_LAKE_URI") or str(environment.home / "lake"))
