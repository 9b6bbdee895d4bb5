from itertools import pairwise

import numpy as np
import pytest

from hydra_assets.stats.detectors import thresholds
from hydra_assets.stats.detectors.calibration import CalibrationCusum
from hydra_assets.stats.detectors.cusum import Cusum
from hydra_assets.stats.detectors.edge import EdgeCusum, normal_threshold
from hydra_assets.stats.detectors.kolmogorov import KolmogorovSmirnov
from hydra_assets.stats.detectors.library import Adwin, Kswin
from hydra_assets.stats.detectors.page_hinkley import PageHinkley
from hydra_assets.stats.detectors.psi import Psi
from hydra_assets.stats.detectors.reference import Reference
from hydra_assets.stats.detectors.thresholds import (
    BUDGET,
    Purpose,
    Threshold,
    ThresholdError,
    ThresholdReason,
    table,
    threshold_for,
)
from studies.detector_draws import FEATURES, NULLS, OUTCOME_NULLS, draw, outcomes, panels
from studies.detector_nulls import LIVE, REFERENCE, Tally, derive, onsets
from studies.detector_tables import median_delay

FEATURE_DETECTORS = [Cusum(), Cusum(0.25), PageHinkley(), Psi(), KolmogorovSmirnov(), Kswin(), Adwin()]


def small(monkeypatch):
    rows = [{"rate": rate, "threshold": h} for rate, h in ((0.1, 9.0), (0.2, 8.0), (0.4, 7.0))]
    small = {"detectors": {Cusum().name: {"columns": 50, "thresholds": rows}}}
    monkeypatch.setattr(thresholds, "table", lambda: small)


def test_goes_down_to_the_next_tabulated_rate(monkeypatch):
    small(monkeypatch)
    assert threshold_for(Cusum(), 0.2) == Threshold(8.0, 0.2)
    assert threshold_for(Cusum(), 0.39) == Threshold(8.0, 0.2)
    assert threshold_for(Cusum(), 5.0) == Threshold(7.0, 0.4)
    # A restart follows from the threshold and is none of the table's business.
    assert threshold_for(Cusum(restart=8.0), 0.2) == Threshold(8.0, 0.2)


def test_rates_are_shared_out_over_columns(monkeypatch):
    small(monkeypatch)
    assert threshold_for(Cusum(), 0.2, columns=100) == Threshold(9.0, 0.2)
    assert threshold_for(Cusum(), 0.1, columns=25) == Threshold(8.0, 0.1)
    # 0.4 shared by 100 columns is 0.2 of 50, whatever the last digit of the product
    assert threshold_for(Cusum(), 0.1 * 4.0, columns=100) == Threshold(8.0, 0.4)


def test_no_threshold_is_made_up(monkeypatch):
    small(monkeypatch)
    for detector, rate, columns, reason in (
        (Cusum(k=0.4), 0.2, None, ThresholdReason.UNKNOWN_DETECTOR),
        (Cusum(clip=3.0), 0.2, None, ThresholdReason.UNKNOWN_DETECTOR),
        (Cusum(), 0.09, None, ThresholdReason.RATE_TOO_LOW),
        (Cusum(), 0.1, 51, ThresholdReason.RATE_TOO_LOW),
        (Cusum(), float("nan"), None, ThresholdReason.RATE_TOO_LOW),
    ):
        with pytest.raises(ThresholdError) as error:
            threshold_for(detector, rate, columns)
        assert error.value.reason is reason


def test_stored_table_keeps_the_budget():
    assert sum(BUDGET.values()) == pytest.approx(1.0)
    entries = table()["detectors"]
    for detectors, purpose in (
        (FEATURE_DETECTORS, Purpose.FEATURES),
        ([CalibrationCusum(1.5), CalibrationCusum(2.0)], Purpose.CALIBRATION),
        ([EdgeCusum(fall, 0.0) for fall in (0.063, 0.126, 0.252)], Purpose.PERFORMANCE),
    ):
        for detector in detectors:
            entry = entries[detector.name]
            rows = entry["thresholds"]
            assert [row["rate"] for row in rows] == sorted(row["rate"] for row in rows)
            assert all(a["threshold"] >= b["threshold"] for a, b in pairwise(rows))
            assert entry["columns"] == (FEATURES if purpose is Purpose.FEATURES else 1)
            found = threshold_for(detector, BUDGET[purpose])
            row = next(r for r in rows if r["rate"] == found.alarms_per_year)
            for cell in row["measured"].values():
                # Measured on fresh draws: at the rate but for the noise of both simulations.
                assert cell["rate"] <= row["rate"] + 4.0 * cell["standard_error"]


def test_stored_thresholds_hold_on_draws_of_our_own():
    # 20 panel-years at a rate of 1.6: 32 alarms are expected on the worst null, fewer on others; 60 are five sd above.
    detector = Cusum()
    h = threshold_for(detector, 1.6).value
    for null in ("normal", "GARCH t"):
        values = panels(null, np.random.default_rng(5), REFERENCE + LIVE, 4)
        statistic = detector.statistics(values[REFERENCE:], Reference.fit(values[:REFERENCE])).statistic
        assert onsets(statistic, np.array([h]), 4)[0] <= 60


