"""Real-world parameters: closed forms, shrinkage, point in time, choice of observations, out-of-sample score."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln
from scipy.stats import norm

from hydra_assets.options.density import Z_GRID
from hydra_assets.options.real_world import apply
from hydra_assets.options.real_world_history import COLUMNS, observations
from hydra_assets.options.real_world_score import score, uniformity
from hydra_assets.options.recalibration import (
    GAMMA_PRIOR_SD,
    MIN_EXPIRIES,
    PSEUDO_EXPIRIES,
    FitStatus,
    fit,
    fit_beta,
    fit_expanding,
    parameters,
    realised,
    tilted,
)

START = date(2015, 1, 2)
UNIT = 0.0860


def history(z: np.ndarray, unit: float = UNIT) -> pl.DataFrame:
    """Monthly expiries under a lognormal of constant vol, coming out at z."""
    n = len(z)
    days = [START + timedelta(30 * i) for i in range(n + 1)]
    return pl.DataFrame(
        {
            "market": ["HE"] * n,
            "expiry": [d - timedelta(1) for d in days[1:]],
            "underlying_contract": [f"HE{i:03d}" for i in range(n)],
            "session": days[:-1],
            "known_session": days[1:],
            "days_to_expiry": [29] * n,
            "unit": [unit] * n,
            "forward": [80.0] * n,
            "density": [norm.pdf(Z_GRID + 0.5 * unit).tolist()] * n,
            "log_return": z * unit,
        },
        schema_overrides={"density": pl.List(pl.Float64)},
    ).select(COLUMNS)


def draws(n: int, seed: int, mean: float = 0.0, sd: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(n) * sd + mean - 0.5 * UNIT


def test_gamma_of_lognormals_is_the_ridge_regression() -> None:
    # K(gamma) is quadratic: gamma = sum (k_i + u^2/2) / (n u^2 + 1/s^2), whatever the outcomes.
    z = draws(60, 1, mean=0.4)
    found = fit(realised(history(z)), np.array([1, 24, 60]))
    expected = [(z[:n] * UNIT + 0.5 * UNIT**2).sum() / (n * UNIT**2 + GAMMA_PRIOR_SD**-2) for n in (1, 24, 60)]
    assert found.gamma == pytest.approx(expected, abs=1e-9)
    assert found.covariance[:, 0, 0] == pytest.approx([1 / (n * UNIT**2 + 1.0) for n in (1, 24, 60)], rel=1e-9)


def test_beta_of_known_mean_logs() -> None:
    # digamma(n + 1) - digamma(n) = 1/n: E[ln U] of Beta(1,1), (2,1), (3,2), and of one far from the start.
    a, b = fit_beta(np.array([-1.0, -0.5, -7 / 12, -50.0]), np.array([-1.0, -1.5, -13 / 12, -0.001]))
    assert a[:3] == pytest.approx([1.0, 2.0, 3.0], rel=1e-10)
    assert b[:3] == pytest.approx([1.0, 1.0, 2.0], rel=1e-10)
    assert np.all(np.isfinite([a, b]))
    assert np.all(np.array([a, b]) > 0.0)


def test_the_second_stage_maximises_its_penalised_likelihood() -> None:
    past = realised(history(draws(40, 2, sd=0.7)))
    found = fit(past, np.array([40]))
    u = tilted(past, np.repeat(found.gamma, 40)).pit

    def objective(a: float, b: float) -> float:
        data = np.sum((a - 1) * np.log(u) + (b - 1) * np.log1p(-u) - betaln(a, b))
        return float(data + PSEUDO_EXPIRIES * (2.0 - a - b - betaln(a, b)))

    best = objective(found.a[0], found.b[0])
    assert all(
        objective(found.a[0] * x, found.b[0] * y) < best for x, y in ((1.01, 1), (0.99, 1), (1, 1.01), (1, 0.99))
    )
    # Outcomes are less spread than the density says: both exponents above one.
    assert found.a[0] > 1.1
    assert found.b[0] > 1.1


def test_covariance_knows_that_the_recalibration_answers_the_tilt() -> None:
    past = realised(history(draws(80, 3, mean=0.3, sd=0.8)))
    found = fit(past, np.array([80]))

    def answer(gamma: float) -> np.ndarray:
        u = tilted(past, np.full(80, gamma)).pit
        total = 80.0 + PSEUDO_EXPIRIES
        logs = [(np.log(x).sum() - PSEUDO_EXPIRIES) / total for x in (u, 1.0 - u)]
        return np.concatenate(fit_beta(np.array([logs[0]]), np.array([logs[1]])))

    slope = (answer(found.gamma[0] + 1e-4) - answer(found.gamma[0] - 1e-4)) / 2e-4
    covariance = found.covariance[0]
    assert covariance[0, 1:] == pytest.approx(covariance[0, 0] * slope, rel=1e-5)
    assert np.array_equal(covariance, covariance.T)
    assert np.linalg.eigvalsh(covariance).min() > 0.0


def test_few_expiries_leave_gamma_near_zero_and_many_find_it() -> None:
    # A wide unit, so that many expiries can find gamma = 3 at all: k ~ N((gamma - 1/2) u^2, u^2).
    unit, n = 0.5, 400
    z = np.random.default_rng(4).standard_normal(n) + (3.0 - 0.5) * unit
    found = fit(realised(history(z, unit)), np.array([0, 2, n]))
    assert found.gamma[0] == 0.0
    assert abs(found.gamma[1]) < 1.5
    assert found.gamma[2] == pytest.approx(3.0, abs=0.3)
    assert found.covariance[:, 0, 0] == pytest.approx([1.0, 1 / 1.5, 1 / 101.0], rel=1e-6)


def test_too_few_expiries_say_so_and_adjust_nothing() -> None:
    seen = history(draws(MIN_EXPIRIES, 5, mean=1.0))
    sessions = [START, seen["known_session"][-2], seen["known_session"][-1] - timedelta(1), seen["known_session"][-1]]
    found = fit_expanding(seen, sessions)
    assert found["expiries"].to_list() == [0, MIN_EXPIRIES - 1, MIN_EXPIRIES - 1, MIN_EXPIRIES]
    assert found["status"].to_list() == [FitStatus.TOO_FEW_EXPIRIES] * 3 + [FitStatus.FITTED]
    assert found["gamma"].to_list()[:3] == [0.0] * 3
    assert found["a"].to_list()[:3] == [1.0] * 3
    assert found["b"].to_list()[:3] == [1.0] * 3
    assert found["gamma"][3] > 0.0
    q = np.repeat(norm.pdf(Z_GRID)[None, :], 4, axis=0)
    p = apply(q, np.full(4, UNIT), parameters(found))
    assert np.array_equal(p.density[:3], q[:3])
    assert not np.array_equal(p.density[3], q[3])
    # Nothing is known, and the standard error says that: it falls with the first fit.
    assert np.all(p.expected_return_se[:3] > p.expected_return_se[3])
    none = fit_expanding(seen.clear(), sessions)
    assert none["status"].to_list() == [FitStatus.TOO_FEW_EXPIRIES] * 4
    assert none.drop("expiries").equals(
        found.head(1)
        .drop("expiries", "session")
        .join(none.select("session"), how="cross")
        .select(none.drop("expiries").columns)
    )


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 40), st.floats(-7.9, 7.9))
def test_later_observations_change_nothing_before_them(seed: int, count: int, future: float) -> None:
    z = np.append(draws(count, seed, sd=1.3), [future, -future])
    whole = history(z)
    sessions = pl.date_range(START, START + timedelta(30 * count + 29), "7d", eager=True)
    assert fit_expanding(whole, sessions).equals(fit_expanding(whole.head(count), sessions))
    earlier = score(whole.head(count))
    assert score(whole).head(count).equals(earlier)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 1000.0))
def test_order_of_rows_and_unit_of_price_are_irrelevant(seed: int, scale: float) -> None:
    densities, outcomes = raw(draws(30, seed, sd=1.2))
    expected = observations(densities, outcomes)
    shuffled = observations(densities.sample(fraction=1.0, shuffle=True, seed=seed), outcomes.reverse())
    assert shuffled.equals(expected)
    sessions = [START + timedelta(30 * i) for i in range(0, 31, 5)]
    found = fit_expanding(expected, sessions)
    assert fit_expanding(expected.sample(fraction=1.0, shuffle=True, seed=seed), sessions).equals(found)
    cents = observations(
        densities.with_columns(pl.col("forward") * scale), outcomes.with_columns(pl.col("settle_at_expiry") * scale)
    )
    rescaled = fit_expanding(cents, sessions)
    for name in ("gamma", "a", "b"):
        assert rescaled[name].to_numpy() == pytest.approx(found[name].to_numpy(), abs=1e-9)


def test_an_epoch_does_not_depend_on_the_other_epochs() -> None:
    past = realised(history(draws(130, 6, mean=-0.2, sd=1.2)))
    together = fit(past, np.arange(131))
    for count in (0, 1, 77, 130):
        alone = fit(past, np.array([count]))
        for name in ("gamma", "a", "b", "covariance"):
            assert np.array_equal(getattr(alone, name)[0], getattr(together, name)[count]), (name, count)


def test_an_impossible_outcome_does_not_rule_the_fit() -> None:
    z = draws(60, 7)
    z[30] = np.log(100.0) / UNIT
    found = fit(realised(history(z)), np.array([60]))
    assert np.all(np.isfinite(found.covariance))
    assert 0.5 < found.b[0] < 1.5


def test_one_market_at_a_time() -> None:
    two = pl.concat([history(draws(3, 8)), history(draws(3, 9)).with_columns(market=pl.lit("DC"))])
    with pytest.raises(ValueError, match="one market expected, not of DC, HE"):
        fit_expanding(two, [START])


def raw(z: np.ndarray) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Three sessions an expiry, the middle one nearest to 30 days, and the outcomes."""
    chosen = history(z)
    slices = [
        chosen.with_columns(
            session=pl.col("session") + pl.duration(days=shift), days_to_expiry=pl.col("days_to_expiry") - shift
        )
        for shift in (-6, 0, 2)
    ]
    densities = pl.concat(slices).drop("known_session", "log_return")
    outcomes = chosen.select(
        "market",
        "expiry",
        "underlying_contract",
        (pl.col("forward") * pl.col("log_return").exp()).alias("settle_at_expiry"),
        "known_session",
    )
    return densities, outcomes


