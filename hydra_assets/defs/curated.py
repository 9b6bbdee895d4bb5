"""Curated assets: the curve, the positions and the quotes of each session, from as-of reads of the raw tables."""

from collections.abc import Sequence
from datetime import date, timedelta

import dagster as dg
import polars as pl

from hydra_assets.columns import (
    COT_POSITIONS,
    FUTURES_CURVE,
    OPTION_QUOTES,
    RAW_COT_REPORTS,
    RAW_FUTURES_BARS,
    RAW_OPTION_CHAINS,
)
from hydra_assets.curated.curve import futures_curve
from hydra_assets.curated.positions import cot_positions, monday_of
from hydra_assets.curated.quotes import option_quotes
from hydra_assets.defs.ranges import MarketRange, Resources, cutoff_frame, derive
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.home import HomeConfig
from hydra_assets.markets.expiry import contracts_of
from hydra_assets.markets.model import MarketSpec
from hydra_assets.partitions import market_session_partitions
from hydra_assets.sources.base import Dataset
from hydra_assets.sources.cftc.calendar import release_time, report_date_of_week
from hydra_assets.sources.registry import preference

NO_SETTLE = "no_settle"
NO_QUOTES = "no_quotes"
NO_OPTIONS = "no_options"
NO_CODE = "no_cftc_code"
NEVER_REPORTED = "never_reported"
LOOK_BACK_DAYS = 45
"""Calendar days of raw rows read before a range: covers every staleness limit of the price datasets."""


def raw_window(resources: Resources, dataset: Dataset, part: MarketRange) -> pl.DataFrame:
    """Raw rows that can serve a market's range: about the look-back and the range, known by its last session."""
    spec = resources.home.markets[part.market]
    # Nothing is known before it happens, so the partition date (knowledge) is never before the event's.
    start = part.first - timedelta(days=LOOK_BACK_DAYS)
    rows = resources.lake.lake.read(dataset, markets=[part.market], first=start, last=part.last)
    rows = rows.filter(pl.col("event_session") >= start)
    labels = rows["source"].unique().to_list()
    ranks = {label: preference(spec, dataset, label) for label in labels}
    return rows.with_columns(
        pl.col("source").replace_strict(ranks, default=None, return_dtype=pl.Int64).alias("source_rank")
    )


