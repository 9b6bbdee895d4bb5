"""What the agent's thresholds cost and see, on worlds of no report: ``python -m hydra_agent.healbench.budgets``.

- drift: alarms a path-year without any change, by reason
- edge: by the years between two false alarms, profit lost without a change, and delay after the edge turns or goes
- calibration: by threshold, alarms a year without a change, and delay after the base rate moves (F7)
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

import numpy as np

from hydra_agent.arena import played
from hydra_agent.healbench.case import Case
from hydra_agent.healbench.faults.course import LabelShift, RegimeChange
from hydra_agent.healbench.policies.simple import RetrainEvery
from hydra_agent.healbench.suite import FAULT_ROW, TUNING_SEED
from hydra_agent.healbench.worlds import make_world
from hydra_agent.observe.drift import drift_signals
from hydra_agent.observe.edge_score import edge_score
from hydra_agent.observe.model import CALIBRATION, EDGE_REARM, newest_of_session, outcomes_due
from hydra_agent.observe.signals import Level
from hydra_agent.view import Floats, Reign, Walk
from hydra_assets.stats.detectors.alarms import episodes
from hydra_assets.stats.returns import SESSIONS_PER_YEAR

YEARS = (5.0, 10.0, 20.0, 40.0)
ODDS = (3.0, 3.5, 4.0, 4.5, 5.0, 6.0)
ACTS_AFTER = 2
"""Sessions from a decision to the first return that it changes."""


def drift_alarms(seeds: Sequence[int]) -> dict[str, float]:
    """Onsets a path-year by reason, on worlds in which nothing changes."""
    found: Counter[str] = Counter()
    years = 0.0
    for seed in seeds:
        case = Case(make_world(seed), FAULT_ROW)
        since = case.setting.first
        years += (case.shape[0] - since) / SESSIONS_PER_YEAR
        for track in drift_signals(case.view, since, case.config.drift):
            active = track.level >= Level.WARNING
            found[str(track.reason)] += int((active[1:] & ~active[:-1]).sum())
    return {reason: count / years for reason, count in found.items()}


def champion(case: Case) -> tuple[Walk, Floats]:
    """What the refitted first recipe says of a case, and what it earns."""
    walk = RetrainEvery(case.setting.refit).run(case).walk(case.recipe)
    return walk, np.nan_to_num(played(case.market, [walk]).net[0])


def edge_costs(seeds: Sequence[int]) -> list[tuple[float, float, float, float, float]]:
    """By years: share of profit lost and halts a year without a change; median delay at a turn and at a loss."""
    lost, halts = np.zeros((len(YEARS), 2)), np.zeros(len(YEARS))
    delays: dict[float, list[list[float]]] = {-1.0: [[] for _ in YEARS], 0.0: [[] for _ in YEARS]}
    years = 0.0
    for seed in seeds:
        world = make_world(seed)
        for factor in (1.0, -1.0, 0.0):
            changed = world
            if factor != 1.0:
                changed = RegimeChange(FAULT_ROW, factor).apply(world, np.random.default_rng(seed))
            case = Case(changed, FAULT_ROW)
            walk, net = champion(case)
            since = case.setting.first
            found = edge_score(case.view, walk, since)
            for i, each in enumerate(YEARS):
                over = episodes(found.statistic / found.threshold(each * SESSIONS_PER_YEAR), 1.0, EDGE_REARM)
                if factor == 1.0:
                    off = np.roll(over.active, ACTS_AFTER)
                    lost[i] += net[since:][off[since:]].sum(), net[since:].sum()
                    halts[i] += over.onset.sum()
                elif not over.active[FAULT_ROW - 1]:
                    seen = np.flatnonzero(over.active[FAULT_ROW:])
                    delays[factor][i].append(float(seen[0]) if len(seen) else np.inf)
        years += (case.shape[0] - since) / SESSIONS_PER_YEAR
    turned, gone = ([float(np.median(each)) for each in delays[factor]] for factor in (-1.0, 0.0))
    return [
        (each, float(lost[i, 0] / lost[i, 1]), float(halts[i] / years), turned[i], gone[i])
        for i, each in enumerate(YEARS)
    ]


def odds_costs(seeds: Sequence[int]) -> list[tuple[float, float, float]]:
    """By threshold: alarms a year without a change, median sessions to one after the base rate has moved."""
    quiet: list[Floats] = []
    moved: list[Floats] = []
    years = 0.0
    for seed in seeds:
        world = make_world(seed)
        for changed in (world, LabelShift(FAULT_ROW).apply(world, np.random.default_rng(seed))):
            case = Case(changed, FAULT_ROW)
            walk, net = champion(case)
            since = case.setting.first
            up, said = outcomes_due(case.view, Reign(walk, 1, since, net, net, 0.0, 0.0, 0.25))
            pooled = CALIBRATION.statistics(up.reshape(-1), said.reshape(-1)).statistic.reshape(up.shape)
            (quiet if changed is world else moved).append(newest_of_session(pooled))
        years += (case.shape[0] - since) / SESSIONS_PER_YEAR
    out = []
    for threshold in ODDS:
        alarms = float(np.sum([episodes(track, threshold).onset.sum() for track in quiet]))
        seen = [np.flatnonzero(track[FAULT_ROW:] > threshold) for track in moved]
        delay = float(np.median([each[0] if len(each) else np.inf for each in seen]))
        out.append((threshold, alarms / years, delay))
    return out


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=24)
    seeds = range(TUNING_SEED, TUNING_SEED + parser.parse_args().worlds)
    for reason, rate in drift_alarms(seeds).items():
        sys.stdout.write(f"drift, {reason}: {rate:.2f} alarms a path-year of four markets\n")
    for years, lost, halts, turned, gone in edge_costs(seeds):
        sys.stdout.write(
            f"edge, {years:g} years: {lost:.1%} lost, {halts:.3f} halts a year, {turned:.0f} sessions to a turn, "
            f"{gone:.0f} to a loss\n"
        )
    for threshold, rate, delay in odds_costs(seeds):
        sys.stdout.write(f"odds, {threshold:g}: {rate:.2f} alarms a year, {delay:.0f} sessions to a moved base rate\n")


if __name__ == "__main__":
    main()
