import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.replay.sizing import (
    SizingConfig,
    capped_lots,
    check_payoffs,
    kelly,
    kelly_lots,
    signed_kelly,
    sizing_tables,
)
from tests.hydra_assets.replay.worlds import terms, world

UNCAPPED = {"volatility_target": 1e6, "margin_share": 1.0, "margin_daily_sigmas": 1e-6, "adv_share": 1e6}


def test_kelly_of_longs_and_shorts_by_hand() -> None:
    # Even payoff: 0.6 - 0.4 = 0.2 long; P(up) 0.4 is P(down) 0.6, as much short.
    assert float(signed_kelly(0.6, None, 1.0, 1.0)) == pytest.approx(0.2)
    assert float(signed_kelly(0.4, None, 1.0, 1.0)) == pytest.approx(-0.2)
    # Wins twice what it loses: 0.5 - 0.5 / 2 = 0.25 long. Short of it: 0.8 - 0.2 / 0.5 = 0.4.
    assert float(signed_kelly(0.5, None, 2.0, 0.5)) == pytest.approx(0.25)
    assert float(signed_kelly(0.2, None, 2.0, 0.5)) == pytest.approx(-0.4)
    # Neither: at a cost on both sides, 0.5 is worth nothing.
    assert float(signed_kelly(0.5, None, 0.9, 0.9)) == 0.0


def test_a_third_outcome_changes_the_odds_only() -> None:
    # P(up) 0.3, P(down) 0.2, nothing 0.5: (0.3 - 0.2) / 0.5 = 0.2, that of 0.6 against 0.4.
    assert float(signed_kelly(0.3, 0.2, 1.0, 1.0)) == pytest.approx(0.2)
    assert float(signed_kelly(0.2, 0.3, 1.0, 1.0)) == pytest.approx(-0.2)


@given(p=st.floats(0.01, 0.99), q=st.floats(0.01, 0.99), b=st.floats(0.1, 10.0))
def test_kelly_maximises_expected_log_growth(p: float, q: float, b: float) -> None:
    p, q = p / (p + q), q / (p + q)
    best = float(kelly(p, q, b))
    if not 0.0 < best < 1.0 - 1e-6:
        return

    def growth(share: float) -> float:
        return p * math.log1p(b * share) + q * math.log1p(-share)

    step = 1e-3 * min(best, 1.0 - best)
    assert growth(best) >= max(growth(best - step), growth(best + step))


@given(p=st.floats(0.0, 1.0), b=st.floats(0.2, 5.0))
def test_a_short_is_the_long_of_the_opposite_market(p: float, b: float) -> None:
    opposite = signed_kelly(1.0 - p, None, 1.0 / b, b)
    assert float(signed_kelly(p, None, b, 1.0 / b)) == pytest.approx(-float(opposite), abs=1e-12)


def test_a_missing_probability_has_no_size() -> None:
    assert np.isnan(signed_kelly(np.nan, None, 1.0, 1.0))
    assert np.isnan(signed_kelly(0.0, 0.0, 1.0, 1.0))
    assert np.isnan(kelly_lots(np.nan, 1e8, 1e-6, 1.0, 10.0, 1.0))


def test_payoffs_that_favour_both_sides_are_refused() -> None:
    check_payoffs(2.0, 0.5)
    with pytest.raises(ValueError, match="at most 1"):
        check_payoffs(2.0, 0.6)
    with pytest.raises(ValueError, match="at most 1"):
        check_payoffs(np.nan, 0.6)


def _lots(share: float, factor: float = 1.0, adv: float = 10_000.0, **config: float) -> int:
    market = world([80.0], adv=adv, terms=terms(max_position_contracts=1_000.0))
    tables = sizing_tables(
        market, SizingConfig.model_validate(UNCAPPED | {"kelly_fraction": 0.25, "horizon_sessions": 4} | config)
    )
    rows = (tables.rate[0, 0], tables.cap_rate[0, 0], tables.cap_lots[0, 0])
    return int(kelly_lots(share, 1e8, *rows, factor))


def test_lots_by_hand_and_each_cap() -> None:
    # A quarter of 0.2 of 1,000,000 is 50,000; a lot loses 0.02 * sqrt(4) * 80 * 400 = 1,280: 39.06 lots.
    assert _lots(0.2) == 39
    assert _lots(-0.2) == -39
    # Half size: 19.5.
    assert _lots(0.2, factor=0.5) == 19
    assert _lots(-0.2, factor=0.5) == -19
    # Margin 3.3 * 640 = 2,112 a lot, 5 % of equity: 50,000 / 2,112 = 23.67.
    assert _lots(0.2, margin_daily_sigmas=3.3, margin_share=0.05) == 23
    # 10 % a year is 0.1 / sqrt(252) = 0.63 % a day, 6,299.4 in money; a lot moves 640: 9.84.
    assert _lots(0.2, volatility_target=0.10) == 9
    # 5 % of an average volume of 500.
    assert _lots(0.2, adv=500.0, adv_share=0.05) == 25
    # A cap binds before the size factor does: half of 9.84 is 4.92.
    assert _lots(0.2, factor=0.5, volatility_target=0.10) == 4


def test_the_volatility_target_is_split_by_the_assumed_correlation() -> None:
    # Four markets at correlation 0.3: sd of a sum of equals is sqrt(4 + 12 * 0.3) = 2.7568 of one.
    one = sizing_tables(world([80.0]), SizingConfig()).cap_rate[0, 0]
    four = sizing_tables(world([[80.0] * 4]), SizingConfig()).cap_rate[0, 0]
    assert one / four == pytest.approx(2.756810)


def test_a_given_margin_replaces_the_derived_one() -> None:
    # Half the equity in one market: 0.5 / 1,000 money a lot is 0.5 / 100,000 lots a cent.
    tables = sizing_tables(world([80.0]), SizingConfig(volatility_target=100.0), np.array([1_000.0]))
    assert tables.cap_rate[0, 0] == pytest.approx(5e-6)


@pytest.mark.parametrize("settle", [0.0, -37.63, np.nan])
def test_nothing_is_wanted_at_a_price_that_means_nothing(settle: float) -> None:
    tables = sizing_tables(world([settle]), SizingConfig())
    assert (tables.rate[0, 0], tables.cap_rate[0, 0], tables.cap_lots[0, 0]) == (0.0, 0.0, 0.0)


def test_no_equity_no_size() -> None:
    assert float(kelly_lots(0.2, -5.0, 1.0, 1.0, 10.0, 1.0)) == 0.0
    assert float(capped_lots(-30.0, 10.0, 0.5)) == -5.0
