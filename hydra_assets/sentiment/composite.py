"""The crowd's mood in one number, each source by what it knows and how old that is; and its cap in a model."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from hydra_assets.sentiment.decay import half_life_weight

Floats = NDArray[np.float64]
MAX_SENTIMENT_SHARE = 0.25
"""Of a model's features, those derived from sentiment."""
SENTIMENT_GROUPS = frozenset({"crowd", "sentiment", "divergence"})
"""Groups of the feature dictionary that hold such features; a divergence has the crowd in it."""


class SentimentReason(StrEnum):
    """Why a session has a composite score, or none."""

    OK = "ok"
    NO_SOURCES = "no_sources"
    """No source has a score."""
    NO_CONFIDENCE = "no_confidence"
    """Sources have scores, and none has weight after age and confidence."""


class SourceConfig(BaseModel):
    """One source: the columns of its frame, its weight and how fast it ages."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z][a-z_]*$")]
    score: str
    confidence: str
    age_days: str
    weight: Annotated[float, Field(gt=0)] = 1.0
    half_life_days: Annotated[float, Field(gt=0)]
    max_age_days: Annotated[float, Field(gt=0)]


class SentimentConfig(BaseModel):
    """Typed configuration of the composite. Weights are equal and half-lives chosen, not estimated.

    A half-life is about the time in which a source is told anew: a report lives a week between two releases.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[SourceConfig, ...] = (
        SourceConfig(
            name="cot",
            score="crowd_score",
            confidence="crowd_confidence",
            age_days="report_age_days",
            half_life_days=14.0,
            max_age_days=14.0,
        ),
        SourceConfig(
            name="headlines",
            score="headline_score",
            confidence="headline_confidence",
            age_days="headline_age_days",
            half_life_days=3.0,
            max_age_days=10.0,
        ),
        SourceConfig(
            name="posts",
            score="post_score",
            confidence="post_confidence",
            age_days="post_age_days",
            half_life_days=1.5,
            max_age_days=5.0,
        ),
        SourceConfig(
            name="order_flow",
            score="order_flow_score",
            confidence="order_flow_confidence",
            age_days="order_flow_age_days",
            half_life_days=5.0,
            max_age_days=10.0,
        ),
    )
    least_weight: Annotated[float, Field(ge=0)] = 0.01
    """Sum of weights below which there is nothing to average."""

    @model_validator(mode="after")
    def _distinct(self) -> "SentimentConfig":
        names = [source.name for source in self.sources]
        if len(set(names)) != len(names) or not names:
            raise ValueError("each source needs a name of its own, and there must be one")
        return self


def sentiment(
    frames: Mapping[str, pl.DataFrame], sessions: pl.DataFrame, config: SentimentConfig | None = None
) -> pl.DataFrame:
    """Score every session by the sources present.

    With v_k = weight_k * confidence_k * 2^(-age_k / half-life_k) over sources whose score, confidence and age are
    there and whose age is at most ``max_age_days``, and p_k = v_k / sum v:

        score      = sum p_k s_k
        confidence = sum p_k (v_k / weight_k) * (1 - sd_p(s))

    A source that is absent is left out and lowers nothing; sources that contradict each other lower the confidence.

    Parameters
    ----------
    frames
        By source name, rows with market, session and the source's three columns; a source without a frame is absent.
        One row per (market, session) at most.
    sessions
        Columns market and session: the rows that are wanted.
    config
        Sources and numbers; the defaults where None.

    Returns
    -------
    One row per session: market, session, ``sentiment_score``, ``sentiment_confidence``, ``sentiment_sources`` (names
    in the configuration's order, comma between; empty where none), ``sentiment_reason``. Each row depends on the
    sources' rows of its own session only.

    Raises
    ------
    ValueError
        A frame has a name that is not configured, or several rows of a session.
    """
    settings = config or SentimentConfig()
    strange = sorted(set(frames) - {source.name for source in settings.sources})
    if strange:
        raise ValueError(f"no source is called {', '.join(strange)}")
    asked = sessions.select("market", "session")
    n = asked.height
    scores, faded, values = [], [], []
    any_score = np.zeros(n, dtype=np.bool_)
    for source in settings.sources:
        score, confidence, age = _columns(frames.get(source.name), asked, source)
        weight = confidence * half_life_weight(age, source.half_life_days)
        there = np.isfinite(score) & np.isfinite(weight) & (age <= source.max_age_days)
        any_score |= np.isfinite(score)
        scores.append(np.where(there, score, 0.0))
        faded.append(np.where(there, weight, 0.0))
        values.append(np.where(there, source.weight * weight, 0.0))
    present = np.array(values) > 0
    total = _sum(values, n)
    ok = (total > 0) & (total >= settings.least_weight)
    share = [v / np.where(ok, total, 1.0) for v in values]
    mean = _sum([p * s for p, s in zip(share, scores, strict=True)], n)
    spread = _sum([p * (s - mean) ** 2 for p, s in zip(share, scores, strict=True)], n)
    trust = _sum([p * f for p, f in zip(share, faded, strict=True)], n) * np.clip(1 - np.sqrt(spread), 0.0, 1.0)
    names = [source.name for source in settings.sources]
    listed = [
        ",".join(name for name, here in zip(names, column, strict=True) if here) if fine else ""
        for column, fine in zip(present.T.tolist(), ok.tolist(), strict=True)
    ]
    reason = np.where(
        ok,
        str(SentimentReason.OK),
        np.where(any_score, str(SentimentReason.NO_CONFIDENCE), str(SentimentReason.NO_SOURCES)),
    )
    return asked.with_columns(
        pl.Series("sentiment_score", np.where(ok, np.clip(mean, -1, 1), np.nan), dtype=pl.Float64, nan_to_null=True),
        pl.Series("sentiment_confidence", np.where(ok, trust, np.nan), dtype=pl.Float64, nan_to_null=True),
        pl.Series("sentiment_sources", listed, dtype=pl.String),
        pl.Series("sentiment_reason", reason.tolist(), dtype=pl.String),
    )


