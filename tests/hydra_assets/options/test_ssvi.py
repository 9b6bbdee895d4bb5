"""SSVI: recovery of its own slices, robustness, freedom from arbitrage, independence of the batch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.options.density import Z_GRID, densities, density_and_g, distribution
from hydra_assets.options.ssvi import Ssvi, fit, phi_cap, total_variance


def random_slices(n: int, seed: int) -> Ssvi:
    rng = np.random.default_rng(seed)
    theta, rho = np.exp(rng.uniform(np.log(0.002), np.log(0.2), n)), rng.uniform(-0.8, 0.8, n)
    return Ssvi(theta, rho, phi_cap(theta, rho) * rng.uniform(0.1, 0.9, n))


def strikes(slices: Ssvi, m: int = 13, deviations: float = 2.0) -> np.ndarray:
    return np.linspace(-deviations, deviations, m) * np.sqrt(slices.theta)[:, None]


def test_equals_raw_svi_under_the_published_map() -> None:
    # Gatheral & Jacquier (2014): a = theta(1-rho^2)/2, b = theta phi/2, m = -rho/phi, sigma = sqrt(1-rho^2)/phi.
    theta, rho, phi = 0.04, -0.3, 2.5
    k = np.array([[-0.5, -0.1, 0.0, 0.2, 0.7]])
    w, first, second = total_variance(Ssvi(*(np.array([v]) for v in (theta, rho, phi))), k)
    a, b, m, sigma = theta * (1 - rho**2) / 2, theta * phi / 2, -rho / phi, np.sqrt(1 - rho**2) / phi
    assert w == pytest.approx(a + b * (rho * (k - m) + np.sqrt((k - m) ** 2 + sigma**2)), rel=1e-14)
    h = 1e-5
    up, down = (total_variance(Ssvi(*(np.array([v]) for v in (theta, rho, phi))), k + s * h)[0] for s in (1, -1))
    assert first == pytest.approx((up - down) / (2 * h), rel=1e-7)
    assert second == pytest.approx((up - 2 * w + down) / h**2, rel=1e-3)


def test_recovers_noise_free_slices() -> None:
    truth = random_slices(2000, 1)
    k = strikes(truth)
    w = total_variance(truth, k)[0]
    found = fit(k, w, 0.05 * w, np.ones_like(k, dtype=bool))
    assert found.rmse_half_spreads.max() < 1e-9
    assert found.slices.theta == pytest.approx(truth.theta, rel=1e-9)
    assert found.slices.rho == pytest.approx(truth.rho, abs=1e-7)


def test_a_stale_quote_hardly_moves_a_robust_fit() -> None:
    truth = random_slices(200, 2)
    k = strikes(truth)
    w = total_variance(truth, k)[0]
    half_spread = 0.02 * w
    w[:, 3] *= 1.6
    found = fit(k, w, half_spread, np.ones_like(k, dtype=bool))
    assert np.quantile(np.abs(found.slices.theta / truth.theta - 1.0), 0.9) < 0.01


def test_a_slice_does_not_depend_on_its_batch_padding_or_place() -> None:
    truth = random_slices(300, 3)
    k = strikes(truth)
    w = total_variance(truth, k)[0] * (1.0 + 0.05 * np.random.default_rng(3).standard_normal(k.shape))
    used = np.ones_like(k, dtype=bool)
    together = fit(k, w, 0.03 * w, used)
    padded = [np.concatenate([a, np.full((len(k), 6), np.nan)], axis=1) for a in (k, w, 0.03 * w)]
    wide = fit(*padded, np.isfinite(padded[0]))
    dense = densities(together.slices)
    for name in ("theta", "rho", "phi"):
        assert (getattr(wide.slices, name) == getattr(together.slices, name)).all()
    for i in (0, 7, 255, 256, 299):
        rows = slice(i, i + 1)
        alone = fit(k[rows], w[rows], 0.03 * w[rows], used[rows])
        assert alone.slices.rho[0] == together.slices.rho[i]
        assert alone.slices.phi[0] == together.slices.phi[i]
        one = densities(alone.slices)
        assert (one.grid[0] == dense.grid[i]).all()
        assert (one.tilt[0], one.skew[0]) == (dense.tilt[i], dense.skew[i])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000))
def test_every_fit_is_free_of_butterfly_arbitrage(seed: int) -> None:
    rng = np.random.default_rng(seed)
    k = np.sort(rng.uniform(-0.6, 0.6, (4, 9)), axis=1)
    w = rng.uniform(0.001, 0.2, (4, 9))
    found = fit(k, w, rng.uniform(0.01, 0.5, (4, 9)) * w, np.ones_like(k, dtype=bool)).slices
    assert (found.phi <= phi_cap(found.theta, found.rho) * (1 + 1e-12)).all()
    _, g = density_and_g(found, np.linspace(-8, 8, 2001) * np.sqrt(found.theta)[:, None])
    assert g.min() > -1e-6


def test_flat_smile_is_the_lognormal() -> None:
    theta = np.array([0.01, 0.04, 0.25])
    flat = densities(Ssvi(theta, np.zeros(3), np.full(3, 1e-9)))
    assert flat.sd == pytest.approx(np.sqrt(theta), rel=1e-9)
    assert flat.skew == pytest.approx(np.zeros(3), abs=1e-9)
    assert flat.tilt == pytest.approx(np.zeros(3), abs=1e-9)
    assert flat.tilt_probability == pytest.approx(np.zeros(3), abs=1e-9)
    z = Z_GRID[None, :] + 0.5 * np.sqrt(theta)[:, None]
    assert flat.grid == pytest.approx(np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi), abs=1e-9)


def test_mass_is_one_and_the_mean_is_the_forward() -> None:
    rng = np.random.default_rng(5)
    theta, rho = np.exp(rng.uniform(np.log(0.002), np.log(0.1), 500)), rng.uniform(-0.6, 0.6, 500)
    found = densities(Ssvi(theta, rho, phi_cap(theta, rho) * rng.uniform(0.05, 0.5, 500)))
    assert np.abs(found.mass_residual).max() < 1e-6
    assert np.abs(found.martingale_residual).max() < 1e-6
    assert (found.grid > 0.0).all()


def test_density_is_the_slope_of_its_distribution_and_tilt_follows_the_smile() -> None:
    slices = Ssvi(np.array([0.04, 0.04]), np.array([-0.5, 0.5]), np.array([2.0, 2.0]))
    k = np.linspace(-0.5, 0.5, 11)[None, :] * np.ones((2, 1))
    p, _ = density_and_g(slices, k)
    h = 1e-5
    assert p == pytest.approx((distribution(slices, k + h) - distribution(slices, k - h)) / (2 * h), rel=1e-6)
    found = densities(slices)
    # A smile that is dear below the forward has a long left tail and its median above the lognormal's.
    assert found.skew[0] < 0.0 < found.skew[1]
    assert found.tilt[1] < 0.0 < found.tilt[0]
