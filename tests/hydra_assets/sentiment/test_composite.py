"""The composite by hand, absent sources, and the cap on its share of a model's features."""

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.features.dictionary import Group
from hydra_assets.sentiment.composite import (
    MAX_SENTIMENT_SHARE,
    SENTIMENT_GROUPS,
    CapReason,
    SentimentCapError,
    SentimentConfig,
    SentimentReason,
    SourceConfig,
    enforce_sentiment_cap,
    sentiment,
    sentiment_cap,
)

FIRST = date(2024, 1, 1)
Row = tuple[float | None, float | None, float | None]
SOURCES = {source.name: source for source in SentimentConfig().sources}


def frame(name: str, rows: Sequence[Row]) -> pl.DataFrame:
    """Score, confidence and age of a source, a row a day."""
    source = SOURCES[name]
    data = [("SIM_HE", FIRST + timedelta(days=i), *row) for i, row in enumerate(rows)]
    names = dict.fromkeys((source.score, source.confidence, source.age_days), pl.Float64())
    return pl.DataFrame(data, schema={"market": pl.String(), "session": pl.Date(), **names}, orient="row")


def sessions(n: int) -> pl.DataFrame:
    return pl.DataFrame({"market": ["SIM_HE"] * n, "session": [FIRST + timedelta(days=i) for i in range(n)]})


def test_by_hand() -> None:
    found = sentiment(
        {"cot": frame("cot", [(0.8, 0.6, 14.0)]), "headlines": frame("headlines", [(-0.2, 0.1, 0.0)])}, sessions(1)
    ).row(0, named=True)
    # v: 0.6 * 2^-1 = 0.3 and 0.1; p: 3/4 and 1/4. Score 0.6 - 0.05.
    assert found["sentiment_score"] == pytest.approx(0.55)
    # Variance 0.75 * 0.25^2 + 0.25 * 0.75^2 = 0.1875; trust (0.75 * 0.3 + 0.25 * 0.1) * (1 - sqrt 0.1875).
    assert found["sentiment_confidence"] == pytest.approx(0.25 * (1 - 0.1875**0.5))
    assert found["sentiment_sources"] == "cot,headlines"
    assert found["sentiment_reason"] == SentimentReason.OK


def test_weights_count() -> None:
    heavy = SentimentConfig(
        sources=tuple(
            source.model_copy(update={"weight": 3.0 if source.name == "posts" else 1.0}) for source in SOURCES.values()
        )
    )
    frames = {"posts": frame("posts", [(1.0, 0.5, 0.0)]), "order_flow": frame("order_flow", [(0.0, 0.5, 0.0)])}
    assert sentiment(frames, sessions(1), heavy)["sentiment_score"].to_list() == pytest.approx([0.75])
    assert sentiment(frames, sessions(1))["sentiment_score"].to_list() == pytest.approx([0.5])


def test_one_source_alone_keeps_its_score_and_its_faded_confidence() -> None:
    found = sentiment({"order_flow": frame("order_flow", [(-0.4, 0.8, 5.0)])}, sessions(1)).row(0, named=True)
    assert found["sentiment_score"] == pytest.approx(-0.4)
    assert found["sentiment_confidence"] == pytest.approx(0.4)


def test_absent_sources_and_reasons() -> None:
    cot = frame("cot", [(None, None, None), (0.5, None, 1.0), (0.5, 0.0, 1.0), (0.5, 0.9, 15.0), (0.5, 0.9, 1.0)])
    flow = frame("order_flow", [(None, None, None)] * 4 + [(None, 0.9, 1.0)])
    found = sentiment({"cot": cot, "order_flow": flow}, sessions(6))
    assert found["sentiment_reason"].to_list() == [
        SentimentReason.NO_SOURCES,
        SentimentReason.NO_CONFIDENCE,
        SentimentReason.NO_CONFIDENCE,
        SentimentReason.NO_CONFIDENCE,
        SentimentReason.OK,
        SentimentReason.NO_SOURCES,
    ]
    assert found["sentiment_score"].is_null().to_list() == [True, True, True, True, False, True]
    assert found["sentiment_sources"].to_list() == ["", "", "", "", "cot", ""]
    assert sentiment({}, sessions(1))["sentiment_reason"].to_list() == [SentimentReason.NO_SOURCES]


def test_too_little_weight_is_no_score() -> None:
    found = sentiment({"posts": frame("posts", [(0.5, 0.011, 0.0), (0.5, 0.009, 0.0)])}, sessions(2))
    assert found["sentiment_reason"].to_list() == [SentimentReason.OK, SentimentReason.NO_CONFIDENCE]


