"""Code location ``hydra_assets``: one small assembly."""

from collections.abc import Mapping, Sequence
from datetime import date

import dagster as dg

from hydra_assets.defs.checks import CHECKS, dataset_checks
from hydra_assets.defs.curated import curated_assets
from hydra_assets.defs.downstream import AFTER_DATASETS, downstream_assets, downstream_jobs, downstream_runs
from hydra_assets.defs.jobs import dataset_jobs, schedules_and_sensors
from hydra_assets.defs.model_checks import model_checks
from hydra_assets.defs.raw import raw_assets
from hydra_assets.defs.registry import default_registry
from hydra_assets.defs.resources import default_resources
from hydra_assets.home import home_path, read_home
from hydra_assets.markets.loader import markets_of


def build_defs(resource_overrides: Mapping[str, object] | None = None) -> dg.Definitions:
    """All definitions of the location, with parts swapped by tests."""
    root = home_path()
    config = read_home(root)
    markets = list(markets_of(config, root).values())
    assets = [
        *raw_assets(config, markets),
        *curated_assets(config, markets),
        *downstream_assets(config, markets),
    ]
    schedules, sensors = schedules_and_sensors(config, markets)
    return dg.Definitions(
        assets=assets,
        asset_checks=[*dataset_checks(list(CHECKS)), *model_checks()],
        jobs=[*dataset_jobs(dg.AssetSelection.all() - AFTER_DATASETS), *downstream_jobs()],
        schedules=schedules,
        sensors=sensors,
        resources={**default_resources(), "registry": default_registry(), **(resource_overrides or {})},
        executor=dg.in_process_executor,
    )


def cycle_runs(markets: Sequence[str], first: date, last: date) -> list[tuple[str, dict[str, str]]]:
    """What a cycle runs here after the datasets: models that are due, then predictions; job and tags."""
    root = home_path()
    config = read_home(root)
    return downstream_runs(config, list(markets_of(config, root).values()), markets, first, last)


defs = build_defs()
