"""What fills teach of impact, as a version that holds from the next session on."""

from hydra_assets.columns import SLIPPAGE_RECONCILIATION
from hydra_exec.defs.account import AccountParts
from hydra_exec.slippage.learn import SlippageVersion, learn
from hydra_exec.slippage.measure import by_order
from hydra_exec.slippage.versions import record, versions
from hydra_exec.trading_log import last_traded


def learn_from_fills(parts: AccountParts) -> list[SlippageVersion]:
    """Learn anew where a market has fills that its last version has not seen; the versions that are new.

    A version takes effect after the newest session that was traded, never in the past: what a replay of a session read
    when the session was computed, it reads for ever.
    """
    engine, lake = parts.database.engine, parts.lake.lake
    last = last_traded(engine, parts.config.account)
    if last is None:
        return []
    out = []
    for market, spec in parts.home.markets.items():
        measured = lake.read(SLIPPAGE_RECONCILIATION.name, markets=[market], last=last)
        known = versions(engine, market)
        seen = measured["arrival_slippage_ticks"].count()
        if not seen or (known and known[-1].fills == seen):
            continue
        version = learn(market, last, by_order(measured), spec.liquidity.impact_y)
        if record(engine, version, parts.run_id):
            out.append(version)
    return out
