"""The replay of many paths: one candidate, a market and an account of its own on each, all paths at once.

``replay.batched`` shares one market among many candidates; here every path has its own. The models are the same
functions (costs, caps, sizes, breakers), the bookkeeping is written out for cells ``[market, path]``, and a property
test holds each path to the public replay, to the cent. Order of a session as there: fill and book, judge, decide.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hydra_assets.replay.breakers import Transition
from hydra_assets.replay.costs import impact_cents
from hydra_assets.replay.fills import FillMode, fill_lots
from hydra_assets.replay.market import Codes, MarketArrays
from hydra_assets.replay.sizing import SizingConfig, SizingTables, kelly_lots, sizing_tables
from hydra_assets.replay.tables import ReplayConfig, SessionTables, lagged, session_tables
from hydra_assets.stress.path_breakers import PathBreakers
from hydra_assets.stress.paths import PathBatch

Floats = NDArray[np.float64]
Cents = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PathBooks:
    """Books of every path. Row t of money and lots is what happened in session t."""

    capital_cents: int
    net_cents: Cents
    """``[path, session]`` after costs."""
    positions: Floats
    """``[path, session, market]`` signed lots held at the cutoff."""
    fault: Codes
    """``[path, session, market]`` codes of ``market.FAULTS``."""
    transitions: tuple[tuple[Transition, ...], ...]
    """Moves of each path's breakers."""
    participation: Floats
    """``[path]`` largest share of lagged average volume that was traded in a session and market, rolls left out."""
    participation_of_cap: Floats
    """``[path]`` the same over the market's cap: never above 1."""

    @property
    def equity_cents(self) -> Cents:
        """``[path, session]`` at the cutoff."""
        return np.asarray(self.capital_cents + np.cumsum(self.net_cents, axis=1))

    @property
    def returns(self) -> Floats:
        """Net profit over the starting capital, ``[path, session]``."""
        return np.asarray(self.net_cents / self.capital_cents)


@dataclass(slots=True)
class _Cells:
    """Where the paths stand, ``[market, path]`` lots and cents, ``[path]`` cents."""

    position: Floats
    target: Floats
    trade: Floats
    equity: Floats
    peak: Floats


def replay_paths(paths: PathBatch, config: ReplayConfig) -> PathBooks:
    """Replay every path.

    Raises ValueError for limit orders, whose fills hang on the path of prices within a session, which no scenario
    draws.
    """
    if config.fills.mode is FillMode.LIMIT:
        msg = "limit orders cannot be stressed: no scenario draws highs and lows"
        raise ValueError(msg)
    shape = sessions, markets, count = paths.shape
    flat = session_tables(paths.market, config.costs, config.fills)
    tables, sizes = _folded(flat, shape), _sizes(paths, config.sizing)
    breakers = None if config.breakers is None else PathBreakers(config.breakers, flat, markets, count)
    cells = _Cells(
        *(np.zeros((markets, count)) for _ in range(3)), *(np.full(count, float(config.capital_cents)) for _ in "ep")
    )
    net, positions, fills = np.zeros((sessions, count)), np.zeros(shape), np.zeros(shape)
    moves = [bool(row.any()) for row in tables.fill_change]
    rolls = [bool(row.any()) for row in tables.roll]
    for t in range(sessions):
        before = cells.equity
        if t:
            fills[t] = np.subtract(cells.target, cells.position)
            fills[t], net[t] = _book(t, fills[t], cells, tables, (moves[t], rolls[t]))
            cells.equity = before + net[t]
        np.maximum(cells.peak, cells.equity, out=cells.peak)
        positions[t] = cells.position
        if breakers is not None:
            breakers.step(t, cells.position, cells.trade, (cells.equity, before, cells.peak))
        if t + 1 < sessions:
            _decide(t, cells, paths, sizes, tables.fault[t])
            if breakers is not None:
                breakers.close(cells.target)
    share, of_cap = _participation(np.abs(fills), paths, config)
    return PathBooks(
        capital_cents=config.capital_cents,
        net_cents=np.ascontiguousarray(net.T).astype(np.int64),
        positions=positions.transpose(2, 0, 1),
        fault=tables.fault.transpose(2, 0, 1),
        transitions=((),) * count if breakers is None else breakers.transitions(),
        participation=share,
        participation_of_cap=of_cap,
    )


