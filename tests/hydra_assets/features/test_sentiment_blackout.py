"""Sentiment blackout: no reports, headlines, posts or activity. The chain says so at every step and goes on."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import polars as pl
import pytest

from hydra_assets.columns import COT_POSITIONS, FUTURES_CURVE, IMPLIED_MOMENTS, REAL_WORLD_DENSITY
from hydra_assets.features.assemble import assemble
from hydra_assets.features.dictionary import Group, names_of
from hydra_assets.sentiment.composite import SentimentReason, sentiment
from hydra_assets.sentiment.cot_sentiment import cot_sentiment
from hydra_assets.sentiment.headlines import headline_scores
from hydra_assets.sentiment.order_flow import order_flow_scores
from hydra_assets.sentiment.posts import post_scores
from hydra_assets.signals.assessment import SignalReason, divergence_signals
from tests.hydra_assets.features.test_assemble import N, base, sources

TERMS = {"SIM_HE": ("hogs",)}
TEXT = {"market": pl.String(), "known_at": pl.Datetime("us", "UTC")}


def texts(*columns: str) -> pl.DataFrame:
    return pl.DataFrame(schema={**TEXT, **dict.fromkeys(columns, pl.String())})


def scored_sources(posts: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Every source of sentiment as its own function says it, from nothing but perhaps posts."""
    cutoffs = base().with_columns(
        pl.Series(
            "cutoff",
            [datetime.combine(day, time(22), UTC) for day in base()["session"]],
            dtype=pl.Datetime("us", "UTC"),
        )
    )
    return {
        "cot": cot_sentiment(pl.DataFrame(schema=COT_POSITIONS.schema), base()),
        "headlines": headline_scores(texts("headline_id", "title"), cutoffs, TERMS),
        "posts": post_scores(posts, cutoffs, TERMS),
        "order_flow": order_flow_scores(pl.DataFrame(schema=FUTURES_CURVE.schema), base()),
    }


def moments() -> pl.DataFrame:
    """A year of an options view that is there, so that only sentiment can be what is missing."""
    rng = np.random.default_rng(3)
    names = ("tilt", "risk_reversal_25", "skew", "kurt", "atm_vol", "mean")
    given = {
        **{name: pl.Series(rng.standard_normal(N)) for name in names},
        **{f"{name}_se": pl.Series(np.full(N, 0.05)) for name in names},
        "tenor": pl.lit("60d"),
        "grade": pl.lit("A"),
        "moments_reason": pl.lit("ok"),
    }
    rows = base().with_columns(v.alias(k) for k, v in given.items() if k in IMPLIED_MOMENTS.columns)
    absent = [pl.lit(None, t).alias(c) for c, t in IMPLIED_MOMENTS.schema.items() if c not in rows.columns]
    return rows.with_columns(absent).select(pl.col(c).cast(t) for c, t in IMPLIED_MOMENTS.schema.items())


NOTHING = texts("post_id", "text", "author")


def test_every_source_is_absent_with_a_reason_and_so_is_the_composite() -> None:
    found = scored_sources(NOTHING)
    reasons = {
        "cot": ("crowd", "no_report"),
        "headlines": ("headline", "no_headlines"),
        "posts": ("post", "no_posts"),
        "order_flow": ("order_flow", "no_activity"),
    }
    for source, (name, reason) in reasons.items():
        frame = found[source]
        assert frame.height == N, source
        assert frame[f"{name}_reason"].unique().to_list() == [reason], source
        assert frame[f"{name}_score"].null_count() == frame[f"{name}_confidence"].null_count() == N, source
    mood = sentiment(found, base())
    assert mood["sentiment_reason"].unique().to_list() == [SentimentReason.NO_SOURCES]
    assert mood["sentiment_sources"].unique().to_list() == [""]
    assert mood.select("sentiment_score", "sentiment_confidence").null_count().row(0) == (N, N)
    # Frames that are not there at all say the same.
    assert sentiment({}, base()).equals(mood)


def test_the_divergence_is_absent_and_the_features_are_null_and_say_so() -> None:
    found = scored_sources(NOTHING)
    mood = sentiment(found, base())
    gap = divergence_signals(moments(), pl.DataFrame(schema=REAL_WORLD_DENSITY.schema), mood, base())
    assert gap["divergence_type"].unique().to_list() == ["absent"]
    assert set(gap["divergence_reason"]) <= {SignalReason.NO_SENTIMENT_VIEW, SignalReason.NO_OPTIONS_VIEW}
    assert gap["divergence_reason"][-1] == SignalReason.NO_SENTIMENT_VIEW
    assert gap.select("divergence_z", "sentiment_z", "divergence_direction").null_count().row(0) == (N, N, N)
    held = replace(
        sources(),
        crowd=found["cot"],
        headlines=found["headlines"],
        order_flow=found["order_flow"],
        sentiment=mood,
        divergence=gap,
    )
    rows = assemble(held, base())
    assert rows.height == N
    own = {"options_z"}  # the options' half of the gap does not need the crowd
    for group in (Group.CROWD, Group.SENTIMENT, Group.DIVERGENCE):
        for name in set(names_of(group)) - own:
            assert rows[name].null_count() == N, name
    last = rows.row(-1, named=True)
    assert last["features_missing"] == "crowd:no_report,sentiment:no_sources,divergence:no_sentiment_view"
    # What does not come from sentiment is untouched.
    full = assemble(sources(), base())
    for group in (Group.OPTIONS, Group.FLOWS, Group.CURVE, Group.CROSS_MARKET):
        kept = [name for name in names_of(group) if name not in {"tilt_z", "options_z"}]
        assert rows.select(kept).equals(full.select(kept)), group


def test_posts_alone_are_enough_for_a_composite_and_fade_out_of_it() -> None:
    start = date(2024, 1, 1)
    said = pl.DataFrame(
        [("SIM_HE", datetime.combine(start + timedelta(days=10), time(22), UTC), "1", "Hogs rally on demand", "bo")],
        schema=NOTHING.schema,
        orient="row",
    )
    mood = sentiment(scored_sources(said), base())
    assert mood["sentiment_sources"][10] == "posts"
    assert mood["sentiment_score"][10] > 0
    # One post, just known: 1 / (1 + 20), then the same again as a weight in the composite of one.
    assert mood["sentiment_confidence"][10] == pytest.approx(1 / 21)
    # After six days it is older than five.
    by_day = dict(zip(range(N), mood["sentiment_reason"].to_list(), strict=True))
    assert by_day[9] == by_day[16] == SentimentReason.NO_SOURCES
    assert by_day[11] == SentimentReason.OK
