"""Simulated posts: what they lean with, that the filter of the post score has work to do and does it."""

from datetime import date, datetime

import numpy as np
import polars as pl
import pytest

from hydra_assets.markets.expiry import front_contract
from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.model import MarketSpec
from hydra_assets.sentiment.posts import PostConfig, post_items
from hydra_assets.sources.simulated.curve import settles
from hydra_assets.sources.simulated.headlines import poisson
from hydra_assets.sources.simulated.market import SimulatedMarket, build_market
from hydra_assets.sources.simulated.posts import _OPINIONS, MOST_PER_SESSION, PostKind, post_rows
from hydra_assets.sources.simulated.world import World

from .sim_specs import HOGS, OATS

START, LAST = date(2019, 1, 2), date(2023, 12, 29)
PACKAGED = [spec for spec in load_markets().values() if spec.simulated]


def market_of(spec: MarketSpec = HOGS, **world: float) -> SimulatedMarket:
    market = build_market(spec, World.model_validate(world), 3, START, LAST)
    assert market is not None
    return market


def posts_of(market: SimulatedMarket) -> pl.DataFrame:
    return post_rows(market, slice(0, len(market.path.sessions)))


def items_of(market: SimulatedMarket) -> pl.DataFrame:
    spec = market.path.spec
    rows = posts_of(market).rename({"first_seen": "known_at", "url": "post_id"})
    rows = rows.with_columns(pl.lit(spec.symbol).alias("market"))
    items = post_items(rows, {spec.symbol: spec.headline_terms}, PostConfig())
    return items.with_columns(((pl.col("relevance") > 0) & ~pl.col("is_copy")).alias("counted"))


def test_how_many_and_by_whom() -> None:
    market = market_of()
    posts = posts_of(market)
    n = len(market.path.sessions)
    # 1.6 a session; three tenths of a session's reposts and copies have no opinion to repeat: 1.6 * (1 - 0.2 * 0.38).
    assert posts.height / n == pytest.approx(1.6 * (1 - 0.2 * np.exp(-1.6 * 0.6)), rel=0.05)
    assert posts["author"].n_unique() == 15
    assert posts["url"].n_unique() == posts.height
    share = dict(posts["kind"].value_counts(normalize=True).iter_rows())
    assert set(share) == set(PostKind)
    assert share["opinion"] == pytest.approx(0.6 / 0.924, abs=0.03)


def test_opinions_lean_with_the_positions_of_the_session_before() -> None:
    for strength in (0.0, 0.2, 1.0):
        market = market_of(post_correlation=strength, posts_per_session=4.0)
        posts = posts_of(market).filter(kind="opinion")
        days = posts["published"].dt.convert_time_zone("America/Chicago").dt.date().to_numpy()
        before = np.searchsorted(market.path.sessions, days.astype("datetime64[D]")) - 1
        seen = before >= 0
        tone = posts["tone"].to_numpy()[seen]
        found = np.corrcoef(tone, market.path.position[before[seen]])[0, 1]
        # A sign with a third of zeros keeps nine tenths of a correlation; the positions themselves are autocorrelated.
        assert found == pytest.approx(0.9 * strength, abs=0.05)
    assert set(posts_of(market_of(post_correlation=0.2))["tone"].drop_nulls()) == {-1, 0, 1}


def test_a_post_names_the_price_of_the_session_before() -> None:
    market = market_of(OATS)
    price = settles(market.path, market.curve)
    opinions = posts_of(market).filter(kind="opinion")
    days = opinions["published"].dt.convert_time_zone(OATS.timezone).dt.date().to_list()
    named = opinions["text"].str.extract(r"(\d+(?:\.\d+)?)").cast(pl.Float64).to_list()
    for day, said in list(zip(days, named, strict=True))[::50]:
        front = market.futures.months.index(front_contract(OATS, day))
        assert said == price[max(market.path.index(day) - 1, 0), front]
    assert len(set(named)) > 300


@pytest.mark.parametrize("spec", PACKAGED, ids=lambda spec: spec.symbol)
def test_the_filter_keeps_opinions_and_nothing_else(spec: MarketSpec) -> None:
    items = items_of(market_of(spec))
    counted = dict(items.group_by("kind").agg(pl.col("counted").mean()).iter_rows())
    assert counted.pop("opinion") > 0.93
    assert counted == dict.fromkeys(("repost", "copy", "off_topic", "spam"), 0.0)
    # Advertisements are always bullish: read like opinions they would tilt the score.
    loud = items.filter(kind="spam")["item_score"]
    assert loud.mean() > 0.3  # type: ignore[operator]


@pytest.mark.parametrize("spec", PACKAGED, ids=lambda spec: spec.symbol)
def test_every_phrase_is_read_the_way_it_is_meant(spec: MarketSpec) -> None:
    items = items_of(market_of(spec)).filter(kind="opinion")
    template = items["text"].str.replace_all(r"\d+(?:\.\d+)?", "N")
    read = items.with_columns(template.alias("template")).group_by("tone", "template").agg(pl.col("item_score").mean())
    assert read.height == sum(map(len, _OPINIONS.values()))
    assert read.filter(tone=1)["item_score"].min() > 0.2  # type: ignore[operator]
    assert read.filter(tone=-1)["item_score"].max() < -0.15  # type: ignore[operator]
    assert read.filter(tone=0)["item_score"].abs().max() < 0.3  # type: ignore[operator]


def test_repeats_are_of_the_session_before() -> None:
    posts = posts_of(market_of())
    seen: dict[str, datetime] = {}
    for published, text, kind in posts.select("published", "text", "kind").rows():
        if kind == "opinion":
            seen[text] = published
        elif kind in {"repost", "copy"}:
            original = text.partition(": ")[2] if kind == "repost" else text.rpartition(" https")[0]
            age = published - seen[original]
            assert 0 < age.total_seconds() < 6 * 86_400


def test_sessions_do_not_depend_on_the_window() -> None:
    market = market_of()
    whole = posts_of(market)
    parts = pl.concat([post_rows(market, slice(k, k + 1)) for k in range(40)])
    assert parts.equals(whole.head(parts.height))
    assert post_rows(market, slice(200, 230)).equals(
        whole.filter(pl.col("url").is_in(post_rows(market, slice(200, 230))["url"].implode()))
    )


def test_poisson_numbers_are_capped() -> None:
    # P(0) = e^-1.6 = 0.2019, P(<= 1) = 0.5249.
    assert [poisson(u, 1.6, MOST_PER_SESSION) for u in (0.2, 0.203, 0.524, 0.526, 0.9999999)] == [0, 1, 1, 2, 6]
