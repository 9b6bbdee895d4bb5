"""Robust least squares for many slices at once: iteratively reweighted Levenberg-Marquardt over a moving window.

Residuals r are in half-spreads. The loss is Huber's with c = 1, |r| <= 1: r^2/2, beyond: |r| - 1/2, and constant past a
cut: what is four half-spreads off is an error of the quote and has no pull. Where a model cannot follow the quotes to
within their spreads the cut is four robust standard deviations of the slice's own residuals instead, or the model would
throw away the very quotes that say so. Source: P. Huber, "Robust Statistics" (1981), chapter 7.

Arrays are strike-major, ``[m, n]``, in the window: a sum over strikes then runs along contiguous slices, in strict
order, and a slice's result does not depend on its neighbours or on the padding. A window of ``CHUNK_SLICES`` slices is
iterated; those that settled are written back and replaced by the next, so few iterations are spent on a thin tail.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydra_assets.options.black76 import Floats
from hydra_assets.options.observations import Observations
from hydra_assets.options.slices import CHUNK_SLICES, Bools

HUBER_HALF_SPREADS = 1.0
CUT_HALF_SPREADS = 4.0
MAD_TO_SD = 1.4826
BEND_BEYOND = 0.3
MAX_STEP = 1.5
DAMPING_START = 1e-3
DAMPING_END = 1e10
TOLERANCE = 1e-7
TOLERANCE_ROUGH = 1e-3
GAIN_FLOOR = 1e-22
"""Gain in squared half-spreads below which a noise-free slice is solved."""
REFILL_SHARE = 0.3
"""Settled share of the window at which it is refilled: a refill copies the window's quotes."""


@dataclass(frozen=True, slots=True)
class Window:
    """The part of the observations that is being iterated, strike-major: ``[m, n]``, ``[q, n]`` and the cut ``[n]``."""

    k: Floats
    w: Floats
    inverse: Floats
    constants: Floats
    cut: Floats


