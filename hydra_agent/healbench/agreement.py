"""Whether two tiers of the benchmark say the same: the same faults, the same policies, each tier's own worlds.

Paired differences of policies within a world, a Student interval over worlds (a bootstrap of four is none). Tiers
contradict each other where both are sure and of opposite minds; that their figures differ is no contradiction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import polars as pl
from scipy.stats import kendalltau, t

from hydra_agent.healbench.policies.simple import DO_NOTHING, ORACLE
from hydra_agent.healbench.scores import HYDRA, Estimate, loss, regret
from hydra_agent.view import Floats

QUIET = "F0"
CONFIDENCE = 0.9


@dataclass(frozen=True, slots=True)
class Side:
    """One tier on one fault."""

    figures: dict[str, float]
    """Regret of each policy but the oracle, on F0 the share of do nothing's profit that is lost: less is better."""
    better: Estimate
    """Expected net profit of HYDRA less that of do nothing, over capital, mean over worlds."""

    @property
    def order(self) -> tuple[str, ...]:
        """Policies, the best first."""
        return tuple(sorted(self.figures, key=lambda name: self.figures[name]))


@dataclass(frozen=True, slots=True)
class Agreement:
    """Both tiers on one fault."""

    fault: str
    full: Side
    statistical: Side
    tau: float
    """Kendall's, between the orders of the policies; NaN of fewer than two."""
    contradictions: tuple[str, ...]
    """Pairs of policies on which both are sure and of opposite minds."""

    @property
    def same_sign(self) -> bool:
        """Whether both find HYDRA better than do nothing, or both do not."""
        return (self.full.better.value > 0.0) == (self.statistical.better.value > 0.0)


def agreements(full: pl.DataFrame, statistical: pl.DataFrame) -> list[Agreement]:
    """Compare the rows of two tiers fault by fault, variants apart; faults that only one of them has are left out."""
    keys = full.select("fault", "variant").unique(maintain_order=True).rows()
    out = []
    for fault, variant in keys:
        of = (pl.col("fault") == fault) & (pl.col("variant") == variant)
        own, other = full.filter(of), statistical.filter(of)
        if other.is_empty():
            continue
        names = [name for name in own["policy"].unique(maintain_order=True) if name in other["policy"].to_list()]
        mine, theirs = _side(own, fault, names), _side(other, fault, names)
        clashes = _contradictions(own, other, fault, names)
        out.append(Agreement(f"{fault} {variant}".strip(), mine, theirs, _tau(mine, theirs), clashes))
    return out


def difference(frame: pl.DataFrame, fault: str, one: str, other: str) -> Estimate:
    """Expected net profit of a policy less another's: mean over worlds with its interval, NaN of a single world."""
    found = _worth(frame, fault, one) - _worth(frame, fault, other)
    n, mean = len(found), float(found.mean())
    if n < 2:
        return Estimate(mean, float("nan"), float("nan"), n)
    half = float(t.ppf(0.5 + CONFIDENCE / 2.0, n - 1) * found.std(ddof=1) / np.sqrt(n))
    return Estimate(mean, mean - half, mean + half, n)


def _worth(frame: pl.DataFrame, fault: str, policy: str) -> Floats:
    """Of each world ``[worlds]``: after the fault, on F0 over the whole reign."""
    column = "value_reign" if fault == QUIET else "value"
    return frame.filter(pl.col("policy") == policy).sort("seed")[column].to_numpy()


def _side(frame: pl.DataFrame, fault: str, names: Sequence[str]) -> Side:
    figure = loss if fault == QUIET else regret
    figures = {name: figure(frame, fault, name).value for name in names if name != ORACLE}
    return Side(figures, difference(frame, fault, HYDRA, DO_NOTHING))


def _tau(one: Side, other: Side) -> float:
    if len(one.figures) < 2:
        return float("nan")
    return float(kendalltau(list(one.figures.values()), [other.figures[name] for name in one.figures]).statistic)


def _contradictions(full: pl.DataFrame, statistical: pl.DataFrame, fault: str, names: Sequence[str]) -> tuple[str, ...]:
    out = []
    for one, other in combinations(names, 2):
        found = [_sure(difference(frame, fault, one, other)) for frame in (full, statistical)]
        if found[0] * found[1] < 0:
            out.append(f"{one} against {other}")
    return tuple(out)


def _sure(found: Estimate) -> int:
    """1 where all of the interval is above zero, -1 where below, else 0."""
    return int(found.low > 0.0) - int(found.high < 0.0)
