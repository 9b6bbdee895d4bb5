from dataclasses import dataclass, fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from hydra_assets.options.average import Average
from hydra_assets.options.black76 import Floats
from hydra_assets.options.density import Z_GRID, DensitySummary, summarise
from hydra_assets.options.moments import Statistic, sinh_nodes, statistics
from hydra_assets.options.slices import Index, VarianceSmile
from hydra_assets.options.ssvi import Ssvi, phi_cap


@dataclass(frozen=True)
class RawSvi(VarianceSmile):
    a: Floats
    b: Floats
    rho: Floats
    m: Floats
    sigma: Floats

    def __len__(self) -> int:
        return len(self.a)

    def take(self, index: Index) -> "RawSvi":
        return RawSvi(*(getattr(self, f.name)[index] for f in fields(self)))

    def variance_and_derivatives(self, k: Floats) -> tuple[Floats, Floats, Floats]:
        a, b, rho, m, sigma = (getattr(self, f.name)[:, None] for f in fields(self))
        root = np.sqrt((k - m) ** 2 + sigma**2)
        return a + b * (rho * (k - m) + root), b * (rho + (k - m) / root), b * sigma**2 / root**3


def batch(n: int, seed: int = 2) -> Ssvi:
    rng = np.random.default_rng(seed)
    theta, rho = rng.uniform(0.005, 0.1, n), rng.uniform(-0.8, 0.8, n)
    return Ssvi(theta, rho, rng.uniform(0.05, 0.9, n) * phi_cap(theta, rho))


def at(smiles: Ssvi, low: float = -1.5, high: float = 1.5) -> DensitySummary:
    unit = np.sqrt(smiles.theta)
    return summarise(smiles, low * unit, high * unit)


def test_vogts_slice_is_found_out() -> None:
    # Gatheral and Jacquier (2014), example 3.1: g reaches -0.03286357345362301 at k = 0.87926254162207, t = 1.
    vogt = RawSvi(*(np.array([v]) for v in (-0.0410, 0.1331, 0.3060, 0.3586, 0.4153)))
    summary = summarise(vogt, np.array([-0.2]), np.array([0.2]))
    assert summary.min_density[0] < 0.0
    assert summary.min_g[0] == pytest.approx(-0.03286357345362301, abs=1e-6)
    assert summary.min_g_z[0] * summary.unit[0] == pytest.approx(0.87926254162207, abs=1e-3)
    hidden = Average((vogt, vogt, vogt), np.array([[0.0, 0.0, 1.0]]), *(np.zeros(1) for _ in range(3)))
    again = summarise(hidden, np.array([-0.2]), np.array([0.2]))
    assert again.min_g[0] == pytest.approx(summary.min_g[0], rel=1e-9)


def test_a_smile_with_a_kink_between_the_points_is_integrated_all_the_same() -> None:
    # Raw SVI bending within 0.02 standard deviations, half of one from the money: 401 points miss the spike.
    kinked = RawSvi(*(np.array([v]) for v in (0.036, 0.0187, 0.3, 0.10, 0.004)))
    summary = summarise(kinked, np.array([-0.2]), np.array([0.2]))
    assert abs(summary.mass_residual[0]) <= 1e-8
    assert abs(summary.martingale_residual[0]) <= 1e-8
    _, coarse, _ = statistics(kinked, summary.unit, sinh_nodes(401, steps=60))
    assert abs(coarse[0] - 1.0) > 1e-6


def test_least_g_is_durrlemans_where_there_is_no_arbitrage() -> None:
    smiles = batch(5)
    summary = at(smiles)
    k = np.linspace(-8.0, 8.0, 21) * np.sqrt(smiles.theta)[:, None]
    np.testing.assert_allclose(summary.min_g, smiles.durrleman(k).min(axis=1), rtol=1e-10)
    assert (summary.min_density >= 0.0).all()


def test_the_published_grid_is_the_density_per_unit_of_z() -> None:
    smiles = batch(3)
    summary = at(smiles)
    unit = np.sqrt(smiles.theta)[:, None]
    assert summary.grid.shape == (3, 129)
    np.testing.assert_allclose(summary.grid, smiles.density(Z_GRID * unit) * unit, rtol=1e-14)
    assert (np.abs(summary.mass_residual) <= 1e-8).all()
    assert (np.abs(summary.martingale_residual) <= 1e-8).all()


def test_observed_moments_and_what_lies_beyond() -> None:
    smiles = batch(1)
    unit = float(np.sqrt(smiles.theta[0]))
    low, high = -1.2 * unit, 1.4 * unit
    summary = at(smiles, -1.2, 1.4)

    def integral(power: int, centre: float) -> float:
        value = quad(lambda k: (k - centre) ** power * smiles.density(np.array([[k]]))[0, 0], low, high, epsabs=1e-13)
        return float(value[0])

    mass = integral(0, 0.0)
    mean = integral(1, 0.0) / mass
    variance = integral(2, mean) / mass
    third, fourth = integral(3, mean) / mass, integral(4, mean) / mass
    want = [mean, np.sqrt(variance), third / variance**1.5, fourth / variance**2]
    np.testing.assert_allclose(summary.observed[0], want, rtol=1e-8)
    assert summary.beyond_low[0] + summary.beyond_high[0] == pytest.approx(1.0 - mass, abs=1e-12)
    assert summary.observed[0, 1] < 0.8 * summary[Statistic.SD][0]


@settings(max_examples=25, deadline=None)
@given(rho=st.floats(-0.9, 0.9), share=st.floats(0.05, 0.9), theta=st.floats(1e-3, 0.2))
def test_a_density_is_positive_with_mass_and_mean_one(rho: float, share: float, theta: float) -> None:
    a, b = np.array([theta]), np.array([rho])
    summary = at(Ssvi(a, b, share * phi_cap(a, b)))
    assert summary.min_density[0] >= 0.0
    assert summary.min_g[0] >= 0.0
    assert abs(summary.mass_residual[0]) <= 1e-8
    assert abs(summary.martingale_residual[0]) <= 1e-8


def test_a_slice_does_not_depend_on_its_batch_and_none_is_no_failure() -> None:
    smiles = batch(131)
    whole = at(smiles)
    for i in (0, 70, 130):
        one = at(smiles.take(slice(i, i + 1)))
        for name in DensitySummary.__slots__:
            np.testing.assert_array_equal(getattr(whole, name)[i], getattr(one, name)[0], err_msg=name)
    assert at(smiles.take(slice(0, 0))).grid.shape == (0, 129)


def test_a_slice_without_parameters_is_nan_and_spoils_nothing() -> None:
    smiles = batch(3)
    smiles.theta[1] = np.nan
    summary = at(smiles)
    for name in DensitySummary.__slots__:
        assert np.isnan(getattr(summary, name)[1]).all(), name
        np.testing.assert_array_equal(getattr(summary, name)[2], getattr(at(smiles.take(slice(2, 3))), name)[0])