Model = Callable[[Floats, Window], tuple[Floats, Floats]]
"""Parameters ``[p, n]`` and quotes to residuals ``[m, n]`` in half-spreads and their derivatives ``[p, m, n]``.

A model may first improve the parameters in place, as one with a linear part that is solved exactly does.
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """Box of the parameters, ``[p, n]`` or ``[p, 1]``, and a pull ``strength/2 (raw - centre)^2``, ``[p, n]``."""

    lower: Floats
    upper: Floats
    centre: Floats | None = None
    strength: Floats | None = None


def minimise(
    model: Model,
    data: Observations,
    start: Floats,
    limits: Limits,
    cut: Floats | None = None,
    rows: NDArray[np.intp] | None = None,
    max_iterations: int = 60,
    tolerance: float = TOLERANCE,
) -> tuple[Floats, Floats]:
    """Return the parameters ``[p, n]`` and losses ``[n]`` reached from ``start``, ``[p, n]``.

    Column i is fitted to the slice ``rows[i]`` of ``data`` (its own number by default), so that several starts of a
    slice share its quotes. ``cut`` is the residual past which a quote has no pull, ``[n]``; by default none is cut.
    A slice is settled when the next step promises less than ``tolerance`` of its loss.
    """
    total = start.shape[1]
    rows = np.arange(total) if rows is None else rows
    cut = np.full(total, np.inf) if cut is None else cut
    found, losses = start.copy(), np.full(total, np.inf)
    place = np.empty(0, dtype=np.intp)
    queued, state, window, box = 0, _State.new(start[:, :0]), None, limits
    while True:
        keep = np.flatnonzero(~state.settled)
        if window is None or len(place) - len(keep) >= REFILL_SHARE * len(place):
            done = place[state.settled]
            found[:, done], losses[done] = state.raw[:, state.settled], state.loss[state.settled]
            fresh = np.arange(queued, min(queued + CHUNK_SLICES - len(keep), total))
            queued += len(fresh)
            place = np.concatenate([place[keep], fresh])
            if not len(place):
                return found, losses
            state = state.refilled(keep, start[:, fresh])
            window, box = _window(data, rows[place], cut[place]), _at(limits, place)
        residual, jacobian = model(state.proposal, window)
        state.advance(*normal_equations(residual, jacobian, window.cut), box, tolerance, max_iterations)


def cut_of(model: Model, data: Observations, raw: Floats) -> Floats:
    """Cut of each slice, ``[n]``, in half-spreads: four, or four robust deviations where the model does not follow."""
    if not data.k.shape[1]:
        return np.full(len(data.k), CUT_HALF_SPREADS)
    parts = [np.empty(0)]
    for first in range(0, len(data.k), CHUNK_SLICES):
        rows = np.arange(first, min(first + CHUNK_SLICES, len(data.k)))
        residual = np.abs(model(raw[:, rows], _window(data, rows, np.full(len(rows), np.inf)))[0]).T
        size = np.sort(np.where(data.used[rows], residual, np.inf), axis=1)
        middle = np.maximum(data.count[rows] - 1.0, 0.0).astype(np.intp) // 2
        median = size[np.arange(len(rows)), middle]
        parts.append(CUT_HALF_SPREADS * np.maximum(MAD_TO_SD * np.where(np.isfinite(median), median, 0.0), 1.0))
    return np.concatenate(parts)


def fit_robustly(
    model: Model,
    data: Observations,
    start: Floats,
    limits: Limits,
    max_iterations: int,
    warm: bool = False,
    tolerance: float = TOLERANCE,
) -> tuple[Floats, Floats]:
    """Fit without a cut first, roughly, then with it; from a warm start with it at once."""
    raw = start
    if not warm:
        raw, _ = minimise(model, data, start, limits, None, None, max_iterations, TOLERANCE_ROUGH)
    return minimise(model, data, raw, limits, cut_of(model, data, raw), None, max_iterations, tolerance)


def column_sum(values: Floats) -> Floats:
    """Sum of ``[..., m, n]`` over m in strict order."""
    if values.shape[-1] == 1:
        # A single column would be summed pairwise, in an order that depends on its length.
        return np.asarray(np.cumsum(values, axis=-2)[..., -1, :])
    total: Floats = np.add.reduce(values, axis=-2)
    return total


def weights(size: Floats, cut: Floats) -> Floats:
    """Weight in the reweighted least squares of residuals of absolute ``size``, ``[m, n]``."""
    weight: Floats = HUBER_HALF_SPREADS / np.maximum(size, HUBER_HALF_SPREADS)
    weight *= size <= cut
    return weight


def normal_equations(residual: Floats, jacobian: Floats, cut: Floats) -> tuple[Floats, Floats, Floats]:
    """Return loss ``[n]``, gradient ``[p, n]`` and the lower triangle of J'BJ, ``[p, p, n]``.

    Reweighting would take the weight 1/|r| for the bend B of the loss past c, where its second derivative is zero: too
    stiff by far for fast steps. Zero would be Newton's, which overshoots. A share of the weight lies between.
    """
    size = np.abs(residual)
    within = np.minimum(size, HUBER_HALF_SPREADS)
    losses = np.minimum(size, cut)
    losses -= 0.5 * within
    losses *= within
    weight = weights(size, cut)
    count = len(jacobian)
    gradient, normal = np.empty((count, residual.shape[1])), np.zeros((count, count, residual.shape[1]))
    pull = weight * residual
    bend = (size > HUBER_HALF_SPREADS) * (BEND_BEYOND - 1.0)
    bend += 1.0
    bend *= weight
    product = np.empty_like(residual)
    weighted = np.empty_like(residual)
    for a in range(count):
        gradient[a] = column_sum(np.multiply(jacobian[a], pull, out=product))
        np.multiply(jacobian[a], bend, out=weighted)
        for b in range(a + 1):
            normal[a, b] = column_sum(np.multiply(weighted, jacobian[b], out=product))
    return column_sum(losses), gradient, normal


def solve_damped(normal: Floats, gradient: Floats, damping: Floats) -> Floats:
    """Solve (N + damping diag N) x = gradient by Cholesky's square-root-free form, ``[p, n]``; N's lower triangle."""
    count = len(gradient)
    largest = normal[0, 0]
    for a in range(1, count):
        largest = np.maximum(largest, normal[a, a])
    floor = 1e-13 * largest + 1e-300
    lower: dict[tuple[int, int], Floats] = {}
    pivot: list[Floats] = []
    x: list[Floats] = []
    for a in range(count):
        scaled: list[Floats] = []
        for b in range(a):
            entry = normal[a, b]
            for c in range(b):
                entry = entry - scaled[c] * lower[b, c]
            scaled.append(entry)
            lower[a, b] = entry / pivot[b]
        diagonal = normal[a, a] * (1.0 + damping) + floor
        value = gradient[a]
        for b in range(a):
            diagonal = diagonal - scaled[b] * lower[a, b]
            value = value - lower[a, b] * x[b]
        pivot.append(np.maximum(diagonal, floor))
        x.append(value)
    solution = np.empty_like(gradient)
    for a in reversed(range(count)):
        value = x[a] / pivot[a]
        for b in range(a + 1, count):
            value = value - lower[b, a] * solution[b]
        solution[a] = value
    return solution


@dataclass(slots=True)
class _State:
    """Where each slice of the window stands: accepted and proposed parameters, and the equations at the accepted."""

    raw: Floats
    proposal: Floats
    loss: Floats
    gradient: Floats
    normal: Floats
    damping: Floats
    promised: Floats
    iterations: NDArray[np.int64]
    settled: Bools

    @staticmethod
    def new(start: Floats) -> "_State":
        p, n = start.shape
        # An infinite loss makes the first evaluation, at the start itself, an improvement.
        return _State(
            start,
            start,
            np.full(n, np.inf),
            np.zeros((p, n)),
            np.zeros((p, p, n)),
            np.full(n, DAMPING_START / 0.2),
            np.full(n, np.inf),
            np.zeros(n, dtype=np.int64),
            np.zeros(n, dtype=np.bool_),
        )

    def refilled(self, keep: NDArray[np.intp], start: Floats) -> "_State":
        new = _State.new(start)
        return _State(
            *(
                np.ascontiguousarray(np.concatenate([getattr(self, name)[..., keep], getattr(new, name)], axis=-1))
                for name in _State.__slots__
            )
        )

    def advance(
        self, loss: Floats, gradient: Floats, normal: Floats, limits: Limits, tolerance: float, max_iterations: int
    ) -> None:
        """Take or refuse the proposal, given the equations there, and make the next one."""
        if limits.strength is not None and limits.centre is not None:
            away = self.proposal - limits.centre
            loss = loss + 0.5 * np.add.reduce(limits.strength * away * away, axis=0)
            gradient = gradient + limits.strength * away
            for a in range(len(gradient)):
                normal[a, a] += limits.strength[a]
        better = (loss <= self.loss) & ~self.settled
        self.raw = np.where(better, self.proposal, self.raw)
        self.loss = np.where(better, loss, self.loss)
        self.gradient = np.where(better, gradient, self.gradient)
        self.normal = np.where(better, normal, self.normal)
        self.damping = np.where(better, np.maximum(0.2 * self.damping, 1e-9), 6.0 * self.damping)
        self.iterations = self.iterations + 1
        # The step that was promised to gain next to nothing has been tried by now, and taken if it gained at all.
        small = self.promised <= tolerance * self.loss + GAIN_FLOOR
        self.settled = self.settled | small | (self.damping > DAMPING_END) | (self.iterations > max_iterations)
        lower, upper = limits.lower, limits.upper
        # A parameter at its bound that would leave the box stays, and the others step as if it were a constant.
        held = ((self.raw <= lower) & (self.gradient > 0.0)) | ((self.raw >= upper) & (self.gradient < 0.0))
        normal, downhill = self.normal, -self.gradient
        if held.any():
            free = ~held
            normal, downhill = normal * (free[:, None] & free[None, :]), downhill * free
        step = solve_damped(normal, downhill, self.damping)
        step = np.minimum(np.maximum(step, -MAX_STEP), MAX_STEP)
        self.proposal = np.minimum(np.maximum(self.raw + step, lower), upper)
        moved = self.proposal - self.raw
        # For the quadratic model with its damping the gain is at least half the slope along the step.
        self.promised = np.abs(0.5 * np.add.reduce(self.gradient * moved, axis=0))


def _at(limits: Limits, place: NDArray[np.intp]) -> Limits:
    lower, upper, centre, strength = (
        values if values is None or values.shape[1] == 1 else values[:, place]
        for values in (limits.lower, limits.upper, limits.centre, limits.strength)
    )
    return Limits(np.asarray(lower), np.asarray(upper), centre, strength)


def _window(data: Observations, rows: NDArray[np.intp], cut: Floats) -> Window:
    k, w, inverse = (np.ascontiguousarray(values[rows].T) for values in (data.k, data.w, data.inverse))
    return Window(k, w, inverse, np.ascontiguousarray(data.constants[:, rows]), cut)
