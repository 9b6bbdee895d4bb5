"""From texts with a tone to one score per session: a decayed mean, and how much it can be believed."""

from enum import StrEnum
from typing import Annotated

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from hydra_assets.sentiment.decay import DAY_US, half_life_weight

Floats = NDArray[np.float64]
Positive = Annotated[float, Field(gt=0)]


class TextReason(StrEnum):
    """Why a session has a score of its texts, or none."""

    OK = "ok"
    NO_HEADLINES = "no_headlines"
    """None was ever known for the market."""
    NO_POSTS = "no_posts"
    STALE = "stale"
    """All that is known is older than the greatest age."""
    IRRELEVANT = "irrelevant"
    """There are recent texts, and none says anything about the market."""


class DecayConfig(BaseModel):
    """How texts become a score. The numbers are chosen, not estimated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    half_life_days: Positive = 3.0
    max_age_days: Positive = 10.0
    """As the raw dataset's staleness limit."""
    half_confidence_count: Positive = 3.0
    """Fresh, relevant, independent texts that give half of full confidence."""


ITEM_SCHEMA: dict[str, pl.DataType] = {
    "market": pl.String(),
    "known_at": pl.Datetime("us", "UTC"),
    "item_score": pl.Float64(),
    "relevance": pl.Float64(),
    "is_copy": pl.Boolean(),
}
"""Texts of a source in the order in which they became known: tone, relevance, and whether it repeats an earlier one."""


def output_schema(prefix: str) -> dict[str, pl.DataType]:
    """Columns of ``session_scores``."""
    return {
        "market": pl.String(),
        "session": pl.Date(),
        f"{prefix}_score": pl.Float64(),
        f"{prefix}_confidence": pl.Float64(),
        f"{prefix}_count": pl.Int64(),
        f"{prefix}_copies": pl.Int64(),
        f"{prefix}_age_days": pl.Float64(),
        f"{prefix}_reason": pl.String(),
    }


def session_scores(
    items: pl.DataFrame, sessions: pl.DataFrame, config: DecayConfig, prefix: str, absent: TextReason
) -> pl.DataFrame:
    """One row per session from the texts known at its cutoff.

    With a_i = relevance_i * 2^(-age_i / half-life) over texts that are no copies, have a tone and are no older than
    ``max_age_days``:

        score      = sum a_i s_i / sum a_i
        confidence = A / (A + k) * (1 - sd_a(s)),   A = sum a_i,   sd_a the a-weighted standard deviation

    so that it grows with the number of independent texts and falls with their age and disagreement.

    Parameters
    ----------
    items
        ``ITEM_SCHEMA``, any order; rows after a cutoff do not count for its session.
    sessions
        Columns market, session and cutoff (UTC): the rows that are wanted.
    config, prefix, absent
        Numbers; the start of the columns' names; the reason where nothing was ever known.

    Returns
    -------
    ``output_schema(prefix)`` in the order of ``sessions``. Count and copies are always given; score, confidence and
    age (of the newest counted text) are null unless the reason is ``ok``.
    """
    parts = []
    for (market,), part in sessions.with_row_index("order").group_by(["market"], maintain_order=True):
        own = items.filter(pl.col("market") == market).sort("known_at", maintain_order=True)
        parts.append(_market(own, part, config, prefix, absent))
    schema = output_schema(prefix)
    if not parts:
        return pl.DataFrame(schema=schema)
    return pl.concat(parts).sort("order").select(pl.col(name).cast(dtype) for name, dtype in schema.items())


def _market(
    items: pl.DataFrame, sessions: pl.DataFrame, config: DecayConfig, prefix: str, absent: TextReason
) -> pl.DataFrame:
    known = items["known_at"].dt.epoch("us").to_numpy()
    cutoff = sessions["cutoff"].dt.epoch("us").to_numpy()
    end = np.searchsorted(known, cutoff, side="right")
    start = np.minimum(np.searchsorted(known, cutoff - int(config.max_age_days * DAY_US), side="left"), end)
    n = sessions.height
    row = np.repeat(np.arange(n), end - start)
    item = np.arange(len(row)) - np.repeat(np.cumsum(end - start) - (end - start), end - start) + start[row]
    tone = items["item_score"].cast(pl.Float64).fill_null(np.nan).to_numpy()[item]
    relevance = items["relevance"].cast(pl.Float64).to_numpy()[item]
    copy = items["is_copy"].cast(pl.Boolean).to_numpy()[item]
    usable = np.isfinite(tone) & (relevance > 0)
    copies = np.bincount(row[usable & copy], minlength=n)
    row, item, tone, relevance = (a[usable & ~copy] for a in (row, item, tone, relevance))
    age = (cutoff[row] - known[item]) / DAY_US
    weight = relevance * half_life_weight(age, config.half_life_days)
    # bincount adds in the order of the rows, so other sessions of the call do not touch a session's bits.
    total = np.bincount(row, weight, n)
    count = np.bincount(row, minlength=n)
    safe = np.where(count > 0, total, 1.0)
    score = np.bincount(row, weight * tone, n) / safe
    spread = np.bincount(row, weight * (tone - score[row]) ** 2, n) / safe
    confidence = total / (total + config.half_confidence_count) * np.clip(1 - np.sqrt(spread), 0.0, 1.0)
    newest = np.full(n, np.inf)
    np.minimum.at(newest, row, age)
    ok = count > 0
    reason = np.where(
        ok,
        str(TextReason.OK),
        np.where(end > start, str(TextReason.IRRELEVANT), np.where(end > 0, str(TextReason.STALE), str(absent))),
    )
    return sessions.select("order", "market", "session").with_columns(
        _where(ok, np.clip(score, -1.0, 1.0), f"{prefix}_score"),
        _where(ok, confidence, f"{prefix}_confidence"),
        pl.Series(f"{prefix}_count", count.astype(np.int64)),
        pl.Series(f"{prefix}_copies", copies.astype(np.int64)),
        _where(ok, newest, f"{prefix}_age_days"),
        pl.Series(f"{prefix}_reason", reason.tolist(), dtype=pl.String),
    )


def _where(ok: NDArray[np.bool_], values: Floats, name: str) -> pl.Series:
    return pl.Series(name, np.where(ok, values, np.nan), dtype=pl.Float64, nan_to_null=True)
