"""Bad input is refused by name; columns that say nothing are named and left out."""

import numpy as np
import pytest

from hydra_assets.models.baseline import BaseRate
from hydra_assets.models.protocol import (
    FeatureState,
    ModelError,
    ModelReason,
    checked,
    checked_probability,
    columns_of,
    unusable,
)

NAN = np.nan
X = np.array([[1.0, NAN], [2.0, 3.0], [4.0, 5.0], [4.0, NAN]])
Y = np.array([0.0, 1.0, 0.0, 1.0])
W = np.ones(4)
NAMES = ("tilt", "carry")
SPEC = BaseRate(min_rows=4, min_rows_of_a_class=2)


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ({"target": np.array([0, 1, NAN, 1.0])}, ModelReason.MISSING_TARGET, "target"),
        ({"target": np.array([0, 1, 2, 1.0])}, ModelReason.TARGET_NOT_BINARY, "target"),
        ({"target": np.array([0, 1, 1, 1.0])}, ModelReason.ONE_CLASS, "target"),
        ({"target": np.array([0, 1, 1.0])}, ModelReason.SHAPE, "target"),
        ({"weights": np.array([1, 1, NAN, 1.0])}, ModelReason.BAD_WEIGHT, "weights"),
        ({"weights": np.array([1, 1, -1, 1.0])}, ModelReason.BAD_WEIGHT, "weights"),
        ({"weights": np.zeros(4)}, ModelReason.BAD_WEIGHT, "weights"),
        ({"weights": np.ones(3)}, ModelReason.SHAPE, "weights"),
        # A row of no weight is no row.
        ({"weights": np.array([1, 1, 0, 1.0])}, ModelReason.TOO_FEW_ROWS, "matrix"),
        ({"feature_names": ("tilt",)}, ModelReason.SHAPE, "feature_names"),
        ({"feature_names": ("tilt", "tilt")}, ModelReason.DUPLICATE_FEATURE, "tilt"),
        ({"matrix": np.where(X == 5.0, np.inf, X)}, ModelReason.INFINITE_FEATURE, "carry"),
        ({"matrix": np.array([[1.0, NAN]] * 4)}, ModelReason.NO_USABLE_FEATURE, "matrix"),
        ({"spec": BaseRate(min_rows=5, min_rows_of_a_class=2)}, ModelReason.TOO_FEW_ROWS, "matrix"),
    ],
)
def test_refused(change: dict[str, object], reason: ModelReason, field: str) -> None:
    arguments = {"spec": SPEC, "matrix": X, "target": Y, "weights": W, "feature_names": NAMES, **change}
    with pytest.raises(ModelError) as error:
        checked(**arguments)  # type: ignore[arg-type]
    assert (error.value.reason, error.value.field) == (reason, field)
    assert field in str(error.value)
    assert str(reason) in str(error.value)


def test_what_is_sound_passes() -> None:
    rows = checked(SPEC, X, Y, W, NAMES)
    assert rows.unused == {}
    assert rows.usable.all()


def test_columns_that_say_nothing() -> None:
    matrix = np.array([[NAN, 7.0, 7.0, 1.0], [NAN, 7.0, NAN, 2.0]])
    # One value with a gap: whether it is there may still say something.
    assert unusable(matrix, ("a", "b", "c", "d")) == {"a": FeatureState.ALL_MISSING, "b": FeatureState.CONSTANT}


def test_columns_by_name() -> None:
    assert np.array_equal(columns_of(X[1:3], NAMES, ("carry", "tilt")), [[3.0, 2.0], [5.0, 4.0]])
    with pytest.raises(ModelError, match=r"^skew: no such column \(unknown_feature\)"):
        columns_of(X, NAMES, ("tilt", "skew"))


@pytest.mark.parametrize("bad", [NAN, -0.01, 1.01])
def test_no_missing_probability_passes(bad: float) -> None:
    with pytest.raises(ModelError, match="1 of 2") as error:
        checked_probability(np.array([0.5, bad]))
    assert error.value.reason is ModelReason.MISSING_PROBABILITY
