"""``stress_report``: what a training date's strategy stands when markets do what they have not done yet."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg
import polars as pl

from hydra_assets.columns import REPLAY_REPORT
from hydra_assets.defs.group import group_history
from hydra_assets.defs.models import MODEL
from hydra_assets.defs.registry import RegistryResource
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.defs.training import specs_of, training_dates, training_partitions
from hydra_assets.evaluation.stressed import stressed
from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import MarketSpec
from hydra_assets.models.recipe import FIRST_RECIPES
from hydra_assets.registry.champions import champion_as_of, champions_of
from hydra_assets.state.judgements import record_stress
from hydra_assets.state.records import StressRow
from hydra_assets.stress.frame import report_frame
from hydra_assets.stress.records import StressReport

STRESS = "stress_report"


def stress_assets(home_config: HomeConfig, markets: Sequence[MarketSpec]) -> list[dg.AssetsDefinition]:
    """The stress asset of a home."""

    @dg.asset(
        name=STRESS,
        group_name="models",
        description="Bootstrap and copula paths, crashes, droughts, explosions, reversals, outages; after all costs.",
        partitions_def=training_partitions(home_config, markets),
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[MODEL, dg.AssetDep(REPLAY_REPORT.name, partition_mapping=dg.AllPartitionMapping())],
        kinds={"postgresql", "numpy"},
    )
    def materialise(
        context: dg.AssetExecutionContext,
        home: HomeResource,
        lake: LakeResource,
        database: DatabaseResource,
        registry: RegistryResource,
    ) -> dg.MaterializeResult[None]:
        found: list[pl.DataFrame] = []
        for group, dates in training_dates(context.partition_keys).items():
            history = group_history(lake.lake, specs_of(home, group), dates[-1] - timedelta(days=1), database.engine)
            champions = champions_of(database.engine, registry.registry, group)
            # A date at which a champion was fitted is stressed, and the newest one: the others stand between two fits.
            fitted = {champion.model.cutoff + timedelta(days=1) for champion in champions}
            for day in [d for d in dates if d in fitted or d == dates[-1]]:
                champion = champion_as_of(champions, day)
                own = {} if champion is None else {champion.model.name: champion.model.recipe}
                played = history.play({n: r for n, r in own.items() if FIRST_RECIPES.get(n) != r})
                for name in own or FIRST_RECIPES:
                    if played.predictions[name].is_empty():
                        continue
                    report = stressed(played, name, history.factors, day - timedelta(days=1))
                    frame = told(report)
                    record_stress(database.engine, stress_rows(frame, group, day, name, context.run.run_id))
                    found.append(frame.with_columns(pl.lit(day).alias("training_date"), pl.lit(name).alias("strategy")))
                    context.log.info(f"{group} {day} {name}: {report.reason}")
        context.add_asset_metadata(
            _metadata(found), asset_key=context.asset_key, partition_key=context.partition_keys[-1]
        )
        return dg.MaterializeResult()

    return [materialise]


def told(report: StressReport) -> pl.DataFrame:
    """A report as a frame; what could not be stressed at all is a row too, under the reason."""
    frame = report_frame(report)
    if not frame.is_empty():
        return frame
    words = "; ".join(finding.message for finding in report.findings)
    refused = {"scenario": "none", "stress_reason": str(report.reason), "message": words}
    return pl.concat([frame, pl.DataFrame([refused])], how="diagonal_relaxed")


def stress_rows(frame: pl.DataFrame, group: str, day: date, strategy: str, run_id: str) -> list[StressRow]:
    """Records of a report."""
    figures = [name for name, kind in frame.schema.items() if kind.is_numeric()]
    return [
        StressRow(
            group,
            day,
            strategy,
            row["scenario"],
            row["stress_reason"],
            row["message"] or "",
            # JSON has no NaN.
            {name: None if row[name] is None or row[name] != row[name] else row[name] for name in figures},
            run_id,
        )
        for row in frame.iter_rows(named=True)
    ]


def _metadata(found: Sequence[pl.DataFrame]) -> dict[str, Any]:
    if not found:
        return {"outcome": "no_strategy_tested_yet"}
    newest = found[-1]
    columns = ("scenario", "stress_reason", "sharpe", "sharpe_p05", "max_drawdown_p95", "net_change", "breaker_trips")
    return {
        "training_date": str(newest["training_date"][0]),
        "strategy": newest["strategy"][0],
        "scenarios": dg.MetadataValue.json(newest.select(columns).fill_nan(None).to_dicts()),
    }
