"""The real pipeline on a home in a temporary directory: Dagster in process, real lake, real PostgreSQL."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
import yaml

from hydra_assets.columns import DATASETS, PartitionedBy
from hydra_assets.lake import Lake
from hydra_assets.lake.content_hash import partition_hashes

warnings.filterwarnings("ignore", category=dg.BetaWarning)


@dataclass
class Pipeline:
    """One home and the jobs on it."""

    home: Path
    definitions: dg.Definitions
    instance: dg.DagsterInstance
    markets: list[str]
    database_url: str

    def run(self, job: str, tags: Mapping[str, str], *, fail: bool = True) -> dg.ExecuteInProcessResult:
        """Execute a job over a range of partitions."""
        return self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance, tags=dict(tags), raise_on_error=fail
        )

    def bring_up(self, first: date, last: date, markets: Sequence[str] | None = None) -> None:
        """Reports, then every dataset, over a range."""
        from hydra_assets.defs.jobs import DATASETS_JOB, REPORTS_JOB, range_tags, week_tags

        for job, tags in (
            (REPORTS_JOB, week_tags(first, last)),
            (DATASETS_JOB, range_tags(list(markets or self.markets), first, last)),
        ):
            assert self.run(job, tags).success

    @property
    def lake(self) -> Lake:
        """The home's lake."""
        return Lake(str(self.home / "lake"))

    def hashes(self, last: date | None = None) -> pl.DataFrame:
        """Content hashes of every market and session partition of the lake, as they are stored now."""
        parts = []
        for name, spec in DATASETS.items():
            if spec.partitioned_by is PartitionedBy.NONE or not self.lake.exists(name):
                continue
            hashed = partition_hashes(spec, self.lake.read(name)).with_columns(pl.lit(name).alias("dataset"))
            parts.append(hashed.filter(pl.col("session") <= last) if last else hashed)
        return pl.concat(parts).sort("dataset", "market", "session")


def make_pipeline(
    home: Path,
    config: Mapping[str, object],
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    resources: Mapping[str, object] | None = None,
) -> Pipeline:
    """Write ``home.yaml`` and build the definitions on it, with other resources; no bootstrap unless asked for."""
    config = {"bootstrap_draws": 0, **config}
    home.mkdir(parents=True, exist_ok=True)
    (home / "home.yaml").write_text(yaml.safe_dump(dict(config)), encoding="utf-8")
    monkeypatch.setenv("HYDRA_HOME", str(home))
    monkeypatch.setenv("HYDRA_POSTGRES_URL", database_url)
    from hydra_assets.definitions import build_defs

    return Pipeline(home, build_defs(resources), dg.DagsterInstance.ephemeral(), list(config["markets"]), database_url)  # type: ignore[call-overload]
