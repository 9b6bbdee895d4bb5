"""What a home holds, and whether that is consistent with an uninterrupted run of the same home.

After a kill, wherever it struck: every table opens; a partition that is there is exactly the baseline's, never half of
it; a market's range of a dataset is there whole or not at all; no raw row is there twice; what the database says was
written is what the lake holds; archived payloads are their digests' bytes. After the re-run, the home *is* the
baseline: same hashes, same row accounts, same promotions, orders and positions, and no run that still claims to go on.
"""

import hashlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import polars as pl
import sqlalchemy as sa

from hydra_assets.columns import DATASETS, DatasetSpec, Layer, PartitionedBy
from hydra_assets.lake import Lake
from hydra_assets.lake.archive import Archive
from hydra_assets.lake.content_hash import NOT_CONTENT, partition_hashes
from hydra_assets.state.db import connect
from hydra_assets.state.execution_tables import orders
from hydra_assets.state.tables import payloads, promotions
from hydra_console.verify import differing_partitions
from hydra_exec.journal.store import latest_fills

LIVED = frozenset({"fills", "positions", "slippage_reconciliation", "daily_pnl"})
"""What an account lived through. An interruption is a part of its life: a ticket that it hit may fill at another minute
and price than undisturbed, so these partitions are held to being there, and the account to ``_account_records``."""
NOT_ON_RECORD = "not on record"
"""The lake's commit comes before its record: a kill between the two leaves this, and nothing else."""
STILL_GOING_ON = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)
HASHED = ["dataset", "market", "session"]


@dataclass(frozen=True)
class Holdings:
    """What a home holds at rest."""

    hashes: pl.DataFrame
    """Per dataset, market and partition date: row count and content hash."""
    raw: dict[str, pl.DataFrame] = field(repr=False)
    """Rows of each raw table, columns of content only."""
    records: dict[str, list[tuple[object, ...]]] = field(repr=False)
    """Facts in the database, without instants and run ids: payloads, promotions, orders decided, positions."""
    positions: dict[tuple[str, str], int]
    """Contracts held by the fills, by account and contract."""
    disagreeing: tuple[str, ...]
    """Partitions on which lake and record disagree, but for those not on record."""
    unrecorded: int
    """Partitions in the lake that are not on record."""
    damaged: tuple[str, ...]
    """Archived payloads that are not what their name says."""
    going_on: int
    """Runs that claim to go on."""


def holdings(home: Path, url: str, instance: dg.DagsterInstance) -> Holdings:
    """Read everything; whatever a table raises on opening or reading is not caught."""
    lake = Lake(str(home / "lake"))
    held = {name: lake.read(name) for name in DATASETS if lake.exists(name)}
    hashed = [
        partition_hashes(spec, rows).select(pl.lit(spec.name).alias("dataset"), pl.all())
        for spec, rows in ((DATASETS[name], rows) for name, rows in held.items())
        if spec.partitioned_by is not PartitionedBy.NONE and not rows.is_empty()
    ]
    with _engine(url) as engine:
        differing = pl.concat([differing_partitions(engine, lake, name)[1] for name in DATASETS])
        records, positions = _records(engine), _positions(engine)
    wrong = differing.filter(pl.col("problem") != NOT_ON_RECORD)
    return Holdings(
        hashes=pl.concat(hashed).sort(HASHED) if hashed else pl.DataFrame(schema=_HASH_SCHEMA),
        raw={name: _content(DATASETS[name], rows) for name, rows in held.items() if DATASETS[name].layer is Layer.RAW},
        records=records,
        positions=positions,
        disagreeing=tuple(f"{d} {m} {s}: {p}" for d, m, s, p in wrong.iter_rows()),
        unrecorded=differing.height - wrong.height,
        damaged=tuple(_damaged(Archive(home / "archive"))),
        going_on=instance.get_runs_count(dg.RunsFilter(statuses=list(STILL_GOING_ON))),
    )


def problems_after_kill(found: Holdings, baseline: Holdings) -> list[str]:
    """What must never be seen, however a run ended; an empty list where all is well."""
    decided = found.hashes.filter(~pl.col("dataset").is_in(LIVED))
    wrong = decided.join(baseline.hashes, on=[*HASHED, "row_count", "sha256"], how="anti")
    out = [f"partition {d} {m} {s} is not the baseline's" for d, m, s, *_ in wrong.iter_rows()]
    expected = dict(_partitions(baseline))
    out += [
        f"{dataset} {market} has {count} of {expected.get((dataset, market), 0)} partitions"
        for (dataset, market), count in _partitions(found)
        if count != expected.get((dataset, market), 0)
    ]
    for name, rows in found.raw.items():
        out += _raw_problems(DATASETS[name], rows, baseline.raw.get(name))
    out += [f"the record disagrees with the lake: {text}" for text in found.disagreeing]
    out += [f"archived payload {name} is damaged" for name in found.damaged]
    for name, rows in found.records.items():
        strange = [row for row in rows if row not in baseline.records[name]]
        out += [f"{name}: {row} is not in the baseline" for row in strange]
    if found.going_on > 1:
        out.append(f"{found.going_on} runs claim to go on")
    return out


