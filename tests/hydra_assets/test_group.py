"""A group takes the factors of its markets' working hours from the time-of-day curve, and only then reads it."""

from datetime import date, time, timedelta
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa

from hydra_assets.columns import TIME_OF_DAY_CURVE
from hydra_assets.defs.group import GroupHistory, group_history
from hydra_assets.lake import Lake
from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.model import MarketSpec, WorkingHours
from hydra_assets.replay.impact_versions import no_versions
from hydra_assets.state.execution_tables import slippage_versions

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


def history(
    hours: WorkingHours | None, impact: pl.DataFrame | None = None, last: date = DAYS[-1]
) -> tuple[Shelf, GroupHistory]:
    spec = load_markets()["SIM_HE"]
    own: MarketSpec = spec.model_copy(update={"liquidity": spec.liquidity.model_copy(update={"working_hours": hours})})
    shelf = Shelf()
    return shelf, GroupHistory(cast("Lake", shelf), (own,), last, no_versions() if impact is None else impact)


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


def test_what_was_learned_of_impact_multiplies_the_hours() -> None:
    learned = pl.DataFrame({"market": ["SIM_HE"], "effective_after": [DAYS[2]], "multiplier": [1.5]})
    _, group = history(WorkingHours(start=time(13, 0), end=time(13, 30)), learned)
    assert group.market.impact_factor is not None
    assert group.market.impact_factor[1:, 0] == pytest.approx([1.2, 1.8])
    _, plain = history(None, learned)
    assert plain.market.impact_factor is not None
    assert plain.market.impact_factor[2, 0] == 1.5
    assert np.isnan(plain.market.impact_factor[:2, 0]).all()


class Tables(Shelf):
    """The same with the identity of tables that do not change."""

    def exists(self, _: str) -> bool:
        return False


def test_the_history_is_the_same_object_until_something_is_learned(state_engine: sa.Engine) -> None:
    lake, specs = cast("Lake", Tables()), [load_markets()["SIM_HE"]]
    first = group_history(lake, specs, DAYS[1], state_engine)
    assert group_history(lake, specs, DAYS[1], state_engine) is first
    assert first.market.impact_factor is None

    def learned(after: date) -> None:
        row = {
            "market": "SIM_HE",
            "effective_after": after,
            "impact_y": 0.4,
            "pessimism": 1.5,
            "fills": 7,
            "figures": {},
        }
        with state_engine.begin() as connection:
            connection.execute(sa.insert(slippage_versions).values(**row))

    # What takes effect after the history's end is none of its.
    learned(DAYS[2])
    assert group_history(lake, specs, DAYS[1], state_engine) is first
    learned(DAYS[0])
    second = group_history(lake, specs, DAYS[1], state_engine)
    assert second is not first
    assert second.market.impact_factor is not None
    assert second.market.impact_factor[:2, 0].tolist() == [0.4 * 1.5 / specs[0].liquidity.impact_y] * 2
