"""Tests of uniformity: their formulas by hand and by brute force, size, power, reasons."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import chi2, multivariate_normal, norm

from hydra_assets.options.uniformity import (
    MIN_OBSERVATIONS,
    UniformityStatus,
    berkowitz,
    berkowitz_ratio,
    raw_moments,
    raw_moments_statistic,
)

REPLICATIONS = 4000


def gaussian_log_likelihood(x: np.ndarray, mean: float, variance: float, rho: float) -> float:
    """Of a stationary AR(1) with the given innovation variance, from its covariance matrix."""
    place = np.arange(len(x))
    covariance = variance / (1.0 - rho**2) * rho ** np.abs(place[:, None] - place[None, :])
    return float(multivariate_normal(np.full(len(x), mean), covariance).logpdf(x))


@pytest.mark.parametrize(("seed", "rho"), [(1, 0.0), (2, 0.6), (3, -0.5)])
def test_berkowitz_is_the_maximum_of_the_exact_likelihood(seed: int, rho: float) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(25) * 0.8 + 0.3
    for t in range(1, len(x)):
        x[t] += rho * x[t - 1]
    best = minimize(
        lambda p: -gaussian_log_likelihood(x, p[0], np.exp(p[1]), np.tanh(p[2])),
        np.array([0.0, 0.0, 0.0]),
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-11, "maxiter": 4000},
    )
    expected = 2.0 * (-best.fun - gaussian_log_likelihood(x, 0.0, 1.0, 0.0))
    assert berkowitz_ratio(norm.cdf(x)[None, :])[0] == pytest.approx(expected, abs=1e-7)
    result = berkowitz(norm.cdf(x))
    assert (result.degrees, result.observations, result.status) == (3, 25, UniformityStatus.OK)
    assert result.p_value == pytest.approx(chi2.sf(expected, 3), abs=1e-8)


def test_raw_moments_by_hand() -> None:
    # Every u at 1/2: y = 0, d = (0, -1, 0, -9/5), W_even = [[4/5, 72/35], [72/35, 144/25]] with the determinant
    # 576/125 - 5184/1225 = 2304/6125; d' W^-1 d = (144/25 - 2 * 72/35 * 9/5 + 4/5 * 81/25) / (2304/6125) = 161/64.
    assert raw_moments_statistic(np.full((1, 30), 0.5))[0] == pytest.approx(30.0 * 161.0 / 64.0, rel=1e-12)
    # u at 1/2 +- 1/sqrt(12) alternately: y = +-1, d = (0, 0, 0, -4/5); W_even^-1[2,2] = 4/5 * 6125/2304 = 1225/576.
    u = 0.5 + np.tile([1.0, -1.0], 15) / np.sqrt(12.0)
    assert raw_moments_statistic(u[None, :])[0] == pytest.approx(30.0 * 0.64 * 1225.0 / 576.0, rel=1e-12)
    # All at 1/2 + 1/sqrt(12): y = 1, d = (1, 0, 1, -4/5); W_odd^-1 of (1, 1): (27/7 - 18/5 + 1) / (27/7 - 81/25).
    u = np.full(20, 0.5 + 1.0 / np.sqrt(12.0))
    odd = (27.0 / 7.0 - 3.6 + 1.0) / (27.0 / 7.0 - 3.24)
    expected = 20.0 * (odd + 0.64 * 1225.0 / 576.0)
    result = raw_moments(u)
    assert result.statistic == pytest.approx(expected, rel=1e-12)
    assert result.p_value == pytest.approx(chi2.sf(expected, 4), rel=1e-9)
    assert result.degrees == 4


@pytest.mark.parametrize("n", [MIN_OBSERVATIONS, 60, 120])
def test_size_is_about_nominal(n: int) -> None:
    # 4,000 replications: the standard error of a rejection rate of 5 % is 0.35 %.
    u = np.random.default_rng(11).uniform(size=(REPLICATIONS, n))
    rates = [
        float((berkowitz_ratio(u) > chi2.ppf(0.95, 3)).mean()),
        float((raw_moments_statistic(u) > chi2.ppf(0.95, 4)).mean()),
    ]
    assert all(0.038 < rate < 0.070 for rate in rates), rates


def test_power() -> None:
    rng = np.random.default_rng(12)
    x = rng.standard_normal((1000, 60))
    dependent = x.copy()
    for t in range(1, 60):
        dependent[:, t] = 0.5 * dependent[:, t - 1] + np.sqrt(0.75) * x[:, t]

    def power(scores: np.ndarray) -> tuple[float, float]:
        u = norm.cdf(scores)
        return (
            float((berkowitz_ratio(u) > chi2.ppf(0.95, 3)).mean()),
            float((raw_moments_statistic(u) > chi2.ppf(0.95, 4)).mean()),
        )

    shifted, narrow, serial = power(x + 0.5), power(0.7 * x), power(dependent)
    assert shifted[0] > 0.85
    assert shifted[1] > 0.80
    assert narrow[0] > 0.85
    assert narrow[1] > 0.60
    # Serial dependence is what Berkowitz adds; the moments do not look at the order.
    assert serial[0] > 0.85
    assert serial[1] < serial[0]


def test_moments_see_a_shape_that_mean_variance_and_order_do_not() -> None:
    # Normal scores of two points: mean 0, variance 1, independent, nothing else normal about them.
    x = np.random.default_rng(13).choice([-1.0, 1.0], size=(1000, 60))
    assert (berkowitz_ratio(norm.cdf(x)) > chi2.ppf(0.95, 3)).mean() < 0.10
    assert (raw_moments_statistic(norm.cdf(x)) > chi2.ppf(0.95, 4)).mean() > 0.80


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(20, 60))
def test_mirrored_transforms_and_reversed_time_give_the_same(seed: int, n: int) -> None:
    u = np.random.default_rng(seed).uniform(0.001, 0.999, (1, n))
    for statistic in (berkowitz_ratio, raw_moments_statistic):
        value = statistic(u)
        assert value >= 0.0
        assert statistic(1.0 - u) == pytest.approx(value, rel=1e-8, abs=1e-9)
        assert statistic(u[:, ::-1]) == pytest.approx(value, rel=1e-8, abs=1e-9)


def test_a_series_does_not_depend_on_its_batch() -> None:
    u = np.random.default_rng(14).uniform(size=(50, 33))
    for statistic in (berkowitz_ratio, raw_moments_statistic):
        assert np.array_equal(statistic(u[17:18]), statistic(u)[17:18])


def test_reasons() -> None:
    u = np.random.default_rng(15).uniform(size=MIN_OBSERVATIONS)
    for test in (berkowitz, raw_moments):
        assert test(u).status == UniformityStatus.OK
        few = test(u[1:])
        assert (few.status, few.statistic, few.p_value) == (UniformityStatus.TOO_FEW_OBSERVATIONS, None, None)
        assert test(np.empty(0)).status == UniformityStatus.TOO_FEW_OBSERVATIONS
        for wrong in (0.0, 1.0, np.nan, -0.1):
            assert test(np.append(u, wrong)).status == UniformityStatus.NOT_PROBABILITIES
        # Constant transforms: a perfect fit of the AR(1), an infinite ratio, still a verdict.
        assert test(np.full(30, 0.7)).p_value == pytest.approx(0.0, abs=1e-6)