def expected_reports(cutoffs: pl.DataFrame) -> pl.DataFrame:
    """Newest report date that the release calendar says is public at each cutoff: ``session``, ``expected_report``."""
    first, last = cutoffs["session"].min(), cutoffs["session"].max()
    if not isinstance(first, date) or not isinstance(last, date):
        return pl.DataFrame(schema={"session": pl.Date(), "expected_report": pl.Date()})
    monday = monday_of(first - timedelta(days=120))
    reports = [report_date_of_week(monday + timedelta(days=7 * i)) for i in range((last - monday).days // 7 + 1)]
    releases = pl.DataFrame(
        {"expected_report": reports, "released": [release_time(day) for day in reports]},
        schema={"expected_report": pl.Date(), "released": pl.Datetime("us", "UTC")},
    ).sort("released")
    releases = releases.with_columns(pl.col("expected_report").cum_max())
    return (
        cutoffs.sort("cutoff")
        .join_asof(releases, left_on="cutoff", right_on="released", strategy="backward")
        .select("session", "expected_report")
    )


def curated_assets(home_config: HomeConfig, markets: Sequence[MarketSpec]) -> list[dg.AssetsDefinition]:
    """All curated assets of a home."""
    partitions = market_session_partitions(home_config, markets)
    policy = dg.BackfillPolicy.single_run()

    @dg.asset(
        name=FUTURES_CURVE.name,
        group_name="curated",
        description=FUTURES_CURVE.description,
        partitions_def=partitions,
        backfill_policy=policy,
        deps=[RAW_FUTURES_BARS.name],
        kinds={"deltalake", "polars"},
    )
    def curve(
        context: dg.AssetExecutionContext, home: HomeResource, lake: LakeResource, database: DatabaseResource
    ) -> dg.MaterializeResult[None]:
        resources = Resources(home, lake, database)

        def compute(part: MarketRange) -> pl.DataFrame:
            bars = raw_window(resources, Dataset.FUTURES_BARS, part)
            contracts = contracts_of(home.markets[part.market]).drop("contract_month")
            return futures_curve(bars, part.market, home.calendars[part.market], part.sessions, contracts)

        return derive(
            context, FUTURES_CURVE, resources, compute, _curve_picture, lambda part: dict.fromkeys(part.days, NO_SETTLE)
        )

    @dg.asset(
        name=COT_POSITIONS.name,
        group_name="curated",
        description=COT_POSITIONS.description,
        partitions_def=partitions,
        backfill_policy=policy,
        deps=[dg.AssetDep(RAW_COT_REPORTS.name, partition_mapping=dg.AllPartitionMapping())],
        kinds={"deltalake", "polars"},
    )
    def positions(
        context: dg.AssetExecutionContext, home: HomeResource, lake: LakeResource, database: DatabaseResource
    ) -> dg.MaterializeResult[None]:
        resources = Resources(home, lake, database)
        reports = lake.lake.read(Dataset.COT_REPORTS, markets=list(home.markets))

        def compute(part: MarketRange) -> pl.DataFrame:
            cutoffs = cutoff_frame(home.calendars[part.market], part.sessions)
            coded = bool(home.markets[part.market].cftc_codes)
            return cot_positions(reports, part.market, cutoffs, expected_reports(cutoffs), coded)

        def why(part: MarketRange) -> dict[date, str]:
            coded = bool(home.markets[part.market].cftc_codes)
            return dict.fromkeys(part.days, NEVER_REPORTED if coded else NO_CODE)

        return derive(context, COT_POSITIONS, resources, compute, _positions_picture, why)

    @dg.asset(
        name=OPTION_QUOTES.name,
        group_name="curated",
        description=OPTION_QUOTES.description,
        partitions_def=partitions,
        backfill_policy=policy,
        deps=[RAW_OPTION_CHAINS.name, FUTURES_CURVE.name],
        kinds={"deltalake", "polars"},
    )
    def quotes(
        context: dg.AssetExecutionContext, home: HomeResource, lake: LakeResource, database: DatabaseResource
    ) -> dg.MaterializeResult[None]:
        resources = Resources(home, lake, database)

        def compute(part: MarketRange) -> pl.DataFrame:
            calendar = home.calendars[part.market]
            return option_quotes(
                raw_window(resources, Dataset.OPTION_CHAINS, part),
                lake.lake.read(FUTURES_CURVE.name, markets=[part.market], first=part.first, last=part.last),
                part.market,
                calendar,
                part.sessions,
                home.markets[part.market].options,
                cutoff_frame(calendar, part.sessions),
            )

        def why(part: MarketRange) -> dict[date, str]:
            offered = any(RAW_OPTION_CHAINS.name in b.datasets for b in home.markets[part.market].sources)
            return dict.fromkeys(part.days, NO_QUOTES if offered else NO_OPTIONS)

        return derive(context, OPTION_QUOTES, resources, compute, _smile_picture, why)

    return [curve, positions, quotes]


def _curve_picture(rows: pl.DataFrame) -> bytes | None:
    from hydra_assets.defs.pictures import lines  # noqa: PLC0415  matplotlib is slow to import

    held = rows.filter(pl.col("role") == "front").sort("session")
    grown = held.with_columns((1 + pl.col("held_return").fill_null(0)).cum_prod().over("market").alias("growth"))
    return lines(grown, x="session", y="growth", title="Growth of one unit in the held contract", unit="factor")


def _positions_picture(rows: pl.DataFrame) -> bytes | None:
    from hydra_assets.defs.pictures import lines  # noqa: PLC0415  matplotlib is slow to import

    crowd = rows.filter(
        pl.col("category").is_in(["managed_money", "noncommercial"]) & (pl.col("scope") == "futures_only")
    )
    one = crowd.sort("family").unique(["market", "session"], keep="first")
    return lines(one, x="session", y="net_share", title="Speculators' net share of open interest", unit="fraction")


def _smile_picture(rows: pl.DataFrame) -> bytes | None:
    from hydra_assets.defs.pictures import smile  # noqa: PLC0415  matplotlib is slow to import

    return smile(rows)
