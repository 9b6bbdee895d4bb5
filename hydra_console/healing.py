"""How the healing loop of a home stands, for ``hydra status``: health, diagnosis, champion, what waits or is left."""

import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import sqlalchemy as sa

from hydra_agent.defs.assistant import llm_config
from hydra_agent.heads.budget import allowance
from hydra_agent.llm.secrets import key_of
from hydra_agent.past import past_of
from hydra_agent.playbook.mutations import Category
from hydra_assets import clock
from hydra_assets.columns import CHAMPION_HEALTH, DIAGNOSIS
from hydra_assets.home import HomeConfig
from hydra_assets.lake import Lake
from hydra_assets.markets.model import MarketSpec
from hydra_assets.state.autonomy_log import current_level, waiting
from hydra_assets.state.chain import Entry, verify
from hydra_assets.state.journal import JournalKind, JournalQuery, search
from hydra_assets.state.llm_log import spent_on
from hydra_assets.state.trial_ledger import LedgerError, TrialLedger

SIGNALS_SHOWN = 4
_GRADES = {"OK": 0, "INFO": 1, "WARNING": 2, "CRITICAL": 3}


def healing_standing(
    engine: sa.Engine, lake: Lake, config: HomeConfig, markets: Sequence[MarketSpec], home: Path
) -> dict[str, Any]:
    """Autonomy, what waits for a person, ledger, budget of the language model, and each group; for JSON."""
    ledger = TrialLedger(engine, home)
    entries, intact, words = _read(ledger)
    groups: dict[str, list[str]] = {}
    for market in markets:
        groups.setdefault(market.group, []).append(market.symbol)
    return {
        "autonomy": str(current_level(engine)),
        "waiting": [
            {"action": str(row.action), "subject": row.subject, "message": row.message} for row in waiting(engine)
        ],
        "ledger": {"intact": intact, "message": words},
        "llm": _llm_left(engine, config),
        "groups": [
            _group(engine, lake, group, symbols, [e for e in entries if e.model_group == group])
            for group, symbols in sorted(groups.items())
        ],
    }


def _read(ledger: TrialLedger) -> tuple[list[Entry], bool, str]:
    try:
        entries = ledger.entries()
        verdict = verify(entries, ledger.anchor())
        return (entries if verdict.intact else []), verdict.intact, verdict.message
    except LedgerError as unreadable:
        return [], False, str(unreadable)


def _llm_left(engine: sa.Engine, config: HomeConfig) -> dict[str, Any] | None:
    """Tokens and money that today's calls may still use; None where no model is asked."""
    settings = llm_config(config)
    if not settings.chain:
        return None
    tokens, money = spent_on(engine, clock.now().date())
    return {
        "chain": [provider.name for provider in settings.chain],
        "without_key": [p.name for p in settings.chain if key_of(p, os.environ) is None],
        "tokens_left": max(0, settings.budget.tokens - tokens),
        "money_left": max(0.0, settings.budget.money - money),
    }


def _group(
    engine: sa.Engine, lake: Lake, group: str, symbols: Sequence[str], entries: Sequence[Entry]
) -> dict[str, Any]:
    """A group at its newest session that was watched; ``session`` is None where none was."""
    sessions = lake.read(DIAGNOSIS.name, markets=symbols, columns=["session"])["session"].unique().sort()
    out: dict[str, Any] = {"group": group, "session": None}
    if sessions.is_empty():
        return out
    newest: date = sessions[-1]
    rows = lake.read(DIAGNOSIS.name, markets=symbols, first=newest, last=newest)
    row = rows.row(0, named=True)
    query = JournalQuery(kinds=(str(JournalKind.OBSERVATION),), model_group=group, limit=1)
    seen = [entry.facts.get("shadow") for _, entry in search(engine, query)]
    days = (sessions.to_physical().to_numpy()).astype(np.int64)
    past = past_of(entries, days).experiments
    left = {str(c): allowance(past, len(days) - 1, c) for c in Category}
    return out | {
        "session": newest,
        "cause": row["cause"],
        "confidence": row["cause_confidence"],
        "response": row["response"],
        "exposure": dict(rows.select("market", "exposure").iter_rows()),
        "masked": [name for name in row["masked_features"].split(",") if name],
        "stage": row["champion_stage"],
        "size_fraction": row["size_fraction"],
        "shadow": seen[0] if seen else None,
        "signals": _gravest(lake, symbols, newest),
        "experiments_left": {name: {"left": found.left, "reason": str(found.reason)} for name, found in left.items()},
    }


def _gravest(lake: Lake, symbols: Sequence[str], session: date) -> list[dict[str, Any]]:
    """Signals of WARNING and more, gravest first; one of the whole group once."""
    rows = lake.read(CHAMPION_HEALTH.name, markets=symbols, first=session, last=session)
    names = ("health_level", "health_family", "health_signal", "health_scope", "health_reason")
    grade = pl.col("health_level").replace_strict(_GRADES, return_dtype=pl.Int64)
    found = rows.filter(grade >= _GRADES["WARNING"]).select(names).unique(maintain_order=True)
    graver = found.sort(grade, descending=True, maintain_order=True)
    return [{name.removeprefix("health_"): value for name, value in row.items()} for row in graver.to_dicts()]


def healing_lines(standing: dict[str, Any]) -> list[str]:
    """The same for a person, a line each."""
    lines = [f"autonomy      {standing['autonomy']}"]
    ledger = standing["ledger"]
    lines.append(f"ledger        {'intact' if ledger['intact'] else 'NOT TO BE BELIEVED'}: {ledger['message']}")
    if (llm := standing["llm"]) is None:
        lines.append("language      no model is asked: rules only")
    else:
        left = f"{llm['tokens_left']:,} tokens and {llm['money_left']:.2f} of money left today"
        names = [f"{name} (no key)" if name in llm["without_key"] else name for name in llm["chain"]]
        lines.append(f"language      {', '.join(names)}: {left}")
    for group in standing["groups"]:
        lines += _group_lines(group)
    for row in standing["waiting"]:
        lines.append(
            f"waiting       {row['action']} {row['subject']}: {row['message']} (`hydra promote`, `hydra reject`)"
        )
    return lines


def _group_lines(group: dict[str, Any]) -> list[str]:
    name = group["group"]
    if group["session"] is None:
        return [f"health        {name}: not watched yet"]
    signals = [f"{s['level']} {s['signal']} {s['reason']} ({s['scope']})" for s in group["signals"]]
    more = f" and {len(signals) - SIGNALS_SHOWN} more" if len(signals) > SIGNALS_SHOWN else ""
    sure = "" if group["confidence"] is None else f" (confidence {group['confidence']:.2f})"
    exposure = ", ".join(f"{market} {share:.0%}" for market, share in group["exposure"].items())
    shadow = group["shadow"]
    bets = (
        "e-values not taken yet"
        if shadow is None
        else f"e = {shadow['e_for']:.2f} for it and {shadow['e_against']:.2f} against it ({shadow['against']})"
    )
    left = ", ".join(
        f"{kind} {found['left']}" + ("" if found["reason"] == "ok" else f" ({found['reason']})")
        for kind, found in group["experiments_left"].items()
    )
    return [
        f"health        {name} on {group['session']}: {', '.join(signals[:SIGNALS_SHOWN]) or 'sound'}{more}",
        f"diagnosis     {name}: {group['cause']}{sure}, response {group['response']}; exposure {exposure}",
        f"stage         {name}: {group['stage']} at {group['size_fraction']:.0%} of its size; {bets}",
        f"experiments   {name}, left in this window: {left}",
    ]
