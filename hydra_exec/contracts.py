"""Which real contract a market is traded in: the calendar's front, or the next once the crowd is there. Pure.

The calendar's roll stands before first notice of a physical contract and before last trade of a cash-settled one
(``MarketSpec.roll_days_before_expiry``); it is the latest moment to leave. In thin markets open interest moves earlier,
and what is left behind is hard to trade: the next contract is taken as soon as it had the larger open interest on most
of the last sessions, as published by their cutoffs.
"""

import polars as pl

CURVE_COLUMNS = (
    "market",
    "session",
    "contract",
    "contract_month",
    "role",
    "settle",
    "settle_age_sessions",
    "open_interest",
)
LOOK_BACK_SESSIONS = 5
MAJORITY = 3
"""Sessions of the last five on which the next contract has to lead: one day's count decides nothing."""


def traded_contracts(curve: pl.DataFrame) -> pl.DataFrame:
    """The contract to trade in each session of a market.

    Parameters
    ----------
    curve
        ``CURVE_COLUMNS`` of one market, from ``LOOK_BACK_SESSIONS`` before the first wanted session.

    Returns
    -------
    session, contract, settle, settle_age_sessions, role (front or next), one row a session that has a front.
    """
    rows = curve.filter(pl.col("role").is_in(["front", "next"])).sort("session", "contract_month", maintain_order=True)
    rows = rows.unique(["session", "role"], keep="first", maintain_order=True)
    front = rows.filter(pl.col("role") == "front")
    following = rows.filter(pl.col("role") == "next").select(
        "session", pl.col("contract").alias("following"), pl.col("open_interest").alias("following_interest")
    )
    both = front.join(following, on="session", how="left", maintain_order="left").sort("session")
    leads = (pl.col("following_interest") > pl.col("open_interest")).fill_null(value=False).cast(pl.Int64)
    led = both.with_columns(
        leads.rolling_sum(LOOK_BACK_SESSIONS, min_samples=1).over("contract", "following").alias("led")
    )
    chosen = led.select(
        "session",
        pl.when(pl.col("led") >= MAJORITY).then("following").otherwise("contract").alias("contract"),
        pl.when(pl.col("led") >= MAJORITY).then(pl.lit("next")).otherwise(pl.lit("front")).alias("role"),
    )
    prices = rows.select("session", "contract", "settle", "settle_age_sessions")
    return chosen.join(prices, on=["session", "contract"], how="left", maintain_order="left")
