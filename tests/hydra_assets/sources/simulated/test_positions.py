from datetime import date

import numpy as np
import polars as pl
import pytest

from hydra_assets.markets.model import MarketSpec
from hydra_assets.sources.cftc.layout import Family, Scope
from hydra_assets.sources.simulated.market import SimulatedMarket, build_market
from hydra_assets.sources.simulated.positions import is_reported, report_dates, report_rows
from hydra_assets.sources.simulated.world import World

from .sim_specs import HOGS, OATS


def market_of(spec: MarketSpec = HOGS) -> SimulatedMarket:
    market = build_market(spec, World(), 3, date(2019, 1, 2), date(2023, 12, 29))
    assert market is not None
    return market


def test_report_dates_are_tuesdays_or_the_monday_before_a_holiday() -> None:
    dates = report_dates(date(2017, 12, 1), date(2019, 1, 15))
    assert date(2018, 12, 24) not in dates or date(2018, 12, 25) not in dates
    mondays = [d for d in dates if d.weekday() == 0]
    # Christmas and New Year fell on Tuesdays.
    assert mondays == [date(2018, 12, 24), date(2018, 12, 31)]
    assert {d.weekday() for d in dates} == {0, 1}


@pytest.mark.parametrize(("family", "scope"), [(f, s) for f in Family for s in Scope])
def test_every_report_adds_up(family: Family, scope: Scope) -> None:
    market = market_of()
    rows = report_rows(
        market.path, market.futures, market.curve, report_dates(date(2019, 1, 8), date(2023, 12, 1)), family, scope
    )
    assert rows.select(pl.col("long_contracts", "short_contracts", "spread_contracts").min()).row(0) >= (0, 0, 0)
    total = ["total_reportable", "nonreportable"]
    for side in ("long", "short"):
        column = f"{side}_contracts"
        parts = (
            rows.filter(~pl.col("category").is_in(total))
            .group_by("report_date")
            .agg((pl.col(column) + pl.col("spread_contracts")).sum().alias("parts"))
        )
        whole = rows.filter(pl.col("category") == "total_reportable").select("report_date", column)
        assert parts.join(whole, on="report_date").select((pl.col("parts") == pl.col(column)).all()).item()
        summed = (
            rows.filter(pl.col("category").is_in(total))
            .group_by("report_date")
            .agg(pl.col(column).sum(), pl.col("open_interest").first())
        )
        assert (summed[column] == summed["open_interest"]).all()


def test_managed_money_shows_the_latent_position() -> None:
    market = market_of()
    dates = report_dates(date(2019, 1, 8), date(2023, 12, 1))
    rows = report_rows(market.path, market.futures, market.curve, dates, Family.DISAGGREGATED, Scope.FUTURES_ONLY)
    funds = rows.filter(pl.col("category") == "managed_money").sort("report_date")
    net = (funds["long_contracts"] - funds["short_contracts"]) / funds["open_interest"]
    latent = [market.path.position[market.path.index(d)] for d in dates]
    assert np.corrcoef(net.to_numpy(), latent)[0, 1] > 0.98


def test_thin_markets_miss_weeks_and_suppress_traders() -> None:
    market = market_of(OATS)
    dates = report_dates(date(2019, 1, 8), date(2023, 12, 1))
    missing = np.mean([not is_reported(market.path, d) for d in dates])
    assert 0.02 < missing < 0.12
    rows = report_rows(market.path, market.futures, market.curve, dates, Family.DISAGGREGATED, Scope.FUTURES_ONLY)
    assert rows.filter(pl.col("category") == "swap_dealer")["traders_short"].null_count() > 0
    assert rows["traders_long"].drop_nulls().min() >= 4  # type: ignore[operator]
    hogs = market_of()
    assert all(is_reported(hogs.path, d) for d in dates)
