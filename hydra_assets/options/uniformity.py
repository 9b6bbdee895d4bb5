"""Are probability integral transforms uniform and independent? Two tests.

Berkowitz: normal scores x_t = N^-1(u_t) follow an AR(1) with mean m, innovation variance s^2 and coefficient r; the
exact Gaussian likelihood L gives LR = 2 [L(m, s, r) - L(0, 1, 0)], chi-squared with three degrees of freedom. For a
given r the best m and s are

    m = [(1+r) x_1 + sum_{t>1} (x_t - r x_{t-1})] / [1+r + (n-1)(1-r)],
    s^2 = [(1-r^2)(x_1-m)^2 + sum_{t>1} (x_t - m - r(x_{t-1}-m))^2] / n,

so LR(r) = sum x^2 - n - n ln s^2 + ln(1-r^2), maximised over r alone. Source: J. Berkowitz, "Testing density
forecasts, with applications to risk management", Journal of Business and Economic Statistics 19 (2001), eq. (5).

Raw moments: y = sqrt(12) (u - 1/2) has moments 0, 1, 0, 9/5. With d the first four sample moments less these,
n d' W^-1 d is chi-squared with four degrees of freedom; W_{rs} = E[y^{r+s}] - E[y^r] E[y^s] is known when the PITs are
independent, as they are over horizons that do not overlap, so no long-run covariance needs estimating and odd and even
moments are uncorrelated. Source: M. Knüppel, "Evaluating the calibration of multi-step-ahead density forecasts using
raw moments", Journal of Business and Economic Statistics 33 (2015), section 3.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.special import chdtrc, ndtri

from hydra_assets.options.black76 import Floats
from hydra_assets.options.real_world_grid import last_axis_sum

MIN_OBSERVATIONS = 20
"""Fewer have no power worth a verdict; from here on the chi-squared sizes hold (studies/real_world.py: 5.9 and 5.1 % of
20 independent uniforms are rejected at 5 %)."""
_RHO: Floats = np.linspace(-0.98, 0.98, 99)
_GOLDEN = 0.5 * (np.sqrt(5.0) - 1.0)
_GOLDEN_STEPS = 40
_ODD = np.array([[1.0, 9.0 / 5.0], [9.0 / 5.0, 27.0 / 7.0]])
_EVEN = np.array([[9.0 / 5.0 - 1.0, 27.0 / 7.0 - 9.0 / 5.0], [27.0 / 7.0 - 9.0 / 5.0, 9.0 - (9.0 / 5.0) ** 2]])


class UniformityName(StrEnum):
    """The tests."""

    BERKOWITZ = "berkowitz"
    RAW_MOMENTS = "knueppel_raw_moments"


class UniformityStatus(StrEnum):
    """Whether a test was made."""

    OK = "ok"
    TOO_FEW_OBSERVATIONS = "too_few_observations"
    NOT_PROBABILITIES = "not_probabilities"
    """A transform outside (0, 1), or missing."""


@dataclass(frozen=True, slots=True)
class Uniformity:
    """One test of one series; ``statistic`` and ``p_value`` are None where ``status`` says why."""

    test: UniformityName
    observations: int
    statistic: float | None
    degrees: int
    p_value: float | None
    status: UniformityStatus


def berkowitz(pits: Floats) -> Uniformity:
    """Test ``[n]`` transforms in time order against uniform and independent."""
    return _judge(UniformityName.BERKOWITZ, pits, 3, berkowitz_ratio)


def raw_moments(pits: Floats) -> Uniformity:
    """Test ``[n]`` transforms against uniform by their first four moments."""
    return _judge(UniformityName.RAW_MOMENTS, pits, 4, raw_moments_statistic)


TESTS: tuple[Callable[[Floats], Uniformity], ...] = (berkowitz, raw_moments)


def _judge(name: UniformityName, pits: Floats, degrees: int, statistic: Callable[[Floats], Floats]) -> Uniformity:
    n = len(pits)
    if not np.all((pits > 0.0) & (pits < 1.0)):
        return Uniformity(name, n, None, degrees, None, UniformityStatus.NOT_PROBABILITIES)
    if n < MIN_OBSERVATIONS:
        return Uniformity(name, n, None, degrees, None, UniformityStatus.TOO_FEW_OBSERVATIONS)
    value = float(statistic(pits[None, :])[0])
    return Uniformity(name, n, value, degrees, float(chdtrc(degrees, value)), UniformityStatus.OK)


def berkowitz_ratio(pits: Floats) -> Floats:
    """Likelihood ratio of r series of n transforms, ``[r, n]`` to ``[r]``."""
    x = ndtri(pits)
    sums = _ArSums.of(x)
    profile = np.stack([sums.ratio(np.full(len(x), rho)) for rho in _RHO])
    best = _RHO[np.argmax(profile, axis=0)]
    step = _RHO[1] - _RHO[0]
    lower, upper = np.maximum(best - step, -1.0 + 1e-9), np.minimum(best + step, 1.0 - 1e-9)
    for _ in range(_GOLDEN_STEPS):
        left, right = upper - _GOLDEN * (upper - lower), lower + _GOLDEN * (upper - lower)
        rising = sums.ratio(left) < sums.ratio(right)
        lower, upper = np.where(rising, left, lower), np.where(rising, upper, right)
    return sums.ratio(0.5 * (lower + upper))


def raw_moments_statistic(pits: Floats) -> Floats:
    """Raw-moments statistic of r series of n transforms, ``[r, n]`` to ``[r]``."""
    n = pits.shape[1]
    y = np.sqrt(12.0) * (pits - 0.5)
    d1, d2, d3, d4 = (last_axis_sum(y**r) / n - moment for r, moment in ((1, 0.0), (2, 1.0), (3, 0.0), (4, 1.8)))
    out: Floats = n * (_quadratic(_ODD, d1, d3) + _quadratic(_EVEN, d2, d4))
    return out


def _quadratic(covariance: Floats, x: Floats, y: Floats) -> Floats:
    """(x, y) covariance^-1 (x, y)'."""
    (p, q), (_, s) = covariance
    out: Floats = (s * x * x - 2.0 * q * x * y + p * y * y) / (p * s - q * q)
    return out


