"""Model assets: one fitted recipe per market group and training date, and the champion's predictions."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import dagster as dg
import polars as pl

from hydra_assets.columns import FEATURE_VECTOR, FUTURES_CURVE, PREDICTIONS
from hydra_assets.defs.ranges import MarketRange, Resources, derive
from hydra_assets.defs.registry import RegistryResource
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.features.cross_market import HELD_COLUMNS
from hydra_assets.features.curve_group import held_returns
from hydra_assets.home import HomeConfig
from hydra_assets.lake import Lake
from hydra_assets.markets.model import MarketSpec
from hydra_assets.models.boosting import TrainedModel, train
from hydra_assets.models.predict import Predictor, predict
from hydra_assets.models.recipe import FIRST_RECIPE, Recipe
from hydra_assets.models.snapshot import Snapshot, SnapshotReason, training_snapshot
from hydra_assets.partitions import market_session_partitions, sessions_start
from hydra_assets.registry.champions import champion_as_of, champions_of, promote_refit

MODEL = "model"
MODEL_JOB, PREDICTIONS_JOB = "model_job", "predictions_job"
GROUP, TRAINING_DATE = "group", "training_date"
REFIT_CRON = "0 0 1 1,4,7,10 *"
"""The champion's recipe is fitted again on the first of each quarter."""
FEATURES_NOT_READY = "features_not_ready"


def groups_of(markets: Sequence[MarketSpec]) -> dict[str, list[str]]:
    """Markets by model group."""
    out: dict[str, list[str]] = {}
    for market in markets:
        out.setdefault(market.group, []).append(market.symbol)
    return out


def training_partitions(home: HomeConfig, markets: Sequence[MarketSpec]) -> dg.MultiPartitionsDefinition:
    """Market group x training date; a model of a date knows the sessions strictly before it."""
    return dg.MultiPartitionsDefinition(
        {
            GROUP: dg.StaticPartitionsDefinition(sorted(groups_of(markets))),
            TRAINING_DATE: dg.TimeWindowPartitionsDefinition(
                start=sessions_start(home).isoformat(), fmt="%Y-%m-%d", cron_schedule=REFIT_CRON, end_offset=1
            ),
        }
    )


def group_data(lake: Lake, markets: Sequence[str], last: date) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Features and held returns of a group's markets up to a date."""
    features = lake.read(FEATURE_VECTOR.name, markets=markets, last=last)
    curve = lake.read(FUTURES_CURVE.name, markets=markets, last=last, columns=HELD_COLUMNS)
    return features, held_returns(curve)


def not_ready(home: HomeResource, features: pl.DataFrame, markets: Sequence[str], cutoff: date) -> list[str]:
    """Markets whose features do not reach the last session up to the cutoff: a model of them would not repeat."""
    newest = dict(features.group_by("market").agg(pl.col("session").max()).iter_rows())
    wanted = {symbol: home.calendars[symbol].previous_session(cutoff + timedelta(days=1)) for symbol in markets}
    return [symbol for symbol, session in wanted.items() if newest.get(symbol, date.min) < session]


def fit_at(
    recipe: Recipe, features: pl.DataFrame, held: pl.DataFrame, cutoff: date
) -> tuple[Snapshot, TrainedModel | None]:
    """The snapshot of a cutoff, and the recipe fitted to it where it can carry a model."""
    snapshot = training_snapshot(features, held, recipe, cutoff)
    return snapshot, train(recipe, snapshot) if snapshot.reason is SnapshotReason.OK else None


