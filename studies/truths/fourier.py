"""Truths known by their characteristic function: Heston's stochastic volatility, and Bates' with jumps.

The density of x = ln(S_T/F) on [a, b] is a cosine series whose coefficients are values of phi(u) = E[e^(iux)]:

    f(x) = sum' A_k cos(w_k (x - a)),   w_k = k pi / (b - a),   A_k = 2/(b - a) Re[phi(w_k) e^(-i w_k a)]

(first term halved); distribution and puts follow by integrating term by term. Source: F. Fang and C. Oosterlee,
"A novel pricing method for European options based on Fourier-cosine series expansions", SIAM J. Sci. Comput. 31 (2008).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from studies.truths.truth import FORWARD, YEARS, Floats, moments

Complexes = NDArray[np.complex128]
Characteristic = Callable[[Floats | Complexes], Complexes]
_TERMS = 800
_SPAN = (-2.8, 2.8)
"""Some 18 standard deviations of the truths here, whose exponential tails are below 1e-11 there."""
_POINTS_A_PASS = 256


@dataclass(frozen=True, slots=True)
class Heston:
    """dS/S = sqrt(v) dW, dv = speed (level - v) dt + vol_of_vol sqrt(v) dZ, dW dZ = correlation dt."""

    start: float
    speed: float
    level: float
    vol_of_vol: float
    correlation: float

    def characteristic(self, u: Floats | Complexes) -> Complexes:
        """E[e^(iux)] in the form that stays on one branch of the logarithm.

        Source: H. Albrecher et al., "The little Heston trap", Wilmott, January 2007.
        """
        xi = self.speed - 1j * self.correlation * self.vol_of_vol * u
        d = np.sqrt(xi * xi + self.vol_of_vol**2 * (1j * u + u * u))
        g = (xi - d) / (xi + d)
        decay = np.exp(-d * YEARS)
        level = (xi - d) * YEARS - 2.0 * np.log((1.0 - g * decay) / (1.0 - g))
        start = (xi - d) * (1.0 - decay) / (1.0 - g * decay)
        phi: Complexes = np.exp((self.speed * self.level * level + self.start * start) / self.vol_of_vol**2)
        return phi


@dataclass(frozen=True, slots=True)
class Jumps:
    """Compensated normal jumps of the log: ``rate`` a year, mean and standard deviation of one.

    Source: D. Bates, "Jumps and stochastic volatility", Review of Financial Studies 9 (1996).
    """

    rate: float
    mean: float
    sd: float

    def characteristic(self, u: Floats | Complexes) -> Complexes:
        """E[e^(iux)] of the jumps alone."""
        one = np.exp(1j * u * self.mean - 0.5 * self.sd**2 * u * u)
        drift = np.expm1(self.mean + 0.5 * self.sd**2)
        phi: Complexes = np.exp(self.rate * YEARS * (one - 1.0 - 1j * u * drift))
        return phi


@dataclass(frozen=True, slots=True, eq=False)
class CosineTruth:
    """A truth from its characteristic function; coefficients are computed once."""

    name: str
    characteristic: Characteristic = field(repr=False)
    span: tuple[float, float] = _SPAN
    _frequency: Floats = field(init=False, repr=False)
    _coefficient: Floats = field(init=False, repr=False)

    def __post_init__(self) -> None:
        a, b = self.span
        w = np.arange(_TERMS, dtype=np.float64) * (np.pi / (b - a))
        coefficient = 2.0 / (b - a) * (self.characteristic(w) * np.exp(-1j * w * a)).real
        coefficient[0] *= 0.5
        # Frozen, and made of its own fields.
        object.__setattr__(self, "_frequency", w)
        object.__setattr__(self, "_coefficient", coefficient)

    def widened(self, sd: float) -> "CosineTruth":
        """The law of x + y, y an independent normal of this standard deviation with E[e^y] = 1: a later expiry."""

        def characteristic(u: Floats | Complexes) -> Complexes:
            phi: Complexes = self.characteristic(u) * np.exp(-0.5 * sd * sd * (u * u + 1j * u))
            return phi

        return CosineTruth(self.name, characteristic, self.span)

    def density(self, x: Floats) -> Floats:
        """Density of x; zero outside the span."""
        return self._series(x, lambda angle, _: np.cos(angle) @ self._coefficient, (0.0, 0.0))

    def distribution(self, x: Floats) -> Floats:
        """Distribution of x."""
        first = self._coefficient[0]
        rest = self._coefficient[1:] / self._frequency[1:]

        def below(angle: Floats, x: Floats) -> Floats:
            total: Floats = first * (x - self.span[0]) + np.sin(angle[:, 1:]) @ rest
            return total

        return self._series(x, below, (0.0, 1.0))

    def call(self, strike: Floats) -> Floats:
        """Undiscounted call, from the put: K P(x <= k) - F E[e^x; x <= k] + F - K at k = ln(K/F)."""
        k = np.log(np.asarray(strike, dtype=np.float64) / FORWARD)
        w, scaled = self._frequency, self._coefficient / (1.0 + self._frequency**2)
        at_start = np.exp(self.span[0]) * scaled.sum()

        def partial_mean(angle: Floats, x: Floats) -> Floats:
            total: Floats = np.exp(x) * (np.cos(angle) @ scaled + np.sin(angle) @ (w * scaled)) - at_start
            return total

        put = strike * self.distribution(k) - FORWARD * self._series(k, partial_mean, (0.0, 1.0))
        value: Floats = put + FORWARD - strike
        return value

    def _series(self, x: Floats, terms: Callable[[Floats, Floats], Floats], outside: tuple[float, float]) -> Floats:
        """Sum the series at every x, some at a time; ``outside`` is the value left and right of the span."""
        flat = np.ravel(np.asarray(x, dtype=np.float64))
        inside = np.clip(flat, *self.span)
        out = np.empty(len(flat))
        for i in range(0, len(flat), _POINTS_A_PASS):
            part = inside[i : i + _POINTS_A_PASS]
            out[i : i + _POINTS_A_PASS] = terms((part[:, None] - self.span[0]) * self._frequency, part)
        out = np.where(flat < self.span[0], outside[0], np.where(flat > self.span[1], outside[1], out))
        return out.reshape(np.shape(x))


def heston(name: str, kurtosis: float, volatility: float, speed: float, correlation: float) -> CosineTruth:
    """Heston's law at rest (v starts at its level) with the vol of vol that gives x this kurtosis."""

    def made(vol_of_vol: float) -> CosineTruth:
        model = Heston(volatility**2, speed, volatility**2, vol_of_vol, correlation)
        return CosineTruth(name, model.characteristic)

    return made(brentq(lambda s: moments(made(s)).kurtosis - kurtosis, 0.1, 1.5, xtol=1e-12))


def bates_up_jumps(name: str, skew: float, diffusion: Heston, jumps: Jumps) -> CosineTruth:
    """Bates' law with the mean jump that gives x this skew; that of ``jumps`` is where the search ends."""

    def made(mean: float) -> CosineTruth:
        moved = Jumps(jumps.rate, mean, jumps.sd)
        return CosineTruth(name, lambda u: diffusion.characteristic(u) * moved.characteristic(u))

    return made(brentq(lambda m: moments(made(m)).skew - skew, 0.0, jumps.mean, xtol=1e-12))