def problems_after_completion(found: Holdings, baseline: Holdings) -> list[str]:
    """Where a home that was run again differs from one that was never interrupted."""
    out = problems_after_kill(found, baseline)
    if not found.hashes.select(HASHED).equals(baseline.hashes.select(HASHED)):
        out.append(f"{found.hashes.height} partitions, the baseline has {baseline.hashes.height}")
    if found.positions != baseline.positions:
        out.append(f"positions are {found.positions}, the baseline has {baseline.positions}")
    for name, rows in baseline.records.items():
        missing = [row for row in rows if row not in found.records[name]]
        out += [f"{name}: {row} is missing" for row in missing]
        if not missing and len(rows) != len(found.records[name]):
            out.append(f"{name}: {len(found.records[name])} rows, the baseline has {len(rows)}")
    if found.unrecorded:
        out.append(f"{found.unrecorded} partitions are not on record")
    if found.going_on:
        out.append(f"{found.going_on} runs still claim to go on")
    return out


_HASH_SCHEMA = {
    "dataset": pl.String(),
    "market": pl.String(),
    "session": pl.Date(),
    "row_count": pl.Int64(),
    "sha256": pl.String(),
}


@contextmanager
def _engine(url: str) -> Iterator[sa.Engine]:
    engine = connect(url)
    try:
        yield engine
    finally:
        engine.dispose()


def _content(spec: DatasetSpec, rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(name for name in spec.columns if name not in NOT_CONTENT)


def _raw_problems(spec: DatasetSpec, rows: pl.DataFrame, baseline: pl.DataFrame | None) -> Iterator[str]:
    version = [name for name in (*spec.key, "known_at", "source") if name in rows.columns]
    twice = rows.height - rows.unique(version).height
    if twice:
        yield f"{spec.name}: {twice} rows are there twice"
    strange = rows if baseline is None else rows.join(baseline, on=rows.columns, how="anti", nulls_equal=True)
    if strange.height:
        yield f"{spec.name}: {strange.height} rows are not in the baseline"


def _partitions(held: Holdings) -> Iterator[tuple[tuple[str, str], int]]:
    for dataset, market, count in held.hashes.group_by("dataset", "market", maintain_order=True).len().iter_rows():
        yield (dataset, market), count


def _records(engine: sa.Engine) -> dict[str, list[tuple[object, ...]]]:
    counts = [payloads.c[f"rows_{name}"] for name in ("total", "loaded", "superseded", "quarantined", "set_aside")]
    queries = {
        # The same rows delivered again after the kill, in the same payload or another, are on record besides.
        "payloads": sa.select(payloads.c.dataset, payloads.c.name, payloads.c.sha256, *counts).where(
            payloads.c.state == "parsed", payloads.c.rows_loaded + payloads.c.rows_quarantined > 0
        ),
        "promotions": sa.select(promotions.c.model_group, promotions.c.version, promotions.c.sha256),
        "orders": sa.select(*(column for column in orders.c if column.name not in _AFTERWARDS)),
    }
    with closing(engine.connect()) as connection:
        return {name: sorted((tuple(r) for r in connection.execute(q)), key=repr) for name, q in queries.items()}


_AFTERWARDS = ("created_at", "updated_at", "run_id", "status", "reason")
"""What became of an order, and when: the rest was decided."""


def _positions(engine: sa.Engine) -> dict[tuple[str, str], int]:
    latest = latest_fills()
    lots = sa.func.sum(sa.case((latest.c.side == "BUY", latest.c.quantity), else_=-latest.c.quantity))
    query = sa.select(latest.c.account, latest.c.contract, lots).group_by(latest.c.account, latest.c.contract)
    with closing(engine.connect()) as connection:
        return {(account, contract): int(held) for account, contract, held in connection.execute(query) if held}


def _damaged(archive: Archive) -> Iterator[str]:
    for file in sorted(archive.root.glob("*/*.zst")):
        try:
            digest = hashlib.sha256(archive.load(file.stem)).hexdigest()
        except OSError as error:
            digest = str(error)
        if digest != file.stem:
            yield file.name
