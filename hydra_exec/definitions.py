"""Code location ``hydra_exec``: one small assembly."""

from collections.abc import Mapping, Sequence
from datetime import date

import dagster as dg

from hydra_assets.defs.jobs import range_tags
from hydra_assets.defs.resources import default_resources
from hydra_assets.home import home_path, read_home
from hydra_assets.markets.loader import markets_of
from hydra_exec.defs.books import book_assets
from hydra_exec.defs.checks import trading_checks
from hydra_exec.defs.jobs import TRADE_JOB, trading_jobs, trading_schedules
from hydra_exec.defs.live import dead_man_sensor, work_job
from hydra_exec.defs.trading import trading_assets


def build_defs(resource_overrides: Mapping[str, object] | None = None) -> dg.Definitions:
    """All definitions of the location, with parts swapped by tests."""
    root = home_path()
    config = read_home(root)
    markets = list(markets_of(config, root).values())
    return dg.Definitions(
        assets=[*trading_assets(config, markets), *book_assets(config, markets)],
        asset_checks=trading_checks(),
        jobs=[*trading_jobs(), work_job()],
        schedules=trading_schedules(markets),
        sensors=[dead_man_sensor()],
        resources={**default_resources(), **(resource_overrides or {})},
        executor=dg.in_process_executor,
    )


def cycle_runs(markets: Sequence[str], first: date, last: date) -> list[tuple[str, dict[str, str]]]:
    """What a cycle runs here, after predictions: job and tags."""
    return [(TRADE_JOB, range_tags(markets, first, last))]


defs = build_defs()
