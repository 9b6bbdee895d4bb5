"""What candidates want: lots, probabilities, or shares of Kelly, per candidate, session and market."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class DecisionKind(StrEnum):
    """What the values are."""

    LOTS = "lots"
    """Wanted signed positions; the market's limits still apply, Kelly and its caps in equity do not."""
    PROBABILITY = "probability"
    """Calibrated P(up) over the label's horizon."""
    KELLY = "kelly"
    """Signed shares f*, positive long, by the caller's own probabilities and payoffs (``sizing.signed_kelly``)."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """Decisions at the cutoff of each session; NaN is no decision, so no order.

    Arrays are ``[candidate, session, market]``. They are read fastest where candidates lie next to each other in
    memory: ``array.transpose(1, 2, 0)`` contiguous, as ``candidates_last`` makes them; any other order is copied.

    Parameters
    ----------
    values
        As ``kind`` says.
    size_factor
        In [0, 1], ``[candidate, session, market]`` or ``[session, market]``: grade and staleness of the sources,
        volatility play. None is 1 everywhere; NaN is no decision.
    probability_down
        P(down) where the label has a third outcome; None is 1 - P(up).
    """

    kind: DecisionKind
    values: Floats
    size_factor: Floats | None = None
    probability_down: Floats | None = None

    def __post_init__(self) -> None:
        if self.values.ndim != 3:
            msg = f"values are {self.values.shape}, not [candidate, session, market]"
            raise ValueError(msg)
        if self.size_factor is not None and self.size_factor.shape not in (self.values.shape, self.values.shape[1:]):
            msg = f"size_factor is {self.size_factor.shape}, the values are {self.values.shape}"
            raise ValueError(msg)
        if self.probability_down is not None and (
            self.kind is not DecisionKind.PROBABILITY or self.probability_down.shape != self.values.shape
        ):
            msg = "probability_down comes with probabilities and in their shape"
            raise ValueError(msg)

    def candidate(self, index: int) -> "Decisions":
        """Only one candidate's, as a batch of one."""
        one = slice(index, index + 1)
        shared = self.size_factor is None or self.size_factor.ndim == 2
        return Decisions(
            self.kind,
            self.values[one],
            self.size_factor if shared or self.size_factor is None else self.size_factor[one],
            None if self.probability_down is None else self.probability_down[one],
        )


def candidates_last(values: Floats) -> Floats:
    """Return the same ``[candidate, session, market]`` array with its candidates next to each other in memory."""
    return np.ascontiguousarray(values.transpose(1, 2, 0)).transpose(2, 0, 1)