def test_horizons_are_nearest_to_30_days_and_do_not_overlap() -> None:
    z = draws(12, 10)
    densities, outcomes = raw(z)
    found = observations(densities, outcomes)
    assert found.columns == list(COLUMNS)
    # Day 29 of every expiry but the first, whose day 35 is no nearer either; the day before the last known is refused.
    assert found["days_to_expiry"].to_list() == [29] * 12
    assert found["log_return"].to_numpy() == pytest.approx(z * UNIT, abs=1e-12)
    assert (found["session"][1:] >= found["known_session"][:-1]).all()
    # Without the sessions at 29 days the ones at 35 start before the last outcome is known: 27 days it is.
    left = observations(densities.filter(pl.col("days_to_expiry") != 29), outcomes)
    assert left["days_to_expiry"].to_list() == [27] * 12


def test_of_weekly_expiries_about_every_fourth_is_taken() -> None:
    days = [START + timedelta(i) for i in range(200)]
    expiries = [START + timedelta(7 * i) for i in range(4, 25)]
    rows = [(s, e) for e in expiries for s in days if 0 < (e - s).days <= 60]
    densities = pl.DataFrame({"session": [r[0] for r in rows], "expiry": [r[1] for r in rows]}).with_columns(
        market=pl.lit("HE"),
        underlying_contract=pl.lit("HEM5"),
        days_to_expiry=(pl.col("expiry") - pl.col("session")).dt.total_days(),
        unit=pl.lit(UNIT),
        forward=pl.lit(80.0),
        density=pl.Series([norm.pdf(Z_GRID).tolist()] * len(rows)),
    )
    outcomes = pl.DataFrame({"expiry": expiries}).with_columns(
        market=pl.lit("HE"),
        underlying_contract=pl.lit("HEM5"),
        settle_at_expiry=pl.lit(81.0),
        known_session=pl.col("expiry") + pl.duration(days=1),
    )
    found = observations(densities, outcomes)
    assert found["days_to_expiry"].to_list() == [28, 27, 27, 27, 27, 27]
    assert (found["session"][1:] >= found["known_session"][:-1]).all()
    # An old outcome that becomes known late changes nothing that was taken before.
    late = outcomes.with_columns(
        known_session=pl.when(pl.col("expiry") == expiries[4]).then(days[199]).otherwise("known_session")
    )
    early = outcomes.filter(pl.col("expiry") != expiries[4])
    assert observations(densities, late).equals(observations(densities, early))


