"""Code location ``hydra_agent``: one small assembly."""

from collections.abc import Mapping

import dagster as dg

from hydra_agent.defs.experiments import agent_jobs, candidate_evaluation, candidate_model
from hydra_assets.definitions import default_resources
from hydra_assets.defs.registry import default_registry


def build_defs(resource_overrides: Mapping[str, object] | None = None) -> dg.Definitions:
    """All definitions of the location, with parts swapped by tests."""
    return dg.Definitions(
        assets=[candidate_model, candidate_evaluation],
        jobs=agent_jobs(),
        resources={**default_resources(), "registry": default_registry(), **(resource_overrides or {})},
        executor=dg.in_process_executor,
    )


defs = build_defs()
