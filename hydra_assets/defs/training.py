"""``training_snapshot``: what a group's models of a training date may know, as an immutable file with its digest."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg
import polars as pl

from hydra_assets.columns import FEATURE_VECTOR, LABELS
from hydra_assets.defs.group import GroupHistory, count_reasons, group_history, groups_of
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.evaluation.contracts import reaches
from hydra_assets.features.dictionary import FEATURE_NAMES
from hydra_assets.home import HomeConfig
from hydra_assets.labels.known import LabelKind
from hydra_assets.lake.snapshots import SnapshotStore
from hydra_assets.markets.model import MarketSpec
from hydra_assets.models.snapshot import Snapshot, training_snapshot
from hydra_assets.partitions import sessions_start

SNAPSHOT = "training_snapshot"
GROUP, TRAINING_DATE = "group", "training_date"
REFIT_CRON = "0 0 1 1,4,7,10 *"
"""The champion's recipe is fitted again on the first of each quarter."""
TAKEN, NO_ROWS = "taken", "no_rows"


def training_partitions(home: HomeConfig, markets: Sequence[MarketSpec]) -> dg.MultiPartitionsDefinition:
    """Market group x training date; a model of a date knows the sessions strictly before it."""
    return dg.MultiPartitionsDefinition(
        {
            GROUP: dg.StaticPartitionsDefinition(sorted(groups_of(markets))),
            TRAINING_DATE: dg.TimeWindowPartitionsDefinition(
                start=sessions_start(home).isoformat(), fmt="%Y-%m-%d", cron_schedule=REFIT_CRON, end_offset=1
            ),
        }
    )


def training_dates(keys: Sequence[str]) -> dict[str, list[date]]:
    """``GROUP|YYYY-MM-DD`` keys as group -> dates in order: champions succeed each other in time."""
    out: dict[str, list[date]] = {}
    for key in keys:
        group, day = key.split("|")
        out.setdefault(group, []).append(date.fromisoformat(day))
    return {group: sorted(days) for group, days in out.items()}


def snapshots_of(home: HomeResource) -> SnapshotStore:
    """The home's training snapshots."""
    return SnapshotStore(home.root / "snapshots")


def specs_of(home: HomeResource, group: str) -> list[MarketSpec]:
    """Markets of a group in the order of the home."""
    return [spec for spec in home.markets.values() if spec.group == group]


def expected_sessions(home: HomeResource, group: str, cutoff: date) -> dict[str, date]:
    """By market of a group the last session up to a date."""
    return {
        spec.symbol: home.calendars[spec.symbol].previous_session(cutoff + timedelta(days=1))
        for spec in specs_of(home, group)
    }


def labelled_snapshot(home: HomeResource, history: GroupHistory, group: str, day: date, label: LabelKind) -> Snapshot:
    """The snapshot of a training date with labels of another kind than the standing recipes', taken and kept.

    The asset does not know whose recipe will be fitted, so it takes the standing ones' alone.
    """
    names, cutoff = (FEATURE_VECTOR.name, LABELS.name), day - timedelta(days=1)
    snapshot = training_snapshot(history.features, history.labels, FEATURE_NAMES, label, cutoff)
    snapshots_of(home).put(group, day, snapshot, {name: history.lake.version(name) for name in names})
    return snapshot


def snapshot_assets(home_config: HomeConfig, markets: Sequence[MarketSpec]) -> list[dg.AssetsDefinition]:
    """The snapshot asset of a home."""

    @dg.asset(
        name=SNAPSHOT,
        group_name="models",
        description="Features and labels that were known before a training date, as a file named by its digest.",
        partitions_def=training_partitions(home_config, markets),
        backfill_policy=dg.BackfillPolicy.single_run(),
        deps=[
            dg.AssetDep(name, partition_mapping=dg.AllPartitionMapping()) for name in (FEATURE_VECTOR.name, LABELS.name)
        ],
        kinds={"parquet", "polars"},
    )
    def materialise(
        context: dg.AssetExecutionContext, home: HomeResource, lake: LakeResource, database: DatabaseResource
    ) -> dg.MaterializeResult[None]:
        store, taken = snapshots_of(home), []
        for group, dates in training_dates(context.partition_keys).items():
            history = group_history(lake.lake, specs_of(home, group), dates[-1] - timedelta(days=1), database.engine)
            origin = {name: lake.lake.version(name) for name in (FEATURE_VECTOR.name, LABELS.name)}
            for day in dates:
                cutoff = day - timedelta(days=1)
                known = history.features.filter(pl.col("session") <= cutoff)
                ready = reaches(known, expected_sessions(home, group, cutoff))
                snapshot = training_snapshot(
                    history.features, history.labels, FEATURE_NAMES, LabelKind.FIXED_HORIZON, cutoff
                )
                outcome = ready.reason if not ready.passed else TAKEN if len(snapshot.rows) else NO_ROWS
                row: dict[str, object] = {"group": group, "training_date": day.isoformat(), "outcome": outcome}
                if outcome == TAKEN:
                    store.put(group, day, snapshot, origin)
                    row |= {"rows": len(snapshot.rows), "sha256": snapshot.sha256}
                else:
                    # What an earlier run found is not what the lake holds now.
                    store.remove(group, day)
                taken.append(row)
        context.add_asset_metadata(
            _metadata(taken), asset_key=context.asset_key, partition_key=context.partition_keys[-1]
        )
        return dg.MaterializeResult()

    return [materialise]


def _metadata(taken: Sequence[Mapping[str, object]]) -> dict[str, Any]:
    table = pl.DataFrame(taken, infer_schema_length=None)
    return {
        "outcomes": dg.MetadataValue.json(count_reasons(table, "outcome")),
        "snapshots": dg.MetadataValue.json([*taken]),
    }
