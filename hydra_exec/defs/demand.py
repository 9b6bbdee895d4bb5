"""What execution demands of the one system state: its breakers, its books, its connection."""

from collections.abc import Sequence

import sqlalchemy as sa

from hydra_assets.state.alerts import AlertSink
from hydra_assets.state.demands import post, settle
from hydra_assets.state.records import Alert, AlertLevel
from hydra_assets.state.system import Demand, SystemState, Transition, TransitionCode, strictest
from hydra_exec.account_run import Account
from hydra_exec.connection.log import Silence

EXECUTION, DEAD_MAN = "execution", "dead_man"
"""Owners: the trade job speaks after each session, the watch over the connection every half minute."""

BOOKS = "reconciliation"
"""Origin of what it demands that journal and broker do not agree."""


def after_trading(account: Account) -> list[Demand]:
    """What breakers and books demand after a run."""
    out, standing = [account.breakers.demand], account.line.standing
    if not standing.agreed:
        words = f"journal and broker do not agree: {account.line.silence or standing.code}"
        out.append(Demand(BOOKS, SystemState.HALTED, words))
    if account.strangers:
        words = f"held, and none of the home's markets: {', '.join(account.strangers)}"
        out.append(Demand("positions", SystemState.HALTED, words))
    return out


def of_silence(silent: Sequence[Silence]) -> list[Demand]:
    """What a connection demands that should be alive and is not heard of."""
    return [
        Demand(f"connection.{each.role}", SystemState.HALTED, f"{each.role} connection of {each.account} is silent")
        for each in silent
    ]


def demand(engine: sa.Engine, sink: AlertSink, owner: str, demands: Sequence[Demand], run_id: str = "") -> None:
    """Post demands and settle the state with all others; an alarm where they tighten it."""
    post(engine, owner, demands)
    verdict: Transition | None = settle(engine)
    wanted = strictest(demands)
    if verdict is not None and verdict.code is TransitionCode.TIGHTENED and verdict.after is wanted.state:
        message = f"{wanted.origin} demands {wanted.state}: {wanted.reason}"
        key = f"{owner}_demand|{wanted.origin}|{wanted.state}"
        sink.raise_alert(Alert(AlertLevel.CRITICAL, "execution_demand", message, run_id=run_id, dedupe_key=key))