def test_edge_thresholds_of_normal_returns_agree_with_siegmund():
    # 0.8 alarms a year are one in 315 sessions; the table's worst null can only lie above.
    edge = EdgeCusum(0.126, 0.0)
    assert threshold_for(edge, 0.8).value == pytest.approx(normal_threshold(0.126, 315.0), rel=0.15)


def test_alarms_of_a_panel_by_hand():
    # Two groups of two columns. The first two alarm on the same session: one alarm of the group.
    statistic = np.array([[9.0, 9.0, 0.0, np.nan], [0.0, 9.0, 3.0, np.nan], [9.0, 0.0, 0.0, np.nan]])
    assert onsets(statistic, np.array([1.0, 5.0, 10.0]), 2).tolist() == [3, 2, 0]


def test_thresholds_are_the_lowest_that_keep_the_worst_null():
    grid = np.arange(6.0, 40.0, 0.25)
    worst, mild = np.linspace(4.0, 0.0, len(grid)), np.linspace(2.0, 0.0, len(grid))
    worst[100] = 3.0
    cusum = Cusum().name
    # 10 batches of 100 years, all alike: the standard error is that of one alarm, 0.001
    tuned = {cusum: {"worst": tally(1000.0 * worst), "mild": tally(1000.0 * mild)}}
    entry = derive(tuned, {cusum: {"mild": tally(np.full(len(grid), 500.0))}})[cusum]
    # nothing below the exception at 100 is trusted for a rate under 3
    row = entry["thresholds"][-1]
    assert (row["rate"], row["threshold"]) == (1.6, grid[101])
    assert row["measured"]["mild"] == {"rate": 0.5, "standard_error": 0.001}
    assert entry["thresholds"][0]["threshold"] == grid[np.flatnonzero(worst + 0.001 <= 0.02)[0]]


def tally(counts):
    return Tally(counts, counts**2 / 10.0, batches=10, years=1000.0)


def test_standard_error_sees_that_alarms_cluster():
    # 4 batches of 2 years with 0, 0, 0 and 8 alarms: sum 8, sd of a batch 4, of the sum 8
    found = Tally(np.zeros(1), np.zeros(1))
    for alarms in (0, 0, 0, 8):
        found.add(np.array([alarms]), 2.0)
    assert found.rate() == pytest.approx([1.0])
    assert found.standard_error() == pytest.approx([1.0])


def test_delay_by_hand():
    statistic = np.zeros((10, 4))
    statistic[6, 0] = statistic[8, 1] = statistic[2, 2] = 5.0
    # alarms 2 and 4 sessions after row 5 begins, one never, one column in alarm before
    assert median_delay(statistic, 4.0, 5) == "4"
    assert median_delay(statistic[:, [3]], 4.0, 5) == "> 5"


@pytest.mark.parametrize("null", NULLS)
def test_nulls_have_unit_variance_and_their_dependence(null):
    values = draw(null, np.random.default_rng(6), 1500, 200)
    assert values.mean() == pytest.approx(0.0, abs=0.05)
    assert values.var() == pytest.approx(1.0, abs=0.12)
    slope = float((values[1:] * values[:-1]).mean())
    assert slope == pytest.approx({"AR 0.3": 0.3, "AR 0.9": 0.9}.get(null, 0.0), abs=0.03)
    squares = values**2 - 1.0
    clustered = float((squares[1:] * squares[:-1]).mean() / (squares**2).mean())
    assert (clustered > 0.1) == (null in {"GARCH t", "AR 0.9"} or (null == "AR 0.3" and clustered > 0.1))


def test_features_of_a_panel_share_half_with_those_of_their_factor():
    values = panels("normal", np.random.default_rng(7), 4000, 2)
    both = np.corrcoef(values.T)
    assert both[0, 5] == pytest.approx(0.5, abs=0.05)
    assert both[0, 1] == pytest.approx(0.0, abs=0.05)
    assert both[0, FEATURES] == pytest.approx(0.0, abs=0.05)


@pytest.mark.parametrize("null", OUTCOME_NULLS)
def test_outcomes_follow_the_probabilities(null):
    y, p = outcomes(null, np.random.default_rng(8), 1000, 100)
    for low, high in ((0.2, 0.45), (0.45, 0.55), (0.55, 0.8)):
        some = (p > low) & (p < high)
        assert y[some].mean() == pytest.approx(p[some].mean(), abs=0.02)
    neighbours = float(np.corrcoef(y[1:].ravel(), y[:-1].ravel())[0, 1])
    # signs of moves that share four sessions of five: 2/pi asin(0.8) = 0.59
    assert neighbours == pytest.approx(0.0 if null == "independent" else 0.57, abs=0.06)
