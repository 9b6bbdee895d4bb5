"""Assembly: what is missing stays missing and says why, every feature moves, and the past does not see the future."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from hydra_assets.columns import COLUMNS, FEATURE_VECTOR
from hydra_assets.features.assemble import Sources, assemble, dictionary_frame
from hydra_assets.features.dictionary import FEATURE_NAMES, FEATURES, Group, names_of
from hydra_assets.features.options_group import FLOW_COLUMNS
from hydra_assets.features.returns import momentum, realised_vol

START = date(2024, 1, 1)
N = 120


def base(n: int = N) -> pl.DataFrame:
    return pl.DataFrame({"market": "SIM_HE", "session": [START + timedelta(days=i) for i in range(n)]})


def sources(n: int = N, seed: int = 1) -> Sources:
    rng = np.random.default_rng(seed)
    rows = base(n)

    def noise() -> pl.Series:
        return pl.Series(rng.standard_normal(n))

    def positive() -> pl.Series:
        return pl.Series(rng.uniform(0.1, 0.9, n))

    ok = pl.lit("ok")
    moments = pl.concat(
        rows.with_columns(
            pl.lit(tenor).alias("tenor"),
            pl.Series("grade", ["A", "B", "C"])[rng.integers(0, 3, n)].alias("grade"),
            *(
                noise().alias(name)
                for name in ("tilt", "tilt_mode", "tilt_probability", "risk_reversal_25", "skew", "kurt")
            ),
            positive().alias("atm_vol"),
            pl.Series("slices_usable", np.arange(n) % 5),
            ok.alias("moments_reason"),
        )
        for tenor in ("30d", "60d", "90d")
    )
    flows = pl.concat(
        rows.with_columns(
            pl.lit("market").alias("level"),
            pl.lit(basis).alias("basis"),
            *(positive().alias(c) for c in FLOW_COLUMNS if "unsigned" in c),
            *(noise().alias(c) for c in FLOW_COLUMNS if "_signed_" in c),
            (positive() + 1.0).alias("contracts"),
            positive().alias("put_contracts"),
        )
        for basis in ("open_interest", "volume")
    )
    days = pl.Series("days_to_expiry", 40 + np.arange(n) % 30)
    return Sources(
        curve=rows.with_columns(
            pl.lit("front").alias("role"),
            pl.lit("HE-2025-01").alias("contract"),
            pl.lit(date(2025, 1, 1)).alias("contract_month"),
            pl.lit(date(2025, 1, 14)).alias("last_trade"),
            pl.lit(None, pl.Date).alias("first_notice"),
            (noise() * 0.01).alias("held_return"),
            noise().alias("carry"),
            noise().alias("slope"),
            (positive() * 1000).alias("volume"),
            (positive() * 1000).alias("open_interest"),
            pl.Series("days_to_last_trade", 40 - np.arange(n) % 30),
        ),
        moments=moments,
        flows=flows,
        real_world=rows.with_columns(
            pl.lit(date(2025, 1, 1)).alias("expiry"),
            days,
            noise().alias("expected_log_return"),
            positive().alias("probability_above_forward"),
        ),
        crowd=rows.with_columns(
            noise().alias("crowd_score"),
            *(noise().alias(c) for c in ("crowd_confidence", "crowd_score_z", "crowd_change_z", "producers_z")),
            pl.Series("report_age_days", 3 + np.arange(n) % 7),
            ok.alias("crowd_reason"),
        ),
        headlines=rows.with_columns(noise().alias("headline_score")),
        order_flow=rows.with_columns(noise().alias("order_flow_score")),
        sentiment=rows.with_columns(
            noise().alias("sentiment_score"), noise().alias("sentiment_confidence"), ok.alias("sentiment_reason")
        ),
        divergence=rows.with_columns(
            *(noise().alias(c) for c in ("tilt_z", "options_z", "sentiment_z", "divergence_z")),
            ok.alias("divergence_reason"),
        ),
        pool=rows.with_columns(noise().alias("pool_momentum"), noise().alias("pool_vol_change")),
    )


def only(held: Sources, first: int, last: int) -> Sources:
    """Everything known about the sessions with these numbers."""
    days = [START + timedelta(days=i) for i in range(first, last)]
    parts: dict[str, Any] = {
        name: getattr(held, name).filter(pl.col("session").is_in(days)) for name in held.__dataclass_fields__
    }
    return Sources(**parts)


def test_every_feature_varies_and_the_columns_are_the_dictionary_s() -> None:
    rows = assemble(sources(), base())
    assert rows.columns == list(FEATURE_VECTOR.columns)
    late = rows.tail(50)
    assert {name: late[name].n_unique() for name in FEATURE_NAMES if late[name].n_unique() < 3} == {}
    assert late["features_missing"].unique().to_list() == [""]


def test_what_is_missing_stays_missing_and_says_why() -> None:
    held = sources()
    without = replace(
        held,
        moments=held.moments.with_columns(
            pl.lit(None, pl.Float64).alias("tilt"),
            pl.lit(None, pl.Float64).alias("atm_vol"),
            pl.lit("no_quotes").alias("moments_reason"),
        ),
        crowd=held.crowd.head(100),
        flows=held.flows.head(0),
        pool=held.pool.with_columns(pl.lit(None, pl.Float64).alias("pool_momentum")),
    )
    row = assemble(without, base()).row(-1, named=True)
    assert (row["tilt"], row["vol_premium"], row["crowd_score"], row["put_share"]) == (None, None, None, None)
    assert row["features_missing"] == (
        "options:no_quotes,crowd:no_row,flows:no_smile_or_open_interest,cross_market:no_other_market"
    )
    assert "curve:short_history_or_no_settle" in assemble(held, base())["features_missing"][0]


def test_what_a_session_says_by_hand() -> None:
    held = sources()
    row = assemble(held, base()).row(100, named=True)
    view = held.moments.filter(pl.col("tenor") == "60d")
    vols = {t: held.moments.filter(pl.col("tenor") == t)["atm_vol"][100] for t in ("60d", "90d")}
    assert row["tilt_change_5"] == view["tilt"][100] - view["tilt"][95]
    assert row["vol_term_slope"] == vols["90d"] - vols["60d"]
    interest = held.flows.filter(pl.col("basis") == "open_interest").row(100, named=True)
    assert row["gamma_balance"] == interest["gex_signed_per_percent"] / interest["gex_unsigned_per_percent"]
    assert row["put_share"] == interest["put_contracts"] / interest["contracts"]
    assert row["grade_rank"] == {"A": 4.0, "B": 3.0, "C": 2.0}[view["grade"][100]]
    near = held.real_world.row(100, named=True)
    assert row["real_world_return"] == pytest.approx(near["expected_log_return"] * 365 / near["days_to_expiry"])
    r = np.log1p(held.curve["held_return"].to_numpy())[81:101]
    assert row["momentum_20"] == pytest.approx(r.sum() / np.sqrt((r * r).sum()), rel=1e-12)
    assert row["variance_premium"] == pytest.approx(view["atm_vol"][100] ** 2 - 252 * (r * r).mean(), rel=1e-12)
    volume = held.curve["volume"].to_numpy()[41:101]
    assert row["volume_ratio"] == pytest.approx(np.log(volume[-1] / volume.mean()), rel=1e-12)
    # Cash-settled: delivery is the last trade, 2025-01-14, 279 days after session 100.
    assert row["days_to_delivery"] == 279


def test_kurtosis_below_grade_b_is_missing() -> None:
    held = sources()
    for grade, missing in (("B", 0), ("C", N)):
        graded = replace(held, moments=held.moments.with_columns(pl.lit(grade).alias("grade")))
        assert assemble(graded, base())["implied_kurt"].null_count() == missing


def test_momentum_and_volatility_by_hand() -> None:
    r = np.array([0.01, -0.02, 0.03, 0.01])
    assert momentum(r, 2)[1:] == pytest.approx([-0.01 / np.sqrt(5e-4), 0.01 / np.sqrt(13e-4), 0.04 / np.sqrt(10e-4)])
    assert realised_vol(r, 4)[-1] == pytest.approx(np.sqrt(252 * 15e-4 / 4))
    assert np.isnan(momentum(r, 2)[0])
    assert np.isnan(momentum(np.array([0.01, np.nan, 0.01]), 2)[2])


def test_look_back_is_in_the_window_alone() -> None:
    held = sources()
    assert assemble(only(held, N - 61, N), base().tail(1)).equals(assemble(held, base()).tail(1))


def test_the_past_does_not_see_the_future() -> None:
    early = assemble(only(sources(), 0, 90), base(90))
    assert assemble(sources(), base()).head(90).equals(early)


def test_the_dictionary_is_whole() -> None:
    frame = dictionary_frame()
    assert frame["name"].to_list() == list(FEATURE_NAMES)
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES)
    assert not frame.select(pl.any_horizontal(pl.all().str.len_chars() == 0)).to_series().any()
    assert {f.name for f in FEATURES} <= set(COLUMNS)
    assert sum(len(names_of(group)) for group in Group) == len(FEATURES)
