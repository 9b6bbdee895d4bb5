"""Raw assets: one per vendor dataset, append-only, partitioned by when a row became known."""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import partial
from typing import Any

import dagster as dg
import polars as pl

from hydra_assets.columns import DATASETS, RAW_COT_REPORTS, DatasetSpec
from hydra_assets.curated.positions import monday_of
from hydra_assets.defs.ranges import MarketRange, Resources, finish, partition_records, requested
from hydra_assets.defs.resources import DatabaseLedger, DatabaseResource, HomeResource, LakeResource
from hydra_assets.home import HomeConfig
from hydra_assets.ingest import Ingest, IngestReport
from hydra_assets.markets.model import MarketSpec
from hydra_assets.partitions import market_session_partitions, report_week_partitions
from hydra_assets.sources.base import Dataset, FetchRequest
from hydra_assets.sources.registry import sources_for
from hydra_assets.state.alerts import AlertSink
from hydra_assets.state.db import Lock, claim, named_lock
from hydra_assets.state.records import Alert, AlertLevel, PayloadRecord

NO_DELIVERY = "no_delivery"


def ingest_window(
    resources: Resources, dataset: Dataset, markets: Sequence[str], first: date | None, last: date, run_id: str
) -> IngestReport:
    """Fetch and append what the bound sources deliver for the markets in [first, last]; failures become alerts."""
    home = resources.home
    claim(resources.database.engine, home.config.kind)
    ingest = Ingest(
        lake=resources.lake.lake,
        archive=home.archive,
        ledger=DatabaseLedger(resources.database.engine),
        context=home.parse_context,
        history_start=home.config.history_start,
        run_id=run_id,
        first_sessions={market: home.config.first_session(market) for market in home.config.spans},
    )
    chosen = {symbol: home.markets[symbol] for symbol in markets}
    # A first delivery brings all of a source's history: earlier rows belong to the first session.
    starts = [home.config.first_session(market) for market in markets]
    if first is not None and first <= min(starts) + timedelta(days=7):
        first = None
    deliveries: list[PayloadRecord] = []
    appended = 0
    for source, bound in sources_for(dataset, chosen, home.sources):
        # A real vendor's file holds several markets: two runs that read it at once would both find it new. The
        # embedded market delivers market by market.
        apart = "|".join(sorted(spec.symbol for spec in bound if spec.simulated))
        with named_lock(resources.database.engine, Lock.INGEST, f"{dataset}|{source.name}|{apart}"):
            report = ingest.run([source], FetchRequest(dataset, bound, first, last, home.now()))
        deliveries += report.deliveries
        appended += report.rows_appended
    report = IngestReport(tuple(deliveries), appended)
    sink = AlertSink(resources.database.engine, home.config.webhook_url)
    for failure in report.failures:
        sink.raise_alert(
            Alert(
                level=AlertLevel.WARNING,
                code=f"delivery_{failure.state}",
                message=f"{failure.source} {failure.name}: {failure.reason}: {failure.detail}",
                dataset=dataset,
                run_id=run_id,
                dedupe_key=f"delivery|{dataset}|{failure.source}|{failure.name}|{failure.reason}",
            )
        )
    return report


def delivery_metadata(report: IngestReport) -> dict[str, dg.MetadataValue[Any]]:
    """How many deliveries ended in which state, and what became of their rows."""
    states: dict[str, int] = {}
    for delivery in report.deliveries:
        states[str(delivery.state)] = states.get(str(delivery.state), 0) + 1
    fields = ("rows_total", "rows_loaded", "rows_superseded", "rows_quarantined", "rows_set_aside")
    return {
        "deliveries": dg.MetadataValue.json(states),
        "delivered_rows": dg.MetadataValue.json({f: sum(getattr(d, f) for d in report.deliveries) for f in fields}),
        "rows_appended": dg.MetadataValue.int(report.rows_appended),
    }


