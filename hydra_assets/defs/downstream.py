"""Everything that follows from the curated datasets: which assets there are, and which jobs make them.

Options, signals and features are partitioned like the datasets and belong into their job. The model and its predictions
come after it: a model is partitioned by training date, and a prediction needs the champion of its session.
"""

from collections.abc import Sequence
from datetime import date

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from hydra_assets.columns import PREDICTION_OUTCOMES, PREDICTIONS
from hydra_assets.defs.group import groups_of
from hydra_assets.defs.jobs import RANGE_END, RANGE_START, range_tags
from hydra_assets.defs.labels import label_assets
from hydra_assets.defs.models import MODEL, MODEL_JOB, model_assets
from hydra_assets.defs.options import options_assets
from hydra_assets.defs.predictions import PREDICTIONS_JOB, prediction_assets
from hydra_assets.defs.signals import signal_assets
from hydra_assets.defs.stress import STRESS, stress_assets
from hydra_assets.defs.time_of_day import time_of_day_assets
from hydra_assets.defs.training import SNAPSHOT, snapshot_assets, training_partitions
from hydra_assets.defs.walk_forward import walk_forward_assets
from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.sessions import calendar_of

AFTER_DATASETS = dg.AssetSelection.assets(SNAPSHOT, MODEL, STRESS, PREDICTIONS.name, PREDICTION_OUTCOMES.name)
"""Assets that do not belong into the datasets' job."""


def downstream_assets(home: HomeConfig, markets: Sequence[MarketSpec]) -> list[dg.AssetsDefinition]:
    """All assets after the curated ones."""
    made = (
        time_of_day_assets,
        options_assets,
        signal_assets,
        label_assets,
        walk_forward_assets,
        snapshot_assets,
        model_assets,
        stress_assets,
        prediction_assets,
    )
    return [asset for assets in made for asset in assets(home, markets)]


def downstream_jobs() -> list[UnresolvedAssetJobDefinition]:
    """The model job (by group and training date) and the predictions job (by market and session), in this order."""
    return [
        dg.define_asset_job(
            MODEL_JOB,
            selection=dg.AssetSelection.assets(SNAPSHOT, MODEL, STRESS) | dg.AssetSelection.checks_for_assets(MODEL),
            description="Snapshots and models of the run's training dates; run it after datasets_job.",
            executor_def=dg.in_process_executor,
        ),
        dg.define_asset_job(
            PREDICTIONS_JOB,
            selection=dg.AssetSelection.assets(PREDICTIONS.name, PREDICTION_OUTCOMES.name),
            description="Predictions by the champion of each session, and what became of them; run it after model_job.",
            executor_def=dg.in_process_executor,
        ),
    ]


def downstream_runs(
    home: HomeConfig, markets: Sequence[MarketSpec], chosen: Sequence[str], first: date, last: date
) -> list[tuple[str, dict[str, str]]]:
    """Jobs with their tags, in order, that bring models and predictions up after the datasets of [first, last].

    ``chosen`` are neighbouring markets in partition order. A training date is due once the last session before it is in
    the range, also over a weekend or a holiday; its model is of whole groups, whichever markets were chosen.
    """
    keys = training_partitions(home, markets).get_partitions_def_for_dimension("training_date").get_partition_keys()
    calendars = [calendar_of(spec) for spec in markets]
    before = {day: max(c.previous_session(date.fromisoformat(day)) for c in calendars) for day in keys}
    due = [day for day in keys if first <= before[day] <= last]
    groups = sorted(groups_of(markets))
    runs = []
    if due:
        runs.append((MODEL_JOB, {RANGE_START: f"{groups[0]}|{due[0]}", RANGE_END: f"{groups[-1]}|{due[-1]}"}))
    runs.append((PREDICTIONS_JOB, range_tags(chosen, first, last)))
    return runs
