"""Which option quotes carry information on the smile, and why the others do not.

Every quote leaves with exactly one reason; ``used`` is one of them. The rules are those of a thin market: the
out-of-the-money leg only (the other one is mostly intrinsic value, and an American one carries early exercise), a bid
of at least one tick, a half-spread of at most a fifth of the mid or two ticks, a price inside its no-arbitrage bounds.
A chain that has settlements and no quotes gets a synthetic half-spread, and says so.
"""

from collections.abc import Mapping
from enum import StrEnum

import numpy as np
import polars as pl

from hydra_assets.options.implied_vol import IvStatus, half_spread_in_vol, implied_total_vol

MAX_HALF_SPREAD_OF_MID = 0.20
MAX_HALF_SPREAD_TICKS = 2.0
SYNTHETIC_HALF_SPREAD_OF_SETTLE = 0.05
MIN_DAYS_TO_EXPIRY = 3
MAX_UNDERLYING_AGE_SESSIONS = 1
MAX_QUOTE_AGE_HOURS = 30.0
FLOOR_VOL_POINTS = 0.3
"""Half-spreads below 0.3 vol points say more about the rounding than about the market."""


class QuoteReason(StrEnum):
    """What became of one quote."""

    USED = "used"
    NEAR_EXPIRY = "near_expiry"
    NO_FORWARD = "no_forward"
    """The underlying has no settle, or an old one."""
    IN_THE_MONEY = "in_the_money"
    NO_PRICE = "no_price"
    ONE_SIDED = "one_sided"
    CROSSED = "crossed"
    BELOW_TICK = "below_tick"
    WIDE = "wide"
    OLD = "old"
    NO_TIME_VALUE = "no_time_value"
    ABOVE_BOUND = "above_bound"
    NOT_A_NUMBER = "not_a_number"


_BY_STATUS = {
    IvStatus.INPUT_NOT_FINITE: QuoteReason.NOT_A_NUMBER,
    IvStatus.INPUT_NOT_POSITIVE: QuoteReason.NOT_A_NUMBER,
    IvStatus.AT_OR_BELOW_INTRINSIC: QuoteReason.NO_TIME_VALUE,
    IvStatus.AT_OR_ABOVE_UPPER_BOUND: QuoteReason.ABOVE_BOUND,
}


def clean(quotes: pl.DataFrame, option_tick: Mapping[str, float]) -> pl.DataFrame:
    """Judge every quote and invert the ones that stand.

    Parameters
    ----------
    quotes
        ``[n]`` rows of ``option_quotes``.
    option_tick
        Tick of the option premium by market; a market without one is a KeyError.

    Returns
    -------
    The rows with ``quote_reason``, ``synthetic_spread``, ``log_moneyness`` k = ln(K/F), ``total_variance`` and
    ``half_spread_variance``; the last three are null where the quote is not used. Prices are taken as undiscounted
    and European: early exercise and the discount factor are left to the full engine.
    """
    if missing := set(quotes["market"].unique().to_list()) - set(option_tick):
        raise KeyError(f"no option tick for {', '.join(sorted(missing))}")
    finite = [
        pl.when(pl.col(c).is_finite()).then(pl.col(c)).alias(c)
        for c in ("bid", "ask", "settle", "underlying_settle", "strike")
    ]
    tick = pl.col("market").replace_strict(dict(option_tick), return_dtype=pl.Float64)
    rows = quotes.with_columns(*finite, tick.alias("tick")).with_columns(
        (pl.col("bid").is_null() & pl.col("ask").is_null() & (pl.col("settle") > 0.0))
        .fill_null(value=False)
        .alias("synthetic_spread")
    )
    settled = pl.max_horizontal("tick", SYNTHETIC_HALF_SPREAD_OF_SETTLE * pl.col("settle"))
    rows = rows.with_columns(
        pl.when("synthetic_spread").then("settle").otherwise((pl.col("bid") + pl.col("ask")) / 2).alias("mid"),
        pl.when("synthetic_spread").then(settled).otherwise((pl.col("ask") - pl.col("bid")) / 2).alias("half_spread"),
    )
    quoted = ~pl.col("synthetic_spread")
    in_the_money = pl.when(pl.col("right") == "C").then(pl.col("strike") < pl.col("underlying_settle"))
    widest = pl.max_horizontal(MAX_HALF_SPREAD_OF_MID * pl.col("mid"), MAX_HALF_SPREAD_TICKS * pl.col("tick"))
    rules: list[tuple[pl.Expr, QuoteReason]] = [
        (pl.col("days_to_expiry") < MIN_DAYS_TO_EXPIRY, QuoteReason.NEAR_EXPIRY),
        (
            (pl.col("underlying_settle").fill_null(0.0) <= 0.0)
            | (pl.col("underlying_age_sessions").fill_null(0) > MAX_UNDERLYING_AGE_SESSIONS),
            QuoteReason.NO_FORWARD,
        ),
        (pl.col("strike").fill_null(0.0) <= 0.0, QuoteReason.NOT_A_NUMBER),
        (in_the_money.otherwise(pl.col("strike") >= pl.col("underlying_settle")), QuoteReason.IN_THE_MONEY),
        (quoted & pl.col("bid").is_null() & pl.col("ask").is_null(), QuoteReason.NO_PRICE),
        (quoted & (pl.col("bid").is_null() | pl.col("ask").is_null()), QuoteReason.ONE_SIDED),
        (quoted & (pl.col("ask") <= pl.col("bid")), QuoteReason.CROSSED),
        (quoted & (pl.col("bid") < pl.col("tick")), QuoteReason.BELOW_TICK),
        (quoted & (pl.col("half_spread") > widest), QuoteReason.WIDE),
        (pl.col("quote_age_hours") > MAX_QUOTE_AGE_HOURS, QuoteReason.OLD),
    ]
    verdict = pl.coalesce(*[pl.when(bad).then(pl.lit(str(code))) for bad, code in rules], pl.lit(str(QuoteReason.USED)))
    return _inverted(rows.with_columns(verdict.alias("quote_reason")))


def _inverted(rows: pl.DataFrame) -> pl.DataFrame:
    used = (rows["quote_reason"] == QuoteReason.USED).to_numpy()
    part = rows.filter(pl.Series(used))
    forward, strike = part["underlying_settle"].to_numpy(), part["strike"].to_numpy()
    result = implied_total_vol(part["mid"].to_numpy(), forward, strike, (part["right"] == "C").to_numpy())
    s, k = result.total_vol, np.log(strike / forward)
    width = half_spread_in_vol(-np.abs(k), s, part["half_spread"].to_numpy() / np.sqrt(forward * strike))
    floor = FLOOR_VOL_POINTS / 100.0 * np.sqrt(part["year_fraction"].to_numpy())
    reasons = rows["quote_reason"].to_numpy().astype(object)
    codes = np.array([str(_BY_STATUS.get(IvStatus(c), QuoteReason.USED)) for c in range(len(IvStatus))], dtype=object)
    reasons[used] = codes[result.status]
    columns = {
        "log_moneyness": k,
        "total_variance": s * s,
        "half_spread_variance": 2.0 * s * np.maximum(width, floor),
    }
    out = []
    for name, values in columns.items():
        full = np.full(len(rows), np.nan)
        full[used] = values
        out.append(pl.Series(name, full))
    frame = rows.drop("mid", "half_spread", "tick").with_columns(
        pl.Series("quote_reason", reasons.tolist(), dtype=pl.String), *out
    )
    keep = pl.col("quote_reason") == QuoteReason.USED
    return frame.with_columns(pl.when(keep).then(pl.col(name)).alias(name) for name in columns)
