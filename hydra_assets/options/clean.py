"""Which option quotes carry information on the smile, and why the others do not: ``clean_quotes``.

Every quote leaves with exactly one reason; ``used`` is one of them. The rules are those of a thin market: the
out-of-the-money leg only (the other one is mostly intrinsic value and early exercise), both legs next to the money; a
bid of at least one tick; a half-spread of at most a fifth of the mid or two ticks; a price inside its bounds; no quote
that another one dominates. A chain that has settlements and no quotes gets a synthetic half-spread, and says so.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import polars as pl

from hydra_assets.options.dominance import dominated

MAX_HALF_SPREAD_OF_MID = 0.20
MAX_HALF_SPREAD_TICKS = 2.0
SYNTHETIC_HALF_SPREAD_OF_SETTLE = 0.05
MIN_DAYS_TO_EXPIRY = 3
MAX_UNDERLYING_AGE_SESSIONS = 1
MAX_QUOTE_AGE_HOURS = 30.0
MAX_MONEYNESS_RATIO = 50.0
"""A strike that far from its forward is in another unit: puts on natural gas are listed down to a thirtieth of it."""
SLICE = ("market", "session", "expiry")


class QuoteReason(StrEnum):
    """What became of one quote."""

    USED = "used"
    NOT_A_NUMBER = "not_a_number"
    NOT_POSITIVE = "not_positive"
    """A price or strike at or below zero."""
    NEAR_EXPIRY = "near_expiry"
    NO_FORWARD = "no_forward"
    """The underlying has no settle, or an old one."""
    NO_RATE = "no_rate"
    STRIKE_UNIT = "strike_unit"
    """The strike is in another unit than the forward."""
    IN_THE_MONEY = "in_the_money"
    NO_PRICE = "no_price"
    ONE_SIDED = "one_sided"
    CROSSED = "crossed"
    BELOW_TICK = "below_tick"
    WIDE = "wide"
    OLD = "old"
    OUT_OF_BOUNDS = "out_of_bounds"
    """A call at or above its forward, a put at or above its strike, a price at or below immediate exercise."""
    NOT_MONOTONE = "not_monotone"
    """Dearer than an option that pays at least as much."""
    NOT_CONVEX = "not_convex"
    """Dearer than the two neighbours that together pay at least as much."""


@dataclass(frozen=True, slots=True)
class QuoteTerms:
    """Premium tick and strike distance of a market's options, in price units."""

    tick: float
    strike_interval: float


def clean(quotes: pl.DataFrame, terms: QuoteTerms) -> pl.DataFrame:
    """Judge every quote.

    Parameters
    ----------
    quotes
        ``[n]`` rows of ``option_quotes`` of one market with ``rate``, the discount rate of the session (NaN: none).
    terms
        Contract facts of the market's options.

    Returns
    -------
    The rows in order of slice, strike and right, with ``quote_reason``, ``mid`` and ``half_spread`` (price units, null
    without a price), ``synthetic_spread``, and ``log_moneyness`` ln(K/F), null without a forward.
    """
    rows = _priced(quotes.sort([*SLICE, "strike", "right"], maintain_order=True, nulls_last=True), terms)
    verdict = pl.coalesce(
        *[pl.when(bad.fill_null(value=False)).then(pl.lit(str(code))) for bad, code in _rules(terms)],
        pl.lit(str(QuoteReason.USED)),
    )
    rows = rows.with_columns(verdict.alias("quote_reason"))
    return _without_dominated(rows).drop("spoiled")


def _priced(rows: pl.DataFrame, terms: QuoteTerms) -> pl.DataFrame:
    """Mid, half-spread and moneyness of finite numbers; a NaN or infinity is remembered as ``spoiled``."""
    numbers = ("bid", "ask", "settle", "strike", "underlying_settle")
    spoiled = pl.any_horizontal(*[(~pl.col(c).is_finite()).fill_null(value=False) for c in numbers])
    rows = rows.with_columns(
        spoiled.alias("spoiled"),
        *(pl.when(pl.col(c).is_finite()).then(pl.col(c)).alias(c) for c in numbers),
    )
    rows = rows.with_columns(
        (pl.col("bid").is_null() & pl.col("ask").is_null() & (pl.col("settle") > 0.0))
        .fill_null(value=False)
        .alias("synthetic_spread")
    )
    settled = pl.max_horizontal(pl.lit(terms.tick), SYNTHETIC_HALF_SPREAD_OF_SETTLE * pl.col("settle"))
    # Not by polars' own logarithm, whose last bit depends on where in its column a number stands.
    with np.errstate(all="ignore"):
        moneyness = np.log(rows["strike"].to_numpy() / rows["underlying_settle"].to_numpy())
    known = (pl.col("strike") > 0.0) & (pl.col("underlying_settle") > 0.0)
    return rows.with_columns(
        pl.when("synthetic_spread").then("settle").otherwise((pl.col("bid") + pl.col("ask")) / 2).alias("mid"),
        pl.when("synthetic_spread").then(settled).otherwise((pl.col("ask") - pl.col("bid")) / 2).alias("half_spread"),
        pl.when(known).then(pl.Series(moneyness)).alias("log_moneyness"),
    )


