"""SSVI: recovery of its own slices, robustness, freedom from arbitrage, independence of the batch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.options.slices import Fit, SliceQuotes
from hydra_assets.options.ssvi import Ssvi, fit_slices, phi_cap


def random_slices(n: int, seed: int) -> Ssvi:
    rng = np.random.default_rng(seed)
    theta, rho = np.exp(rng.uniform(np.log(0.002), np.log(0.2), n)), rng.uniform(-0.8, 0.8, n)
    return Ssvi(theta, rho, phi_cap(theta, rho) * rng.uniform(0.1, 0.9, n))


def fit(k: np.ndarray, w: np.ndarray, half_spread: np.ndarray, used: np.ndarray | None = None) -> Fit[Ssvi]:
    return fit_slices(SliceQuotes(k, w, half_spread, np.ones_like(k, dtype=bool) if used is None else used))


def strikes(slices: Ssvi, m: int = 13, deviations: float = 2.0) -> np.ndarray:
    return np.linspace(-deviations, deviations, m) * np.sqrt(slices.theta)[:, None]


def test_equals_raw_svi_under_the_published_map() -> None:
    # Gatheral & Jacquier (2014): a = theta(1-rho^2)/2, b = theta phi/2, m = -rho/phi, sigma = sqrt(1-rho^2)/phi.
    theta, rho, phi = 0.04, -0.3, 2.5
    k = np.array([[-0.5, -0.1, 0.0, 0.2, 0.7]])
    w, first, second = Ssvi(*(np.array([v]) for v in (theta, rho, phi))).variance_and_derivatives(k)
    a, b, m, sigma = theta * (1 - rho**2) / 2, theta * phi / 2, -rho / phi, np.sqrt(1 - rho**2) / phi
    assert w == pytest.approx(a + b * (rho * (k - m) + np.sqrt((k - m) ** 2 + sigma**2)), rel=1e-14)
    h = 1e-5
    up, down = (Ssvi(*(np.array([v]) for v in (theta, rho, phi))).total_variance(k + s * h) for s in (1, -1))
    assert first == pytest.approx((up - down) / (2 * h), rel=1e-7)
    assert second == pytest.approx((up - 2 * w + down) / h**2, rel=1e-3)


def test_recovers_noise_free_slices() -> None:
    truth = random_slices(2000, 1)
    k = strikes(truth)
    w = truth.total_variance(k)
    found = fit(k, w, 0.05 * w)
    assert np.abs(found.residual).max() < 1e-8
    assert found.slices.theta == pytest.approx(truth.theta, rel=1e-9)
    assert found.slices.rho == pytest.approx(truth.rho, abs=1e-7)


def test_a_stale_quote_hardly_moves_a_robust_fit() -> None:
    truth = random_slices(200, 2)
    k = strikes(truth)
    w = truth.total_variance(k)
    half_spread = 0.02 * w
    w[:, 3] *= 1.6
    found = fit(k, w, half_spread)
    assert np.quantile(np.abs(found.slices.theta / truth.theta - 1.0), 0.9) < 0.01


def test_a_slice_does_not_depend_on_its_batch_padding_or_place() -> None:
    truth = random_slices(300, 3)
    k = strikes(truth)
    w = truth.total_variance(k) * (1.0 + 0.05 * np.random.default_rng(3).standard_normal(k.shape))
    used = np.ones_like(k, dtype=bool)
    together = fit(k, w, 0.03 * w, used)
    padded = [np.concatenate([a, np.full((len(k), 6), np.nan)], axis=1) for a in (k, w, 0.03 * w)]
    wide = fit(*padded, np.isfinite(padded[0]))
    for name in ("theta", "rho", "phi"):
        assert (getattr(wide.slices, name) == getattr(together.slices, name)).all()
    for i in (0, 7, 255, 256, 299):
        rows = slice(i, i + 1)
        alone = fit(k[rows], w[rows], 0.03 * w[rows], used[rows])
        assert alone.slices.rho[0] == together.slices.rho[i]
        assert alone.slices.phi[0] == together.slices.phi[i]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_every_fit_is_free_of_butterfly_arbitrage(seed: int) -> None:
    rng = np.random.default_rng(seed)
    k = np.sort(rng.uniform(-0.6, 0.6, (4, 9)), axis=1)
    w = rng.uniform(0.001, 0.2, (4, 9))
    found = fit(k, w, rng.uniform(0.01, 0.5, (4, 9)) * w).slices
    assert (found.phi <= phi_cap(found.theta, found.rho) * (1 + 1e-12)).all()
    assert found.durrleman(np.linspace(-8, 8, 2001) * np.sqrt(found.theta)[:, None]).min() > -1e-6
