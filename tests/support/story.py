"""A home for the healing stories: two markets for six years, and a feature whose meaning turns round in the middle.

The world's own edge is constant. ``momentum_5`` is made anew: up to the break it knows a little of the coming return,
from then on of its opposite. A champion that believes in it does well, then badly; one without it does well throughout.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa

from hydra_assets.columns import DIVERGENCE, FEATURE_VECTOR, FUTURES_CURVE, LABELS, REGIMES
from hydra_assets.features.dictionary import FEATURE_NAMES
from hydra_assets.labels.known import LabelKind
from hydra_assets.models.linear import Logistic
from hydra_assets.models.recalibrated import AS_IT_IS
from hydra_assets.models.recipe import THESIS, THESIS_FEATURES, Recipe
from hydra_assets.models.snapshot import training_snapshot
from hydra_assets.models.trained import TrainedModel, train
from hydra_assets.registry.champions import Cause, Record, crown
from hydra_assets.registry.mlflow_registry import MlflowRegistry
from hydra_assets.sources.simulated.world import Edge, EdgeKind, World
from hydra_assets.state.db import claim
from hydra_console.bootstrap.variables import with_schema
from studies.recipes import with_held_contracts
from studies.worlds.world import world_frames
from tests.support.pipeline import Pipeline, make_pipeline
from tests.support.postgres import engine_on

MARKETS = ("SIM_HE", "SIM_ZO")
TURNED = "momentum_5"
BREAK_ROW = 560
CROWNED_ROW = 520
SEED, INFORMATION, BELIEF = 32, 0.15, 0.4
START, END = date(2019, 1, 2), date(2024, 12, 31)
BELIEVER = Recipe(features=(*THESIS_FEATURES, TURNED), model=Logistic(prior={**THESIS, TURNED: BELIEF}, prior_sd=0.03))
"""Believes in the feature so firmly that data hardly move it."""
CONTRARIAN = Recipe(
    features=THESIS_FEATURES, model=Logistic(prior={k: -3.0 * v for k, v in THESIS.items()}, prior_sd=0.01)
)
"""Bets against the thesis, whatever the data say."""
Tables = Mapping[str, pl.DataFrame]


@cache
def story_tables() -> Tables:
    """What the lake holds."""
    edge = Edge(kind=EdgeKind.CONSTANT, sharpe=2.4, break_session=None)
    world = world_frames(World(edge=edge), SEED, (START, END), MARKETS)
    days = world.features["session"].unique().sort()
    done = (pl.col("label_kind") == "fixed_horizon") & (pl.col("label_reason") == "ok")
    units = world.labels.filter(done).select(
        "market",
        pl.col("decision_session").alias("session"),
        (pl.col("label_return") / pl.col("label_sigma")).alias("z"),
    )
    noise = np.random.default_rng(5).standard_normal(len(world.features)) * (1.0 - INFORMATION**2) ** 0.5
    sign = pl.when(pl.col("session") < days[BREAK_ROW]).then(1.0).otherwise(-1.0)
    features = world.features.join(units, on=["market", "session"], how="left", maintain_order="left").with_columns(
        (INFORMATION * sign * pl.col("z").fill_null(0.0).clip(-3, 3) + pl.Series(noise)).alias(TURNED)
    )
    absent = [
        pl.lit("" if dtype == pl.String else 1.0 if name == "size_factor" else None, dtype).alias(name)
        for name, dtype in DIVERGENCE.schema.items()
        if name not in {"market", "session"}
    ]
    return {
        FEATURE_VECTOR.name: features.drop("z").select(FEATURE_VECTOR.columns),
        LABELS.name: world.labels,
        FUTURES_CURVE.name: with_held_contracts(world.curve),
        REGIMES.name: world.regimes,
        DIVERGENCE.name: features.select("market", "session").with_columns(absent).select(DIVERGENCE.columns),
    }


@dataclass
class Story:
    """The home, and what happens on it."""

    pipeline: Pipeline
    agent: dg.Definitions
    tracking_uri: str

    @property
    def days(self) -> list[date]:
        """Sessions of the world."""
        found: list[date] = story_tables()[FEATURE_VECTOR.name]["session"].unique().sort().to_list()
        return found

    @property
    def registry(self) -> MlflowRegistry:
        """The real registry."""
        return MlflowRegistry(self.tracking_uri)

    def engine(self) -> sa.Engine:
        """The state database."""
        return sa.create_engine(self.pipeline.database_url)

    def run(
        self, definitions: dg.Definitions, job: str, tags: Mapping[str, str], *, fail: bool = True
    ) -> dg.ExecuteInProcessResult:
        """Run a job of either location."""
        return definitions.resolve_job_def(job).execute_in_process(
            instance=self.pipeline.instance,
            tags=dict(tags),
            raise_on_error=fail,
            run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
        )

    def fit(self, name: str, recipe: Recipe, cutoff: date) -> TrainedModel:
        """A recipe fitted to what was known at a session."""
        tables = story_tables()
        snapshot = training_snapshot(
            tables[FEATURE_VECTOR.name], tables[LABELS.name], FEATURE_NAMES, LabelKind.FIXED_HORIZON, cutoff
        )
        return train(name, recipe, snapshot, AS_IT_IS, thesis_green=True)

    def crown(self, model: TrainedModel, cause: Cause) -> None:
        """Make a model the champion."""
        with engine_on(self.pipeline.database_url) as engine:
            crown(engine, self.registry, "sim", model, Record(), cause)


def make_story(home: Path, database_url: str, monkeypatch: pytest.MonkeyPatch, tables: Tables | None = None) -> Story:
    """A home with the story's tables, no champion yet, and both locations' definitions."""
    with engine_on(database_url) as engine, engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema("mlflow", if_not_exists=True))
    with engine_on(database_url) as engine:
        claim(engine, "simulated")
    uri = with_schema(database_url, "mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("_MLFLOW_SERVER_ARTIFACT_ROOT", str(home / "mlflow"))
    monkeypatch.setenv("HYDRA_NOW", "2025-01-02T12:00:00+00:00")
    config = {"kind": "simulated", "markets": list(MARKETS), "history_start": START}
    pipeline = make_pipeline(home, config, database_url, monkeypatch)
    for name, rows in (tables or story_tables()).items():
        for market in MARKETS:
            own = rows.filter(pl.col("market") == market)
            pipeline.lake.replace(name, market, START, own["session"].max(), own)
    import hydra_agent.definitions as agent  # reads the home when it is imported

    return Story(pipeline, agent.build_defs(), uri)