def _rules(terms: QuoteTerms) -> list[tuple[pl.Expr, QuoteReason]]:
    """Rules in order; the first that is true gives the reason."""
    quoted, call = ~pl.col("synthetic_spread"), pl.col("right") == "C"
    forward, strike, mid = pl.col("underlying_settle"), pl.col("strike"), pl.col("mid")
    inside = pl.when(call).then(forward - strike).otherwise(strike - forward)
    upfront = (-pl.col("rate") * pl.col("year_fraction")).exp()
    discount = pl.when(pl.col("margin_style") == "futures_style").then(1.0).otherwise(upfront)
    early = pl.when(pl.col("exercise") == "american").then(1.0).otherwise(discount)
    upper = pl.when(call).then(forward).otherwise(strike) * early
    widest = pl.max_horizontal(MAX_HALF_SPREAD_OF_MID * mid, pl.lit(MAX_HALF_SPREAD_TICKS * terms.tick))
    return [
        (pl.col("spoiled"), QuoteReason.NOT_A_NUMBER),
        (
            strike.is_null() | (strike <= 0.0) | pl.any_horizontal(pl.col("bid", "ask") < 0.0) | (pl.col("ask") == 0.0),
            QuoteReason.NOT_POSITIVE,
        ),
        (pl.col("days_to_expiry") < MIN_DAYS_TO_EXPIRY, QuoteReason.NEAR_EXPIRY),
        (
            forward.is_null() | (forward <= 0.0) | (pl.col("underlying_age_sessions") > MAX_UNDERLYING_AGE_SESSIONS),
            QuoteReason.NO_FORWARD,
        ),
        (pl.col("rate").is_null() | pl.col("rate").is_nan(), QuoteReason.NO_RATE),
        ((strike / forward > MAX_MONEYNESS_RATIO) | (forward / strike > MAX_MONEYNESS_RATIO), QuoteReason.STRIKE_UNIT),
        (inside > terms.strike_interval, QuoteReason.IN_THE_MONEY),
        (quoted & pl.col("bid").is_null() & pl.col("ask").is_null(), QuoteReason.NO_PRICE),
        (quoted & (pl.col("bid").is_null() | pl.col("ask").is_null()), QuoteReason.ONE_SIDED),
        (quoted & (pl.col("ask") <= pl.col("bid")), QuoteReason.CROSSED),
        (quoted & (pl.col("bid") < terms.tick), QuoteReason.BELOW_TICK),
        (quoted & (pl.col("half_spread") > widest), QuoteReason.WIDE),
        (pl.col("quote_age_hours") > MAX_QUOTE_AGE_HOURS, QuoteReason.OLD),
        ((mid >= upper) | (mid <= pl.max_horizontal(pl.lit(0.0), inside * early)), QuoteReason.OUT_OF_BOUNDS),
    ]


def _without_dominated(rows: pl.DataFrame) -> pl.DataFrame:
    """Reject what cannot stand beside the rest of its slice and right: monotonicity, then convexity in strike."""
    standing = rows.with_row_index("place").filter(pl.col("quote_reason") == QuoteReason.USED)
    if standing.is_empty():
        return rows
    bid, ask = pl.col("mid") - pl.col("half_spread"), pl.col("mid") + pl.col("half_spread")
    leg = [*SLICE, "right"]
    standing = standing.select(
        "place", "strike", bid.alias("low"), ask.alias("high"), *leg, pl.struct(leg).rank("dense").alias("group")
    ).with_columns(
        # A put rises with its strike: mirrored, both rights fall from left to right.
        pl.when(pl.col("right") == "C").then("strike").otherwise(-pl.col("strike")).alias("across")
    )
    standing = standing.sort("group", "across").with_columns(pl.int_range(pl.len()).over("group").alias("column"))
    rising, bulging = dominated(
        (standing["group"].to_numpy() - 1).astype("int64"),
        standing["column"].to_numpy(),
        standing["across"].to_numpy(),
        standing["low"].to_numpy(),
        standing["high"].to_numpy(),
    )
    found = pl.DataFrame(
        {
            "place": standing["place"],
            "dominated": pl.select(
                pl.when(pl.Series(rising))
                .then(pl.lit(str(QuoteReason.NOT_MONOTONE)))
                .when(pl.Series(bulging))
                .then(pl.lit(str(QuoteReason.NOT_CONVEX)))
            ).to_series(),
        }
    )
    return (
        rows.with_row_index("place")
        .join(found, on="place", how="left", maintain_order="left")
        .with_columns(pl.coalesce("dominated", "quote_reason").alias("quote_reason"))
        .drop("place", "dominated")
    )
