from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr, ndtri

from hydra_assets.options.black76 import Floats, normalised_call
from hydra_assets.options.implied_vol import solve_normalised
from hydra_assets.options.moments import COARSE, COLUMN, FINE, LEVELS, Statistic, at_the_money, per_year, statistics
from hydra_assets.options.slices import Index, VarianceSmile
from hydra_assets.options.ssvi import Ssvi, phi_cap


@dataclass(frozen=True)
class Flat(VarianceSmile):
    w: Floats

    def __len__(self) -> int:
        return len(self.w)

    def take(self, index: Index) -> "Flat":
        return Flat(self.w[index])

    def variance_and_derivatives(self, k: Floats) -> tuple[Floats, Floats, Floats]:
        return self.w[:, None] + 0.0 * k, 0.0 * k, 0.0 * k


@dataclass(frozen=True)
class Bumps:
    """Mixture of lognormals, ``[n, components]``: weights, forwards over F, total volatilities."""

    weight: Floats
    forward: Floats
    s: Floats

    def __len__(self) -> int:
        return len(self.weight)

    def take(self, index: Index) -> "Bumps":
        return Bumps(self.weight[index], self.forward[index], self.s[index])

    def _d(self, k: Floats) -> tuple[Floats, Floats, Floats]:
        s, weight = self.s[:, :, None], self.weight[:, :, None]
        return (k[:, None, :] - np.log(self.forward[:, :, None])) / s + 0.5 * s, s, weight

    def density(self, k: Floats) -> Floats:
        z, s, weight = self._d(k)
        return (weight * np.exp(-0.5 * z * z) / s).sum(axis=1) / np.sqrt(2.0 * np.pi)

    def distribution(self, k: Floats) -> Floats:
        z, _, weight = self._d(k)
        return (weight * ndtr(z)).sum(axis=1)

    def call(self, k: Floats) -> Floats:
        z, s, weight = self._d(k)
        value = weight * self.forward[:, :, None] * ndtr(s - z) - weight * np.exp(k)[:, None, :] * ndtr(-z)
        return value.sum(axis=1)

    def total_variance(self, k: Floats) -> Floats:
        z, s, weight = self._d(k)
        out = np.where(k >= 0.0, 1.0, -1.0)[:, None, :]
        price = weight * out * (self.forward[:, :, None] * ndtr(out * (s - z)) - np.exp(k)[:, None] * ndtr(-out * z))
        beta = price.sum(axis=1) * np.exp(-0.5 * k)
        return solve_normalised(-np.abs(k).ravel(), beta.ravel()).reshape(k.shape) ** 2


def bumps(weight: float, first: float, s1: float, s2: float) -> Bumps:
    second = (1.0 - weight * first) / (1.0 - weight)
    return Bumps(np.array([[weight, 1.0 - weight]]), np.array([[first, second]]), np.array([[s1, s2]]))


def ssvi(theta: float, rho: float, share: float) -> Ssvi:
    a, b = np.array([theta]), np.array([rho])
    return Ssvi(a, b, share * phi_cap(a, b))


def value(smiles: object, name: Statistic) -> float:
    found, _, _ = statistics(smiles, at_the_money(smiles))  # type: ignore[arg-type]
    return float(found[0, COLUMN[name]])


@pytest.mark.parametrize("s", [0.01, 0.1, 0.35, 1.2])
def test_a_lognormal_has_its_moments(s: float) -> None:
    v = s * s
    values, mass, price = statistics(Flat(np.array([v])), np.array([s]))
    want = dict.fromkeys(Statistic, 0.0)
    want |= {Statistic.MEAN: -0.5 * v, Statistic.SD: s, Statistic.KURT: 3.0, Statistic.MODE: -0.5 * v}
    want |= {Statistic.ATM_TOTAL_VOL: s}
    for name, level in zip(list(Statistic)[COLUMN[Statistic.Q01] :], LEVELS, strict=True):
        want[name] = -0.5 * v + s * float(ndtri(level))
    tolerance = dict.fromkeys(Statistic, 2e-14) | {Statistic.MODE: 1e-10 * s, Statistic.TILT_MODE: 1e-10}
    tolerance |= {Statistic.ATM_CURVATURE_TOTAL_VOL: 1e-14 / s}
    for name, column in COLUMN.items():
        assert values[0, column] == pytest.approx(want[name], abs=tolerance[name], rel=2e-14), name
    np.testing.assert_allclose([mass[0], price[0]], 1.0, atol=1e-13)


