"""Real-world densities of a range: outcomes as they were known, none of the future, nothing learnt from too few."""

from datetime import date, timedelta
from functools import cache

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

from hydra_assets.columns import REAL_WORLD_DENSITY
from hydra_assets.options.density import Z_GRID
from hydra_assets.options.real_world_density import history_of, outcomes_of, real_world_densities, scores_of
from hydra_assets.options.recalibration import MIN_EXPIRIES
from tests.support.chains import stored

START = date(2016, 1, 4)
UNIT = 0.08
EXPIRIES = 40


def density_rows(n: int = EXPIRIES) -> pl.DataFrame:
    """Rows of ``implied_density``: one expiry every 30 days, seen 29 days before, lognormal; later ones still open."""
    sessions = [START + timedelta(30 * i) for i in range(n)]
    return pl.DataFrame(
        {
            "market": "HE",
            "session": sessions,
            "expiry": [day + timedelta(29) for day in sessions],
            "underlying_contract": [f"HE{i:03d}" for i in range(n)],
            "days_to_expiry": 29,
            "year_fraction": 29 / 365,
            "forward": 80.0,
            "grade": "B",
            "density_unit": UNIT,
            "density": [norm.pdf(Z_GRID + 0.5 * UNIT).tolist()] * n,
        },
        schema_overrides={"density": pl.List(pl.Float64)},
    )


def curve_rows(z: np.ndarray) -> pl.DataFrame:
    """Rows of ``futures_curve``: each future settles on its option's expiry z units from its forward, then leaves."""
    days = density_rows(len(z))
    settles = days.select(
        "market",
        pl.col("expiry").alias("session"),
        pl.col("underlying_contract").alias("contract"),
        pl.Series("settle", 80.0 * np.exp(UNIT * z)),
    )
    after = settles.with_columns(pl.col("session") + pl.duration(days=1), pl.col("settle") * 1.5)
    return pl.concat([settles, after]).with_columns(pl.lit(0).alias("settle_age_sessions")).sort("session", "contract")


