"""The statistics of gates 1 to 7 for one cycle: ten candidates, five years of sessions, on one core.

``uv run python -m benchmarks.gates`` judges a cycle of ``studies.gate_nulls`` as the pipeline would, and says where the
time goes. Importing ``arch`` (once per process) is measured apart: it is no statistic.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

from benchmarks.table import Row, one_thread, print_table

MAX_SECONDS = 2.0
CANDIDATES, SESSIONS = 10, 1250


def processor_seconds(call: Callable[[], object], repeats: int) -> float:
    """Median processor seconds of a call that has run once before: a shared machine's waiting is not counted."""
    call()
    taken = []
    for _ in range(repeats):
        mark = time.process_time()
        call()
        taken.append(time.process_time() - mark)
    return median(taken)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    given = parser.parse_args()
    one_thread()
    mark = time.process_time()
    import arch.bootstrap  # noqa: F401, PLC0415 - measured

    imported = time.process_time() - mark
    from dataclasses import replace  # noqa: PLC0415 - after the measurement

    import numpy as np  # noqa: PLC0415

    from hydra_assets.stats.gates import judge_cycle  # noqa: PLC0415
    from hydra_assets.stats.overfitting import no_advantage  # noqa: PLC0415
    from hydra_assets.stats.superior import paired_differences, superiority  # noqa: PLC0415
    from hydra_assets.stats.trials import ledger_summary  # noqa: PLC0415
    from studies.gate_nulls import CHAMPION, cycle  # noqa: PLC0415

    evidence = cycle(replace(CHAMPION, sessions=SESSIONS, candidates=CANDIDATES), seed=1)
    assert evidence.champion is not None
    gaps = paired_differences(np.stack([c.net_returns for c in evidence.candidates]), evidence.champion.net_returns)
    ledger = np.random.default_rng(1).standard_normal((1000, SESSIONS))
    whole = processor_seconds(lambda: judge_cycle(evidence), given.repeats)
    parts = {
        "of it SPA of each and the step-wise test, 1,000 replications": lambda: superiority(gaps, 5),
        "of it CSCV, 12,870 halvings": lambda: no_advantage(gaps),
        "besides: effective trials of a ledger of 1,000": lambda: ledger_summary(ledger),
    }
    what = f"gates 1-7, {CANDIDATES} candidates x {SESSIONS} sessions"
    rows = [Row("G1", what, f"<= {MAX_SECONDS:g} s", f"{whole:.2f} s", whole <= MAX_SECONDS)]
    rows += [
        Row("", name, "-", f"{processor_seconds(part, given.repeats):.3f} s", True) for name, part in parts.items()
    ]
    rows.append(Row("", "besides: importing arch, once per process", "-", f"{imported:.2f} s", True))
    print_table(rows, "Gate statistics, processor seconds on one core, medians")


if __name__ == "__main__":
    main()
