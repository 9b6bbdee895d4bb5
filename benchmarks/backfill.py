"""A backfill of all datasets, launched through the UI's own mutation, measured to the second.

``uv run python -m benchmarks.backfill`` makes a simulated home of 2 markets x 2,500 sessions in a temporary directory,
starts the Dagster UI and daemon on it, launches one backfill of every dataset, waits for it, and says where its wall
time went. The instants come from Dagster's event log: an asset's function runs from STEP_START to STEP_OUTPUT; what
follows until STEP_SUCCESS is the recording of its partitions.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import IntEnum
from itertools import pairwise
from pathlib import Path

import dagster as dg

from hydra_assets.home import HomeConfig, write_home
from hydra_assets.markets.loader import markets_of
from hydra_assets.markets.sessions import calendar_of
from hydra_console.bootstrap.environment import ensure, stop
from tests.support.ui import DagsterUi, dagster_ui

NOW = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
MARKETS = ("SIM_HE", "SIM_ZO")
POLL_SECONDS = 0.5
BACKFILL_TAG = "dagster/backfill"
RANGE_START_TAG = "dagster/asset_partition_range_start"
PARTITION_TAG = "dagster/partition"
ENDED = {"COMPLETED", "COMPLETED_SUCCESS", "COMPLETED_FAILED", "FAILED", "CANCELED"}


class Phase(IntEnum):
    """What goes on at an instant of the backfill; where several do, the highest counts."""

    DAEMON = 0
    LAUNCH = 1
    RUN = 2
    RECORD = 3
    CHECK = 4
    COMPUTE = 5


PHASES = {
    Phase.COMPUTE: "an asset's function computes",
    Phase.CHECK: "a check computes",
    Phase.RECORD: "Dagster records partitions",
    Phase.RUN: "Dagster in the run, between steps",
    Phase.LAUNCH: "run queued, its process starts",
    Phase.DAEMON: "waiting for the backfill daemon",
}


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of time (POSIX seconds) in one phase; ``step`` where it is one step's."""

    phase: Phase
    start: float
    end: float
    step: str = ""


def make_home(home: Path, sessions: int) -> tuple[date, date]:
    """Write a home whose history has this many weekday keys up to the newest finished session; first and last one."""
    draft = HomeConfig(kind="simulated", markets=MARKETS, history_start=date(2000, 1, 3))
    calendars = [calendar_of(spec) for spec in markets_of(draft, home).values()]
    last = min(calendar.latest_finished(NOW) for calendar in calendars)
    days = sorted({day for calendar in calendars for day in calendar.between(draft.history_start, last)})
    first = days[-sessions]
    write_home(home, draft.model_copy(update={"history_start": first}))
    return first, last


