"""How far a slice can be trusted: grades A to E, with what keeps it from the next better one.

| grade | strikes | reach on both sides | median half-spread | says |
|---|---|---|---|---|
| A | >= 20 | 2.0 sd | <= 5 % of mid | everything |
| B | >= 12 | 1.6 sd | | everything, kurtosis with its interval |
| C | >= 8 | 1.2 sd | | sd, skew, central quantiles; tails flagged; no kurtosis |
| D | >= 5, one of them near the money | | | ATM vol and risk reversal |
| E | 1 to 4, one of them near the money | | | ATM vol |

One grade down where the fit, the quotes, the density's integrals or the models' agreement give cause, whichever and
however many of them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from hydra_assets.options.black76 import Floats
from hydra_assets.options.moments import Statistic
from hydra_assets.options.slices import Bools

NEAR_MONEY_SD = 0.5
MAX_RMSE_HALF_SPREADS = 1.5
MAX_DOWN_WEIGHTED = 0.30
MAX_RESIDUAL = 1e-6
MAX_SD_DISAGREEMENT = 0.10
MAX_HALF_SPREAD_A = 0.05
_STRIKES = np.array([20, 12, 8, 5, 1])
_REACH_SD = np.array([2.0, 1.6, 1.2, 0.0, 0.0])


class Grade(StrEnum):
    """From all moments to at-the-money volatility only."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"


GRADES: Final = tuple(Grade)
UNGRADED: Final = len(GRADES)
"""Code of a slice that says nothing."""


class GradeReason(StrEnum):
    """What keeps a slice from the next better grade, or from any."""

    FEW_STRIKES = "few_strikes"
    NARROW = "narrow"
    """Both sides are quoted, one of them not far enough out."""
    ONE_SIDED = "one_sided"
    """No strike at all below, or none above the forward."""
    WIDE_SPREADS = "wide_spreads"
    FAR_FROM_MONEY = "far_from_money"
    """No strike within half a standard deviation of the forward."""
    NO_QUOTES = "no_quotes"
    NOT_FITTED = "not_fitted"
    """Quotes stand, no model does."""
    POOR_FIT = "poor_fit"
    """Down a grade: rmse beyond 1.5 half-spreads."""
    STALE_QUOTES = "stale_quotes"
    """Down a grade: more than 30 % of the quotes down-weighted."""
    MASS = "mass"
    """Down a grade: the density integrates to something other than 1 by more than 1e-6."""
    MARTINGALE = "martingale"
    """Down a grade: the mean of S_T is off F by more than 1e-6 of it."""
    MODELS_DISAGREE = "models_disagree"
    """Down a grade: the models' sd differ by more than 10 %."""


class Output(StrEnum):
    """What a grade permits or not."""

    ATM_VOL = "atm_vol"
    RISK_REVERSAL = "risk_reversal"
    BODY = "body"
    """Density, mean, sd, skew, tilts, butterfly, smile at the money, mode and the quantiles from 10 to 90 %."""
    TAILS = "tails"
    """Quantiles 1, 5, 95 and 99 %; flagged at grade C."""
    KURTOSIS = "kurtosis"