def test_what_cannot_be_an_observation_is_passed_over() -> None:
    densities, outcomes = raw(draws(6, 11))
    first = pl.col("underlying_contract") == "HE000"
    unusable = {
        "unit": pl.lit(None, dtype=pl.Float64),
        "forward": pl.lit(-1.0),
        "density": pl.lit(pl.Series([[1.0] * 128])).first(),
    }
    for name, value in unusable.items():
        worse = densities.with_columns(
            pl.when(first & (pl.col("days_to_expiry") == 29)).then(value).otherwise(pl.col(name)).alias(name)
        )
        found = observations(worse, outcomes)
        assert found["days_to_expiry"].to_list() == [27, 29, 29, 29, 29, 29], name
    holes = densities.with_columns(
        pl.when(first)
        .then(pl.lit(pl.Series([[0.1] * 128 + [float("nan")]])).first())
        .otherwise("density")
        .alias("density")
    )
    assert len(observations(holes, outcomes)) == 5
    negative = outcomes.with_columns(
        pl.when(first).then(-37.63).otherwise("settle_at_expiry").alias("settle_at_expiry")
    )
    assert len(observations(densities, negative)) == 5
    assert len(observations(densities, outcomes.clear())) == 0
    with pytest.raises(ValueError, match="HE: two outcomes of the expiry 2015-01-31 of HE000"):
        observations(densities, pl.concat([outcomes, outcomes.head(1)]))


