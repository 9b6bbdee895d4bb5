"""What the agent demands of the one system state, and what it observed, on record after each watch of today."""

from collections.abc import Sequence
from datetime import date, timedelta

import sqlalchemy as sa

from hydra_agent.defs.diagnosing import Finding, diagnosed
from hydra_agent.defs.group_watch import Parts
from hydra_assets.columns import FEATURE_VECTOR
from hydra_assets.state.alerts import AlertSink
from hydra_assets.state.demands import post, settle
from hydra_assets.state.journal import JournalEntry, JournalKind, write
from hydra_assets.state.records import Alert, AlertLevel
from hydra_assets.state.system import Demand, Transition, TransitionCode, strictest

ORIGIN = "agent"
"""Owner of the demands, and what their origins begin with."""


def conclude_watch(parts: Parts, last: date, run_id: str) -> Transition | None:
    """Record what was observed and let the strictest demand of all groups hold; None where ``last`` is the past.

    A watch of past sessions says nothing about today, and today's state is all that there is.
    """
    symbols = list(parts.home.markets)
    later = parts.lake.lake.read(
        FEATURE_VECTOR.name, markets=symbols, first=last + timedelta(days=1), columns=["session"]
    )
    if not later.is_empty():
        return None
    found = findings(parts, last)
    for finding in found:
        write(parts.database.engine, observation(finding, run_id))
    sink = AlertSink(parts.database.engine, parts.home.config.webhook_url)
    return follow(parts.database.engine, sink, demands_of(found), run_id)


def findings(parts: Parts, last: date = date.max) -> list[Finding]:
    """Findings of all groups of the home that have features."""
    groups = sorted({market.group for market in parts.home.markets.values()})
    return [found for group in groups if (found := diagnosed(parts, group, last, explain=False)) is not None]


def demands_of(found: Sequence[Finding]) -> list[Demand]:
    """What each group's response demands of the system."""
    return [
        Demand(
            f"{ORIGIN}.{finding.group}",
            finding.response.demand,
            f"{finding.group}: {finding.causes[0].message}" if finding.causes else f"{finding.group}: nothing is wrong",
        )
        for finding in found
    ]


def follow(engine: sa.Engine, sink: AlertSink, demands: Sequence[Demand], run_id: str) -> Transition | None:
    """Post what the agent demands and settle the state with all others; None where it stays.

    Only the agent's own tightening is the agent's alarm.
    """
    post(engine, ORIGIN, demands)
    verdict, wanted = settle(engine), strictest(demands)
    if verdict is not None and verdict.code is TransitionCode.TIGHTENED and verdict.after is wanted.state:
        message = f"the agent demands {wanted.state}: {wanted.reason}"
        key = f"agent_demand|{wanted.state}"
        sink.raise_alert(Alert(AlertLevel.CRITICAL, "agent_demand", message, run_id=run_id, dedupe_key=key))
    return verdict


def observation(finding: Finding, run_id: str) -> JournalEntry:
    """A session's finding as the journal keeps it."""
    record = finding.record()
    gravest = record["signals"][0]["level"] if finding.signals else "OK"
    kept = ("champion", "stage", "size_fraction", "response", "demand", "exposure", "shadow")
    return JournalEntry(
        JournalKind.OBSERVATION,
        finding.group,
        finding.session,
        f"{finding.group}.{finding.session}",
        outcome=gravest,
        tags=tuple(dict.fromkeys(str(signal.reason) for signal in finding.signals)),
        message=f"{len(finding.signals)} signals of WARNING and more",
        facts={name: record[name] for name in kept} | {"signals": record["signals"][:20]},
        run_id=run_id,
    )
