"""Out-of-sample scores of probabilities on labelled sessions: log loss and net return of a decision."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.models.labelled import target

PROBABILITY_FLOOR = 1e-6


@dataclass(frozen=True, slots=True)
class Score:
    """How probabilities did: mean log loss (nats), mean net return per decision (fraction), decisions, hit rate."""

    log_loss: float
    net_return: float
    decisions: int
    hit_rate: float

    def metrics(self, prefix: str) -> dict[str, float]:
        """Named figures for a record."""
        return {
            f"{prefix}_log_loss": self.log_loss,
            f"{prefix}_net_return": self.net_return,
            f"{prefix}_decisions": float(self.decisions),
            f"{prefix}_hit_rate": self.hit_rate,
        }


def score(labelled: pl.DataFrame, probability: NDArray[np.float64], cost_fraction: NDArray[np.float64]) -> Score:
    """Score ``[n]`` probabilities against rows with label_class and label_return; ValueError on none or on a NaN.

    Each decision is one position of sign(p - 1/2), held over the label's own window and charged ``cost_fraction`` (of
    the price, entry and exit together), so label and profit are about the same sessions.
    """
    if not len(labelled) or not np.isfinite(probability).all():
        msg = f"cannot score {len(labelled)} rows with {int((~np.isfinite(probability)).sum())} missing probabilities"
        raise ValueError(msg)
    up = target(labelled)
    p = np.clip(probability, PROBABILITY_FLOOR, 1.0 - PROBABILITY_FLOOR)
    side = np.sign(probability - 0.5)
    net = side * labelled["label_return"].to_numpy() - np.abs(side) * cost_fraction
    return Score(
        log_loss=float(-np.mean(np.where(up == 1, np.log(p), np.log1p(-p)))),
        net_return=float(net.mean()),
        decisions=len(labelled),
        hit_rate=float(np.mean((probability > 0.5) == (up == 1))),
    )
