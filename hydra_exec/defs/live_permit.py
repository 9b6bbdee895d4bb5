"""Whether an account may trade live, as the adapter asks it at each connection."""

from collections.abc import Callable
from datetime import date, timedelta

import polars as pl

from hydra_assets import clock
from hydra_assets.columns import DENSITY_GATE, PREDICTIONS, SLIPPAGE_RECONCILIATION
from hydra_assets.quality_options import GateState
from hydra_exec.defs.account import AccountParts
from hydra_exec.live_gate.conditions import LiveFacts, LiveVerdict, counted_sessions, evaluate
from hydra_exec.live_gate.facts import LakeFacts, gather, worked_sessions
from hydra_exec.live_gate.record_log import RecordLog
from hydra_exec.slippage.measure import summary

GREEN = "green"
NEWEST_SESSIONS = 3
"""How many sessions back a gate's word may be of."""


def live_permit(parts: AccountParts) -> Callable[[str], str | None]:
    """Give the reason why an account may not trade live, None where it may; looked at anew at each call."""
    return lambda account: live_verdict(parts, account).reason


def live_verdict(parts: AccountParts, account: str) -> LiveVerdict:
    """Judge every condition of the live gate for an account, now."""
    return live_standing(parts, account)[1]


def live_standing(parts: AccountParts, account: str) -> tuple[LiveFacts, LiveVerdict]:
    """What the live gate looks at for an account now, and its verdict."""
    engine, prefixes, now = parts.database.engine, parts.config.ib.paper_prefixes, clock.now()
    counted = counted_sessions(worked_sessions(engine, prefixes), now)
    log = RecordLog(engine, parts.home.root)
    facts = gather(engine, log, account, prefixes, now, lake_facts(parts, {each.wall_date for each in counted}))
    return facts, evaluate(facts)


def lake_facts(parts: AccountParts, counted: set[date]) -> LakeFacts:
    """What the lake says: slippage over the fills of the counted sessions, both gates in the newest session."""
    lake, markets = parts.lake.lake, list(parts.home.markets)
    fills = lake.read(SLIPPAGE_RECONCILIATION.name, markets=markets)
    fills = fills.filter(pl.col("session").is_in(list(counted)))
    figures = summary(fills).row(0, named=True) if not fills.is_empty() else {}
    return LakeFacts(
        bias_half_spreads=figures.get("bias_half_spreads"),
        correlation=figures.get("correlation"),
        density_green=_green(parts, DENSITY_GATE.name, "gate_state", str(GateState.GREEN)),
        thesis_green=_green(parts, PREDICTIONS.name, "thesis_gate", GREEN),
    )


def _green(parts: AccountParts, dataset: str, column: str, wanted: str) -> bool | None:
    """Whether a gate says so of every market in its newest session.

    None where a market has no row of one of its last ``NEWEST_SESSIONS``, or the newest says nothing. A market whose
    span in the home has ended says nothing any more.
    """
    now, lake = parts.home.now(), parts.lake.lake
    said = []
    for market, calendar in parts.home.calendars.items():
        finished, last = calendar.latest_finished(now), parts.home.config.last_session(market)
        if last is not None and last < finished:
            continue
        recent = calendar.between(finished - timedelta(days=30), finished)[-NEWEST_SESSIONS:]
        rows = lake.read(dataset, markets=[market], first=recent[0], last=recent[-1]).sort("session")
        said.append(rows[column][-1] if not rows.is_empty() else None)
    return None if None in said or not said else all(word == wanted for word in said)
