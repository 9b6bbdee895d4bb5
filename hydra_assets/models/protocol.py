"""What a model is: a frozen specification that fits arrays, and a fitted form that gives probabilities and plain text.

Architecture is configuration: whoever trains holds a `Model` and calls ``fit``; nothing else knows which one it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class ModelReason(StrEnum):
    """Why a model cannot be trained, read or trusted."""

    SHAPE = "shape"
    """Arrays whose lengths disagree, or a name for a column that is not there."""
    DUPLICATE_FEATURE = "duplicate_feature"
    UNKNOWN_FEATURE = "unknown_feature"
    INFINITE_FEATURE = "infinite_feature"
    NO_USABLE_FEATURE = "no_usable_feature"
    """Every column is constant or missing throughout."""
    MISSING_TARGET = "missing_target"
    TARGET_NOT_BINARY = "target_not_binary"
    BAD_WEIGHT = "bad_weight"
    """Missing, infinite, negative, or nothing but zeros."""
    TOO_FEW_ROWS = "too_few_rows"
    ONE_CLASS = "one_class"
    MISSING_PROBABILITY = "missing_probability"
    NOT_OUT_OF_FOLD = "not_out_of_fold"
    """A calibrator was offered a probability whose model had seen labels that end on or after its decision."""
    DAMAGED_ARTEFACT = "damaged_artefact"
    UNKNOWN_KIND = "unknown_kind"
    NO_EXPLANATION = "no_explanation"
    """The architecture has no exact contributions."""


class ModelError(ValueError):
    """A model that cannot be trained, read or trusted; ``reason`` is the code and ``field`` what it is about."""

    def __init__(self, reason: ModelReason, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail} ({reason})")
        self.reason = reason
        self.field = field


class FeatureState(StrEnum):
    """Why a column was left out of a fit."""

    ALL_MISSING = "all_missing"
    CONSTANT = "constant"


class Fitted(Protocol):
    """A fitted model."""

    @property
    def kind(self) -> str:
        """The architecture's name, as in its specification."""
        ...

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns that ``probability`` expects, in order."""
        ...

    @property
    def unused(self) -> Mapping[str, FeatureState]:
        """Columns that the training rows could say nothing about."""
        ...

    def probability(self, matrix: Floats) -> Floats:
        """Probability of a target of 1, ``[n]``, for ``[n, f]`` with NaN for missing; uncalibrated."""
        ...

    def content(self) -> dict[str, Any]:
        """Everything that is needed to predict, as JSON values."""
        ...

    def to_json(self) -> str:
        """The artefact: canonical JSON with its own digest; equal fits give equal bytes."""
        ...


@runtime_checkable
class Explained(Protocol):
    """A fitted model whose log-odds are an exact sum over features."""

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns, in order."""
        ...

    def contributions(self, matrix: Floats) -> Floats:
        """Log-odds by feature, ``[n, f + 1]``; the last column is the expectation over the training rows."""
        ...


class Model(Protocol):
    """A specification that can be fitted."""

    @property
    def kind(self) -> str:
        """The architecture's name."""
        ...

    def fit(self, matrix: Floats, target: Floats, weights: Floats, feature_names: Sequence[str], seed: int) -> Fitted:
        """Fit; the same arguments give the same bytes.

        Parameters
        ----------
        matrix
            ``[n, f]`` in the order of time, missing is NaN. All of it known at the training cutoff: rows whose label
            ends later are the caller's to drop.
        target
            ``[n]`` in {0, 1}.
        weights
            ``[n]`` not negative, usually the uniqueness of overlapping labels.
        feature_names
            ``f`` names.
        seed
            Of every random number that the architecture draws.

        Raises
        ------
        ModelError
            On input that cannot carry the fit, naming the field.
        """
        ...


