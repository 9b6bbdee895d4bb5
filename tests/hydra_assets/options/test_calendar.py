"""Calendar-free SSVI: the conditions hold everywhere, cost nothing where they do not bind, and only in a group."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from hydra_assets.options.calendar import (
    _depths,
    _model,
    calendar_violation,
    fit_sequence,
    free_of_calendar_arbitrage,
)
from hydra_assets.options.robust import Window
from hydra_assets.options.slices import SliceQuotes
from hydra_assets.options.ssvi import Ssvi, fit_slices, phi_cap

FAR = np.linspace(-8.0, 8.0, 401)


def noisy_groups(groups: int, depth: int, seed: int, m: int = 13) -> tuple[SliceQuotes, np.ndarray, np.ndarray]:
    """Expiries whose total variance hardly rises, with shapes of their own and wide quotes: many pairs cross."""
    rng = np.random.default_rng(seed)
    n = groups * depth
    group, order = np.repeat(np.arange(groups), depth), np.tile(np.arange(depth), groups)
    theta = np.repeat(np.exp(rng.uniform(np.log(0.003), np.log(0.1), groups)), depth) * 1.15**order
    rho = rng.uniform(-0.6, 0.6, n)
    phi = phi_cap(theta, rho) * rng.uniform(0.1, 0.6, n)
    k = np.linspace(-1.8, 1.8, m) * np.sqrt(theta)[:, None]
    w = Ssvi(theta, rho, phi).total_variance(k)
    mid = w * (1.0 + 0.08 * rng.uniform(-1.0, 1.0, w.shape))
    return SliceQuotes(k, mid, 0.08 * w, np.ones_like(w, dtype=bool)), order, group


def loss_of(residual: np.ndarray, cut: float) -> float:
    size = np.abs(residual)
    return float(np.where(size <= 1.0, 0.5 * size**2, np.minimum(size, cut) - 0.5).sum())


def pairs(slices: Ssvi, depth: int) -> tuple[Ssvi, Ssvi]:
    here = np.arange(len(slices))
    later = here[here % depth > 0]
    return slices.take(later - 1), slices.take(later)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_no_pair_of_expiries_of_a_future_crosses(seed: int) -> None:
    quotes, order, group = noisy_groups(12, 5, seed)
    found = fit_sequence(quotes, order, group)
    assert found.fitted.all()
    earlier, later = pairs(found.slices, 5)
    gain = calendar_violation(earlier, later, FAR * np.sqrt(later.theta)[:, None])
    assert (gain >= -1e-12 * later.theta).all()
    assert (found.slices.phi <= phi_cap(found.slices.theta, found.slices.rho) * (1 + 1e-12)).all()
    # The test has something to catch: slices fitted alone do cross.
    earlier, later = pairs(fit_slices(quotes).slices, 5)
    assert (calendar_violation(earlier, later, FAR * np.sqrt(later.theta)[:, None]) < -1e-6 * later.theta).any()


def test_without_the_condition_on_phi_wings_may_cross_the_body() -> None:
    # theta and both wings grow, phi too: near the money, off it, the later smile is below. So all three are needed.
    earlier = Ssvi(np.array([0.04]), np.array([0.0]), np.array([1.0]))
    k = FAR[None, :] * 0.2
    crossing = Ssvi(np.array([0.0401]), np.array([-0.6]), np.array([2.5]))
    psi_1, psi_2 = 0.04, 0.0401 * 2.5
    assert psi_2 - psi_1 >= abs(-0.6 * psi_2)
    assert calendar_violation(earlier, crossing, k)[0] < -1e-4
    assert not free_of_calendar_arbitrage(earlier, crossing)[0]


def test_expiries_that_do_not_cross_are_left_as_they_are() -> None:
    depth = 4
    theta = 0.01 * np.arange(1, depth + 1)
    truth = Ssvi(theta, np.full(depth, -0.3), 0.8 / np.sqrt(theta))
    k = np.linspace(-2.0, 2.0, 15) * np.sqrt(theta)[:, None]
    w = truth.total_variance(k)
    quotes = SliceQuotes(k, w, 0.05 * w, np.ones_like(w, dtype=bool))
    found = fit_sequence(quotes, np.arange(depth), np.zeros(depth, dtype=int))
    assert (found.slices.theta == fit_slices(quotes).slices.theta).all()
    assert found.slices.rho == pytest.approx(truth.rho, abs=1e-7)


def test_futures_do_not_bind_each_other_and_order_is_by_time_not_place() -> None:
    quotes, order, group = noisy_groups(6, 4, 1)
    found = fit_sequence(quotes, order, group).slices
    apart = fit_sequence(quotes, order, np.arange(len(quotes))).slices
    assert (apart.theta == fit_slices(quotes).slices.theta).all()
    shuffle = np.random.default_rng(2).permutation(len(quotes))
    moved = fit_sequence(quotes.take(shuffle), order[shuffle] / 365.0, 7 - group[shuffle]).slices
    assert (moved.theta == found.theta[shuffle]).all()
    assert (moved.phi == found.phi[shuffle]).all()
    one = np.flatnonzero(group == 3)
    assert (fit_sequence(quotes.take(one), order[one], group[one]).slices.rho == found.rho[one]).all()


def test_an_expiry_without_a_fit_is_passed_over() -> None:
    quotes, order, group = noisy_groups(8, 3, 3)
    quotes.used[1::3] = False
    found = fit_sequence(quotes, order, group)
    assert found.fitted.tolist() == [True, False, True] * 8
    earlier, later = found.slices.take(slice(0, None, 3)), found.slices.take(slice(2, None, 3))
    gain = calendar_violation(earlier, later, FAR * np.sqrt(later.theta)[:, None])
    assert (gain >= -1e-12 * later.theta).all()
    nothing = np.empty((0, 5))
    assert (
        len(fit_sequence(SliceQuotes(nothing, nothing, nothing, nothing > 0), np.empty(0), np.empty(0, int)).fitted)
        == 0
    )


def test_the_constrained_fit_is_as_good_as_a_general_optimisers() -> None:
    quotes, order, group = noisy_groups(12, 2, 4)
    found = fit_sequence(quotes, order, group)
    alone = fit_slices(quotes)
    compared = 0
    for i in range(1, len(quotes), 2):
        first, own = found.slices.take(slice(i - 1, i)), alone.slices.take(slice(i, i + 1))
        if free_of_calendar_arbitrage(first, own)[0]:
            continue
        row = quotes.take(slice(i, i + 1))
        t1, r1, p1 = first.theta[0], first.rho[0], first.phi[0]

        # The cut is four robust deviations where the smile cannot be followed to within its spreads.
        cut = 4.0 * max(1.0, 1.4826 * float(np.median(np.abs(found.residual[i]))))

        def loss(x: np.ndarray, row: SliceQuotes = row, cut: float = cut) -> float:
            w = Ssvi(*(np.array([v]) for v in x)).total_variance(row.k)
            return loss_of((w - row.w) / row.half_spread, cut)

        def slack(x: np.ndarray, t1: float = t1, r1: float = r1, p1: float = p1) -> np.ndarray:
            psi_1, psi = t1 * p1, x[0] * x[2]
            cap = phi_cap(np.array([x[0]]), np.array([x[1]]))[0]
            gains = (psi * (1 - x[1]) - psi_1 * (1 - r1), psi * (1 + x[1]) - psi_1 * (1 + r1))
            return np.array([x[0] / t1 - 1, gains[0] / psi_1, gains[1] / psi_1, 1 - x[2] / p1, 1 - x[2] / cap])

        for start in ((t1 * 1.05, r1, p1 * 0.99), (t1 * 1.3, r1, p1 * 0.9)):
            constraints = {"type": "ineq", "fun": slack}
            with np.errstate(invalid="ignore"):
                best = minimize(loss, start, method="SLSQP", constraints=constraints, options={"maxiter": 300})
            if (slack(best.x) > -1e-6).all() and np.isfinite(best.fun):
                compared += 1
                assert loss_of(found.residual[i], cut) <= best.fun * 1.001 + 1e-3
    assert compared >= 10


def test_jacobian_equals_differences() -> None:
    rng = np.random.default_rng(5)
    n, m = 40, 7
    constants = np.stack([rng.uniform(0.01, 0.04, n), 1.0 / rng.uniform(1.0, 5.0, n)])
    raw = np.stack([rng.uniform(0.1, 1.0, n), np.log(rng.uniform(0.05, 1.5, n)), np.log(rng.uniform(0.05, 1.5, n))])
    k = rng.uniform(-0.5, 0.5, (m, n))
    window = Window(k, np.full((m, n), 0.03), np.full((m, n), 500.0), constants, np.full(n, np.inf))
    jacobian = _model(raw, window)[1]
    for a in range(3):
        h = np.zeros((3, 1))
        h[a] = 1e-7
        difference = (_model(raw + h, window)[0] - _model(raw - h, window)[0]) / 2e-7
        assert jacobian[a] == pytest.approx(difference, abs=1e-5 * np.abs(jacobian[a]).max())


def test_places_and_depths() -> None:
    before, depth = _depths(np.array([3, 1, 2, 1, 5]), np.array([7, 7, 7, 2, 2]))
    assert before.tolist() == [2, -1, 1, -1, 3]
    assert depth.tolist() == [2, 0, 1, 0, 1]
