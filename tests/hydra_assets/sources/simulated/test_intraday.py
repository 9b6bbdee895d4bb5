"""Intraday bars of the embedded market against its daily bars."""

from datetime import date, time

import numpy as np
import polars as pl
import pytest

from hydra_assets.sources.simulated.curve import activity, bars
from hydra_assets.sources.simulated.intraday import BAR_MINUTES, VOLUME_PROFILE, _bridge, _dealt, intraday_rows
from hydra_assets.sources.simulated.market import SimulatedMarket, build_market
from hydra_assets.sources.simulated.world import World

from .sim_specs import HOGS, MARKETS, OATS

START, LAST = date(2024, 1, 2), date(2024, 12, 31)


def market(symbol: str) -> SimulatedMarket:
    built = build_market(MARKETS[symbol], World(), 3, START, LAST)
    assert built is not None
    return built


@pytest.mark.parametrize("symbol", sorted(MARKETS))
def test_bars_of_a_day_make_its_daily_bar(symbol: str) -> None:
    made = market(symbol)
    whole = slice(0, len(made.path.sessions))
    found = intraday_rows(made, whole)
    daily = bars(made.path, made.futures, made.curve, whole)
    volume, _ = activity(made.path, made.futures, made.curve, whole)
    row = {day: i for i, day in enumerate(made.path.sessions.tolist())}
    column = {month: j for j, month in enumerate(made.futures.months)}
    days = found.group_by("session", "contract_month", maintain_order=True).agg(
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last().alias("settle"),
        pl.col("volume").sum(),
        pl.len().alias("bars"),
    )
    assert days.height > 240
    both = days.join(daily, on=["session", "contract_month"], suffix="_daily")
    full = both.filter(bars=len(VOLUME_PROFILE))
    assert full.height > 0.95 * days.height
    for name in ("open", "high", "low", "settle"):
        assert full[name].to_list() == full[f"{name}_daily"].to_list(), name
    cleared = [volume[row[day], column[month]] for day, month in days.select("session", "contract_month").iter_rows()]
    assert days["volume"].to_list() == cleared


def test_bars_follow_one_another_on_the_tick_and_on_local_time() -> None:
    found = intraday_rows(market("SIM_ZO"), slice(0, 252))
    assert (found["low"] <= found.select(pl.min_horizontal("open", "close")).to_series()).all()
    assert (found["high"] >= found.select(pl.max_horizontal("open", "close")).to_series()).all()
    ticks = found["high"].to_numpy() / OATS.tick
    assert np.abs(ticks - np.rint(ticks)).max() < 1e-6
    local = found["bar_start"].dt.convert_time_zone("America/Chicago")
    assert set(local.dt.minute().unique()) == {0, 30}
    assert local.dt.time().min() == time(8, 30)
    assert (local.dt.date() == found["session"]).all()
    before, since = pl.col("close").shift(1), pl.col("bar_start").diff()
    gaps = found.with_columns(before=before.over("session"), since=since.over("session"))
    joined = gaps.filter(pl.col("since") == pl.duration(minutes=BAR_MINUTES))
    assert joined.height > 2000
    assert (joined["open"] == joined["before"]).all()


def test_volume_is_u_shaped() -> None:
    found = intraday_rows(market("SIM_HE"), slice(0, 252))
    clock = pl.col("bar_start").dt.convert_time_zone("America/Chicago").dt.time()
    share = found.with_columns(share=pl.col("volume") / pl.col("volume").sum().over("session"))
    means = share.group_by(clock).agg(pl.col("share").mean()).sort("bar_start")["share"].to_numpy()
    # 250 sessions of noise of 0.35: two per cent of a share, and a little for the shares' sum of one.
    assert means == pytest.approx(VOLUME_PROFILE, rel=0.12)


def test_dealing_out_by_hand() -> None:
    # Without noise eleven lots fall on 1.87 1.21 .99 .77 .66 .66 .77 .99 1.32 1.76: whole 1 1 0 0 0 0 0 0 1 1, seven
    # left for the largest remainders .99 .99 .87 .77 .77 .76 and the first of the two .66.
    dealt = _dealt(np.array([11.0]), np.zeros((1, 10)))
    assert dealt.tolist() == [[2, 1, 1, 1, 1, 0, 1, 1, 1, 2]]


def test_a_path_that_never_leaves_its_ends_still_meets_high_and_low() -> None:
    front = pl.DataFrame({"open": [80.0], "settle": [81.0], "high": [81.5], "low": [79.0]})
    prices = _bridge(front, np.zeros((1, 40)), HOGS.tick)[0]
    assert (prices[0], prices[-1], prices.max(), prices.min()) == (80.0, 81.0, 81.5, 79.0)


def test_a_market_that_did_not_move_has_flat_bars() -> None:
    front = pl.DataFrame({"open": [80.0], "settle": [80.0], "high": [80.0], "low": [80.0]})
    assert set(_bridge(front, np.ones((1, 40)), HOGS.tick)[0]) == {80.0}


def test_a_session_does_not_depend_on_the_others_asked_for() -> None:
    made = market("SIM_HE")
    whole = intraday_rows(made, slice(0, 252))
    part = intraday_rows(made, slice(100, 140))
    assert part.equals(whole.filter(pl.col("session").is_in(part["session"].unique().implode())))
