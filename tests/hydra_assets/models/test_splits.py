"""Splits as exact tables, then that nothing overlaps and nothing is left out."""

from datetime import date, timedelta
from math import comb

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.models.splits import (
    CombinatorialSplit,
    Fold,
    SplitReason,
    WalkForwardPlan,
    combinatorial,
    combinatorial_masks,
    fold_masks,
    walk_forward,
)

DAYS = [date(2024, 1, 1) + timedelta(days=i) for i in range(400)]


def labelled(n: int, reach: int, market: str = "SIM_HE") -> pl.DataFrame:
    """Decisions 0..n-1, each entered on the next day and left ``reach`` days after the decision."""
    return pl.DataFrame(
        {
            "market": market,
            "session": DAYS[:n],
            "entry_session": DAYS[1 : n + 1],
            "exit_session": DAYS[reach : n + reach],
        }
    )


def test_expanding_by_hand() -> None:
    # 100 sessions, 30 first, embargo 6: tests start at 36; (100 - 36) / 20 = 3.2, so three folds, the last one 24 long.
    plan = WalkForwardPlan(label_reach_sessions=6, embargo_sessions=6, first_train_sessions=30, test_sessions=20)
    laid = walk_forward(DAYS[:100], plan)
    assert laid.folds == (
        Fold(0, DAYS[0], DAYS[29], DAYS[36], DAYS[55]),
        Fold(1, DAYS[0], DAYS[49], DAYS[56], DAYS[75]),
        Fold(2, DAYS[0], DAYS[69], DAYS[76], DAYS[99]),
    )
    assert (laid.reason, laid.sessions, laid.needed) == (SplitReason.OK, 100, 30 + 6 + 3 * 20)


def test_rolling_by_hand() -> None:
    plan = WalkForwardPlan(
        label_reach_sessions=3, embargo_sessions=5, first_train_sessions=30, test_sessions=20, train_sessions=40
    )
    # Tests start at 35, (95 - 35) / 20 = 3. Training ends at 29, 49, 69 and starts 40 sessions back where there are.
    assert [(f.train_from, f.train_until, f.test_first, f.test_last) for f in walk_forward(DAYS[:95], plan).folds] == [
        (DAYS[0], DAYS[29], DAYS[35], DAYS[54]),
        (DAYS[10], DAYS[49], DAYS[55], DAYS[74]),
        (DAYS[30], DAYS[69], DAYS[75], DAYS[94]),
    ]


def test_purged_rows_by_hand() -> None:
    fold = Fold(0, DAYS[2], DAYS[10], DAYS[14], DAYS[16])
    rows = labelled(20, reach=3)
    masks = fold_masks(fold, rows)
    # Exit = decision + 3 <= 10, decision >= 2: rows 2..7. Tested decisions 14..16. 8..13 and 17.. are in neither.
    assert np.flatnonzero(masks.train).tolist() == [2, 3, 4, 5, 6, 7]
    assert np.flatnonzero(masks.test).tolist() == [14, 15, 16]
    unlabelled = rows.with_columns(pl.lit(None, pl.Date).alias("exit_session"))
    neither = fold_masks(fold, unlabelled)
    assert not (neither.train | neither.test).any()


def test_combinatorial_by_hand() -> None:
    laid = combinatorial(DAYS[:83], groups=4, chosen=2, label_reach_sessions=3, embargo_sessions=2)
    # 83 = 21 + 21 + 21 + 20: groups 0..20, 21..41, 42..62, 63..82; embargo until last + 5.
    assert [split.groups for split in laid.splits] == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert laid.splits[1] == CombinatorialSplit(
        (0, 2), ((DAYS[0], DAYS[20]), (DAYS[42], DAYS[62])), (DAYS[25], DAYS[67])
    )
    masks = combinatorial_masks(laid.splits[1], labelled(83, reach=3))
    # Between the spans: decisions after 25 with an exit before 42 (26..38); after them: 68..82.
    assert np.flatnonzero(masks.train).tolist() == [*range(26, 39), *range(68, 83)]
    assert np.flatnonzero(masks.test).tolist() == [*range(21), *range(42, 63)]


def test_a_late_exit_of_a_tested_label_purges_further() -> None:
    rows = labelled(83, reach=3).with_columns(
        pl.when(pl.col("session") == DAYS[20]).then(DAYS[30]).otherwise("exit_session").alias("exit_session")
    )
    masks = combinatorial_masks(CombinatorialSplit((0,), ((DAYS[0], DAYS[20]),), (DAYS[25],)), rows)
    assert np.flatnonzero(masks.train)[0] == 31


