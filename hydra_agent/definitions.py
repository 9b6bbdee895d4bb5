"""Code location ``hydra_agent``: one small assembly."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import cast

import dagster as dg

from hydra_agent.defs.experiments import (
    HEALING_JOB,
    agent_jobs,
    candidate_evaluation,
    candidate_model,
    register_experiments,
)
from hydra_assets.defs.registry import default_registry
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource, default_resources

PARTITION_TAG = "dagster/partition"


def build_defs(resource_overrides: Mapping[str, object] | None = None) -> dg.Definitions:
    """All definitions of the location, with parts swapped by tests."""
    return dg.Definitions(
        assets=[candidate_model, candidate_evaluation],
        jobs=agent_jobs(),
        resources={**default_resources(), "registry": default_registry(), **(resource_overrides or {})},
        executor=dg.in_process_executor,
    )


def cycle_runs(markets: Sequence[str], first: date, last: date) -> list[tuple[str, dict[str, str]]]:
    """What a cycle runs here, after the models: one experiment per group, whose partitions this adds."""
    del markets, first, last
    parts = default_resources()
    home = cast("HomeResource", parts["home"])
    lake, database = cast("LakeResource", parts["lake"]), cast("DatabaseResource", parts["database"])
    with dg.DagsterInstance.get() as instance:
        keys = register_experiments(instance, home, lake, database)
    return [(HEALING_JOB, {PARTITION_TAG: key}) for key in keys]


defs = build_defs()