PERMITTED: Final[dict[Grade, frozenset[Output]]] = {
    Grade.A: frozenset(Output),
    Grade.B: frozenset(Output),
    Grade.C: frozenset({Output.ATM_VOL, Output.RISK_REVERSAL, Output.BODY, Output.TAILS}),
    Grade.D: frozenset({Output.ATM_VOL, Output.RISK_REVERSAL}),
    Grade.E: frozenset({Output.ATM_VOL}),
}
_OUTPUT_OF: Final[dict[Statistic, Output]] = dict.fromkeys(Statistic, Output.BODY) | {
    Statistic.KURT: Output.KURTOSIS,
    Statistic.ATM_TOTAL_VOL: Output.ATM_VOL,
    Statistic.RISK_REVERSAL_TOTAL_VOL: Output.RISK_REVERSAL,
    Statistic.Q01: Output.TAILS,
    Statistic.Q05: Output.TAILS,
    Statistic.Q95: Output.TAILS,
    Statistic.Q99: Output.TAILS,
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a grade is made from, ``[n]`` each.

    ``strikes`` counts different strikes used; ``z_min``, ``z_max`` and ``z_nearest`` are the lowest, the highest and
    the least absolute k / (total volatility at the money) among them (anything where there are none).
    ``half_spread`` is the median half-spread over mid price. ``fitted`` says that a model stands. The rest is as the
    average, its density and its uncertainty give it.
    """

    strikes: NDArray[np.int64]
    z_min: Floats
    z_max: Floats
    z_nearest: Floats
    half_spread: Floats
    fitted: Bools
    rmse: Floats
    down_weighted: Floats
    mass_residual: Floats
    martingale_residual: Floats
    sd_disagreement: Floats


@dataclass(frozen=True, slots=True)
class Graded:
    """``code``, ``[n]``: place in ``GRADES`` or ``UNGRADED``; ``reasons``, ``[n, len(GradeReason)]``."""

    code: NDArray[np.int8]
    reasons: Bools

    def labels(self) -> list[str | None]:
        """Grade of each slice, None where it has none."""
        names = np.array([str(name) for name in GRADES] + [None], dtype=object)
        labels: list[str | None] = names[self.code].tolist()
        return labels

    def reason_codes(self) -> list[str]:
        """Reasons of each slice, comma-separated in the order of ``GradeReason``; empty for a plain A."""
        bits = self.reasons @ (1 << np.arange(len(GradeReason), dtype=np.int64))
        kinds, place = np.unique(bits, return_inverse=True)
        names = list(GradeReason)
        texts = [",".join(str(n) for i, n in enumerate(names) if kind >> i & 1) for kind in kinds.tolist()]
        found: list[str] = np.array([*texts, ""], dtype=object)[place].tolist()
        return found


def grade(evidence: Evidence) -> Graded:
    """Grade every slice. Pure; what is NaN never counts in a slice's favour."""
    with np.errstate(invalid="ignore"):
        reach = np.minimum(-evidence.z_min, evidence.z_max)
        near = evidence.z_nearest <= NEAR_MONEY_SD
        tight = evidence.half_spread <= MAX_HALF_SPREAD_A
        down = {
            GradeReason.POOR_FIT: ~(evidence.rmse <= MAX_RMSE_HALF_SPREADS),
            GradeReason.STALE_QUOTES: ~(evidence.down_weighted <= MAX_DOWN_WEIGHTED),
            GradeReason.MASS: ~(np.abs(evidence.mass_residual) <= MAX_RESIDUAL),
            GradeReason.MARTINGALE: ~(np.abs(evidence.martingale_residual) <= MAX_RESIDUAL),
            GradeReason.MODELS_DISAGREE: ~(evidence.sd_disagreement <= MAX_SD_DISAGREEMENT),
        }
        enough = evidence.strikes[:, None] >= _STRIKES
        wide = (reach[:, None] >= _REACH_SD) | (_REACH_SD == 0.0)
        one_sided = ~((evidence.z_min < 0.0) & (evidence.z_max > 0.0))
    meets = enough & wide
    meets[:, 0] &= tight
    meets[:, 3:] &= near[:, None]
    quoted = evidence.strikes > 0
    meets &= (quoted & evidence.fitted)[:, None]
    plain = np.where(meets.any(axis=1), np.argmax(meets, axis=1), UNGRADED)
    rows = np.arange(len(plain))
    above = np.maximum(plain - 1, 0)
    held = (plain > 0) & (plain < UNGRADED)
    short = held & ~wide[rows, above]
    lost = plain == UNGRADED
    reasons = {
        GradeReason.FEW_STRIKES: held & ~enough[rows, above],
        GradeReason.NARROW: short & ~one_sided,
        GradeReason.ONE_SIDED: short & one_sided,
        GradeReason.WIDE_SPREADS: (plain == 1) & ~tight,
        GradeReason.FAR_FROM_MONEY: lost & quoted & evidence.fitted,
        GradeReason.NO_QUOTES: ~quoted,
        GradeReason.NOT_FITTED: quoted & ~evidence.fitted,
    } | {name: flag & ~lost for name, flag in down.items()}
    lowered = np.any([reasons[name] for name in down], axis=0)
    code = np.minimum(plain + lowered, UNGRADED).astype(np.int8)
    return Graded(code, np.stack([reasons[name] for name in GradeReason], axis=1))


def permitted(code: NDArray[np.int8]) -> Bools:
    """Which statistics a slice of this code may publish, ``[n, len(Statistic)]``."""
    table = np.zeros((UNGRADED + 1, len(Statistic)), dtype=np.bool_)
    for row, name in enumerate(GRADES):
        table[row] = [_OUTPUT_OF[statistic] in PERMITTED[name] for statistic in Statistic]
    return table[code]


def tails_flagged(code: NDArray[np.int8]) -> Bools:
    """Where quantiles beyond 10 and 90 % are published with a flag, ``[n]``: grade C."""
    flagged: Bools = code == GRADES.index(Grade.C)
    return flagged


def usable(code: NDArray[np.int8], least: Grade = Grade.C) -> Bools:
    """Grade ``least`` or better, ``[n]``."""
    good: Bools = code <= GRADES.index(least)
    return good
