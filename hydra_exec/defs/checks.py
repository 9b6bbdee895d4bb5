"""Checks on the books: the fills' chain, the broker's word, and the account's worth counted twice."""

from collections.abc import Mapping

import dagster as dg
import polars as pl

from hydra_assets.columns import DAILY_PNL, FILLS, POSITIONS
from hydra_assets.defs.checks import alert_of, check_result
from hydra_assets.defs.ranges import requested
from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.state.alerts import AlertSink
from hydra_assets.verdict import Severity, Verdict
from hydra_exec.config import trading_config
from hydra_exec.journal import store
from hydra_exec.journal.chained import verify_fills
from hydra_exec.trading_log import equities

CHAIN, BROKERS_WORD, EQUITY = "fills_chain", "brokers_word", "equity_counted_twice"
HALF_A_CENT = 0.005


def trading_checks() -> list[dg.AssetChecksDefinition]:
    """Three checks. A later correction of a fill changes what a session was worth, so the third only warns."""
    return [_chain(), _brokers_word(), _equity()]


def _chain() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=FILLS.name,
        name=CHAIN,
        blocking=True,
        description="Each line of the journal's fills follows the one before it, and none was edited.",
    )
    def check(
        context: dg.AssetCheckExecutionContext, home: HomeResource, database: DatabaseResource
    ) -> dg.AssetCheckResult:
        with database.engine.connect() as connection:
            found = verify_fills(store.read_chain(connection))
        verdict = _verdict(CHAIN, found.intact, found.message, {"first_bad_line": found.seq or 0})
        return _told(context, home, database, FILLS.name, verdict)

    return check


def _brokers_word() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=POSITIONS.name,
        name=BROKERS_WORD,
        blocking=True,
        description="The fills add up to what the broker says is held.",
    )
    def check(
        context: dg.AssetCheckExecutionContext, home: HomeResource, lake: LakeResource, database: DatabaseResource
    ) -> dg.AssetCheckResult:
        rows = _rows(context, home, lake, POSITIONS.name)
        wrong = rows.filter(pl.col("position_agrees").not_())
        said = f"{wrong.height} of {rows['position_agrees'].count()} positions are not what the broker says"
        first = "" if wrong.is_empty() else f", the first {wrong['contract'][0]} in {wrong['session'][0]}"
        verdict = _verdict(BROKERS_WORD, wrong.is_empty(), said + first, {"different": wrong.height})
        return _told(context, home, database, POSITIONS.name, verdict)

    return check


def _equity() -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=DAILY_PNL.name,
        name=EQUITY,
        description="What the account is worth by its daily P&L is what the desk counted while it traded.",
    )
    def check(
        context: dg.AssetCheckExecutionContext, home: HomeResource, lake: LakeResource, database: DatabaseResource
    ) -> dg.AssetCheckResult:
        rows = _rows(context, home, lake, DAILY_PNL.name)
        counted = pl.DataFrame(
            equities(database.engine, trading_config(home.config).account),
            schema={"session": pl.Date, "cents": pl.Int64},
            orient="row",
        )
        both = rows.join(counted, on="session", how="inner")
        wrong = both.filter((pl.col("account_equity") - pl.col("cents") / 100.0).abs() > HALF_A_CENT)
        said = f"{wrong.height} of {both.height} sessions are worth something else"
        first = "" if wrong.is_empty() else f", the first {wrong.sort('session')['session'][0]}"
        verdict = _verdict(EQUITY, wrong.is_empty(), said + first, {"different": wrong.height})
        return _told(context, home, database, DAILY_PNL.name, verdict)

    return check


def _rows(context: dg.AssetCheckExecutionContext, home: HomeResource, lake: LakeResource, dataset: str) -> pl.DataFrame:
    ranges = requested(context, home)
    first, last = min(part.first for part in ranges), max(part.last for part in ranges)
    return lake.lake.read(dataset, markets=[part.market for part in ranges], first=first, last=last)


def _verdict(name: str, passed: bool, message: str, figures: Mapping[str, int]) -> Verdict:
    severity = Severity.WARN if name == EQUITY else Severity.ERROR
    return Verdict(name, passed, severity, "ok" if passed else name, message, figures)


def _told(
    context: dg.AssetCheckExecutionContext,
    home: HomeResource,
    database: DatabaseResource,
    dataset: str,
    verdict: Verdict,
) -> dg.AssetCheckResult:
    if not verdict.passed:
        sink = AlertSink(database.engine, home.config.webhook_url)
        sink.raise_alert(alert_of(dataset, verdict, context.run.run_id))
    return check_result(dataset, verdict)