@dataclass(frozen=True, slots=True)
class _ArSums:
    """What the AR(1) likelihood needs of r series of length n, ``[r]`` each."""

    n: int
    first: Floats
    last: Floats
    total: Floats
    squares: Floats
    products: Floats

    @classmethod
    def of(cls, x: Floats) -> "_ArSums":
        return cls(
            x.shape[1],
            x[:, 0],
            x[:, -1],
            last_axis_sum(x),
            last_axis_sum(x * x),
            last_axis_sum(x[:, 1:] * x[:, :-1]),
        )

    def ratio(self, rho: Floats) -> Floats:
        """LR(rho) of the module's docstring."""
        n = self.n
        mean = (self.total * (1.0 - rho) + rho * (self.first + self.last)) / (1.0 + rho + (n - 1) * (1.0 - rho))
        squares = self.squares - 2.0 * mean * self.total + n * mean**2
        ends = (self.first - mean) ** 2 + (self.last - mean) ** 2
        products = self.products - mean * (2.0 * self.total - self.first - self.last) + (n - 1) * mean**2
        # (1-r^2) e_1^2 + sum (e_t - r e_{t-1})^2 = sum e^2 - 2 r sum e_t e_{t-1} + r^2 (sum e^2 - e_1^2 - e_n^2)
        variance = (squares - 2.0 * rho * products + rho**2 * (squares - ends)) / n
        out: Floats = self.squares - n - n * np.log(np.maximum(variance, 1e-300)) + np.log1p(-rho * rho)
        return out
