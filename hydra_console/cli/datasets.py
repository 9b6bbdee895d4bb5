"""``hydra cycle``, ``backfill``, ``status`` and ``verify``."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hydra_console.bootstrap.environment import Environment
    from hydra_console.runner import JobOutcome, JobRequest

CYCLE_LOCK = "cycle.lock"


def cycle() -> None:
    """Bring every dataset up to the newest finished session; the first run makes a home and its history."""
    from hydra_assets import clock  # noqa: PLC0415
    from hydra_assets.columns import DATASETS  # noqa: PLC0415
    from hydra_assets.state.content import latest_content  # noqa: PLC0415
    from hydra_console.bootstrap.lock import file_lock  # noqa: PLC0415
    from hydra_console.cli.output import remark  # noqa: PLC0415
    from hydra_console.cli.session import config_of, engine_of, lake_of, open_or_create_home  # noqa: PLC0415

    console = remark()
    with console.status("database and environment"):
        environment, created = open_or_create_home()
    config, _, calendars = config_of(environment)
    if created:
        console.print(f"made a {config.kind} home in {environment.home}: {', '.join(config.markets)}")
    from hydra_console.plan import (  # noqa: PLC0415
        dataset_requests,
        later_datasets,
        later_requests,
        missing_ranges,
        session_datasets,
    )

    with file_lock(environment.home / CYCLE_LOCK, wait_seconds=0, what="cycle or backfill"):
        engine = engine_of(environment)
        content, now, datasets = latest_content(engine), clock.now(), session_datasets()
        wanted = missing_ranges(config, calendars, content, datasets, now)
        # What follows has a range of its own: a cycle that ended early left it behind the datasets.
        behind = missing_ranges(config, calendars, content, [*datasets, *later_datasets()], now)
        for part in wanted:
            console.print(f"{', '.join(part.markets)}: sessions {part.first} to {part.last}")
        whole = created or any(part.first <= config.first_session(part.markets[0]) for part in wanted)
        outcomes = _execute(
            dataset_requests(wanted, list(calendars), whole_history=whole),
            lambda: later_requests(behind, list(calendars)),
        )
        for name in DATASETS:
            lake_of(environment).compact(name)
    _conclude(environment, outcomes)


def backfill(
    market: Annotated[list[str] | None, typer.Option("--market", "-m", help="Repeatable; all markets if none.")] = None,
    first: Annotated[str | None, typer.Option(help="First session, e.g. 2024-01-02; the home's first if none.")] = None,
    last: Annotated[str | None, typer.Option(help="Last session; the newest finished one if none.")] = None,
    asset: Annotated[list[str] | None, typer.Option("--asset", "-a", help="Repeatable; all datasets if none.")] = None,
) -> None:
    """Compute a range of sessions again."""
    from hydra_assets import clock  # noqa: PLC0415
    from hydra_console.bootstrap.lock import file_lock  # noqa: PLC0415
    from hydra_console.cli.output import parse_day, remark  # noqa: PLC0415
    from hydra_console.cli.session import config_of, open_home  # noqa: PLC0415
    from hydra_console.plan import chosen_ranges, dataset_requests  # noqa: PLC0415

    start, end = parse_day(first, "--first"), parse_day(last, "--last")
    environment = open_home()
    config, _, calendars = config_of(environment)
    wanted = chosen_ranges(config, calendars, market or [], start, end, clock.now())
    requests = dataset_requests(wanted, list(calendars), whole_history=True, assets=asset or ())
    for part in wanted:
        remark().print(f"{', '.join(part.markets)}: sessions {part.first} to {part.last}")
    with file_lock(environment.home / CYCLE_LOCK, wait_seconds=0, what="cycle or backfill"):
        outcomes = _execute(requests, lambda: [])
    _conclude(environment, outcomes)


def status(json_out: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Say what the home is and how it stands: datasets, alerts, quarantine, champions, system state, runs."""
    import json  # noqa: PLC0415

    from hydra_console.cli.output import result  # noqa: PLC0415
    from hydra_console.cli.session import config_of, engine_of, lake_of, open_home  # noqa: PLC0415

    environment = open_home()
    from hydra_console.status import home_status, show_status  # noqa: PLC0415

    config, _, _ = config_of(environment)
    standing = home_status(environment, config, engine_of(environment), lake_of(environment))
    if json_out:
        result().print(json.dumps(standing, default=str), markup=False)
    else:
        show_status(standing, result())


def verify(
    dataset: Annotated[list[str] | None, typer.Option("--dataset", "-d", help="Repeatable; all if none.")] = None,
) -> None:
    """Compute the lake's content hashes again and compare them with those on record."""
    from rich.table import Table  # noqa: PLC0415

    from hydra_console.cli.output import UserError, remark, result  # noqa: PLC0415
    from hydra_console.cli.session import engine_of, lake_of, open_home  # noqa: PLC0415

    environment = open_home()
    from hydra_console.verify import differing_partitions, verifiable_datasets  # noqa: PLC0415

    known = verifiable_datasets()
    unknown = [name for name in dataset or [] if name not in known]
    if unknown:
        msg = f"no dataset {', '.join(unknown)}; there are {', '.join(known)}"
        raise UserError(msg)
    engine, lake = engine_of(environment), lake_of(environment)
    table = Table("dataset", "market", "session", "problem")
    checked = 0
    for name in dataset or known:
        with remark().status(name):
            count, differing = differing_partitions(engine, lake, name)
        checked += count
        for row in differing.iter_rows():
            table.add_row(*(str(value) for value in row))
    if table.row_count:
        result().print(table)
    result().print(f"{checked:,} partitions compared, {table.row_count} differ")
    if table.row_count:
        raise typer.Exit(1)


def _execute(requests: "Sequence[JobRequest]", later: "Callable[[], Iterable[JobRequest]]") -> "list[JobOutcome]":
    import dagster as dg  # noqa: PLC0415

    from hydra_console.cli.output import remark  # noqa: PLC0415
    from hydra_console.cycle import run_all  # noqa: PLC0415
    from hydra_console.runner import fail_abandoned_runs  # noqa: PLC0415

    console = remark()
    with dg.DagsterInstance.get() as instance:
        abandoned = fail_abandoned_runs(instance)
        if abandoned:
            console.print(f"{len(abandoned)} run(s) whose process was killed are now marked as failed")
        return run_all(instance, requests, console, later)


def _conclude(environment: "Environment", outcomes: "list[JobOutcome]") -> None:
    from hydra_console.cli.output import result  # noqa: PLC0415
    from hydra_console.cli.session import engine_of, lake_of  # noqa: PLC0415
    from hydra_console.cycle import complaints, dataset_summary, summary_table  # noqa: PLC0415

    console = result()
    console.print(summary_table(dataset_summary(engine_of(environment), lake_of(environment)), outcomes))
    for line in complaints(outcomes):
        console.print(f"- {line}", markup=False)
    if all(outcome.success for outcome in outcomes):
        console.print('next: `hydra status`, `hydra sql "SHOW TABLES"`, or `hydra up` for the Dagster UI')
        return
    console.print("next: mend what the first line above says, then run the same command again; nothing is lost")
    console.print("      `hydra status` shows alerts and quarantine, `hydra up` each run's log")
    raise typer.Exit(1)
