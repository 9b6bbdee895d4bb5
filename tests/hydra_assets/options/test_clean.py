"""Quote rules: one reason each, nothing lost, and no quote left that another one dominates."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.options.black76 import price
from hydra_assets.options.clean import QuoteReason, QuoteTerms, clean
from hydra_assets.options.dominance import dominated

DAY, EXPIRY = date(2026, 9, 1), date(2026, 10, 31)
TERMS = QuoteTerms(tick=0.025, strike_interval=2.0)
STRIKES = np.arange(70.0, 132.0, 2.0)


def chain(forward: float = 100.0, vol: float = 0.3, half_spread: float = 0.05) -> pl.DataFrame:
    """A full chain of calls and puts around a flat smile, every quote good."""
    years = 60 / 365
    frames = []
    for right in ("C", "P"):
        total = np.full(len(STRIKES), vol * np.sqrt(years))
        mid = price(np.full(len(STRIKES), forward), STRIKES, total, np.full(len(STRIKES), right == "C"))
        frames.append(
            pl.DataFrame(
                {"strike": STRIKES, "bid": np.maximum(mid - half_spread, 0.0), "ask": mid + half_spread}
            ).with_columns(
                pl.lit(right).alias("right"), (pl.lit(f"X {right} ") + pl.col("strike").cast(pl.String)).alias("option")
            )
        )
    return pl.concat(frames).with_columns(
        pl.lit("SIM_HE").alias("market"),
        pl.lit(DAY).alias("session"),
        pl.lit(EXPIRY).alias("expiry"),
        pl.lit(None, pl.Float64).alias("settle"),
        pl.lit(forward).alias("underlying_settle"),
        pl.lit(0).alias("underlying_age_sessions"),
        pl.lit(60).alias("days_to_expiry"),
        pl.lit(years).alias("year_fraction"),
        pl.lit(1.0).alias("quote_age_hours"),
        pl.lit("american").alias("exercise"),
        pl.lit("premium_upfront").alias("margin_style"),
        pl.lit(0.04).alias("rate"),
    )


def at(strike: float, right: str = "C") -> pl.Expr:
    """One quote of the chain."""
    return (pl.col("strike") == strike) & (pl.col("right") == right)


def spoilt(column: str, value: object, where: pl.Expr) -> pl.DataFrame:
    """The chain with one cell replaced."""
    return chain().with_columns(pl.when(where).then(pl.lit(value)).otherwise(column).alias(column))


def reason(rows: pl.DataFrame, strike: float, right: str = "C") -> str:
    """Verdict on one quote."""
    return str(clean(rows, TERMS).filter(at(strike, right))["quote_reason"].item())


def test_a_good_chain_keeps_its_out_of_the_money_legs_and_both_next_to_the_money() -> None:
    judged = clean(chain(), TERMS)
    used = judged.filter(pl.col("quote_reason") == "used")
    assert judged.height == 2 * len(STRIKES)
    assert used.filter(pl.col("right") == "C")["strike"].min() == 98.0
    assert used.filter(pl.col("right") == "P")["strike"].max() == 102.0
    assert set(judged["quote_reason"]) == {"used", "in_the_money", "below_tick", "wide"}
    assert used["log_moneyness"].to_list() == pytest.approx(np.log(used["strike"].to_numpy() / 100.0).tolist())


@pytest.mark.parametrize(
    ("column", "value", "wanted"),
    [
        ("bid", float("nan"), QuoteReason.NOT_A_NUMBER),
        ("ask", float("inf"), QuoteReason.NOT_A_NUMBER),
        ("bid", -1.0, QuoteReason.NOT_POSITIVE),
        ("ask", 0.0, QuoteReason.NOT_POSITIVE),
        ("strike", 11_000.0, QuoteReason.STRIKE_UNIT),
        ("bid", None, QuoteReason.ONE_SIDED),
        ("bid", 9.9, QuoteReason.CROSSED),
        ("bid", 0.0, QuoteReason.BELOW_TICK),
        ("ask", 4.0, QuoteReason.WIDE),
        ("quote_age_hours", 31.0, QuoteReason.OLD),
        ("underlying_settle", None, QuoteReason.NO_FORWARD),
        ("underlying_settle", 0.0, QuoteReason.NO_FORWARD),
        ("underlying_age_sessions", 2, QuoteReason.NO_FORWARD),
        ("rate", float("nan"), QuoteReason.NO_RATE),
        ("days_to_expiry", 0, QuoteReason.NEAR_EXPIRY),
    ],
)
def test_one_bad_cell_gives_one_reason_and_leaves_the_others_alone(column: str, value: object, wanted: str) -> None:
    rows = spoilt(column, value, at(110.0))
    judged = clean(rows, TERMS)
    touched = judged.filter(pl.col("option") == "X C 110.0")
    assert touched["quote_reason"].item() == wanted
    others = clean(chain(), TERMS).filter(pl.col("option") != "X C 110.0")
    assert judged.filter(pl.col("option") != "X C 110.0")["quote_reason"].to_list() == others["quote_reason"].to_list()


def test_a_quote_without_any_price_says_so() -> None:
    rows = chain().with_columns(pl.when(~at(110.0)).then(pl.col(c)).alias(c) for c in ("bid", "ask"))
    assert reason(rows, 110.0) == "no_price"


def test_settlements_alone_get_a_synthetic_spread_and_the_flag() -> None:
    rows = chain().with_columns(((pl.col("bid") + pl.col("ask")) / 2).alias("settle"))
    rows = rows.with_columns(pl.lit(None, pl.Float64).alias(c) for c in ("bid", "ask"))
    judged = clean(rows, TERMS)
    used = judged.filter(pl.col("quote_reason") == "used")
    assert used["synthetic_spread"].all()
    assert used.height > 20
    assert used["half_spread"].to_list() == pytest.approx(np.maximum(0.025, 0.05 * used["mid"].to_numpy()).tolist())


def test_a_stale_quote_that_contradicts_the_others_goes_alone() -> None:
    dear = chain().with_columns(pl.when(at(112.0)).then(pl.col(c) + 2.5).otherwise(c).alias(c) for c in ("bid", "ask"))
    judged = clean(dear, TERMS)
    assert judged.filter(pl.col("quote_reason") == "not_monotone")["option"].to_list() == ["X C 112.0"]
    bulge = chain().with_columns(
        pl.when(at(86.0, "P")).then(pl.col(c) + 0.2).otherwise(c).alias(c) for c in ("bid", "ask")
    )
    found = clean(bulge, TERMS).filter(pl.col("quote_reason") == "not_convex")
    assert found["option"].to_list() == ["X P 86.0"]


def test_a_price_at_immediate_exercise_or_above_its_upper_bound_is_out_of_bounds() -> None:
    flat = chain().with_columns(
        pl.when(at(98.0)).then(2.0 + e).otherwise(c).alias(c) for c, e in (("bid", -0.1), ("ask", 0.1))
    )
    assert reason(flat, 98.0) == "out_of_bounds"
    above = chain().with_columns(
        pl.when(at(130.0)).then(101.0 + e).otherwise(c).alias(c) for c, e in (("bid", -0.1), ("ask", 0.1))
    )
    assert reason(above, 130.0) == "out_of_bounds"


def test_an_empty_chain_stays_empty() -> None:
    assert clean(chain().head(0), TERMS).is_empty()


def test_the_verdicts_of_a_session_do_not_depend_on_its_neighbours() -> None:
    other = chain(forward=97.0, vol=0.5).with_columns(pl.lit(date(2026, 9, 2)).alias("session"))
    both = clean(pl.concat([other, chain()]), TERMS).filter(pl.col("session") == DAY)
    assert both.equals(clean(chain(), TERMS))


@given(st.lists(st.tuples(st.floats(0.01, 10.0), st.floats(0.0, 2.0)), min_size=1, max_size=9))
def test_what_is_left_has_a_convex_falling_price_inside_its_spreads(quotes: list[tuple[float, float]]) -> None:
    low = np.array([bid for bid, _ in quotes])
    high = low + np.array([width for _, width in quotes])
    n = len(quotes)
    x = np.arange(n, dtype=np.float64)
    rising, bulging = dominated(np.zeros(n, dtype=np.int64), np.arange(n), x, low, high)
    left = np.flatnonzero(~rising & ~bulging)
    assert len(left) >= 1
    for a, i in enumerate(left):
        assert all(low[j] <= high[i] * (1 + 1e-9) for j in left[a + 1 :])
    for i, j, k in zip(left, left[1:], left[2:], strict=False):
        chord = high[i] + (high[k] - high[i]) * (x[j] - x[i]) / (x[k] - x[i])
        assert low[j] <= chord * (1 + 1e-9)
