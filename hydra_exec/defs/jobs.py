"""The daily trade job and when it runs."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from hydra_assets.columns import DAILY_PNL, FILLS, ORDERS, POSITIONS, SLIPPAGE_RECONCILIATION, TARGET_POSITIONS

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
