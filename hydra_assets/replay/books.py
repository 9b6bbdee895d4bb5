"""What the batched replay reads and writes, laid out as it steps: sessions first, candidates next to each other."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydra_assets.replay.decisions import DecisionKind, Decisions
from hydra_assets.replay.result import KINDS, Cents, Codes, Lots

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Decisions as ``[session, market, candidate]``, contiguous; ``factor`` may be ``[session, market, 1]``."""

    kind: DecisionKind
    values: Floats
    factor: Floats | None
    down: Floats | None

    @classmethod
    def of(cls, decisions: Decisions) -> "Wanted":
        """Turn decisions over, without a copy where they already lie so."""

        def turned(array: Floats | None) -> Floats | None:
            return None if array is None else np.ascontiguousarray(array.transpose(1, 2, 0), dtype=np.float64)

        factor = decisions.size_factor
        if factor is not None:
            factor = factor[:, :, None] if factor.ndim == 2 else turned(factor)
        values = np.ascontiguousarray(decisions.values.transpose(1, 2, 0), dtype=np.float64)
        return cls(decisions.kind, values, factor, turned(decisions.probability_down))


@dataclass(frozen=True, slots=True)
class Books:
    """Results while they are written, sessions first."""

    gross: Cents
    cost: Cents
    turnover: Cents
    missing: Cents
    account_state: Codes
    positions: Lots | None
    fills: Lots | None

    @classmethod
    def empty(cls, sessions: int, markets: int, candidates: int, detail: bool) -> "Books":
        """Nothing written yet; positions and fills only with ``detail``."""
        rows, cells = (sessions, candidates), (sessions, markets, candidates)
        return cls(
            gross=np.zeros(rows, dtype=np.int64),
            cost=np.zeros((sessions, len(KINDS), candidates), dtype=np.int64),
            turnover=np.zeros(rows, dtype=np.int64),
            missing=np.zeros(rows, dtype=np.int64),
            account_state=np.zeros(rows, dtype=np.int8),
            positions=np.zeros(cells, dtype=np.int32) if detail else None,
            fills=np.zeros(cells, dtype=np.int32) if detail else None,
        )
