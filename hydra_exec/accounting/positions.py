"""What is held at each session's cutoff: by the fills, and by the broker's own word. Pure."""

from collections.abc import Mapping
from datetime import date

import polars as pl

from hydra_assets.state.records import Side

POSITION_COLUMNS = ("market", "session", "contract", "position_contracts", "broker_contracts", "position_agrees")
"""``broker_contracts`` and ``position_agrees`` are missing where the broker was not asked in the session."""
FILL_KEY = ("account", "base_exec_id")

_SCHEMA = {
    "market": pl.String(),
    "session": pl.Date(),
    "contract": pl.String(),
    "position_contracts": pl.Int64(),
    "broker_contracts": pl.Int64(),
    "position_agrees": pl.Boolean(),
}


def latest_revisions(fills: pl.DataFrame) -> pl.DataFrame:
    """Each fill once, as its last revision says; one that was taken back is none.

    Parameters
    ----------
    fills
        account, base_exec_id, revision, quantity and whatever else, a row for each revision.
    """
    last = fills.sort("revision", maintain_order=True).unique(list(FILL_KEY), keep="last", maintain_order=True)
    return last.filter(pl.col("quantity") > 0)


def signed_quantity() -> pl.Expr:
    """Contracts of a fill, bought positive."""
    return pl.when(pl.col("side") == str(Side.BUY)).then(pl.col("quantity")).otherwise(-pl.col("quantity"))


def positions(
    fills: pl.DataFrame, word: Mapping[str, Mapping[date, Mapping[str, int]]], sessions: pl.DataFrame
) -> pl.DataFrame:
    """Rows of ``POSITION_COLUMNS``: contracts that are held, were traded in the session, or are the broker's word.

    Parameters
    ----------
    fills
        market, session (in which it was done), contract, side and quantity of every fill of the account up to the last
        session, by its last revision.
    word
        By market and session, contracts by contract as the broker last said in the session. A session that is not
        there was not asked about; a contract that is not in an answer is not held.
    sessions
        market and session of the rows that are wanted.
    """
    moves = (
        fills.with_columns(signed_quantity().cast(pl.Int64).alias("move"))
        .group_by("market", "session", "contract")
        .agg(pl.col("move").sum())
        .sort("market", "session", "contract")
    )
    wanted = sessions.select("market", "session").unique().sort("market", "session")
    rows: list[tuple[object, ...]] = []
    for (market,), own in wanted.group_by("market", maintain_order=True):
        said = word.get(str(market), {})
        left = list(moves.filter(pl.col("market") == market).select("session", "contract", "move").iter_rows())[::-1]
        held: dict[str, int] = {}
        for session in own["session"]:
            traded = set()
            while left and left[-1][0] <= session:
                on, contract, move = left.pop()
                held[contract] = held.get(contract, 0) + move
                traded |= {contract} if on == session else set()
            theirs = said.get(session)
            told = {contract for contract, lots in (theirs or {}).items() if lots}
            for contract in sorted({c for c, lots in held.items() if lots} | traded | told):
                lots = held.get(contract, 0)
                known = None if theirs is None else theirs.get(contract, 0)
                rows.append((market, session, contract, lots, known, None if known is None else known == lots))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")
