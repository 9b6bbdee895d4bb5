"""What every detector promises: causal, indifferent to gaps, silent with a reason where nothing can be said."""

import doctest
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.stats import detectors
from hydra_assets.stats.detectors.cusum import Cusum
from hydra_assets.stats.detectors.kolmogorov import KolmogorovSmirnov
from hydra_assets.stats.detectors.library import Adwin, Kswin
from hydra_assets.stats.detectors.page_hinkley import PageHinkley
from hydra_assets.stats.detectors.psi import Psi
from hydra_assets.stats.detectors.reference import Reference, ReferenceReason
from hydra_assets.stats.detectors.track import TrackReason

DETECTORS = [
    Cusum(),
    Cusum(k=0.25, clip=4.0),
    Cusum(restart=3.0),
    PageHinkley(),
    Psi(window=20, bins=5),
    KolmogorovSmirnov(window=20),
    Kswin(window=30, recent=10),
    Adwin(deltas=(0.05, 1e-4)),
]
each_detector = pytest.mark.parametrize("detector", DETECTORS, ids=lambda d: f"{d.name}{getattr(d, 'restart', '')}")


def features(seed, sessions, k=3):
    """Independent, persistent and coarse columns."""
    rng = np.random.default_rng(seed)
    found = rng.standard_normal((sessions, k))
    for t in range(1, sessions):
        found[t, 1] = 0.9 * found[t - 1, 1] + found[t, 1]
    found[:, 2] = np.round(found[:, 2])
    return 3.0 * found + 7.0


TRAINING = features(1, 200)
REFERENCE = Reference.fit(TRAINING)
LEVELS = Reference.fit(TRAINING, whiten=False)


@each_detector
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), cut=st.integers(0, 90), missing=st.floats(0.0, 0.5))
def test_the_future_changes_no_byte(detector, seed, cut, missing):
    values = features(seed, 90)
    values[np.random.default_rng(seed).random(values.shape) < missing] = np.nan
    whole = detector.statistics(values, REFERENCE)
    assert whole.statistic.shape == values.shape
    assert whole.statistic[:cut].tobytes() == detector.statistics(values[:cut], REFERENCE).statistic.tobytes()
    values[cut:] = 1e9
    assert whole.statistic[:cut].tobytes() == detector.statistics(values, REFERENCE).statistic[:cut].tobytes()


@each_detector
@settings(max_examples=10, deadline=None)
@given(gaps=st.lists(st.integers(0, 79), max_size=8), hole=st.sampled_from([np.nan, np.inf, -np.inf]))
def test_a_gap_skips_one_observation_and_nothing_else(detector, gaps, hole):
    values = features(2, 80)
    plain = detector.statistics(values, REFERENCE)
    holey = np.insert(values, sorted(gaps), np.full(3, hole), axis=0)
    there = np.isfinite(holey[:, 0])
    found = detector.statistics(holey, REFERENCE)
    assert found.statistic[there].tobytes() == plain.statistic.tobytes()
    assert np.isnan(found.statistic[~there]).all()
    # a gap in one column is nothing to the others
    one = values.copy()
    one[10:15, 0] = hole
    assert detector.statistics(one, REFERENCE).statistic[:, 1:].tobytes() == plain.statistic[:, 1:].tobytes()


@each_detector
@pytest.mark.parametrize("reference", [REFERENCE, LEVELS], ids=["innovations", "levels"])
def test_columns_are_watched_one_by_one(detector, reference):
    values = features(3, 80)
    values[5, 1] = np.nan
    together = detector.statistics(values, reference)
    for j in range(3):
        only = reference.take(np.arange(3) == j)
        alone = detector.statistics(values[:, j], only)
        assert alone.statistic.shape == (80,)
        assert alone.statistic.tobytes() == np.ascontiguousarray(together.statistic[:, j]).tobytes()
        assert alone.reason == (TrackReason.WATCHED,)


@each_detector
def test_what_cannot_be_watched_says_why_and_never_alarms(detector):
    rng = np.random.default_rng(4)
    training = rng.standard_normal((150, 5))
    training[:, 0] = 3.0
    training[:, 1] = np.nan
    training[60:, 2] = np.nan
    values = rng.standard_normal((100, 5)) + 50.0
    values[:, 0] = 3.0
    values[:, 3] = np.nan
    values[5:, 4] = np.nan
    track = detector.statistics(values, Reference.fit(training))
    assert np.isnan(track.statistic[:, :4]).all()
    windowless = isinstance(detector, Cusum | Adwin)
    assert track.reason == (
        TrackReason.FLAT_REFERENCE,
        TrackReason.SHORT_REFERENCE,
        TrackReason.SHORT_REFERENCE,
        TrackReason.NOTHING_OBSERVED,
        TrackReason.WATCHED if windowless else TrackReason.TOO_FEW_OBSERVED,
    )
    assert np.isnan(track.statistic[5:, 4]).all()


