"""Walk-forward and combinatorial splits by session: purged, embargoed, every session used.

Pooled markets are split by calendar session, never by row, so that no session is on both sides. With sessions
s_0..s_{N-1}, a first training stretch of F, an embargo of E and windows of W sessions, fold k of K is

    train_until = s_{a-E-1},  test = s_a .. s_{b-1},  a = F + E + k W,  b = a + W (N for the last fold),

K = floor((N - F - E) / W): the last window takes the remainder. Boundaries are counted from the first session, so new
sessions move none but the end of the last window. A row is trained on where its label was known at ``train_until``;
its [entry, exit] then ends E sessions before the first tested decision. Source: M. Lopez de Prado, *Advances in
Financial Machine Learning* (2018), ch. 7 (purging, embargo) and 12 (combinatorial splits).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import combinations
from typing import Annotated, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

Flags = NDArray[np.bool_]
MIN_TEST_SESSIONS = 20
"""Gate 2 of the promotion order asks for windows of at least a month."""


class SplitReason(StrEnum):
    """Whether there are splits."""

    OK = "ok"
    TOO_FEW_SESSIONS = "too_few_sessions"


class WalkForwardPlan(BaseModel):
    """How to lay the folds. An embargo shorter than the label's reach is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label_reach_sessions: Annotated[int, Field(ge=1)]
    """Sessions from a decision to its latest exit: ``reach_sessions`` of the label's configuration."""
    embargo_sessions: Annotated[int, Field(ge=1)]
    first_train_sessions: Annotated[int, Field(ge=20)] = 504
    """Two years: each season seen twice before the first test."""
    test_sessions: Annotated[int, Field(ge=MIN_TEST_SESSIONS)] = 63
    train_sessions: Annotated[int, Field(ge=20)] | None = None
    """Newest sessions that are trained on (rolling); None for all since the first (expanding)."""
    min_folds: Annotated[int, Field(ge=2)] = 3

    @model_validator(mode="after")
    def _embargo_covers_the_label(self) -> Self:
        if self.embargo_sessions < self.label_reach_sessions:
            msg = f"an embargo of {self.embargo_sessions} sessions < the label's reach of {self.label_reach_sessions}"
            raise ValueError(msg)
        return self

    @property
    def needed_sessions(self) -> int:
        """Fewest sessions that give ``min_folds`` folds."""
        return self.first_train_sessions + self.embargo_sessions + self.min_folds * self.test_sessions


@dataclass(frozen=True, slots=True)
class Fold:
    """One training cutoff and the decisions it is tested on; all bounds inclusive."""

    index: int
    train_from: date
    train_until: date
    """Cutoff session of the training: labels whose exit is later are not in it."""
    test_first: date
    test_last: date


@dataclass(frozen=True, slots=True)
class WalkForward:
    """Folds in time order, or none and why; ``sessions`` is how many there were, ``needed`` the fewest that do."""

    folds: tuple[Fold, ...]
    reason: SplitReason
    sessions: int
    needed: int


@dataclass(frozen=True, slots=True)
class Masks:
    """Rows to train on and to test, ``[n]`` each; a row can be in neither, never in both."""

    train: Flags
    test: Flags


def walk_forward(sessions: Sequence[date], plan: WalkForwardPlan) -> WalkForward:
    """Lay folds over the sessions that have a known label in any market (in any order, repeats allowed)."""
    s = sorted(set(sessions))
    n = len(s)
    if n < plan.needed_sessions:
        return WalkForward((), SplitReason.TOO_FEW_SESSIONS, n, plan.needed_sessions)
    start = plan.first_train_sessions + plan.embargo_sessions
    count = (n - start) // plan.test_sessions
    folds = []
    for k in range(count):
        a = start + k * plan.test_sessions
        b = n if k == count - 1 else a + plan.test_sessions
        until = a - plan.embargo_sessions - 1
        since = 0 if plan.train_sessions is None else max(0, until + 1 - plan.train_sessions)
        folds.append(Fold(k, s[since], s[until], s[a], s[b - 1]))
    return WalkForward(tuple(folds), SplitReason.OK, n, plan.needed_sessions)