class Specification(BaseModel):
    """What the specifications share: frozen, without unknown fields, and the least that they train on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_rows: Annotated[int, Field(ge=2)] = 120
    """About half a year of one market. Below it a fit is refused, not regularised away."""
    min_rows_of_a_class: Annotated[int, Field(ge=1)] = 20


@dataclass(frozen=True, slots=True)
class TrainingRows:
    """Checked arguments of a fit; ``usable`` ``[f]`` marks the columns that vary."""

    matrix: Floats
    target: Floats
    weights: Floats
    feature_names: tuple[str, ...]
    usable: NDArray[np.bool_]
    unused: dict[str, FeatureState]


def checked(
    spec: Specification, matrix: Floats, target: Floats, weights: Floats, feature_names: Sequence[str]
) -> TrainingRows:
    """Check the arguments of a fit, and say which columns cannot be learned from."""
    matrix, target, weights = (np.asarray(array, dtype=np.float64) for array in (matrix, target, weights))
    checked_target(target, weights, len(matrix))
    names = checked_names(matrix, feature_names)
    positive = weights > 0.0
    ones = int((target[positive] == 1.0).sum())
    zeros = int(positive.sum()) - ones
    if positive.sum() < spec.min_rows:
        raise ModelError(
            ModelReason.TOO_FEW_ROWS, "matrix", f"{int(positive.sum())} weighted rows, {spec.min_rows} are needed"
        )
    if min(ones, zeros) < spec.min_rows_of_a_class:
        detail = f"{zeros} zeros and {ones} ones, {spec.min_rows_of_a_class} of each are needed"
        raise ModelError(ModelReason.ONE_CLASS, "target", detail)
    unused = unusable(matrix, names)
    if len(unused) == len(names):
        raise ModelError(ModelReason.NO_USABLE_FEATURE, "matrix", f"none of {len(names)} columns varies")
    usable = np.array([name not in unused for name in names], dtype=np.bool_)
    return TrainingRows(matrix, target, weights, names, usable, unused)


def checked_target(target: Floats, weights: Floats, n: int) -> None:
    """Refuse targets that are missing or no classes, and weights that weigh nothing."""
    for field, array in (("target", target), ("weights", weights)):
        if array.shape != (n,):
            raise ModelError(ModelReason.SHAPE, field, f"shape {array.shape} for {n} rows")
    if np.isnan(target).any():
        raise ModelError(ModelReason.MISSING_TARGET, "target", f"{int(np.isnan(target).sum())} of {n} are missing")
    if not np.isin(target, (0.0, 1.0)).all():
        raise ModelError(ModelReason.TARGET_NOT_BINARY, "target", "values other than 0 and 1")
    if not np.isfinite(weights).all() or (weights < 0.0).any() or (n and not weights.any()):
        raise ModelError(ModelReason.BAD_WEIGHT, "weights", "missing, infinite, negative or all zero")


def checked_names(matrix: Floats, feature_names: Sequence[str]) -> tuple[str, ...]:
    """Names of the columns of ``[n, f]``, refused where they do not fit or where a column is infinite."""
    names = tuple(feature_names)
    if matrix.ndim != 2 or matrix.shape[1] != len(names):
        raise ModelError(ModelReason.SHAPE, "feature_names", f"{len(names)} names for a matrix of {matrix.shape}")
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ModelError(ModelReason.DUPLICATE_FEATURE, twice, "named twice")
    infinite = np.isinf(matrix).any(axis=0)
    if infinite.any():
        raise ModelError(ModelReason.INFINITE_FEATURE, names[int(infinite.argmax())], "an infinite value")
    return names


def unusable(matrix: Floats, names: Sequence[str]) -> dict[str, FeatureState]:
    """Columns of ``[n, f]`` that say nothing: missing throughout, or one value without a gap.

    One value *with* gaps is usable: whether it is there may say something.
    """
    missing = np.isnan(matrix)
    found = {}
    for j, name in enumerate(names):
        if missing[:, j].all():
            found[name] = FeatureState.ALL_MISSING
        elif not missing[:, j].any() and (matrix[:, j] == matrix[0, j]).all():
            found[name] = FeatureState.CONSTANT
    return found


def prediction_matrix(matrix: Floats, feature_names: tuple[str, ...]) -> Floats:
    """``[n, f]`` to predict from, refused where its width is another or a value is infinite."""
    array = np.asarray(matrix, dtype=np.float64)
    checked_names(array, feature_names)
    return array


def columns_of(matrix: Floats, names: Sequence[str], wanted: Sequence[str]) -> Floats:
    """Columns of ``[n, f]`` in the order that a model wants; ModelError names one that is not there."""
    position = {name: j for j, name in enumerate(checked_names(matrix, names))}
    for name in wanted:
        if name not in position:
            raise ModelError(ModelReason.UNKNOWN_FEATURE, name, "no such column")
    return matrix[:, [position[name] for name in wanted]]


def checked_probability(probability: Floats, field: str = "probability") -> Floats:
    """Probabilities ``[n]``, refused where one is missing or outside [0, 1]."""
    array = np.asarray(probability, dtype=np.float64)
    if not ((array >= 0.0) & (array <= 1.0)).all():
        bad = int((~((array >= 0.0) & (array <= 1.0))).sum())
        raise ModelError(ModelReason.MISSING_PROBABILITY, field, f"{bad} of {len(array)} are missing or not in [0, 1]")
    return array
