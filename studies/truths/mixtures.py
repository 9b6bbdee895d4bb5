"""Truths in closed form: a lognormal, two lognormals with a given skew, and two humps around an announcement.

A mixture with weights p_i, means F m_i and log standard deviations s_i has sum p_i m_i = 1, so that E[S_T] = F. Its
calls are the weighted Black calls of the components (Black, J. Financial Economics 3, 1976).
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from studies.truths.truth import FORWARD, Floats, moments

_TAIL_SDS = 9.0


@dataclass(frozen=True, slots=True)
class LognormalMixture:
    """Components' ``weight``, ``mean`` (over F) and ``sd`` (of the log)."""

    name: str
    weight: tuple[float, ...]
    mean: tuple[float, ...]
    sd: tuple[float, ...]

    @property
    def span(self) -> tuple[float, float]:
        """Nine standard deviations of every component."""
        middle = np.log(self.mean) - 0.5 * np.square(self.sd)
        reach = _TAIL_SDS * np.asarray(self.sd)
        return float((middle - reach).min()), float((middle + reach).max())

    def widened(self, sd: float) -> "LognormalMixture":
        """The law of x + y, y an independent normal of this standard deviation with E[e^y] = 1: a later expiry."""
        return LognormalMixture(self.name, self.weight, self.mean, tuple(float(np.hypot(s, sd)) for s in self.sd))

    def call(self, strike: Floats) -> Floats:
        """Undiscounted call."""
        total = np.zeros_like(np.asarray(strike, dtype=np.float64))
        for p, m, s in zip(self.weight, self.mean, self.sd, strict=True):
            d1 = np.log(FORWARD * m / strike) / s + 0.5 * s
            total += p * (FORWARD * m * ndtr(d1) - strike * ndtr(d1 - s))
        return total

    def density(self, x: Floats) -> Floats:
        """Density of x."""
        total = np.zeros_like(np.asarray(x, dtype=np.float64))
        for p, m, s in zip(self.weight, self.mean, self.sd, strict=True):
            z = (x - np.log(m)) / s + 0.5 * s
            total += p * np.exp(-0.5 * z * z) / (s * np.sqrt(2.0 * np.pi))
        return total

    def distribution(self, x: Floats) -> Floats:
        """Distribution of x."""
        total = np.zeros_like(np.asarray(x, dtype=np.float64))
        for p, m, s in zip(self.weight, self.mean, self.sd, strict=True):
            total += p * ndtr((x - np.log(m)) / s + 0.5 * s)
        return total


def lognormal(name: str, sd: float) -> LognormalMixture:
    """What Black-76 supposes."""
    return LognormalMixture(name, (1.0,), (1.0,), (sd,))


def two_lognormals(name: str, minor_weight: float, minor_mean: float, sds: tuple[float, float]) -> LognormalMixture:
    """Two components; the mean of the major one makes E[S_T] = F. ``sds`` are the minor's and the major's."""
    major_mean = (1.0 - minor_weight * minor_mean) / (1.0 - minor_weight)
    return LognormalMixture(name, (minor_weight, 1.0 - minor_weight), (minor_mean, major_mean), sds)


def skewed_lognormals(name: str, skew: float, minor_weight: float, sds: tuple[float, float]) -> LognormalMixture:
    """Two components, the minor one lying as far below (skew < 0) or above the other as gives x this skew."""

    def excess(log_mean: float) -> float:
        return moments(two_lognormals(name, minor_weight, float(np.exp(log_mean)), sds)).skew - skew

    bracket = (-0.3, 0.0) if skew < 0.0 else (0.0, 0.3)
    root = brentq(excess, *bracket, xtol=1e-14)
    return two_lognormals(name, minor_weight, float(np.exp(root)), sds)
