"""One cycle: run the planned jobs one after the other with progress, then say what stands and what to do next."""

from collections.abc import Callable, Iterable, Sequence

import dagster as dg
import polars as pl
import sqlalchemy as sa
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from hydra_assets.columns import QUARANTINE
from hydra_assets.lake import Lake
from hydra_assets.state.tables import partition_content_latest as content
from hydra_console.runner import JobOutcome, JobRequest, run_job
from hydra_console.runner import Progress as JobProgress


def run_all(
    instance: dg.DagsterInstance,
    requests: Sequence[JobRequest],
    console: Console,
    later: Callable[[], Iterable[JobRequest]] = lambda: (),
) -> list[JobOutcome]:
    """Run every request of the datasets, then those of ``later`` for as long as all went well."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TextColumn("{task.completed}/{task.total} steps"),
        TextColumn("{task.fields[partitions]:,} partitions"),
        TextColumn("{task.fields[step]}", style="dim"),
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as bars:
        outcomes = [_run(instance, request, bars, console) for request in requests]
        if all(outcome.success for outcome in outcomes):
            for request in later():
                outcomes.append(_run(instance, request, bars, console))
                if not outcomes[-1].success:
                    break
    return outcomes


def _run(instance: dg.DagsterInstance, request: JobRequest, bars: Progress, console: Console) -> JobOutcome:
    title = f"{request.module.split('.')[0]} {request.job}"
    task = bars.add_task(title, total=None, partitions=0, step="")
    shown = 0

    def show(progress: JobProgress) -> None:
        nonlocal shown
        bars.update(
            task, total=progress.total, completed=progress.done, partitions=progress.partitions, step=progress.step
        )
        if not console.is_terminal and progress.done > shown:
            shown = progress.done
            console.print(f"{title}: {progress.done}/{progress.total} {progress.step}")

    outcome = run_job(instance, request, show)
    state = "done" if outcome.success else "failed"
    bars.update(task, step=state)
    if not console.is_terminal:
        console.print(f"{title}: {state}, {sum(outcome.materialised.values()):,} partitions, {outcome.seconds:.0f} s")
    return outcome


def dataset_summary(engine: sa.Engine, lake: Lake) -> pl.DataFrame:
    """Per dataset on record: markets, first and newest session, sessions, rows, and its rows in quarantine."""
    query = sa.select(
        content.c.dataset,
        sa.func.count(content.c.market.distinct()),
        sa.func.min(content.c.session),
        sa.func.max(content.c.session),
        sa.func.count(content.c.session.distinct()),
        sa.func.sum(content.c.row_count),
    ).group_by(content.c.dataset)
    with engine.connect() as connection:
        rows = [(*row[:5], int(row[5])) for row in connection.execute(query)]
    schema = {
        "dataset": pl.String(),
        "markets": pl.Int64(),
        "first": pl.Date(),
        "last": pl.Date(),
        "sessions": pl.Int64(),
        "rows": pl.Int64(),
    }
    summary = pl.DataFrame(rows, schema=schema, orient="row")
    refused = lake.read(QUARANTINE.name, columns=["dataset"]).group_by("dataset").agg(quarantined=pl.len())
    return (
        summary.join(refused, on="dataset", how="left")
        .with_columns(pl.col("quarantined").fill_null(0).cast(pl.Int64))
        .sort("dataset")
    )


def summary_table(summary: pl.DataFrame, outcomes: Sequence[JobOutcome]) -> Table:
    """The summary as a table, with the checks of these runs beside each dataset."""
    checks = [check for outcome in outcomes for check in outcome.checks]
    table = Table("dataset", title=None)
    for column in ("markets", "sessions", "rows", "quarantined"):
        table.add_column(column, justify="right")
    table.add_column("newest")
    table.add_column("checks")
    for row in summary.iter_rows(named=True):
        mine = [check for check in checks if check.asset == row["dataset"]]
        failed = sum(not check.passed for check in mine)
        verdict = "" if not mine else f"{len(mine) - failed} passed" + (f", {failed} failed" if failed else "")
        table.add_row(
            row["dataset"],
            *(f"{row[name]:,}" for name in ("markets", "sessions", "rows", "quarantined")),
            str(row["last"]),
            verdict,
        )
    return table


def complaints(outcomes: Sequence[JobOutcome]) -> list[str]:
    """One line per failed step and failed check, steps first."""
    lines = [
        f"{outcome.request.job}: {failure.step + ': ' if failure.step else ''}{failure.message}"
        for outcome in outcomes
        for failure in outcome.failures
    ]
    lines += [
        f"{check.asset}: check {check.check} {'failed' if check.blocking else 'warns'}"
        + (f": {check.description}" if check.description else "")
        for outcome in outcomes
        for check in outcome.checks
        if not check.passed
    ]
    return lines
