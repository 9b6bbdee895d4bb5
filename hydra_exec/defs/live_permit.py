"""Whether an account may trade live, as the adapter asks it at each connection."""

from collections.abc import Callable
from datetime import date

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
        density_green=_newest_all(lake.read(DENSITY_GATE.name, markets=markets), "gate_state", str(GateState.GREEN)),
        thesis_green=_newest_all(lake.read(PREDICTIONS.name, markets=markets), "thesis_gate", GREEN),
    )


def _newest_all(rows: pl.DataFrame, column: str, wanted: str) -> bool | None:
    """Whether every market's newest row says so; None where there is none."""
    known = rows.drop_nulls(column)
    if known.is_empty():
        return None
    newest = known.sort("session").group_by("market").agg(pl.col(column).last())
    return bool((newest[column] == wanted).all())
