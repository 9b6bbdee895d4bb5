"""Headlines as a score: what concerns the market, each story once, its tone by lexicon and classifier, decayed.

A syndicated story counts when it is first seen; the copies are counted and carry no weight. A text belongs to a story
where it shares enough pairs of neighbouring words with the story's first text, no later than a window after it, and no
number contradicts: "exports 1.2 million" and "exports 0.4 million" are two stories.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from hydra_assets.sentiment.decay import DAY_US
from hydra_assets.sentiment.lexicon import MASK, lexicon_tone, normal, numbers, own_part, relevance, tokens
from hydra_assets.sentiment.score import ITEM_SCHEMA, DecayConfig, TextReason, session_scores
from hydra_assets.sentiment.text_classifier import TextClassifier, load_classifier, scores

Weight = Annotated[float, Field(ge=0)]
MAX_PUBLISHER_WORDS = 4
MIN_STORY_WORDS = 4


class TextScorer(Protocol):
    """A model that reads whole texts, such as ``text_classifier.TransformerScorer``."""

    def scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Score in [-1, +1] of each text, ``[n]``, the same whatever else is asked with it."""


class TextConfig(BaseModel):
    """How one text is read. The numbers are chosen, not estimated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lexicon_weight: Weight = 2.0
    """Twice the classifier's: on held-out headlines it has the opposite sign less often (``--report``)."""
    classifier_weight: Weight = 1.0
    transformer_weight: Weight = 2.0
    similarity: Annotated[float, Field(gt=0, le=1)] = 0.6
    """Jaccard similarity of word pairs from which on a text is a copy."""
    story_days: Annotated[float, Field(gt=0)] = 2.0
    """Copies come within so many days of the first; later the same words are news again."""


class HeadlineConfig(BaseModel):
    """Typed configuration of the headline score."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: TextConfig = TextConfig()
    decay: DecayConfig = DecayConfig()


def headline_scores(
    headlines: pl.DataFrame,
    sessions: pl.DataFrame,
    terms: Mapping[str, Sequence[str]],
    config: HeadlineConfig | None = None,
    transformer: TextScorer | None = None,
) -> pl.DataFrame:
    """Score every session by the headlines known at its cutoff.

    Parameters
    ----------
    headlines
        Rows of ``raw_headlines`` (market, headline_id, title, known_at) of the markets, **from the first one on** to
        the last cutoff: which text is the first of its story depends on those before. Later rows do not matter.
    sessions
        Columns market, session and cutoff (UTC): the rows that are wanted.
    terms
        ``headline_terms`` of each market; a market without any has no relevant headline.
    config
        Numbers; the defaults where None.
    transformer
        A further scorer of texts, or none.

    Returns
    -------
    One row per session: market, session, ``headline_score``, ``headline_confidence``, ``headline_count``,
    ``headline_copies``, ``headline_age_days``, ``headline_reason`` (``TextReason``).
    """
    settings = config or HeadlineConfig()
    items = headline_items(headlines, terms, settings.text, transformer)
    return session_scores(items, sessions, settings.decay, "headline", TextReason.NO_HEADLINES)


def headline_items(
    headlines: pl.DataFrame,
    terms: Mapping[str, Sequence[str]],
    config: TextConfig,
    transformer: TextScorer | None = None,
) -> pl.DataFrame:
    """Tone, relevance and story of each headline: ``score.ITEM_SCHEMA`` with ``headline_id`` and ``title``."""
    return text_items(first_prints(headlines, "title"), "title", terms, config, transformer)


def first_prints(rows: pl.DataFrame, text: str, key: str = "headline_id") -> pl.DataFrame:
    """Rows in the order in which they became known, each key as first seen; a text that is missing is no row."""
    return (
        rows.filter(pl.col("known_at").is_not_null() & pl.col(text).is_not_null())
        .sort("market", "known_at", key, text)
        .unique(["market", key], keep="first", maintain_order=True)
    )


def text_items(
    rows: pl.DataFrame,
    text: str,
    terms: Mapping[str, Sequence[str]],
    config: TextConfig,
    transformer: TextScorer | None = None,
) -> pl.DataFrame:
    """Items of rows in the order of ``first_prints``; all their columns are kept."""
    parts = [rows.clear().with_columns(pl.lit(None, ITEM_SCHEMA[c]).alias(c) for c in _ADDED)]
    for (market,), part in rows.group_by(["market"], maintain_order=True):
        titles = part[text].to_list()
        known = part["known_at"].dt.epoch("us").to_numpy()
        own = tuple(terms.get(str(market), ()))
        tone, concerns = text_tones(titles, own, config, transformer)
        first = first_of_story(titles, known, int(config.story_days * DAY_US), config.similarity)
        parts.append(
            part.with_columns(
                pl.Series("item_score", tone, dtype=pl.Float64, nan_to_null=True),
                pl.Series("relevance", concerns, dtype=pl.Float64),
                pl.Series("is_copy", first != np.arange(len(first)), dtype=pl.Boolean),
            )
        )
    return pl.concat(parts)


_ADDED = ("item_score", "relevance", "is_copy")


def text_tones(
    texts: Sequence[str],
    terms: Sequence[str],
    config: TextConfig,
    transformer: TextScorer | None = None,
    classifier: TextClassifier | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Tone ``[n]`` in [-1, +1] and relevance ``[n]`` in {0, 0.5, 1} of texts for a market with these terms.

    The tone is the weighted mean of those readers that know a word of it; NaN where none does or it is irrelevant.
    """
    distinct = list(dict.fromkeys(texts))
    concerns = {text: relevance(text, terms) if terms else 0.0 for text in distinct}
    read = [text for text in distinct if concerns[text] > 0]
    own = [own_part(text, terms) for text in read]
    said = [tokens(text, terms) for text in own]
    listed = np.array([np.nan if (s := lexicon_tone(words).score) is None else s for words in said], dtype=np.float64)
    # A text of commodity names alone says nothing, though the classifier has seen the name.
    spoken = np.array([any(w not in (MASK, "|") for w in words) for words in said], dtype=np.bool_)
    model = classifier or load_classifier()
    views = [
        (config.lexicon_weight, listed),
        (config.classifier_weight, np.where(spoken, scores(model.probabilities(said)), np.nan)),
    ]
    if transformer is not None and read:
        views.append((config.transformer_weight, np.asarray(transformer.scores(own), dtype=np.float64)))
    above, below = np.zeros(len(read)), np.zeros(len(read))
    for weight, values in views:
        seen = np.isfinite(values)
        above += np.where(seen, weight * values, 0.0)
        below += np.where(seen, weight, 0.0)
    mean = np.where(below > 0, above / np.where(below > 0, below, 1.0), np.nan)
    tone = dict(zip(read, mean.tolist(), strict=True))
    return (
        np.array([tone.get(text, np.nan) for text in texts], dtype=np.float64),
        np.array([concerns[text] for text in texts], dtype=np.float64),
    )