def sessions_of(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select("market", "session")


@cache
def outcomes() -> np.ndarray:
    # Prices that come out half a deviation higher than the densities say.
    return np.random.default_rng(2).standard_normal(EXPIRIES) + 0.5


def adjusted(curve: pl.DataFrame) -> pl.DataFrame:
    densities = density_rows()
    return real_world_densities(densities, history_of(densities, curve), sessions_of(densities))


def test_an_outcome_is_the_settle_of_the_own_future_on_the_expiry() -> None:
    z = np.array([0.5, -1.0, 0.25])
    found = outcomes_of(density_rows(3), curve_rows(z))
    assert found["settle_at_expiry"].to_list() == pytest.approx((80.0 * np.exp(UNIT * z)).tolist())
    assert found["known_session"].to_list() == found["expiry"].to_list()
    assert found["underlying_contract"].to_list() == ["HE000", "HE001", "HE002"]


def test_without_a_session_on_the_expiry_the_newest_settle_before_it_counts_and_is_known_at_the_next_session() -> None:
    expiry = density_rows(1)["expiry"][0]

    def found(*days: int, age: int = 0) -> list[tuple[float, date]]:
        """Settles of so many days from the expiry, each naming its day; a session a week later exists anyway."""
        curve = pl.DataFrame(
            {
                "market": "HE",
                "session": [expiry + timedelta(d) for d in (*days, 7)],
                "contract": [*["HE000"] * len(days), "HE999"],
                "settle": [100.0 + d for d in (*days, 7)],
                "settle_age_sessions": [*[age] * len(days), 0],
            }
        )
        rows = outcomes_of(density_rows(1), curve)
        return rows.select("settle_at_expiry", "known_session").rows()

    assert found(-3, -1, 2) == [(99.0, expiry + timedelta(2))]
    assert found(-5) == [(95.0, expiry + timedelta(7))]
    assert found(-6) == []  # too old to say anything of the price at expiry
    assert found(1) == []  # only after it
    assert found(0, age=1) == []  # a price of another day, carried forward


def test_an_expiry_that_no_session_has_reached_has_no_outcome() -> None:
    curve = curve_rows(np.zeros(3))
    last = density_rows(3)["expiry"][2]
    found = outcomes_of(density_rows(3), curve.filter(pl.col("session") < last))
    assert found["underlying_contract"].to_list() == ["HE000", "HE001"]


def test_settles_of_another_market_or_future_are_not_taken() -> None:
    curve = curve_rows(np.zeros(2))
    other = curve.with_columns(pl.lit("LE").alias("market"), pl.col("settle") * 2.0)
    own = outcomes_of(density_rows(2), curve)
    assert outcomes_of(density_rows(2), pl.concat([curve, other])).equals(own)
    assert outcomes_of(density_rows(2), other).is_empty()


def test_an_observation_is_the_log_return_from_the_density_to_the_settle() -> None:
    z = np.array([0.5, -1.0, 0.25])
    rows = history_of(density_rows(3), curve_rows(z))
    assert rows["log_return"].to_list() == pytest.approx((UNIT * z).tolist())
    without = density_rows(3).with_columns(
        pl.when(pl.col("session") > START).then("density").otherwise(None).alias("density")
    )
    assert history_of(without, curve_rows(z))["underlying_contract"].to_list() == ["HE001", "HE002"]


def test_while_too_few_expiries_have_realised_it_is_the_risk_neutral_density() -> None:
    rows = adjusted(curve_rows(outcomes()))
    few = rows.filter(pl.col("expiries_realised") < MIN_EXPIRIES)
    assert few["expiries_realised"].to_list() == list(range(MIN_EXPIRIES))
    assert set(few["real_world_reason"]) == {"too_few_expiries"}
    neutral = density_rows()["density"].to_list()
    for i, density in enumerate(few["real_world_density"].to_list()):
        assert density == neutral[i]
    assert (few["risk_gamma"] == 0.0).all()
    assert (few["calibration_a"] == 1.0).all()
    assert (few["expected_return"] == 0.0).all()
    assert few["expected_return_se"].min() > 0.0  # type: ignore[operator]


def test_enough_expiries_that_came_out_higher_move_the_density_up() -> None:
    rows = adjusted(curve_rows(outcomes())).filter(pl.col("real_world_reason") == "ok")
    assert rows["expiries_realised"].to_list() == list(range(MIN_EXPIRIES, EXPIRIES))
    last = rows.row(-1, named=True)
    assert last["expected_return"] > last["expected_return_se"] > 0.0
    assert last["probability_above_forward"] > 0.5
    density = np.array(last["real_world_density"])
    step = Z_GRID[1] - Z_GRID[0]
    mean = UNIT * float((density * Z_GRID).sum() / density.sum())
    assert last["expected_log_return"] == pytest.approx(mean, rel=1e-9)
    assert density.sum() * step == pytest.approx(1.0, abs=1e-9)
    assert density.min() >= 0.0


@pytest.mark.parametrize("changed", [0, MIN_EXPIRIES, EXPIRIES - 1])
def test_an_outcome_changes_nothing_before_the_session_at_which_it_was_known(changed: int) -> None:
    z = outcomes().copy()
    z[changed] += 3.0
    before, after = adjusted(curve_rows(outcomes())), adjusted(curve_rows(z))
    known = density_rows()["expiry"][changed]
    earlier = pl.col("session") < known
    assert after.filter(earlier).equals(before.filter(earlier))
    later = before.filter(~earlier & (pl.col("real_world_reason") == "ok"))
    if later.height:
        assert not after.filter(~earlier & (pl.col("real_world_reason") == "ok")).equals(later)
    # Nor does it matter whether the later history is there at all.
    densities = density_rows()
    seen = curve_rows(z).filter(pl.col("session") < known)
    if not seen.is_empty():
        alone = real_world_densities(densities, history_of(densities, seen), sessions_of(densities))
        assert alone.filter(earlier).equals(before.filter(earlier))


def test_only_the_wanted_sessions_that_have_a_density_have_rows_and_they_are_the_same_alone() -> None:
    densities = density_rows()
    history = history_of(densities, curve_rows(outcomes()))
    whole = adjusted(curve_rows(outcomes()))
    part = densities[30:33].with_columns(
        pl.when(pl.int_range(pl.len()) != 1).then("density").otherwise(None).alias("density")
    )
    found = real_world_densities(part, history, sessions_of(densities[30:32]))
    assert found.equals(whole[30:31])
    typed = stored("real_world_density", whole)
    assert typed.select(REAL_WORLD_DENSITY.required).null_count().sum_horizontal().item() == 0
    assert set(whole.columns) == set(REAL_WORLD_DENSITY.columns)


def test_no_density_and_no_history_give_no_row_and_no_error() -> None:
    densities, empty_curve = density_rows(3), curve_rows(np.zeros(3)).clear()
    history = history_of(densities, empty_curve)
    assert history.is_empty()
    assert set(real_world_densities(densities, history, sessions_of(densities))["real_world_reason"]) == {
        "too_few_expiries"
    }
    assert real_world_densities(densities.clear(), history, sessions_of(densities)).is_empty()
    assert history_of(densities.clear(), empty_curve).is_empty()
    assert scores_of(history) == {"expiries": 0}


def test_the_score_counts_only_expiries_that_the_parameters_had_not_seen() -> None:
    densities = density_rows()
    notes = scores_of(history_of(densities, curve_rows(outcomes())))
    assert notes["expiries"] == EXPIRIES
    assert notes["scored"] == EXPIRIES - MIN_EXPIRIES
    # Densities that are half a deviation too low are worse out of sample too.
    assert notes["mean_gain"] > 0.0  # type: ignore[operator]
    assert len(notes["uniformity"]) > 0  # type: ignore[arg-type]
