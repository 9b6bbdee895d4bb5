"""What every smile model takes and gives: padded batches of quotes in, slices with a density out.

A batch holds n slices of at most m quotes. Results of a slice never depend on what else is in its batch, to the last
bit: sums over quotes go through ``row_sum``, and a slice that has converged is not moved again.
"""

from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from hydra_assets.options.black76 import SQRT_2PI, Floats, normalised_call

Bools = NDArray[np.bool_]
Index = NDArray[np.intp] | NDArray[np.bool_] | slice
CHUNK_SLICES = 256
"""Slices per pass: temporaries of [256, strikes] stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class SliceQuotes:
    """Out-of-the-money quotes, ``[n, m]`` each, in any order; where ``used`` is false the rest is of no meaning.

    ``k`` is ln(K/F), ``w`` the total variance of the mid, ``half_spread`` half the quoted spread in total variance
    (already floored).
    """

    k: Floats
    w: Floats
    half_spread: Floats
    used: Bools

    def __len__(self) -> int:
        """Count of slices."""
        return len(self.k)

    def take(self, index: Index) -> "SliceQuotes":
        """Some of the slices."""
        return SliceQuotes(self.k[index], self.w[index], self.half_spread[index], self.used[index])


class SmileSlices(Protocol):
    """Parameters of n fitted slices, and what they say of ln(S_T/F); ``k`` is ``[n, m]``, so is every result."""

    def __len__(self) -> int:
        """Count of slices."""
        ...

    def take(self, index: Index) -> Self:
        """Some of the slices."""
        ...

    def total_variance(self, k: Floats) -> Floats:
        """Black-76 implied total variance at k."""
        ...

    def density(self, k: Floats) -> Floats:
        """Density of ln(S_T/F) at k."""
        ...

    def distribution(self, k: Floats) -> Floats:
        """P(ln(S_T/F) <= k)."""
        ...

    def call(self, k: Floats) -> Floats:
        """Undiscounted call struck at F e^k, over F."""
        ...


S = TypeVar("S", bound=SmileSlices)


@dataclass(frozen=True, slots=True)
class Fit(Generic[S]):
    """A batch of fits, ``[n]`` slices.

    ``residual`` is (model's total variance - w) / half_spread, ``[n, m]``, zero where a quote is not used. ``fitted``
    is false where the model does not stand (too few quotes, no convergence, arbitrage); its parameters are then NaN.
    """

    slices: S
    residual: Floats
    fitted: Bools


class VarianceSmile:
    """Density, distribution and price of a model that is given as total variance w(k) with two derivatives.

    p(k) = g(k) exp(-d2^2/2) / sqrt(2 pi w) with d2 = -k/sqrt(w) - sqrt(w)/2 and Durrleman's

        g(k) = (1 - k w'/(2w))^2 - w'^2/4 (1/w + 1/4) + w''/2.

    Source: J. Gatheral and A. Jacquier, "Arbitrage-free SVI volatility surfaces", Quantitative Finance 14 (2014), 2.2.
    """

    __slots__ = ()

    def variance_and_derivatives(self, k: Floats) -> tuple[Floats, Floats, Floats]:
        """Return w, dw/dk and d2w/dk2, ``[n, m]``."""
        raise NotImplementedError

    def total_variance(self, k: Floats) -> Floats:
        """Total variance at k."""
        return self.variance_and_derivatives(k)[0]

    def durrleman(self, k: Floats) -> Floats:
        """g(k), negative where the slice has a butterfly arbitrage."""
        return _durrleman(k, *self.variance_and_derivatives(k))

    def density(self, k: Floats) -> Floats:
        """Density of ln(S_T/F) at k."""
        w, first, second = self.variance_and_derivatives(k)
        root = np.sqrt(w)
        d2 = -k / root - 0.5 * root
        p: Floats = _durrleman(k, w, first, second) * np.exp(-0.5 * d2 * d2) / (SQRT_2PI * root)
        return p

    def distribution(self, k: Floats) -> Floats:
        """P(ln(S_T/F) <= k)."""
        w, first, _ = self.variance_and_derivatives(k)
        root = np.sqrt(w)
        d2 = -k / root - 0.5 * root
        below: Floats = ndtr(-d2) + np.exp(-0.5 * d2 * d2) / SQRT_2PI * first / (2.0 * root)
        return below

    def call(self, k: Floats) -> Floats:
        """Undiscounted call struck at F e^k, over F."""
        otm = np.exp(0.5 * k) * normalised_call(-np.abs(k), np.sqrt(self.total_variance(k)))
        value: Floats = np.maximum(-np.expm1(k), 0.0) + otm
        return value


def _durrleman(k: Floats, w: Floats, first: Floats, second: Floats) -> Floats:
    g: Floats = (1.0 - 0.5 * k * first / w) ** 2 - 0.25 * first * first * (1.0 / w + 0.25) + 0.5 * second
    return g


def row_sum(values: Floats) -> Floats:
    """Sum over the last axis in strict left-to-right order.

    NumPy's pairwise sum groups terms by the row's padded length, so the last bit of a slice's fit would depend on the
    widest slice of its batch, and a re-run of one session would not give the bytes of the backfill.
    """
    if len(values) == 1:
        # One row would be collapsed into a vector and summed pairwise after all.
        return np.cumsum(values, axis=-1)[:, -1]
    total: Floats = np.add.reduce(np.ascontiguousarray(values.T), axis=0)
    return total