def test_a_mixture_has_the_moments_of_its_components() -> None:
    truth = bumps(0.3, 0.85, 0.08, 0.15)
    centre = np.log(truth.forward[0]) - 0.5 * truth.s[0] ** 2
    weight, s = truth.weight[0], truth.s[0]
    mean = float(weight @ centre)
    away = centre - mean
    variance = float(weight @ (s**2 + away**2))
    third = float(weight @ (away**3 + 3.0 * away * s**2))
    fourth = float(weight @ (away**4 + 6.0 * away**2 * s**2 + 3.0 * s**4))
    assert value(truth, Statistic.MEAN) == pytest.approx(mean, rel=1e-13)
    assert value(truth, Statistic.SD) == pytest.approx(np.sqrt(variance), rel=1e-13)
    assert value(truth, Statistic.SKEW) == pytest.approx(third / variance**1.5, rel=1e-12)
    assert value(truth, Statistic.KURT) == pytest.approx(fourth / variance**2, rel=1e-12)
    above = float(weight @ ndtr(centre / s))
    assert value(truth, Statistic.TILT_PROBABILITY) == pytest.approx(above - ndtr(-0.5 * np.sqrt(variance)), abs=1e-14)


def test_quantiles_invert_the_distribution() -> None:
    for smiles in (ssvi(0.04, -0.6, 0.7), bumps(0.3, 0.85, 0.05, 0.15), Flat(np.array([0.09]))):
        values, _, _ = statistics(smiles, at_the_money(smiles))
        below = smiles.distribution(values[:, COLUMN[Statistic.Q01] :])
        np.testing.assert_allclose(below, LEVELS[None], atol=4e-16)


def test_the_mode_has_no_slope() -> None:
    smiles = ssvi(0.04, -0.6, 0.7)
    mode = value(smiles, Statistic.MODE)
    h = 1e-4
    p = smiles.density(np.array([[mode - h, mode, mode + h]]))[0]
    assert abs(p[2] - p[0]) / (2.0 * h * p[1]) < 1e-4
    assert p[1] == max(p)


def test_the_smile_is_that_of_the_model() -> None:
    smiles = ssvi(0.04, -0.4, 0.5)
    w, first, second = (v[0, 0] for v in smiles.variance_and_derivatives(np.zeros((1, 1))))
    s = np.sqrt(w)
    assert value(smiles, Statistic.ATM_SKEW_TOTAL_VOL) == pytest.approx(first / (2.0 * s), rel=1e-12)
    curvature = second / (2.0 * s) - first**2 / (4.0 * s**3)
    assert value(smiles, Statistic.ATM_CURVATURE_TOTAL_VOL) == pytest.approx(curvature, rel=1e-11)


def test_a_25_delta_strike_has_delta_25() -> None:
    # Bisection of Black's delta along the smile, independent of the Newton steps.
    for smiles in (ssvi(0.04, -0.5, 0.6), bumps(0.3, 0.85, 0.05, 0.15)):
        vols = []
        for target in (0.25, 0.75):
            low, high = -1.0, 1.0
            for _ in range(80):
                k = 0.5 * (low + high)
                s = float(np.sqrt(smiles.total_variance(np.array([[k]]))[0, 0]))
                low, high = (k, high) if ndtr(-k / s + 0.5 * s) > target else (low, k)
            vols.append(s)
        atm = at_the_money(smiles)[0]
        assert value(smiles, Statistic.RISK_REVERSAL_TOTAL_VOL) == pytest.approx(vols[0] - vols[1], abs=1e-11)
        assert value(smiles, Statistic.BUTTERFLY_TOTAL_VOL) == pytest.approx(0.5 * sum(vols) - atm, abs=1e-11)


