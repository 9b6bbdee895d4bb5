"""From standing quotes to volatilities: exact on known chains, a status and not a number where there is none."""

import numpy as np
import polars as pl
import pytest

from hydra_assets.columns import CLEAN_QUOTES, DATASETS, IMPLIED_VOLS
from hydra_assets.options.clean import QuoteTerms, clean
from hydra_assets.options.vols import FLOOR_VOL_POINTS, implied_vols
from tests.support.chains import TERMS, Chain, ssvi, stages, stored

FINE = QuoteTerms(tick=1e-9, strike_interval=2.0)


def vols_of(chain: Chain, terms: QuoteTerms = TERMS) -> pl.DataFrame:
    return implied_vols(stored("clean_quotes", clean(chain.quotes(), terms)))


@pytest.mark.parametrize(
    ("exercise", "margin_style", "rate", "tolerance"),
    [
        ("european", "premium_upfront", 0.05, 1e-10),
        ("european", "futures_style", 0.05, 1e-10),
        ("american", "futures_style", 0.05, 1e-10),  # nothing is gained by exercise: no premium is paid
        ("american", "premium_upfront", 0.05, 2e-5),  # the table's own bound
        ("american", "premium_upfront", 0.0, 1e-10),
    ],
)
def test_a_known_chain_gives_its_true_volatilities(
    exercise: str, margin_style: str, rate: float, tolerance: float
) -> None:
    smile = ssvi(vol=0.35, rho=-0.4, days=180)
    chain = Chain(smile, days=180, exercise=exercise, margin_style=margin_style, rate=rate, tick=FINE.tick)
    vols = vols_of(chain, FINE)
    years = 180 / 365
    true = np.sqrt(smile.total_variance(vols["log_moneyness"].to_numpy()[None, :])[0] / years)
    assert vols.height > 30
    assert set(vols["iv_status"]) == {"ok"}
    assert np.abs(vols["iv"].to_numpy() - true).max() <= tolerance
    assert vols["total_variance"].to_list() == pytest.approx((vols["iv"].to_numpy() ** 2 * years).tolist(), rel=1e-14)
    premium = vols["early_exercise_premium"].to_numpy()
    if (exercise, margin_style, rate) == ("american", "premium_upfront", 0.05):
        assert premium.min() > 0.0
        # As a European option its price would say more.
        naive = implied_vols(
            stored("clean_quotes", clean(chain.quotes(), FINE)).with_columns(pl.lit("european").alias("exercise"))
        )
        assert (naive["iv"] - vols["iv"]).min() > 0.0  # type: ignore[operator]
        assert np.abs(naive["iv"].to_numpy() - true).max() > 20 * tolerance
    else:
        assert np.abs(premium).max() < 1e-12


def test_half_spreads_go_over_at_the_european_vega_and_stop_at_the_floor() -> None:
    wide, tight = vols_of(Chain(half_spread=0.08)), vols_of(Chain(half_spread=0.0, tick=1e-6))
    # A call at the money of vol s a year costs F s sqrt(T / 2 pi), to third order: 8 % of that is 8 % of s.
    middle = wide.filter(pl.col("strike") == 100.0)
    assert middle["iv_half_spread"].to_list() == pytest.approx([0.08 * 0.3] * 2, rel=2e-3)
    assert tight["iv_half_spread"].to_list() == pytest.approx([FLOOR_VOL_POINTS / 100] * tight.height, rel=1e-12)
    both = pl.concat([wide, tight])
    as_variance = 2.0 * both["iv"] * both["iv_half_spread"] * both["year_fraction"]
    assert both["half_spread_variance"].to_list() == pytest.approx(as_variance.to_list(), rel=1e-12)


@pytest.mark.parametrize("exercise", ["european", "american"])
def test_a_call_on_f_at_k_is_a_put_on_k_at_f(exercise: str) -> None:
    judged = stored("clean_quotes", clean(Chain(ssvi(rho=-0.6), exercise=exercise, jitter=0.4).quotes(), TERMS))
    mirrored = judged.with_columns(
        pl.col("underlying_settle").alias("strike"),
        pl.col("strike").alias("underlying_settle"),
        pl.when(pl.col("right") == "C").then(pl.lit("P")).otherwise(pl.lit("C")).alias("right"),
        -pl.col("log_moneyness"),
    )
    one, other = implied_vols(judged), implied_vols(mirrored)
    for name in ("iv", "iv_half_spread", "early_exercise_premium", "european_price"):
        assert other[name].to_list() == pytest.approx(one[name].to_list(), rel=1e-9, abs=1e-12), name


