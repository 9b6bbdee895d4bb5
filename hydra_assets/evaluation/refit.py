"""A scheduled refit of the champion's own recipe: data contracts, calibration and non-inferiority, no more.

The gates judge changes of recipe. A refit changes none; it is held back where its inputs are broken, where the recipe's
probabilities have become worse than the base rate's, or where fresh fits have done worse than the reigning one on the
sessions that both have decided.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.special import ndtri

from hydra_assets.stats.returns import Floats, is_flat
from hydra_assets.stats.sharpe import sharpe
from hydra_assets.verdict import Severity, Verdict

LEVEL = 0.05
CALIBRATION_SESSIONS = 252
"""Newest sessions with an outcome that calibration is judged on."""
MIN_SESSIONS = 40
"""Below it nothing is significant, and a refit is not held back on nothing."""


class RefitReason(StrEnum):
    """Why a refit may replace the fit before it, or may not."""

    OK = "ok"
    CONTRACT_BROKEN = "contract_broken"
    MISCALIBRATED = "miscalibrated"
    """Squared errors significantly above those of the base rate."""
    INFERIOR = "inferior"
    """Fresh fits' squared errors significantly above those of the reigning fit."""


@dataclass(frozen=True, slots=True)
class RefitVerdict:
    """The code and the z statistics behind it; None where there were too few sessions for one."""

    reason: RefitReason
    calibration_z: float | None
    inferiority_z: float | None

    @property
    def passed(self) -> bool:
        """Whether the refit may be promoted."""
        return self.reason is RefitReason.OK


def judge_refit(
    contracts: Sequence[Verdict], own: Floats, base_rate: Floats, reigning: Floats, horizon_sessions: int
) -> RefitVerdict:
    """Judge a refit.

    Parameters
    ----------
    contracts
        Verdicts of the data checks on the inputs.
    own, base_rate, reigning
        Squared errors by session ``[session]`` in time order, NaN where no outcome fell due (or no prediction was
        made): of the recipe's walk-forward, of the base rate that each of its folds knew, and of the reigning fit.
    horizon_sessions
        Sessions over which outcomes overlap.
    """
    calibration = excess_z((own - base_rate)[np.isfinite(own - base_rate)][-CALIBRATION_SESSIONS:], horizon_sessions)
    inferiority = excess_z((own - reigning)[np.isfinite(own - reigning)], horizon_sessions)
    bound = -float(ndtri(LEVEL))
    if any(not verdict.passed and verdict.severity is Severity.ERROR for verdict in contracts):
        reason = RefitReason.CONTRACT_BROKEN
    elif calibration is not None and calibration > bound:
        reason = RefitReason.MISCALIBRATED
    elif inferiority is not None and inferiority > bound:
        reason = RefitReason.INFERIOR
    else:
        reason = RefitReason.OK
    return RefitVerdict(reason, calibration, inferiority)


def excess_z(differences: Floats, horizon_sessions: int) -> float | None:
    """Mean over its overlap-robust standard error; None where there are too few sessions or nothing differs."""
    if len(differences) < max(MIN_SESSIONS, horizon_sessions + 1) or is_flat(differences):
        return None
    found = sharpe(differences, horizon_sessions)
    return float(found.ratio / found.se)
