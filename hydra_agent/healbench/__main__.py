"""The healing benchmark: ``python -m hydra_agent.healbench --quick``.

Every policy on the same worlds, tables with bounds, Parquet and a picture. Exit status 1 where a target of doing no
harm is shown to be missed (its whole interval on the wrong side), or the bound of false promotions is not kept although
there are path-years enough to keep it. The last line is the headline.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from hydra_agent.healbench.checks import Count, hostile_replies, tampered_journal
from hydra_agent.healbench.policies import POLICIES
from hydra_agent.healbench.report import checks_lines, frame_of, regrets, tables, write
from hydra_agent.healbench.scores import Headline, Target, TargetKind, headline, targets
from hydra_agent.healbench.suite import FIRST_SEED, Job, jobs_of, run_all

QUICK_WORLDS, QUICK_QUIET, QUICK_REPLIES = 1, 2, 500
QUICK_POLICIES = ("do nothing", "retrain 63", "hydra", "oracle")
FULL_WORLDS, FULL_QUIET, FULL_REPLIES = 12, 67, 10_000
"""67 worlds of nine reigning years are 603 path-years of F0."""
ENOUGH_YEARS = 600
BOUND = 0.02


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, write; the exit status."""
    options = parsed(arguments)
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    full = options.full
    worlds = options.seeds or (FULL_WORLDS if full else QUICK_WORLDS)
    quiet = options.quiet_seeds or options.seeds or (FULL_QUIET if full else QUICK_QUIET)
    policies = options.policies or (tuple(POLICIES) if full else QUICK_POLICIES)
    jobs = jobs_of(options.faults, worlds, quiet, policies, options.first_seed)
    start = time.monotonic()

    def report(done: int, job: Job) -> None:
        if done % max(1, len(jobs) // 20) == 0 or done == len(jobs):
            sys.stderr.write(f"{done} of {len(jobs)} paths, {time.monotonic() - start:.0f} s\n")

    rows = run_all(jobs, options.workers, report)
    frame = frame_of(rows)
    summary, found = regrets(frame), targets(frame)
    tables(console, frame, summary, found)
    hostile, tampered = hostile_replies(FULL_REPLIES if full else QUICK_REPLIES), tampered_journal()
    for line in checks_lines(hostile, tampered):
        console.print(line)
    if options.out is not None:
        write(options.out, frame, summary, found)
        console.print(f"written to {options.out}")
    seconds = time.monotonic() - start
    seeds = f"seeds {options.first_seed} to {options.first_seed + max(worlds, quiet) - 1}"
    console.print(f"{len(jobs)} paths, {seeds}, {seconds:.0f} s with {options.workers} workers")
    last = headline(frame)
    failed = missed(found, hostile, tampered, last)
    for line in failed:
        console.print(f"MISSED {line}")
    console.print(str(last), soft_wrap=True)
    return 1 if failed else 0


def missed(found: Sequence[Target], hostile: Count, tampered: Count, last: Headline) -> list[str]:
    """Targets of doing no harm that are shown to be missed."""
    out = [f"{t.fault} {t.what}: {t.found}" for t in found if t.kind is not TargetKind.HEAL and t.shown_missed]
    if last.false_promotions.of >= ENOUGH_YEARS and last.false_promotions.high > BOUND:
        out.append(f"F0 bound of false promotions: {last.false_promotions.high:.2%}")
    if hostile.found:
        out.append(f"F10: {hostile.found} escapes")
    if tampered.found < tampered.of:
        out.append(f"F11: {tampered.of - tampered.found} edits not detected")
    return out


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Options of the command."""
    parser = argparse.ArgumentParser(prog="hydra healbench", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="a minute: one world a fault, few policies (the default)")
    size.add_argument("--full", action="store_true", help="all policies, 600 path-years without a fault")
    parser.add_argument("--faults", type=_words, default=(), help="of F0 to F13, by comma")
    parser.add_argument("--seeds", type=int, default=0, help="worlds of every fault")
    parser.add_argument("--quiet-seeds", type=int, default=0, help="worlds of F0, if others than --seeds")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument(
        "--policies", type=_words, default=(), help=f"of {', '.join(POLICIES)}; separated by semicolons"
    )
    parser.add_argument("--out", type=Path, default=None, help="folder for Parquet, tables in Markdown and the picture")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args(arguments)
    if unknown := set(options.policies) - set(POLICIES):
        parser.error(f"no policy {', '.join(sorted(unknown))}")
    return options


def _words(text: str) -> tuple[str, ...]:
    mark = ";" if ";" in text else ","
    return tuple(word.strip() for word in text.split(mark) if word.strip())


if __name__ == "__main__":
    sys.exit(main())
