"""The discount rate of a session: a market's own, or the policy rate in force."""

from datetime import date

import numpy as np
import pytest

from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.rates import discount_rates, policy_rate


def test_a_step_counts_from_its_effective_date_and_nothing_is_known_before_the_first() -> None:
    hogs = load_markets()["HE"]
    days = [date(2006, 6, 28), date(2008, 12, 15), date(2008, 12, 16), date(2022, 7, 27), date(2022, 7, 28)]
    rates = discount_rates(hogs, days)
    assert np.isnan(rates[0])
    assert np.expm1(rates[1:]) == pytest.approx([0.01, 0.00125, 0.01625, 0.02375])


def test_the_newest_step_holds_until_the_next_is_written() -> None:
    _, rates = policy_rate()
    assert np.expm1(discount_rates(load_markets()["HE"], [date(2040, 1, 2)])) == pytest.approx(rates[-1:])


def test_a_market_with_a_rate_of_its_own_takes_it_on_every_session() -> None:
    markets = load_markets()
    assert discount_rates(markets["BTC"], [date(1990, 1, 1), date(2026, 1, 1)]).tolist() == [0.0, 0.0]
    assert discount_rates(markets["SIM_HE"], [date(2026, 1, 1)]).tolist() == [0.04]