@each_detector
def test_a_series_that_stands_still_after_a_moving_reference_is_measured(detector):
    track = detector.statistics(np.full(120, 7.0), REFERENCE.take(np.array([True, False, False])))
    assert np.isfinite(track.statistic).any()
    assert track.reason == (TrackReason.WATCHED,)


@each_detector
def test_nothing_at_all(detector):
    assert detector.statistics(np.empty((0, 3)), REFERENCE).statistic.shape == (0, 3)
    assert detector.statistics(np.empty((20, 0)), Reference.fit(np.empty((150, 0)))).statistic.shape == (20, 0)
    with pytest.raises(ValueError, match="2 columns against a reference of 3"):
        detector.statistics(np.zeros((20, 2)), REFERENCE)
    with pytest.raises(ValueError, match="series or columns"):
        detector.statistics(np.zeros((2, 2, 2)), REFERENCE)


@each_detector
def test_units_of_a_feature_do_not_matter(detector):
    values = features(5, 90)[:, :2]
    plain = detector.statistics(values, Reference.fit(TRAINING[:, :2])).statistic
    other = detector.statistics(1e-6 * values - 3.0, Reference.fit(1e-6 * TRAINING[:, :2] - 3.0)).statistic
    assert other == pytest.approx(plain, rel=1e-5, abs=1e-5, nan_ok=True)


@each_detector
def test_a_large_shift_is_seen_and_no_shift_is_not(detector):
    rng = np.random.default_rng(6)
    reference = Reference.fit(rng.standard_normal((500, 20)))
    values = rng.standard_normal((160, 20))
    quiet = detector.statistics(values, reference).statistic
    values[100:] += 3.0
    loud = detector.statistics(values, reference).statistic
    assert (np.nanmax(loud[100:], axis=0) > np.nanmax(quiet[100:], axis=0)).mean() >= 0.9


def test_reference_by_hand():
    # x = 1, 2, 3, 6: m = 3, s = sqrt(14/3)
    flat = Reference.fit(np.array([1.0, 2.0, np.nan, 3.0, 6.0]), whiten=False, minimum=4)
    s = np.sqrt(14.0 / 3.0)
    assert flat.figures[:, 0] == pytest.approx([3.0, s, 0.0, 0.0, 1.0])
    assert flat.sample[:, 0] == pytest.approx(np.array([-2.0, -1.0, 0.0, 3.0, np.nan]) / s, nan_ok=True)
    # z s = -2, -1, 0, 3: slope (2 + 0 + 0)/(4 + 1 + 0) = 0.4, corrected by (1 + 1.2)/4 = 0.55 to 0.95
    white = Reference.fit(np.array([1.0, 2.0, 3.0, 6.0]), minimum=4)
    e = np.array([-1.0 + 1.9, 0.95, 3.0]) / s
    assert white.figures[:, 0] == pytest.approx([3.0, s, 0.95, e.mean(), e.std(ddof=1)])
    assert white.standardised(np.array([[1.0], [6.0]]))[:, 0] == pytest.approx(
        [-2.0 / s, (3.0 / s + 0.95 * 2.0 / s - e.mean()) / e.std(ddof=1)]
    )


def test_reference_recovers_persistence_without_the_bias_of_short_samples():
    rng = np.random.default_rng(7)
    noise = rng.standard_normal((300, 400))
    for t in range(1, 300):
        noise[t] += 0.9 * noise[t - 1]
    # least squares alone would be at 0.9 - (1 + 2.7)/100 = 0.863 after 100 sessions of a stationary start
    assert Reference.fit(noise[200:]).figures[2].mean() == pytest.approx(0.9, abs=0.015)
    assert (Reference.fit(np.cumsum(noise, axis=0)).figures[2] <= 0.99).all()


def test_reference_of_what_its_own_past_explains_watches_levels():
    swing = Reference.fit(np.tile([1.0, -1.0], 100))
    assert swing.reason == (ReferenceReason.OK,)
    assert np.isfinite(swing.figures).all()


def test_a_skewed_feature_does_not_drift_when_it_is_held():
    training = np.random.default_rng(8).standard_exponential((400, 1))
    reference = Reference.fit(training, whiten=False)
    held = reference.bounded(reference.standardised(training), 1.0)
    assert held.mean() == pytest.approx(0.0, abs=1e-12)
    assert held.std() == pytest.approx(1.0)


def test_two_hundred_columns_at_once_are_quick():
    rng = np.random.default_rng(9)
    reference, values = Reference.fit(rng.standard_normal((200, 200))), rng.standard_normal((300, 200))
    mark = time.process_time()
    for detector in (Cusum(), PageHinkley(), Psi(), KolmogorovSmirnov()):
        detector.statistics(values, reference)
    # 0.04 s here; a loop over columns in Python would take tens of seconds
    assert time.process_time() - mark < 2.0


def test_the_example_of_the_package_runs():
    found = doctest.testmod(detectors)
    assert found.attempted > 5
    assert found.failed == 0
