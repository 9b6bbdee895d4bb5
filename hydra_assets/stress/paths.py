"""Many worlds with the same sessions and terms side by side, each with one account of its own.

A world is a ``MarketArrays`` and the signed shares wanted in it, so that every path can also be given to the public
``replay``. A batch holds all cells of a session next to each other, ``[session, market, path]``, and as a
``MarketArrays`` of markets x paths, with which the public tables of costs and caps are made in one call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydra_assets.replay.decisions import DecisionKind, Decisions
from hydra_assets.replay.fills import FillConfig, FillMode
from hydra_assets.replay.market import MarketArrays, MarketTerms
from hydra_assets.replay.sizing import check_payoffs, signed_kelly
from hydra_assets.replay.tables import ReplayConfig

Floats = NDArray[np.float64]

CELLS_AT_ONCE = 400_000
"""Sessions x markets x paths that are held at once: about 100 MB with all tables."""
COLUMNS = ("settle", "held_change", "sigma_daily", "adv", "roll", "tradable", "open", "cap_factor", "impact_factor")
"""Arrays of a market that paths carry; high and low serve limit orders only, which stress does not replay."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the recipe wants, ``[session, market]``: signed shares of Kelly and the size factor; NaN is no decision."""

    shares: Floats
    factor: Floats | None

    @classmethod
    def of(cls, decisions: Decisions, config: ReplayConfig) -> "Wishes":
        """Turn one candidate's decisions into shares, as the replay does.

        Raises ValueError on several candidates, wanted lots, and values that the replay would refuse.
        """
        if len(decisions.values) != 1:
            msg = f"one recipe at a time, not {len(decisions.values)}"
            raise ValueError(msg)
        if decisions.kind is DecisionKind.LOTS:
            msg = "stress sizes positions itself: probabilities or shares of Kelly are needed, not lots"
            raise ValueError(msg)
        up, factor = decisions.values[0], decisions.size_factor
        down = None if decisions.probability_down is None else decisions.probability_down[0]
        factor = factor[0] if factor is not None and factor.ndim == 3 else factor
        is_share = decisions.kind is DecisionKind.KELLY
        for name, values, least in (("decision", up, -1.0 if is_share else 0.0), ("P(down)", down, 0.0)):
            _check(name, values, least)
        _check("size factor", factor, 0.0)
        sizing = config.sizing
        check_payoffs(sizing.payoff_long, sizing.payoff_short)
        if is_share:
            return cls(up, factor)
        return cls(signed_kelly(up, down, sizing.payoff_long, sizing.payoff_short), factor)

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Where there is no decision, ``[session, market]``."""
        gap = np.isnan(self.shares)
        return np.asarray(gap if self.factor is None else gap | np.isnan(self.factor))

    def without(self, sessions: slice, market: int) -> "Wishes":
        """Return the same without decisions in some sessions of a market."""
        shares = self.shares.copy()
        shares[sessions, market] = np.nan
        return Wishes(shares, self.factor)


@dataclass(frozen=True, slots=True)
class World:
    """One path."""

    market: MarketArrays
    wishes: Wishes


def from_session(world: World, first: int) -> World:
    """Return the world from a session on; highs and lows, which stress does not use, are left behind."""

    def cut(array: Any) -> Any:
        return None if array is None else array[first:]

    market = replace(
        world.market,
        days=world.market.days[first:],
        high=None,
        low=None,
        **{name: cut(getattr(world.market, name)) for name in COLUMNS},
    )
    return World(market, Wishes(cut(world.wishes.shares), cut(world.wishes.factor)))


@dataclass(frozen=True, slots=True)
class PathBatch:
    """Paths side by side; ``shares`` and ``factor`` are ``[session, market, path]``.

    ``market`` is that of markets x paths: column ``m * paths + p`` is market m of path p.
    """

    terms: MarketTerms
    market: MarketArrays
    shares: Floats
    factor: Floats | None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Sessions, markets, paths."""
        sessions, markets, paths = self.shares.shape
        return sessions, markets, paths

    def world(self, path: int) -> World:
        """Take one path out."""
        own = slice(path, None, self.shape[2])

        def cut(array: Any) -> Any:
            return None if array is None else array[..., own]

        terms = MarketTerms(
            symbols=self.market.terms.symbols[own],
            **{name: cut(getattr(self.market.terms, name)) for name in _TERMS},
        )
        columns: dict[str, Any] = {name: cut(getattr(self.market, name)) for name in COLUMNS}
        market = MarketArrays(terms=terms, days=self.market.days, **columns)
        factor = None if self.factor is None else self.factor[:, :, path]
        return World(market, Wishes(self.shares[:, :, path], factor))


