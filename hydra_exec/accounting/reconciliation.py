"""Rows of ``slippage_reconciliation``: what each fill cost beside what was expected. Pure."""

from collections.abc import Mapping

import polars as pl

from hydra_assets.markets.model import MarketSpec
from hydra_exec.slippage.measure import MEASURED, measure

RECONCILIATION_COLUMNS = tuple(name for name in MEASURED if name not in {"executed_at"})


def slippage_reconciliation(
    fills: pl.DataFrame, liquidity: pl.DataFrame, markets: Mapping[str, MarketSpec]
) -> pl.DataFrame:
    """Rows of ``RECONCILIATION_COLUMNS``, one for each fill, by market, session and the broker's name of it.

    Parameters
    ----------
    fills
        ``measure.FILL_FACTS`` of the sessions' fills, by their last revision; those that are of no order of ours have
        nothing that they were expected to cost, and are left out by the caller.
    liquidity
        ``measure.LIQUIDITY_FACTS`` of the same sessions.
    """
    return measure(fills, liquidity, markets).select(RECONCILIATION_COLUMNS).sort("market", "session", "exec_id")
