"""What needs no drawing is the pipeline's own: texts, positions, curve and option interest, to the last bit."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hydra_assets.columns import COT_POSITIONS, FUTURES_CURVE
from hydra_assets.markets.loader import load_markets
from hydra_assets.sentiment.headlines import headline_scores
from hydra_assets.sentiment.posts import post_scores
from hydra_assets.sources.simulated.chains import chain_rows
from hydra_assets.sources.simulated.headlines import headline_rows
from hydra_assets.sources.simulated.market import SimulatedMarket, build_market
from hydra_assets.sources.simulated.positions import report_dates
from hydra_assets.sources.simulated.posts import post_rows
from hydra_assets.sources.simulated.world import World
from studies.worlds.cheap import Grid, curve_rows, grid_of, positions_of, report_frame
from studies.worlds.flows import LEAST_DAYS, flow_rows
from studies.worlds.slices import slices_of
from studies.worlds.texts import headline_frame, post_frame

FIRST, LAST = date(2024, 1, 2), date(2024, 12, 30)


@pytest.fixture(scope="module")
def market() -> SimulatedMarket:
    market = build_market(load_markets()["SIM_HE"], World(), 11, FIRST, LAST)
    assert market is not None
    return market


@pytest.fixture(scope="module")
def grid(market: SimulatedMarket) -> Grid:
    return grid_of(market)


def test_headlines_score_as_in_the_pipeline(market: SimulatedMarket, grid: Grid) -> None:
    raw = headline_rows(market, slice(0, len(grid.sessions))).select(
        pl.lit("SIM_HE").alias("market"), pl.col("url").alias("headline_id"), "title", known_at="first_seen"
    )
    terms = {"SIM_HE": grid.spec.headline_terms}
    assert_frame_equal(headline_frame(market, grid), headline_scores(raw, grid.frame, terms), check_exact=True)


def test_posts_score_as_in_the_pipeline(market: SimulatedMarket, grid: Grid) -> None:
    raw = post_rows(market, slice(0, len(grid.sessions))).select(
        pl.lit("SIM_HE").alias("market"), pl.col("url").alias("post_id"), "text", "author", known_at="first_seen"
    )
    terms = {"SIM_HE": grid.spec.headline_terms}
    assert_frame_equal(post_frame(market, grid), post_scores(raw, grid.frame, terms), check_exact=True)


def test_the_curve_has_its_settles_today_and_its_activity_a_session_late(market: SimulatedMarket, grid: Grid) -> None:
    rows = curve_rows(market, grid)
    assert rows.schema == {**FUTURES_CURVE.schema}
    first = rows.filter(session=grid.sessions[0])
    assert first["settle"].null_count() == 0
    assert first["volume"].null_count() == first.height
    front = rows.filter(role="front")
    assert front.height == len(grid.sessions)
    # The first session has no session before it in which anything was held.
    assert front["held_return"].null_count() == 1


def test_positions_stand_from_their_release_on(market: SimulatedMarket, grid: Grid) -> None:
    rows = positions_of(report_frame(market, grid), grid)
    assert rows.schema == {**COT_POSITIONS.schema}
    crowd = rows.filter(pl.col("category") == "managed_money")
    first = report_dates(FIRST, LAST)[0]
    # Tuesday's report is public on Friday, three days later.
    assert crowd["session"].min() == first + timedelta(days=3)
    assert (crowd["report_known_at"].dt.date() <= crowd["session"]).all()


def test_option_interest_is_that_of_the_chain(market: SimulatedMarket, grid: Grid) -> None:
    everything = slice(0, len(grid.sessions))
    assert market.series is not None
    chain = chain_rows(market.path, market.futures, market.series, market.curve, everything).filter(
        (pl.col("expiry") - pl.col("session")).dt.total_days() >= LEAST_DAYS
    )
    wanted = chain.group_by("session").agg(
        pl.col("open_interest").sum().alias("all"), pl.col("open_interest").filter(right="P").sum().alias("puts")
    )
    found = flow_rows(market, grid.keys, slices_of(market)).filter(basis="open_interest")
    both = found.drop_nulls("contracts").join(wanted, on="session")
    assert both.height == len(grid.sessions) - 1
    assert both["contracts"].to_list() == both["all"].to_list()
    assert both["put_contracts"].to_list() == both["puts"].to_list()
    balance = (both["gex_signed_per_percent"] / both["gex_unsigned_per_percent"]).to_numpy()
    assert np.abs(balance).max() < 1.0