def test_a_blackout_of_texts_leaves_the_others() -> None:
    everything = {name: frame(name, [(0.5, 0.5, 0.0)] * 2) for name in SOURCES}
    assert sentiment(everything, sessions(2))["sentiment_sources"].to_list() == ["cot,headlines,posts,order_flow"] * 2
    without = {name: part for name, part in everything.items() if name in {"cot", "order_flow"}}
    found = sentiment(without, sessions(2))
    assert found["sentiment_score"].to_list() == pytest.approx([0.5, 0.5])


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="rumours"):
        sentiment({"rumours": frame("cot", [])}, sessions(1))
    twice = pl.concat([frame("cot", [(0.5, 0.5, 1.0)])] * 2)
    with pytest.raises(ValueError, match="several rows"):
        sentiment({"cot": twice}, sessions(1))
    with pytest.raises(ValueError, match="name of its own"):
        SentimentConfig(sources=(SOURCES["cot"], SOURCES["cot"]))
    with pytest.raises(ValueError, match="half_life_days"):
        SourceConfig(name="x", score="s", confidence="c", age_days="a", half_life_days=0, max_age_days=1)


VALUE = st.one_of(st.none(), st.floats(-1, 1))
TRUST = st.one_of(st.none(), st.floats(0, 1))
AGE = st.one_of(st.none(), st.floats(0, 20))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(*[st.tuples(VALUE, TRUST, AGE)] * 4), min_size=3, max_size=12), st.integers(1, 3))
def test_bounds_and_each_session_for_itself(rows: list[tuple[Row, Row, Row, Row]], split: int) -> None:
    frames = {name: frame(name, [row[k] for row in rows]) for k, name in enumerate(SOURCES)}
    whole = sentiment(frames, sessions(len(rows)))
    early = {name: part.head(split) for name, part in frames.items()}
    assert sentiment(early, sessions(split)).equals(whole.head(split))
    assert sentiment(frames, sessions(len(rows)).tail(1)).equals(whole.tail(1))
    ok = whole.filter(pl.col("sentiment_reason") == "ok")
    assert ok["sentiment_score"].is_between(-1, 1).all()
    assert ok["sentiment_confidence"].is_between(0, 1).all()
    assert (ok["sentiment_sources"] != "").all()


def features(derived: int, others: int) -> tuple[list[str], dict[str, str]]:
    groups = {f"s{i}": "crowd" for i in range(derived)} | {f"o{i}": "curve" for i in range(others)}
    return list(groups), groups


@pytest.mark.parametrize(
    ("derived", "others", "reason", "allowed"),
    [
        (1, 3, CapReason.OK, 1),
        (1, 2, CapReason.OVER_CAP, 0),
        (5, 15, CapReason.OK, 5),
        (6, 15, CapReason.OVER_CAP, 5),
        (0, 1, CapReason.OK, 0),
        (1, 0, CapReason.OVER_CAP, 0),
        (0, 0, CapReason.NO_FEATURES, 0),
    ],
)
def test_cap_by_hand(derived: int, others: int, reason: CapReason, allowed: int) -> None:
    names, groups = features(derived, others)
    verdict = sentiment_cap(names, groups)
    assert (verdict.reason, verdict.allowed, len(verdict.derived)) == (reason, allowed, derived)
    assert verdict.ok == (reason is CapReason.OK)
    if verdict.ok:
        enforce_sentiment_cap(names, groups)
    else:
        with pytest.raises(SentimentCapError, match=str(reason)) as caught:
            enforce_sentiment_cap(names, groups)
        assert caught.value.verdict == verdict


def test_a_name_counts_once_and_needs_a_group() -> None:
    names, groups = features(1, 3)
    assert sentiment_cap([*names, "s0", "s0"], groups).share == 0.25
    # A third of three is one, though (1 / 3) * 2 / (1 - 1 / 3) is a bit less in floating point.
    assert sentiment_cap(*features(1, 2), cap=1 / 3).ok
    strange = sentiment_cap([*names, "mystery"], groups)
    assert (strange.reason, strange.unknown) == (CapReason.UNKNOWN_FEATURE, ("mystery",))
    with pytest.raises(ValueError, match="cap"):
        sentiment_cap(names, groups, cap=1.0)


def test_the_groups_are_groups_of_the_dictionary() -> None:
    assert {str(group) for group in Group} >= SENTIMENT_GROUPS


@given(st.integers(0, 60), st.integers(1, 200))
def test_the_cap_is_the_share(derived: int, others: int) -> None:
    verdict = sentiment_cap(*features(derived, others))
    assert verdict.share == pytest.approx(derived / (derived + others))
    assert verdict.ok == (4 * derived <= derived + others)
    assert MAX_SENTIMENT_SHARE == 0.25
