"""``champion_health`` and ``diagnosis``: what is watched, what is wrong, and what is done at once."""

from collections.abc import Callable, Sequence
from datetime import date

import dagster as dg
import polars as pl

from hydra_agent.defs.demand import conclude_watch
from hydra_agent.defs.group_watch import Parts, group_watch
from hydra_agent.defs.pictures import causes_picture, health_picture
from hydra_agent.watch import GroupWatch
from hydra_assets.columns import (
    CHAMPION_HEALTH,
    DIAGNOSIS,
    FEATURE_VECTOR,
    LABELS,
    PREDICTION_OUTCOMES,
    PREDICTIONS,
    DatasetSpec,
)
from hydra_assets.defs.ranges import MarketRange, Resources, derive
from hydra_assets.defs.registry import RegistryResource
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import MarketSpec
from hydra_assets.partitions import group_session_partitions, markets_of_session


def watching_assets(home_config: HomeConfig, markets: Sequence[MarketSpec]) -> list[dg.AssetsDefinition]:
    """Health and diagnosis of a home's groups."""
    partitions = group_session_partitions(home_config, markets)
    policy = dg.BackfillPolicy.single_run()

    def per_market(names: Sequence[DatasetSpec]) -> list[dg.AssetDep]:
        return [dg.AssetDep(spec.name, partition_mapping=markets_of_session()) for spec in names]

    @dg.asset(
        name=CHAMPION_HEALTH.name,
        group_name="agent",
        description=CHAMPION_HEALTH.description,
        partitions_def=partitions,
        backfill_policy=policy,
        deps=per_market((FEATURE_VECTOR, LABELS, PREDICTIONS, PREDICTION_OUTCOMES)),
        kinds={"deltalake", "numpy"},
    )
    def champion_health(
        context: dg.AssetExecutionContext,
        home: HomeResource,
        lake: LakeResource,
        database: DatabaseResource,
        registry: RegistryResource,
    ) -> dg.MaterializeResult[None]:
        parts = Parts(home, lake, database, registry)
        compute = per_range(parts, last_of(context), CHAMPION_HEALTH, GroupWatch.health_rows)
        return derive(context, CHAMPION_HEALTH, Resources(home, lake, database), compute, health_picture)

    @dg.asset(
        name=DIAGNOSIS.name,
        group_name="agent",
        description=DIAGNOSIS.description,
        partitions_def=partitions,
        backfill_policy=policy,
        deps=[champion_health],
        kinds={"deltalake"},
    )
    def diagnosis(
        context: dg.AssetExecutionContext,
        home: HomeResource,
        lake: LakeResource,
        database: DatabaseResource,
        registry: RegistryResource,
    ) -> dg.MaterializeResult[None]:
        parts = Parts(home, lake, database, registry)
        compute = per_range(parts, last_of(context), DIAGNOSIS, GroupWatch.diagnosis_rows)
        result = derive(context, DIAGNOSIS, Resources(home, lake, database), compute, causes_picture)
        changed = conclude_watch(parts, last_of(context), context.run.run_id)
        if changed is not None and changed.changed:
            context.log.warning(f"system state: {changed.before} to {changed.after}")
        return result

    return [champion_health, diagnosis]


def per_range(
    parts: Parts, last: date, spec: DatasetSpec, rows: Callable[[GroupWatch, str, date, date], pl.DataFrame]
) -> Callable[[MarketRange], pl.DataFrame]:
    """Rows of a market's range from the watch of its group; none before the group's first features."""

    def compute(part: MarketRange) -> pl.DataFrame:
        watch = group_watch(parts, parts.home.markets[part.market].group, last)
        if watch is None or part.market not in watch.view.symbols:
            return pl.DataFrame(schema=spec.schema)
        return rows(watch, part.market, part.first, part.last)

    return compute


def last_of(context: dg.AssetExecutionContext) -> date:
    """Last session of a run's range, over all of its groups: what the watch of each is made up to."""
    return max(date.fromisoformat(key.split("|")[1]) for key in context.partition_keys)
