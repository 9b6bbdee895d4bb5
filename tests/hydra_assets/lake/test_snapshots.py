"""Snapshots on disk: what was put comes back, damage is seen, a pointer is swapped whole."""

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from hydra_assets.labels.known import LabelKind
from hydra_assets.lake.snapshots import SnapshotError, SnapshotStore
from hydra_assets.models.snapshot import Snapshot, training_snapshot
from tests.support.groups import NAMES, day, group

GROUP = group(120)
ORIGIN = {"feature_vector": 3, "labels": 4}
JULY, OCTOBER = date(2020, 7, 1), date(2020, 10, 1)


def taken(cutoff: int = 99, kind: LabelKind = LabelKind.FIXED_HORIZON) -> Snapshot:
    holes = pl.when(pl.int_range(pl.len()) % 5 == 0).then(None).otherwise("carry").alias("carry")
    return training_snapshot(GROUP.features.with_columns(holes), GROUP.labels, NAMES, kind, day(cutoff))


@pytest.fixture
def store(tmp_path: Path) -> SnapshotStore:
    return SnapshotStore(tmp_path / "snapshots")


def file_of(store: SnapshotStore, snapshot: Snapshot) -> Path:
    return store.root / f"{snapshot.sha256}.parquet"


@pytest.mark.parametrize("kind", list(LabelKind))
def test_what_was_put_comes_back(store: SnapshotStore, kind: LabelKind) -> None:
    snapshot = taken(kind=kind)
    store.put("sim", JULY, snapshot, ORIGIN)
    found = store.get("sim", JULY, kind)
    assert found is not None
    assert found.rows.equals(snapshot.rows)
    assert found.rows.schema == snapshot.rows.schema
    assert (found.features, found.label, found.cutoff, found.sha256) == (NAMES, kind, day(99), snapshot.sha256)
    # The standing recipes' label has the plain name; another one stands beside it.
    pointer = "2020-07-01.json" if kind is LabelKind.FIXED_HORIZON else f"2020-07-01.{kind}.json"
    record = json.loads((store.root / "sim" / pointer).read_text())
    assert (record["rows"], record["origin"]) == (snapshot.rows.height, ORIGIN)
    assert sorted(p.name for p in store.root.rglob("*") if p.is_file()) == sorted(
        [f"{snapshot.sha256}.parquet", pointer]
    )
    assert [other for other in LabelKind if store.get("sim", JULY, other) is not None] == [kind]
    store.remove("sim", JULY)
    assert store.get("sim", JULY, kind) is None


def test_nothing_taken_is_nothing(store: SnapshotStore) -> None:
    assert store.get("sim", JULY) is None
    store.put("sim", JULY, taken(), ORIGIN)
    assert store.get("sim", OCTOBER) is None
    assert store.get("grains", JULY) is None


def test_an_empty_snapshot_is_one(store: SnapshotStore) -> None:
    store.put("sim", JULY, taken(cutoff=5), ORIGIN)
    found = store.get("sim", JULY)
    assert found is not None
    assert found.rows.is_empty()


def test_a_date_points_to_its_newest_snapshot_and_the_older_file_stays(store: SnapshotStore) -> None:
    first, second = taken(99), taken(98)
    store.put("sim", JULY, first, ORIGIN)
    store.put("sim", OCTOBER, first, ORIGIN)
    store.put("sim", JULY, second, ORIGIN)
    found = [store.get("sim", at) for at in (JULY, OCTOBER)]
    assert [s.sha256 for s in found if s] == [second.sha256, first.sha256]
    store.put("sim", JULY, first, ORIGIN)
    assert file_of(store, second).exists()
    assert len(list(store.root.glob("*.parquet"))) == 2


def test_a_crash_before_the_pointer_leaves_the_old_one(store: SnapshotStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put("sim", JULY, taken(99), ORIGIN)
    replaced: list[Path] = []
    real = Path.replace

    def dies(self: Path, target: Path) -> Path:
        if target.suffix == ".json":
            raise KeyboardInterrupt
        replaced.append(target)
        return real(self, target)

    monkeypatch.setattr(Path, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        store.put("sim", JULY, taken(98), ORIGIN)
    monkeypatch.undo()
    assert replaced == [file_of(store, taken(98))]
    found = store.get("sim", JULY)
    assert found is not None
    assert found.sha256 == taken(99).sha256
    store.put("sim", JULY, taken(98), ORIGIN)
    found = store.get("sim", JULY)
    assert found is not None
    assert found.sha256 == taken(98).sha256


def _truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def _emptied(file: Path) -> None:
    file.write_bytes(b"")


def _one_value_changed(file: Path) -> None:
    rows = pl.read_parquet(file)
    rows.with_columns((pl.col("label_return") + 1e-12).alias("label_return")).write_parquet(file)


def _other_columns(file: Path) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(file)


@pytest.mark.parametrize("damage", [_truncated, _emptied, _one_value_changed, _other_columns, Path.unlink])
def test_damage_is_refused_and_taking_it_again_repairs_it(store: SnapshotStore, damage: object) -> None:
    snapshot = taken()
    store.put("sim", JULY, snapshot, ORIGIN)
    damage(file_of(store, snapshot))  # type: ignore[operator]
    with pytest.raises(SnapshotError, match="materialise training_snapshot of sim 2020-07-01 again"):
        store.get("sim", JULY)
    store.put("sim", JULY, snapshot, ORIGIN)
    found = store.get("sim", JULY)
    assert found is not None
    assert found.rows.equals(snapshot.rows)


def test_a_forgotten_date_has_none_and_the_file_stays(store: SnapshotStore) -> None:
    snapshot = taken()
    store.put("sim", JULY, snapshot, ORIGIN)
    store.put("sim", OCTOBER, snapshot, ORIGIN)
    for _ in range(2):
        store.remove("sim", JULY)
    assert store.get("sim", JULY) is None
    assert store.get("sim", OCTOBER) is not None
    assert file_of(store, snapshot).exists()
