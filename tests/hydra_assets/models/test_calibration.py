"""Calibrators: by hand, by size, on out-of-fold rows only; scores and curves by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from hydra_assets.models.artefact import sealed, sha256
from hydra_assets.models.calibration import (
    Calibrator,
    Method,
    OutOfFold,
    brier,
    calibrate,
    calibration_curve,
    isotonic,
    platt,
)
from hydra_assets.models.protocol import Floats, ModelError, ModelReason

DAY = np.datetime64("2024-01-01")


def out_of_fold(p: Floats, y: Floats, overlap: float = 1.0) -> OutOfFold:
    decided = DAY + np.arange(len(p))
    return OutOfFold(p, y, np.ones(len(p)), decided, decided - 7, overlap)


def drawn(n: int, seed: int = 1, slope: float = 0.5) -> tuple[Floats, Floats]:
    """Probabilities that are too bold: the true log-odds are ``slope`` times theirs."""
    rng = np.random.default_rng(seed)
    p = expit(rng.normal(0.0, 1.0, n))
    return p, (rng.random(n) < expit(slope * logit(p))).astype(np.float64)


def test_isotonic_by_hand() -> None:
    p = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    y = np.array([0.0, 1.0, 0.0, 1.0, 1.0])
    # 0 | 1, 0 pooled to 1/2 | 1 1
    x, value = isotonic(p, y, np.ones(5))
    assert x.tolist() == [0.1, 0.2, 0.3, 0.4, 0.5]
    assert value.tolist() == [0.0, 0.5, 0.5, 1.0, 1.0]
    # A weight of 3 on the second row: (3 + 0) / 4. Two rows of one probability are one point of weight 2.
    assert isotonic(p, y, np.array([1.0, 3, 1, 1, 1]))[1].tolist() == [0.0, 0.75, 0.75, 1.0, 1.0]
    x, value = isotonic(np.array([0.1, 0.3, 0.3, 0.2]), np.array([0.0, 1.0, 0.0, 1.0]), np.ones(4))
    # 0.1: 0; 0.2: 1 and 0.3: 1/2 of weight 2 pool to 2/3.
    assert np.allclose(np.interp([0.1, 0.2, 0.3], x, value), [0.0, 2 / 3, 2 / 3], rtol=1e-15)


def test_platt_solves_its_equations() -> None:
    p, y = drawn(400)
    w = np.random.default_rng(2).uniform(0.5, 1.0, 400)
    a, b = platt(p, y, w)
    # Log-odds are centre + shift + slope (x - centre); the gradient of the loss and of both priors is zero.
    centre = float(w @ logit(p) / w.sum())
    shift = a + b * centre - centre
    residual = w * (expit(a + b * logit(p)) - y)
    assert 0.0 < b < 1.0
    assert abs(residual.sum() + shift / 0.1**2) < 1e-7
    assert abs(residual @ (logit(p) - centre) + (b - 1.0) / 0.5**2) < 1e-7
    # A hundredth of the labels leaves a hundredth of the way from the priors to them.
    near = platt(p, y, 0.01 * w)
    assert abs(near[1] - 1.0) < abs(b - 1.0)


def test_platt_finds_the_slope() -> None:
    p, y = drawn(20_000)
    a, b = platt(p, y, np.ones(len(p)))
    # Standard error of both about 0.015.
    assert abs(a) < 0.05
    assert abs(b - 0.5) < 0.05


def test_a_signal_that_holds_the_wrong_way_round_is_flattened_not_turned() -> None:
    p, y = drawn(800, slope=-1.0)
    calibrator = calibrate(out_of_fold(p, y))
    assert (calibrator.method, calibrator.b) == (Method.PLATT, 0.0)
    # One value for all, where the loss of a constant and the intercept's prior meet.
    value = calibrator(p)
    assert np.ptp(value) == 0.0
    shift = logit(value[0]) - logit(p).mean()
    assert abs(800 * value[0] - y.sum() + shift / 0.1**2) < 1e-7


@pytest.mark.parametrize(
    ("n", "overlap", "method"),
    [
        (49, 1, Method.IDENTITY),
        (50, 1, Method.PLATT),
        (999, 1, Method.PLATT),
        (1000, 1, Method.ISOTONIC),
        # Ten rows in every label window: a tenth of them counts.
        (4000, 10, Method.PLATT),
        (490, 10, Method.IDENTITY),
    ],
)
def test_the_form_goes_by_independent_labels(n: int, overlap: float, method: Method) -> None:
    p, y = drawn(n)
    assert calibrate(out_of_fold(p, y, overlap)).method is method


def test_one_class_leaves_probabilities_as_they_are() -> None:
    p, y = drawn(300)
    calibrator = calibrate(out_of_fold(p, np.ones_like(y)))
    assert calibrator.method is Method.IDENTITY
    assert np.array_equal(calibrator(p), p)


@pytest.mark.parametrize("n", [300, 3000])
def test_calibration_helps_on_new_rows(n: int) -> None:
    p, y = drawn(n, slope=0.3)
    new, outcome = drawn(20_000, seed=9, slope=0.3)
    raw, calibrated, oracle = (
        brier(q, outcome) for q in (new, calibrate(out_of_fold(p, y))(new), expit(0.3 * logit(new)))
    )
    # At least three quarters of what the truth itself would gain.
    assert calibrated < raw - 0.75 * (raw - oracle)


@settings(max_examples=30, deadline=None)
@given(st.integers(60, 1500), st.integers(0, 1000))
def test_calibrated_probabilities_rise_and_are_never_certain(n: int, seed: int) -> None:
    calibrator = calibrate(out_of_fold(*drawn(n, seed)))
    q = calibrator(np.linspace(0.0, 1.0, 200))
    assert (np.diff(q) >= 0.0).all()
    assert (q > 0.0).all()
    assert (q < 1.0).all()


def test_rows_that_their_model_had_seen_are_refused() -> None:
    p, y = drawn(100)
    decided = DAY + np.arange(100)
    until = decided - 7
    until[42] = decided[42]
    with pytest.raises(ModelError, match="row 42 of 2024-02-12") as error:
        OutOfFold(p, y, np.ones(100), decided, until)
    assert (error.value.reason, error.value.field) == (ModelReason.NOT_OUT_OF_FOLD, "trained_until")
    until[42] = np.datetime64("NaT")
    with pytest.raises(ModelError, match="row 42"):
        OutOfFold(p, y, np.ones(100), decided, until)


def test_missing_values_are_refused() -> None:
    p, y = drawn(100)
    with pytest.raises(ModelError) as error:
        out_of_fold(np.where(p == p[3], np.nan, p), y)
    assert error.value.reason is ModelReason.MISSING_PROBABILITY
    with pytest.raises(ModelError) as error:
        out_of_fold(p, np.where(p == p[3], np.nan, y))
    assert error.value.reason is ModelReason.MISSING_TARGET
    with pytest.raises(ModelError):
        calibrate(out_of_fold(p, y))(np.array([np.nan]))
    with pytest.raises(ModelError, match="overlap"):
        out_of_fold(p, y, 0.5)


@pytest.mark.parametrize("n", [40, 300, 1200])
def test_text_and_back(n: int) -> None:
    p, y = drawn(n)
    calibrator = calibrate(out_of_fold(p, y))
    text = calibrator.to_json()
    back = Calibrator.from_json(text, sha256(text))
    assert back.to_json() == text
    assert back(p).tobytes() == calibrator(p).tobytes()
    with pytest.raises(ModelError):
        Calibrator.from_json(sealed("base_rate", {}))


def test_brier_by_hand() -> None:
    # (0.04 + 0.36) / 2 and (3 · 0.04 + 0.36) / 4
    p, y = np.array([0.8, 0.6]), np.array([1.0, 0.0])
    assert brier(p, y) == pytest.approx(0.2, rel=1e-15)
    assert brier(p, y, np.array([3.0, 1.0])) == pytest.approx(0.12, rel=1e-15)


def test_calibration_curve_by_hand() -> None:
    p = np.array([0.9, 0.1, 0.2, 0.8, 0.3, 0.7])
    y = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    low, high = calibration_curve(p, y, bins=2)
    assert (low.rows, high.rows) == (3, 3)
    assert np.allclose([low.predicted, low.observed, high.predicted, high.observed], [0.2, 1 / 3, 0.8, 2 / 3])
    assert low.standard_error == pytest.approx(np.sqrt(2 / 27), rel=1e-14)
    # Equal probabilities are one bin however many were asked for.
    assert [point.rows for point in calibration_curve(np.full(6, 0.5), y)] == [6]
