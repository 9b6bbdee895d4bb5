import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.stats.probability_scores import COIN, brier, calibration


def test_brier_by_hand():
    # (0.2^2 + 0.4^2 + 0.9^2)/3 = (0.04 + 0.16 + 0.81)/3
    assert brier([0.8, 0.4, 0.9], [1, 0, 0]) == pytest.approx(1.01 / 3.0)
    assert brier([0.5, 0.5], [1, 0]) == COIN


def test_curve_by_hand():
    # bins of 0.5: {0.2, 0.4} with outcomes 0, 1; {0.5, 1.0, 0.9} with 1, 1, 0; base rate 3/5
    found = calibration([0.2, 0.4, 0.5, 1.0, 0.9], [0, 1, 1, 1, 0], bins=2)
    assert found.counts.tolist() == [2.0, 3.0]
    assert found.forecast == pytest.approx([0.3, 0.8])
    assert found.share_up == pytest.approx([0.5, 2.0 / 3.0])
    # reliability (2 0.2^2 + 3 (2/15)^2)/5; resolution (2 0.1^2 + 3 (1/15)^2)/5; uncertainty 0.24
    assert found.reliability == pytest.approx((2 * 0.04 + 3 * 4 / 225) / 5)
    assert found.resolution == pytest.approx((2 * 0.01 + 3 / 225) / 5)
    assert found.uncertainty == pytest.approx(0.24)
    # Wilson, 1 of 2, z^2 = 3.8415: centre 1/2, half-width z sqrt(1/8 + z^2/16)/(1 + z^2/2) = 0.4055
    assert (found.lower[0], found.upper[0]) == pytest.approx((0.0945, 0.9055), abs=1e-4)


def test_empty_bin_stays_missing():
    found = calibration([0.05, 0.95], [0, 1])
    assert found.counts.sum() == 2
    assert np.isnan(found.forecast[4])
    assert np.isnan(found.lower[4])


@pytest.mark.parametrize(
    ("p", "y"),
    [([], []), ([0.5], [1, 0]), ([np.nan], [1]), ([1.1], [1]), ([-0.1], [0]), ([0.5], [np.nan]), ([0.5], [2])],
)
def test_bad_input(p, y):
    with pytest.raises(ValueError, match="probabilities"):
        calibration(p, y)
    with pytest.raises(ValueError, match="probabilities"):
        brier(p, y)


@given(st.integers(0, 2**32 - 1))
def test_murphy_holds_for_forecasts_that_do_not_spread_within_bins(seed):
    random = np.random.default_rng(seed)
    p = random.integers(0, 10, 200) / 10.0 + 0.05
    y = (random.random(200) < p).astype(float)
    found = calibration(p, y)
    assert found.brier == pytest.approx(found.reliability - found.resolution + found.uncertainty)
    assert found.counts.sum() == 200
