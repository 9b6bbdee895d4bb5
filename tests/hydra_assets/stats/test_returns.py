import numpy as np
import pytest

from hydra_assets.stats.returns import (
    ReturnsError,
    ReturnsReason,
    long_run_variance,
    returns_reason,
    usable,
    usable_rows,
)

GOOD = 0.01 * np.sin(np.arange(30.0))


@pytest.mark.parametrize(
    ("series", "reason"),
    [
        (GOOD, ReturnsReason.OK),
        (GOOD[:19], ReturnsReason.TOO_FEW_SESSIONS),
        ([], ReturnsReason.TOO_FEW_SESSIONS),
        (np.where(np.arange(30) == 7, np.nan, GOOD), ReturnsReason.MISSING_RETURN),
        (np.where(np.arange(30) == 7, np.inf, GOOD), ReturnsReason.MISSING_RETURN),
        (np.zeros(30), ReturnsReason.CONSTANT_RETURNS),
        (np.full(30, 0.1), ReturnsReason.CONSTANT_RETURNS),
        (0.1 + 1e-16 * np.arange(30), ReturnsReason.CONSTANT_RETURNS),
        (np.stack([GOOD, GOOD]), ReturnsReason.NOT_A_SERIES),
        (np.float64(0.1), ReturnsReason.NOT_A_SERIES),
    ],
)
def test_reasons(series, reason):
    assert returns_reason(series) is reason


def test_error_carries_its_reason():
    with pytest.raises(ReturnsError) as error:
        usable(np.zeros(30))
    assert error.value.reason is ReturnsReason.CONSTANT_RETURNS
    with pytest.raises(ReturnsError) as error:
        usable_rows(np.stack([GOOD, np.full(30, np.nan)]))
    assert error.value.reason is ReturnsReason.MISSING_RETURN
    assert usable_rows(GOOD).shape == (1, 30)


def test_small_risk_is_not_flat():
    assert returns_reason(1e-9 * GOOD) is ReturnsReason.OK


def test_newey_west_by_hand():
    # e = 1, -1, 2, -2: gamma_0 = 10/4, gamma_1 = (-1 - 2 - 4)/4 = -7/4, gamma_2 = (2 + 2)/4 = 1
    # lag 0: 2.5; lag 1: 2.5 + 2 (1/2)(-7/4) = 0.75; lag 2: 2.5 + 2 (2/3)(-7/4) + 2 (1/3)(1) = 5/6
    series = np.array([1.0, -1.0, 2.0, -2.0]) + 5.0
    assert [long_run_variance(series, lag) for lag in (0, 1, 2)] == pytest.approx([2.5, 0.75, 5.0 / 6.0])
    with pytest.raises(ValueError, match="lag 4"):
        long_run_variance(series, 4)
