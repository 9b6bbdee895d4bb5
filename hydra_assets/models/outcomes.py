"""Predictions with what became of them: a record that is written once and only grows.

Each is held to the label that its champion was trained on, at that label's own exit.
"""

import polars as pl

from hydra_assets.columns import PREDICTION_OUTCOMES
from hydra_assets.labels.known import LabelKind
from hydra_assets.labels.spec import LabelClass, LabelReason
from hydra_assets.models.predict import PredictionReason

KEY = ("market", "decision_session")
OWN_LABEL = (*KEY, "label_kind")


def label_of(predictions: pl.DataFrame) -> pl.DataFrame:
    """Predictions with the label that each is about; one of an earlier version names none and is of five sessions."""
    return predictions.with_columns(pl.col("model_label").fill_null(str(LabelKind.FIXED_HORIZON)).alias("label_kind"))


def prediction_outcomes(
    predictions: pl.DataFrame, labels: pl.DataFrame, feature_hashes: pl.DataFrame, recorded: pl.DataFrame
) -> pl.DataFrame:
    """Outcomes of one market under the sessions that made them known.

    Parameters
    ----------
    predictions
        Rows of ``predictions``, from the earliest decision whose outcome may fall into the wanted sessions.
    labels
        Rows of ``labels`` of the wanted sessions.
    feature_hashes
        market, session and sha256 of each row of ``feature_vector`` that was predicted from.
    recorded
        Rows of ``prediction_outcomes`` that the wanted sessions hold already: kept as they are, whatever a later
        champion would have said of the same decision.

    Returns
    -------
    Rows of ``prediction_outcomes``.
    """
    known = labels.filter(pl.col("label_reason") == LabelReason.OK)
    made = label_of(predictions.filter(pl.col("prediction_reason") == PredictionReason.OK)).rename(
        {"session": "decision_session"}
    )
    hashes = feature_hashes.select(
        "market", pl.col("session").alias("decision_session"), pl.col("sha256").alias("feature_sha256")
    )
    up = (pl.col("label_class") == LabelClass.UP).cast(pl.Float64)
    fresh = (
        known.join(made, on=OWN_LABEL, how="inner", maintain_order="left")
        .join(hashes, on=KEY, how="inner", maintain_order="left")
        .with_columns(((pl.col("probability_up") - up) ** 2).alias("squared_error"))
        .select(pl.col(name).cast(dtype) for name, dtype in PREDICTION_OUTCOMES.schema.items())
        .join(recorded, on=KEY, how="anti", maintain_order="left")
    )
    return pl.concat([recorded.select(fresh.columns), fresh]).sort("market", "session", "decision_session")
