"""The start of the implied volatility: how good it is where, and where its coefficients come from."""

import numpy as np
import pytest

from hydra_assets.options import implied_vol
from hydra_assets.options.black76 import Floats, normalised_call

DEVIATIONS = np.concatenate([[1e-6], np.linspace(0.0, 4.0, 41)[1:], np.linspace(4.0, 6.0, 17)[1:]])
TOTAL_VOLS = np.linspace(0.001, 1.2, 13)


def grid(deviations: Floats, total_vols: Floats) -> tuple[Floats, Floats, Floats]:
    """Moneyness, total volatility and price over every pair of the two."""
    z, s = (a.ravel() for a in np.meshgrid(deviations, total_vols))
    x = -z * s
    return x, s, normalised_call(x, s)


def fit(powers_y: int = 6, powers_u: int = 3, rounds: int = 200) -> tuple[Floats, float]:
    """Fit s/base by least squares, reweighted towards its largest errors (Lawson's iteration to the minimax fit)."""
    x, s, beta = grid(DEVIATIONS, TOTAL_VOLS)
    distance = 0.5 * np.log1p(2.0 * np.sinh(-0.5 * x) / beta)
    base = -x / distance * np.sqrt(0.5 * np.pi + 0.25 * distance)
    y, u, target = distance / (distance + 3.0), base * base, s / base
    columns = np.stack([y**i * u**j / target for j in range(powers_u) for i in range(powers_y)], axis=1)
    weight = np.ones_like(s)
    for _ in range(rounds):
        found = np.linalg.lstsq(columns * weight[:, None], weight, rcond=None)[0]
        error = np.abs(columns @ found - 1.0)
        weight *= (error / error.mean() + 0.05) ** 0.3
        weight /= weight.mean()
    return np.asarray(found, dtype=np.float64).reshape(powers_u, powers_y), float(error.max())


def test_coefficients_are_as_good_as_a_new_fit() -> None:
    _, least = fit()
    x, s, beta = grid(DEVIATIONS, TOTAL_VOLS)
    worst = np.abs(implied_vol._start(x, beta) / s - 1.0).max()
    assert 0.9 * least <= worst <= 1.05 * least


@pytest.mark.parametrize(
    ("deviations", "total_vol", "bound"), [(6.0, 1.2, 1.25e-4), (30.0, 1.2, 0.01), (20.0, 2.0, 0.05), (6.0, 3.0, 0.14)]
)
def test_start_is_as_near_as_it_says(deviations: float, total_vol: float, bound: float) -> None:
    x, s, beta = grid(np.linspace(0.0, deviations, 400), np.linspace(1e-4, total_vol, 100))
    assert np.abs(implied_vol._start(x, beta) / s - 1.0).max() <= bound


def test_one_step_settles_the_quotes_of_a_market(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Floats) -> Floats:
        pytest.fail("a quote within six deviations and a total volatility of 1.2 took a second step")

    x, s, beta = grid(np.linspace(0.0, 6.0, 200), np.linspace(0.05, 1.2, 50))
    monkeypatch.setattr(implied_vol, "_solve_far", refuse)
    assert implied_vol.solve_normalised(x, beta) == pytest.approx(s, rel=1e-13, abs=0.0)


def test_every_way_to_the_solution_is_as_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    x, s, beta = grid(np.linspace(0.0, 6.0, 61), np.geomspace(0.01, 6.0, 40))
    direct = implied_vol.solve_normalised(x, beta)
    # No step is ever small enough: all of it by bracketing.
    monkeypatch.setattr(implied_vol, "SETTLED", 0.0)
    bracketed = implied_vol.solve_normalised(x, beta)
    assert direct == pytest.approx(s, rel=1e-12, abs=0.0)
    assert bracketed == pytest.approx(s, rel=1e-12, abs=0.0)
