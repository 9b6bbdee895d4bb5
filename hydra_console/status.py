"""How a home stands, gathered in one place for a person and for programs."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import dagster as dg
import polars as pl
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from hydra_assets.columns import DENSITY_GATE, IMPLIED_DENSITY, IMPLIED_MOMENTS
from hydra_assets.home import HomeConfig
from hydra_assets.lake import Lake
from hydra_assets.markets.loader import markets_of
from hydra_assets.options.grades import GRADES
from hydra_assets.state.judgements import newest_judgements
from hydra_assets.state.system_log import current_state
from hydra_assets.state.tables import alerts, promotions
from hydra_console.bootstrap.environment import Environment
from hydra_console.cycle import dataset_summary
from hydra_console.healing import healing_lines, healing_standing
from hydra_console.trading import trading_lines, trading_standing

WATERMARK = "SIMULATED MARKETS - no real prices, no real orders"
ALERTS_SHOWN = 10
VOL_TENOR = "60d"


def home_status(environment: Environment, config: HomeConfig, engine: sa.Engine, lake: Lake) -> dict[str, Any]:
    """Kind, datasets, options, alerts, quarantine, champions, healing, trading, state, database and runs, for JSON."""
    open_alerts = (
        sa.select(alerts.c.id, alerts.c.level, alerts.c.code, alerts.c.message, alerts.c.last_at)
        .where(alerts.c.acknowledged_at.is_(None))
        .order_by(alerts.c.last_at.desc())
    )
    champions = (
        sa.select(promotions.c.model_group, promotions.c.version, promotions.c.recorded_at)
        .distinct(promotions.c.model_group)
        .order_by(promotions.c.model_group, promotions.c.id.desc())
    )
    with engine.connect() as connection:
        alert_rows = [dict(row._mapping) for row in connection.execute(open_alerts)]
        champion_rows = [dict(row._mapping) for row in connection.execute(champions)]
        version = connection.exec_driver_sql("SHOW server_version").scalar_one()
        size_bytes = connection.scalar(sa.select(sa.func.pg_database_size(sa.func.current_database())))
    with dg.DagsterInstance.get() as instance:
        running = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    judged = [
        {
            "model_group": found.model_group,
            "training_date": found.training_date,
            "code": found.code,
            "message": found.message,
            "sharpe": found.metrics.get("sharpe"),
            "thesis_lower": found.metrics.get("thesis_lower"),
            "thesis_upper": found.metrics.get("thesis_upper"),
        }
        for found in newest_judgements(engine)
    ]
    datasets = dataset_summary(engine, lake)
    markets = markets_of(config, environment.home)
    return {
        "home": str(environment.home),
        "kind": config.kind,
        "watermark": WATERMARK if config.kind == "simulated" else None,
        "markets": list(config.markets),
        "system_state": str(current_state(engine)),
        "datasets": datasets.to_dicts(),
        "options": options_standing(lake, config.markets),
        "quarantined_rows": int(datasets["quarantined"].sum()),
        "open_alerts": alert_rows,
        "champions": champion_rows,
        "judgements": judged,
        "healing": healing_standing(engine, lake, config, list(markets.values()), environment.home),
        "trading": trading_standing(engine, lake, config, markets),
        "database": {
            "embedded": environment.embedded,
            "version": version,
            "size_mb": round((size_bytes or 0) / 1e6, 1),
        },
        "running_runs": [{"run_id": run.run_id, "job": run.job_name} for run in running],
    }


def options_standing(lake: Lake, markets: Sequence[str]) -> list[dict[str, Any]]:
    """What each market's options were worth in the newest session that its density gate has judged.

    One record a market: ``session``, ``gate_state`` and ``gate_reasons``; ``slices_by_grade``; the at-the-money
    volatility at 60 days, a fraction a year, with its 90 % interval, and ``moments_reason``, which says why it is
    missing. What no dataset holds yet is None, a count 0.
    """
    names = ("market", "session", "gate_state", "gate_reasons")
    gate = lake.read(DENSITY_GATE.name, markets=markets, columns=names).sort("session")
    newest = {row["market"]: row for row in gate.unique("market", keep="last").iter_rows(named=True)}
    return [_market_options(lake, market, newest.get(market)) for market in markets]


def _market_options(lake: Lake, market: str, gate: dict[str, Any] | None) -> dict[str, Any]:
    verdict = gate or {"session": None, "gate_state": None, "gate_reasons": None}
    session: date | None = verdict["session"]
    grades, vols = dict.fromkeys(map(str, GRADES), 0), dict.fromkeys(("atm_vol", "atm_vol_lo", "atm_vol_hi"))
    moments: dict[str, Any] = {**vols, "moments_reason": None}
    if session is not None:
        found = lake.read(IMPLIED_DENSITY.name, markets=[market], first=session, last=session, columns=["grade"])
        grades |= dict(found.drop_nulls().group_by("grade").len().iter_rows())
        columns = ["tenor", *moments]
        rows = lake.read(IMPLIED_MOMENTS.name, markets=[market], first=session, last=session, columns=columns)
        at_tenor = rows.filter(pl.col("tenor") == VOL_TENOR).with_columns(pl.col(*vols).fill_nan(None))
        moments |= next(at_tenor.select(*moments).iter_rows(named=True), {})
    return {
        "market": market,
        "session": session,
        "gate_state": verdict["gate_state"],
        "gate_reasons": [reason for reason in (verdict["gate_reasons"] or "").split(",") if reason],
        "slices_by_grade": grades,
        **{f"{name}_{VOL_TENOR}": moments[name] for name in vols},
        "moments_reason": moments["moments_reason"],
    }


def options_table(options: Sequence[dict[str, Any]]) -> Table:
    """The same for a person; volatilities in percent a year."""
    table = Table("market", "session", "density gate", *map(str, GRADES), f"ATM vol {VOL_TENOR}, % (90 %)")
    for row in options:
        gate = ": ".join(filter(None, (row["gate_state"], ", ".join(row["gate_reasons"]))))
        grades = ["" if row["session"] is None else str(count) for count in row["slices_by_grade"].values()]
        table.add_row(row["market"], str(row["session"] or "none yet"), gate, *grades, _vol_in_words(row))
    return table


def _vol_in_words(row: dict[str, Any]) -> str:
    vol, low, high = (row[f"{name}_{VOL_TENOR}"] for name in ("atm_vol", "atm_vol_lo", "atm_vol_hi"))
    if vol is None:
        return row["moments_reason"] or ""
    interval = "no interval" if low is None or high is None else f"{100 * low:.1f} to {100 * high:.1f}"
    return f"{100 * vol:.1f} ({interval})"


def judgement_in_words(found: dict[str, Any]) -> str:
    """The newest training date of a group in one line: what it came to, why, and what the recipe was worth."""
    head = f"{found['model_group']} on {found['training_date']}: {found['code']}"
    if found["sharpe"] is not None and found["thesis_lower"] is not None:
        band = f"{found['thesis_lower']:.2f} to {found['thesis_upper']:.2f}"
        return f"{head}, net Sharpe out of sample {found['sharpe']:.2f} (90 %: {band})"
    return f"{head}. {found['message']}" if found["message"] else head


def show_status(standing: dict[str, Any], console: Console) -> None:
    """Print a home's status for a person."""
    if standing["watermark"]:
        console.print(standing["watermark"], style="bold yellow")
    console.print(f"home          {standing['home']} ({standing['kind']}: {', '.join(standing['markets'])})")
    console.print(f"system state  {standing['system_state']}")
    database = standing["database"]
    where = "embedded" if database["embedded"] else "HYDRA_POSTGRES_URL"
    console.print(f"database      PostgreSQL {database['version']}, {where}, {database['size_mb']} MB")
    runs = ", ".join(f"{run['job']} {run['run_id'][:8]}" for run in standing["running_runs"])
    console.print(f"running       {runs or 'nothing'}")
    champions = ", ".join(f"{row['model_group']} version {row['version']}" for row in standing["champions"])
    console.print(f"champions     {champions or 'none yet: nothing is traded'}")
    for found in standing["judgements"]:
        console.print(f"judged        {judgement_in_words(found)}", markup=False)
    for line in healing_lines(standing["healing"]) if "healing" in standing else ():
        console.print(line, markup=False)
    for line in trading_lines(standing["trading"]) if "trading" in standing else ():
        console.print(line, markup=False)
    console.print(f"quarantine    {standing['quarantined_rows']:,} rows")
    table = Table("dataset", "markets", "sessions", "rows", "newest")
    for row in standing["datasets"]:
        table.add_row(row["dataset"], str(row["markets"]), f"{row['sessions']:,}", f"{row['rows']:,}", str(row["last"]))
    console.print(table if standing["datasets"] else "no dataset yet: run `hydra cycle`")
    if any(row["session"] is not None for row in standing["options"]):
        console.print("options, by slices of each grade in the newest session judged")
        console.print(options_table(standing["options"]))
    else:
        console.print("options       no session judged yet")
    found = standing["open_alerts"]
    console.print(f"open alerts   {len(found)}")
    for alert in found[:ALERTS_SHOWN]:
        console.print(f"  {alert['level']:<8} {alert['code']}: {alert['message']}", markup=False)
    if len(found) > ALERTS_SHOWN:
        console.print('  the rest: `hydra sql "SELECT * FROM alerts WHERE acknowledged_at IS NULL"`', markup=False)
