"""Robust least squares: the linear solver, known optima of the loss, the cut, the moving window."""

import numpy as np
import pytest

from hydra_assets.options.observations import Observations, observations
from hydra_assets.options.robust import (
    Limits,
    Window,
    column_sum,
    cut_of,
    fit_robustly,
    minimise,
    normal_equations,
    solve_damped,
)
from hydra_assets.options.slices import CHUNK_SLICES, SliceQuotes

FREE = Limits(np.array([[-1e9]]), np.array([[1e9]]))


def level(raw: np.ndarray, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """The simplest model: w is one number."""
    return (raw[0] - window.w) * window.inverse, window.inverse[None]


def quotes_of(w: np.ndarray, half_spread: float = 1.0) -> Observations:
    return observations(SliceQuotes(np.zeros_like(w), w, np.full_like(w, half_spread), np.ones_like(w, dtype=bool)))


def test_the_linear_solver_equals_lapack() -> None:
    rng = np.random.default_rng(0)
    for p in (1, 2, 3, 4, 5):
        root = rng.standard_normal((7, p, p + 3))
        matrix = root @ root.transpose(0, 2, 1)
        right = rng.standard_normal((7, p))
        damping = rng.uniform(0.0, 0.1, 7)
        damped = matrix * (1.0 + damping[:, None, None] * np.eye(p))
        expected = np.linalg.solve(damped, right[..., None])[..., 0]
        found = solve_damped(np.ascontiguousarray(matrix.transpose(1, 2, 0)), right.T.copy(), damping)
        np.testing.assert_allclose(found.T, expected, rtol=1e-7)


def test_hubers_location_of_five_numbers() -> None:
    # By hand: the first three lie within one half-spread of mu, the last two pull with one each,
    # so that 3 mu - 3.6 - 2 = 0.
    w = np.array([[1.0, 1.2, 1.4, 5.0, 6.0]])
    found, loss = minimise(level, quotes_of(w), np.array([[1.0]]), FREE)
    assert found[0, 0] == pytest.approx(5.6 / 3.0, rel=1e-4)
    size = np.abs(w - 5.6 / 3.0)
    assert loss[0] == pytest.approx(np.where(size <= 1, 0.5 * size**2, size - 0.5).sum(), rel=1e-7)


def test_what_lies_past_the_cut_has_no_pull_at_all() -> None:
    w = np.array([[1.0, 1.2, 1.4, 50.0], [1.0, 1.2, 1.4, 5000.0]])
    found, _ = fit_robustly(level, quotes_of(w), np.ones((1, 2)), FREE, 60)
    assert found[0] == pytest.approx([1.2, 1.2], rel=1e-6)


def test_the_cut_follows_residuals_that_no_spread_explains() -> None:
    w = np.linspace(1.0, 3.0, 9)[None, :]
    data = quotes_of(w, 0.01)
    # Median |residual| from the middle is 50 half-spreads of 0.01.
    assert cut_of(level, data, np.array([[2.0]])) == pytest.approx([4.0 * 1.4826 * 50.0])
    assert cut_of(level, quotes_of(w, 10.0), np.array([[2.0]])) == pytest.approx([4.0])


def test_a_prior_of_strength_equal_to_the_quotes_meets_them_half_way() -> None:
    data = quotes_of(np.array([[1.0, 1.0]]))
    limits = Limits(FREE.lower, FREE.upper, np.array([[1.5]]), np.array([[2.0]]))
    assert minimise(level, data, np.array([[1.0]]), limits)[0][0, 0] == pytest.approx(1.25, rel=1e-6)


def test_the_box_holds() -> None:
    limits = Limits(np.array([[0.0]]), np.array([[1.1]]))
    assert minimise(level, quotes_of(np.array([[2.0, 2.0]])), np.array([[0.5]]), limits)[0][0, 0] == 1.1


def test_more_slices_than_the_window_and_several_starts_of_one_slice() -> None:
    n = 2 * CHUNK_SLICES + 17
    rng = np.random.default_rng(1)
    w = rng.uniform(1.0, 1.5, (n, 1)) + np.zeros((1, 3))
    rows = np.repeat(np.arange(n), 2)
    found, loss = minimise(level, quotes_of(w), rng.uniform(0.1, 3.0, (1, 2 * n)), FREE, rows=rows)
    assert found[0] == pytest.approx(w[rows, 0], rel=1e-6)
    assert loss == pytest.approx(np.zeros(2 * n), abs=1e-9)


def test_unsound_quotes_count_for_nothing() -> None:
    k = np.array([[0.0, np.nan, 0.0, 0.0, 0.0, 1e300, 0.0, 0.0]])
    w = np.array([[1.0, 1.0, -1.0, np.inf, 1.0, 1.0, 1e-300, 1.0]])
    half_spread = np.array([[1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, np.inf]])
    data = observations(SliceQuotes(k, w, half_spread, np.ones_like(k, dtype=bool)))
    assert data.used.tolist() == [[True] + [False] * 7]
    assert data.count.tolist() == [1.0]
    assert data.inverse.tolist() == [[1.0] + [0.0] * 7]


def test_sums_do_not_depend_on_neighbours_or_padding() -> None:
    values = np.random.default_rng(2).standard_normal((37, 50))
    whole = column_sum(values)
    assert (column_sum(np.concatenate([values, np.zeros((9, 50))])) == whole).all()
    for i in (0, 49):
        assert column_sum(np.ascontiguousarray(values[:, i : i + 1]))[0] == whole[i]
    assert (column_sum(np.ascontiguousarray(values[:, 3:5])) == whole[3:5]).all()


def test_gradient_is_the_slope_of_the_loss() -> None:
    rng = np.random.default_rng(3)
    residual, jacobian = 3.0 * rng.standard_normal((9, 4)), rng.standard_normal((2, 9, 4))
    cut = np.full(4, 4.0)
    _, gradient, _ = normal_equations(residual, jacobian, cut)
    for a in range(2):
        up, down = (normal_equations(residual + h * jacobian[a], jacobian, cut)[0] for h in (1e-7, -1e-7))
        assert gradient[a] == pytest.approx((up - down) / 2e-7, abs=1e-5)
