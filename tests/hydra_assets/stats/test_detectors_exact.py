"""Numbers by hand, by scipy, by river and from published tables."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.drift import ADWIN, KSWIN
from river.drift import PageHinkley as RiverPageHinkley
from scipy.stats import ks_2samp

from hydra_assets.stats.detectors.alarms import episodes
from hydra_assets.stats.detectors.calibration import CalibrationCusum
from hydra_assets.stats.detectors.cusum import Cusum
from hydra_assets.stats.detectors.edge import EdgeCusum, normal_threshold, run_length
from hydra_assets.stats.detectors.kolmogorov import KolmogorovSmirnov
from hydra_assets.stats.detectors.library import Adwin, Kswin
from hydra_assets.stats.detectors.page_hinkley import PageHinkley
from hydra_assets.stats.detectors.psi import Psi
from hydra_assets.stats.detectors.reference import Reference
from hydra_assets.stats.detectors.track import TrackReason

KNOWN = Reference.known()
NO_CLIP = 1e9


def many(columns):
    """Known figures of as many columns."""
    return Reference(np.tile(KNOWN.figures, columns), np.empty((0, columns)), KNOWN.reason * columns)


def levels(training):
    return Reference.fit(np.asarray(training, dtype=np.float64), whiten=False, minimum=3)


def test_cusum_by_hand():
    z = [1.0, 2.0, -0.5, -3.0, np.nan, -1.0, 9.0]
    # up .5 2 1 0 . 0 1.5, down 0 0 0 2.5 . 3 .5 with 9 held to 2
    assert Cusum(k=0.5).statistics(z, KNOWN).statistic == pytest.approx(
        [0.5, 2.0, 1.0, 1.5, np.nan, 2.0, 1.5], nan_ok=True
    )
    assert Cusum(k=0.5, clip=NO_CLIP).statistics(z, KNOWN).statistic == pytest.approx(
        [0.5, 2.0, 1.0, 2.5, np.nan, 3.0, 8.5], nan_ok=True
    )
    restarted = Cusum(k=0.5, clip=NO_CLIP, restart=1.9).statistics(z, KNOWN).statistic
    assert restarted == pytest.approx([0.5, 2.0, 0.0, 2.5, np.nan, 0.5, 8.5], nan_ok=True)


def test_cusum_run_length_is_the_published_one():
    # Two-sided, k = 0.5: 168 at h = 4 and 465 at h = 5 (Hawkins and Olwell 1998; Montgomery, table 9.3); 3 % error.
    z = np.random.default_rng(1).standard_normal((10_000, 40))
    for h, published in ((4.0, 168.0), (5.0, 465.0)):
        alarms = (Cusum(clip=NO_CLIP, restart=h).statistics(z, many(40)).statistic > h).sum()
        assert z.size / alarms == pytest.approx(published, rel=0.1)


def test_cusum_delay_is_the_published_one():
    # k = 0.5, h = 5, shift of one standard deviation: 10.4 sessions (the same tables)
    z = np.random.default_rng(2).standard_normal((100, 2000)) + 1.0
    above = Cusum(clip=NO_CLIP).statistics(z, many(2000)).statistic > 5.0
    assert (above.argmax(axis=0) + 1).mean() == pytest.approx(10.4, rel=0.03)


@given(st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_page_hinkley_is_rivers(seed):
    z = np.random.default_rng(seed).standard_normal(150)
    z[100:] += 1.0
    statistic = PageHinkley(clip=NO_CLIP).statistics(z, KNOWN).statistic
    assert np.isnan(statistic[:29]).all()
    h = float(np.nanmax(statistic[:120]))
    for threshold in (0.9 * h, 1.0001 * h):
        theirs = RiverPageHinkley(threshold=threshold)
        first = None
        for t, value in enumerate(z):
            theirs.update(value)
            if theirs.drift_detected:
                first = t
                break
        above = np.flatnonzero(statistic > threshold)
        assert first == (int(above[0]) if len(above) else None)


def test_psi_by_hand():
    # Reference 1..8 in two bins cut at 4.5: four and four. Window 5, 6, 7, 3: one and three.
    statistic = Psi(window=4, bins=2).statistics([5.0, 6.0, 7.0, 3.0], levels(np.arange(1.0, 9.0))).statistic
    p, q = np.array([1.5, 3.5]) / 5.0, np.array([4.5, 4.5]) / 9.0
    assert statistic == pytest.approx([np.nan, np.nan, np.nan, ((p - q) * np.log(p / q)).sum()], nan_ok=True)


def test_psi_of_many_equal_values_counts_them_once():
    # Quantiles of 0 0 0 0 0 0 1 2: the quartiles are 0, 0 and 0.25, so three bins are left: <= 0, none between, above.
    reference = levels([0.0] * 6 + [1.0, 2.0])
    statistic = Psi(window=2, bins=4).statistics([0.0, 1.0], reference).statistic[1]
    p, q = np.array([1.5, 0.5, 1.5]) / 3.5, np.array([6.5, 0.5, 2.5]) / 9.5
    assert statistic == pytest.approx(((p - q) * np.log(p / q)).sum())


def test_psi_of_no_drift_has_its_known_mean():
    # (10 - 1)(1/60 + 1/252) = 0.186; the half observation per bin takes a little off
    rng = np.random.default_rng(4)
    reference = Reference.fit(rng.standard_normal((252, 300)), whiten=False)
    statistic = Psi().statistics(rng.standard_normal((60, 300)), reference).statistic[-1]
    assert statistic.mean() == pytest.approx(0.186, abs=0.025)


@given(st.integers(0, 10_000), st.integers(0, 2))
@settings(max_examples=25, deadline=None)
def test_ks_is_scipys(seed, digits):
    rng = np.random.default_rng(seed)
    training, values = (np.round(rng.standard_normal(n), digits) for n in (130, 70))
    reference = levels(training)
    statistic = KolmogorovSmirnov(window=25).statistics(values, reference).statistic
    assert np.isnan(statistic[:24]).all()
    for t in (24, 40, 69):
        theirs = ks_2samp(values[t - 24 : t + 1], training).statistic
        assert statistic[t] == pytest.approx(theirs * np.sqrt(25 * 130 / 155))


@pytest.mark.parametrize("digits", [0, 1, 8])
def test_kswin_is_rivers(digits):
    z = np.round(np.random.default_rng(5).standard_normal(160), digits)
    statistic = Kswin(window=60, recent=20, seed=3).statistics(z, KNOWN).statistic
    theirs = KSWIN(alpha=0.0, window_size=60, stat_size=20, seed=3)
    for t, value in enumerate(z):
        theirs.update(value)
        if t >= 59:
            assert statistic[t] == pytest.approx(-np.log10(theirs.p_value), abs=1e-9)
    assert np.isnan(statistic[:59]).all()


def test_adwin_is_rivers():
    z = np.random.default_rng(6).standard_normal(400)
    z[200:] += 1.5
    statistic = Adwin(deltas=(0.05, 1e-3, 1e-30), clock=5, clip=NO_CLIP).statistics(z, KNOWN).statistic
    cuts = {}
    for delta in (0.05, 1e-3):
        theirs = ADWIN(delta=delta, clock=5)
        cuts[delta] = set()
        for t, value in enumerate(z):
            theirs.update(value)
            if theirs.drift_detected:
                cuts[delta].add(t)
    assert cuts[1e-3]
    assert set(np.flatnonzero(statistic == 3.0)) == cuts[1e-3]
    assert set(np.flatnonzero(statistic == -np.log10(0.05))) == cuts[0.05] - cuts[1e-3]
    assert (statistic[sorted(set(range(400)) - cuts[0.05] - cuts[1e-3])] == 0.0).all()


def test_edge_by_hand():
    # mu 0.1 to -0.1: l = -0.2 x
    track = EdgeCusum(0.1, -0.1).statistics([1.0, -2.0, np.nan, -1.0, 4.0, -1.0])
    assert track.statistic == pytest.approx([0.0, 0.4, np.nan, 0.6, 0.0, 0.2], nan_ok=True)
    assert track.reason == (TrackReason.WATCHED,)
    # 0.3 to 0.1: l = -0.2 (x - 0.2)
    assert EdgeCusum(0.3, 0.1).statistics([-0.8]).statistic == pytest.approx([0.2])
    with pytest.raises(ValueError, match="a fall"):
        EdgeCusum(0.1, 0.1)


def test_edge_run_length_is_siegmunds_and_the_simulated_one():
    # With d = 1 the sum is the ordinary one-sided CUSUM of k = 0.5: 336 at h = 4 and 930 at h = 5 (Hawkins and Olwell
    # 1998); the approximation is good to 1 % there.
    assert run_length(4.0, 1.0) == pytest.approx(336.0, rel=0.02)
    assert run_length(5.0, 1.0) == pytest.approx(930.0, rel=0.02)
    h = normal_threshold(0.2, 500.0)
    assert run_length(h, 0.2) == pytest.approx(500.0)
    steps = np.random.default_rng(7).standard_normal((1500, 300)) + 0.1
    above = EdgeCusum(0.1, -0.1).statistics(steps).statistic > h
    # Times to the first alarm are nearly exponential: those that have not come by 1,500 sessions are worth 500 more.
    first = np.where(above.any(axis=0), above.argmax(axis=0) + 1.0, 1500.0 + 500.0)
    assert first.mean() == pytest.approx(500.0, rel=0.15)
    with pytest.raises(ValueError, match="can give"):
        normal_threshold(1.0, 1.0)


def test_calibration_by_hand():
    # R = 2, p = 0.5: y = 1 gives ln 2 - ln 1.5 up and -ln 2 - ln 0.75 down; y = 0 gives -ln 1.5 and -ln 0.75
    up, down = np.log(2.0 / 1.5), -np.log(0.75)
    track = CalibrationCusum(2.0).statistics([1.0, 1.0, np.nan, 0.0, 0.0, 1.0], [0.5, 0.5, 0.5, 0.5, 0.5, np.nan])
    left = max(0.0, 2.0 * up - np.log(1.5))
    assert track.statistic == pytest.approx([up, 2.0 * up, np.nan, max(left, down), 2.0 * down, np.nan], nan_ok=True)
    # p = 0.8, R = 2: ln 2 - ln 1.8
    assert CalibrationCusum(2.0).statistics([1.0], [0.8]).statistic == pytest.approx([np.log(2.0 / 1.8)])
    # certain and right says nothing; certain and wrong is no infinity of evidence either, but R of it
    assert CalibrationCusum(2.0).statistics([1.0], [1.0]).statistic == pytest.approx([0.0])
    assert CalibrationCusum(2.0).statistics([1.0], [0.0]).statistic == pytest.approx([np.log(2.0)])


def test_calibration_in_columns_and_bad_input():
    y = np.random.default_rng(8).integers(0, 2, (50, 3)).astype(np.float64)
    p = np.random.default_rng(9).random((50, 3))
    p[:, 1] = np.nan
    track = CalibrationCusum().statistics(y, p)
    assert track.reason == (TrackReason.WATCHED, TrackReason.NOTHING_OBSERVED, TrackReason.WATCHED)
    assert np.isnan(track.statistic[:, 1]).all()
    assert (track.statistic[:, 2] == CalibrationCusum().statistics(y[:, 2], p[:, 2]).statistic).all()
    assert (track.statistic[:20, 0] == CalibrationCusum().statistics(y[:20, 0], p[:20, 0]).statistic).all()
    for outcomes, predicted, words in (
        ([0.5], [0.5], "outcomes are"),
        ([1.0], [1.1], "lie in"),
        ([1.0], [0.5, 0.5], "of"),
    ):
        with pytest.raises(ValueError, match=words):
            CalibrationCusum().statistics(outcomes, predicted)


def test_calibration_sees_both_directions_and_not_the_truth():
    rng = np.random.default_rng(10)
    p = 0.3 + 0.4 * rng.random((400, 100))
    for odds_ratio, low, high in ((1.0, 0.0, 0.3), (2.5, 0.95, 1.0), (0.4, 0.95, 1.0)):
        true = odds_ratio * p / (1.0 - p + odds_ratio * p)
        y = (rng.random(p.shape) < true).astype(np.float64)
        share = (CalibrationCusum().statistics(y, p).statistic.max(axis=0) > 6.0).mean()
        assert low <= share <= high


def test_episodes_by_hand():
    s = np.array([1.0, 5.0, 3.0, 6.0, np.nan, 2.4, 5.5, 5.0, np.nan])
    found = episodes(s, 4.9)
    # 3 is not below 2.45 and goes on, 2.4 is; the last NaN goes on
    assert found.onset.tolist() == [False, True, False, False, False, False, True, False, False]
    assert found.active.tolist() == [False, True, True, True, True, False, True, True, True]
    columns = episodes(np.stack([s, np.full(9, np.nan)], axis=1), 4.9)
    assert (columns.onset[:, 0] == found.onset).all()
    assert not columns.active[:, 1].any()
    assert episodes(s[:4], 4.9).active.tolist() == found.active[:4].tolist()
    assert not episodes(np.array([4.9]), 4.9).active.any()
    assert episodes(np.empty((0, 2)), 1.0).onset.shape == (0, 2)
