"""Real-world densities: closed forms of normals, identity to the bit, standard errors, independence of the batch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from hydra_assets.options.density import Z_GRID
from hydra_assets.options.real_world import LEVELS, Parameters, RealWorld, apply, beta_recalibrate, power_tilt
from hydra_assets.options.real_world_grid import STEP, distribution, distribution_weights, log_density_at, quantiles

MARKET_UNIT = 0.0860
"""A vol of 30 % over 30 days."""


def lognormal(unit: np.ndarray) -> np.ndarray:
    return norm.pdf(Z_GRID + 0.5 * unit[:, None])


def mixtures(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    weight, apart, sd = rng.uniform(0.2, 0.8, n), rng.uniform(0.0, 2.5, n), rng.uniform(0.4, 1.2, (n, 2))
    left = norm.pdf(Z_GRID, -(apart * (1 - weight))[:, None], sd[:, :1])
    right = norm.pdf(Z_GRID, (apart * weight)[:, None], sd[:, 1:])
    return weight[:, None] * left + (1 - weight)[:, None] * right


def some_parameters(n: int, seed: int, covariance: float = 0.01) -> Parameters:
    rng = np.random.default_rng(seed)
    gamma, a, b = rng.normal(0.0, 3.0, n), np.exp(rng.normal(0.0, 0.3, n)), np.exp(rng.normal(0.0, 0.3, n))
    root = rng.normal(0.0, np.sqrt(covariance), (n, 3, 3))
    return Parameters(gamma, a, b, root @ root.transpose(0, 2, 1))


def no_adjustment(n: int) -> Parameters:
    return Parameters(np.zeros(n), np.ones(n), np.ones(n), np.zeros((n, 3, 3)))


def mass(density: np.ndarray) -> np.ndarray:
    return STEP * density.sum(axis=1)


def test_distribution_and_quantiles_of_a_standard_normal() -> None:
    p = norm.pdf(Z_GRID)[None, :]
    below, above = distribution(p)
    assert below[0] == pytest.approx(norm.cdf(Z_GRID), abs=1e-5)
    assert below + above == pytest.approx(np.ones((1, 129)), abs=1e-14)
    # Both tails keep their digits: N(-6) = 9.8659e-10.
    assert below[0, 16] == pytest.approx(9.8659e-10, rel=2e-2)
    assert above[0, 112] == pytest.approx(9.8659e-10, rel=2e-2)
    z = np.array([-7.99, -2.345, -0.01, 0.0, 1.777, 8.0])
    assert distribution_weights(z) @ p[0] == pytest.approx(norm.cdf(z), abs=1e-5)
    assert log_density_at(np.repeat(p, 6, axis=0), z, 1e-300) == pytest.approx(norm.logpdf(z), abs=1e-12)
    levels = np.array([0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99])
    assert quantiles(p, below, levels)[0] == pytest.approx(norm.ppf(levels), abs=3e-5)


def test_power_transform_of_a_lognormal_moves_its_mean_only() -> None:
    # N(-u^2/2, u^2) weighed by e^(gamma k) is N(-u^2/2 + gamma u^2, u^2): E[S_T/F] = e^(gamma u^2).
    unit, gamma = np.array([MARKET_UNIT, 0.2, 0.5, 0.2]), np.array([3.0, -4.0, 2.0, 0.0])
    p = apply(lognormal(unit), unit, Parameters(gamma, np.ones(4), np.ones(4), np.zeros((4, 3, 3))))
    mean = (gamma - 0.5) * unit**2
    assert p.density == pytest.approx(norm.pdf(Z_GRID - (mean / unit)[:, None]), abs=1e-12)
    assert p.expected_log_return == pytest.approx(mean, abs=1e-12)
    assert p.expected_return == pytest.approx(np.expm1(gamma * unit**2), abs=1e-10)
    assert p.sd == pytest.approx(unit, rel=1e-10)
    assert p.skew == pytest.approx(np.zeros(4), abs=1e-8)
    assert p.quantiles == pytest.approx(mean[:, None] + unit[:, None] * norm.ppf(LEVELS), abs=1e-5)
    assert p.probability_above_forward == pytest.approx(norm.cdf(mean / unit), abs=1e-5)


def test_beta_2_1_is_the_greater_of_two_draws() -> None:
    # Of two standard normals: mean 1/sqrt(pi), variance 1 - 1/pi, P(> 0) = 3/4, quantiles N^-1(sqrt(level)).
    unit = np.array([MARKET_UNIT])
    parameters = Parameters(np.zeros(1), np.array([2.0]), np.ones(1), np.zeros((1, 3, 3)))
    p = apply(norm.pdf(Z_GRID)[None, :], unit, parameters)
    assert p.density[0] == pytest.approx(2.0 * norm.pdf(Z_GRID) * norm.cdf(Z_GRID), abs=1e-5)
    assert p.expected_log_return[0] / MARKET_UNIT == pytest.approx(0.5641896, abs=1e-5)
    assert p.sd[0] / MARKET_UNIT == pytest.approx(0.8256453, abs=1e-5)
    assert p.probability_above_forward[0] == pytest.approx(0.75, abs=1e-5)
    assert p.quantiles[0] == pytest.approx(MARKET_UNIT * norm.ppf(np.sqrt(LEVELS)), abs=1e-5)


def test_no_adjustment_gives_the_risk_neutral_density_to_the_bit() -> None:
    q = mixtures(300, 1) * np.random.default_rng(2).uniform(0.999, 1.001, (300, 1))
    p = apply(q, np.full(300, 0.1), no_adjustment(300))
    assert np.array_equal(p.density, q)
    assert np.array_equal(p.expected_return, np.zeros(300))
    assert np.array_equal(p.expected_return_se, np.zeros(300))


def test_standard_errors_are_those_of_the_closed_form() -> None:
    unit, gamma = np.array([0.2]), np.array([3.0])
    covariance = np.zeros((1, 3, 3))
    covariance[0, 0, 0] = 0.25
    p = apply(lognormal(unit), unit, Parameters(gamma, np.ones(1), np.ones(1), covariance))
    assert p.expected_log_return_se[0] == pytest.approx(0.5 * 0.04, rel=1e-9)
    assert p.expected_return_se[0] == pytest.approx(0.5 * 0.04 * np.exp(0.12), rel=1e-9)


def test_standard_errors_are_those_of_finite_differences() -> None:
    q, unit, at = mixtures(20, 3), np.linspace(0.05, 0.5, 20), some_parameters(20, 4)
    step = 1e-5
    gradients = []
    for name in ("gamma", "a", "b"):
        ends = []
        for sign in (1.0, -1.0):
            moved = {n: getattr(at, n) + sign * step * (n == name) for n in ("gamma", "a", "b")}
            out = apply(q, unit, Parameters(**moved, covariance=at.covariance))
            ends.append(np.array([out.expected_log_return, out.expected_return]))
        gradients.append((ends[0] - ends[1]) / (2.0 * step))
    se = np.sqrt(np.einsum("imn,nij,jmn->mn", np.array(gradients), at.covariance, np.array(gradients)))
    p = apply(q, unit, at)
    assert p.expected_log_return_se == pytest.approx(se[0], rel=1e-4)
    assert p.expected_return_se == pytest.approx(se[1], rel=1e-4)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(-60.0, 60.0), st.floats(0.05, 8.0), st.floats(0.05, 8.0), st.floats(0.01, 1.5))
def test_mass_and_sign_are_kept_however_strong_the_adjustment(
    seed: int, gamma: float, a: float, b: float, unit: float
) -> None:
    q = mixtures(1, seed)
    p = apply(q, np.array([unit]), Parameters(*(np.array([v]) for v in (gamma, a, b)), np.eye(3)[None] * 0.01))
    assert mass(p.density) == pytest.approx(mass(q), rel=1e-12)
    assert np.all(p.density >= 0.0)
    assert np.all(np.diff(p.quantiles[0]) >= 0.0)
    for name in RealWorld.__slots__:
        assert np.all(np.isfinite(getattr(p, name))), name


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(-10.0, 10.0), st.floats(0.02, 0.5))
def test_the_transform_is_undone_by_its_opposite_and_raises_the_mean(seed: int, gamma: float, unit: float) -> None:
    q, units, gammas = mixtures(1, seed), np.array([unit]), np.array([gamma])
    p = power_tilt(q, units, gammas)
    assert power_tilt(p, units, -gammas) == pytest.approx(q, rel=1e-9, abs=1e-15)
    assert gamma * ((p - q) @ Z_GRID)[0] >= -1e-12


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.3, 4.0), st.floats(0.3, 4.0))
def test_recalibration_mirrors(seed: int, a: float, b: float) -> None:
    q = mixtures(1, seed)
    mirrored = beta_recalibrate(q[:, ::-1], np.array([b]), np.array([a]))[:, ::-1]
    assert beta_recalibrate(q, np.array([a]), np.array([b])) == pytest.approx(mirrored, rel=1e-9, abs=1e-15)


def test_a_slice_does_not_depend_on_its_batch_or_place() -> None:
    q, unit, parameters = mixtures(300, 5), np.linspace(0.02, 0.6, 300), some_parameters(300, 6)
    together = apply(q, unit, parameters)
    for rows in ([7], [299, 7, 0], list(range(250, 300))):
        alone = apply(q[rows], unit[rows], parameters.take(np.array(rows)))
        for name in RealWorld.__slots__:
            assert np.array_equal(getattr(alone, name), getattr(together, name)[rows]), name


def test_a_missing_or_empty_density_is_missing_in_the_result_and_hurts_no_neighbour() -> None:
    q, unit, parameters = mixtures(4, 7), np.full(4, 0.1), some_parameters(4, 8)
    whole = apply(q, unit, parameters)
    q[1], q[2] = np.nan, 0.0
    p = apply(q, unit, parameters)
    for name in RealWorld.__slots__:
        found, expected = getattr(p, name), getattr(whole, name)
        assert np.all(np.isnan(found[[1, 2]])), name
        assert np.array_equal(found[[0, 3]], expected[[0, 3]]), name


def test_a_density_that_ends_in_zeros_is_adjusted_where_it_is() -> None:
    q = np.where(np.abs(Z_GRID) < 1.0, 0.5, 0.0)[None, :]
    p = apply(q, np.array([0.1]), some_parameters(1, 9))
    assert mass(p.density) == pytest.approx(mass(q), rel=1e-12)
    assert np.all(p.density[q == 0.0] == 0.0)
    assert np.all(np.isfinite(p.quantiles))


def test_no_slices_and_slices_of_another_shape() -> None:
    assert apply(np.empty((0, 129)), np.empty(0), no_adjustment(0)).quantiles.shape == (0, 5)
    with pytest.raises(ValueError, match="not of one batch"):
        apply(mixtures(2, 1), np.ones(3), no_adjustment(2))
    with pytest.raises(ValueError, match="not of one batch"):
        apply(mixtures(2, 1)[:, :100], np.ones(2), no_adjustment(2))