def model_assets(home_config: HomeConfig, markets: Sequence[MarketSpec]) -> list[dg.AssetsDefinition]:
    """All model assets of a home."""
    groups = groups_of(markets)

    @dg.asset(
        name=MODEL,
        group_name="models",
        description="A group's recipe fitted to a point-in-time snapshot; the first and its refits become champion.",
        partitions_def=training_partitions(home_config, markets),
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[
            dg.AssetDep(name, partition_mapping=dg.AllPartitionMapping())
            for name in (FEATURE_VECTOR.name, FUTURES_CURVE.name)
        ],
        kinds={"lightgbm", "mlflow"},
    )
    def model(
        context: dg.AssetExecutionContext,
        home: HomeResource,
        lake: LakeResource,
        database: DatabaseResource,
        registry: RegistryResource,
    ) -> dg.MaterializeResult[None]:
        outcomes: list[dict[str, object]] = []
        newest: tuple[TrainedModel, list[str]] | None = None
        for group, dates in _training_dates(context.partition_keys).items():
            symbols = groups[group]
            features, held = group_data(lake.lake, symbols, dates[-1] - timedelta(days=1))
            for day in dates:
                cutoff = day - timedelta(days=1)
                outcome: dict[str, object] = {"group": group, "training_date": day.isoformat()}
                outcomes.append(outcome)
                if missing := not_ready(home, features.filter(pl.col("session") <= cutoff), symbols, cutoff):
                    outcome |= {"outcome": FEATURES_NOT_READY, "detail": ", ".join(missing)}
                    continue
                snapshot, fitted = fit_at(FIRST_RECIPE, features, held, cutoff)
                outcome |= {"rows": len(snapshot.rows), "snapshot_sha256": snapshot.sha256}
                if fitted is None:
                    outcome["outcome"] = str(snapshot.reason)
                    continue
                reason = promote_refit(database.engine, registry.registry, group, fitted, context.run.run_id)
                outcome |= {"outcome": str(reason), "model_sha256": fitted.sha256}
                newest = fitted, symbols
                context.log.info(f"{group} {day}: {len(snapshot.rows)} rows, {reason}")
        context.add_asset_metadata(
            _model_metadata(outcomes, newest), asset_key=context.asset_key, partition_key=context.partition_keys[-1]
        )
        return dg.MaterializeResult()

    @dg.asset(
        name=PREDICTIONS.name,
        group_name="models",
        description=PREDICTIONS.description,
        partitions_def=market_session_partitions(home_config, markets),
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[FEATURE_VECTOR.name, dg.AssetDep(MODEL, partition_mapping=dg.AllPartitionMapping())],
        kinds={"deltalake", "lightgbm"},
    )
    def predictions(
        context: dg.AssetExecutionContext,
        home: HomeResource,
        lake: LakeResource,
        database: DatabaseResource,
        registry: RegistryResource,
    ) -> dg.MaterializeResult[None]:
        champion = lru_cache(lambda group: champion_lookup(database, registry, group))

        def compute(part: MarketRange) -> pl.DataFrame:
            group = home.markets[part.market].group
            features = lake.lake.read(FEATURE_VECTOR.name, markets=[part.market], first=part.first, last=part.last)
            if features.is_empty():
                return pl.DataFrame(schema=PREDICTIONS.schema)
            return predict(features, group, champion(group))

        return derive(context, PREDICTIONS, Resources(home, lake, database), compute, _predictions_picture)

    return [model, predictions]


def champion_lookup(
    database: DatabaseResource, registry: RegistryResource, group: str
) -> Callable[[date], tuple[int, str, Predictor] | None]:
    """A group's champion as of a session, as version, digest and model."""
    champions = champions_of(database.engine, registry.registry, group)

    def lookup(session: date) -> tuple[int, str, Predictor] | None:
        found = champion_as_of(champions, session)
        return (found.version, found.sha256, found.model) if found else None

    return lookup


def _training_dates(keys: Sequence[str]) -> dict[str, list[date]]:
    """``GROUP|YYYY-MM-DD`` keys as group -> dates in order: champions succeed each other in time."""
    out: dict[str, list[date]] = {}
    for key in keys:
        group, day = key.split("|")
        out.setdefault(group, []).append(date.fromisoformat(day))
    return {group: sorted(days) for group, days in out.items()}


def _model_metadata(outcomes: list[dict[str, object]], newest: tuple[TrainedModel, list[str]] | None) -> dict[str, Any]:
    table = pl.DataFrame(outcomes, infer_schema_length=None)
    counts = table["outcome"].value_counts().sort("outcome")
    values: dict[str, Any] = {
        "outcomes": dg.MetadataValue.json({str(name): count for name, count in counts.iter_rows()}),
        "fits": dg.MetadataValue.json(outcomes),
    }
    if newest is not None:
        from hydra_assets.defs.model_pictures import bars  # noqa: PLC0415  matplotlib is slow to import
        from hydra_assets.defs.pictures import as_markdown  # noqa: PLC0415

        fitted, symbols = newest
        gains = fitted.gain()
        image = bars(list(gains), list(gains.values()), f"Gain by feature, cutoff {fitted.cutoff}", "gain", symbols)
        if image is not None:
            values["picture"] = dg.MetadataValue.md(as_markdown(image))
    return values


def _predictions_picture(rows: pl.DataFrame) -> bytes | None:
    from hydra_assets.defs.pictures import lines  # noqa: PLC0415  matplotlib is slow to import

    return lines(rows, x="session", y="probability_up", title="Probability of a positive held return", unit="fraction")