def open_folds(sessions: Sequence[date], plan: WalkForwardPlan) -> tuple[Fold, ...]:
    """Folds over all sessions there are, labelled or not, the last one as long as it has come (in any order).

    Their bounds never move, so a session's fold is known on the session itself: for predictions that are kept. A
    verdict takes ``walk_forward``, whose windows are whole.
    """
    s = sorted(set(sessions))
    folds = []
    for k, a in enumerate(range(plan.first_train_sessions + plan.embargo_sessions, len(s), plan.test_sessions)):
        until = a - plan.embargo_sessions - 1
        since = 0 if plan.train_sessions is None else max(0, until + 1 - plan.train_sessions)
        folds.append(Fold(k, s[since], s[until], s[a], s[min(a + plan.test_sessions, len(s)) - 1]))
    return tuple(folds)


def fold_masks(fold: Fold, rows: pl.DataFrame) -> Masks:
    """Masks of labelled rows (columns session, exit_session); a row without an exit is in neither.

    Train: train_from <= session and exit_session <= train_until. Test: test_first <= session <= test_last. Tested
    labels may run past ``test_last``: a position is judged in the window in which it was decided.
    """
    masks = rows.select(
        train=(pl.col("session") >= fold.train_from) & (pl.col("exit_session") <= fold.train_until),
        test=pl.col("session").is_between(fold.test_first, fold.test_last) & pl.col("exit_session").is_not_null(),
    )
    return Masks(*(masks[name].fill_null(value=False).to_numpy() for name in ("train", "test")))


@dataclass(frozen=True, slots=True)
class CombinatorialSplit:
    """One choice of test groups; ``spans`` are their first and last sessions, ``embargo_until`` per span.

    ``embargo_until`` is the last session that may not be trained on after the span's own labels: counted from the
    span's last session, the label's reach and the embargo on top of it.
    """

    groups: tuple[int, ...]
    spans: tuple[tuple[date, date], ...]
    embargo_until: tuple[date, ...]


@dataclass(frozen=True, slots=True)
class Combinatorial:
    """C(groups, chosen) splits, or none and why; every session is tested in C(groups - 1, chosen - 1) of them."""

    splits: tuple[CombinatorialSplit, ...]
    reason: SplitReason


def combinatorial(
    sessions: Sequence[date], groups: int, chosen: int, label_reach_sessions: int, embargo_sessions: int
) -> Combinatorial:
    """Split sessions into ``groups`` stretches of equal length (the first ones a session longer) and choose.

    ValueError where 1 <= chosen < groups fails; TOO_FEW_SESSIONS where a group has fewer than 20.
    """
    if not 1 <= chosen < groups or min(label_reach_sessions, embargo_sessions) < 0:
        msg = f"cannot choose {chosen} of {groups} groups"
        raise ValueError(msg)
    s = sorted(set(sessions))
    if len(s) < groups * MIN_TEST_SESSIONS:
        return Combinatorial((), SplitReason.TOO_FEW_SESSIONS)
    parts = np.array_split(np.arange(len(s)), groups)
    reach = label_reach_sessions + embargo_sessions
    spans = [(s[part[0]], s[part[-1]]) for part in parts]
    until = [s[min(int(part[-1]) + reach, len(s) - 1)] for part in parts]
    splits = (
        CombinatorialSplit(
            chosen_groups, tuple(spans[g] for g in chosen_groups), tuple(until[g] for g in chosen_groups)
        )
        for chosen_groups in combinations(range(groups), chosen)
    )
    return Combinatorial(tuple(splits), SplitReason.OK)


def combinatorial_masks(split: CombinatorialSplit, rows: pl.DataFrame) -> Masks:
    """Masks of labelled rows (columns session, exit_session); a row without an exit is in neither.

    A row is trained on where, for each tested span, it has its exit before the span's first session or its decision
    after the span's last exit and its embargo.
    """
    session, known = pl.col("session"), pl.col("exit_session").is_not_null()
    test, train = pl.lit(value=False), known
    for (first, last), embargo in zip(split.spans, split.embargo_until, strict=True):
        inside = session.is_between(first, last)
        test = test | inside
        last_exit = rows.filter(known & inside)["exit_session"].max()
        after = max(embargo, last_exit) if isinstance(last_exit, date) else embargo
        train = train & ((pl.col("exit_session") < first) | (session > after))
    masks = rows.select(train=train, test=test & known)
    return Masks(*(masks[name].fill_null(value=False).to_numpy() for name in ("train", "test")))
