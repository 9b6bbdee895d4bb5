"""What each fill cost against a reference price, beside what the cost model expected. Pure.

    actual    = side (fill price - reference) / tick
    predicted = half spread + Y sigma P sqrt(Q / ADV) / tick

The reference is the settle of the decision, which also holds what the market did overnight, and the middle of the quote
when the ticket was sent, which does not: bias and learning are of the second ("implementation shortfall" and "arrival
price", Perold, "The implementation shortfall: paper versus reality", 1988). Q are the lots of the order that filled in
the session; sigma, ADV and P are as known at the decision. What is paid is positive.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from hydra_assets.markets.model import MarketSpec
from hydra_assets.state.records import Side

FILL_FACTS = (
    "market",
    "session",
    "exec_id",
    "order_ref",
    "contract",
    "side",
    "quantity",
    "fill_price",
    "executed_at",
    "reference_price",
    "mid_at_send",
)
"""A fill with its order: ``session`` in which it was done, ``reference_price`` the settle of the decision,
``mid_at_send`` the middle of the quote that its ticket was sent on, null where it was not kept."""
LIQUIDITY_FACTS = ("market", "session", "sigma_daily", "adv", "impact_y")
"""By the session in which fills were done: volatility and volume as known at the cutoff before, and the Y that held."""
MEASURED = (
    *FILL_FACTS,
    "half_spread_ticks",
    "decision_slippage_ticks",
    "arrival_slippage_ticks",
    "predicted_slippage_ticks",
    "impact_unit_ticks",
    "decision_slippage_money",
    "arrival_slippage_money",
    "predicted_slippage_money",
    "hour_bucket",
    "size_bucket",
)
"""Ticks are of one lot, money is of the whole fill. ``impact_unit_ticks`` is the impact that Y = 1 expects of a lot,
``hour_bucket`` the local hour in which it filled. What cannot be computed is null."""

SIZE_BUCKETS = ((1, "1"), (5, "2-5"), (20, "6-20"))
"""Largest order of each bucket, in lots; whatever is larger is in the last."""
LARGEST_SIZE = "21+"
MIN_CORRELATED = 3
"""Fills below which there is no correlation."""


def measure(fills: pl.DataFrame, liquidity: pl.DataFrame, markets: Mapping[str, MarketSpec]) -> pl.DataFrame:
    """Rows of ``MEASURED``, one for each row of ``FILL_FACTS``; ``liquidity`` has rows of ``LIQUIDITY_FACTS``."""
    known = fills.select(FILL_FACTS).join(_terms(markets), on="market", how="inner", maintain_order="left")
    known = known.join(liquidity.select(LIQUIDITY_FACTS), on=["market", "session"], how="left", maintain_order="left")
    sign = pl.when(pl.col("side") == str(Side.BUY)).then(1.0).otherwise(-1.0)
    lots = pl.col("quantity").sum().over("market", "session", "order_ref")
    unit = pl.col("sigma_daily") * pl.col("reference_price").abs() * (lots / pl.col("adv")).sqrt() / pl.col("tick")
    to_money = pl.col("quantity") * pl.col("tick") * pl.col("multiplier")
    return (
        known.with_columns(
            (sign * (pl.col("fill_price") - pl.col("reference_price")) / pl.col("tick")).alias(
                "decision_slippage_ticks"
            ),
            (sign * (pl.col("fill_price") - pl.col("mid_at_send")) / pl.col("tick")).alias("arrival_slippage_ticks"),
            pl.when(pl.col("adv") > 0.0).then(unit).alias("impact_unit_ticks").fill_nan(None),
            _size_bucket(lots).alias("size_bucket"),
        )
        .with_columns(
            (pl.col("half_spread_ticks") + pl.col("impact_y") * pl.col("impact_unit_ticks")).alias(
                "predicted_slippage_ticks"
            )
        )
        .with_columns(
            *(
                (pl.col(f"{name}_slippage_ticks") * to_money).round(2).alias(f"{name}_slippage_money")
                for name in ("decision", "arrival", "predicted")
            ),
            _local_hour(markets).alias("hour_bucket"),
        )
        .select(MEASURED)
    )


def by_order(measured: pl.DataFrame) -> pl.DataFrame:
    """One row for each order and session: fills whose slippage is known, lots, and ticks as the lots' mean."""
    keys = ("market", "session", "order_ref")
    weighed = ("decision_slippage_ticks", "arrival_slippage_ticks", "predicted_slippage_ticks", "impact_unit_ticks")
    return measured.group_by(*keys, maintain_order=True).agg(
        pl.col("arrival_slippage_ticks").count().cast(pl.Int64).alias("fills"),
        pl.col("quantity").sum(),
        pl.col("half_spread_ticks", "size_bucket").first(),
        *(_mean(name).alias(name) for name in weighed),
    )


def summary(measured: pl.DataFrame, by: Sequence[str] = ()) -> pl.DataFrame:
    """How well slippage was expected, for each value of ``by`` (of market, hour_bucket, size_bucket), or of all.

    Columns: ``fills`` and ``lots`` that have both figures; the lots' mean of ``arrival_slippage_ticks`` and
    ``predicted_slippage_ticks``; ``bias_half_spreads``, the lots' mean of what was paid beyond the expectation, in
    half-spreads of its market; ``correlation`` of the two in half-spreads over fills, null below three fills or where
    one of them does not vary.
    """
    both = measured.drop_nulls(["arrival_slippage_ticks", "predicted_slippage_ticks"]).with_columns(
        (pl.col("arrival_slippage_ticks") / pl.col("half_spread_ticks")).alias("actual"),
        (pl.col("predicted_slippage_ticks") / pl.col("half_spread_ticks")).alias("expected"),
    )
    figures = (
        pl.len().cast(pl.Int64).alias("fills"),
        pl.col("quantity").sum().alias("lots"),
        _mean("arrival_slippage_ticks").alias("arrival_slippage_ticks"),
        _mean("predicted_slippage_ticks").alias("predicted_slippage_ticks"),
        (_mean("actual") - _mean("expected")).alias("bias_half_spreads"),
        pl.when(pl.len() >= MIN_CORRELATED).then(pl.corr("actual", "expected")).fill_nan(None).alias("correlation"),
    )
    return both.group_by(*by).agg(figures).sort(*by) if by else both.select(figures)


def _mean(name: str) -> pl.Expr:
    """Mean over lots of what is known."""
    known = pl.col(name).is_not_null()
    mean = (pl.col(name) * pl.col("quantity")).sum() / pl.col("quantity").filter(known).sum()
    return mean.fill_nan(None)


def _terms(markets: Mapping[str, MarketSpec]) -> pl.DataFrame:
    rows = [(m, s.tick, s.multiplier, s.liquidity.half_spread_ticks) for m, s in markets.items()]
    schema = {"market": pl.String, "tick": pl.Float64, "multiplier": pl.Float64, "half_spread_ticks": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _size_bucket(lots: pl.Expr) -> pl.Expr:
    bucket: pl.Expr = pl.lit(LARGEST_SIZE)
    for largest, name in reversed(SIZE_BUCKETS):
        bucket = pl.when(lots <= largest).then(pl.lit(name)).otherwise(bucket)
    return bucket


def _local_hour(markets: Mapping[str, MarketSpec]) -> pl.Expr:
    hour: pl.Expr = pl.lit(None, pl.Int64)
    for market, spec in markets.items():
        local = pl.col("executed_at").dt.convert_time_zone(spec.timezone).dt.hour().cast(pl.Int64)
        hour = pl.when(pl.col("market") == market).then(local).otherwise(hour)
    return hour
