"""The healing benchmark from quotes on: ``uv run python -m studies.heal_full_chain --worlds 4 --out DIR``.

The full-chain tier. Every world is a simulated home: raw bars, chains, reports and texts, the option engine, features
and labels, all through Dagster; what is read from its lake becomes a case of the benchmark, on which the same policies
run and are measured by the same code, with LightGBM for a champion and among the candidates, trained on every session.
Then the statistical tier runs on as many worlds of the same length with the same faults, and both are held against each
other. Exit status 1 where they contradict each other with both sure.

Homes are kept in the folder: a repeated command goes on with those that are there. Four worlds are for a night.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console
from rich.table import Table

from hydra_agent.healbench.agreement import Agreement, agreements
from hydra_agent.healbench.case import Case, Setting
from hydra_agent.healbench.faults.course import RegimeChange
from hydra_agent.healbench.faults.data import CorruptedFeature
from hydra_agent.healbench.faults.elsewhere import Marked
from hydra_agent.healbench.faults.protocol import Fault, FaultName
from hydra_agent.healbench.home_world import HomeWorld, is_single_model
from hydra_agent.healbench.measure import Row
from hydra_agent.healbench.policies.simple import DO_NOTHING, ORACLE
from hydra_agent.healbench.policies.told import TOLD
from hydra_agent.healbench.report import frame_of, regrets, tables, write
from hydra_agent.healbench.scores import HYDRA, headline, targets
from hydra_agent.healbench.suite import rows_of
from hydra_agent.healbench.worlds import Planted, WorldConfig, make_world
from hydra_assets.models.recipe import BOOSTED, FIRST_RECIPES
from studies.full_chain.homes import Made, Plan, brought_up, read_world, row_of_session

FIRST_SEED = 1
FAULT_SESSION = 1008
"""A year after the first champion, which comes after three: the embedded market's own break."""
LEAST_YEARS = 5
POLICIES = (DO_NOTHING, "retrain 63", HYDRA, TOLD, ORACLE)
SETTING = Setting(every=1)
"""As in the pipeline, every session is trained on."""


@dataclass(frozen=True, slots=True)
class Planting:
    """How a fault comes into a home: by the embedded market's own edge, or by an edit of the view."""

    fault: Callable[[int], Fault]
    """Of the row."""
    after: float | None = None
    """What the edge is multiplied by; None: a home without a break."""
    edited: bool = False


FAULTS: Mapping[str, Planting] = {
    "F0": Planting(lambda row: Marked(FaultName.NONE, row)),
    "F1x-1": Planting(lambda row: RegimeChange(row, -1.0), after=-1.0),
    "F1x0": Planting(lambda row: RegimeChange(row, 0.0), after=0.0),
    "F3": Planting(CorruptedFeature, edited=True),
}


def draws(seed: int) -> np.random.Generator:
    """What a fault draws, the same in both tiers."""
    return np.random.default_rng([seed, FAULT_SESSION])


def home_case(world: HomeWorld, row: int, name: str) -> tuple[Case, Fault]:
    """The case of a home's world and a fault at a row; a home with a break has its fault already."""
    planting = FAULTS[name]
    fault = planting.fault(row)
    if planting.edited:
        world = CorruptedFeature(row).apply(world, draws(world.seed))
    else:
        world = world.marked(Planted(fault.name, row))
    return Case(world, row, SETTING, FIRST_RECIPES[BOOSTED], affordable=is_single_model), fault


def statistical_rows(seed: int, years: int, name: str, policies: Sequence[str]) -> list[Row]:
    """The statistical tier's rows of a world of the same length, as its own suite has them."""
    quiet, fault = make_world(seed, WorldConfig(years=years)), FAULTS[name].fault(FAULT_SESSION)
    broken = fault.apply(quiet, draws(seed))
    return rows_of(Case(broken, FAULT_SESSION), fault, Case(quiet, FAULT_SESSION), policies)


class Progress:
    """Says what was done and what it took."""

    def __init__(self) -> None:
        self.start = self.last = time.monotonic()
        self.cpu = time.process_time()

    def __call__(self, what: str) -> None:
        """One line to the error stream."""
        now, cpu = time.monotonic(), time.process_time()
        sys.stderr.write(
            f"{now - self.start:7.0f} s  {what}: {now - self.last:.0f} s, {cpu - self.cpu:.0f} s CPU of this process\n"
        )
        self.last, self.cpu = now, cpu


def homes_of(folder: Path, options: argparse.Namespace, say: Progress) -> dict[tuple[int, float | None], Made]:
    """Homes of all seeds, by seed and break, made side by side; the one without a break is always there."""
    afters = dict.fromkeys([None, *(FAULTS[name].after for name in options.faults)])
    seeds = range(options.first_seed, options.first_seed + options.worlds)
    plans = [Plan(seed, options.years, FAULT_SESSION, after) for seed in seeds for after in afters]
    out = {}
    with ThreadPoolExecutor(options.workers) as pool:
        for plan, made in zip(plans, pool.map(lambda plan: brought_up(folder, plan), plans), strict=True):
            out[plan.seed, plan.after] = made
            say(f"home {plan.name}, made in {made.seconds:.0f} s and {made.cpu_seconds:.0f} s CPU")
    return out


