"""``predictions`` by the champion of each session, and ``prediction_outcomes``: what became of them."""

from collections.abc import Callable, Sequence
from datetime import date
from functools import lru_cache

import dagster as dg
import polars as pl

from hydra_assets.columns import FEATURE_VECTOR, LABELS, PREDICTION_OUTCOMES, PREDICTIONS
from hydra_assets.defs.derived import DerivedAsset, Inputs, Reader, build
from hydra_assets.defs.models import MODEL
from hydra_assets.defs.ranges import MarketRange, Resources, derive
from hydra_assets.defs.registry import RegistryResource
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.home import HomeConfig
from hydra_assets.lake.content_hash import partition_hashes
from hydra_assets.markets.model import MarketSpec
from hydra_assets.models.outcomes import prediction_outcomes
from hydra_assets.models.predict import Champion, predict
from hydra_assets.partitions import market_session_partitions
from hydra_assets.registry.champions import champion_as_of, champions_of

PREDICTIONS_JOB = "predictions_job"
PATH_DAYS = 60
"""Calendar days that hold the sessions from a decision to the latest exit of any label."""
NOTHING_DUE = "nothing_due"


def prediction_assets(home_config: HomeConfig, markets: Sequence[MarketSpec]) -> list[dg.AssetsDefinition]:
    """Predictions and their outcomes."""
    partitions = market_session_partitions(home_config, markets)
    policy = dg.BackfillPolicy.single_run()

    @dg.asset(
        name=PREDICTIONS.name,
        group_name="models",
        description=PREDICTIONS.description,
        partitions_def=partitions,
        backfill_policy=policy,
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

    return [predictions, build(OUTCOMES, home_config, markets)]


def _outcomes(inputs: Inputs) -> pl.DataFrame:
    features = inputs.rows(FEATURE_VECTOR, days_before=PATH_DAYS)
    return prediction_outcomes(
        inputs.rows(PREDICTIONS, days_before=PATH_DAYS),
        inputs.rows(LABELS),
        partition_hashes(FEATURE_VECTOR, features),
        inputs.rows(PREDICTION_OUTCOMES),
    )


def champion_lookup(
    database: DatabaseResource, registry: RegistryResource, group: str
) -> Callable[[date], Champion | None]:
    """A group's champion as of a session, as version, digest and model."""
    champions = champions_of(database.engine, registry.registry, group)

    def lookup(session: date) -> Champion | None:
        found = champion_as_of(champions, session)
        return (found.version, found.sha256, found.model) if found else None

    return lookup


def _predictions_picture(rows: pl.DataFrame) -> bytes | None:
    from hydra_assets.defs.pictures import lines  # noqa: PLC0415  matplotlib is slow to import

    return lines(rows, x="session", y="probability_up", title="Probability of a positive held return", unit="fraction")


def _outcomes_picture(rows: pl.DataFrame, _: Reader) -> bytes | None:
    from hydra_assets.defs.pictures import lines  # noqa: PLC0415  matplotlib is slow to import

    title = "Squared error of predictions; one quarter is a coin's"
    return lines(rows, x="session", y="squared_error", title=title, unit="1", style=".")


OUTCOMES = DerivedAsset(
    PREDICTION_OUTCOMES,
    "models",
    (PREDICTIONS, LABELS),
    _outcomes,
    _outcomes_picture,
    why_empty=lambda inputs: dict.fromkeys(inputs.part.days, NOTHING_DUE),
)
