"""Weights by hand."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.labels.spec import EntryAt
from hydra_assets.models.weights import Loss, average_uniqueness, loss_weights, sample_weights, training_weights

DAYS = [date(2024, 1, 1) + timedelta(days=i) for i in range(200)]


SESSIONS = pl.DataFrame({"market": ["SIM_HE"] * 200 + ["SIM_ZO"] * 200, "session": DAYS * 2})


def spans(*entry_exit: tuple[int, int], market: str = "SIM_HE") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "market": [market] * len(entry_exit),
            "entry_session": [DAYS[a] for a, _ in entry_exit],
            "exit_session": [DAYS[b] for _, b in entry_exit],
        },
        schema={"market": pl.String, "entry_session": pl.Date, "exit_session": pl.Date},
    )


def test_uniqueness_by_hand() -> None:
    # Earned sessions: 1..3, 2..4, 5..6, 6..6. Running: 1:1 2:2 3:2 4:1 5:1 6:2.
    rows = spans((0, 3), (1, 4), (4, 6), (5, 6))
    assert average_uniqueness(rows, SESSIONS) == pytest.approx(
        [(1 + 1 / 2 + 1 / 2) / 3, (1 / 2 + 1 / 2 + 1) / 3, 3 / 4, 1 / 2]
    )


def test_an_entry_at_the_open_earns_its_own_session() -> None:
    # Sessions 0..2 and 2..3 share session 2; entered at the settle they would share none.
    rows = spans((0, 2), (2, 3), (1, 1), (3, 3))
    # Running: 0:1 1:2 2:2 3:2.
    assert average_uniqueness(rows, SESSIONS, EntryAt.NEXT_OPEN) == pytest.approx([2 / 3, 1 / 2, 1 / 2, 1 / 2])
    assert average_uniqueness(spans((0, 2), (2, 3)), SESSIONS).tolist() == [1.0, 1.0]


@given(h=st.integers(1, 20), n=st.integers(60, 100))
def test_daily_labels_of_h_sessions_have_one_hth(h: int, n: int) -> None:
    unique = average_uniqueness(spans(*((i, i + h) for i in range(n))), SESSIONS)
    assert unique[h:-h] == pytest.approx(1 / h)
    # The sum is the number of sessions that are earned at all: h + n - 1, spread over h each.
    assert unique.sum() == pytest.approx((h + n - 1) / h)


def test_markets_do_not_overlap_and_order_does_not_matter() -> None:
    one, two = spans((0, 3), (1, 4)), spans((0, 3), (1, 4), market="SIM_ZO")
    mixed = pl.concat([one, two]).gather([2, 0, 3, 1])
    assert average_uniqueness(mixed, SESSIONS) == pytest.approx([2 / 3] * 4)


def test_decay_by_hand() -> None:
    # Four labels that share nothing: x = 1, 2, 3, 4. Oldest 0: d = x / 4; 0.5: d = 1/2 + x/8; mean 1 after scaling.
    rows = spans((0, 1), (1, 2), (2, 3), (3, 4))
    quarter = np.array([0.25, 0.5, 0.75, 1.0])
    assert sample_weights(rows, SESSIONS, oldest=0.0) == pytest.approx(quarter / 0.625)
    assert sample_weights(rows, SESSIONS, oldest=0.5) == pytest.approx((0.5 + quarter / 2) / (0.5 + 0.625 / 2))
    # -0.5: slope 1 / (0.5 * 4) = 1/2, d = max(0, 1 - (4 - x) / 2) = 0, 0, 1/2, 1.
    assert sample_weights(rows, SESSIONS, oldest=-0.5) == pytest.approx(np.array([0, 0, 0.5, 1.0]) / 0.375)
    assert sample_weights(rows, SESSIONS).tolist() == [1.0] * 4
    assert sample_weights(rows.reverse(), SESSIONS, oldest=0.0) == pytest.approx(quarter[::-1] / 0.625)


def test_the_return_weighted_loss_by_hand() -> None:
    unique = np.array([1.0, 0.5, 0.5, 0.2])
    # |R| / sigma is 2, 1, 0 and 12, held to 3: u m = 2, 0.5, 0, 0.6, and 3.1 is spread like the 2.2 of u.
    moved, sigma = np.array([0.04, -0.03, 0.0, 0.60]), np.array([0.02, 0.03, 0.01, 0.05])
    found = loss_weights(unique, moved, sigma, Loss.RETURN_WEIGHTED)
    assert found == pytest.approx(np.array([2.0, 0.5, 0.0, 0.6]) * 2.2 / 3.1)
    assert found.sum() == pytest.approx(unique.sum())
    assert loss_weights(unique, moved, sigma, Loss.LOG) is unique
    # A market that has not moved at all is learned as it is.
    assert loss_weights(unique, np.zeros(4), sigma, Loss.RETURN_WEIGHTED) is unique
    # Whether prices are quoted in dollars or cents, and whichever way they went, changes nothing.
    assert loss_weights(unique, -moved, sigma, Loss.RETURN_WEIGHTED).tolist() == found.tolist()


def test_training_weights_are_uniqueness_under_a_loss() -> None:
    rows = spans((0, 3), (1, 4), (4, 6)).with_columns(
        pl.Series("label_return", [0.02, -0.01, 0.0]), pl.Series("label_sigma", [0.02, 0.02, 0.02])
    )
    unique = average_uniqueness(rows, SESSIONS)
    assert training_weights(rows, SESSIONS, Loss.LOG).tolist() == unique.tolist()
    found = training_weights(rows, SESSIONS, Loss.RETURN_WEIGHTED)
    assert found / found[1] == pytest.approx([2.0, 1.0, 0.0])
    # The plain loss asks for no price.
    assert training_weights(rows.drop("label_return", "label_sigma"), SESSIONS, Loss.LOG).tolist() == unique.tolist()


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="rows with exit_session"):
        average_uniqueness(spans((0, 1)).with_columns(pl.lit(None, pl.Date).alias("exit_session")), SESSIONS)
    with pytest.raises(ValueError, match="no session of the market"):
        average_uniqueness(spans((0, 3)), SESSIONS.filter(pl.col("session") != DAYS[3]))
    with pytest.raises(ValueError, match="at least one session"):
        average_uniqueness(spans((1, 1)), SESSIONS)
    with pytest.raises(ValueError, match="not in"):
        sample_weights(spans((0, 1)), SESSIONS, oldest=-1.0)
    assert sample_weights(spans(), SESSIONS).tolist() == []