_TERMS = tuple(field.name for field in fields(MarketTerms) if field.name != "symbols")


def earning_lag(market: MarketArrays, fills: FillConfig) -> int:
    """Sessions from a decision's cutoff to the session that its position earns (most of).

    Decided at t, done in t+1: at the settle it earns t+2. At the open it earns what follows in t+1 and what precedes
    the open of t+2: the first where, in the median market, half of a session's variation comes after its open.
    """
    after_open = fills.mode is FillMode.NEXT_OPEN and market.open is not None
    return 1 if after_open and float(np.median(part_after_open(market))) >= 0.5 else 2


def part_after_open(market: MarketArrays) -> Floats:
    """Part of a session's variation that comes after its open, by regression through zero, ``[market]``."""
    if market.open is None:
        return np.zeros(market.settle.shape[1])
    after = (market.settle - market.open) * market.terms.multiplier
    known = np.isfinite(after) & np.isfinite(market.held_change) & market.priced
    change = np.where(known, market.held_change, 0.0)
    total = (change * change).sum(axis=0)
    part = (np.where(known, after, 0.0) * change).sum(axis=0)
    return np.asarray(np.where(total > 0.0, part / np.where(total > 0.0, total, 1.0), 0.0))


def paths_at_once(market: MarketArrays) -> int:
    """How many paths of these markets are taken together."""
    return max(1, CELLS_AT_ONCE // max(1, market.settle.size))


def batch(
    market: MarketArrays,
    columns: Mapping[str, Any],
    shares: Floats,
    factor: Floats | None,
    labels: Sequence[str] = (),
) -> PathBatch:
    """Batch from ``[session, market, path]`` columns (see ``COLUMNS``); terms and days are the market's.

    A path with a label has luck in slippage of its own: the label is put behind the symbols that address the draws.
    """
    sessions, _, paths = shares.shape
    own = list(labels) or [""] * paths
    terms = MarketTerms(
        symbols=tuple(symbol + label for symbol in market.terms.symbols for label in own),
        **{name: np.repeat(getattr(market.terms, name), paths, axis=-1) for name in _TERMS},
    )
    flat: dict[str, Any] = {
        name: None if array is None else array.reshape(sessions, -1) for name, array in columns.items()
    }
    return PathBatch(market.terms, MarketArrays(terms=terms, days=market.days, **flat), shares, factor)


def stack(worlds: Sequence[World]) -> PathBatch:
    """Put worlds with the same sessions and markets side by side; their terms may differ in the half-spread only.

    A half-spread may be ``[session, market]``: every use of it is elementwise in the tables.
    """
    first = worlds[0].market

    def side_by_side(arrays: list[Any]) -> Any:
        return None if any(array is None for array in arrays) else np.stack(arrays, axis=2)

    columns = {name: side_by_side([getattr(world.market, name) for world in worlds]) for name in COLUMNS}
    factors = [world.wishes.factor for world in worlds]
    made = batch(
        first, columns, np.stack([world.wishes.shares for world in worlds], axis=2), side_by_side(list(factors))
    )
    shape = first.settle.shape
    spreads = [np.broadcast_to(world.market.terms.half_spread_ticks, shape) for world in worlds]
    ticks = np.stack(spreads, axis=2).reshape(shape[0], -1)
    return replace(made, market=replace(made.market, terms=replace(made.market.terms, half_spread_ticks=ticks)))


def _check(name: str, values: Floats | None, least: float) -> None:
    if values is None:
        return
    wrong = (values < least) | (values > 1.0)
    if wrong.any():
        msg = f"{name}: {values[wrong][0]} is outside [{least:g}, 1]"
        raise ValueError(msg)
