"""Jobs, schedules and sensors of the datasets: the main job, a backfill job, one schedule per source, late reports."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from hydra_assets.columns import RAW_COT_REPORTS
from hydra_assets.curated.positions import monday_of
from hydra_assets.defs.curated import expected_reports
from hydra_assets.defs.ranges import cutoff_frame
from hydra_assets.defs.resources import DatabaseResource, HomeResource
from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import MarketSpec
from hydra_assets.partitions import REPORT_WEEKS_START
from hydra_assets.state.content import latest_content

if TYPE_CHECKING:
    # What dg.define_asset_job returns has no public name.
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
REPORTS_JOB, DATASETS_JOB = "reports_job", "datasets_job"
LATE_REPORT_EVERY_SECONDS = 900


def range_tags(markets: Sequence[str], first: date, last: date) -> dict[str, str]:
    """Run tags for all partitions of neighbouring markets (in partition order) from first to last."""
    return {
        RANGE_START: f"{markets[0]}|{first.isoformat()}",
        RANGE_END: f"{markets[-1]}|{last.isoformat()}",
    }


def week_tags(first: date, last: date) -> dict[str, str]:
    """Run tags for the report weeks that cover the dates, from the first week that has a report on."""
    start = date.fromisoformat(REPORT_WEEKS_START)
    return {
        RANGE_START: max(monday_of(first), start).isoformat(),
        RANGE_END: max(monday_of(last), start).isoformat(),
    }


def last_weekday(day: date) -> date:
    """The weekday on or before a date: partition keys exist for weekdays."""
    return day - timedelta(days=max(day.weekday() - 4, 0))


def dataset_jobs(selection: dg.AssetSelection) -> "list[UnresolvedAssetJobDefinition]":
    """Jobs over the datasets: reports by week, and everything per market and session."""
    reports = dg.AssetSelection.assets(RAW_COT_REPORTS.name)
    return [
        dg.define_asset_job(
            REPORTS_JOB,
            selection=reports | dg.AssetSelection.checks_for_assets(RAW_COT_REPORTS.name),
            description="CFTC reports by report week; run it before datasets_job.",
            executor_def=dg.in_process_executor,
        ),
        dg.define_asset_job(
            DATASETS_JOB,
            selection=selection - reports,
            description="Every dataset per market and session over the range of the run's tags, with its checks.",
            executor_def=dg.in_process_executor,
        ),
    ]


def dataset_schedules(markets: Sequence[MarketSpec]) -> list[dg.ScheduleDefinition]:
    """Daily after the latest cutoff of the home; CFTC reports after their release hour."""
    symbols = [m.symbol for m in markets]

    @dg.schedule(
        job_name=DATASETS_JOB,
        cron_schedule="30 19 * * 1-5",
        execution_timezone="America/Chicago",
        name="daily_datasets",
        description="Bring bars, chains, headlines and posts and all that follows from them up to today's session.",
    )
    def daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        day = last_weekday(context.scheduled_execution_time.date())
        # A few sessions back: late settlements and restatements of them are read again, which changes nothing else.
        return dg.RunRequest(run_key=f"daily|{day}", tags=range_tags(symbols, day - timedelta(days=day.weekday()), day))

    @dg.schedule(
        job_name=REPORTS_JOB,
        cron_schedule="45 15 * * 1-5",
        execution_timezone="America/New_York",
        name="weekly_reports",
        description="CFTC reports, every weekday since holidays and shutdowns move the release.",
    )
    def reports(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        day = context.scheduled_execution_time.date()
        return dg.RunRequest(run_key=f"reports|{day}", tags=week_tags(day - timedelta(days=28), day))

    return [daily, reports]


def late_report_sensor() -> dg.SensorDefinition:
    """Ask again for a report that the calendar says is out and that has not arrived."""

    @dg.sensor(
        job_name=REPORTS_JOB,
        minimum_interval_seconds=LATE_REPORT_EVERY_SECONDS,
        name="late_reports",
        description="Requests the report week that the release calendar says is public and the lake does not hold.",
    )
    def late(
        context: dg.SensorEvaluationContext, home: HomeResource, database: DatabaseResource
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        coded = [symbol for symbol, market in home.markets.items() if market.cftc_codes]
        if not coded or home.config.history_end is not None:
            yield dg.SkipReason("no market with a CFTC code, or a home on a finished data set")
            return
        calendar = home.calendars[coded[0]]
        finished = calendar.latest_finished(home.now())
        expected = expected_reports(cutoff_frame(calendar, [finished]))["expected_report"][0]
        week = monday_of(expected)
        held = latest_content(database.engine, datasets=[RAW_COT_REPORTS.name], first=week, last=week)
        if held.filter(held["row_count"] > 0).height:
            yield dg.SkipReason(f"the report of {expected} has arrived")
            return
        slot = int(home.now().timestamp()) // LATE_REPORT_EVERY_SECONDS
        yield dg.RunRequest(run_key=f"late|{week}|{slot}", tags=week_tags(week, week))

    return late


def schedules_and_sensors(
    home: HomeConfig, markets: Sequence[MarketSpec]
) -> tuple[list[dg.ScheduleDefinition], list[dg.SensorDefinition]]:
    """What runs by itself in a home; a home on a finished data set has nothing to wait for."""
    if home.history_end is not None:
        return [], []
    return dataset_schedules(markets), [late_report_sensor()]
