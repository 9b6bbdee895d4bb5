"""Has a strategy's edge gone? Page's CUSUM of the log-likelihood ratio of two means.

    l_t = log f(x_t; mu_0) / f(x_t; mu_1) = (mu_0 - mu_1)(x_t - (mu_0 + mu_1) / 2),   S_t = max(0, S_{t-1} + l_t)

for returns x in units of their known standard deviation, normal with mean mu_1 while the edge lives and mu_0 < mu_1
afterwards. Of all rules with as long a run to a false alarm, none has a smaller worst delay: this is what any other
detector of the same change is measured against. S has the same law under mu_1 whatever the two means, for given
d = mu_1 - mu_0, and its run length is by Siegmund's approximation

    ARL(h) = (e^b - b - 1) 2 / d^2,   b = h + 2 * 0.583 d,

where 0.583 is the mean overshoot of a normal walk. Sources: G. Lorden, "Procedures for reacting to a change in
distribution", Annals of Mathematical Statistics 42 (1971); G. V. Moustakides, "Optimal stopping times for detecting
changes in distributions", Annals of Statistics 14 (1986); D. Siegmund, *Sequential Analysis* (1985), eq. (2.57) and
section X.2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from hydra_assets.stats.detectors.track import DetectorTrack, columns_of, pack, seen

Floats = NDArray[np.float64]

_OVERSHOOT = 0.5826


@dataclass(frozen=True, slots=True)
class EdgeCusum:
    """CUSUM for a fall of the mean from ``good_mean`` to ``bad_mean``, in standard deviations per session."""

    good_mean: float
    bad_mean: float

    def __post_init__(self) -> None:
        if not self.good_mean > self.bad_mean:
            msg = f"a fall is from {self.good_mean} to something lower, not to {self.bad_mean}"
            raise ValueError(msg)

    @property
    def fall(self) -> float:
        """d, on which alone the run length depends."""
        return self.good_mean - self.bad_mean

    @property
    def name(self) -> str:
        """Name under which thresholds are kept."""
        return f"edge(fall={self.fall:.3f})"

    def statistics(self, returns: ArrayLike) -> DetectorTrack:
        """S of ``[T]`` or ``[T, K]`` returns in units of their standard deviation; NaN leaves a session out."""
        columns = columns_of(returns)
        packed = pack(columns)
        steps = -self.fall * (packed.values - 0.5 * (self.good_mean + self.bad_mean))
        found = packed.unpack(reflected(steps))
        return DetectorTrack(found[:, 0] if np.ndim(returns) == 1 else found, seen(packed))


def reflected(steps: Floats) -> Floats:
    """max(0, S_{t-1} + step_t) down each column of ``[T, K]``."""
    out = np.empty_like(steps)
    total = np.zeros(steps.shape[1:])
    for t, step in enumerate(steps):
        total = np.maximum(total + step, 0.0, out=out[t])
    return out


def run_length(threshold: float, fall: float) -> float:
    """Sessions to a false alarm on average while the edge lives, for normal returns."""
    b = threshold + 2.0 * _OVERSHOOT * fall
    return float((np.expm1(b) - b) * 2.0 / fall**2)


def normal_threshold(fall: float, sessions_between_alarms: float) -> float:
    """Threshold at which normal returns alarm once in so many sessions; ValueError where zero alarms less often."""
    if sessions_between_alarms <= run_length(0.0, fall):
        msg = f"one alarm in {sessions_between_alarms:g} sessions is more than a fall of {fall:g} can give"
        raise ValueError(msg)
    return float(brentq(lambda h: run_length(h, fall) - sessions_between_alarms, 0.0, 100.0))