def ranges_of_datasets(first: date, last: date, groups: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Partition ranges of the datasets of the groups (none: of all), as of the two jobs that `hydra cycle` runs."""
    from hydra_assets.definitions import defs  # noqa: PLC0415  the home must be there
    from hydra_assets.defs.jobs import (  # noqa: PLC0415
        DATASETS_JOB,
        RANGE_END,
        RANGE_START,
        REPORTS_JOB,
        range_tags,
        week_tags,
    )

    ranges = {}
    graph = defs.resolve_asset_graph()
    for job, tags in ((REPORTS_JOB, week_tags(first, last)), (DATASETS_JOB, range_tags(MARKETS, first, last))):
        for key in defs.resolve_job_def(job).asset_layer.selected_asset_keys:
            if groups and graph.get(key).group_name not in groups:
                continue
            ranges[key.to_user_string()] = (tags[RANGE_START], tags[RANGE_END])
    return ranges


def wait_for_backfill(ui: DagsterUi, backfill_id: str) -> str:
    """Return the status with which the backfill ended."""
    while True:
        standing = ui.backfill(backfill_id)
        if standing["status"] in ENDED:
            if standing["error"]:
                print(standing["error"]["message"], file=sys.stderr)
            return str(standing["status"])
        time.sleep(POLL_SECONDS)


def intervals_of(instance: dg.DagsterInstance, record: dg.RunRecord) -> list[Interval]:
    """One run's stretches: launch, the run as a whole, and each step's function and recording."""
    kinds = dg.DagsterEventType
    wanted = {kinds.STEP_START, kinds.STEP_OUTPUT, kinds.ASSET_CHECK_EVALUATION, kinds.STEP_SUCCESS, kinds.STEP_FAILURE}
    launched = record.create_timestamp.timestamp()
    start, end = record.start_time or launched, record.end_time or launched
    out = [Interval(Phase.LAUNCH, launched, start), Interval(Phase.RUN, start, end)]
    seen: dict[str, float] = {}
    for entry in instance.all_logs(record.dagster_run.run_id, of_type=wanted):
        event = entry.get_dagster_event()
        step, at = str(event.step_key), entry.timestamp
        match event.event_type:
            case kinds.STEP_START:
                seen[step] = at
            case kinds.STEP_OUTPUT | kinds.ASSET_CHECK_EVALUATION:
                phase = Phase.CHECK if step.endswith("_checks") else Phase.COMPUTE
                out.append(Interval(phase, seen[step], at, step))
                seen[step] = at
            case _:
                out.append(Interval(Phase.RECORD, seen[step], at, step))
    return out


def seconds_by_phase(intervals: list[Interval], start: float, end: float) -> dict[Phase, float]:
    """Wall seconds of [start, end] by phase; where intervals overlap, the highest phase counts."""
    edges = sorted({start, end, *(t for i in intervals for t in (i.start, i.end) if start < t < end)})
    out = dict.fromkeys(Phase, 0.0)
    for left, right in pairwise(edges):
        middle = (left + right) / 2
        phase = max((i.phase for i in intervals if i.start <= middle < i.end), default=Phase.DAEMON)
        out[phase] += right - left
    return out


def print_runs(records: Sequence[dg.RunRecord], start: float) -> None:
    """Print when each run was asked for, started and ended, in seconds after the launch."""
    print(f"\n{'run':38}{'datasets':>11}{'asked':>8}{'started':>9}{'ended':>7}")
    for record in sorted(records, key=lambda r: r.create_timestamp):
        run = record.dagster_run
        assets = sorted(key.to_user_string() for key in run.asset_selection or ())
        first = run.tags.get(RANGE_START_TAG, run.tags.get(PARTITION_TAG, ""))
        asked = record.create_timestamp.timestamp() - start
        began, ended = (record.start_time or start) - start, (record.end_time or start) - start
        print(f"{f'{assets[0]} ... {first}':38.38}{len(assets):>11}{asked:>8.1f}{began:>9.1f}{ended:>7.1f}")


def report(instance: dg.DagsterInstance, ui: DagsterUi, assets: list[str], backfill_id: str, start: float) -> None:
    """Print the tables of a finished backfill that was launched at ``start``."""
    end = time.time()
    records = instance.get_run_records(dg.RunsFilter(tags={BACKFILL_TAG: backfill_id}))
    intervals = [interval for record in records for interval in intervals_of(instance, record)]
    last_run = max(interval.end for interval in intervals)
    asked = time.monotonic()
    partitions = {
        node["name"]: node["partitionStats"]["numMaterialized"] for node in ui.assets() if node["name"] in assets
    }
    asked = time.monotonic() - asked
    print(f"\n{'dataset or check':38}{'partitions':>11}{'function s':>12}{'recording s':>13}")
    steps: dict[str, dict[Phase, float]] = defaultdict(lambda: dict.fromkeys(Phase, 0.0))
    for interval in intervals:
        if interval.step:
            steps[interval.step][interval.phase] += interval.end - interval.start
    for step, spent in sorted(steps.items(), key=lambda item: -sum(item[1].values())):
        function = spent[Phase.COMPUTE] + spent[Phase.CHECK]
        count = f"{partitions[step]:,}" if step in partitions else ""
        print(f"{step:38}{count:>11}{function:>12.1f}{spent[Phase.RECORD]:>13.1f}")
    print_runs(records, start)
    wall = end - start
    print(f"\n{'where the wall time went':38}{'seconds':>11}{'share':>12}")
    for phase, seconds in sorted(seconds_by_phase(intervals, start, end).items(), reverse=True):
        print(f"{PHASES[phase]:38}{seconds:>11.1f}{seconds / wall:>12.0%}")
    own = sum(s for phase, s in seconds_by_phase(intervals, start, end).items() if phase < Phase.CHECK)
    print(f"{'all':38}{wall:>11.1f}")
    print(f"\n{len(records)} runs, {sum(partitions.values()):,} partitions materialised, wall {wall:.1f} s")
    print(f"the UI's first answer on the partitions of all assets took {asked:.1f} s")
    print(f"last run ended {last_run - start:.1f} s after the launch; Dagster's own share {own / wall:.0%} of the wall")


def measure(home: Path, sessions: int, groups: Sequence[str]) -> bool:
    """Make the home, run the backfill, print the tables; whether it succeeded."""
    first, last = make_home(home, sessions)
    ensure(home)
    ranges = ranges_of_datasets(first, last, groups)
    print(f"{len(MARKETS)} markets x {sessions:,} sessions ({first} to {last}), {len(ranges)} datasets")
    with dagster_ui(home) as ui, dg.DagsterInstance.get() as instance:
        start = time.time()
        backfill_id = ui.launch_backfill(ranges)
        status = wait_for_backfill(ui, backfill_id)
        report(instance, ui, list(ranges), backfill_id, start)
    print(f"backfill {status}")
    return status in {"COMPLETED", "COMPLETED_SUCCESS"}


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=2500)
    parser.add_argument("--groups", nargs="*", default=[], help="asset groups (raw, curated ...); all without")
    parser.add_argument("--keep", type=Path, help="make the home here and keep it")
    options = parser.parse_args()
    home = options.keep or Path(tempfile.mkdtemp(prefix="hydra-backfill-"))
    os.environ |= {"HYDRA_HOME": str(home), "HYDRA_NOW": NOW.isoformat()}
    os.environ.pop("HYDRA_POSTGRES_URL", None)
    try:
        succeeded = measure(home, options.sessions, options.groups)
    finally:
        stop(home)
        if not options.keep:
            shutil.rmtree(home, ignore_errors=True)
    sys.exit(0 if succeeded else 1)


if __name__ == "__main__":
    main()