@settings(max_examples=40, deadline=None)
@given(theta=st.floats(1e-4, 0.5), rho=st.floats(-0.95, 0.95), share=st.floats(0.01, 0.9))
def test_mass_and_mean_are_one(theta: float, rho: float, share: float) -> None:
    smiles = ssvi(theta, rho, share)
    _, mass, price = statistics(smiles, at_the_money(smiles))
    assert abs(mass[0] - 1.0) <= 1e-8
    assert abs(price[0] - 1.0) <= 1e-8


@settings(max_examples=20, deadline=None)
@given(weight=st.floats(0.1, 0.9), first=st.floats(0.8, 1.1), s1=st.floats(0.04, 0.3), s2=st.floats(0.04, 0.3))
def test_coarse_nodes_agree_with_fine_ones(weight: float, first: float, s1: float, s2: float) -> None:
    smiles = bumps(weight, first, s1, s2)
    unit = at_the_money(smiles)
    fine, coarse = statistics(smiles, unit, FINE)[0], statistics(smiles, unit, COARSE)[0]
    names = [Statistic.MEAN, Statistic.SD, Statistic.Q10, Statistic.Q50, Statistic.Q90, Statistic.TILT_PROBABILITY]
    for name in names:
        assert coarse[0, COLUMN[name]] == pytest.approx(fine[0, COLUMN[name]], abs=1e-3 * fine[0, 1]), name


def test_a_negative_density_loses_mass() -> None:
    # Total variance falling faster than any call price allows: mass stays one, so only positivity tells; a smile that
    # gives S_T a chance of nothing does lose mass.
    smiles = ssvi(0.5, -0.99, 1.0)
    _, mass, _ = statistics(Ssvi(smiles.theta, smiles.rho, 1.6 * smiles.phi), np.sqrt(smiles.theta))
    assert abs(mass[0] - 1.0) > 1e-6


def test_a_slice_does_not_depend_on_its_batch() -> None:
    rng = np.random.default_rng(3)
    theta, rho = rng.uniform(0.005, 0.2, 37), rng.uniform(-0.9, 0.9, 37)
    smiles = Ssvi(theta, rho, rng.uniform(0.05, 0.95, 37) * phi_cap(theta, rho))
    for nodes in (FINE, COARSE):
        together = statistics(smiles, np.sqrt(theta), nodes)
        for i in (0, 17, 36):
            alone = statistics(smiles.take(slice(i, i + 1)), np.sqrt(theta[i : i + 1]), nodes)
            for whole, one in zip(together, alone, strict=True):
                np.testing.assert_array_equal(whole[i], one[0])


def test_a_slice_without_parameters_is_nan_and_spoils_nothing() -> None:
    smiles = Flat(np.array([0.04, np.nan, 0.09]))
    values, mass, _ = statistics(smiles, np.array([0.2, np.nan, 0.3]))
    assert np.isnan(values[1]).all()
    assert np.isnan(mass[1])
    np.testing.assert_array_equal(values[2], statistics(Flat(np.array([0.09])), np.array([0.3]))[0][0])


def test_total_volatilities_go_over_to_a_year_and_nothing_else_does() -> None:
    values, _, _ = statistics(ssvi(0.04, -0.4, 0.5), np.array([0.2]))
    yearly = per_year(values, np.array([0.25]))
    ratio = {name: yearly[0, c] / values[0, c] for name, c in COLUMN.items()}
    assert {name for name, r in ratio.items() if r == 2.0} == {n for n in Statistic if n.endswith("_total_vol")}
    assert set(ratio.values()) == {1.0, 2.0}


def test_prices_of_the_flat_smile_are_blacks() -> None:
    k = np.array([[-0.3, 0.1]])
    want = np.maximum(-np.expm1(k), 0.0) + np.exp(0.5 * k) * normalised_call(-np.abs(k), np.full((1, 2), 0.2))
    np.testing.assert_array_equal(Flat(np.array([0.04])).call(k), want)