def full_rows(
    seed: int, homes: Mapping[tuple[int, float | None], Made], options: argparse.Namespace, say: Progress
) -> list[Row]:
    """Rows of one seed under all faults."""

    @cache
    def world_of(after: float | None) -> tuple[HomeWorld, int]:
        home = homes[seed, after].home
        world = read_world(home)
        return world, row_of_session(home, world.view, FAULT_SESSION)

    out = []
    for name in options.faults:
        quiet, row = world_of(None)
        case, fault = home_case(world_of(FAULTS[name].after)[0], row, name)
        out += rows_of(case, fault, home_case(quiet, row, "F0")[0], options.policies)
        say(f"full chain, seed {seed}, {name}: {len(quiet.view)} sessions, fault in row {row}")
    return out


def agreement_table(found: Sequence[Agreement], worlds: int) -> Table:
    """Signs and orders side by side, the best policy first with its regret (F0: share of do nothing's profit lost)."""
    columns = ("fault", "hydra less do nothing, full", "statistical", "sign", "order, full chain", "statistical", "tau")
    shown = Table(*columns, title=f"agreement of the tiers, {worlds} world(s) each, Student's 90 % intervals")
    for each in found:
        sides = (each.full, each.statistical)
        orders = ("\n".join(f"{side.figures[name]:5.2f} {name}" for name in side.order) for side in sides)
        sign = "same" if each.same_sign else "OTHER"
        shown.add_row(each.fault, *(str(side.better) for side in sides), sign, *orders, f"{each.tau:+.2f}")
    return shown


def main(arguments: Sequence[str] | None = None) -> int:
    """Run both tiers, print, write; the exit status."""
    options = parsed(arguments)
    console, say = Console(width=None if sys.stdout.isatty() else 180, highlight=False), Progress()
    rows: list[Row] = []
    others: list[Row] = []
    with ExitStack() as stack:
        folder = options.out or Path(stack.enter_context(TemporaryDirectory(prefix="hydra-full-chain-")))
        homes = homes_of(folder / "homes", options, say)
        seeds = range(options.first_seed, options.first_seed + options.worlds)
        for seed in seeds:
            rows += full_rows(seed, homes, options, say)
        for seed in seeds:
            for name in options.faults:
                others += statistical_rows(seed, options.years, name, options.policies)
        say("statistical tier")
        full, statistical = frame_of(rows), frame_of(others)
        for title, frame in (("Statistical tier", statistical), ("Full chain", full)):
            console.rule(title)
            tables(console, frame, regrets(frame), targets(frame))
            console.print(str(headline(frame)), soft_wrap=True)
        if options.out is not None:
            write(options.out / "full", full, regrets(full), targets(full))
            write(options.out / "statistical", statistical, regrets(statistical), targets(statistical))
    agreed = agreements(full, statistical)
    console.print(agreement_table(agreed, options.worlds))
    console.print(
        f"{options.worlds} world(s) of {options.years} years, seeds from {options.first_seed}; "
        f"homes {sum(made.seconds for made in homes.values()):.0f} s one after the other "
        f"({sum(made.cpu_seconds for made in homes.values()):.0f} s CPU) when they were made, "
        f"all of this command {time.monotonic() - say.start:.0f} s"
    )
    clashes = [f"{each.fault}: {pair}" for each in agreed for pair in each.contradictions]
    for clash in clashes:
        console.print(f"CONTRADICTION {clash}")
    if options.worlds < 2:
        console.print("one world: no interval, so nothing can be contradicted")
    return 1 if clashes else 0


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Options of the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=4)
    parser.add_argument("--years", type=int, default=6, help=f"length of a world, at least {LEAST_YEARS}")
    parser.add_argument("--faults", type=_words, default=tuple(FAULTS), help=f"of {', '.join(FAULTS)}, by comma")
    parser.add_argument(
        "--policies", type=_words, default=POLICIES, help="by comma; HYDRA and the ends are always among them"
    )
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--workers", type=int, default=2, help="homes that are made side by side")
    parser.add_argument("--out", type=Path, default=None, help="folder of homes and results; temporary if none")
    options = parser.parse_args(arguments)
    if unknown := set(options.faults) - set(FAULTS):
        parser.error(f"no fault {', '.join(sorted(unknown))}")
    if options.years < LEAST_YEARS or options.worlds < 1:
        parser.error(f"a fault needs {LEAST_YEARS} years and a world")
    options.policies = tuple(dict.fromkeys((DO_NOTHING, *options.policies, HYDRA, ORACLE)))
    return options


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


if __name__ == "__main__":
    sys.exit(main())
