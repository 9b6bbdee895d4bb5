"""What a truth is: a known risk-neutral law of ln(S_T/F) with its option prices, and the moments of one.

A new truth is a class with these members, or an entry made from one of the families beside this
module, added to :data:`studies.truths.BUILDERS`.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FORWARD = 100.0
YEARS = 0.25
_SDS, _POINTS = 14.0, 4001


class Truth(Hashable, Protocol):
    """A law of x = ln(S_T/F) with E[e^x] = 1; arrays of any shape in, the same shape out."""

    @property
    def name(self) -> str:
        """Short name, the row of a table."""
        ...

    @property
    def span(self) -> tuple[float, float]:
        """Where all of x lies, but for 1e-12 of it or less."""
        ...

    def widened(self, sd: float) -> "Truth":
        """The law at a later expiry: x plus an independent normal of this standard deviation."""
        ...

    def call(self, strike: Floats) -> Floats:
        """Undiscounted call on a forward of :data:`FORWARD`."""
        ...

    def density(self, x: Floats) -> Floats:
        """Density of x."""
        ...

    def distribution(self, x: Floats) -> Floats:
        """P(ln(S_T/F) <= x)."""
        ...


@dataclass(frozen=True, slots=True)
class Moments:
    """Of x = ln(S_T/F), but for ``mean_ratio``, which is E[S_T]/F; ``kurtosis`` of a normal is 3."""

    mass: float
    mean_ratio: float
    mean: float
    sd: float
    skew: float
    kurtosis: float


@lru_cache(maxsize=32)
def moments(truth: Truth) -> Moments:
    """By the trapezoid rule, which converges faster than any power on a smooth density that ends at zero."""
    x, step = np.linspace(*truth.span, _POINTS, retstep=True)
    p = truth.density(x) * step
    mass = float(p.sum())
    mean = float(p @ x) / mass
    centred = x - mean
    variance = float(p @ centred**2) / mass
    return Moments(
        mass=mass,
        mean_ratio=float(p @ np.exp(x)),
        mean=mean,
        sd=variance**0.5,
        skew=float(p @ centred**3) / mass / variance**1.5,
        kurtosis=float(p @ centred**4) / mass / variance**2,
    )


def quantiles(truth: Truth, probabilities: Floats) -> Floats:
    """Quantiles of x, ``[m]``, by bisection to the last bits of the span."""
    low = np.full(len(probabilities), truth.span[0])
    high = np.full(len(probabilities), truth.span[1])
    for _ in range(60):
        middle = 0.5 * (low + high)
        below = truth.distribution(middle) < probabilities
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    q: Floats = 0.5 * (low + high)
    return q
