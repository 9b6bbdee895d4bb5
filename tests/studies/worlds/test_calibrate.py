"""Fitting the engine's errors: lines, scores and correlations against numbers made by hand."""

import numpy as np
import pytest
from scipy.special import ndtri

from studies.worlds.calibrate import MIN_LINE_SESSIONS, _correlation, _line, normal_scores
from studies.worlds.calibration import Grades, Law, bin_of, se_terms
from studies.worlds.memory import _moved, _stretched, autocorrelation


def test_a_line_without_noise_is_found() -> None:
    truth = np.linspace(-1.0, 1.0, MIN_LINE_SESSIONS + 50)
    engine = 0.02 + 0.9 * truth
    engine[7] = np.nan
    line, error = _line(truth, engine)
    assert (line.level, line.slope) == (pytest.approx(0.02, abs=1e-6), pytest.approx(0.9, abs=1e-6))
    assert np.isnan(error[7])
    assert np.nanmax(np.abs(error)) < 1e-5


def test_few_sessions_give_a_level_and_no_slope() -> None:
    truth = np.linspace(-1.0, 1.0, 101)
    # Of the errors 0.2 - 0.5 truth the outermost hundredth is left out: the one at truth -1, whose 0.7 is largest.
    line, _ = _line(truth, 0.2 + 0.5 * truth)
    kept = 0.2 - 0.5 * truth[1:]
    assert line.slope == 1.0
    assert line.level == pytest.approx(float(kept.mean()), abs=0.006)


def test_normal_scores_are_those_of_the_ranks() -> None:
    found = normal_scores(np.array([5.0, np.nan, -2.0, 7.0]))
    assert found[[0, 2, 3]] == pytest.approx(ndtri([3 / 6, 1 / 6, 5 / 6]))
    assert np.isnan(found[1])


def test_correlations_are_made_positive_definite() -> None:
    x = np.sin(np.arange(200.0))
    found = np.array(_correlation([x, x, -x]))
    assert found[0, 1] == pytest.approx(1.0, abs=0.01)
    assert found[0, 2] == pytest.approx(-1.0, abs=0.01)
    np.linalg.cholesky(found)


def test_autocorrelation_passes_over_what_is_missing() -> None:
    # Mean 0, mean square 1; pairs at lag 1 are (1,-1), (-1,1), then a hole, then (1,-1): all products -1.
    assert autocorrelation(np.array([1.0, -1.0, 1.0, np.nan, 1.0, -1.0, np.nan, -1.0]), 1) == pytest.approx(-1.0)


def test_terms_of_a_standard_error() -> None:
    # Half way between two expiries 4 * 0.5 * 0.5 = 1; ln 0.25, ln 20 and ln 5.
    one = np.ones(1)
    found = se_terms(one, 0.0 * one, 0.25 * one, 0.5 * one, (20.0 * one, 5.0 * one))
    assert found[0] == pytest.approx([1.0, 1.0, 0.0, -1.3862944, 1.0, 2.9957323, 1.6094379])


def test_bins_are_closed_on_the_right() -> None:
    grades = Grades(edges=(1.0, 2.0), unusable=(1, 0, 0), grade_c=(0, 1, 0), slow=0.5, decay=0.9, common=0.0)
    assert bin_of(np.array([0.5, 1.0, 1.5, 2.0, 2.1, np.nan]), grades).tolist() == [0, 0, 1, 1, 2, 0]


def test_only_tails_are_stretched() -> None:
    law = Law(quantiles=tuple(float(k) for k in range(-14, 15)), slow=0.0, decay=0.5)
    found = _stretched(law, 2.0)
    # Five levels on each side lie beyond 5 and 95 %, which are -9 and 9: -14 goes to -9 - 2 * 5.
    assert (found[0], found[4], found[5], found[14], found[23], found[28]) == (-19.0, -11.0, -9.0, 0.0, 9.0, 19.0)


def test_a_step_is_bounded() -> None:
    assert _moved([0.5, 0.5], [0.4, 0.1], [0.4, 0.4]) == pytest.approx([0.5, 0.375])
