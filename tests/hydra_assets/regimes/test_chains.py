"""Filter and EM against sums over all paths of states."""

from itertools import pairwise, product

import numpy as np
import pytest

from hydra_assets.regimes.chains import Chains, filtered, first_guess, fit

FREE, TIED = np.array([False]), np.array([True])


def chain(
    start: list[float], move: list[list[float]], mean: list[float], variance: list[float], tied: bool = False
) -> Chains:
    return Chains(
        np.array(start)[:, None],
        np.array(move)[:, :, None],
        np.array(mean)[:, None],
        np.array(variance)[:, None],
        np.array([tied]),
    )


TWO = chain([0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]], [0.0, 1.0], [1.0, 1.0])
THREE = chain(
    [0.2, 0.5, 0.3], [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4]], [-1.0, 0.0, 1.0], [0.5] * 3, tied=True
)


def paths(y: np.ndarray, c: Chains) -> tuple[list[tuple[int, ...]], np.ndarray]:
    """Every path of states and its probability given y."""
    states = len(c.mean)
    every = list(product(range(states), repeat=len(y)))
    weight = np.empty(len(every))
    for number, path in enumerate(every):
        p = c.start[path[0], 0]
        for i, j in pairwise(path):
            p *= c.move[i, j, 0]
        for k, value in zip(path, y, strict=True):
            if np.isfinite(value):
                v = c.variance[k, 0]
                p *= np.exp(-0.5 * (value - c.mean[k, 0]) ** 2 / v) / np.sqrt(2 * np.pi * v)
        weight[number] = p
    return every, weight / weight.sum()


def test_filter_by_hand() -> None:
    p = filtered(np.array([[0.0], [np.nan], [1.0]]), TWO)[:, :, 0]
    # N(0; 0, 1) : N(0; 1, 1) = e^(1/2) : 1; a missing session only moves; then 1 : e^(1/2) the other way round.
    e = np.exp(0.5)
    assert p[0] == pytest.approx([e / (1 + e), 1 / (1 + e)])  # 0.6225, 0.3775
    calm = 0.9 * p[0, 0] + 0.2 * p[0, 1]
    assert p[1] == pytest.approx([calm, 1 - calm])
    calm = 0.9 * p[1, 0] + 0.2 * p[1, 1]
    assert p[2, 0] == pytest.approx(calm / (calm + e * (1 - calm)))


@pytest.mark.parametrize("c", [TWO, THREE], ids=["two", "three"])
def test_filter_is_the_sum_over_paths(c: Chains) -> None:
    y = np.array([0.3, -1.2, np.nan, 2.0, 0.4])
    p = filtered(y[:, None], c)[:, :, 0]
    for t in range(len(y)):
        every, weight = paths(y[: t + 1], c)
        ends = np.array([path[-1] for path in every])
        assert p[t] == pytest.approx([weight[ends == k].sum() for k in range(len(p[t]))])


@pytest.mark.parametrize("c", [TWO, THREE], ids=["free", "tied"])
def test_one_iteration_of_em_is_the_sum_over_paths(c: Chains) -> None:
    y = np.array([0.3, -1.2, np.nan, 2.0, 0.4, 1.1])
    states, there = len(c.mean), np.isfinite(y)
    every, weight = paths(y, c)
    smoothed, pairs = np.zeros((len(y), states)), np.ones((states, states))
    for path, w in zip(every, weight, strict=True):
        for t, k in enumerate(path):
            smoothed[t, k] += w
        for i, j in pairwise(path):
            pairs[i, j] += w
    new = fit(y[:, None], c, 1)
    assert new.start[:, 0] == pytest.approx(smoothed[0])
    # One pseudo-transition per pair.
    assert new.move[:, :, 0] == pytest.approx(pairs / pairs.sum(axis=1, keepdims=True))
    weights, overall = smoothed[there], y[there].var()
    if c is TWO:
        mean = (weights * y[there, None]).sum(axis=0) / weights.sum(axis=0)
        residual = (weights * (y[there, None] - mean) ** 2).sum(axis=0)
        # One pseudo-observation of the overall variance.
        variance = (residual + overall) / (weights.sum(axis=0) + 1)
    else:
        m = ((weights[:, 2] - weights[:, 0]) * y[there]).sum() / (weights[:, 0] + weights[:, 2]).sum()
        mean = np.array([-m, 0, m])
        variance = np.full(3, ((weights * (y[there, None] - mean) ** 2).sum() + overall) / (there.sum() + 1))
    assert new.mean[:, 0] == pytest.approx(mean)
    assert new.variance[:, 0] == pytest.approx(variance)


def simulated(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    state = np.zeros(n, dtype=int)
    for t in range(1, n):
        state[t] = state[t - 1] if rng.random() < 0.97 else 1 - state[t - 1]
    return np.array([0.0, 2.0])[state] + np.array([0.5, 1.0])[state] * rng.standard_normal(n)


def test_em_finds_what_made_the_data() -> None:
    y = simulated(4000, 1)[:, None]
    c = fit(y, first_guess(y, 2, FREE), 200)
    # Standard errors: means 1 / sqrt(2000) = 0.02 (effective), stays 0.17 / sqrt(2000) = 0.004; four of them.
    assert c.mean[:, 0] == pytest.approx([0.0, 2.0], abs=0.1)
    assert np.sqrt(c.variance[:, 0]) == pytest.approx([0.5, 1.0], abs=0.08)
    assert np.diagonal(c.move[:, :, 0]) == pytest.approx([0.97, 0.97], abs=0.016)


def test_a_lane_does_not_depend_on_its_batch() -> None:
    y = np.stack([simulated(300, seed) for seed in range(5)], axis=1)
    together = fit(y, first_guess(y, 2, np.repeat(FREE, 5)), 30)
    for lane in range(5):
        alone = np.ascontiguousarray(y[:, [lane]])
        c = fit(alone, first_guess(alone, 2, FREE), 30)
        for one, many in ((c.start, together.start), (c.move, together.move), (c.variance, together.variance)):
            assert one[..., 0].tobytes() == np.ascontiguousarray(many[..., lane]).tobytes()
        assert filtered(alone, c)[:, :, 0].tobytes() == filtered(y, together)[:, :, lane].tobytes()


def test_guess_and_fit_keep_the_tie_and_outliers_stay_probabilities() -> None:
    y = simulated(200, 3)[:, None]
    y[50], y[100:110] = 1e3, np.nan
    c = fit(y, first_guess(y, 3, TIED), 20)
    assert c.mean[:, 0] == pytest.approx([-c.mean[2, 0], 0.0, c.mean[2, 0]])
    assert np.ptp(c.variance) == 0.0
    p = filtered(y, c)
    assert p.sum(axis=1) == pytest.approx(1.0)
    assert np.isfinite(p).all()