def _book(
    t: int, order: Floats, cells: _Cells, tables: SessionTables, flags: tuple[bool, bool]
) -> tuple[Floats, Floats]:
    """Carry out orders in session t; return what was filled and the net cents of each path."""
    moves, rolls = flags
    held, carry = cells.position, tables.carry[t]
    fill = fill_lots(order, tables.buy_cap[t], tables.sell_cap[t])
    lots = np.abs(fill)
    new = held + fill
    variation = held * carry
    cost = (tables.spread[t] + tables.fee[t]) * lots + impact_cents(tables.impact[t], lots)
    if rolls:
        kept = np.where(tables.roll[t] & (held * new > 0.0), np.minimum(np.abs(held), np.abs(new)), 0.0)
        cost += 2.0 * (tables.roll_lot[t] * kept + impact_cents(tables.impact[t], kept))
    cells.trade += variation
    cells.trade *= held * new > 0.0
    gross = variation
    if moves:
        own = fill * tables.fill_change[t]
        gross = gross + own
        cells.trade += np.where(new == 0.0, 0.0, own)
    cells.position = new
    return fill, np.asarray((gross - cost).sum(axis=0))


def _decide(t: int, cells: _Cells, paths: PathBatch, sizes: SizingTables, fault: Codes) -> None:
    """Targets from row t; what is held where there is no decision or a fault."""
    factor = 1.0 if paths.factor is None else paths.factor[t]
    lots = kelly_lots(paths.shares[t], cells.equity, sizes.rate[t], sizes.cap_rate[t], sizes.cap_lots[t], factor)
    keep = np.isnan(lots) | (fault != 0)
    cells.target = np.where(keep, cells.position, lots)


def _folded(tables: SessionTables, shape: tuple[int, int, int]) -> SessionTables:
    """Tables with ``[session, market, path]`` for ``[session, market * path]``."""
    return replace(tables, **{name: getattr(tables, name).reshape(shape) for name in tables.__slots__})


def _sizes(paths: PathBatch, config: SizingConfig) -> SizingTables:
    """Sizing tables of every path, ``[session, market, path]``.

    They are made row by row and split an account among the markets that it sees, so that the paths go in as more
    sessions of the same markets.
    """
    sessions, markets, count = paths.shape

    def as_sessions(array: NDArray[np.generic]) -> NDArray[np.generic]:
        return array.reshape(sessions, markets, count).transpose(0, 2, 1).reshape(sessions * count, markets)

    columns = {name: as_sessions(getattr(paths.market, name)) for name in ("settle", "sigma_daily", "adv", "tradable")}
    unused = np.zeros((sessions * count, markets))
    made = sizing_tables(
        MarketArrays(
            terms=paths.terms,
            days=np.arange(sessions * count),
            held_change=unused,
            roll=unused.astype(np.bool_),
            **columns,  # type: ignore[arg-type]
        ),
        config,
    )

    def back(table: Floats) -> Floats:
        return np.ascontiguousarray(table.reshape(sessions, count, markets).transpose(0, 2, 1))

    return SizingTables(rate=back(made.rate), cap_rate=back(made.cap_rate), cap_lots=back(made.cap_lots))


def _participation(lots: Floats, paths: PathBatch, config: ReplayConfig) -> tuple[Floats, Floats]:
    """Largest share of lagged volume traded, and the same over the cap, ``[path]`` each."""
    adv = lagged(paths.market.adv).reshape(lots.shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(lots > 0.0, lots / adv, 0.0)
    own = config.fills.participation_cap
    cap = paths.terms.participation_cap if own is None else np.full(lots.shape[1], own)
    by_market = share.max(axis=0)
    return by_market.max(axis=0), (by_market / cap[:, None]).max(axis=0)
