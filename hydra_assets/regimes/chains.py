"""Hidden Markov chains with Gaussian observations, many at once: Hamilton filter and EM in NumPy.

State i moves to j with probability P_ij; y_t in state k is normal with mean m_k and variance v_k. Forward,
a_t(j) ~ b_t(j) sum_i a_{t-1}(i) P_ij is the filtered probability given y_1..y_t (J. Hamilton, Econometrica 57 (1989),
eq. 5); EM re-estimates with the smoothed ones of the training stretch alone (L. Baum et al. (1970); Hamilton, Journal
of Econometrics 45 (1990)). Priors keep a state with few observations from collapsing: one pseudo-observation of the
overall variance per state and one pseudo-transition per pair (Hamilton, JBES 9 (1991)).

A *lane* is one chain. The loops run over time for all lanes together, and sums over time are taken in time order, so a
lane's result does not depend on what else is in the batch.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

TOLERANCE = 1e-5
"""A lane is fitted where an iteration moves its log likelihood by less than this per observation."""
FIRST_STAY = 0.95
"""Starting chance to stay: a month."""
_VARIANCE_FLOOR = 1e-12


@dataclass(frozen=True, slots=True)
class Chains:
    """L lanes with K states: start ``[K, L]``, move ``[K from, K to, L]``, mean and variance ``[K, L]``.

    ``symmetric`` ``[L]``: three states tied to the means -m, 0, m and to one variance.
    """

    start: Floats
    move: Floats
    mean: Floats
    variance: Floats
    symmetric: Flags

    @classmethod
    def empty(cls, states: int, lanes: int) -> Self:
        """Room for so many lanes."""
        shape = (states, lanes)
        move, symmetric = np.zeros((states, *shape)), np.zeros(lanes, dtype=np.bool_)
        return cls(np.zeros(shape), move, np.zeros(shape), np.zeros(shape), symmetric)

    def take(self, lanes: Ints) -> "Chains":
        """Copy the lanes in this order."""
        return Chains(
            self.start[:, lanes],
            self.move[:, :, lanes],
            self.mean[:, lanes],
            self.variance[:, lanes],
            self.symmetric[lanes],
        )

    def put(self, lanes: Ints, new: "Chains") -> None:
        """Overwrite the lanes."""
        self.start[:, lanes], self.move[:, :, lanes] = new.start, new.move
        self.mean[:, lanes], self.variance[:, lanes] = new.mean, new.variance
        self.symmetric[lanes] = new.symmetric


@dataclass(frozen=True, slots=True)
class _Forward:
    """Filtered probabilities and scaled likelihoods ``[T, K, L]``, scales ``[T, L]``, log likelihoods ``[L]``."""

    filtered: Floats
    likelihood: Floats
    scale: Floats
    log_likelihood: Floats


def first_guess(observed: Floats, states: int, symmetric: Flags) -> Chains:
    """Start of EM: means at even quantiles of each lane (or at -sd, 0, sd), half of its variance within a state.

    ``observed`` ``[T, L]`` needs two finite values in each lane; ``symmetric`` lanes need three states.
    """
    n_lanes = observed.shape[1]
    mean, variance = np.empty((states, n_lanes)), np.empty((states, n_lanes))
    at = (np.arange(states) + 0.5) / states
    for lane in range(n_lanes):
        y = observed[np.isfinite(observed[:, lane]), lane]
        spread = float(y.var())
        mean[:, lane] = np.array([-1.0, 0.0, 1.0]) * np.sqrt(spread) if symmetric[lane] else np.quantile(y, at)
        variance[:, lane] = max(0.5 * spread, _VARIANCE_FLOOR)
    stay = np.full((states, states), (1.0 - FIRST_STAY) / (states - 1))
    np.fill_diagonal(stay, FIRST_STAY)
    start = np.full((states, n_lanes), 1.0 / states)
    return Chains(start, np.repeat(stay[:, :, None], n_lanes, axis=2), mean, variance, symmetric.copy())


def filtered(observed: Floats, chains: Chains) -> Floats:
    """Return P(state_t | y_1..y_t), ``[T, K, L]``.

    ``observed`` ``[T, L]`` is NaN where missing: such a session moves the chain and says nothing about it.
    """
    return _forward(observed, chains).filtered


def fit(observed: Floats, guess: Chains, iterations: int) -> Chains:
    """Fit each lane on ``observed`` ``[T, L]`` by EM from a guess; a lane stops by its own likelihood."""
    stretch, n_lanes = observed.shape
    running = np.arange(n_lanes)
    chains = guess.take(running)
    last = np.full(n_lanes, -np.inf)
    for _ in range(iterations):
        part, now = np.ascontiguousarray(observed[:, running]), chains.take(running)
        forward = _forward(part, now)
        chains.put(running, _maximise(part, now, forward))
        gained = np.abs(forward.log_likelihood - last[running])
        last[running] = forward.log_likelihood
        running = running[gained > TOLERANCE * stretch]
        if not running.size:
            break
    return chains


def _forward(y: Floats, chains: Chains) -> _Forward:
    log_b = -0.5 * ((y[:, None, :] - chains.mean) ** 2 / chains.variance + np.log(chains.variance))
    there = np.isfinite(y)
    top = np.where(there, log_b.max(axis=1), 0.0)
    b = np.exp(np.where(there[:, None, :], log_b - top[:, None, :], 0.0))
    out, scale = np.empty_like(b), np.empty_like(top)
    predicted = chains.start
    for t in range(len(y)):
        if t:
            predicted = np.add.reduce(out[t - 1][:, None] * chains.move, axis=0)
        joint = predicted * b[t]
        scale[t] = np.add.reduce(joint, axis=0)
        np.divide(joint, scale[t], out=out[t])
    return _Forward(out, b, scale, np.add.accumulate(np.log(scale) + top, axis=0)[-1])


def _maximise(y: Floats, chains: Chains, forward: _Forward) -> Chains:
    """One M-step from the smoothed states of the stretch."""
    ratio = forward.likelihood / forward.scale[:, None, :]
    weighted = np.empty_like(ratio)
    beta = np.ones_like(ratio)
    for t in range(len(y) - 1, 0, -1):
        np.multiply(ratio[t], beta[t], out=weighted[t])
        np.add.reduce(chains.move * weighted[t], axis=1, out=beta[t - 1])
    smoothed = forward.filtered * beta
    pairs = np.add.reduce(forward.filtered[:-1, :, None] * weighted[1:, None], axis=0)
    move = pairs * chains.move + 1.0
    mean, variance = _moments(y, smoothed, chains.symmetric)
    return Chains(
        smoothed[0] / smoothed[0].sum(axis=0), move / move.sum(axis=1, keepdims=True), mean, variance, chains.symmetric
    )


def _moments(y: Floats, smoothed: Floats, symmetric: Flags) -> tuple[Floats, Floats]:
    """Means and variances ``[K, L]`` of the states."""
    there = np.isfinite(y)[:, None]
    filled = np.where(there, y[:, None], 0.0)
    seen = np.where(there, smoothed, 0.0)
    weight = np.add.reduce(seen, axis=0)
    first = np.add.reduce(seen * filled, axis=0)
    second = np.add.reduce(seen * filled * filled, axis=0)
    total = weight.sum(axis=0)
    overall = np.maximum(second.sum(axis=0) / total - (first.sum(axis=0) / total) ** 2, _VARIANCE_FLOOR)
    mean = first / np.maximum(weight, _VARIANCE_FLOOR)
    if symmetric.any():
        m = np.maximum((first[-1] - first[0]) / np.maximum(weight[0] + weight[-1], _VARIANCE_FLOOR), 0.0)
        tied = np.zeros_like(mean)
        tied[0], tied[-1] = -m, m
        mean = np.where(symmetric, tied, mean)
    residual = np.maximum(second - 2.0 * mean * first + mean * mean * weight, 0.0)
    free = (residual + overall) / (weight + 1.0)
    common = (residual.sum(axis=0) + overall) / (total + 1.0)
    return mean, np.maximum(np.where(symmetric, common, free), _VARIANCE_FLOOR)
