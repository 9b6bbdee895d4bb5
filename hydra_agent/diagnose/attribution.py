"""SHAP of errors: which features have pushed the champion's probabilities away from what happened.

With phi_j the Shapley value of feature j in log-odds and e = y - p the error, -phi_j e is to first order what feature j
added to the log loss of a decision (the loss falls by e for each unit of log-odds). Its mean over recent decisions less
that over the reference says who does worse than before. Source of the idea: S. Lundberg et al., "From local
explanations to global understanding with explainable AI for trees", Nature Machine Intelligence 2 (2020), "supervised
monitoring".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydra_assets.features.dictionary import FEATURES

Floats = NDArray[np.float64]
_GROUPS = {feature.name: str(feature.group) for feature in FEATURES}


@dataclass(frozen=True, slots=True)
class Attribution:
    """Added log loss a decision by feature and by group of features, more than in the reference; positive is harm."""

    harm: Mapping[str, float]
    group_harm: Mapping[str, float]
    decisions: int
    reference_decisions: int


def attribute(names: Sequence[str], contributions: Floats, errors: Floats, recent: NDArray[np.bool_]) -> Attribution:
    """Attribute errors.

    Parameters
    ----------
    names
        F features.
    contributions
        ``[n, F]`` Shapley values in log-odds.
    errors
        ``[n]`` outcome less probability; NaN where the outcome is not known.
    recent
        ``[n]`` whether a decision is recent; the others are the reference.
    """
    known = np.isfinite(errors) & np.isfinite(contributions).all(axis=1)
    added = -contributions * np.where(known, errors, 0.0)[:, None]
    now, before = known & recent, known & ~recent
    harm = _mean(added, now) - _mean(added, before)
    groups: dict[str, float] = {}
    for name, value in zip(names, harm.tolist(), strict=True):
        group = _GROUPS.get(name, name)
        groups[group] = groups.get(group, 0.0) + value
    return Attribution(dict(zip(names, harm.tolist(), strict=True)), groups, int(now.sum()), int(before.sum()))


def _mean(values: Floats, rows: NDArray[np.bool_]) -> Floats:
    return np.asarray(values[rows].mean(axis=0)) if rows.any() else np.zeros(values.shape[1])
