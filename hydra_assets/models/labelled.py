"""Decisions with what became of them: rows of ``feature_vector`` joined with the labels known so far."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.labels.known import LabelKind
from hydra_assets.labels.spec import LabelClass, LabelReason

KEY = ("market", "session")
LABEL_COLUMNS = ("entry_session", "exit_session", "label_class", "label_return", "label_cost", "label_sigma")


def outcomes(labels: pl.DataFrame, kind: LabelKind) -> pl.DataFrame:
    """Rows of ``labels`` of one kind that came about, under their decision: market, session, ``LABEL_COLUMNS``.

    ``exit_session`` is the session at whose cutoff the outcome was known.
    """
    done = (pl.col("label_kind") == kind) & (pl.col("label_reason") == LabelReason.OK)
    return labels.filter(done).select(
        "market",
        pl.col("decision_session").alias("session"),
        "entry_session",
        pl.col("session").alias("exit_session"),
        "label_class",
        "label_return",
        "label_cost",
        "label_sigma",
    )


def labelled_rows(features: pl.DataFrame, labels: pl.DataFrame, names: Sequence[str], kind: LabelKind) -> pl.DataFrame:
    """All rows of ``feature_vector`` by session and market: market, session, the named features, ``LABEL_COLUMNS``.

    A row whose label is not known (yet) has nulls there.
    """
    rows = features.select(*KEY, *names).join(outcomes(labels, kind), on=KEY, how="left", maintain_order="left")
    return rows.sort("session", "market", maintain_order=True)


def feature_matrix(rows: pl.DataFrame, names: Sequence[str]) -> NDArray[np.float64]:
    """Return ``[n, f]`` in the order of ``names``; missing is NaN."""
    return rows.select(pl.col(name).cast(pl.Float64).fill_null(np.nan) for name in names).to_numpy()


def target(rows: pl.DataFrame) -> NDArray[np.float64]:
    """1.0 where the label is up, 0.0 where it is not, NaN where there is none, ``[n]``."""
    up = pl.when(pl.col("label_class").is_not_null()).then(pl.col("label_class") == LabelClass.UP)
    return rows.select(up.cast(pl.Float64).fill_null(np.nan).alias("up"))["up"].to_numpy()


def calendar_of(rows: pl.DataFrame) -> pl.DataFrame:
    """Market and session of every session that rows name: decisions, entries and exits."""
    ends = [rows.select("market", pl.col(name).alias("session")) for name in ("entry_session", "exit_session")]
    return pl.concat([rows.select(KEY), *ends]).drop_nulls().unique().sort(KEY)
