"""The accuracy study's truths are what their names say, to far more digits than any estimate of them."""

import numpy as np
import pytest
from numpy.polynomial.legendre import leggauss

from hydra_assets.options.black76 import price
from studies.truths import BUILDERS, FORWARD, Truth, moments, quantiles, truth
from studies.truths.fourier import CosineTruth


@pytest.fixture(params=[*BUILDERS, "mixture+0.1", "bates+0.1"])
def law(request: pytest.FixtureRequest) -> Truth:
    return truth(request.param)


def test_mass_is_one_and_the_mean_is_the_forward(law: Truth) -> None:
    found = moments(law)
    assert found.mass == pytest.approx(1.0, abs=1e-10)
    assert found.mean_ratio == pytest.approx(1.0, abs=1e-10)


def test_named_moments() -> None:
    named = {
        "lognormal": {"skew": 0.0, "kurtosis": 3.0},
        "mixture": {"skew": -0.8},
        "heston": {"kurtosis": 4.8},
        "bates": {"skew": 0.7},
    }
    for name, wanted in named.items():
        found = moments(truth(name))
        for moment, value in wanted.items():
            assert getattr(found, moment) == pytest.approx(value, abs=1e-9), (name, moment)


def test_the_announcement_has_two_humps_and_the_others_one() -> None:
    for name in BUILDERS:
        p = truth(name).density(np.linspace(-0.5, 0.51, 2001))
        humps = int(((p[1:-1] > p[:-2]) & (p[1:-1] > p[2:])).sum())
        assert humps == (2 if name == "announcement" else 1), name


def test_density_is_the_second_difference_of_calls(law: Truth) -> None:
    # Fourth order in the step; d2C/dK2 = p(ln(K/F))/K.
    strike, h = np.array([70.0, 85.0, 95.0, 100.0, 108.0, 125.0, 150.0]), 0.1
    calls = [law.call(strike + i * h) for i in (-2, -1, 0, 1, 2)]
    second = (-calls[0] + 16 * calls[1] - 30 * calls[2] + 16 * calls[3] - calls[4]) / (12 * h * h)
    assert second * strike == pytest.approx(law.density(np.log(strike / FORWARD)), abs=2e-6)


def test_distribution_is_the_integral_of_the_density(law: Truth) -> None:
    node, weight = leggauss(200)
    for x in (-0.3, -0.1, 0.0, 0.05, 0.2):
        low = law.span[0]
        half = 0.5 * (x - low)
        integral = half * weight @ law.density(low + half * (node + 1.0))
        assert law.distribution(np.array([x]))[0] == pytest.approx(integral, abs=1e-10)


def test_calls_are_the_integral_of_the_payoff(law: Truth) -> None:
    node, weight = leggauss(300)
    for strike in (60.0, 90.0, 100.0, 115.0, 160.0):
        low, high = np.log(strike / FORWARD), law.span[1]
        half = 0.5 * (high - low)
        x = low + half * (node + 1.0)
        integral = half * weight @ (law.density(x) * (FORWARD * np.exp(x) - strike))
        assert law.call(np.array([strike]))[0] == pytest.approx(integral, abs=1e-9)


def test_a_later_expiry_adds_variance_and_is_dearer_everywhere(law: Truth) -> None:
    later = truth(f"{law.name}+0.08") if "+" not in law.name else law.widened(0.08)
    assert moments(later).sd ** 2 == pytest.approx(moments(law).sd ** 2 + 0.08**2, abs=1e-9)
    assert moments(later).mean_ratio == pytest.approx(1.0, abs=1e-9)
    strike = FORWARD * np.exp(np.linspace(-0.5, 0.5, 101))
    assert (later.call(strike) > law.call(strike) - 1e-10).all()


def test_quantiles_invert_the_distribution(law: Truth) -> None:
    p = np.array([0.01, 0.05, 0.5, 0.95, 0.99])
    assert law.distribution(quantiles(law, p)) == pytest.approx(p, abs=1e-12)


def test_lognormal_calls_are_black() -> None:
    strike = np.array([70.0, 100.0, 140.0])
    black = price(np.full(3, FORWARD), strike, np.full(3, 0.15), np.ones(3, dtype=bool))
    assert truth("lognormal").call(strike) == pytest.approx(black, rel=1e-12)


def test_the_cosine_series_of_a_normal_is_the_normal() -> None:
    s = 0.15
    series = CosineTruth("normal", lambda u: np.asarray(np.exp(-0.5j * s * s * u - 0.5 * s * s * u * u)))
    exact = truth("lognormal")
    x = np.linspace(-0.8, 0.8, 41)
    assert series.density(x) == pytest.approx(exact.density(x), abs=1e-12)
    assert series.distribution(x) == pytest.approx(exact.distribution(x), abs=1e-12)
    assert series.call(FORWARD * np.exp(x)) == pytest.approx(exact.call(FORWARD * np.exp(x)), abs=1e-10)


@pytest.mark.parametrize("name", ["heston", "bates"])
def test_the_cosine_series_agrees_with_an_inversion_integral(name: str) -> None:
    # Lewis (2001): C = F - sqrt(F K)/pi int_0^inf Re[e^(iu ln(F/K)) phi(u - i/2)] / (u^2 + 1/4) du.
    law = truth(name)
    assert isinstance(law, CosineTruth)
    node, weight = leggauss(600)
    u = 100.0 * (node + 1.0)
    for strike in (80.0, 100.0, 130.0):
        integrand = (
            np.exp(1j * u * np.log(FORWARD / strike)) * law.characteristic(np.asarray(u - 0.5j, dtype=np.complex128))
        ).real / (u * u + 0.25)
        call = FORWARD - np.sqrt(FORWARD * strike) / np.pi * 100.0 * (weight @ integrand)
        assert law.call(np.array([strike]))[0] == pytest.approx(call, abs=1e-9)