def _columns(frame: pl.DataFrame | None, asked: pl.DataFrame, source: SourceConfig) -> tuple[Floats, Floats, Floats]:
    """Score, confidence in [0, 1] and age of a source for each session asked for; NaN where absent."""
    if frame is None:
        nothing = np.full(asked.height, np.nan)
        return nothing, nothing, nothing
    if frame.select("market", "session").is_duplicated().any():
        raise ValueError(f"{source.name} has several rows of a session")
    names = ("source_score", "source_confidence", "source_age_days")
    columns = (source.score, source.confidence, source.age_days)
    rows = frame.select(
        "market",
        "session",
        *(pl.col(c).cast(pl.Float64).alias(name) for c, name in zip(columns, names, strict=True)),
    )
    joined = asked.join(rows, on=["market", "session"], how="left", maintain_order="left")
    score, confidence, age = (joined[name].fill_null(np.nan).to_numpy() for name in names)
    return score, np.clip(confidence, 0.0, 1.0), age


def _sum(parts: Sequence[Floats], n: int) -> Floats:
    """Sum in the order of the sources, the same to the bit in any range of sessions."""
    total = np.zeros(n)
    for part in parts:
        total = total + part
    return total


class CapReason(StrEnum):
    """What the cap on sentiment-derived features says of a list of features."""

    OK = "ok"
    OVER_CAP = "sentiment_over_cap"
    UNKNOWN_FEATURE = "unknown_feature"
    """A feature without a group: its origin cannot be judged."""
    NO_FEATURES = "no_features"


@dataclass(frozen=True, slots=True)
class CapVerdict:
    """Share of sentiment-derived features and what is wrong with it.

    ``derived`` are those features in the list's order; ``allowed`` is how many of them the others would carry.
    """

    reason: CapReason
    share: float
    derived: tuple[str, ...]
    allowed: int
    unknown: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the list may be used."""
        return self.reason is CapReason.OK


class SentimentCapError(ValueError):
    """A list of features with too much sentiment in it; ``verdict`` says how much."""

    def __init__(self, verdict: CapVerdict) -> None:
        super().__init__(
            f"{verdict.reason}: {len(verdict.derived)} sentiment-derived features ({verdict.share:.1%}), "
            f"{verdict.allowed} allowed; unknown: {', '.join(verdict.unknown) or 'none'}"
        )
        self.verdict = verdict


def sentiment_cap(
    features: Sequence[str],
    groups: Mapping[str, str],
    sentiment_groups: frozenset[str] = SENTIMENT_GROUPS,
    cap: float = MAX_SENTIMENT_SHARE,
) -> CapVerdict:
    """Judge a model's list of features by the share of those that come from sentiment.

    It is judged where a list becomes a recipe (a snapshot is cut, a candidate proposed), not per row: the list is the
    same for all rows of a training set, missing values included.

    Parameters
    ----------
    features
        Names, each counted once.
    groups
        Group of each feature, from the feature dictionary.
    sentiment_groups, cap
        Which groups come from sentiment, and their greatest share, itself allowed.

    Returns
    -------
    The verdict. With d derived and o other features, d / (d + o) <= cap is d <= cap * o / (1 - cap) = ``allowed``.

    Raises
    ------
    ValueError
        The cap is not in [0, 1).
    """
    if not 0 <= cap < 1:
        raise ValueError(f"a cap lies in [0, 1), not {cap}")
    names = list(dict.fromkeys(features))
    unknown = tuple(name for name in names if name not in groups)
    derived = tuple(name for name in names if groups.get(name) in sentiment_groups)
    others = len(names) - len(derived) - len(unknown)
    # The slack keeps 0.25 * 3 / 0.75 at one.
    allowed = math.floor(cap * others / (1 - cap) + 1e-9)
    share = len(derived) / len(names) if names else 0.0
    if not names:
        reason = CapReason.NO_FEATURES
    elif unknown:
        reason = CapReason.UNKNOWN_FEATURE
    else:
        reason = CapReason.OK if len(derived) <= allowed else CapReason.OVER_CAP
    return CapVerdict(reason, share, derived, allowed, unknown)


def enforce_sentiment_cap(features: Sequence[str], groups: Mapping[str, str]) -> None:
    """Raise ``SentimentCapError`` with the verdict where ``sentiment_cap`` refuses a list of features."""
    verdict = sentiment_cap(features, groups)
    if not verdict.ok:
        raise SentimentCapError(verdict)
