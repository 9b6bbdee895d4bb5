"""What every asset does around its computation: read the asked-for range, write it, hash it, record it, show it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from time import perf_counter
from typing import Any

import dagster as dg
import numpy as np
import polars as pl

from hydra_assets.columns import DatasetSpec, Layer
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.lake.content_hash import partition_hashes
from hydra_assets.markets.sessions import SessionCalendar
from hydra_assets.state.content import record_partition_content

CODE_VERSION = "3"
"""Version of the assets' logic, recorded with each partition; raised when the same input gives another output."""
COMPUTE_SECONDS = "compute_seconds"
"""Wall time that a run spent in the asset's own computation, reading included, writing not."""
HASHED_DAYS = 60
CLOSED = "closed"
NO_INPUT = "no_input"
NOT_FINISHED = "not_finished"


@dataclass(frozen=True, slots=True)
class MarketRange:
    """Part of a run that falls to one market: all asked-for dates, and the sessions among them that are decided."""

    market: str
    days: list[date]
    sessions: list[date]
    reasons: dict[date, str]
    """Why a day among ``days`` cannot have rows: ``closed`` or ``not_finished``."""

    @property
    def first(self) -> date:
        """First asked-for date."""
        return self.days[0]

    @property
    def last(self) -> date:
        """Last asked-for date."""
        return self.days[-1]


def split_keys(keys: list[str]) -> dict[str, list[date]]:
    """``MARKET|YYYY-MM-DD`` keys as market -> dates in order."""
    out: dict[str, list[date]] = {}
    for key in keys:
        market, day = key.split("|")
        out.setdefault(market, []).append(date.fromisoformat(day))
    return {market: sorted(days) for market, days in out.items()}


def by_market(keys: Mapping[str, list[date]], home: HomeResource) -> dict[str, list[date]]:
    """Dates by market, where keys may name a group for all of its markets."""
    out: dict[str, list[date]] = {}
    for name, days in keys.items():
        members = [name] if name in home.markets else [s for s, spec in home.markets.items() if spec.group == name]
        out |= dict.fromkeys(members, days)
    return out


def requested(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext, home: HomeResource
) -> list[MarketRange]:
    """Ranges of a run, market by market. A session counts as decided once its cutoff has passed."""
    now = home.now()
    out = []
    for market, days in by_market(split_keys(list(context.partition_keys)), home).items():
        calendar = home.calendars[market]
        finished = calendar.latest_finished(now)
        open_days = set(calendar.between(days[0], days[-1]))
        reasons = {
            day: CLOSED if day not in open_days else NOT_FINISHED
            for day in days
            if day not in open_days or day > finished
        }
        out.append(MarketRange(market, days, [d for d in days if d not in reasons], reasons))
    return out


def cutoff_frame(calendar: SessionCalendar, sessions: list[date]) -> pl.DataFrame:
    """Sessions with their cutoffs: columns ``session`` and ``cutoff`` (UTC), ``[n]``."""
    index = np.searchsorted(calendar.sessions, np.array(sessions, dtype="datetime64[D]"))
    return pl.DataFrame(
        {
            "session": pl.Series(sessions, dtype=pl.Date),
            "cutoff": pl.Series(calendar.cutoffs[index]).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        }
    )


def derive(
    context: dg.AssetExecutionContext,
    spec: DatasetSpec,
    resources: "Resources",
    compute: Callable[[MarketRange], pl.DataFrame],
    picture: Callable[[pl.DataFrame], bytes | None] | None = None,
    why_empty: Callable[[MarketRange], Mapping[date, str]] | None = None,
    notes: Callable[[pl.DataFrame], Mapping[str, object]] | None = None,
) -> dg.MaterializeResult[None]:
    """Materialise a derived dataset over the run's range: one vectorised pass and one commit per market."""
    written: list[pl.DataFrame] = []
    records: list[pl.DataFrame] = []
    seconds = 0.0
    for part in requested(context, resources.home):
        began = perf_counter()
        rows = compute(part) if part.sessions else pl.DataFrame(schema=spec.schema)
        seconds += perf_counter() - began
        resources.lake.lake.replace(spec.name, part.market, part.first, part.last, rows)
        typed = rows.select(pl.col(name).cast(dtype) for name, dtype in spec.schema.items())
        reasons = dict(why_empty(part)) if why_empty else {}
        records.append(partition_records(spec, part, typed, reasons))
        written.append(typed)
        context.log.info(f"{spec.name} {part.market}: {typed.height} rows over {len(part.sessions)} sessions")
    rows = pl.concat(written) if written else pl.DataFrame(schema=spec.schema)
    extra: dict[str, dg.MetadataValue[Any]] = {COMPUTE_SECONDS: dg.MetadataValue.float(round(seconds, 3))}
    extra |= {name: _metadata_value(value) for name, value in (notes(rows) if notes else {}).items()}
    return finish(context, spec, resources, rows, pl.concat(records), picture, extra)


