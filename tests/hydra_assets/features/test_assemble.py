"""Assembly: momentum by hand, what is missing stays missing and says why, every feature moves on moving data."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from hydra_assets.columns import FEATURE_VECTOR
from hydra_assets.features.assemble import FEATURE_NAMES, assemble
from hydra_assets.features.returns import momentum, realised_vol

START = date(2024, 1, 1)


def inputs(n: int = 120, seed: int = 1) -> dict[str, pl.DataFrame]:
    rng = np.random.default_rng(seed)
    base = pl.DataFrame({"market": "SIM_HE", "session": [START + timedelta(days=i) for i in range(n)]})

    def noise() -> pl.Series:
        return pl.Series(rng.standard_normal(n))

    ok = pl.lit("ok")
    return {
        "curve": base.with_columns(
            pl.lit("front").alias("role"),
            pl.lit(date(2025, 1, 1)).alias("contract_month"),
            (noise() * 0.01).alias("held_return"),
            noise().alias("carry"),
            pl.Series("days_to_last_trade", 40 - np.arange(n) % 30),
        ),
        "moments": base.with_columns(
            noise().alias("tilt"),
            noise().abs().alias("atm_vol"),
            noise().alias("skew"),
            pl.Series("slices_usable", np.arange(n) % 5),
            ok.alias("moments_reason"),
        ),
        "crowd": base.with_columns(
            noise().alias("crowd_score"),
            noise().alias("crowd_confidence"),
            pl.Series("report_age_days", 3 + np.arange(n) % 7),
            ok.alias("crowd_reason"),
        ),
        "divergence": base.with_columns(
            noise().alias("tilt_z"), noise().alias("divergence_z"), ok.alias("divergence_reason")
        ),
        "sessions": base,
    }


def test_every_feature_varies_and_the_columns_are_the_dictionary_s() -> None:
    rows = assemble(**inputs())
    assert rows.columns == list(FEATURE_VECTOR.columns)
    late = rows.tail(50)
    assert {name: late[name].n_unique() for name in FEATURE_NAMES if late[name].n_unique() < 3} == {}
    assert late["features_missing"].unique().to_list() == [""]


def test_what_is_missing_stays_missing_and_says_why() -> None:
    frames = inputs()
    frames["moments"] = frames["moments"].with_columns(
        pl.lit(None, pl.Float64).alias("tilt"),
        pl.lit(None, pl.Float64).alias("atm_vol"),
        pl.lit("no_quotes").alias("moments_reason"),
    )
    frames["crowd"] = frames["crowd"].head(100)
    row = assemble(**frames).row(-1, named=True)
    assert (row["tilt"], row["vol_premium"], row["crowd_score"]) == (None, None, None)
    assert row["features_missing"] == "options:no_quotes,crowd:no_row"
    assert assemble(**frames)["features_missing"][0].endswith("curve:short_history_or_no_settle")


def test_momentum_and_volatility_by_hand() -> None:
    r = np.array([0.01, -0.02, 0.03, 0.01])
    assert momentum(r, 2)[1:] == pytest.approx([-0.01 / np.sqrt(5e-4), 0.01 / np.sqrt(13e-4), 0.04 / np.sqrt(10e-4)])
    assert realised_vol(r, 4)[-1] == pytest.approx(np.sqrt(252 * 15e-4 / 4))
    assert np.isnan(momentum(r, 2)[0])
    assert np.isnan(momentum(np.array([0.01, np.nan, 0.01]), 2)[2])


def test_look_back_is_in_the_window_alone() -> None:
    frames = inputs()
    tail = {**frames, "curve": frames["curve"].tail(61), "sessions": frames["sessions"].tail(1)}
    assert assemble(**tail).equals(assemble(**frames).tail(1))
