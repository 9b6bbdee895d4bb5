"""How fast candidates are replayed: bar-decisions a second on one core, and the event-by-event replay beside it.

``uv run python -m benchmarks.replay`` replays 15 years of 10 markets for 2,000 candidates: probabilities sized by
Kelly, sampled slippage, rolls, halts, missing decisions, all breakers. A bar-decision is one (candidate, session,
market). The target is judged by the best of the rounds in processor time, since other work on the machine only ever
adds to it; the median is printed with it.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np

from benchmarks.table import Row, one_thread, print_table
from hydra_assets.replay.batched import replay
from hydra_assets.replay.decisions import DecisionKind, Decisions, candidates_last
from hydra_assets.replay.events import replay_one
from hydra_assets.replay.fills import FillConfig, FillMode
from hydra_assets.replay.market import MarketArrays, MarketTerms
from hydra_assets.replay.tables import ReplayConfig

SESSIONS, MARKETS, CANDIDATES, ROUNDS = 3_780, 10, 2_000, 3
TARGET = 20e6
TICK, MULTIPLIER = 0.025, 400.0


def market(sessions: int, markets: int) -> MarketArrays:
    """Hog-like walks with a roll every sixty sessions and a halt in two hundred."""
    random = np.random.default_rng(7)
    shape = (sessions, markets)
    settle = TICK * np.rint(80.0 * np.exp(np.cumsum(random.normal(0.0, 0.012, shape), axis=0)) / TICK)
    change = np.zeros(shape)
    change[1:] = MULTIPLIER * np.diff(settle, axis=0)

    def each(value: float) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.full(markets, value)

    return MarketArrays(
        terms=MarketTerms(
            symbols=tuple(f"SIM_{m}" for m in range(markets)),
            multiplier=each(MULTIPLIER),
            tick=each(TICK),
            half_spread_ticks=each(0.6),
            fee_per_contract=each(2.5),
            impact_y=each(0.8),
            participation_cap=each(0.01),
            typical_daily_volume=each(4_000.0),
            max_position_contracts=each(50.0),
        ),
        days=np.arange(sessions) + 15_000,
        settle=settle,
        held_change=change,
        sigma_daily=np.full(shape, 0.012),
        adv=random.uniform(2_000.0, 6_000.0, shape),
        roll=(np.arange(sessions)[:, None] + 6 * np.arange(markets)) % 60 == 59,
        tradable=random.random(shape) > 0.005,
        open=TICK * np.rint((settle + random.normal(0.0, 0.3, shape)) / TICK),
        high=settle + 0.5,
        low=settle - 0.5,
    )


def probabilities(candidates: int, sessions: int, markets: int) -> Decisions:
    """Persistent probabilities around one half with one in five hundred missing, candidates next to each other."""
    random = np.random.default_rng(8)
    values = np.empty((sessions, markets, candidates))
    state = np.zeros((markets, candidates))
    for t in range(sessions):
        state = 0.9 * state + 0.03 * random.standard_normal(state.shape)
        values[t] = np.clip(0.5 + state, 0.0, 1.0)
        values[t][random.random(state.shape) < 0.002] = np.nan
    factor = random.choice([0.5, 1.0], (sessions, markets))
    return Decisions(DecisionKind.PROBABILITY, values.transpose(2, 0, 1), factor)


def best_and_median(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Processor seconds of the fastest round and of the middle one."""
    taken = []
    for _ in range(rounds):
        mark = time.process_time()
        work()
        taken.append(time.process_time() - mark)
    return min(taken), median(taken)


def row(name: str, what: str, cells: int, work: Callable[[], object], rounds: int, target: float = TARGET) -> Row:
    """Measure one way of replaying."""
    best, middle = best_and_median(work, rounds)
    figures = f"{cells / best / 1e6:.3g} M/s ({cells / middle / 1e6:.3g} M/s median of {rounds})"
    words = f">= {target / 1e6:.0f} M/s" if target else "-"
    return Row(name, what, words, figures, cells / best >= target)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("candidates", CANDIDATES), ("sessions", SESSIONS), ("rounds", ROUNDS)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    one_thread()
    prices = market(options.sessions, MARKETS)
    wanted = probabilities(options.candidates, options.sessions, MARKETS)
    cells, rounds = wanted.values.size, options.rounds
    every = ReplayConfig()
    at_open = every.model_copy(update={"fills": FillConfig(mode=FillMode.NEXT_OPEN)})
    limit = every.model_copy(update={"fills": FillConfig(mode=FillMode.LIMIT)})
    bare = every.model_copy(update={"breakers": None})
    few = Decisions(wanted.kind, candidates_last(wanted.values[:50]), wanted.size_factor)
    one = wanted.candidate(0)
    rows = [
        row("R1", "everything, daily books", cells, lambda: replay(prices, wanted, every, detail=False), rounds),
        row("R2", "everything, positions and fills kept", cells, lambda: replay(prices, wanted, every), rounds),
        row("R3", "at the open", cells, lambda: replay(prices, wanted, at_open, detail=False), rounds),
        row("R4", "limit orders", cells, lambda: replay(prices, wanted, limit, detail=False), rounds, 0.0),
        row("R5", "without breakers", cells, lambda: replay(prices, wanted, bare, detail=False), rounds),
        row("R6", "50 candidates at a time", few.values.size, lambda: replay(prices, few, every), rounds, 0.0),
        row("R7", "event by event, one candidate", one.values.size, lambda: replay_one(prices, one, every), 1, 0.0),
    ]
    print_table(rows, f"{options.candidates} candidates x {options.sessions} sessions x {MARKETS} markets, one core")


if __name__ == "__main__":
    main()
