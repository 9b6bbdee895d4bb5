"""How a home stands, gathered in one place for a person and for programs."""

from typing import Any

import dagster as dg
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from hydra_assets.home import HomeConfig
from hydra_assets.lake import Lake
from hydra_assets.state.system_log import current_state
from hydra_assets.state.tables import alerts, promotions
from hydra_console.bootstrap.environment import Environment
from hydra_console.cycle import dataset_summary

WATERMARK = "SIMULATED MARKETS - no real prices, no real orders"
ALERTS_SHOWN = 10


def home_status(environment: Environment, config: HomeConfig, engine: sa.Engine, lake: Lake) -> dict[str, Any]:
    """Kind, datasets, alerts, quarantine, champions, system state, database and running runs, ready for JSON."""
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
    datasets = dataset_summary(engine, lake)
    return {
        "home": str(environment.home),
        "kind": config.kind,
        "watermark": WATERMARK if config.kind == "simulated" else None,
        "markets": list(config.markets),
        "system_state": str(current_state(engine)),
        "datasets": datasets.to_dicts(),
        "quarantined_rows": int(datasets["quarantined"].sum()),
        "open_alerts": alert_rows,
        "champions": champion_rows,
        "database": {
            "embedded": environment.embedded,
            "version": version,
            "size_mb": round((size_bytes or 0) / 1e6, 1),
        },
        "running_runs": [{"run_id": run.run_id, "job": run.job_name} for run in running],
    }


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
    console.print(f"champions     {champions or 'none yet'}")
    console.print(f"quarantine    {standing['quarantined_rows']:,} rows")
    table = Table("dataset", "markets", "sessions", "rows", "newest")
    for row in standing["datasets"]:
        table.add_row(row["dataset"], str(row["markets"]), f"{row['sessions']:,}", f"{row['rows']:,}", str(row["last"]))
    console.print(table if standing["datasets"] else "no dataset yet: run `hydra cycle`")
    found = standing["open_alerts"]
    console.print(f"open alerts   {len(found)}")
    for alert in found[:ALERTS_SHOWN]:
        console.print(f"  {alert['level']:<8} {alert['code']}: {alert['message']}", markup=False)
    if len(found) > ALERTS_SHOWN:
        console.print('  the rest: `hydra sql "SELECT * FROM alerts WHERE acknowledged_at IS NULL"`', markup=False)
