"""The t-copula against its formulas written another way, and against samples whose parameters are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau, multivariate_t, t

from hydra_assets.stress import copula
from hydra_assets.stress.copula import TCopula, conditional, empirical, fit, nearest_correlation, uniforms


def sample(n: int, rho: float, degrees: float, seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    random = np.random.default_rng(seed)
    normal = random.multivariate_normal([0.0, 0.0], [[1.0, rho], [rho, 1.0]], n)
    return np.asarray(normal / np.sqrt(random.chisquare(degrees, (n, 1)) / degrees))


def test_tau_and_correlation_by_hand() -> None:
    """1 2 3 4 against 1 3 2 4: of six pairs five agree and one does not, tau = 4 / 6; rho = sin(pi / 3)."""
    found = fit(np.array([[1.0, 1.0], [2.0, 3.0], [3.0, 2.0], [4.0, 4.0]]), 2)
    assert found.tau[0, 1] == pytest.approx(2.0 / 3.0)
    assert found.correlation[0, 1] == pytest.approx(np.sqrt(3.0) / 2.0)


def test_ranks_over_n_plus_one_and_ties_share() -> None:
    assert uniforms(np.array([[5.0], [1.0], [5.0], [9.0]]))[:, 0].tolist() == [0.5, 0.2, 0.5, 0.8]


@pytest.mark.parametrize(("degrees", "least", "most"), [(4.0, 3.0, 6.0), (1e6, 30.0, 100.0)])
def test_a_known_copula_is_found(degrees: float, least: float, most: float) -> None:
    found = fit(sample(4_000, 0.5, degrees, 1), 2)
    assert found.correlation[0, 1] == pytest.approx(0.5, abs=0.05)
    assert least <= found.degrees <= most


def test_likelihood_is_that_of_the_densities() -> None:
    u = uniforms(sample(50, 0.4, 5.0, 2))
    matrix = np.array([[1.0, 0.4], [0.4, 1.0]])
    x = t.ppf(u, 5.0)
    expected = multivariate_t(shape=matrix, df=5.0).logpdf(x).sum() - t.logpdf(x, 5.0).sum()
    assert copula._log_likelihood(u, matrix, 5.0) == pytest.approx(expected, rel=1e-9)


def test_conditional_by_hand() -> None:
    """rho 0.6, nu 3, given 2: location 1.2, scale sqrt((3 + 4) / (3 + 1)), root sqrt(1 - 0.36) = 0.8, 4 degrees."""
    model = TCopula(np.eye(2), np.array([[1.0, 0.6], [0.6, 1.0]]), 3.0)
    draws = conditional(model, np.array([[2.0], [0.0]]), 1)
    np.testing.assert_allclose(draws.location[:, 0], [1.2, 0.0])
    np.testing.assert_allclose(draws.scale, np.sqrt([7.0 / 4.0, 3.0 / 4.0]))
    assert draws.root[0, 0] == pytest.approx(0.8)
    assert draws.degrees == 4.0


def test_conditional_draws_have_the_joint_tau() -> None:
    """tau = 2 / pi * asin(0.6) = 0.4097, from draws of one margin given the other's own draws."""
    random, n = np.random.default_rng(3), 6_000
    given_ = random.standard_t(3.0, (n, 1))
    draws = conditional(TCopula(np.eye(2), np.array([[1.0, 0.6], [0.6, 1.0]]), 3.0), given_, 1)
    spread = draws.scale * np.sqrt(draws.degrees / random.chisquare(draws.degrees, n))
    drawn = draws.location[:, 0] + spread * draws.root[0, 0] * random.standard_normal(n)
    assert kendalltau(drawn, given_[:, 0]).statistic == pytest.approx(0.4097, abs=0.03)


def test_empirical_margin_by_hand() -> None:
    """Three values at ranks 1/6, 1/2, 5/6: the middle one at zero, the ends beyond their quantiles."""
    values = empirical(np.array([7.0, -1.0, 2.0]), 4.0, np.array([0.0, -50.0, 50.0, t.ppf(5.0 / 6.0, 4.0)]))
    np.testing.assert_allclose(values, [2.0, -1.0, 7.0, 7.0])


def test_correlations_that_do_not_fit_together_are_mended() -> None:
    wrong = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
    mended = nearest_correlation(wrong)
    assert np.linalg.eigvalsh(wrong)[0] < 0.0 < np.linalg.eigvalsh(mended)[0]
    np.testing.assert_allclose(np.diag(mended), 1.0)


@settings(max_examples=30, deadline=None)
@given(rho=st.floats(-0.95, 0.95))
def test_correlations_that_do_are_left_alone(rho: float) -> None:
    right = np.array([[1.0, rho], [rho, 1.0]])
    np.testing.assert_array_equal(nearest_correlation(right), right)
