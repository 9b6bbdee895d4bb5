"""Social posts as a score: the headlines' functions, with more suspicion.

A post is cleaned of links, names and marks; reposts and posts with a handful of tags do not count; copies are found
at lower similarity and for longer; and of one author only the first few posts of a day count, so that nobody speaks
for the crowd by speaking often.
"""

import re
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Annotated

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from hydra_assets.sentiment.decay import DAY_US
from hydra_assets.sentiment.headlines import TextConfig, TextScorer, first_prints, text_items
from hydra_assets.sentiment.score import DecayConfig, TextReason, session_scores

_LINK = re.compile(r"(?:https?://|www\.)\S+")
_NAME = re.compile(r"(?<!\w)@\w+:?")
_REPOST = re.compile(r"^\s*(?:RT|QT)\b[\s:]", re.IGNORECASE)
_TAG = re.compile(r"[#$](?=[A-Za-z])")


class PostConfig(BaseModel):
    """Typed configuration of the post score. The numbers are chosen, not estimated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: TextConfig = TextConfig(similarity=0.4, story_days=7.0)
    decay: DecayConfig = DecayConfig(half_life_days=1.5, max_age_days=5.0, half_confidence_count=20.0)
    """Opinions age faster than news, and one of them is worth less."""
    most_per_author: Annotated[int, Field(ge=1)] = 2
    author_days: Annotated[float, Field(gt=0)] = 1.0
    most_tags: Annotated[int, Field(ge=0)] = 5
    """A post with more tags addresses everybody and says nothing about a market."""


def post_scores(
    posts: pl.DataFrame,
    sessions: pl.DataFrame,
    terms: Mapping[str, Sequence[str]],
    config: PostConfig | None = None,
    transformer: TextScorer | None = None,
) -> pl.DataFrame:
    """Score every session by the posts known at its cutoff.

    Parameters
    ----------
    posts
        Rows of ``raw_posts`` (market, post_id, text, author, known_at) of the markets, **from the first one on**.
        A missing author is one author called nobody.
    sessions, terms, config, transformer
        As for ``headlines.headline_scores``.

    Returns
    -------
    One row per session: market, session, ``post_score``, ``post_confidence``, ``post_count``, ``post_copies``,
    ``post_age_days``, ``post_reason`` (``TextReason``).
    """
    settings = config or PostConfig()
    items = post_items(posts, terms, settings, transformer)
    return session_scores(items, sessions, settings.decay, "post", TextReason.NO_POSTS)


def post_items(
    posts: pl.DataFrame, terms: Mapping[str, Sequence[str]], config: PostConfig, transformer: TextScorer | None = None
) -> pl.DataFrame:
    """Tone, relevance and story of each post; what is a repost, overtagged or over its author's cap has relevance 0."""
    rows = first_prints(posts, "text", "post_id")
    raw = rows["text"].to_list()
    cleaned = rows.with_columns(pl.Series("text", [clean(text) for text in raw], dtype=pl.String))
    loud = [_REPOST.match(text) is not None or len(_TAG.findall(text)) > config.most_tags for text in raw]
    items = text_items(
        cleaned.with_columns(pl.Series("loud", loud, dtype=pl.Boolean)), "text", terms, config.text, transformer
    )
    candidate = ~pl.col("is_copy") & ~pl.col("loud") & (pl.col("relevance") > 0)
    items = items.with_columns(candidate.alias("candidate"))
    over = over_cap(
        items["market"].to_list(),
        items["author"].fill_null("").to_list(),
        items["known_at"].dt.epoch("us").to_numpy(),
        items["candidate"].to_numpy(),
        config,
    )
    silenced = pl.col("loud") | pl.Series("over", over, dtype=pl.Boolean)
    return items.with_columns(pl.when(silenced).then(0.0).otherwise("relevance").alias("relevance")).drop(
        "loud", "candidate"
    )


def clean(text: str) -> str:
    """Text without links, names and the marks of tags: "#Corn" is corn, and "$ZC" the contract's root.

    >>> clean("RT @farmer: #Corn rallies! https://x.invalid/1")
    'Corn rallies!'
    """
    plain = _NAME.sub(" ", _LINK.sub(" ", _REPOST.sub(" ", text)))
    return " ".join(_TAG.sub("", plain).split())


def over_cap(
    markets: Sequence[str],
    authors: Sequence[str],
    known_us: NDArray[np.int64],
    candidate: NDArray[np.bool_],
    config: PostConfig,
) -> NDArray[np.bool_]:
    """Whether a post exceeds its author's cap, ``[n]``: ``most_per_author`` counted ones lie within the days before.

    Posts of a market come in the order in which they became known, so later posts silence no earlier one.
    """
    span = int(config.author_days * DAY_US)
    over = np.zeros(len(authors), dtype=np.bool_)
    counted: dict[tuple[str, str], deque[int]] = {}
    for i in np.flatnonzero(candidate).tolist():
        times = counted.setdefault((markets[i], authors[i].casefold()), deque())
        while times and known_us[i] - times[0] >= span:
            times.popleft()
        if len(times) >= config.most_per_author:
            over[i] = True
        else:
            times.append(int(known_us[i]))
    return over