def test_score_by_hand() -> None:
    seen = history(draws(60, 12, mean=0.3, sd=0.8))
    # Outcomes on a point of the grid, so that the published density can be read off it.
    place = np.round((seen["log_return"].to_numpy() / UNIT + 8.0) * 8.0).astype(int)
    seen = seen.with_columns(pl.Series("log_return", Z_GRID[place] * UNIT))
    found = score(seen)
    fitted = fit_expanding(seen, seen["session"])
    assert found["expiries"].to_list() == list(range(60))
    q = np.array(seen["density"].to_list())
    p = apply(q, np.full(60, UNIT), parameters(fitted)).density
    rows = np.arange(60)
    assert found["log_score_risk_neutral"].to_numpy() == pytest.approx(np.log(q[rows, place] / UNIT), abs=1e-9)
    assert found["log_score_real_world"].to_numpy() == pytest.approx(np.log(p[rows, place] / UNIT), abs=1e-4)
    gain = found["gain"].to_numpy()
    assert np.array_equal(gain[:MIN_EXPIRIES], np.zeros(MIN_EXPIRIES))
    used = gain[MIN_EXPIRIES:]
    assert found["scored"].to_list() == [0] * MIN_EXPIRIES + list(range(1, 60 - MIN_EXPIRIES + 1))
    assert found["mean_gain"].null_count() == MIN_EXPIRIES
    assert found["mean_gain_se"].null_count() == MIN_EXPIRIES + 1
    assert found["mean_gain"][-1] == pytest.approx(used.mean(), rel=1e-9)
    assert found["mean_gain_se"][-1] == pytest.approx(used.std(ddof=1) / np.sqrt(len(used)), rel=1e-9)
    assert found["mean_gain_se"][MIN_EXPIRIES + 1] == pytest.approx(used[:2].std(ddof=1) / np.sqrt(2), rel=1e-9)


def test_where_the_market_overstates_risk_the_adjusted_density_scores_and_calibrates_better() -> None:
    found = score(history(draws(240, 13, mean=0.25, sd=0.7)))
    last = found.row(-1, named=True)
    assert last["mean_gain"] > 2.0 * last["mean_gain_se"]
    judged = uniformity(found)
    p_values = {(r["density"], r["sample"], r["test"]): r["p_value"] for r in judged.iter_rows(named=True)}
    assert judged["expiries"].to_list() == [240] * 2 + [240 - MIN_EXPIRIES] * 4
    for test in ("berkowitz", "knueppel_raw_moments"):
        assert p_values["risk_neutral", "all", test] < 0.01
        assert p_values["risk_neutral", "fitted", test] < 0.01
        assert p_values["real_world", "fitted", test] > 0.05


def test_where_the_market_is_right_the_adjustment_costs_little() -> None:
    gains = [score(history(draws(120, seed)))["mean_gain"][-1] for seed in range(20, 30)]
    assert -0.02 < np.mean(gains) < 0.005


def test_uniformity_of_a_short_history_has_reasons() -> None:
    found = uniformity(score(history(draws(22, 14))))
    assert found["status"].to_list() == ["ok"] * 2 + ["too_few_observations"] * 4
    assert found["p_value"].null_count() == 4
    assert len(score(history(draws(1, 15)).clear())) == 0
