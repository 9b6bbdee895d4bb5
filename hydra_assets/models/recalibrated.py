"""Calibrated walk-forward probabilities: each fold's by what the folds before it turned out to be worth.

The calibrator of fold k sees the raw probabilities of earlier folds whose outcome was known when fold k was trained,
and nothing else. Until there are enough of them, probabilities stay as they are and have no interval. The base rate of
a fold's own training rows goes through the same calibrator: what is above it speaks for a rise, whatever the market's
skewness makes of one half, and a model without a signal speaks for nothing.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from hydra_assets.models.calibration import Calibrator, Method, OutOfFold, calibrate
from hydra_assets.models.conformal import VennAbers, venn_abers
from hydra_assets.models.labelled import KEY, calendar_of, outcomes, target
from hydra_assets.models.protocol import ModelError
from hydra_assets.models.recipe import Recipe
from hydra_assets.models.weights import average_uniqueness

RECALIBRATED = ("probability_up", "probability_lower", "probability_upper", "base_rate", "calibration")


@dataclass(frozen=True, slots=True)
class Recalibration:
    """What a cutoff knew about a recipe's raw probabilities."""

    calibrator: Calibrator
    interval: VennAbers | None
    """None where there were too few independent outcomes for one."""


AS_IT_IS = Recalibration(Calibrator(Method.IDENTITY, 0, 0.0), None)


def recalibrated(predictions: pl.DataFrame, labels: pl.DataFrame, recipe: Recipe) -> pl.DataFrame:
    """Add the columns ``RECALIBRATED`` to out-of-fold predictions.

    Parameters
    ----------
    predictions
        As ``out_of_fold`` made them, all folds from the first on.
    labels
        Rows of ``labels`` of the same markets; later ones than the predictions change nothing.
    """
    parts = [
        _applied(part, learned(predictions, labels, recipe, part["trained_until"][0]))
        for part in predictions.partition_by("fold", maintain_order=True)
    ]
    empty = predictions.drop("base_raw").with_columns(
        *(pl.lit(None, pl.Float64).alias(name) for name in RECALIBRATED[:-1]), pl.lit("").alias("calibration")
    )
    return pl.concat(parts) if parts else empty


def learned(predictions: pl.DataFrame, labels: pl.DataFrame, recipe: Recipe, cutoff: date) -> Recalibration:
    """Learn from the predictions whose outcome was known at a cutoff."""
    known = outcomes(labels, recipe.label).filter(pl.col("exit_session") <= cutoff)
    rows = predictions.drop_nulls("probability_raw").join(known, on=KEY, how="inner", maintain_order="left")
    if rows.is_empty():
        return AS_IT_IS
    unique = average_uniqueness(rows, calendar_of(rows))
    seen = OutOfFold(
        probability=rows["probability_raw"].to_numpy(),
        target=target(rows),
        weights=np.ones(len(rows)),
        decided=rows["session"].to_numpy().astype("datetime64[D]"),
        trained_until=rows["trained_until"].to_numpy().astype("datetime64[D]"),
        overlap=float(1.0 / unique.mean()),
    )
    try:
        interval = venn_abers(seen)
    except ModelError:
        interval = None
    return Recalibration(calibrate(seen), interval)


def _applied(part: pl.DataFrame, found: Recalibration) -> pl.DataFrame:
    raw = part["probability_raw"].fill_null(np.nan).to_numpy()
    there = np.isfinite(raw)
    up, lower, upper, base = (np.full(len(raw), np.nan) for _ in range(4))
    up[there] = found.calibrator(raw[there])
    base[there] = found.calibrator(part["base_raw"].fill_null(np.nan).to_numpy()[there])
    if found.interval is not None:
        band = found.interval.interval(raw[there])
        lower[there], upper[there] = band.lower, band.upper
    return part.drop("base_raw").with_columns(
        pl.Series("probability_up", up, nan_to_null=True),
        pl.Series("probability_lower", lower, nan_to_null=True),
        pl.Series("probability_upper", upper, nan_to_null=True),
        pl.Series("base_rate", base, nan_to_null=True),
        pl.lit(str(found.calibrator.method)).alias("calibration"),
    )
