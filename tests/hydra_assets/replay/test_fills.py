import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hydra_assets.replay.fills import FillConfig, FillMode, cap_lots, fill_lots, limit_prices, traded_through


def test_a_session_trades_at_most_its_share_of_volume_in_whole_lots() -> None:
    assert float(cap_lots(0.01, 1_234.0)) == 12.0
    assert float(cap_lots(0.02, 40.0)) == 0.0
    assert fill_lots(np.array([30.0, -30.0, 5.0]), 12.0, 10.0).tolist() == [12.0, -10.0, 5.0]


def test_a_limit_stands_half_a_spread_away_on_the_grid() -> None:
    # 80.000 +- 0.6 ticks of 0.025: up to 80.025, down to 79.975.
    buy, sell = limit_prices(80.0, 0.6, 0.025)
    assert float(buy) == pytest.approx(80.025)
    assert float(sell) == pytest.approx(79.975)
    # Exactly one tick is one tick, whatever 80 / 0.025 rounds to.
    buy, sell = limit_prices(80.0, 1.0, 0.025)
    assert float(buy) == pytest.approx(80.025)
    assert float(sell) == pytest.approx(79.975)


@pytest.mark.parametrize(
    ("low", "high", "bought", "sold"),
    [
        (80.025, 80.1, False, True),  # touching the buy limit is not enough
        (80.0, 80.1, True, True),  # one tick below it is
        (79.9, 79.975, True, False),
        (79.9, 80.0, True, True),
        (np.nan, np.nan, False, False),
    ],
)
def test_a_limit_fills_when_the_bar_trades_through_by_a_tick(low: float, high: float, bought: bool, sold: bool) -> None:
    buy_done, sell_done = traded_through(80.025, 79.975, low, high, 0.025)
    assert (bool(buy_done), bool(sell_done)) == (bought, sold)


def test_a_schedule_off_the_volume_costs_more_and_fits_less() -> None:
    profile = (0.5, 0.25, 0.25)
    assert FillConfig(volume_profile=profile).impact_factor == 1.0
    assert FillConfig(volume_profile=profile, schedule=profile).impact_factor == pytest.approx(1.0)
    # All in a bucket of a quarter of the volume: sqrt(1 / 0.25) = 2, and a quarter of the cap.
    last = FillConfig(volume_profile=profile, schedule=(0.0, 0.0, 1.0))
    assert last.impact_factor == pytest.approx(2.0)
    assert last.cap_factor == 0.25
    # Half and half: 0.5 sqrt(0.5 / 0.5) + 0.5 sqrt(0.5 / 0.25) = 0.5 + 0.7071; the second bucket binds at 0.25 / 0.5.
    both = FillConfig(volume_profile=profile, schedule=(0.5, 0.5, 0.0))
    assert both.impact_factor == pytest.approx(0.5 + 0.5 * np.sqrt(2.0))
    assert both.cap_factor == 0.5


@given(order=st.integers(-500, 500), cap=st.integers(0, 300))
def test_an_order_is_spread_over_the_day_without_losing_a_lot(order: int, cap: int) -> None:
    parts = FillConfig(volume_profile=(0.5, 0.3, 0.2)).lots(order, cap)
    assert sum(parts) == np.sign(order) * min(abs(order), cap)
    assert all(
        abs(abs(part) - share * abs(sum(parts))) < 1.0 for part, share in zip(parts, (0.5, 0.3, 0.2), strict=True)
    )


def test_the_largest_remainders_get_the_odd_lots() -> None:
    # 7 lots: 3.5, 2.1, 1.4 -> 3, 2, 1 and the seventh to the first bucket.
    assert FillConfig(volume_profile=(0.5, 0.3, 0.2)).lots(-7, 100) == (-4, -2, -1)
    assert FillConfig().lots(7, 5) == (5,)


@pytest.mark.parametrize(
    "bad",
    [
        {"volume_profile": (0.5, 0.4)},
        {"volume_profile": (0.5, 0.5), "schedule": (1.0,)},
        {"volume_profile": (0.5, 0.5), "schedule": (0.5, 0.4)},
        {"mode": "market"},
    ],
)
def test_a_curve_that_is_none_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FillConfig.model_validate(bad)
    assert FillConfig().mode is FillMode.NEXT_SETTLE
