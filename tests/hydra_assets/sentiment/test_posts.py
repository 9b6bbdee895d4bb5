"""Posts: what is cleaned away, who is silenced, and that nothing later is seen."""

import doctest
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.sentiment import posts
from hydra_assets.sentiment.decay import DAY_US
from hydra_assets.sentiment.posts import PostConfig, clean, over_cap, post_items, post_scores
from hydra_assets.sentiment.score import TextReason

TERMS = {"SIM_HE": ("hogs", "pork")}
START = datetime(2024, 3, 4, 12, tzinfo=UTC)


def frame(*rows: tuple[float, str | None, str]) -> pl.DataFrame:
    """(days after START, author, text)."""
    data = [
        ("SIM_HE", f"{i:03}", text, author, START + timedelta(days=day)) for i, (day, author, text) in enumerate(rows)
    ]
    names = ("market", "post_id", "text", "author")
    schema = {**dict.fromkeys(names, pl.String()), "known_at": pl.Datetime("us", "UTC")}
    return pl.DataFrame(data, schema=schema, orient="row")


def sessions(n: int) -> pl.DataFrame:
    return pl.DataFrame(
        [("SIM_HE", date(2024, 3, 4) + timedelta(days=i), START + timedelta(days=i, hours=12)) for i in range(n)],
        schema={"market": pl.String(), "session": pl.Date(), "cutoff": pl.Datetime("us", "UTC")},
        orient="row",
    )


def counted(*rows: tuple[float, str | None, str]) -> list[bool]:
    items = post_items(frame(*rows), TERMS, PostConfig())
    return items.select(~pl.col("is_copy") & (pl.col("relevance") > 0)).to_series().to_list()


def test_docstrings_run() -> None:
    assert doctest.testmod(posts).failed == 0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("#Hogs up https://x.invalid/a?b=1 @desk", "Hogs up"),
        ("RT @desk: hogs up", "hogs up"),
        ("$HE to 100", "HE to 100"),
        ("costs $5, #1 pick, mail@desk", "costs $5, #1 pick, mail@desk"),
    ],
)
def test_clean(text: str, expected: str) -> None:
    assert clean(text) == expected


def test_an_author_speaks_twice_a_day() -> None:
    # Hours 0, 6, 12 and 24 of one author: the third is over, at 24 hours the first no longer counts against the fourth.
    known = np.array([0, 0.25, 0.5, 1.0]) * DAY_US
    found = over_cap(["M"] * 4, ["Bo", "bo", "BO", "bo"], known.astype(np.int64), np.ones(4, bool), PostConfig())
    assert found.tolist() == [False, False, True, False]
    # What is no candidate uses up nothing, and other authors and markets have their own.
    skip = np.array([True, False, True, True])
    assert not over_cap(["M"] * 4, ["bo"] * 4, known.astype(np.int64), skip, PostConfig()).any()
    assert not over_cap(list("MMNN"), ["bo"] * 4, np.zeros(4, np.int64), np.ones(4, bool), PostConfig()).any()


def test_what_counts() -> None:
    assert counted(
        (0.0, "a", "Hogs rally on tight supplies"),
        (0.1, "b", "Hogs rally on tight supplies https://x.invalid"),
        (0.2, "c", "RT @a: Pork demand is strong again"),
        (0.3, "d", "#a #b #c #d #e #hogs bullish market"),
        (0.4, "e", "Best pork recipe ever"),
        (0.5, "a", "Pork exports look weak to me"),
        (0.6, "a", "Packers cut hogs bids in Iowa"),
        (1.7, "a", "Hogs weights are up this week"),
    ) == [True, False, False, False, False, True, False, True]


def test_nobody_is_one_author() -> None:
    rows = [(0.1 * i, None, text) for i, text in enumerate(("Hogs rally", "Pork slumps hard", "Hogs supplies grow"))]
    assert counted(*rows) == [True, True, False]


def test_scores_and_reasons() -> None:
    found = post_scores(frame((0, "a", "Hogs rally"), (0, "b", "RT hogs rally on news")), sessions(7), TERMS)
    assert found["post_reason"].to_list() == [TextReason.OK] * 5 + [TextReason.STALE] * 2
    assert found["post_score"][0] > 0
    # One post, half a day old at a half-life of 1.5: A = 2^(-1/3), confidence A / (A + 20).
    weight = 2 ** (-1 / 3)
    assert found["post_confidence"][0] == pytest.approx(weight / (weight + 20))
    assert post_scores(frame(), sessions(1), TERMS)["post_reason"].to_list() == [TextReason.NO_POSTS]


POSTS = st.tuples(
    st.floats(0, 8),
    st.sampled_from(["a", "b", None]),
    st.sampled_from(["Hogs rally", "hogs RALLY!", "Pork slumps on glut", "RT pork up", "hogs supplies shrink", "x"]),
)


@settings(max_examples=20, deadline=None)
@given(st.lists(POSTS, max_size=15), st.integers(1, 8))
def test_the_future_changes_nothing(rows: list[tuple[float, str | None, str]], split: int) -> None:
    whole = post_scores(frame(*rows), sessions(9), TERMS)
    known = frame(*rows).filter(pl.col("known_at") <= sessions(9)["cutoff"][split - 1])
    assert post_scores(known, sessions(split), TERMS).equals(whole.head(split))
    assert post_scores(frame(*rows), sessions(9).tail(2), TERMS).equals(whole.tail(2))
