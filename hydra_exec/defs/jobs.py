"""The daily trade job and when it runs."""

from collections.abc import Sequence
from datetime import timedelta

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from hydra_assets.columns import DAILY_PNL, FILLS, ORDERS, POSITIONS, SLIPPAGE_RECONCILIATION, TARGET_POSITIONS
from hydra_assets.defs.jobs import last_weekday, range_tags
from hydra_assets.defs.resources import DatabaseResource, HomeResource
from hydra_assets.markets.model import MarketSpec
from hydra_exec.broker.port import BrokerKind
from hydra_exec.config import trading_config
from hydra_exec.defs.live import WORK_JOB
from hydra_exec.trading_log import switched_on

TRADE_JOB = "trade_champion"
TRADED = (TARGET_POSITIONS, ORDERS, FILLS, POSITIONS, SLIPPAGE_RECONCILIATION, DAILY_PNL)


def trading_jobs() -> list[UnresolvedAssetJobDefinition]:
    """The daily trade job. A run that failed is looked at, never retried by itself; a repeated one changes nothing."""
    return [
        dg.define_asset_job(
            TRADE_JOB,
            selection=dg.AssetSelection.assets(*(spec.name for spec in TRADED)),
            description="Champion's predictions to targets, risk gate, orders, fills and books, over the run's range.",
            tags={"dagster/max_retries": "0"},
            executor_def=dg.in_process_executor,
        )
    ]


def trading_schedules(markets: Sequence[MarketSpec]) -> list[dg.ScheduleDefinition]:
    """Decide after the datasets of the evening are there; work at a real broker before the markets open."""
    symbols = [market.symbol for market in markets]

    @dg.schedule(
        job_name=TRADE_JOB,
        cron_schedule="30 21 * * 1-5",
        execution_timezone="America/Chicago",
        name="daily_trade",
        description="Trade the champion on today's session, where `hydra paper-trade` is on.",
    )
    def daily(context: dg.ScheduleEvaluationContext, database: DatabaseResource) -> dg.RunRequest | dg.SkipReason:
        day = last_weekday(context.scheduled_execution_time.date())
        if not switched_on(database.engine):
            return dg.SkipReason("`hydra paper-trade stop` holds")
        first = day - timedelta(days=day.weekday())
        return dg.RunRequest(run_key=f"trade|{day}", tags=range_tags(symbols, first, day))

    @dg.schedule(
        job_name=WORK_JOB,
        cron_schedule="20 8 * * 1-5",
        execution_timezone="America/Chicago",
        name="work_session",
        description="Work what was decided, in the session's hours, at a real broker.",
    )
    def work(
        context: dg.ScheduleEvaluationContext, home: HomeResource, database: DatabaseResource
    ) -> dg.RunRequest | dg.SkipReason:
        if trading_config(home.config).broker is BrokerKind.SIMULATED:
            return dg.SkipReason("the simulated broker has no hours of its own")
        if not switched_on(database.engine):
            return dg.SkipReason("`hydra paper-trade stop` holds")
        return dg.RunRequest(run_key=f"work|{context.scheduled_execution_time.date()}")

    return [daily, work]
