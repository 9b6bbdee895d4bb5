"""Logistic regression with a normal prior on each coefficient: the mode of the posterior, by Newton's method.

    minimise  sum_i w_i (log(1 + exp(z_i)) - y_i z_i) + sum_j lambda_j (b_j - m_j)^2 / 2,   z = o + X b

with offset o, prior means m and precisions lambda; a precision of zero is no prior. Targets may be shares in [0, 1].
The problem is convex, and strictly so where every direction has data or a prior.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import expit

from hydra_assets.models.protocol import Floats

TOLERANCE = 1e-10
MAX_STEPS = 100


def map_logistic(
    design: Floats, target: Floats, weights: Floats, offset: Floats, mean: Floats, precision: Floats
) -> Floats:
    """Coefficients ``[k]`` for a design ``[n, k]``; target, weights and offset ``[n]``, mean and precision ``[k]``."""

    def loss(at: Floats) -> float:
        z = offset + design @ at
        return float(weights @ (np.logaddexp(0.0, z) - target * z) + 0.5 * precision @ (at - mean) ** 2)

    beta = mean.copy()
    # One thread: sums of a threaded BLAS depend on how many there are, and the bytes with them.
    with _controller().limit(limits=1):
        now = loss(beta)
        for _ in range(MAX_STEPS):
            p = expit(offset + design @ beta)
            gradient = design.T @ (weights * (p - target)) + precision * (beta - mean)
            curvature = (design * (weights * p * (1.0 - p))[:, None]).T @ design + np.diag(precision)
            step = np.linalg.lstsq(curvature, gradient, rcond=None)[0]
            size, new = 1.0, loss(beta - step)
            while new > now and size > TOLERANCE:
                size *= 0.5
                new = loss(beta - size * step)
            beta, now = beta - size * step, new
            if np.abs(size * step).max(initial=0.0) < TOLERANCE:
                break
    return np.asarray(beta, dtype=np.float64)


@lru_cache(maxsize=1)
def _controller() -> Any:
    """The process's thread pools, found once: looking for them takes longer than the fit of a small design."""
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped,unused-ignore]  # noqa: PLC0415

    return ThreadpoolController()
