"""The logistic model: design by hand, the optimum by its own equations, exact contributions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit

from hydra_assets.models.linear import CLIP_SD, Design, FittedLogistic, Logistic
from hydra_assets.models.protocol import FeatureState, Floats, checked

NAN = np.nan
NAMES = ("tilt", "carry", "empty", "gappy")


def data(n: int = 600, seed: int = 3) -> tuple[Floats, Floats, Floats]:
    """Tilt raises the chance; carry has gaps; empty is missing throughout; gappy is one value, there or not."""
    rng = np.random.default_rng(seed)
    tilt, carry = rng.standard_normal(n), 5.0 + 2.0 * rng.standard_normal(n)
    carry[rng.random(n) < 0.2] = NAN
    gappy = np.where(rng.random(n) < 0.5, NAN, 1.0)
    y = (rng.random(n) < expit(0.8 * tilt + 0.6 * np.isnan(gappy))).astype(np.float64)
    return np.stack([tilt, carry, np.full(n, NAN), gappy], axis=1), y, rng.uniform(0.2, 1.0, n)


def test_design_by_hand() -> None:
    x = np.array([[1.0, NAN], [2.0, 10.0], [3.0, 20.0], [6.0, 60.0]])
    spec = Logistic(min_rows=4, min_rows_of_a_class=1)
    design = Design.of(checked(spec, x, np.array([0.0, 1, 0, 1]), np.ones(4), ("a", "b")))
    # a: mean 3, variance (4 + 1 + 0 + 9) / 4 = 3.5. b: median 20 fills the gap; mean 110/4 = 27.5,
    # deviations -7.5, -17.5, -7.5, 32.5: variance (56.25 + 306.25 + 56.25 + 1056.25) / 4 = 368.75.
    assert design.median.tolist() == [2.5, 20.0]
    assert design.mean.tolist() == [3.0, 27.5]
    assert np.allclose(design.sd**2, [3.5, 368.75], rtol=1e-15)
    expected = [[-2 / np.sqrt(3.5), -7.5 / np.sqrt(368.75), 1.0], [CLIP_SD, 0.0, 0.0]]
    found = design.columns(np.array([[1.0, NAN], [1e9, 27.5]]))
    assert np.allclose(found, expected, rtol=1e-15)


def test_coefficients_solve_the_equations_of_the_optimum() -> None:
    x, y, w = data()
    spec = Logistic(prior_sd=0.5)
    fitted = spec.fit(x, y, w, NAMES, 1)
    z = fitted.design.columns(x)
    # Gradient of Σ w loss + Σ β² / (2 s²): Σ w (p − y) z + β / s² = 0, and Σ w (p − y) = 0 for the free intercept.
    residual = w * (fitted.probability(x) - y)
    gradient = z.T @ residual + fitted.coefficient / spec.prior_sd**2
    assert np.abs(gradient).max() < 1e-3 * w.sum() ** 0.5
    assert abs(residual.sum()) < 1e-3 * w.sum() ** 0.5


def test_columns_that_say_nothing_are_named_and_weigh_nothing() -> None:
    x, y, w = data()
    fitted = Logistic(prior_sd=0.5).fit(x, y, w, NAMES, 1)
    assert fitted.unused == {"empty": FeatureState.ALL_MISSING}
    moved = x.copy()
    moved[:, 2] = 1e6
    assert np.array_equal(fitted.probability(moved), fitted.probability(x))
    # The value of gappy is constant, its gap raises the chance.
    assert fitted.design.value.tolist() == [0, 1]
    assert fitted.design.missing.tolist() == [1, 3]
    assert fitted.coefficient[-1] > 0.2


def test_a_shrunk_prior_ends_at_the_base_rate() -> None:
    x, y, w = data()
    p = Logistic(prior_sd=1e-6).fit(x, y, w, NAMES, 1).probability(x)
    assert np.allclose(p, np.average(y, weights=w), atol=1e-4)


def test_contributions_sum_to_the_log_odds_and_by_hand() -> None:
    x, y, w = data()
    fitted = Logistic(prior_sd=0.5).fit(x, y, w, NAMES, 1)
    found = fitted.contributions(x)
    assert found.shape == (len(x), 5)
    assert np.allclose(found.sum(axis=1), logit(fitted.probability(x)), atol=1e-12)
    assert np.array_equal(found[:, 2], np.zeros(len(x)))
    # By hand: β = 2 on z = (x − 1) / 4 with weighted mean 0.5; x = 9 is z = 2, so 2 (2 − 0.5) = 3, base 0.1 + 1.
    one, ints = np.array([1.0]), np.array([0], dtype=np.int64)
    design = Design(ints, ints[:0], one, one, 4.0 * one)
    plain = FittedLogistic(("a",), {}, design, 0.1, 2.0 * one, 0.5 * one)
    assert np.allclose(plain.contributions(np.array([[9.0]])), [[3.0, 1.1]], rtol=1e-15)
    # A gap is the training median, 1, so z = 0 and 2 (0 − 0.5) = −1.
    assert np.allclose(plain.contributions(np.array([[NAN]])), [[-1.0, 1.1]], rtol=1e-15)
    assert plain.probability(np.array([[9.0]]))[0] == pytest.approx(expit(4.1), rel=1e-15)


FITTED = Logistic(prior_sd=0.5).fit(*data(), NAMES, 1)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 599), st.integers(1, 40))
def test_a_row_does_not_depend_on_the_rows_beside_it(start: int, length: int) -> None:
    x, _, _ = data()
    rows = slice(start, min(start + length, 600))
    whole = FITTED.probability(x)
    assert FITTED.probability(x[rows]).tobytes() == whole[rows].tobytes()
    assert FITTED.probability(np.asfortranarray(x)).tobytes() == whole.tobytes()


def test_the_layout_of_the_input_changes_no_byte() -> None:
    x, y, w = data()
    assert Logistic(prior_sd=0.5).fit(np.asfortranarray(x), y, w, NAMES, 2).to_json() == FITTED.to_json()
