"""A home whose inputs of modelling are written from a fast world, and the model assets on it, through Dagster."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa

from hydra_assets.columns import (
    DATASETS,
    DIVERGENCE,
    FEATURE_CONTRIBUTIONS,
    FEATURE_VECTOR,
    FUTURES_CURVE,
    LABELS,
    PREDICTION_OUTCOMES,
    PREDICTIONS,
    REGIMES,
    REPLAY_REPORT,
    WALK_FORWARD,
)
from hydra_assets.defs.downstream import downstream_runs
from hydra_assets.defs.jobs import DATASETS_JOB, range_tags
from hydra_assets.defs.registry import RegistryResource
from hydra_assets.defs.resources import HomeResource
from hydra_assets.lake.content_hash import partition_hashes
from hydra_assets.registry.champions import champions_of
from hydra_assets.state.tables import judgements, stress_reports
from studies.recipes import with_held_contracts
from studies.worlds import EDGES, START, fast_world
from tests.support.pipeline import Pipeline, make_pipeline
from tests.support.postgres import engine_on
from tests.support.registry import MemoryRegistry

MARKETS = ("SIM_HE", "SIM_ZO")
FIRST, LAST = START, date(2024, 11, 21)
WALKED = (WALK_FORWARD.name, FEATURE_CONTRIBUTIONS.name, REPLAY_REPORT.name)
MADE = (*WALKED, PREDICTIONS.name, PREDICTION_OUTCOMES.name)
EVENTS = "dagster._core.storage.event_log.in_memory.InMemoryEventLogStorage"
Tables = Mapping[str, pl.DataFrame]
_registries: dict[str, MemoryRegistry] = {}


class MemoryRegistryResource(RegistryResource):
    """The registry of a home, in memory; the same object in every run of the process."""

    @property
    def registry(self) -> MemoryRegistry:  # type: ignore[override]
        return _registries.setdefault(self.uri, MemoryRegistry())


@cache
def world_tables() -> Tables:
    """Three years of two markets, as the lake holds them. Only size factors are not of the world: one half at times."""
    world = fast_world(EDGES[2.0], seed=60_001, years=3, markets=MARKETS)
    keys = world.features.select("market", "session")
    halved = np.where(np.random.default_rng(1).random(len(keys)) < 0.2, 0.5, 1.0)
    rows = keys.with_columns(pl.Series("size_factor", halved))
    absent = [
        pl.lit("" if dtype == pl.String else None, dtype).alias(name)
        for name, dtype in DIVERGENCE.schema.items()
        if name not in rows.columns
    ]
    return {
        FEATURE_VECTOR.name: world.features,
        LABELS.name: world.labels,
        FUTURES_CURVE.name: with_held_contracts(world.curve),
        REGIMES.name: world.regimes,
        DIVERGENCE.name: rows.with_columns(absent).select(DIVERGENCE.columns),
    }


@dataclass
class Modelled:
    """A home with written inputs, and the runs that models and predictions are made by."""

    pipeline: Pipeline

    def write(self, tables: Tables, first: date = FIRST) -> None:
        """Replace what the lake holds of these tables from a session on."""
        for name, rows in tables.items():
            for market in MARKETS:
                self.pipeline.lake.replace(name, market, first, LAST, rows.filter(pl.col("market") == market))

    def walk(self, first: date, last: date, markets: Sequence[str] = MARKETS) -> None:
        """Walk-forward and replay of a range."""
        self.run(DATASETS_JOB, range_tags(list(markets), first, last), WALKED)

    def bring_up(self, first: date, last: date, markets: Sequence[str] = MARKETS) -> None:
        """Everything that the model assets make of a range."""
        self.walk(first, last, markets)
        home = self.home
        for job, tags in downstream_runs(home.config, list(home.markets.values()), markets, first, last):
            self.run(job, tags)

    def run(
        self, job: str, tags: Mapping[str, str], assets: Sequence[str] = (), *, fail: bool = True
    ) -> dg.ExecuteInProcessResult:
        """Run a job, or some of its assets; ``fail``: raise where it fails."""
        return self.pipeline.definitions.resolve_job_def(job).execute_in_process(
            instance=self.pipeline.instance,
            tags=dict(tags),
            asset_selection=[dg.AssetKey(name) for name in assets] or None,
            raise_on_error=fail,
            run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
        )

    def hashes(self, last: date = LAST) -> pl.DataFrame:
        """Content of every partition up to a session that the model assets wrote."""
        parts = [
            partition_hashes(DATASETS[name], self.pipeline.lake.read(name, last=last)).with_columns(
                pl.lit(name).alias("dataset")
            )
            for name in MADE
        ]
        return pl.concat(parts).sort("dataset", "market", "session")

    def judged(self, last: date = LAST) -> list[sa.Row[tuple[object, ...]]]:
        """What training dates up to a session came to, without the run and the clock."""
        return self._rows(judgements, last)

    def stressed(self, last: date = LAST) -> list[sa.Row[tuple[object, ...]]]:
        """Stress reports of training dates up to a session."""
        return self._rows(stress_reports, last)

    def champions(self, last: date = LAST) -> list[tuple[int, str]]:
        """Version and digest of the champions whose training date is up to a session."""
        with engine_on(self.pipeline.database_url) as engine:
            found = champions_of(engine, self.registry, "sim")
        return [(champion.version, champion.sha256) for champion in found if champion.model.cutoff < last]

    def _rows(self, table: sa.Table, last: date) -> list[sa.Row[tuple[object, ...]]]:
        columns = [column for column in table.c if column.name not in {"recorded_at", "run_id"}]
        query = sa.select(*columns).where(table.c.training_date <= last).order_by(*table.primary_key.columns)
        with engine_on(self.pipeline.database_url) as engine, engine.connect() as connection:
            return list(connection.execute(query))

    def snapshots(self, last: date = LAST) -> dict[str, str]:
        """Digest of the snapshot of each training date up to a session."""
        pointers = sorted((self.pipeline.home / "snapshots").rglob("*.json"))
        found = {path.stem: json.loads(path.read_text(encoding="utf-8"))["sha256"] for path in pointers}
        return {day: digest for day, digest in found.items() if day <= last.isoformat()}

    @property
    def home(self) -> HomeResource:
        """The home as assets see it."""
        return HomeResource(path=str(self.pipeline.home))

    @property
    def registry(self) -> MemoryRegistry:
        """The home's model registry."""
        return _registries.setdefault(str(self.pipeline.home), MemoryRegistry())


def make_modelled(home: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Modelled:
    """A home that has the world's tables and nothing made of them yet.

    Events of single partitions are not stored: nothing here looks at them, and they would cost more than all the rest.
    """
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")
    monkeypatch.setenv("DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS", "1")
    monkeypatch.setattr(f"{EVENTS}.store_event_batch", lambda *_: None)
    monkeypatch.setenv("HYDRA_NOW", "2024-11-22T12:00:00+00:00")
    config = {"kind": "simulated", "markets": list(MARKETS), "history_start": FIRST}
    resources = {"registry": MemoryRegistryResource(uri=str(home))}
    made = Modelled(make_pipeline(home, config, database_url, monkeypatch, resources))
    made.write(world_tables())
    return made
