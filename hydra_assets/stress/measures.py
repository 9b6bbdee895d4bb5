"""Figures of each path from its books, and the verdict on a scenario's paths."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hydra_assets.replay.breakers import BreakerState, Transition
from hydra_assets.replay.costs import CENTS
from hydra_assets.stats.returns import SESSIONS_PER_YEAR, Floats, is_flat
from hydra_assets.stats.sharpe import sharpe_per_session
from hydra_assets.stress.dated import DatedWorld
from hydra_assets.stress.path_replay import PathBooks
from hydra_assets.stress.plan import StressLimits
from hydra_assets.stress.records import PathOutcome, StressReason

MONTH_SESSIONS = 21
"""Sessions of a month: 252 / 12."""
ROUNDING = 1e-9
"""What a share of the cap may be above one by division alone."""


def outcomes(
    books: PathBooks,
    unstressed: PathBooks,
    limits: StressLimits,
    symbols: Sequence[str],
    dated: Sequence[DatedWorld] = (),
) -> tuple[PathOutcome, ...]:
    """Outcomes of all paths; ``dated`` are their worlds where the stress has a date."""
    before = unstressed.transitions[0]
    return tuple(
        _outcome(books, path, limits, symbols, dated[path] if dated else None, before)
        for path in range(len(books.net_cents))
    )


def verdict(paths: Sequence[PathOutcome], limits: StressLimits) -> tuple[StressReason, str]:
    """Gravest reason among the paths of one scenario, with a sentence."""
    count = len(paths)
    ruined = sum(path.lowest_equity <= 0.0 for path in paths)
    deepest = float(np.quantile([path.max_drawdown for path in paths], 0.95, method="inverted_cdf"))
    share = max(path.participation_of_cap for path in paths)
    stuck = sum(path.breakers_stuck for path in paths)
    if ruined > limits.ruin_share * count:
        return StressReason.RUIN, f"equity reached zero on {ruined} of {count} paths"
    if share > 1.0 + ROUNDING:
        return StressReason.PARTICIPATION_EXCEEDED, f"{share:.4g} times the participation cap was traded in a session"
    if stuck:
        return StressReason.BREAKER_STUCK, f"{stuck} breakers not back after {limits.stuck_sessions} good sessions"
    if deepest > limits.max_drawdown_p95:
        text = f"drawdown of {deepest:.1%} at the 95 % quantile, {limits.max_drawdown_p95:.1%} allowed"
        return StressReason.DRAWDOWN_BEYOND_LIMIT, text
    return StressReason.OK, f"{count} paths within limits"


def max_drawdown(equity: Floats, capital: float) -> float:
    """Deepest fall below the peak so far, which starts at the capital, as a share of that peak."""
    peak = np.maximum(np.maximum.accumulate(equity), capital)
    return float(((peak - equity) / peak).max(initial=0.0))


def worst(equity: Floats, capital: float, sessions: int) -> float:
    """Worst change of equity over so many sessions as a share of what it was before, while there was any; or 0."""
    whole = np.concatenate([[capital], equity])
    before, after = whole[:-sessions], whole[sessions:]
    solvent = before > 0.0
    return float((after[solvent] / before[solvent] - 1.0).min(initial=0.0))


def longest_spell(equity: Floats, start: float) -> int:
    """Most sessions in a row with equity below an earlier peak, of which ``start`` is the first."""
    peak = np.maximum(np.maximum.accumulate(equity), start)
    here = np.arange(1, len(equity) + 1)
    at_peak = np.maximum.accumulate(np.where(equity >= peak, here, 0))
    return int((here - at_peak).max(initial=0))


def recovery_sessions(equity: Floats, capital: float, start: int, end: int) -> int | None:
    """Sessions from ``start`` until equity is at its peak before ``start`` again, after the low of the stress."""
    peak = max(capital, equity[:start].max(initial=capital))
    low = start + int(np.argmin(equity[start : end + 1]))
    if equity[low] >= peak:
        return 0
    back = np.flatnonzero(equity[low:] >= peak)
    return low + int(back[0]) - start if len(back) else None


def tripped(transitions: Sequence[Transition], start: int) -> tuple[int, int]:
    """Trips from session ``start`` on, and how many of them ended in an active machine."""
    trips, recovered = 0, 0
    last_trip: dict[int | None, int] = {}
    for move in transitions:
        if move.after is BreakerState.TRIGGERED:
            last_trip[move.market] = move.session
            trips += move.session >= start
        elif move.after is BreakerState.ACTIVE:
            recovered += last_trip[move.market] >= start
    return trips, recovered


def stuck(transitions: Sequence[Transition], good: NDArray[np.bool_], end: int, longest: int) -> int:
    """Machines that are not active at the end though inputs were good for long enough after trip and stress.

    ``good`` is ``[session, market]``; the account's inputs are good where any market's are.
    """
    trip: dict[int | None, int] = {}
    state: dict[int | None, BreakerState] = {}
    for move in transitions:
        state[move.market] = move.after
        if move.after is BreakerState.TRIGGERED:
            trip[move.market] = move.session
    found = 0
    for market, now in state.items():
        own = np.asarray(good.any(axis=1)) if market is None else good[:, market]
        found += now is not BreakerState.ACTIVE and int(own[max(trip[market], end) + 1 :].sum()) > longest
    return found


def _outcome(
    books: PathBooks,
    path: int,
    limits: StressLimits,
    symbols: Sequence[str],
    dated: DatedWorld | None,
    unstressed: Sequence[Transition],
) -> PathOutcome:
    returns, capital = books.returns[path], books.capital_cents / CENTS
    equity = books.equity_cents[path] / CENTS
    start, end = (0, 0) if dated is None else (dated.start, dated.end)
    moves = books.transitions[path]
    trips, recovered = tripped(moves, start)
    held_lots, held_share = (None, None) if dated is None else _held(books, path, dated)
    return PathOutcome(
        start=None if dated is None else start,
        market=None if dated is None or dated.market is None else symbols[dated.market],
        sharpe=None if is_flat(returns) else float(sharpe_per_session(returns)) * float(np.sqrt(SESSIONS_PER_YEAR)),
        net=float(equity[-1]) - capital,
        max_drawdown=max_drawdown(equity, capital),
        worst_session=worst(equity, capital, 1),
        worst_month=worst(equity, capital, MONTH_SESSIONS),
        lowest_equity=float(equity.min()),
        breaker_trips=trips,
        breaker_trips_unstressed=tripped(unstressed, start)[0],
        breakers_recovered=recovered,
        breakers_stuck=stuck(moves, books.fault[path] == 0, end, limits.stuck_sessions),
        transitions=() if dated is None else tuple(move for move in moves if move.session >= start),
        participation=float(books.participation[path]),
        participation_of_cap=float(books.participation_of_cap[path]),
        sessions_to_recover=(
            longest_spell(equity, capital) if dated is None else recovery_sessions(equity, capital, start, end)
        ),
        held_lots=held_lots,
        held_share=held_share,
    )


def _held(books: PathBooks, path: int, dated: DatedWorld) -> tuple[tuple[int, ...], float | None]:
    """Lots at the cutoff before the stress, and their gross value over equity; an unpriced market counts nothing."""
    before, market = dated.start - 1, dated.world.market
    lots = books.positions[path, before]
    value = np.nan_to_num(np.abs(lots) * market.settle[before] * market.terms.multiplier, nan=0.0)
    equity = float(books.equity_cents[path, before]) / CENTS
    return tuple(int(lot) for lot in lots), float(value.sum()) / equity if equity > 0.0 else None
