"""The batched replay: all candidates and markets at once, session by session.

Cells lie as ``[market, candidate]``: a market's price is then one number for a run of neighbours, a candidate's equity
a row, and sums over markets add whole rows. Candidates never meet, so they are taken in blocks whose arrays stay in
the processor's cache. All money is whole cents in doubles, whose sums are exact: neither the block nor the order of
an addition can change a cent.

Order of a session t: yesterday's targets are filled and booked; the breakers judge; the new targets are decided from
row t. So a decision's profit starts at the price of its own fill in session t+1, as its label does.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydra_assets.replay.books import Books, Wanted
from hydra_assets.replay.breaker_arrays import BlockBreakers
from hydra_assets.replay.decisions import DecisionKind, Decisions
from hydra_assets.replay.log import breaker_log
from hydra_assets.replay.market import MarketArrays
from hydra_assets.replay.result import KINDS, CostKind, ReplayResult
from hydra_assets.replay.sizing import SizingTables, check_payoffs, sizing_tables
from hydra_assets.replay.tables import ReplayConfig, SessionTables, session_tables

Floats = NDArray[np.float64]

BLOCK_CELLS = 20_000
"""Candidates x markets that are stepped together: few enough for the caches, many enough to hide what a call costs."""
_SPREAD, _FEE, _IMPACT, _ROLL = (KINDS.index(kind) for kind in CostKind)


def replay(
    market: MarketArrays,
    decisions: Decisions,
    config: ReplayConfig,
    margin_per_lot: Floats | None = None,
    detail: bool = True,
) -> ReplayResult:
    """Replay all candidates over all sessions.

    Parameters
    ----------
    market
        ``[session, market]`` arrays.
    decisions
        ``[candidate, session, market]``; row t is what is wanted at the cutoff of session t.
    margin_per_lot
        Money, ``[market]`` or ``[session, market]``; None derives it from volatility.
    detail
        Whether to keep positions and fills of every cell.

    Raises
    ------
    ValueError
        Where shapes differ, a probability or size factor is outside [0, 1], a wanted position is infinite, or the fill
        mode needs prices that are not there.
    """
    candidates, sessions, markets = decisions.values.shape
    if (sessions, markets) != market.settle.shape:
        msg = f"decisions are for {(sessions, markets)} sessions and markets, prices for {market.settle.shape}"
        raise ValueError(msg)
    check_payoffs(config.sizing.payoff_long, config.sizing.payoff_short)
    tables = session_tables(market, config.costs, config.fills)
    sizes = sizing_tables(market, config.sizing, margin_per_lot)
    wanted = Wanted.of(decisions)
    books = Books.empty(sessions, markets, candidates, detail)
    width = max(1, BLOCK_CELLS // max(1, markets))
    blocks = [slice(low, min(low + width, candidates)) for low in range(0, candidates, width)]
    breakers = [_Block(config, tables, sizes, wanted, books, block).run() for block in blocks]
    return ReplayResult(
        capital_cents=config.capital_cents,
        gross_cents=books.gross.T,
        cost_cents=books.cost.transpose(1, 2, 0),
        turnover_lots=books.turnover.T,
        missing_decisions=books.missing.T,
        account_state=books.account_state.T,
        breakers=breaker_log(breakers, blocks),
        fault=tables.fault,
        positions=None if books.positions is None else books.positions.transpose(2, 0, 1),
        fills=None if books.fills is None else books.fills.transpose(2, 0, 1),
    )


class _Block:
    """A block of candidates on its way through the sessions; every array below is ``[market, candidate]``."""

    def __init__(
        self,
        config: ReplayConfig,
        tables: SessionTables,
        sizes: SizingTables,
        wanted: Wanted,
        books: Books,
        block: slice,
    ) -> None:
        self.config, self.tables, self.wanted, self.books, self.block = (
            config,
            tables,
            wanted,
            books,
            block,
        )
        sessions, markets = tables.fault.shape
        width = block.stop - block.start
        self.position, self.target, self.fill, self.lots, self.trade = (np.zeros((markets, width)) for _ in range(5))
        self.spare, self.other = np.zeros((markets, width)), np.zeros((markets, width))
        self.equity = np.full(width, float(config.capital_cents))
        self.peak = self.equity.copy()
        self.breakers = None if config.breakers is None else BlockBreakers(config.breakers, tables, width)
        self.sessions = sessions
        # [session, market, 1], to be one number for all candidates of a market.
        self.most_bought, self.most_sold = tables.buy_cap[:, :, None], -tables.sell_cap[:, :, None]
        self.impact, self.carry = tables.impact[:, :, None], tables.carry[:, :, None]
        self.rate, self.rate_cap, self.lot_cap = (
            table[:, :, None] for table in (sizes.rate, sizes.cap_rate, sizes.cap_lots)
        )
        # What is summed over markets by one small matrix product: [session, sum, market].
        ones = np.ones((sessions, markets))
        self.of_lots = np.stack([tables.spread, tables.fee, ones, tables.fill_change_side], axis=1)
        self.moves_in_session = _any_market(tables.fill_change)
        self.sides_differ = _any_market(tables.fill_change_side)
        self.rolls = _any_market(tables.roll)
        self.faults = _any_market(tables.fault)

    def run(self) -> BlockBreakers | None:
        """Live through all sessions; return the breakers with their moves."""
        before = self.equity.copy()
        for t in range(self.sessions):
            np.copyto(before, self.equity)
            if t:
                self._fill(t)
            np.maximum(self.peak, self.equity, out=self.peak)
            if self.breakers is not None:
                self.breakers.step(t, self.position, self.trade, (self.equity, before, self.peak))
                self.books.account_state[t, self.block] = self.breakers.accounts.state
            if t + 1 < self.sessions:
                self._decide(t)
                if self.breakers is not None:
                    self.breakers.close(self.target)
        return self.breakers

    def _fill(self, t: int) -> None:
        """Carry out the targets in session t and book its money."""
        tables, books, block = self.tables, self.books, self.block
        fill, lots, spare = self.fill, self.lots, self.spare
        np.subtract(self.target, self.position, out=fill)
        np.minimum(fill, self.most_bought[t], out=fill)
        np.maximum(fill, self.most_sold[t], out=fill)
        np.abs(fill, out=lots)
        gross = tables.carry[t] @ self.position
        if self.moves_in_session[t]:
            gross += tables.fill_change[t] @ fill
        spread, fee, turnover, side = self.of_lots[t] @ lots
        gross += side
        np.sqrt(lots, out=spare)
        spare *= lots
        spare *= self.impact[t]
        np.rint(spare, out=spare)
        impact = spare.sum(axis=0)
        if self.breakers is not None and self.breakers.watches_trades:
            np.multiply(self.position, self.carry[t], out=spare)
            self.trade += spare
        np.add(self.position, fill, out=self.other)
        roll = self._roll(t, turnover) if self.rolls[t] else None
        if self.breakers is not None and self.breakers.watches_trades:
            self._follow_trades(t)
        self.position, self.other = self.other, self.position
        books.cost[t, _SPREAD, block], books.cost[t, _FEE, block] = spread, fee
        books.cost[t, _IMPACT, block] = impact
        cost = spread + fee + impact
        if roll is not None:
            books.cost[t, _ROLL, block] = roll
            cost += roll
        books.gross[t, block] = gross
        books.turnover[t, block] = turnover
        self.equity += gross
        self.equity -= cost
        if books.positions is not None and books.fills is not None:
            books.positions[t, :, block] = self.position
            books.fills[t, :, block] = fill

    def _follow_trades(self, t: int) -> None:
        """Profit of the open trades after the fills: one that was closed or turned starts at nothing."""
        tables, new, spare = self.tables, self.other, self.spare
        np.multiply(self.position, new, out=spare)
        np.minimum(spare, 1.0, out=spare)
        np.maximum(spare, 0.0, out=spare)
        self.trade *= spare
        if not (self.moves_in_session[t] or self.sides_differ[t]):
            return
        np.multiply(self.fill, tables.fill_change[t][:, None], out=spare)
        if self.sides_differ[t]:
            spare += self.lots * tables.fill_change_side[t][:, None]
        np.copyto(spare, 0.0, where=new == 0.0)
        self.trade += spare

    def _roll(self, t: int, turnover: Floats) -> Floats:
        """Cost of changing the contract of what is kept: sold in the one, bought in the other."""
        rows = np.flatnonzero(self.tables.roll[t])
        old, new = self.position[rows], self.other[rows]
        kept = np.where(old * new > 0.0, np.minimum(np.abs(old), np.abs(new)), 0.0)
        impact = np.rint(kept * np.sqrt(kept) * self.tables.impact[t, rows][:, None])
        turnover += 2.0 * kept.sum(axis=0)
        return np.asarray(2.0 * (self.tables.roll_lot[t, rows] @ kept + impact.sum(axis=0)))

    def _decide(self, t: int) -> None:
        """Targets from row t; where there is no decision, what is held."""
        target = self.target
        gaps = self._size(t)
        factor = self.wanted.factor
        if factor is not None:
            each = factor[t] if factor.shape[-1] == 1 else factor[t][:, self.block]
            gaps |= _gaps_in(each, 0.0, 1.0, "size factor")
            target *= each
        np.trunc(target, out=target)
        if self.faults[t]:
            rows = np.flatnonzero(self.tables.fault[t])
            target[rows] = self.position[rows]
        if gaps:
            flat, width = target.reshape(-1), target.shape[1]
            missing = np.flatnonzero(np.isnan(flat))
            flat[missing] = self.position.reshape(-1)[missing]
            self.books.missing[t, self.block] = np.bincount(missing % width, minlength=width)

    def _size(self, t: int) -> bool:
        """Lots wanted before the size factor into ``target``, NaN where the decision is; return whether any is."""
        kind, target, cap = self.wanted.kind, self.target, self.lot_cap[t]
        values = self.wanted.values[t][:, self.block]
        if kind is DecisionKind.LOTS:
            gaps = _gaps_in(values, -np.inf, np.inf, "wanted position")
            np.minimum(values, cap, out=target)
        else:
            if kind is DecisionKind.PROBABILITY:
                values = self._share(t, values)
            # A share is in [-1, 1] exactly where the probability is in [0, 1].
            gaps = _gaps_in(values, -1.0, 1.0, "share of a probability or of Kelly")
            rate = self.rate_cap[t]
            np.multiply(values, self.rate[t], out=target)
            np.maximum(target, -rate, out=target)
            np.minimum(target, rate, out=target)
            target *= np.maximum(self.equity, 0.0)
            np.minimum(target, cap, out=target)
        np.maximum(target, -cap, out=target)
        return gaps

    def _share(self, t: int, up: Floats) -> Floats:
        """``sizing.signed_kelly`` of all cells, in place."""
        sizing, long, short = self.config.sizing, self.target, self.spare
        if self.wanted.down is None:
            down = np.subtract(1.0, up, out=self.other)
        else:
            down = self.wanted.down[t][:, self.block]
            for values in (up, down):
                _gaps_in(values, 0.0, 1.0, "probability")
        np.multiply(down, 1.0 / sizing.payoff_long, out=long)
        np.subtract(up, long, out=long)
        np.multiply(up, 1.0 / sizing.payoff_short, out=short)
        np.subtract(down, short, out=short)
        if self.wanted.down is not None:
            with np.errstate(invalid="ignore"):
                np.add(up, down, out=self.other)
                long /= self.other
                short /= self.other
        np.maximum(long, 0.0, out=long)
        np.maximum(short, 0.0, out=short)
        return np.subtract(long, short, out=long)


def _any_market(table: NDArray[Any]) -> list[bool]:
    """Whether a session has anything but zero in any market; a list, since single flags are read from it."""
    return [bool(row) for row in (table != 0).any(axis=1)]


def _gaps_in(values: Floats, low: float, high: float, name: str) -> bool:
    """Whether any value is NaN. ValueError where one is infinite or outside [low, high]."""
    least, most = values.min(), values.max()
    if least >= low and most <= high and np.isfinite(least) and np.isfinite(most):
        return False
    wrong = (values < low) | (values > high) | np.isinf(values)
    if wrong.any():
        msg = f"{name}: {values[wrong][0]} is not a finite number in [{low}, {high}]"
        raise ValueError(msg)
    return True
