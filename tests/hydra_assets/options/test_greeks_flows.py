"""Hedging flows of a listed market: by hand for one option, whole in every sum, honest about what is missing."""

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

from hydra_assets.options.flows import DealerConvention
from hydra_assets.options.greeks_flows import flows_of
from hydra_assets.options.vol_surface import average_of
from tests.support.chains import MULTIPLIER, Chain, Stages, noisy_chain, stages, stored, weekdays

FIGURES = [
    f"{name}_{kind}_per_{unit}"
    for name, unit in (("gex", "percent"), ("vanna", "vol_point"), ("charm", "day"))
    for kind in ("unsigned", "signed")
]


def flat(rate: float = 0.04, margin_style: str = "premium_upfront") -> pl.DataFrame:
    return Chain(days=60, rate=rate, margin_style=margin_style).quotes()


def rows_of(found: pl.DataFrame, level: str, basis: str = "open_interest") -> pl.DataFrame:
    return found.filter(pl.col("level") == level, pl.col("basis") == basis)


def only(quotes: pl.DataFrame, strike: float, right: str, contracts: float | None) -> pl.DataFrame:
    """Open interest in one option, none known in the others."""
    here = (pl.col("strike") == strike) & (pl.col("right") == right)
    return quotes.with_columns(pl.when(here).then(pl.lit(contracts)).alias("open_interest"))


@pytest.mark.parametrize(("right", "sign"), [("C", 1.0), ("P", -1.0)])
@pytest.mark.parametrize("margin_style", ["premium_upfront", "futures_style"])
def test_one_option_by_hand(right: str, sign: float, margin_style: str) -> None:
    quotes = only(flat(0.05, margin_style), 108.0, right, 250.0)
    found = stages(quotes)
    years, f, k = 60 / 365, 100.0, 108.0
    s = float(np.sqrt(average_of(found.surface).total_variance(np.log(np.array([[k / f]])))[0, 0]))
    sigma, rate = s / np.sqrt(years), 0.05 if margin_style == "premium_upfront" else 0.0
    discount = np.exp(-rate * years)
    d1 = np.log(f / k) / s + 0.5 * s
    d2 = d1 - s
    gamma = discount * norm.pdf(d1) / (f * s)
    vanna = -discount * norm.pdf(d1) * d2 / sigma
    delta = discount * (norm.cdf(d1) - (right == "P"))
    charm = rate * delta + discount * norm.pdf(d1) * d2 / (2 * years)
    row = rows_of(found.flows, "market").row(0, named=True)
    wanted = {
        "gex": gamma * 250 * MULTIPLIER * f**2 * 0.01,
        "vanna": vanna * 0.01 * 250 * MULTIPLIER * f,
        "charm": charm / 365 * 250 * MULTIPLIER * f,
    }
    for name, unit in (("gex", "percent"), ("vanna", "vol_point"), ("charm", "day")):
        assert row[f"{name}_unsigned_per_{unit}"] == pytest.approx(abs(wanted[name]), rel=1e-10), name
        assert row[f"{name}_signed_per_{unit}"] == pytest.approx(sign * wanted[name], rel=1e-10), name
    assert (row["contracts"], row["options"], row["options_missing"]) == (250.0, 72, 71)
    assert row["dealer_convention"] == DealerConvention.LONG_CALLS_SHORT_PUTS


def test_open_interest_that_is_not_known_is_missing_and_not_zero() -> None:
    unknown = stages(flat().with_columns(pl.lit(None, pl.Float64).alias("open_interest"))).flows
    row = rows_of(unknown, "market").row(0, named=True)
    assert [row[name] for name in (*FIGURES, "contracts")] == [None] * 7
    assert row["options_missing"] == row["options"] == 72
    by_volume = rows_of(unknown, "market", "volume").row(0, named=True)
    assert by_volume["options_missing"] == 0
    assert by_volume["gex_unsigned_per_percent"] > 0.0
    none = rows_of(stages(flat().with_columns(pl.lit(0.0).alias("open_interest"))).flows, "market").row(0, named=True)
    assert (none["gex_unsigned_per_percent"], none["contracts"], none["options_missing"]) == (0.0, 0.0, 0)


