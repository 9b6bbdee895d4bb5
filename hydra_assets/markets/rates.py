"""The rate that options are discounted with: a market's own constant, or the US policy rate of the day.

The policy rate is the middle of the federal funds target range, in steps from the date each becomes effective, the day
after it is announced: it never looks ahead. It stands in for the rate at which premiums are financed: a quarter of a
point between it and a bill rate moves a three-month at-the-money volatility of 25 % by 0.02 points.
"""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from importlib import resources

import numpy as np
import yaml
from numpy.typing import NDArray

from hydra_assets.markets.model import MarketSpec


def discount_rates(spec: MarketSpec, sessions: Sequence[date]) -> NDArray[np.float64]:
    """Continuously compounded rate a year on each session, ``[n]``; NaN before the first known step."""
    if spec.options is not None and spec.options.discount_rate is not None:
        return np.full(len(sessions), spec.options.discount_rate)
    days, rates = policy_rate()
    place = np.searchsorted(days, np.array(sessions, dtype="datetime64[D]"), side="right") - 1
    simple = np.where(place >= 0, rates[np.maximum(place, 0)], np.nan)
    return np.log1p(simple)


@lru_cache(maxsize=1)
def policy_rate() -> tuple[NDArray[np.datetime64], NDArray[np.float64]]:
    """Effective dates, ascending, and the rate from each on, as a fraction a year."""
    text = (resources.files("hydra_assets.markets") / "policy_rate.yaml").read_text(encoding="utf-8")
    steps: dict[date, float] = yaml.safe_load(text)["steps"]
    days = np.array(sorted(steps), dtype="datetime64[D]")
    return days, np.array([steps[day] for day in sorted(steps)]) / 100.0
