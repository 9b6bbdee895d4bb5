"""Snapshots hold what was known at their cutoff, and their digest says exactly what that was."""

import hashlib
from collections.abc import Callable
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.labels.known import LabelKind
from hydra_assets.models.snapshot import Snapshot, digest, newest_sessions, training_snapshot
from tests.support.groups import NAMES, Group, day, group

FIXED = LabelKind.FIXED_HORIZON
GROUP = group(200)
CUTOFF = day(149)


def taken(of: Group = GROUP, names: tuple[str, ...] = NAMES, kind: LabelKind = FIXED, cutoff: int = 149) -> Snapshot:
    return training_snapshot(of.features, of.labels, names, kind, day(cutoff))


def test_no_label_reaches_past_the_cutoff() -> None:
    snapshot = taken()
    assert snapshot.rows["exit_session"].max() == CUTOFF
    # The newest decision: entry on the session after, five held sessions, exit on the cutoff.
    assert snapshot.rows["session"].max() == CUTOFF - timedelta(days=6)
    # The volatility's first 18 returns are those of sessions 1 to 18; the newest decision is that of session 143.
    assert snapshot.rows.height == 2 * (143 - 18 + 1)
    assert snapshot.rows.null_count().select("label_class", "label_return", "label_cost").row(0) == (0, 0, 0)
    assert snapshot.matrix.shape == (252, 2)


@given(st.integers(30, 199), st.integers(0, 2**31))
def test_what_comes_after_the_cutoff_changes_no_byte(cutoff: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    later = pl.col("session") > day(cutoff)
    n = len(GROUP.features)
    features = GROUP.features.with_columns(
        pl.when(later).then(pl.Series(rng.standard_normal(n))).otherwise("tilt").alias("tilt")
    )
    flipped = pl.when(later).then(pl.lit("up")).otherwise("label_class").alias("label_class")
    labels = GROUP.labels.with_columns(
        flipped, pl.when(later).then(0.5).otherwise("label_return").alias("label_return")
    )
    own = taken(cutoff=cutoff)
    other = training_snapshot(features, labels, NAMES, FIXED, day(cutoff))
    cut = taken(GROUP.until(day(cutoff)), cutoff=cutoff)
    assert own.sha256 == other.sha256 == cut.sha256
    assert own.rows.equals(other.rows)
    assert own.rows.equals(cut.rows)


def _set(column: str, value: pl.Expr | float | str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    def change(rows: pl.DataFrame) -> pl.DataFrame:
        new = pl.lit(value) if isinstance(value, float | str) else value
        return rows.with_columns(pl.when(pl.int_range(pl.len()) == 100).then(new).otherwise(column).alias(column))

    return change


CHANGES = {
    "market": _set("market", "SIM_LE"),
    "session": _set("session", pl.col("session") + pl.duration(days=1)),
    "tilt": _set("tilt", 0.5),
    "a_gap": _set("carry", pl.lit(None, pl.Float64)),
    "entry_session": _set("entry_session", pl.col("entry_session") + pl.duration(days=1)),
    "exit_session": _set("exit_session", pl.col("exit_session") - pl.duration(days=1)),
    "label_class": _set("label_class", "neutral"),
    "label_return": _set("label_return", 0.5),
    "label_cost": _set("label_cost", 0.5),
    "a row less": lambda rows: rows.head(-1),
    "another order": lambda rows: rows.reverse(),
}


@pytest.mark.parametrize("what", list(CHANGES))
def test_a_digest_is_of_every_value(what: str) -> None:
    rows = taken().rows
    changed = CHANGES[what](rows)
    assert not changed.equals(rows)
    assert digest(changed, NAMES, FIXED, CUTOFF) != digest(rows, NAMES, FIXED, CUTOFF)


def test_a_digest_says_what_the_rows_are_of() -> None:
    rows = taken().rows
    own = digest(rows, NAMES, FIXED, CUTOFF)
    assert own == taken().sha256 == digest(rows.clone(), NAMES, FIXED, CUTOFF)
    others = [
        digest(rows, NAMES[::-1], FIXED, CUTOFF),
        digest(rows, NAMES[:1], FIXED, CUTOFF),
        digest(rows, NAMES, LabelKind.TRIPLE_BARRIER, CUTOFF),
        digest(rows, NAMES, FIXED, day(150)),
    ]
    assert len({own, *others}) == 5


def test_a_file_from_before_there_was_a_sigma_keeps_its_digest() -> None:
    rows = taken().rows
    old = digest(rows.drop("label_sigma"), NAMES, FIXED, CUTOFF)
    assert old != taken().sha256
    moved = rows.with_columns(pl.col("label_sigma") * 2.0)
    assert digest(moved, NAMES, FIXED, CUTOFF) != taken().sha256
    # As that version made it: keys, spans, features, return and cost.
    found = hashlib.sha256(f"{CUTOFF.isoformat()}|{FIXED}|{'|'.join(NAMES)}|{len(rows)}".encode())
    for name in ("market", "label_class"):
        found.update("|".join(rows[name].to_list()).encode())
    for name in ("session", "entry_session", "exit_session"):
        found.update(rows[name].to_physical().cast(pl.Int64).to_numpy().tobytes())
    found.update(np.ascontiguousarray(taken().matrix).tobytes())
    for name in ("label_return", "label_cost"):
        found.update(rows[name].to_numpy().tobytes())
    assert old == found.hexdigest()


def test_a_kind_of_label_has_its_own_rows() -> None:
    barriers = taken(kind=LabelKind.TRIPLE_BARRIER)
    assert barriers.sha256 != taken().sha256
    assert barriers.rows["session"].max() < CUTOFF


def test_an_early_cutoff_is_an_empty_snapshot() -> None:
    assert taken(cutoff=10).rows.is_empty()
    assert taken(cutoff=10).matrix.shape == (0, 2)


def test_the_newest_sessions_are_counted_over_all_markets() -> None:
    rows = taken().rows
    assert newest_sessions(rows, None) is rows
    kept = newest_sessions(rows, 50)
    assert kept.group_by("market").len()["len"].to_list() == [50, 50]
    assert kept["session"].min() == day(143 - 49)
    assert newest_sessions(rows, 5_000).equals(rows)
    assert newest_sessions(rows.head(0), 50).is_empty()
    # A market that stopped trading has fewer of the newest sessions, not older ones.
    stopped = rows.filter((pl.col("market") == "SIM_HE") | (pl.col("session") <= day(103)))
    assert dict(newest_sessions(stopped, 50).group_by("market").len().iter_rows()) == {"SIM_HE": 50, "SIM_ZO": 10}
