"""Code location ``hydra_agent``: one small assembly."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import cast

import dagster as dg

from hydra_agent.defs.experiments import candidate_evaluation, candidate_model, candidate_stress
from hydra_agent.defs.hypotheses import hypotheses_assets
from hydra_agent.defs.jobs import (
    HEALING_JOB,
    HYPOTHESES_JOB,
    PARTITION_TAG,
    PROMOTION_JOB,
    WATCH_JOB,
    agent_jobs,
    agent_sensors,
    experiment_tags,
    group_range_tags,
    passed_cycles,
    pending_experiments,
)
from hydra_agent.defs.operating_jobs import operating_jobs
from hydra_agent.defs.promoting import promotion_assets
from hydra_agent.defs.succession import stage_assets
from hydra_agent.defs.watching import watching_assets
from hydra_assets.defs.registry import default_registry
from hydra_assets.defs.resources import DatabaseResource, HomeResource, default_resources
from hydra_assets.home import home_path, read_home
from hydra_assets.markets.loader import markets_of
from hydra_assets.state.chain import EntryKind
from hydra_assets.state.trial_ledger import TrialLedger

Runs = Iterator[tuple[str, dict[str, str]]]


def build_defs(resource_overrides: Mapping[str, object] | None = None) -> dg.Definitions:
    """All definitions of the location, with parts swapped by tests."""
    resources = {**default_resources(), "registry": default_registry(), **(resource_overrides or {})}
    root = home_path()
    config = read_home(root)
    markets = list(markets_of(config, root).values())
    made = (stage_assets, watching_assets, hypotheses_assets, promotion_assets)
    return dg.Definitions(
        assets=[
            *(asset for assets in made for asset in assets(config, markets)),
            candidate_model,
            candidate_stress,
            candidate_evaluation,
        ],
        jobs=[*agent_jobs(), *operating_jobs()],
        sensors=agent_sensors(markets),
        resources=resources,
        executor=dg.in_process_executor,
    )


def watch_runs(markets: Sequence[str], first: date, last: date) -> Runs:
    """What a cycle runs here before trading: what is wrong decides how much may be traded."""
    yield WATCH_JOB, group_range_tags(_groups(markets), first, last)


def cycle_runs(markets: Sequence[str], first: date, last: date) -> Runs:
    """What a cycle runs here after trading: where a diagnosis asks for it, a healing cycle.

    Lazy: what is run next depends on what the run before it found.
    """
    del first
    parts = default_resources()
    home, database = cast("HomeResource", parts["home"]), cast("DatabaseResource", parts["database"])
    ledger = TrialLedger(database.engine, home.root)
    for group in _groups(markets):
        yield HYPOTHESES_JOB, {PARTITION_TAG: f"{group}|{last.isoformat()}"}
    judged = {entry.subject for entry in ledger.entries() if entry.kind is EntryKind.VERDICT}
    with dg.DagsterInstance.get() as instance:
        pending = pending_experiments(instance, judged)
    for keys in pending:
        yield HEALING_JOB, experiment_tags(keys)
    for cycle in passed_cycles(ledger):
        yield PROMOTION_JOB, {PARTITION_TAG: cycle}


def _groups(markets: Sequence[str]) -> list[str]:
    home = cast("HomeResource", default_resources()["home"])
    return sorted({home.markets[symbol].group for symbol in markets})


defs = build_defs()
