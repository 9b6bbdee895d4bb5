"""The lake: append-only raw tables, derived tables replaced by range, many writers, refused mistakes."""

import multiprocessing
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from deltalake import write_deltalake

from hydra_assets.columns import DATASETS, FUTURES_CURVE, PREDICTIONS
from hydra_assets.lake import Lake, LakeError
from hydra_assets.lake.content_hash import partition_hashes
from tests.support.frames import CHICAGO, bars, complete

DAYS = CHICAGO.between(date(2025, 1, 2), date(2025, 2, 28))


def curve(days: list[date], market: str = "HE", settle: float = 80.0) -> pl.DataFrame:
    rows = pl.DataFrame({"session": days}).with_columns(
        pl.lit(market).alias("market"),
        pl.lit("HE-2025-04").alias("contract"),
        pl.lit(date(2025, 4, 1)).alias("contract_month"),
        pl.lit(date(2025, 4, 14)).alias("last_trade"),
        pl.lit("front").alias("role"),
        pl.lit(settle).alias("settle"),
    )
    absent = [n for n in FUTURES_CURVE.columns if n not in rows.columns]
    return rows.with_columns(pl.lit(None).cast(FUTURES_CURVE.schema[n]).alias(n) for n in absent)


def test_append_reads_back_and_the_engine_refuses_deletion(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "a lake"))
    rows = bars([("HE-2025-04", day, 80.0 + i) for i, day in enumerate(DAYS)])
    lake.append("raw_futures_bars", rows[:10])
    lake.append("raw_futures_bars", rows[10:])
    back = lake.read("raw_futures_bars").sort("session")
    assert back.equals(rows.sort("session"))
    assert lake.read("raw_futures_bars", first=DAYS[3], last=DAYS[5]).height == 3
    with pytest.raises(Exception, match=r"[Aa]ppend-only"):
        lake.table("raw_futures_bars").delete("market = 'HE'")
    assert lake.read("raw_futures_bars").height == rows.height


