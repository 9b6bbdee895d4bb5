"""Verdicts on prices: units that change overnight, calls and puts that contradict each other."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from hydra_assets.verdict import Severity, Verdict

UNIT_CHANGE_FACTOR = 5.0
"""A settle that moves by this factor overnight is a change of unit, not of price."""
UNIT_CHANGE_SHARE = 0.5
"""Share of a session's contracts that must move so, before it is called a unit change."""
MAX_PARITY_VIOLATIONS = 0.2
HIGHEST_RATE = 0.10
"""Interest rate (a year, continuous) up to which no early exercise is taken for a parity violation."""
PARITY_TOLERANCE = 0.01
"""Fraction of the underlying's settle by which quotes and settle may differ for not being of one instant."""


def check_price_jumps(bars: pl.DataFrame, limits: Mapping[str, float]) -> Verdict:
    """Settles do not change unit overnight; single large moves are counted.

    ``bars`` are price records of the range and the sessions before it. A session on which at least half of a market's
    contracts moved by a factor of five is a unit change and fails; single moves past the market's own limit are only
    counted, since limit moves and thin far contracts exist. The newest version of each settle counts: a wrong
    restatement fails, a wrong print that was corrected passes.
    """
    priced = bars.filter((pl.col("record") == "price") & (pl.col("settle") > 0))
    newest = priced.sort("known_at").unique(
        ["market", "contract", "source", "event_session"], keep="last", maintain_order=True
    )
    moved = (
        newest.sort("event_session")
        .with_columns(pl.col("settle").log().diff().over("market", "source", "contract").abs().alias("move"))
        .drop_nulls("move")
        .with_columns(pl.col("market").replace_strict(dict(limits), return_dtype=pl.Float64).alias("limit"))
    )
    large = moved.filter(pl.col("move") > pl.col("limit"))
    units = (
        moved.group_by("market", "event_session")
        .agg((pl.col("move") > np.log(UNIT_CHANGE_FACTOR)).mean().alias("share"))
        .filter(pl.col("share") >= UNIT_CHANGE_SHARE)
        .sort("event_session", "market")
    )
    numbers: dict[str, float | int | str] = {"moves": moved.height, "large": large.height, "unit_changes": units.height}
    where = ", ".join(f"{m} {s}" for m, s, _ in units.head(3).iter_rows())
    return Verdict(
        "price_jumps",
        units.is_empty(),
        Severity.ERROR,
        "ok" if units.is_empty() else "unit_change",
        f"{large.height} of {moved.height} settles moved past their market's limit"
        + (f"; unit changes: {where}" if where else ""),
        numbers,
    )


def check_parity(quotes: pl.DataFrame) -> Verdict:
    """Put-call parity within the quotes: C - P against F - K, allowing spread, interest and early exercise.

    For American options on a future, C - P lies between D (F - K) and F - K, D = exp(-r T): with F >= K the call is
    worth no more than the put, the future and F - K in cash, which pay for an exercise at any time; the put no more
    than the call, the sold future and D (F - K) owed. With F < K the roles change. European options sit on the
    discounted end, options margined like futures on the other. ``r`` is anything from 0 to 10 % a year. A pair fails
    where no point of its bid-ask box lies in that band, widened by one per cent of the settle; options without quotes
    count with their settle.
    """
    quoted = (pl.col("bid") > 0) & (pl.col("ask") >= pl.col("bid"))
    settled = pl.col("bid").is_null() & pl.col("ask").is_null() & (pl.col("settle") > 0)
    priced = quotes.filter((quoted | settled) & pl.col("underlying_settle").is_not_null()).with_columns(
        pl.coalesce("bid", "settle").alias("low"), pl.coalesce("ask", "settle").alias("high")
    )
    keys = ["market", "session", "expiry", "strike", "underlying_contract"]
    calls = priced.filter(pl.col("right") == "C").select(*keys, "underlying_settle", "year_fraction", "low", "high")
    puts = priced.filter(pl.col("right") == "P").select(*keys, "low", "high")
    pairs = calls.join(puts, on=keys, nulls_equal=True, suffix="_put")
    forward = pl.col("underlying_settle")
    undiscounted = forward - pl.col("strike")
    discounted = undiscounted * (-HIGHEST_RATE * pl.col("year_fraction")).exp()
    slack = PARITY_TOLERANCE * forward.abs()
    violated = pairs.filter(
        (pl.col("low") - pl.col("high_put") > pl.max_horizontal(discounted, undiscounted) + slack)
        | (pl.col("high") - pl.col("low_put") < pl.min_horizontal(discounted, undiscounted) - slack)
    ).height
    share = violated / pairs.height if pairs.height else 0.0
    return Verdict(
        "put_call_parity",
        share <= MAX_PARITY_VIOLATIONS,
        Severity.WARN,
        "ok" if share <= MAX_PARITY_VIOLATIONS else "parity",
        f"{violated} of {pairs.height} pairs break put-call parity by more than their spread",
        {"pairs": pairs.height, "violations": violated},
    )
