"""Which headlines are one story, what they say together, and that nothing later is seen."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hydra_assets.sentiment.decay import DAY_US
from hydra_assets.sentiment.headlines import (
    HeadlineConfig,
    TextConfig,
    first_of_story,
    first_prints,
    headline_items,
    headline_scores,
    story_words,
    text_tones,
)
from hydra_assets.sentiment.lexicon import lexicon_tone, tokens
from hydra_assets.sentiment.score import TextReason
from hydra_assets.sentiment.text_classifier import load_classifier, scores

TERMS = {"SIM_HE": ("lean hogs", "hogs", "pork"), "SIM_ZO": ("oats",)}
START = datetime(2024, 3, 4, 12, tzinfo=UTC)


def headlines(*rows: tuple[float, str], market: str = "SIM_HE") -> pl.DataFrame:
    """(days after START, title)."""
    data = [(market, f"{i:03}", title, START + timedelta(days=day)) for i, (day, title) in enumerate(rows)]
    schema = {"market": pl.String(), "headline_id": pl.String(), "title": pl.String()}
    return pl.DataFrame(data, schema={**schema, "known_at": pl.Datetime("us", "UTC")}, orient="row")


def sessions(n: int, market: str = "SIM_HE") -> pl.DataFrame:
    """Cutoffs twelve hours after START and daily from there."""
    cutoffs = [START + timedelta(days=i, hours=12) for i in range(n)]
    return pl.DataFrame(
        {
            "market": [market] * n,
            "session": [date(2024, 3, 4) + timedelta(days=i) for i in range(n)],
            "cutoff": cutoffs,
        },
        schema={"market": pl.String(), "session": pl.Date(), "cutoff": pl.Datetime("us", "UTC")},
    )


def stories(*texts: str, hours: float = 1.0, similarity: float = 0.6) -> list[int]:
    known = (np.arange(len(texts)) * hours * DAY_US / 24).astype(np.int64)
    return [int(i) for i in first_of_story(texts, known, 2 * DAY_US, similarity)]


def test_similarity_by_hand() -> None:
    # Pairs of A: ab bc cd de (4), of B: ab bc cd dx (4), three in common: 3 / 5 = 0.6.
    assert stories("a b c d e", "a b c d x") == [0, 0]
    assert stories("a b c d e", "a b c d x", similarity=0.61) == [0, 1]


def test_a_story_is_told_once_whatever_the_case_and_the_publisher() -> None:
    first = "Hogs rally as exports beat all forecasts"
    assert stories(first, first.upper(), f"{first} - Prairie Wire", f"{first} | Feedlot Ledger!") == [0, 0, 0, 0]
    assert story_words("Hogs up - Prairie Wire") == ["hogs", "up", "prairie", "wire"]


def test_numbers_part_stories() -> None:
    text = "weekly hog and pork exports as counted by the department total {} million tons"
    # Fourteen words, thirteen pairs, all but the two around the number in common: 11 / 15 is similar enough.
    assert stories(text.format("1.2"), text.format("0.4")) == [0, 1]
    assert stories(text.format("some"), text.format("0.4")) == [0, 0]
    assert stories("hogs rally on exports today", "hogs rally on exports today (4 March)") == [0, 0]


def test_after_the_window_it_is_news_again_and_a_copy_does_not_stretch_it() -> None:
    # Hours 0, 40, 80: the second copies the first, and the third is 80 hours after the first.
    assert stories("hogs rally again", "hogs rally again", "hogs rally again", hours=40) == [0, 0, 2]
    assert stories("hogs rally again", "hogs rally again", hours=48) == [0, 0]
    assert stories("hogs rally again", "hogs rally again", hours=48.01) == [0, 1]


def test_the_earliest_story_is_joined() -> None:
    assert stories("a b c d e", "z y x", "a b c d e") == [0, 1, 0]
    assert stories("", "", "x", "x", "y") == [0, 0, 2, 2, 4]


def test_a_tone_is_the_weighted_mean_of_its_readers() -> None:
    text = "Hogs rally as demand beats expectations"
    said = tokens(text, TERMS["SIM_HE"])
    listed = lexicon_tone(said).score
    trained = float(scores(load_classifier().probabilities([said]))[0])
    assert listed is not None
    found, concerns = text_tones([text], TERMS["SIM_HE"], TextConfig())
    assert found[0] == pytest.approx((2 * listed + trained) / 3)
    assert concerns.tolist() == [1.0]
    # Where the lexicon has no word the classifier is alone.
    quiet = "Pork board approves annual budget"
    alone = float(scores(load_classifier().probabilities([tokens(quiet, TERMS["SIM_HE"])]))[0])
    assert text_tones([quiet], TERMS["SIM_HE"], TextConfig())[0][0] == pytest.approx(alone)


class Sure:
    """A transformer that finds everything good."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        self.asked += texts
        return np.ones(len(texts))