def test_a_quote_without_a_volatility_has_a_status_and_no_number() -> None:
    rows = stored("clean_quotes", clean(Chain(exercise="american").quotes(), TERMS))
    # What ``clean`` would refuse, let through: one at immediate exercise, one above its forward.
    rows = rows.with_columns(
        pl.when((pl.col("strike") == 98.0) & (pl.col("right") == "C"))
        .then(2.0)
        .when((pl.col("strike") == 110.0) & (pl.col("right") == "C"))
        .then(101.0)
        .otherwise("mid")
        .alias("mid")
    )
    vols = implied_vols(rows)
    bad = vols.filter(pl.col("iv_status") != "ok").sort("strike")
    assert bad["strike"].to_list() == [98.0, 110.0]
    assert bad["iv_status"].to_list() == ["at_or_below_intrinsic", "at_or_above_upper_bound"]
    numbers = ["european_price", "early_exercise_premium", "iv", "iv_half_spread", "total_variance"]
    assert bad.select(*numbers, "half_spread_variance").null_count().row(0) == (2,) * 6
    good = vols.filter(pl.col("iv_status") == "ok")
    assert good.select(pl.col(pl.Float64).exclude("vendor_iv").is_finite().all()).row(0) == (True,) * 11
    assert good["iv"].to_list() == pytest.approx(
        implied_vols(stored("clean_quotes", clean(Chain(exercise="american").quotes(), TERMS)))
        .join(bad.select("option"), on="option", how="anti", maintain_order="left")["iv"]
        .to_list()
    )


def test_only_standing_quotes_are_inverted_and_none_is_lost() -> None:
    judged = stored("clean_quotes", clean(Chain().quotes(), TERMS))
    vols = implied_vols(judged)
    assert vols["option"].to_list() == judged.filter(pl.col("quote_reason") == "used")["option"].to_list()
    assert 0 < vols.height < judged.height


def test_every_frame_has_its_dataset_columns_of_its_type() -> None:
    chains = [Chain(days=d, exercise="american", jitter=0.3).quotes() for d in (40, 95)]
    found = stages(pl.concat(chains), draws=20)
    raw = clean(pl.concat(chains), TERMS)
    assert raw.select(CLEAN_QUOTES.columns).schema == pl.Schema(CLEAN_QUOTES.schema)
    assert implied_vols(raw).select(IMPLIED_VOLS.columns).schema == pl.Schema(IMPLIED_VOLS.schema)
    for dataset, rows in found.named().items():
        spec = DATASETS[dataset]
        assert rows.height > 0, dataset
        assert rows.schema == pl.Schema(spec.schema), dataset
        assert rows.select(spec.required).null_count().sum_horizontal().item() == 0, dataset
        assert not rows.select(spec.key).is_duplicated().any(), dataset


def test_a_quote_has_the_same_bits_alone_and_in_a_long_column() -> None:
    chain = Chain(exercise="american", jitter=0.4)
    others = [Chain(exercise="american", jitter=0.4, seed=i + 1, forward=97.0 + i).quotes() for i in range(6)]
    many = pl.concat([others[i % 6].with_columns(pl.lit(f"M{i:03d}").alias("market")) for i in range(140)])
    alone = implied_vols(stored("clean_quotes", clean(chain.quotes(), TERMS)))
    beside = implied_vols(stored("clean_quotes", clean(pl.concat([many, chain.quotes()]), TERMS)))
    assert beside.filter(pl.col("market") == "SIM_HE").equals(alone)
    assert beside.height > 4096  # more than one pass of the solver


def test_no_quote_at_all_is_an_empty_frame() -> None:
    none = implied_vols(stored("clean_quotes", clean(Chain().quotes().clear(), TERMS)))
    assert none.is_empty()
    assert set(IMPLIED_VOLS.columns) <= set(none.columns)