@pytest.mark.parametrize(("n", "reason"), [(95, SplitReason.TOO_FEW_SESSIONS), (96, SplitReason.OK)])
def test_fewer_sessions_than_folds_need(n: int, reason: SplitReason) -> None:
    plan = WalkForwardPlan(label_reach_sessions=6, embargo_sessions=6, first_train_sessions=30, test_sessions=20)
    laid = walk_forward(DAYS[:n], plan)
    assert (laid.reason, len(laid.folds), laid.needed) == (reason, 3 if reason is SplitReason.OK else 0, 96)
    assert walk_forward([], plan).reason is SplitReason.TOO_FEW_SESSIONS


def test_a_plan_that_would_leak_is_refused() -> None:
    with pytest.raises(ValueError, match="embargo of 5 sessions < the label's reach of 6"):
        WalkForwardPlan(label_reach_sessions=6, embargo_sessions=5)
    with pytest.raises(ValueError, match="test_sessions"):
        WalkForwardPlan(label_reach_sessions=6, embargo_sessions=6, test_sessions=19)
    with pytest.raises(ValueError, match="cannot choose"):
        combinatorial(DAYS, 4, 4, 5, 5)
    assert combinatorial(DAYS[:79], 4, 2, 5, 5).reason is SplitReason.TOO_FEW_SESSIONS


@given(
    n=st.integers(100, 380),
    reach=st.integers(1, 15),
    extra=st.integers(0, 10),
    window=st.integers(20, 30),
    rolling=st.none() | st.integers(20, 60),
)
def test_nothing_overlaps_and_every_later_session_is_tested_once(
    n: int, reach: int, extra: int, window: int, rolling: int | None
) -> None:
    plan = WalkForwardPlan(
        label_reach_sessions=reach,
        embargo_sessions=reach + extra,
        first_train_sessions=25,
        test_sessions=window,
        train_sessions=rolling,
        min_folds=2,
    )
    # A market that trades every second session shares the calendar.
    thin = labelled(n, 2 * reach, "SIM_ZO").gather_every(2).filter(pl.col("exit_session") <= DAYS[n - 1 + reach])
    rows = pl.concat([labelled(n, reach), thin])
    laid = walk_forward(rows["session"].to_list(), plan)
    assert len(laid.folds) >= 2 or laid.reason is SplitReason.TOO_FEW_SESSIONS
    tested: list[date] = []
    for fold in laid.folds:
        masks = fold_masks(fold, rows)
        assert not (masks.train & masks.test).any()
        train, test = rows.filter(masks.train), rows.filter(masks.test)
        gap = DAYS.index(test["session"].min()) - DAYS.index(train["exit_session"].max()) - 1  # type: ignore[arg-type]
        assert gap >= plan.embargo_sessions
        assert test["session"].n_unique() >= window
        tested += sorted(set(test["session"].to_list()))
    if laid.folds:
        assert tested == DAYS[25 + plan.embargo_sessions : n]


@given(n=st.integers(120, 300), more=st.integers(1, 60))
def test_later_sessions_move_only_the_end_of_the_last_window(n: int, more: int) -> None:
    plan = WalkForwardPlan(label_reach_sessions=6, embargo_sessions=6, first_train_sessions=30, test_sessions=20)
    before, after = walk_forward(DAYS[:n], plan).folds, walk_forward(DAYS[: n + more], plan).folds
    assert after[: len(before) - 1] == before[:-1]
    assert (after[len(before) - 1].train_until, after[len(before) - 1].test_first) == (
        before[-1].train_until,
        before[-1].test_first,
    )


@given(groups=st.integers(2, 6), data=st.data(), reach=st.integers(1, 8), embargo=st.integers(0, 8))
def test_combinatorial_groups_are_tested_equally_often_and_purged(
    groups: int, data: st.DataObject, reach: int, embargo: int
) -> None:
    chosen = data.draw(st.integers(1, groups - 1))
    rows = labelled(150, reach)
    laid = combinatorial(DAYS[:150], groups, chosen, reach, embargo)
    times = np.zeros(len(rows), dtype=int)
    for split in laid.splits:
        masks = combinatorial_masks(split, rows)
        times += masks.test
        test_at, train_at = np.flatnonzero(masks.test), np.flatnonzero(masks.train)
        # [decision, exit] = [i, i + reach]: further apart than the reach on either side, and than the embargo after.
        apart = train_at[:, None] - test_at[None, :]
        assert not ((apart >= -reach) & (apart <= reach + embargo)).any()
    assert len(laid.splits) == comb(groups, chosen)
    assert (times == comb(groups - 1, chosen - 1)).all()
