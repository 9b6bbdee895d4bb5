"""Walk-forward predictions: whole, out of fold, blind to what comes later, better than chance where there is more."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from hydra_assets.models.baseline import BaseRate
from hydra_assets.models.factory import ModelSpec
from hydra_assets.models.linear import Logistic
from hydra_assets.models.out_of_fold import out_of_fold
from hydra_assets.models.splits import WalkForwardPlan, open_folds

PLAN = WalkForwardPlan(label_reach_sessions=3, embargo_sessions=3, first_train_sessions=100, test_sessions=20)
MODELS: dict[str, ModelSpec] = {"logistic": Logistic(), "base": BaseRate()}
MARKETS = ("SIM_HE", "SIM_ZO")
N = 220
DAYS = [date(2024, 1, 1) + timedelta(days=i) for i in range(N)]


def rows(n: int = N, edge: float = 1.5) -> pl.DataFrame:
    rng = np.random.default_rng(11)
    parts = []
    for market in MARKETS:
        signal = rng.standard_normal(N)
        up = signal * edge + rng.standard_normal(N) > 0.0
        parts.append(
            pl.DataFrame(
                {
                    "market": market,
                    "session": DAYS,
                    "signal": signal,
                    "noise": rng.standard_normal(N),
                    "entry_session": [*DAYS[1:], None],
                    "exit_session": [*DAYS[3:], None, None, None],
                    "label_class": [*np.where(up, "up", "down")[: N - 3].tolist(), None, None, None],
                }
            ).head(n)
        )
    known = pl.col("exit_session") <= DAYS[n - 1]
    late = [pl.when(known).then(c).alias(c) for c in ("entry_session", "exit_session", "label_class")]
    return pl.concat(parts).with_columns(late)


def walked(n: int = N, edge: float = 1.5) -> pl.DataFrame:
    frame = rows(n, edge)
    return out_of_fold(frame, ("signal", "noise"), MODELS, open_folds(frame["session"].to_list(), PLAN))


def test_every_session_after_the_first_training_is_predicted_once_and_out_of_fold() -> None:
    found = walked()
    assert found.height == found.select("market", "session").n_unique() == 2 * (N - 103)
    # 100 sessions of training and three of embargo come first; the newest session is predicted without a label.
    assert (found["session"].min(), found["session"].max()) == (DAYS[103], DAYS[N - 1])
    assert found["fold"].n_unique() == 6
    assert (found["trained_until"] < found["session"] - timedelta(days=3)).all()
    # Labels of sessions 0 to 96 had ended by session 99.
    assert found["training_rows"][0] == 2 * 97
    assert found["fold_reason"].unique().to_list() == ["ok"]


def test_a_signal_beats_the_base_rate_and_its_absence_does_not() -> None:
    def briers(edge: float) -> tuple[float, float]:
        out = walked(edge=edge).join(rows(N, edge), on=["market", "session"]).drop_nulls("label_class")
        up = (out["label_class"] == "up").to_numpy()
        logistic, base = (float(np.mean((out[name].to_numpy() - up) ** 2)) for name in MODELS)
        print(f"edge {edge}: Brier {logistic:.4f} against {base:.4f}")
        return logistic, base

    with_edge, base = briers(1.5)
    assert with_edge < 0.8 * base
    without, base = briers(0.0)
    assert without > 0.97 * base


@pytest.mark.parametrize("n", [104, 150, 200])
def test_later_sessions_change_no_earlier_prediction(n: int) -> None:
    early, late = walked(n), walked()
    assert early.height == 2 * (n - 103)
    assert late.filter(pl.col("session") <= DAYS[n - 1]).equals(early)


def test_a_fold_asked_for_alone_is_the_same() -> None:
    frame = rows()
    folds = open_folds(frame["session"].to_list(), PLAN)
    alone = out_of_fold(frame, ("signal", "noise"), MODELS, folds[3:4])
    assert walked().filter(pl.col("fold") == 3).equals(alone)


def test_too_few_sessions_and_a_model_that_cannot_be_trained_say_so() -> None:
    short = walked(80)
    assert (short.height, short.schema) == (0, walked().schema)
    wanting: dict[str, ModelSpec] = {"logistic": Logistic(min_rows=10_000), "base": BaseRate()}
    found = out_of_fold(rows(), ("signal",), wanting, open_folds(DAYS, PLAN))
    assert found["fold_reason"].str.starts_with("logistic:").all()
    assert found["logistic"].null_count() == found.height
    assert found["base"].null_count() == 0
