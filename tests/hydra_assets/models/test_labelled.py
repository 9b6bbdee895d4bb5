"""Decisions joined with what became of them: by hand, and what is not known stays unknown."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from hydra_assets.labels.known import LabelKind
from hydra_assets.models.labelled import calendar_of, feature_matrix, labelled_rows, outcomes, target

D = [date(2024, 1, 1 + i) for i in range(9)]
FIXED = LabelKind.FIXED_HORIZON


def label(market: str, decided: int, known: int, name: str | None, kind: str = FIXED, reason: str = "ok") -> dict:
    earned = None if name is None else {"up": 0.02, "down": -0.01}[name]
    return {
        "market": market,
        "session": D[known],
        "label_kind": kind,
        "decision_session": D[decided],
        "entry_session": D[decided + 1],
        "label_return": earned,
        "label_cost": None if name is None else 0.001,
        "label_sigma": None if name is None else 0.04,
        "label_class": name,
        "label_reason": reason,
    }


LABELS = pl.DataFrame(
    [
        label("B", 0, 3, "up"),
        label("A", 0, 3, "down"),
        label("A", 0, 5, "up", kind="triple_barrier"),
        label("A", 1, 4, None, reason="no_price"),
        label("A", 7, 8, "up"),
    ]
)
FEATURES = pl.DataFrame(
    {
        "market": ["A", "A", "B", "B"],
        "session": [D[0], D[1], D[0], D[1]],
        "x": [1.0, None, 3.0, 4.0],
        "n": [1, 2, None, 4],
        "unasked": [0.0, 0.0, 0.0, 0.0],
    }
)


def test_rows_are_by_session_and_market_and_hold_their_own_outcome() -> None:
    rows = labelled_rows(FEATURES, LABELS, ("x",), FIXED)
    assert rows.columns == [
        "market",
        "session",
        "x",
        "entry_session",
        "exit_session",
        "label_class",
        "label_return",
        "label_cost",
        "label_sigma",
    ]
    assert rows.select("session", "market").rows() == [(D[0], "A"), (D[0], "B"), (D[1], "A"), (D[1], "B")]
    # The barrier's label is another kind, the one without a price no outcome, the one of session 7 no decision here.
    assert rows["label_class"].to_list() == ["down", "up", None, None]
    assert rows["exit_session"].to_list() == [D[3], D[3], None, None]
    assert rows["entry_session"].to_list() == [D[1], D[1], None, None]
    assert rows["label_return"].to_list() == [-0.01, 0.02, None, None]


def test_another_kind_has_its_own_outcomes() -> None:
    found = outcomes(LABELS, LabelKind.TRIPLE_BARRIER)
    assert found.select("market", "session", "exit_session", "label_class").rows() == [("A", D[0], D[5], "up")]


def test_target_is_one_zero_or_nothing() -> None:
    rows = pl.DataFrame({"label_class": ["up", "down", None, "neutral"]})
    assert target(rows).tolist()[:2] == [1.0, 0.0]
    assert np.isnan(target(rows)[2])
    assert target(rows)[3] == 0.0


def test_a_matrix_is_in_the_order_of_the_names_and_missing_stays_missing() -> None:
    matrix = feature_matrix(FEATURES, ("n", "x"))
    assert matrix.dtype == np.float64
    assert np.array_equal(matrix, [[1.0, 1.0], [2.0, np.nan], [np.nan, 3.0], [4.0, 4.0]], equal_nan=True)
    with pytest.raises(pl.exceptions.ColumnNotFoundError, match="absent"):
        feature_matrix(FEATURES, ("absent",))


def test_a_calendar_holds_decisions_entries_and_exits_once() -> None:
    found = calendar_of(labelled_rows(FEATURES, LABELS, ("x",), FIXED))
    assert found.rows() == [("A", D[0]), ("A", D[1]), ("A", D[3]), ("B", D[0]), ("B", D[1]), ("B", D[3])]
