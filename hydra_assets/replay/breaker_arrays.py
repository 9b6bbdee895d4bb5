"""Breakers of many candidates at once: the machine of ``breakers``, with the same table.

Breaches are looked for everywhere in a few passes; only cells that move are touched one by one, and those are few.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydra_assets.replay.breakers import (
    REASONS,
    TRANSITIONS,
    BreakerConfig,
    BreakerEvent,
    BreakerReason,
    BreakerState,
)
from hydra_assets.replay.tables import SessionTables

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Codes = NDArray[np.int8]
Indices = NDArray[np.int64]
Breach = tuple[BreakerReason, Indices]

_ACTIVE = int(BreakerState.ACTIVE)


@dataclass(frozen=True, slots=True)
class Moves:
    """The same move of some machines at one cutoff; ``cell``, ``reason`` are ``[move]``, cells count the machines."""

    session: int
    cell: Indices
    before: BreakerState
    after: BreakerState
    reason: Codes


class Machines:
    """Many machines. Those that rest are kept in lists, so that a calm session costs next to nothing.

    All that turn flat in a session have cooled in the same later one: cooling is a queue by that session.
    """

    def __init__(self, size: int, cooldown: int) -> None:
        self.state = np.zeros(size, dtype=np.int8)
        self.moves: list[Moves] = []
        self._reason = np.zeros(size, dtype=np.int8)
        self._cooldown = cooldown
        self._triggered = np.zeros(0, dtype=np.int64)
        self._cooling: dict[int, Indices] = {}

    @property
    def resting(self) -> bool:
        """Whether any machine is not active."""
        return bool(self._triggered.size or self._cooling)

    def advance(
        self, session: int, breaches: Sequence[tuple[BreakerReason, Indices]], flat: Callable[[Indices], Flags]
    ) -> list[Moves]:
        """Take a session's findings; return its moves, at most one of each machine.

        ``breaches`` are cells by reason, in order of rank; ``flat`` says which of the cells it is given hold nothing.
        """
        known = len(self.moves)
        cooled = self._cooling.pop(session, None)
        triggered = self._triggered
        if triggered.size:
            done = flat(triggered)
            if done.any():
                self._cooling[session + self._cooldown] = triggered[done]
                self._triggered = triggered[~done]
                self._move(session, triggered[done], BreakerState.TRIGGERED, BreakerEvent.FLAT)
        for reason, found in breaches:
            cells = found[self.state[found] == _ACTIVE]
            if cells.size:
                self._reason[cells] = REASONS.index(reason)
                self._triggered = np.concatenate([self._triggered, cells])
                self._move(session, cells, BreakerState.ACTIVE, BreakerEvent.BREACH)
        if cooled is not None:
            self._move(session, cooled, BreakerState.COOLDOWN, BreakerEvent.COOLED)
        return self.moves[known:]

    def _move(self, session: int, cells: Indices, before: BreakerState, event: BreakerEvent) -> None:
        after = TRANSITIONS[before, event]
        self.state[cells] = after
        self.moves.append(Moves(session, cells, before, after, self._reason[cells]))


class BlockBreakers:
    """The account's and the markets' machines of a block of candidates. Cells of markets count market by market."""

    def __init__(self, config: BreakerConfig, tables: SessionTables, candidates: int) -> None:
        markets = tables.fault.shape[1]
        self.config = config
        self.tables = tables
        self.accounts = Machines(candidates, config.cooldown_sessions)
        self.markets = Machines(markets * candidates, config.cooldown_sessions)
        self._shape = (markets, candidates)
        self._market_open = np.ones(self._shape)
        self._account_open = np.ones(candidates)
        self._value = np.empty(self._shape)
        self._held = np.empty(self._shape)
        lots = np.inf if config.exit_sessions is None else config.exit_sessions
        # A session with a fault trips neither: staleness answers for it.
        self._notional = np.nan_to_num(tables.notional, nan=0.0)[:, :, None]
        self._exit_lots = np.nan_to_num(tables.exit_cap * lots, nan=np.inf, posinf=np.inf)
        longest = np.inf if config.max_stale_sessions is None else config.max_stale_sessions
        self._dead = [bool(stale > longest) for stale in tables.stale.max(axis=1)]
        self._live = tables.fault == 0

    @property
    def watches_trades(self) -> bool:
        """Whether the profit of open trades is needed."""
        return self.config.single_trade_loss is not None

    def step(self, t: int, position: Floats, trade: Floats, money: tuple[Floats, Floats, Floats]) -> None:
        """Judge session t at its cutoff.

        ``position`` lots and ``trade`` cents are ``[market, candidate]``; ``money`` is equity, equity before the
        session and peak, ``[candidate]`` cents. The peak of an account that has cooled becomes its equity.
        """
        equity, before, peak = money
        live = self._live[t]
        for move in self.accounts.advance(
            t, self._account_breaches(equity, before, peak), lambda cells: ~position[:, cells][live].any(axis=0)
        ):
            opened = move.after is BreakerState.ACTIVE
            self._account_open[move.cell] = opened
            if opened:
                peak[move.cell] = equity[move.cell]
        held = position.reshape(-1)
        for move in self.markets.advance(
            t, self._market_breaches(t, position, trade, equity), lambda cells: held[cells] == 0.0
        ):
            self._market_open.reshape(-1)[move.cell] = move.after is BreakerState.ACTIVE

    def close(self, target: Floats) -> None:
        """Want nothing where a machine rests, in place, ``[market, candidate]``."""
        if self.markets.resting:
            target *= self._market_open
        if self.accounts.resting:
            target *= self._account_open

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
        """Cells in breach. The extremes are compared first: a cell is looked for only where there is one."""
        config = self.config
        solvent = np.maximum(equity, 0.0)
        held = np.abs(position, out=self._held)
        found: list[Breach] = []
        if self._dead[t]:
            rows = np.flatnonzero(self.tables.stale[t] > (config.max_stale_sessions or 0))
            row, column = np.nonzero(held[rows])
            found.append((BreakerReason.STALE_DATA, rows[row] * self._shape[1] + column))
        if config.position_multiple is not None:
            value = np.multiply(held, self._notional[t], out=self._value)
            most = config.position_multiple * solvent
            if (value.max(axis=0) > most).any():
                _note(found, BreakerReason.POSITION, value > most)
        if config.exit_sessions is not None and (held.max(axis=1) > self._exit_lots[t]).any():
            _note(found, BreakerReason.PARTICIPATION, held > self._exit_lots[t][:, None])
        if config.single_trade_loss is not None:
            least = -(config.single_trade_loss * solvent)
            if (trade.min(axis=0) < least).any():
                _note(found, BreakerReason.SINGLE_TRADE, trade < least)
        return found


def _note(found: list[Breach], reason: BreakerReason, over: Flags) -> None:
    cells = np.flatnonzero(over)
    if cells.size:
        found.append((reason, cells))