def test_replace_changes_its_range_and_nothing_else(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    lake.replace("futures_curve", "HE", DAYS[0], DAYS[-1], curve(DAYS))
    lake.replace("futures_curve", "ZO", DAYS[0], DAYS[-1], curve(DAYS, "ZO"))
    lake.replace("futures_curve", "HE", DAYS[5], DAYS[9], curve(DAYS[5:8], settle=90.0))
    he = lake.read("futures_curve", markets=["HE"]).sort("session")
    assert he["session"].to_list() == [*DAYS[:8], *DAYS[10:]]
    assert he.filter(pl.col("settle") == 90.0)["session"].to_list() == DAYS[5:8]
    assert lake.read("futures_curve", markets=["ZO"]).height == len(DAYS)
    lake.replace("futures_curve", "HE", DAYS[0], DAYS[-1], curve([]))
    assert lake.read("futures_curve", markets=["HE"]).is_empty()


def test_a_column_that_an_earlier_version_did_not_have_is_empty_and_changes_no_hash(tmp_path: Path) -> None:
    lake, spec = Lake(str(tmp_path)), PREDICTIONS
    rows = pl.DataFrame({"market": "HE", "session": DAYS[:4], "model_group": "sim", "prediction_reason": "ok"})
    rows = rows.with_columns(
        pl.lit(None, dtype).alias(name) for name, dtype in spec.schema.items() if name not in rows.columns
    )
    old = rows.drop("model_label").with_columns(pl.lit(DAYS[0].year, pl.Int32).alias("storage_year"))
    write_deltalake(lake.uri(spec.name), old.to_arrow(), partition_by=["market", "storage_year"])
    assert lake.read(spec.name, columns=["session", "model_label"]).rows() == [(day, None) for day in DAYS[:4]]
    found = lake.read(spec.name)
    assert found.columns == list(spec.columns)
    # Whoever wrote it has recorded a hash of the columns that there were.
    before = replace(spec, columns=tuple(name for name in spec.columns if name != "model_label"))
    assert partition_hashes(spec, found).equals(partition_hashes(before, found))
    named = rows.with_columns(pl.lit("triple_barrier").alias("model_label"))
    lake.replace(spec.name, "HE", DAYS[2], DAYS[3], named.filter(pl.col("session") >= DAYS[2]))
    labels = lake.read(spec.name).sort("session")["model_label"].to_list()
    assert labels == [None, None, "triple_barrier", "triple_barrier"]
    with pytest.raises(pl.exceptions.ColumnNotFoundError, match="unheard"):
        lake.read(spec.name, columns=["unheard"])


def test_replacing_twice_is_replacing_once(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    for _ in range(2):
        lake.replace("futures_curve", "HE", DAYS[0], DAYS[-1], curve(DAYS))
    first = partition_hashes(FUTURES_CURVE, lake.read("futures_curve"))
    assert first["row_count"].to_list() == [1] * len(DAYS)


def test_refusals_name_table_and_cause(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    with pytest.raises(LakeError, match="no dataset"):
        lake.read("nonsense")
    with pytest.raises(LakeError, match="use append"):
        lake.replace("raw_futures_bars", "HE", DAYS[0], DAYS[1], bars([]))
    with pytest.raises(LakeError, match="use replace"):
        lake.append("futures_curve", curve(DAYS))
    with pytest.raises(LakeError, match="outside HE"):
        lake.replace("futures_curve", "HE", DAYS[0], DAYS[1], curve(DAYS[:4]))
    with pytest.raises(LakeError, match="no market symbol"):
        lake.replace("futures_curve", "x' OR '1'='1", DAYS[0], DAYS[1], curve([]))
    with pytest.raises(LakeError, match="required columns with missing values: contract"):
        lake.append(
            "raw_futures_bars", complete("raw_futures_bars", pl.DataFrame({"market": ["HE"], "session": [DAYS[0]]}))
        )
    with pytest.raises(LakeError, match="columns missing"):
        lake.append("raw_futures_bars", pl.DataFrame({"market": ["HE"]}))


def _write(root: str, market: str, days: list[date], barrier: object) -> None:
    lake = Lake(root)
    barrier.wait()  # type: ignore[attr-defined]
    for day in days:
        lake.replace("futures_curve", market, day, day, curve([day], market))


def test_four_processes_on_different_sessions_of_one_table_lose_nothing(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    barrier = spawn.Barrier(4)
    share = [DAYS[i:24:4] for i in range(4)]
    workers = [spawn.Process(target=_write, args=(str(tmp_path), "HE", days, barrier)) for days in share]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0, 0, 0]
    assert sorted(Lake(str(tmp_path)).read("futures_curve")["session"].to_list()) == DAYS[:24]


def test_compaction_keeps_rows_and_hashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hydra_assets.lake.tables.COMPACT_ABOVE_FILES", 3)
    lake = Lake(str(tmp_path))
    for day in DAYS[:6]:
        lake.append("raw_futures_bars", bars([("HE-2025-04", day, 80.0)]))
    from hydra_assets.columns import RAW_FUTURES_BARS

    before = partition_hashes(RAW_FUTURES_BARS, lake.read("raw_futures_bars"))
    assert lake.compact("raw_futures_bars")
    assert len(lake.table("raw_futures_bars").file_uris()) == 1
    assert partition_hashes(RAW_FUTURES_BARS, lake.read("raw_futures_bars")).equals(before)


def test_a_table_of_an_earlier_version_takes_new_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    days = CHICAGO.between(date(2025, 1, 2), date(2025, 1, 9))
    now = DATASETS["futures_curve"]
    earlier = replace(now, columns=tuple(name for name in now.columns if name != "slope"))
    lake = Lake(str(tmp_path))
    with monkeypatch.context() as before:
        before.setitem(DATASETS, now.name, earlier)
        lake.replace(now.name, "HE", days[0], days[-1], curve(days))
    lake.replace(now.name, "HE", days[2], days[2], curve(days[2:3]).with_columns(pl.lit(0.5).alias("slope")))
    rows = lake.read(now.name).sort("session")
    assert rows["session"].to_list() == days
    assert rows["slope"].to_list() == [0.5 if day == days[2] else None for day in days]
    assert rows["settle"].to_list() == [80.0] * len(days)
