import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.sources.simulated.mixture import black, call_value, implied_total_vol, log_density, mixture

SDS, SHIFTS = st.floats(0.02, 0.5), st.floats(-1.1, 1.1)


@given(sd=SDS, shift=SHIFTS)
def test_mass_martingale_and_variance(sd: float, shift: float) -> None:
    density = mixture(np.array(sd**2), np.array(shift))
    x = np.linspace(-12 * sd, 12 * sd, 8001)
    p, dx = log_density(density, x), x[1] - x[0]
    mean = np.sum(p * x) * dx
    assert np.sum(p) * dx == pytest.approx(1, abs=1e-10)
    assert np.sum(p * np.exp(x)) * dx == pytest.approx(1, abs=1e-10)
    assert np.sum(p * (x - mean) ** 2) * dx == pytest.approx(sd**2, rel=2e-3)


@given(sd=SDS, shift=SHIFTS)
def test_calls_are_the_density_integrated(sd: float, shift: float) -> None:
    """Calls integrate the density, fall from the forward, and their second difference gives it back."""
    density = mixture(np.array(sd**2), np.array(shift))
    strikes = np.exp(np.linspace(-5 * sd, 5 * sd, 41))
    calls = call_value(density, strikes)
    x = np.linspace(-14 * sd, 14 * sd, 28001)
    paid = np.maximum(np.exp(x)[None, :] - strikes[:, None], 0) * log_density(density, x)
    assert calls == pytest.approx(paid.sum(axis=1) * (x[1] - x[0]), abs=2e-7)
    slope = np.diff(calls) / np.diff(strikes)
    assert np.all(slope > -1)
    assert np.all(np.diff(slope) > -1e-12)
    assert float(call_value(density, np.array(1e-6))) == pytest.approx(1 - 1e-6, abs=1e-12)
    h = 1e-4 * sd
    second = (call_value(density, 1 + h) - 2 * call_value(density, np.array(1.0)) + call_value(density, 1 - h)) / h**2
    assert float(second) == pytest.approx(float(log_density(density, np.array(0.0))), rel=1e-3)


def test_shift_is_the_asymmetry() -> None:
    sd, x = 0.15, np.linspace(-2, 2, 8001)
    thirds = []
    for shift in (-0.8, 0.0, 0.8):
        p = log_density(mixture(np.array(sd**2), np.array(shift)), x)
        p = p / p.sum()
        mean = np.sum(p * x)
        thirds.append(np.sum(p * (x - mean) ** 3) / sd**3)
    assert thirds[0] < -0.3
    assert abs(thirds[1]) < 0.05
    assert thirds[2] > 0.3


@given(sd=SDS, shift=SHIFTS, place=st.floats(-3.5, 3.5))
def test_implied_volatility_prices_back(sd: float, shift: float, place: float) -> None:
    strike = np.array([np.exp(place * sd)])
    call = call_value(mixture(np.array([sd**2]), np.array([shift])), strike)
    s = implied_total_vol(call, strike, np.array([sd]))
    assert black(np.ones(1), strike, s)[0] == pytest.approx(call[0], abs=1e-8)
