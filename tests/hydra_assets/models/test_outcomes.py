"""Predictions with what became of them: by hand, and what is recorded stays."""

from datetime import date

import polars as pl
import pytest

from hydra_assets.columns import LABELS, PREDICTION_OUTCOMES, PREDICTIONS, DatasetSpec
from hydra_assets.models.outcomes import prediction_outcomes

D = [date(2024, 3, 1 + i) for i in range(12)]


def frame(spec: DatasetSpec, rows: list[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema_overrides=dict(spec.schema)).select(
        pl.col(name) if name in rows[0] else pl.lit(None, dtype).alias(name) for name, dtype in spec.schema.items()
    )


def predictions(up: tuple[float, ...] = (0.7, 0.4), version: int = 3) -> pl.DataFrame:
    rows = [
        {
            "market": "SIM_HE",
            "session": D[i],
            "model_group": "sim",
            "model_version": version,
            "model_sha256": f"model {version}",
            "probability_raw": p + 0.05,
            "probability_up": p,
            "base_rate": 0.5,
            "prediction_reason": "ok",
        }
        for i, p in enumerate(up)
    ]
    rows.append(rows[0] | {"session": D[2], "prediction_reason": "no_features", "probability_up": None})
    return frame(PREDICTIONS, rows)


def labels(*decided: int, kind: str = "fixed_horizon", reason: str = "ok", up: bool = False) -> pl.DataFrame:
    return frame(
        LABELS,
        [
            {
                "market": "SIM_HE",
                "session": D[i + 6],
                "label_kind": kind,
                "decision_session": D[i],
                "label_return": 0.03 if up else -0.02,
                "label_cost": 0.001,
                "label_class": "up" if up else "down",
                "label_reason": reason,
            }
            for i in decided
        ],
    )


HASHES = pl.DataFrame({"market": "SIM_HE", "session": D[:3], "sha256": ["a", "b", "c"]})
NOTHING = pl.DataFrame(schema=PREDICTION_OUTCOMES.schema)


def test_squared_errors_by_hand() -> None:
    both = pl.concat([labels(0, up=True), labels(1)])
    found = prediction_outcomes(predictions(), both, HASHES, NOTHING)
    assert dict(found.schema) == dict(PREDICTION_OUTCOMES.schema)
    assert found.select("session", "decision_session").rows() == [(D[6], D[0]), (D[7], D[1])]
    # (0.7 - 1)^2 and (0.4 - 0)^2.
    assert found["squared_error"].to_list() == pytest.approx([0.09, 0.16])
    assert found["label_class"].to_list() == ["up", "down"]
    assert found["label_return"].to_list() == [0.03, -0.02]
    assert found["feature_sha256"].to_list() == ["a", "b"]
    assert found["probability_raw"].to_list() == pytest.approx([0.75, 0.45])
    assert (
        found.select("model_group", "model_version", "model_sha256", "base_rate").rows()
        == [("sim", 3, "model 3", 0.5)] * 2
    )


def test_what_is_recorded_stays_whatever_another_champion_would_have_said() -> None:
    recorded = prediction_outcomes(predictions(), labels(0), HASHES, NOTHING)
    other = predictions((0.1, 0.9), version=4)
    moved = HASHES.with_columns(pl.lit("restated").alias("sha256"))
    # A restated label too: the record is of what was known then.
    found = prediction_outcomes(other, pl.concat([labels(0, up=True), labels(1)]), moved, recorded)
    assert found.filter(decision_session=D[0]).equals(recorded)
    fresh = found.filter(decision_session=D[1])
    assert fresh["squared_error"].to_list() == pytest.approx([0.81])
    assert fresh["model_version"].to_list() == [4]
    # A prediction or a label that is gone takes nothing with it.
    for gone in (
        prediction_outcomes(other.head(0), labels(0), HASHES, recorded),
        prediction_outcomes(other, labels(0).head(0), HASHES, recorded),
        prediction_outcomes(other, labels(0), HASHES.head(0), recorded),
    ):
        assert gone.equals(recorded)


def test_each_prediction_is_held_to_its_own_label() -> None:
    kinds = ["fixed_horizon_3", "triple_barrier_5", None]
    said = predictions().with_columns(pl.Series("model_label", kinds))
    due = [
        labels(0, kind="fixed_horizon_3", up=True).with_columns(session=pl.lit(D[4])),
        labels(0, kind="fixed_horizon", up=False),
        labels(1, kind="triple_barrier_5", up=True).with_columns(session=pl.lit(D[5])),
        labels(1, kind="triple_barrier", up=False),
    ]
    found = prediction_outcomes(said, pl.concat(due), HASHES, NOTHING)
    # Each at the exit of its own label: (0.7 - 1)^2 and (0.4 - 1)^2.
    assert found.select("session", "decision_session", "label_kind").rows() == [
        (D[4], D[0], "fixed_horizon_3"),
        (D[5], D[1], "triple_barrier_5"),
    ]
    assert found["squared_error"].to_list() == pytest.approx([0.09, 0.36])


def test_the_same_again_is_the_same() -> None:
    both = pl.concat([labels(1), labels(0, up=True)])
    once = prediction_outcomes(predictions(), both, HASHES, NOTHING)
    assert prediction_outcomes(predictions(), both, HASHES, once).equals(once)


@pytest.mark.parametrize(
    "rows",
    [
        labels(0, kind="triple_barrier"),
        labels(0, reason="no_price"),
        labels(2),  # decided on a session that had no features
        labels(5),  # nobody predicted
    ],
)
def test_what_is_no_outcome_of_a_prediction_is_left_out(rows: pl.DataFrame) -> None:
    assert prediction_outcomes(predictions(), rows, HASHES, NOTHING).is_empty()


def test_another_market_s_label_is_not_ours() -> None:
    other = labels(0).with_columns(pl.lit("SIM_ZO").alias("market"))
    assert prediction_outcomes(predictions(), other, HASHES, NOTHING).is_empty()
