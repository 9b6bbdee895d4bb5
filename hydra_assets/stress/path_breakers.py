"""Breakers of many paths at once: the replay's machines, with findings that differ in market data from path to path.

The machine, its table and the rank of reasons are ``replay.breakers``' and ``replay.breaker_arrays``'; here is only the
search for breaches where notional, exit cap and staleness are a path's own.
"""

import numpy as np
from numpy.typing import NDArray

from hydra_assets.replay.breaker_arrays import Breach, Machines
from hydra_assets.replay.breakers import REASONS, BreakerConfig, BreakerReason, BreakerState, Transition
from hydra_assets.replay.tables import SessionTables

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class PathBreakers:
    """One account and its markets per path; cells of markets count ``market * paths + path``.

    ``tables`` are ``[session, market * path]``.
    """

    def __init__(self, config: BreakerConfig, tables: SessionTables, markets: int, paths: int) -> None:
        self.config = config
        self.accounts = Machines(paths, config.cooldown_sessions)
        self.markets = Machines(markets * paths, config.cooldown_sessions)
        shape = (len(tables.fault), markets, paths)
        self._paths = paths
        self._market_open = np.ones((markets, paths))
        self._account_open = np.ones(paths)
        lots = np.inf if config.exit_sessions is None else config.exit_sessions
        # A session with a fault trips neither: staleness answers for it.
        self._notional = np.nan_to_num(tables.notional, nan=0.0).reshape(shape)
        self._exit_lots = np.nan_to_num(tables.exit_cap * lots, nan=np.inf, posinf=np.inf).reshape(shape)
        longest = np.inf if config.max_stale_sessions is None else config.max_stale_sessions
        self._dead: Flags = np.asarray(tables.stale > longest).reshape(shape)
        self._any_dead = [bool(session.any()) for session in self._dead]
        self._live = (tables.fault == 0).reshape(shape)

    def step(self, t: int, position: Floats, trade: Floats, money: tuple[Floats, Floats, Floats]) -> None:
        """Judge session t at its cutoff; arguments as in ``BlockBreakers.step`` with paths for candidates."""
        equity, before, peak = money

        def flat_account(cells: NDArray[np.int64]) -> Flags:
            return np.asarray(~((position[:, cells] != 0.0) & self._live[t][:, cells]).any(axis=0))

        for move in self.accounts.advance(t, self._account_breaches(equity, before, peak), flat_account):
            opened = move.after is BreakerState.ACTIVE
            self._account_open[move.cell] = opened
            if opened:
                peak[move.cell] = equity[move.cell]
        held = position.reshape(-1)
        breaches = self._market_breaches(t, position, trade, equity)
        for move in self.markets.advance(t, breaches, lambda cells: np.asarray(held[cells] == 0.0)):
            self._market_open.reshape(-1)[move.cell] = move.after is BreakerState.ACTIVE

    def close(self, target: Floats) -> None:
        """Want nothing where a machine rests, in place, ``[market, path]``."""
        if self.markets.resting:
            target *= self._market_open
        if self.accounts.resting:
            target *= self._account_open

    def transitions(self) -> tuple[tuple[Transition, ...], ...]:
        """Moves of each path, in order of session, account before markets."""
        found: list[list[Transition]] = [[] for _ in range(self._paths)]
        for machines, is_account in ((self.accounts, True), (self.markets, False)):
            for moves in machines.moves:
                for cell, reason in zip(moves.cell.tolist(), moves.reason.tolist(), strict=True):
                    market = None if is_account else cell // self._paths
                    move = Transition(moves.session, market, moves.before, moves.after, REASONS[reason])
                    found[cell % self._paths].append(move)
        return tuple(
            tuple(sorted(own, key=lambda move: (move.session, -1 if move.market is None else move.market)))
            for own in found
        )

    def _account_breaches(self, equity: Floats, before: Floats, peak: Floats) -> list[Breach]:
        config = self.config
        found: list[Breach] = []
        if config.daily_loss is not None:
            over = before - equity > config.daily_loss * np.maximum(before, 0.0)
            _note(found, BreakerReason.DAILY_LOSS, over)
        if config.drawdown is not None:
            over = (equity <= 0.0) | (peak - equity > config.drawdown * np.maximum(peak, 0.0))
            _note(found, BreakerReason.DRAWDOWN, over)
        return found

    def _market_breaches(self, t: int, position: Floats, trade: Floats, equity: Floats) -> list[Breach]:
        config = self.config
        solvent = np.maximum(equity, 0.0)
        held = np.abs(position)
        found: list[Breach] = []
        if self._any_dead[t]:
            _note(found, BreakerReason.STALE_DATA, self._dead[t] & (held > 0.0))
        if config.position_multiple is not None:
            over = held * self._notional[t] > config.position_multiple * solvent
            _note(found, BreakerReason.POSITION, over)
        if config.exit_sessions is not None:
            _note(found, BreakerReason.PARTICIPATION, held > self._exit_lots[t])
        if config.single_trade_loss is not None:
            _note(found, BreakerReason.SINGLE_TRADE, trade < -(config.single_trade_loss * solvent))
        return found


def _note(found: list[Breach], reason: BreakerReason, over: Flags) -> None:
    cells = np.flatnonzero(over)
    if cells.size:
        found.append((reason, cells))
