"""What fills have taught of impact, as a replay reads it: every version of the markets, over their own terms."""

from collections.abc import Sequence

import polars as pl
import sqlalchemy as sa

from hydra_assets.markets.model import MarketSpec
from hydra_assets.replay.impact_versions import VERSION_SCHEMA
from hydra_assets.state.execution_tables import slippage_versions


def impact_multipliers(engine: sa.Engine, markets: Sequence[MarketSpec]) -> pl.DataFrame:
    """Every version of the markets, ``impact_y`` times ``pessimism`` over the market's own Y: ``VERSION_SCHEMA``."""
    own = {spec.symbol: spec.liquidity.impact_y for spec in markets}
    table = slippage_versions.c
    query = (
        sa.select(table.market, table.effective_after, table.impact_y, table.pessimism)
        .where(table.market.in_(own))
        .order_by(table.market, table.effective_after)
    )
    with engine.connect() as connection:
        rows = [
            (row.market, row.effective_after, row.impact_y * row.pessimism / own[row.market])
            for row in connection.execute(query)
        ]
    return pl.DataFrame(rows, schema=VERSION_SCHEMA, orient="row")