def noisy() -> Stages:
    """Six sessions of two expiries; open interest of all sizes, some of it not known."""
    chains = [noisy_chain(i, d, day).quotes() for i, day in enumerate(weekdays(6)) for d in (30, 90)]
    quotes = pl.concat(chains)
    rng = np.random.default_rng(1)
    held = np.where(rng.random(quotes.height) < 0.2, np.nan, rng.integers(0, 900, quotes.height))
    return stages(quotes.with_columns(pl.Series("open_interest", held, nan_to_null=True)))


def test_the_market_is_the_sum_of_its_expiries_and_these_of_their_strikes() -> None:
    found = noisy().flows
    total = [pl.col(name).sum() for name in (*FIGURES, "contracts", "options", "options_missing")]
    for basis in ("open_interest", "volume"):
        market = rows_of(found, "market", basis).sort("session")
        assert market.height == 6
        for level in ("strike", "expiry"):
            summed = rows_of(found, level, basis).group_by("session").agg(*total).sort("session")
            for name in (*FIGURES, "contracts", "options", "options_missing"):
                assert summed[name].to_list() == pytest.approx(market[name].to_list(), rel=1e-12), (level, name)
        by_expiry = rows_of(found, "strike", basis).group_by("session", "expiry").agg(*total)
        both = rows_of(found, "expiry", basis).join(by_expiry, on=["session", "expiry"], suffix="_summed")
        assert both.height == 12
        assert both["gex_unsigned_per_percent_summed"].to_list() == pytest.approx(
            both["gex_unsigned_per_percent"].fill_null(0.0).to_list(), rel=1e-12
        )


def test_every_listed_option_counts_whether_it_was_used_in_a_fit_or_not() -> None:
    found = stages(flat())
    used = found.clean.filter(pl.col("quote_reason") == "used").height
    row = rows_of(found.flows, "market").row(0, named=True)
    assert row["options"] == 72 > used
    assert row["options_missing"] == 0
    deep = rows_of(found.flows, "strike").filter(pl.col("strike") == 70.0).row(0, named=True)
    assert deep["options"] == 2  # the call is deep in the money, the put was below a tick
    assert deep["gex_unsigned_per_percent"] > 0.0


def test_options_without_a_smile_or_a_forward_are_counted_missing() -> None:
    fitted, bare = Chain(days=30).quotes(), Chain(days=90).quotes()
    for column in ("bid", "underlying_settle"):
        found = stages(pl.concat([fitted, bare.with_columns(pl.lit(None, pl.Float64).alias(column))]))
        market = rows_of(found.flows, "market").row(0, named=True)
        assert (market["options"], market["options_missing"]) == (144, 72), column
        expiries = rows_of(found.flows, "expiry")
        assert expiries["gex_unsigned_per_percent"].is_null().to_list() == [False, True]
        alone = rows_of(stages(fitted).flows, "market").row(0, named=True)
        assert [market[name] for name in FIGURES] == [alone[name] for name in FIGURES]


def test_two_series_of_one_expiry_strike_and_right_are_one_exposure() -> None:
    quotes = flat()
    judged = stages(quotes).clean
    twice = pl.concat([judged, judged.with_columns((pl.lit("W") + pl.col("option")).alias("option"))])
    surface = stages(quotes).surface
    one, two = (rows_of(flows_of(rows, surface, MULTIPLIER), "market").row(0, named=True) for rows in (judged, twice))
    assert two["gex_unsigned_per_percent"] == pytest.approx(2 * one["gex_unsigned_per_percent"], rel=1e-12)
    assert (two["options"], two["contracts"]) == (one["options"], 2 * one["contracts"])
    # Nor is it an error that a source names another future for one of them.
    named = twice.with_columns(
        pl.when(pl.col("option").str.starts_with("W"))
        .then(pl.lit("HE 2026-12"))
        .otherwise("underlying_contract")
        .alias("underlying_contract")
    )
    again = rows_of(flows_of(named, surface, MULTIPLIER), "market").row(0, named=True)
    assert again["gex_unsigned_per_percent"] == two["gex_unsigned_per_percent"]


def test_figures_grow_with_the_multiplier_and_no_quote_gives_no_row() -> None:
    found = stages(flat())
    double = stored("greeks_flows", flows_of(found.clean, found.surface, 2 * MULTIPLIER))
    for name in FIGURES:
        assert double[name].to_list() == pytest.approx((2.0 * found.flows[name]).to_list(), rel=1e-12)
    assert flows_of(found.clean.clear(), found.surface, MULTIPLIER).is_empty()