def test_a_transformer_reads_what_concerns_the_market() -> None:
    reader = Sure()
    config = TextConfig(lexicon_weight=0, classifier_weight=1, transformer_weight=3)
    texts = ["Hogs slump while oats rally", "Wheat slumps", "Hogs slump while oats rally"]
    found, _ = text_tones(texts, TERMS["SIM_HE"], config, reader)
    trained = float(scores(load_classifier().probabilities([tokens("hogs slump")]))[0])
    assert found[0] == found[2] == pytest.approx((trained + 3) / 4)
    assert np.isnan(found[1])
    assert reader.asked == ["hogs slump"]


def test_a_name_alone_says_nothing() -> None:
    assert np.isnan(text_tones(["Hogs", "Pork?"], TERMS["SIM_HE"], TextConfig())[0]).all()


def test_first_print_counts() -> None:
    rows = headlines((2, "Hogs slump"), (1, "Hogs rally")).with_columns(pl.lit("same").alias("headline_id"))
    assert first_prints(rows, "title")["title"].to_list() == ["Hogs rally"]
    assert first_prints(rows.with_columns(pl.lit(None, pl.String).alias("title")), "title").is_empty()


def test_a_market_through_time() -> None:
    rows = headlines(
        (0.1, "Hogs rally on tight supplies"),
        (0.2, "HOGS RALLY ON TIGHT SUPPLIES - Feedlot Ledger"),
        (1.0, "Ten pork recipes for spring"),
        (3.0, "Ample supplies weigh on hogs"),
    )
    found = headline_scores(rows, sessions(15), TERMS)
    assert found["headline_reason"].to_list() == [TextReason.OK] * 13 + [TextReason.STALE] * 2
    assert found["headline_count"].to_list()[:4] == [1, 1, 1, 2]
    assert found["headline_copies"].to_list()[:2] == [1, 1]
    score = found["headline_score"].to_list()
    assert score[0] == score[2] > 0.5
    assert score[3] < 0
    confidence = found["headline_confidence"].to_list()
    assert confidence[0] > confidence[1] > confidence[2]


def test_absent() -> None:
    nothing = headline_scores(headlines(), sessions(2), TERMS)
    assert nothing["headline_reason"].to_list() == [TextReason.NO_HEADLINES] * 2
    assert nothing["headline_score"].null_count() == 2
    other = headline_scores(headlines((0, "Oats rally")), sessions(1), TERMS)
    assert other["headline_reason"].to_list() == [TextReason.IRRELEVANT]
    unnamed = headline_scores(headlines((0, "Hogs rally")), sessions(1), {})
    assert unnamed["headline_reason"].to_list() == [TextReason.IRRELEVANT]


def test_markets_do_not_copy_from_each_other() -> None:
    text = "Oats and hogs rally on tight supplies"
    both = pl.concat([headlines((0, text)), headlines((0.1, text), market="SIM_ZO")])
    items = headline_items(both, TERMS, TextConfig())
    assert items["is_copy"].to_list() == [False, False]


TITLES = st.sampled_from(
    [
        "Hogs rally on tight supplies",
        "HOGS rally on tight supplies",
        "Hogs slump as demand disappoints",
        "Pork exports rise 3%",
        "Pork exports rise 4%",
        "Ten pork recipes",
        "Hogs",
        "",
    ]
)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 12), TITLES), max_size=15), st.integers(1, 12))
def test_the_future_changes_nothing(rows: list[tuple[float, str]], split: int) -> None:
    frame, asked = headlines(*rows), sessions(13)
    whole = headline_scores(frame, asked, TERMS)
    cutoff = asked["cutoff"][split - 1]
    known = frame.filter(pl.col("known_at") <= cutoff)
    lies = frame.filter(pl.col("known_at") > cutoff).with_columns(pl.lit("Hogs crash on glut").alias("title"))
    for part in (known, pl.concat([lies, known]), known.sample(fraction=1.0, shuffle=True, seed=1)):
        assert headline_scores(part, asked.head(split), TERMS).equals(whole.head(split))
    assert headline_scores(frame, asked.tail(3), TERMS).equals(whole.tail(3))


def test_configuration_is_frozen_and_strict() -> None:
    with pytest.raises(ValueError, match="frozen"):
        HeadlineConfig().text.lexicon_weight = 3.0  # type: ignore[misc]
    with pytest.raises(ValueError, match="similarity"):
        TextConfig(similarity=0)
    with pytest.raises(ValueError, match="half_life"):
        HeadlineConfig.model_validate({"decay": {"half_life": 2}})
