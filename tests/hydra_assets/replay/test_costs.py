import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.replay.costs import (
    CostConfig,
    SlippageMode,
    cost_per_lot,
    impact_cents,
    impact_coefficient,
    slippage_multiplier,
    spread_cents,
)

DAYS = np.arange(18_000, 18_400)
TYPICAL = np.array([10_000.0])


def test_the_cost_of_a_lot_is_spread_fee_and_square_root_impact() -> None:
    # 0.8 * 0.02 * 80 * 400 * sqrt(100 / 10,000) = 512 * 0.1 = 51.2 a lot; 6 + 2.5 + 51.2 = 59.7.
    assert cost_per_lot(6.0, 2.5, 0.02, 80.0 * 400.0, 100 / 10_000) == pytest.approx(59.7)
    # The same in whole cents: 600 spread, and 5,120 * 100 lots of impact for the order.
    assert float(spread_cents(0.6, 0.025, 400.0, 1.0, 1.0)) == 600.0
    coefficient = impact_coefficient(0.8, 0.02, 80.0, 400.0, 10_000.0, 1.0)
    assert float(coefficient) == pytest.approx(512.0)
    assert float(impact_cents(coefficient, 100.0)) == 512_000.0
    # Four lots: 512 * 4^(3/2) = 4,096 cents.
    assert float(impact_cents(coefficient, 4.0)) == 4_096.0


@given(lots=st.integers(1, 10_000), times=st.sampled_from([0.5, 1.0, 2.0]))
def test_impact_is_proportional_to_y_and_grows_as_the_three_halves_power(lots: int, times: float) -> None:
    one = float(impact_coefficient(1.0, 0.02, 80.0, 400.0, 10_000.0, 1.0))
    assert float(impact_coefficient(times, 0.02, 80.0, 400.0, 10_000.0, 1.0)) == pytest.approx(times * one)
    assert float(impact_cents(one, 4.0 * lots)) == pytest.approx(8.0 * one * lots**1.5, abs=0.5, rel=1e-12)


def test_at_a_point_slippage_is_its_expectation() -> None:
    point = CostConfig(mode=SlippageMode.POINT)
    assert (slippage_multiplier(point, ["A"], DAYS, np.full((400, 1), 50.0), TYPICAL) == 1.0).all()


def test_sampled_slippage_has_mean_one_and_scatters_more_on_thin_days() -> None:
    symbols = [f"M{m}" for m in range(500)]
    shape = (len(DAYS), len(symbols))
    sampled = CostConfig(dispersion=0.5)
    for adv, sd in ((10_000.0, 0.5), (2_500.0, 1.0)):
        # s^2 = ln(1 + d^2 V / ADV), so the standard deviation is d sqrt(V / ADV): 0.5, and 1.0 at a quarter of volume.
        drawn = slippage_multiplier(sampled, symbols, DAYS, np.full(shape, adv), np.full(500, 10_000.0))
        assert drawn.mean() == pytest.approx(1.0, abs=4.0 * sd / np.sqrt(drawn.size))
        assert drawn.std() == pytest.approx(sd, rel=0.05)
        assert (drawn > 0.0).all()


def test_a_draw_is_the_same_whatever_else_is_drawn() -> None:
    adv = np.linspace(500.0, 50_000.0, 400 * 7).reshape(400, 7)
    symbols = [f"M{m}" for m in range(7)]
    whole = slippage_multiplier(CostConfig(seed=3), symbols, DAYS, adv, np.full(7, 10_000.0))
    for t, m in ((0, 0), (17, 3), (399, 6)):
        one = slippage_multiplier(
            CostConfig(seed=3), symbols[m : m + 1], DAYS[t : t + 1], adv[t : t + 1, m : m + 1], TYPICAL
        )
        assert one[0, 0] == whole[t, m]


def test_without_volume_there_is_no_draw() -> None:
    adv = np.array([[0.0], [np.nan], [10.0]])
    drawn = slippage_multiplier(CostConfig(), ["A"], DAYS[:3], adv, TYPICAL)
    assert np.isfinite(drawn[:, 0]).tolist() == [False, False, True]