def _market_session_asset(dataset: Dataset, partitions: dg.PartitionsDefinition[str]) -> dg.AssetsDefinition:
    spec = DATASETS[dataset]

    @dg.asset(
        name=spec.name,
        group_name="raw",
        description=spec.description,
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        kinds={"deltalake", "polars"},
    )
    def raw(
        context: dg.AssetExecutionContext, home: HomeResource, lake: LakeResource, database: DatabaseResource
    ) -> dg.MaterializeResult[None]:
        resources = Resources(home, lake, database)
        deliveries: list[IngestReport] = []
        rows: list[pl.DataFrame] = []
        records: list[pl.DataFrame] = []
        for part in requested(context, home):
            if part.sessions:
                last = part.sessions[-1]
                deliveries.append(
                    ingest_window(resources, dataset, [part.market], part.first, last, context.run.run_id)
                )
            held = lake.lake.read(spec.name, markets=[part.market], first=part.first, last=part.last)
            decided = held.filter(pl.col("session").is_in(part.sessions))
            records.append(partition_records(spec, part, decided, dict.fromkeys(part.days, NO_DELIVERY)))
            rows.append(decided.select("market", "session"))
            context.log.info(f"{spec.name} {part.market}: {decided.height} rows over {len(part.sessions)} sessions")
        shown = pl.concat(rows) if rows else pl.DataFrame(schema={"market": pl.String(), "session": pl.Date()})
        joined = IngestReport(
            tuple(d for report in deliveries for d in report.deliveries), sum(r.rows_appended for r in deliveries)
        )
        return finish(
            context,
            spec,
            resources,
            shown,
            pl.concat(records),
            partial(_rows_picture, spec=spec),
            delivery_metadata(joined),
        )

    return raw


def _rows_picture(rows: pl.DataFrame, spec: DatasetSpec) -> bytes | None:
    from hydra_assets.defs.pictures import counts_per_partition  # noqa: PLC0415  matplotlib is slow to import

    return counts_per_partition(rows, spec.partition_column, f"{spec.name}: rows per partition")


def _report_week_asset() -> dg.AssetsDefinition:
    spec = RAW_COT_REPORTS

    @dg.asset(
        name=spec.name,
        group_name="raw",
        description=spec.description,
        partitions_def=report_week_partitions(),
        backfill_policy=dg.BackfillPolicy.single_run(),
        kinds={"deltalake", "polars"},
    )
    def raw(
        context: dg.AssetExecutionContext, home: HomeResource, lake: LakeResource, database: DatabaseResource
    ) -> dg.MaterializeResult[None]:
        resources = Resources(home, lake, database)
        weeks = sorted(date.fromisoformat(key) for key in context.partition_keys)
        now = home.now()
        last = min(weeks[-1] + timedelta(days=6), now.date())
        report = ingest_window(resources, Dataset.COT_REPORTS, list(home.markets), weeks[0], last, context.run.run_id)
        held = lake.lake.read(spec.name, markets=list(home.markets), first=weeks[0], last=weeks[-1])
        records = [
            partition_records(
                spec,
                MarketRange(market, weeks, weeks, {}),
                held.filter(pl.col("market") == market),
                dict.fromkeys(weeks, NO_DELIVERY),
            )
            for market in home.markets
        ]
        return finish(
            context,
            spec,
            resources,
            held,
            pl.concat(records),
            partial(_rows_picture, spec=spec),
            delivery_metadata(report),
        )

    return raw


def raw_assets(home: HomeConfig, markets: Sequence[MarketSpec]) -> list[dg.AssetsDefinition]:
    """All raw assets of a home."""
    partitions = market_session_partitions(home, markets)
    return [
        *(
            _market_session_asset(dataset, partitions)
            for dataset in (
                Dataset.FUTURES_BARS,
                Dataset.INTRADAY_BARS,
                Dataset.OPTION_CHAINS,
                Dataset.HEADLINES,
                Dataset.POSTS,
            )
        ),
        _report_week_asset(),
    ]


def week_range(first: date, last: date) -> tuple[str, str]:
    """Report-week partition keys that cover the dates."""
    return monday_of(first).isoformat(), monday_of(last).isoformat()
