"""Refits: each reason by construction, and significance by hand."""

import numpy as np
import pytest
from scipy.special import ndtri

from hydra_assets.evaluation.refit import CALIBRATION_SESSIONS, MIN_SESSIONS, RefitReason, excess_z, judge_refit
from hydra_assets.verdict import Severity, Verdict

GREEN = (Verdict("schema", True, Severity.ERROR, "ok", ""),)
N = 400
NAN = float("nan")


def errors(mean: float, seed: int = 0, n: int = N) -> np.ndarray:
    return mean + 0.02 * np.random.default_rng(seed).standard_normal(n)


NOBODY = np.full(N, NAN)


def test_a_sound_refit_passes_with_its_figures() -> None:
    found = judge_refit(GREEN, errors(0.24), errors(0.25, 1), errors(0.24, 2), 6)
    assert found.passed
    assert found.reason is RefitReason.OK
    assert found.calibration_z is not None
    assert found.inferiority_z is not None
    assert found.calibration_z < -3.0
    assert abs(found.inferiority_z) < 1.645


@pytest.mark.parametrize(
    ("own", "base", "reigning", "reason"),
    [
        (errors(0.26), errors(0.25, 1), errors(0.26, 2), RefitReason.MISCALIBRATED),
        (errors(0.24), errors(0.25, 1), errors(0.23, 2), RefitReason.INFERIOR),
        (errors(0.26), errors(0.25, 1), errors(0.25, 2), RefitReason.MISCALIBRATED),  # both: the first is given
        (errors(0.24), NOBODY, errors(0.23, 2), RefitReason.INFERIOR),
        (errors(0.26), errors(0.25, 1), NOBODY, RefitReason.MISCALIBRATED),
        (errors(0.26), NOBODY, NOBODY, RefitReason.OK),
        (NOBODY, NOBODY, NOBODY, RefitReason.OK),
    ],
)
def test_each_reason(own: np.ndarray, base: np.ndarray, reigning: np.ndarray, reason: RefitReason) -> None:
    found = judge_refit(GREEN, own, base, reigning, 6)
    assert found.reason is reason
    assert found.passed is (reason is RefitReason.OK)
    assert (found.calibration_z is None) is bool(np.isnan(own - base).all())
    assert (found.inferiority_z is None) is bool(np.isnan(own - reigning).all())


def test_a_broken_contract_comes_before_all_and_a_warning_stops_nothing() -> None:
    good = (errors(0.24), errors(0.25, 1), errors(0.24, 2), 6)
    broken = Verdict("no_look_ahead", False, Severity.ERROR, "leak", "")
    warned = Verdict("coverage", False, Severity.WARN, "sessions_missing", "")
    assert judge_refit((*GREEN, broken), *good).reason is RefitReason.CONTRACT_BROKEN
    assert judge_refit((*GREEN, warned), *good).reason is RefitReason.OK
    bad = (errors(0.26), errors(0.25, 1), errors(0.25, 2), 6)
    assert judge_refit((broken,), *bad).reason is RefitReason.CONTRACT_BROKEN


def test_calibration_is_of_the_newest_year_of_outcomes() -> None:
    assert CALIBRATION_SESSIONS == 252
    base = errors(0.25, 1)
    # Bad long ago, good in the newest 252 sessions; gaps are no sessions of the year.
    own = np.where(np.arange(N) < N - 252, 0.30, errors(0.24))
    assert judge_refit(GREEN, own, base, NOBODY, 6).reason is RefitReason.OK
    own[-1] = NAN
    found = judge_refit(GREEN, own, base, NOBODY, 6)
    there = (own - base)[np.isfinite(own)][-252:]
    assert there[0] > 0.0
    assert found.calibration_z == excess_z(there, 6)


def test_non_inferiority_counts_the_sessions_that_both_decided() -> None:
    # Worse by far, but the reigning fit has decided for forty sessions less one.
    reigning = np.where(np.arange(N) >= N - MIN_SESSIONS + 1, errors(0.10, 2), NAN)
    assert judge_refit(GREEN, errors(0.24), errors(0.25, 1), reigning, 6).passed
    reigning[N - MIN_SESSIONS] = 0.10
    assert judge_refit(GREEN, errors(0.24), errors(0.25, 1), reigning, 6).reason is RefitReason.INFERIOR


def test_z_by_hand() -> None:
    # Half of the sessions 0.02 and half 0, in turns: mean 0.01, sd 0.01, a ratio of one per session; skewness 0,
    # kurtosis 1. Mertens: se = sqrt((1 + (1 - 1) / 4) / n), so z = sqrt(n); alternation leaves no more for HAC.
    d = np.tile([0.02, 0.0], 50)
    assert excess_z(d, 1) == pytest.approx(10.0)
    assert excess_z(-d, 1) == pytest.approx(-10.0)
    assert excess_z(d[:38], 1) is None
    assert excess_z(d[:40], 60) is None
    assert excess_z(np.full(100, 0.01), 1) is None
    assert excess_z(np.zeros(100), 1) is None
    assert excess_z(np.empty(0), 1) is None


def test_a_refit_as_good_as_the_reigning_one_is_rarely_held_back() -> None:
    # The level is five per cent: of 300 equals some fifteen are stopped, with overlap some more.
    rng = np.random.default_rng(5)
    stopped = 0
    for _ in range(300):
        shocks = rng.standard_normal((2, 305))
        own, reigning = 0.25 + 0.02 * np.stack([np.convolve(s, np.full(6, 1 / 6), "valid") for s in shocks])
        stopped += not judge_refit(GREEN, own, np.full(300, NAN), reigning, 6).passed
    print(f"stopped {stopped} of 300 at a bound of {-ndtri(0.05):.3f}")
    assert stopped / 300 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300) + 0.03
