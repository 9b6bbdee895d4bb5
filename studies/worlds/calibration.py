"""What the options engine adds to the truth: the records of the calibration, and how they are read and written."""

import json
import re
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

Floats = NDArray[np.float64]

FILE = "calibration.json"
WIDTH_BINS = 16
"""Bins of a slice's width, its standard deviation in strike steps, in which the shares of grades are counted: how many
strikes bear a smile decides more about its grade than the days to expiry do."""
_TAIL = (0.0005, 0.0025, 0.006, 0.012, 0.025)
TAIL_LEVELS = len(_TAIL)
PROBABILITIES = (*_TAIL, *(k / 20 for k in range(1, 20)), *(round(1 - p, 4) for p in reversed(_TAIL)))
"""Levels of the quantiles that stand for a distribution."""
MOMENTS = ("tilt", "tilt_mode", "tilt_probability", "risk_reversal_25", "skew", "kurt", "atm_vol", "later_vol")
"""``later_vol`` is the 90-day at-the-money volatility."""
ERRORS = ("tilt", "risk_reversal_25", "skew", "kurt")
"""Moments whose standard error the divergence reads."""
SCALED_BY = {
    "tilt": "tilt",
    "tilt_mode": "tilt",
    "tilt_probability": "tilt",
    "risk_reversal_25": "risk_reversal_25",
    "skew": "skew",
    "kurt": "kurt",
}
"""Whose standard error a moment's error is measured in; volatilities by their own true value."""
COMPONENTS = (*MOMENTS, *(f"{name}_se" for name in ERRORS))
"""Rows and columns of the correlation matrix."""
SE_TERMS = ("one", "grade_b", "across", "log_sd", "between", "log_days", "log_width")
"""What the log of a standard error is regressed on, see ``se_terms``."""


class Law(BaseModel):
    """Distribution and memory of one component: quantiles at ``PROBABILITIES``, share and decay of the slow part."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    quantiles: tuple[float, ...]
    slow: float
    decay: float
    """Coefficient of the slow part from session to session."""


class Line(BaseModel):
    """Engine's moment on the true one: ``level + slope * truth``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: float
    slope: float


class Grades(BaseModel):
    """Shares of slices without a usable density, and with grade C, per bin of widths; what is left has grade B.

    ``edges`` are the right edges of the bins but the last.
    ``slow`` is the slow part of a slice's luck, ``decay`` its coefficient from session to session, ``common`` the part
    of the luck that the session's slices share.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    edges: tuple[float, ...]
    unusable: tuple[float, ...]
    grade_c: tuple[float, ...]
    slow: float
    decay: float
    common: float


class MarketCalibration(BaseModel):
    """Engine's errors in one market."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sessions: int
    """Sessions with 60-day moments that the numbers rest on."""
    grades: Grades
    lines: dict[str, Line]
    laws: dict[str, Law]
    """By component: of moments, errors in their scale; of standard errors, residuals of the log."""
    se: dict[str, tuple[float, ...]]
    """Coefficients of ``SE_TERMS`` for each standard error's log."""
    correlation: tuple[tuple[float, ...], ...]
    """Of the components' normal scores; positive definite."""


class Calibration(BaseModel):
    """Of a whole world."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    command: str
    seed: int
    first: str
    last: str
    markets: dict[str, MarketCalibration]


@lru_cache(maxsize=1)
def load() -> Calibration:
    """Read the committed calibration."""
    return Calibration.model_validate_json((files("studies.worlds") / FILE).read_text(encoding="utf-8"))


def save(calibration: Calibration, path: Path) -> None:
    """Write a calibration, each list of numbers on one line."""
    text = json.dumps(calibration.model_dump(mode="json"), indent=1)
    text = re.sub(r"\[[-\d.e,\s]+\]", lambda found: re.sub(r"\s+", " ", found[0]), text)
    path.write_text(text + "\n", encoding="utf-8")


def se_terms(grade_b: Floats, across: Floats, sd: Floats, share: Floats, first: tuple[Floats, Floats]) -> Floats:
    """Regressors of a log standard error, ``[n, len(SE_TERMS)]``.

    ``sd`` is the true at-the-money volatility, ``share`` that of the second expiry, ``first`` days and width of the
    first: a maturity in the middle of two expiries averages their errors, a narrow slice has few strikes.
    """
    days, width = first
    columns = [np.ones(len(sd)), grade_b, across, np.log(sd), 4.0 * share * (1.0 - share), np.log(days), np.log(width)]
    return np.stack(columns, axis=1)


def bin_of(width: Floats, grades: Grades) -> NDArray[np.int64]:
    """Bin of each slice's width, of its shape; that of width 0 where there is no slice."""
    filled = np.where(np.isfinite(width), width, 0.0)
    return np.searchsorted(np.array(grades.edges), filled, side="left")


def quantile(law: Law, u: Floats) -> Floats:
    """Value at probability u, any shape; flat beyond the outermost levels."""
    return np.asarray(np.interp(u, PROBABILITIES, law.quantiles))