def finish(
    context: dg.AssetExecutionContext,
    spec: DatasetSpec,
    resources: "Resources",
    rows: pl.DataFrame,
    records: pl.DataFrame,
    picture: Callable[[pl.DataFrame], bytes | None] | None,
    extra: Mapping[str, dg.MetadataValue[Any]] | None = None,
) -> dg.MaterializeResult[None]:
    """Record the partitions' contents and describe the materialisation, on one or two of its partitions only.

    What is said of a run is not said of every partition: 5,000 pictures would cost gigabytes of events.
    """
    version = resources.lake.lake.version(spec.name)
    record_partition_content(
        resources.database.engine,
        records.with_columns(
            pl.lit(spec.name).alias("dataset"),
            pl.lit(context.run.run_id).alias("run_id"),
            pl.lit(CODE_VERSION).alias("code_version"),
            pl.lit(version, dtype=pl.Int64).alias("delta_version"),
        ),
    )
    metadata = metadata_of(spec, rows, records, picture) | dict(extra or {})
    for key in described_partitions(context):
        context.add_asset_metadata(metadata, asset_key=context.asset_key, partition_key=key)
    return dg.MaterializeResult()


def described_partitions(context: dg.AssetExecutionContext) -> set[str]:
    """The newest partition, and the one that the asset's page will show as its latest materialisation.

    Dagster logs a run's partitions in the order of a set, built as here, and takes the last of them for the latest.
    """
    keys = context.partition_keys
    definition = context.assets_def.partitions_def
    logged = definition.subset_with_partition_keys(keys).get_partition_keys() if definition else keys
    return {str(keys[-1]), str(list(logged)[-1])}


def metadata_of(
    spec: DatasetSpec, rows: pl.DataFrame, records: pl.DataFrame, picture: Callable[[pl.DataFrame], bytes | None] | None
) -> dict[str, dg.MetadataValue[Any]]:
    """Row counts, span, why partitions are empty, and one picture."""
    from hydra_assets.defs.pictures import as_markdown  # noqa: PLC0415  matplotlib is slow to import

    filled = records.filter(pl.col("row_count") > 0)
    empty = records.filter(pl.col("row_count") == 0)["reason"].value_counts().sort("reason")
    out: dict[str, object] = {
        "dagster/row_count": rows.height,
        "partitions_with_rows": filled.height,
        "partitions_empty": {str(reason): count for reason, count in empty.iter_rows()},
    }
    if filled.height:
        out["first_partition"] = str(filled["session"].min())
        out["last_partition"] = str(filled["session"].max())
    if spec.layer is Layer.DERIVED and rows.height:
        nulls = {name: round(rows[name].null_count() / rows.height, 4) for name in spec.columns}
        out["missing_share"] = {name: share for name, share in nulls.items() if share}
    png = picture(rows) if picture and rows.height else None
    values = {key: _metadata_value(value) for key, value in out.items()}
    if png is not None:
        values["picture"] = dg.MetadataValue.md(as_markdown(png))
    return values


def _metadata_value(value: object) -> dg.MetadataValue[Any]:
    if isinstance(value, dict | list):
        return dg.MetadataValue.json(value)
    return dg.MetadataValue.int(value) if isinstance(value, int) else dg.MetadataValue.text(str(value))


def partition_records(
    spec: DatasetSpec, part: MarketRange, rows: pl.DataFrame, reasons: Mapping[date, str]
) -> pl.DataFrame:
    """One record per asked-for partition, empty ones with the reason."""
    # A quarter at a time: hashing sorts a copy of what it is given.
    stretches = [part.days[i : i + HASHED_DAYS] for i in range(0, len(part.days), HASHED_DAYS)]
    hashes = pl.concat(
        partition_hashes(spec, rows.filter(pl.col(spec.partition_column).is_between(days[0], days[-1])))
        for days in stretches
    )
    default = {day: reasons.get(day, NO_INPUT) for day in part.days} | part.reasons
    return (
        pl.DataFrame(
            {"session": part.days, "why": [default[day] for day in part.days]}, schema_overrides={"session": pl.Date}
        )
        .join(hashes.drop("market"), on="session", how="left")
        .select(
            pl.lit(part.market).alias("market"),
            "session",
            pl.col("row_count").fill_null(0),
            pl.col("sha256").fill_null(""),
            pl.when(pl.col("row_count").is_null()).then("why").alias("reason"),
        )
    )


@dataclass(frozen=True, slots=True)
class Resources:
    """The three resources that most assets need, passed on as one."""

    home: HomeResource
    lake: LakeResource
    database: DatabaseResource
