"""What a picture of the divergences draws: the plane of the two views with its regions, and the sessions in it."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.signals.classification import SignalType, classify
from hydra_assets.signals.thresholds import TypeThresholds

Floats = NDArray[np.float64]
_DEFAULT = TypeThresholds()


@dataclass(frozen=True, slots=True)
class RegionMap:
    """Types over the plane of the two views."""

    options_z: Floats
    """``[n]``, the rows."""
    sentiment_z: Floats
    """``[n]``, the columns."""
    kind: NDArray[np.str_]
    """``[n, n]`` values of ``SignalType``."""


def region_map(
    thresholds: TypeThresholds = _DEFAULT,
    *,
    fresh: bool = False,
    volatile: bool = False,
    reach_sd: float = 3.0,
    points: int = 241,
) -> RegionMap:
    """Types of options outside their noise, to ``reach_sd`` both ways.

    ``fresh``: the options have just moved to where they are, sentiment has not. ``volatile``: kurtosis is high and the
    grade bears it. Both are seen nowhere in the plane, so each is a plane of its own.
    """
    axis = np.linspace(-reach_sd, reach_sd, points)
    options, sentiment = (grid.ravel() for grid in np.meshgrid(axis, axis, indexing="ij"))
    n = len(options)
    found = classify(
        options,
        np.zeros(n, dtype=np.bool_),
        sentiment,
        np.sign(options) * (thresholds.change_sd if fresh else 0.0),
        np.zeros(n),
        np.full(n, thresholds.kurt_sd if volatile else 0.0),
        np.full(n, "A", dtype=object),
        thresholds,
    )
    return RegionMap(axis, axis, found.kind.reshape(points, points))


def plane_points(signals: pl.DataFrame) -> pl.DataFrame:
    """Sessions that have a type: market, session, both views, their errors, type and direction, in time order.

    ``signals`` are rows of ``divergence_signals``. A view inside its noise stands where it counts, at 0.
    """
    return (
        signals.filter(pl.col("divergence_type") != SignalType.ABSENT)
        .sort("market", "session", maintain_order=True)
        .select(
            "market",
            "session",
            "options_z",
            "options_z_se",
            "options_noise",
            "sentiment_z",
            "divergence_type",
            "divergence_direction",
        )
    )


def spans(signals: pl.DataFrame) -> pl.DataFrame:
    """Runs of equal type: market, ``first`` and ``last`` session, ``sessions`` in it, type; absent ones too."""
    ordered = signals.sort("market", "session", maintain_order=True)
    run = pl.struct("market", "divergence_type").rle_id()
    return (
        ordered.with_columns(run.alias("run"))
        .group_by("run", maintain_order=True)
        .agg(
            pl.col("market").first(),
            pl.col("session").first().alias("first"),
            pl.col("session").last().alias("last"),
            pl.len().cast(pl.Int64).alias("sessions"),
            pl.col("divergence_type").first(),
        )
        .drop("run")
    )
