"""Ten years of one market's options through Dagster in one run: what is computed, and what Dagster adds.

``uv run python -m benchmarks.options_dagster`` puts 2,500 sessions of 6 expiries of 40 quotes into the lake of a
simulated home in a temporary directory and materialises every option asset, with its checks, in one run of a process
of its own; once without the bootstrap and once with it. Computing is what an asset says of itself (reading included);
the rest of its function, from STEP_START to STEP_OUTPUT, writes, hashes and draws; recording follows to STEP_SUCCESS.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import dagster as dg
import polars as pl

from benchmarks.backfill import NOW, Phase, intervals_of, make_home
from benchmarks.options import MAX_RSS_GB, MAX_SECONDS, MAX_SECONDS_BOOTSTRAP, SESSIONS, peak_gb, ten_years
from benchmarks.table import Row, one_thread, print_table
from hydra_assets.columns import OPTION_QUOTES
from hydra_assets.defs.ranges import COMPUTE_SECONDS
from hydra_assets.home import read_home, write_home
from hydra_console.bootstrap.environment import ensure, stop

MARKET = "SIM_HE"


def fill(home: Path, sessions: int, draws: int) -> None:
    """Make the home and write its option quotes."""
    from hydra_assets.lake import Lake  # noqa: PLC0415  the environment must be there
    from hydra_assets.markets.loader import markets_of  # noqa: PLC0415
    from hydra_assets.markets.sessions import calendar_of  # noqa: PLC0415

    make_home(home, sessions)
    config = read_home(home).model_copy(update={"bootstrap_draws": draws, "markets": (MARKET,)})
    write_home(home, config)
    calendar = calendar_of(markets_of(config, home)[MARKET])
    days = calendar.between(config.history_start, calendar.latest_finished(NOW))[-sessions:]
    quotes = ten_years(len(days)).with_columns(
        pl.lit(MARKET).alias("market"),
        pl.col("session").replace_strict(dict(zip(_sorted(ten_years(len(days))), days, strict=True))).alias("session"),
    )
    quotes = quotes.with_columns((pl.col("session") + pl.duration(days="days_to_expiry")).alias("expiry"))
    rows = quotes.select(pl.col(name).cast(kind) for name, kind in OPTION_QUOTES.schema.items())
    Lake(str(home / "lake")).replace(OPTION_QUOTES.name, MARKET, days[0], days[-1], rows)


def _sorted(quotes: pl.DataFrame) -> list[object]:
    return quotes["session"].unique().sort().to_list()


def child() -> None:
    """Materialise the option assets of the home of the environment; print the steps and the peak memory."""
    from hydra_assets.definitions import defs  # noqa: PLC0415  the home must be there
    from hydra_assets.defs.jobs import DATASETS_JOB, range_tags  # noqa: PLC0415
    from hydra_assets.defs.options import ASSETS  # noqa: PLC0415

    home = Path(os.environ["HYDRA_HOME"])
    ensure(home)
    config = read_home(home)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with dg.DagsterInstance.get() as instance:
        result = defs.resolve_job_def(DATASETS_JOB).execute_in_process(
            instance=instance,
            tags=range_tags([MARKET], config.history_start, NOW.date()),
            asset_selection=[dg.AssetKey(asset.spec.name) for asset in ASSETS],
        )
        record = instance.get_run_record_by_id(result.run_id)
        if record is None or not result.success:
            raise SystemExit("the run failed")
        computed = {
            m.asset_key.to_user_string(): float(m.metadata[COMPUTE_SECONDS].value)  # type: ignore[arg-type]
            for event in result.get_asset_materialization_events()
            if COMPUTE_SECONDS in (m := event.materialization).metadata
        }
        spent: dict[str, dict[Phase, float]] = {}
        for interval in intervals_of(instance, record):
            if interval.step:
                step = spent.setdefault(interval.step, dict.fromkeys(Phase, 0.0))
                step[interval.phase] += interval.end - interval.start
    print(f"{'asset or check':34}{'computes s':>12}{'writes s':>12}{'recorded s':>12}")
    totals = [0.0, 0.0, 0.0]
    for name, step in sorted(spent.items(), key=lambda item: -sum(item[1].values())):
        function = step[Phase.COMPUTE] + step[Phase.CHECK]
        own = computed.get(name, function)
        parts = own, function - own, step[Phase.RECORD]
        totals = [total + part for total, part in zip(totals, parts, strict=True)]
        print(f"{name:34}" + "".join(f"{part:>12.1f}" for part in parts))
    print("total " + " ".join(f"{total:.2f}" for total in totals) + f" {peak_gb():.3f}")


def measure(sessions: int, draws: int, limit: float) -> list[Row]:
    """One run in a process of its own."""
    home = Path(tempfile.mkdtemp(prefix="hydra-options-"))
    os.environ |= {"HYDRA_HOME": str(home), "HYDRA_NOW": NOW.isoformat()}
    os.environ.pop("HYDRA_POSTGRES_URL", None)
    try:
        fill(home, sessions, draws)
        command = [sys.executable, "-m", "benchmarks.options_dagster", "--child"]
        run = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own command line
        if run.returncode:
            sys.stderr.write(run.stderr[-4000:])
            raise SystemExit("the measured process failed")
    finally:
        stop(home)
        shutil.rmtree(home, ignore_errors=True)
    *table, total = run.stdout.splitlines()
    print(f"\n{sessions:,} sessions x 6 expiries x 40 quotes, {draws or 'no'} bootstrap draws")
    print("\n".join(table))
    compute, writing, recording, peak = (float(value) for value in total.split()[1:])
    how = f"one run, {draws or 'no'} bootstrap draws"
    scaled = limit * sessions / SESSIONS
    return [
        Row("D1", f"{how}: compute, one core", f"<= {scaled:.0f} s", f"{compute:.1f} s", compute <= scaled),
        Row("D1", "    writing, hashing and drawing beside it", "reported", f"{writing:.1f} s", True),
        Row("D1", "    Dagster's share beside it", "reported", f"{recording:.1f} s", True),
        Row(
            "D1",
            "    peak memory of the whole process",
            f"<= {MAX_RSS_GB:.0f} GB",
            f"{peak:.2f} GB",
            peak <= MAX_RSS_GB,
        ),
    ]


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child()
        return
    rows = measure(options.sessions, 0, MAX_SECONDS) + measure(options.sessions, 60, MAX_SECONDS_BOOTSTRAP)
    print_table(rows, "Ten years of options through Dagster")


if __name__ == "__main__":
    one_thread()
    main()
