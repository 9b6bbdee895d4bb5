"""Parity forwards: exact on exact chains, the milk chain's own figure, and nothing from too few pairs."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.options.american import american_price
from hydra_assets.options.black76 import price
from hydra_assets.options.parity import MAX_PAIRS, parity_forwards

SESSION, EXPIRY = date(2026, 1, 5), date(2026, 4, 6)


def chain(
    forward: float,
    rate: float = 0.0,
    years: float = 0.25,
    vol: float = 0.3,
    exercise: str = "european",
    margin_style: str = "premium_upfront",
    half_spread: float = 0.05,
    **columns: object,
) -> pl.DataFrame:
    strike = np.repeat(np.arange(80.0, 121.0, 5.0), 2)
    is_call = np.tile([True, False], len(strike) // 2)
    total_vol = np.full(len(strike), vol * years**0.5)
    at = np.full(len(strike), forward)
    if exercise == "american":
        mid = american_price(at, strike, total_vol, np.full(len(strike), rate * years), is_call)
    else:
        upfront = margin_style == "premium_upfront"
        mid = np.exp(-rate * years * upfront) * price(at, strike, total_vol, is_call)
    rows = pl.DataFrame(
        {
            "strike": strike,
            "right": np.where(is_call, "C", "P"),
            "bid": mid - half_spread * np.linspace(0.9, 1.1, len(strike)),
            "ask": mid + half_spread * np.linspace(0.9, 1.1, len(strike)),
        }
    )
    constants = {
        "market": "X",
        "session": SESSION,
        "expiry": EXPIRY,
        "underlying_settle": 100.0,
        "year_fraction": years,
        "rate": rate,
        "exercise": exercise,
        "margin_style": margin_style,
        **columns,
    }
    return rows.with_columns(pl.lit(value).alias(name) for name, value in constants.items())


@settings(max_examples=40, deadline=None)
@given(
    forward=st.floats(90.0, 110.0),
    rate=st.floats(-0.02, 0.2),
    years=st.floats(0.05, 2.0),
    margin_style=st.sampled_from(["premium_upfront", "futures_style"]),
)
def test_a_european_chain_gives_its_forward(forward: float, rate: float, years: float, margin_style: str) -> None:
    found = parity_forwards(chain(forward, rate, years, margin_style=margin_style)).row(0, named=True)
    assert found["parity_forward"] == pytest.approx(forward, rel=1e-12)
    assert found["pairs_used"] == MAX_PAIRS


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.12])
@pytest.mark.parametrize("years", [0.1, 1.0])
@pytest.mark.parametrize("forward", [85.0, 98.0, 100.0, 111.0])
def test_an_american_chain_gives_its_forward_within_the_doubt(rate: float, years: float, forward: float) -> None:
    quotes = chain(forward, rate, years, exercise="american", half_spread=0.01)
    found = parity_forwards(quotes).row(0, named=True)
    # The pairs' spread is 0.02; the rest of the half-spread is what early exercise leaves open.
    doubt = found["parity_half_spread"] - 0.02
    assert abs(found["parity_forward"] - forward) <= doubt + 1e-2
    assert doubt < 0.5 * rate * years * 12.0 + 0.01


def test_the_gap_is_in_half_spreads_of_a_pair() -> None:
    found = parity_forwards(chain(100.5)).row(0, named=True)
    assert found["parity_half_spread"] == pytest.approx(0.1, rel=0.1)
    assert found["settle_gap_half_spreads"] == pytest.approx(0.5 / found["parity_half_spread"])


def test_wide_pairs_far_from_the_money_do_not_move_it() -> None:
    quotes = chain(100.0)
    far = pl.col("strike").is_in([80.0, 85.0, 115.0, 120.0])
    spoiled = quotes.with_columns(
        pl.when(far & (pl.col("right") == "C")).then(pl.col("ask") + 3.0).otherwise("ask").alias("ask")
    )
    assert parity_forwards(spoiled)["parity_forward"].item() == pytest.approx(100.0, rel=1e-12)


def test_wide_pairs_of_a_thin_american_chain_are_left_out() -> None:
    # In the manner of a thin dairy chain about 17.56: bid and ask of call and put; the last pair alone would say 17.6.
    pairs = [
        (17.0, 0.83, 0.90, 0.28, 0.33),
        (17.25, 0.66, 0.74, 0.37, 0.43),
        (17.5, 0.52, 0.60, 0.47, 0.55),
        (17.75, 0.41, 0.47, 0.58, 0.66),
        (18.0, 0.30, 0.36, 0.72, 0.80),
        (20.0, 0.02, 0.30, 2.20, 2.90),
    ]
    rows = [
        {"strike": k, "right": right, "bid": bid, "ask": ask}
        for k, cb, ca, pb, pa in pairs
        for right, bid, ask in (("C", cb, ca), ("P", pb, pa))
    ]
    constants = chain(100.0).drop("strike", "right", "bid", "ask").head(1)
    quotes = pl.DataFrame(rows).join(constants, how="cross")
    quotes = quotes.with_columns(exercise=pl.lit("american"), underlying_settle=pl.lit(17.56))
    found = parity_forwards(quotes).row(0, named=True)
    assert found["parity_forward"] == pytest.approx(17.56, abs=0.02)
    assert found["pairs_used"] == 5


@pytest.mark.parametrize(
    "spoil",
    [
        {"bid": None},
        {"ask": None},
        {"bid": float("nan")},
        {"bid": 0.0},
        {"ask": 0.0},
        {"rate": float("nan")},
        {"rate": None},
        {"right": "C"},
    ],
)
def test_a_slice_without_pairs_keeps_its_row(spoil: dict[str, object]) -> None:
    types = {"bid": pl.Float64, "ask": pl.Float64, "rate": pl.Float64, "right": pl.String}
    bad = chain(100.0).with_columns(pl.lit(v, dtype=types[n]).alias(n) for n, v in spoil.items())
    found = parity_forwards(bad).row(0, named=True)
    assert found["pairs_used"] == 0
    assert found["parity_forward"] is None
    assert found["settle_gap_half_spreads"] is None


def test_two_pairs_are_too_few() -> None:
    found = parity_forwards(chain(100.0).filter(pl.col("strike") <= 85.0)).row(0, named=True)
    assert (found["pairs_used"], found["parity_forward"]) == (2, None)


def test_no_settle_leaves_the_gap_open() -> None:
    bare = chain(100.0).with_columns(pl.lit(None, dtype=pl.Float64).alias("underlying_settle"))
    found = parity_forwards(bare).row(0, named=True)
    assert found["parity_forward"] == pytest.approx(100.0)
    assert found["settle_gap_half_spreads"] is None


def test_a_slice_does_not_depend_on_its_batch_or_on_the_order_of_rows() -> None:
    parts = [chain(90.0 + i, market=f"M{i}", exercise="american", rate=0.05) for i in range(12)]
    alone = pl.concat([parity_forwards(part) for part in parts]).sort("market")
    together = parity_forwards(pl.concat(parts).sample(fraction=1.0, shuffle=True, seed=1)).sort("market")
    assert together.equals(alone)


def test_no_quotes_give_no_rows() -> None:
    assert parity_forwards(chain(100.0).clear()).shape == (0, 7)
