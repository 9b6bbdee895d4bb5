"""The forward that a chain itself implies, from its tightest call and put pairs: a check of the settle, never F.

With premium paid up front, rate r and T years to expiry, European options of one strike have C - P = e^(-rT) (F - K):

    F = K + e^(rT) (C - P).                                                                      (1)

American ones on a future have C = P where F = K, as C(F, K) = P(K, F) without carry, and C - P then moves with F by
between e^(-rT), as European ones do, and 1, as deep in the money. So F = K + g (C - P) with g between 1 and e^(rT), of
which the middle is taken and half the width counts as spread: next to nothing near the money. (The bounds that hold
without any model, e^(-rT) F - K <= C - P <= F - e^(-rT) K, are as wide as rT F and say little of a tight chain.)
Futures-style premiums are not discounted: F = K + C - P for both. Wide pairs far from the money are what moves the mean
of a thin chain, so the median of the few tightest ones is taken.
"""

import polars as pl

PAIRED = ("strike", "right", "bid", "ask", "rate", "year_fraction", "margin_style", "exercise")
MAX_PAIRS = 5
MIN_PAIRS = 3
SLICE = ("market", "session", "expiry")


def parity_forwards(quotes: pl.DataFrame) -> pl.DataFrame:
    """Parity forward of every slice.

    Parameters
    ----------
    quotes
        ``[n]`` rows of ``option_quotes`` with ``rate``, continuously compounded a year; null or NaN is no rate. One
        quote an option.

    Returns
    -------
    One row per market, session and expiry, sorted, with ``pairs_used`` (0 to 5 tightest strikes with both legs
    two-sided and positive), ``parity_forward`` (their median, price units), ``parity_half_spread`` (median of the
    pairs' own half-spreads) and ``settle_gap_half_spreads``, (parity_forward - underlying_settle) over
    ``parity_half_spread``. The numbers are null with fewer than three pairs, the gap without a settle.
    """
    two_sided = pl.all_horizontal(
        pl.col("bid").is_finite() & (pl.col("bid") > 0.0),
        pl.col("ask").is_finite() & (pl.col("ask") > pl.col("bid")),
        pl.col("strike").is_finite() & (pl.col("strike") > 0.0),
        pl.col("rate").is_finite(),
    )
    good = (
        quotes.select(*SLICE, *PAIRED)
        .filter(two_sided)
        .with_columns(
            ((pl.col("bid") + pl.col("ask")) / 2).alias("mid"),
            ((pl.col("ask") - pl.col("bid")) / 2).alias("half_spread"),
        )
    )
    key = [*SLICE, "strike"]
    puts = good.filter(pl.col("right") == "P").select(*key, "mid", "half_spread").unique(key, maintain_order=True)
    calls = good.filter(pl.col("right") == "C").unique(key, maintain_order=True)
    pairs = calls.join(puts, on=key, how="inner", suffix="_put")
    difference = pl.col("mid") - pl.col("mid_put")
    compounded = (pl.col("rate") * pl.col("year_fraction")).exp()
    growth = pl.when(pl.col("margin_style") == "futures_style").then(1.0).otherwise(compounded)
    american = pl.col("exercise") == "american"
    factor = pl.when(american).then((1.0 + growth) / 2).otherwise(growth)
    in_doubt = pl.when(american).then(difference.abs() * (growth - 1.0).abs() / 2).otherwise(0.0)
    pairs = pairs.with_columns(
        (pl.col("strike") + factor * difference).alias("forward"),
        (factor * (pl.col("half_spread") + pl.col("half_spread_put")) + in_doubt).alias("pair_half_spread"),
    )
    # A tie is broken towards the money, then by strike: never by the order of the rows.
    order = ["pair_half_spread", (pl.col("forward") - pl.col("strike")).abs(), "strike"]
    tightest = pairs.sort(order).group_by(SLICE, maintain_order=True).head(MAX_PAIRS)
    enough = pl.len() >= MIN_PAIRS
    found = tightest.group_by(SLICE).agg(
        pl.len().cast(pl.Int64).alias("pairs_used"),
        pl.when(enough).then(pl.col("forward").median()).alias("parity_forward"),
        pl.when(enough).then(pl.col("pair_half_spread").median()).alias("parity_half_spread"),
    )
    gap = (pl.col("parity_forward") - pl.col("underlying_settle")) / pl.col("parity_half_spread")
    return (
        quotes.group_by(SLICE)
        .agg(pl.col("underlying_settle").drop_nulls().first())
        .join(found, on=SLICE, how="left")
        .with_columns(pl.col("pairs_used").fill_null(0), gap.alias("settle_gap_half_spreads"))
        .select(*SLICE, "parity_forward", "parity_half_spread", "pairs_used", "settle_gap_half_spreads")
        .sort(SLICE)
    )
