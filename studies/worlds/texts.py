"""Headlines and posts of a simulated market as scores, each stock phrase read once.

The simulator's texts differ from each other in a date or a price only, which no reader of tones looks at. Stories,
authors' caps and the fading with age are the pipeline's own.
"""

from functools import lru_cache

import numpy as np
import polars as pl

from hydra_assets.sentiment.decay import DAY_US
from hydra_assets.sentiment.headlines import HeadlineConfig, TextConfig, first_of_story, text_tones
from hydra_assets.sentiment.posts import PostConfig, clean, over_cap
from hydra_assets.sentiment.score import TextReason, session_scores
from hydra_assets.sources.simulated.headlines import headline_rows
from hydra_assets.sources.simulated.market import SimulatedMarket
from hydra_assets.sources.simulated.posts import PostKind, post_rows
from studies.worlds.cheap import Grid

_SILENT = (str(PostKind.REPOST), str(PostKind.SPAM))
"""Kinds that the post score never counts: marked as repeated, or with too many tags."""
_NUMBERS = r"\d+(?:\.\d+)?"


def headline_frame(market: SimulatedMarket, grid: Grid) -> pl.DataFrame:
    """Rows of ``headline_scores``.

    A copy is the same phrase of another publisher in one session; with another date its numbers make it news.
    """
    config = HeadlineConfig()
    rows = headline_rows(market, slice(0, len(grid.sessions))).sort("first_seen", maintain_order=True)
    items = _read(rows, "title", grid, config.text).with_columns(
        pl.col("title").is_first_distinct().not_().alias("is_copy")
    )
    return session_scores(items, grid.frame, config.decay, "headline", TextReason.NO_HEADLINES)


def post_frame(market: SimulatedMarket, grid: Grid) -> pl.DataFrame:
    """Rows of ``post_scores``.

    What says nothing is left out of the search for stories: a repost comes after its original, and spam and other
    matters share no phrase with an opinion.
    """
    config = PostConfig()
    rows = post_rows(market, slice(0, len(grid.sessions))).sort("first_seen", "url", maintain_order=True)
    rows = rows.with_columns(pl.Series("text", [clean(text) for text in rows["text"].to_list()], dtype=pl.String))
    items = _read(rows, "text", grid, config.text)
    silent = pl.col("kind").is_in(_SILENT)
    items = items.with_columns(pl.when(silent).then(0.0).otherwise("relevance").alias("relevance"))
    counts = items["relevance"].to_numpy() > 0.0
    said = items.filter(pl.Series(counts))
    known = said["known_at"].dt.epoch("us").to_numpy()
    first = first_of_story(said["text"].to_list(), known, int(config.text.story_days * DAY_US), config.text.similarity)
    copy = np.zeros(len(counts), dtype=np.bool_)
    copy[counts] = first != np.arange(len(first))
    over = over_cap(
        items["market"].to_list(),
        items["author"].to_list(),
        items["known_at"].dt.epoch("us").to_numpy(),
        counts & ~copy,
        config,
    )
    items = items.with_columns(
        pl.Series("is_copy", copy), pl.when(pl.Series(over)).then(0.0).otherwise("relevance").alias("relevance")
    )
    return session_scores(items, grid.frame, config.decay, "post", TextReason.NO_POSTS)


def _read(rows: pl.DataFrame, text: str, grid: Grid, config: TextConfig) -> pl.DataFrame:
    """Rows with market, known_at, item_score and relevance; one reading per phrase."""
    terms = tuple(grid.spec.headline_terms)
    rows = rows.with_columns(
        pl.col(text).str.replace_all(_NUMBERS, "#").str.replace(r" \([^)]*\)$", "").alias("phrase")
    )
    # Read with a number in its place: the same words whichever world is simulated first.
    phrases = rows["phrase"].unique(maintain_order=True).to_list()
    read = {phrase: _tone(phrase.replace("#", "1"), terms, config.model_dump_json()) for phrase in phrases}
    return rows.with_columns(
        pl.lit(grid.spec.symbol).alias("market"),
        pl.col("first_seen").alias("known_at"),
        _replaced({phrase: tone for phrase, (tone, _) in read.items()}).fill_nan(None).alias("item_score"),
        _replaced({phrase: concerns for phrase, (_, concerns) in read.items()}).alias("relevance"),
    )


def _replaced(values: dict[str, float]) -> pl.Expr:
    return pl.col("phrase").replace_strict(values, return_dtype=pl.Float64)


@lru_cache(maxsize=2048)
def _tone(text: str, terms: tuple[str, ...], config: str) -> tuple[float, float]:
    tone, relevance = text_tones([text], terms, TextConfig.model_validate_json(config))
    return float(tone[0]), float(relevance[0])
