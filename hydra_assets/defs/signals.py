"""Signal assets: the crowd's score, the divergence of the two views, the feature vector."""

from collections.abc import Sequence

import dagster as dg
import polars as pl

from hydra_assets.columns import COT_POSITIONS, COT_SCORES, DIVERGENCE, FEATURE_VECTOR, FUTURES_CURVE, IMPLIED_MOMENTS
from hydra_assets.defs.options import session_frame
from hydra_assets.defs.ranges import MarketRange, Resources, derive
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.features.assemble import assemble
from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import MarketSpec
from hydra_assets.partitions import market_session_partitions
from hydra_assets.sentiment.cot import cot_scores
from hydra_assets.signals.divergence import divergence

CURVE_COLUMNS = (
    "market",
    "session",
    "contract",
    "contract_month",
    "role",
    "settle",
    "settle_age_sessions",
    "carry",
    "days_to_last_trade",
    "held_return",
)


def signal_assets(home_config: HomeConfig, markets: Sequence[MarketSpec]) -> list[dg.AssetsDefinition]:
    """All signal assets of a home.

    Each reads its inputs from their first session on, whatever the run's range: a score among its own past must not
    depend on which sessions a run happens to ask for.
    """
    partitions = market_session_partitions(home_config, markets)
    policy = dg.BackfillPolicy.single_run()

    @dg.asset(
        name=COT_SCORES.name,
        group_name="signals",
        description=COT_SCORES.description,
        partitions_def=partitions,
        backfill_policy=policy,
        deps=[COT_POSITIONS.name],
        kinds={"deltalake", "polars"},
    )
    def crowd(
        context: dg.AssetExecutionContext, home: HomeResource, lake: LakeResource, database: DatabaseResource
    ) -> dg.MaterializeResult[None]:
        def compute(part: MarketRange) -> pl.DataFrame:
            positions = lake.lake.read(COT_POSITIONS.name, markets=[part.market], last=part.last)
            return cot_scores(positions, session_frame(part))

        return derive(context, COT_SCORES, Resources(home, lake, database), compute, _crowd_picture)

    @dg.asset(
        name=DIVERGENCE.name,
        group_name="signals",
        description=DIVERGENCE.description,
        partitions_def=partitions,
        backfill_policy=policy,
        deps=[IMPLIED_MOMENTS.name, COT_SCORES.name],
        kinds={"deltalake", "polars"},
    )
    def gap(
        context: dg.AssetExecutionContext, home: HomeResource, lake: LakeResource, database: DatabaseResource
    ) -> dg.MaterializeResult[None]:
        def compute(part: MarketRange) -> pl.DataFrame:
            moments, scores = (
                lake.lake.read(name, markets=[part.market], last=part.last)
                for name in (IMPLIED_MOMENTS.name, COT_SCORES.name)
            )
            return divergence(moments, scores, session_frame(part))

        return derive(context, DIVERGENCE, Resources(home, lake, database), compute, _divergence_picture)

    @dg.asset(
        name=FEATURE_VECTOR.name,
        group_name="features",
        description=FEATURE_VECTOR.description,
        partitions_def=partitions,
        backfill_policy=policy,
        deps=[FUTURES_CURVE.name, IMPLIED_MOMENTS.name, COT_SCORES.name, DIVERGENCE.name],
        kinds={"deltalake", "polars"},
    )
    def features(
        context: dg.AssetExecutionContext, home: HomeResource, lake: LakeResource, database: DatabaseResource
    ) -> dg.MaterializeResult[None]:
        def compute(part: MarketRange) -> pl.DataFrame:
            curve = lake.lake.read(FUTURES_CURVE.name, markets=[part.market], last=part.last, columns=CURVE_COLUMNS)
            moments, scores, gaps = (
                lake.lake.read(name, markets=[part.market], first=part.first, last=part.last)
                for name in (IMPLIED_MOMENTS.name, COT_SCORES.name, DIVERGENCE.name)
            )
            return assemble(curve, moments, scores, gaps, session_frame(part))

        return derive(context, FEATURE_VECTOR, Resources(home, lake, database), compute)

    return [crowd, gap, features]


def _crowd_picture(rows: pl.DataFrame) -> bytes | None:
    from hydra_assets.defs.pictures import lines  # noqa: PLC0415  matplotlib is slow to import

    return lines(rows, x="session", y="crowd_score", title="Crowd score among its published weeks", unit="score")


def _divergence_picture(rows: pl.DataFrame) -> bytes | None:
    from hydra_assets.defs.pictures import lines  # noqa: PLC0415  matplotlib is slow to import

    title = "Divergence of options and crowd"
    return lines(rows, x="session", y="divergence_z", title=title, unit="standard deviations", style=".")
