"""A group takes the factors of its markets' working hours from the time-of-day curve, and only then reads it."""

from datetime import date, time, timedelta
from typing import Any, cast

import polars as pl
import pytest

from hydra_assets.columns import TIME_OF_DAY_CURVE
from hydra_assets.defs.group import GroupHistory
from hydra_assets.lake import Lake
from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.model import MarketSpec, WorkingHours

DAYS = [date(2025, 3, 3) + timedelta(days=k) for k in range(3)]


class Shelf:
    """A lake of two tables that remembers what was read."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def read(self, dataset: str, **_: Any) -> pl.DataFrame:
        self.asked.append(dataset)
        if dataset == TIME_OF_DAY_CURVE.name:
            return pl.DataFrame(
                {
                    "market": "SIM_HE",
                    "session": DAYS[1:],
                    "bucket_minutes": 30,
                    "bucket_starts": [[510.0, 780.0]] * 2,
                    "volume_shares": [[0.75, 0.25]] * 2,
                    "variance_shares": [[0.64, 0.36]] * 2,
                }
            )
        return pl.DataFrame(
            {
                "market": "SIM_HE",
                "session": DAYS,
                "contract": "HE-2025-04",
                "contract_month": date(2025, 4, 1),
                "role": "front",
                "settle": [80.0, 81.0, 82.0],
                "settle_age_sessions": 0,
                "volume": 1_000.0,
            }
        )


def history(hours: WorkingHours | None) -> tuple[Shelf, GroupHistory]:
    spec = load_markets()["SIM_HE"]
    own: MarketSpec = spec.model_copy(update={"liquidity": spec.liquidity.model_copy(update={"working_hours": hours})})
    shelf = Shelf()
    return shelf, GroupHistory(cast("Lake", shelf), (own,), DAYS[-1])


def test_hours_of_a_market_give_the_curve_s_factors() -> None:
    _, group = history(WorkingHours(start=time(13, 0), end=time(13, 30)))
    assert group.market.cap_factor is not None
    assert group.market.impact_factor is not None
    assert group.market.cap_factor[:, 0].tolist() == [1.0, 0.25, 0.25]
    # sqrt(0.36 / 0.25)
    assert group.market.impact_factor[1:, 0] == pytest.approx([1.2, 1.2])


def test_without_hours_nobody_reads_the_curve() -> None:
    shelf, group = history(None)
    assert group.market.impact_factor is None
    assert shelf.asked == ["futures_curve"]
