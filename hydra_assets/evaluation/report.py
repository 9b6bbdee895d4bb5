"""A replay as rows to keep: by market, session and strategy what was held, traded, paid and earned."""

import numpy as np
import polars as pl

from hydra_assets.evaluation.evidence import Played
from hydra_assets.replay.breakers import BreakerState
from hydra_assets.replay.by_market import by_market
from hydra_assets.replay.costs import CENTS
from hydra_assets.replay.market import FAULTS
from hydra_assets.replay.result import KINDS
from hydra_assets.replay.tables import ReplayConfig

STATES = {int(state): state.name.lower() for state in BreakerState}


def replay_rows(played: Played, symbol: str, config: ReplayConfig | None = None) -> pl.DataFrame:
    """Rows of ``replay_report`` of one market: every session from a strategy's first test on, all strategies.

    ``config`` is the one of the replay. Money is of the market alone; equity and breaker are the account's.
    """
    market, result = played.market, played.replay
    place = market.terms.symbols.index(symbol)
    sessions = pl.Series("session", market.days).cast(pl.Int32).cast(pl.Date)
    parts = []
    for index, (name, predictions) in enumerate(played.predictions.items()):
        if result.positions is None or result.fills is None or predictions.is_empty():
            continue
        books = by_market(market, config or ReplayConfig(), result, index)
        costs = {f"{kind}_money": books.costs[k, :, place] / CENTS for k, kind in enumerate(KINDS)}
        rows = pl.DataFrame(
            {
                "market": pl.repeat(symbol, len(sessions), eager=True),
                "session": sessions,
                "strategy": pl.repeat(name, len(sessions), eager=True),
                "position_lots": result.positions[index, :, place].astype(np.int64),
                "fill_lots": result.fills[index, :, place].astype(np.int64),
                "gross_money": books.gross[:, place] / CENTS,
                **costs,
                "net_money": books.net[:, place] / CENTS,
                "account_equity": result.equity[index],
                "breaker_state": [STATES[int(state)] for state in result.account_state[index]],
                "market_fault": [str(FAULTS[code]) for code in result.fault[:, place]],
            }
        )
        parts.append(rows.filter(pl.col("session") >= predictions["session"].min()))
    return pl.concat(parts) if parts else pl.DataFrame(schema=SCHEMA)


SCHEMA: dict[str, pl.DataType] = {
    "market": pl.String(),
    "session": pl.Date(),
    "strategy": pl.String(),
    "position_lots": pl.Int64(),
    "fill_lots": pl.Int64(),
    "gross_money": pl.Float64(),
    **{f"{kind}_money": pl.Float64() for kind in KINDS},
    "net_money": pl.Float64(),
    "account_equity": pl.Float64(),
    "breaker_state": pl.String(),
    "market_fault": pl.String(),
}