def story_words(text: str) -> list[str]:
    """Words that tell a story from another one: without a publisher at the end ("... - Prairie Wire")."""
    parts = [part.split() for part in normal(text).split(" | ")]
    if len(parts) > 1 and len(parts[-1]) <= MAX_PUBLISHER_WORDS and sum(map(len, parts[:-1])) >= MIN_STORY_WORDS:
        parts.pop()
    words = (word.strip(".,;:!?\"'()[]") for part in parts for word in part)
    return [word for word in words if word]


def first_of_story(
    texts: Sequence[str], known_us: NDArray[np.int64], window_us: int, similarity: float
) -> NDArray[np.int64]:
    """Index of the first text of each text's story, ``[n]``; its own where it is the first.

    Texts come in the order in which they became known. A text joins the earliest story whose first text is at most
    ``window_us`` older, has at least ``similarity`` of the word pairs in common (|A and B| / |A or B|), and whose
    numbers contain this one's or are contained in them. Later texts change nothing.
    """
    first = np.arange(len(texts), dtype=np.int64)
    pairs: list[frozenset[tuple[str, ...]]] = []
    counts: list[frozenset[str]] = []
    holders: dict[tuple[str, ...], list[int]] = {}
    for i, text in enumerate(texts):
        words = story_words(text)
        own: frozenset[tuple[str, ...]] = frozenset(pairwise(words)) or frozenset([tuple(words)])
        pairs.append(own)
        counts.append(numbers(normal(text)))
        shared: Counter[int] = Counter()
        for pair in own:
            recent = [j for j in holders.get(pair, ()) if known_us[i] - known_us[j] <= window_us]
            shared.update(recent)
            holders[pair] = recent
        for j in sorted(shared):
            alike = shared[j] / (len(own) + len(pairs[j]) - shared[j])
            if alike >= similarity and (counts[i] <= counts[j] or counts[j] <= counts[i]):
                first[i] = j
                break
        else:
            for pair in own:
                holders[pair].append(i)
    return first
