"""Scenarios that change a few sessions of the past, and the dates at which they hurt most.

The span is cut into equal parts; in each the stress begins in the session after the cutoff at which most is at stake:
the longest book for a crash, the shortest for a spike, the most sessions' worth of volume for a drought, the most risk
for the others, and for a reversal the sessions that earned most. A part without anything at stake is left out.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hydra_assets.replay.costs import CENTS
from hydra_assets.stress.path_replay import PathBooks
from hydra_assets.stress.paths import World
from hydra_assets.stress.plan import Scenario, StressPlan
from hydra_assets.stress.reprice import held_returns, with_returns

Floats = NDArray[np.float64]

LOWEST_LEVEL = 0.05
"""A flash move leaves at least this share of the price."""


@dataclass(frozen=True, slots=True)
class DatedWorld:
    """A world that is stressed from session ``start`` to session ``end``, both included."""

    scenario: Scenario
    start: int
    end: int
    market: int | None
    """The market that alone is stressed; None for all."""
    world: World


def dated_worlds(scenario: Scenario, world: World, books: PathBooks, plan: StressPlan) -> tuple[DatedWorld, ...]:
    """Make a scenario's worlds, one for each date; ``books`` are those of the unstressed run."""
    length = _length(scenario, plan)
    score = _at_stake(scenario, world, books, length)
    sessions = len(score)
    room = min(plan.limits.stuck_sessions, sessions // 4)
    starts = np.arange(1, max(1, sessions - length - room) + 1)
    made = []
    for part in np.array_split(starts, min(plan.dates, len(starts))):
        start = int(part[np.argmax(score[part])])
        if score[start] > 0.0:
            made.append(_stressed(scenario, world, start, books.positions[0, start - 1], plan))
    return tuple(made)


def flash_move(world: World, start: int, sigmas: float, plan: StressPlan) -> World:
    """Move all prices by ``sigmas`` known volatilities in session ``start``; a share comes back in equal steps.

    With m the move, the price is 1 + m (1 - share j / n) of what it was, j sessions after the move. A market that is
    closed moves when it next trades.
    """
    own = held_returns(world.market)
    returns, sigma = own.copy(), world.market.sigma_daily[start - 1]
    told = plan.flash
    for m in range(own.shape[1]):
        open_sessions = start + np.flatnonzero(np.isfinite(own[start:, m]))[: 1 + told.recovery_sessions]
        if not np.isfinite(sigma[m]) or not len(open_sessions):
            continue
        back = told.recovery_share * np.arange(len(open_sessions)) / told.recovery_sessions
        level = np.maximum(1.0 + sigmas * sigma[m] * (1.0 - back), LOWEST_LEVEL)
        step = level / np.concatenate([[1.0], level[:-1]])
        changed = (1.0 + own[open_sessions, m]) * step - 1.0
        returns[open_sessions, m] = np.where(step == 1.0, own[open_sessions, m], changed)
    return replace(world, market=with_returns(world.market, returns, plan.volatility_window))


def scaled_returns(world: World, start: int, sessions: int, factor: float, plan: StressPlan) -> World:
    """Multiply the returns of some sessions."""
    returns = held_returns(world.market)
    returns[start : start + sessions] *= factor
    return replace(world, market=with_returns(world.market, returns, plan.volatility_window))


def drought(world: World, start: int, plan: StressPlan) -> World:
    """Divide the volume that is known from session ``start`` on and multiply the half-spreads of the same sessions."""
    told, market = plan.liquidity_drought, world.market
    dry = slice(start, start + told.sessions)
    adv = market.adv.copy()
    adv[dry] /= told.volume_divisor
    half_spread = np.broadcast_to(market.terms.half_spread_ticks, adv.shape).copy()
    half_spread[dry] *= told.spread_factor
    terms = replace(market.terms, half_spread_ticks=half_spread)
    return replace(world, market=replace(market, adv=adv, terms=terms))


def outage(world: World, start: int, market: int, side: float, plan: StressPlan) -> World:
    """Take a market's prices, volume and decisions away for some sessions, then let it open with a gap.

    ``side`` is the sign of what is held: the gap goes against it, and comes on top of what the market did meanwhile.
    """
    told, prices = plan.data_outage, world.market
    returns, sigma = held_returns(prices), prices.sigma_daily[start - 1, market]
    traded = start + told.sessions + np.flatnonzero(np.isfinite(returns[start + told.sessions :, market]))
    opens = int(traded[0]) if len(traded) else len(returns)
    gap = -side * told.gap_sigmas * sigma
    if len(traded) and np.isfinite(gap) and gap != 0.0:
        returns[opens, market] = (1.0 + returns[opens, market]) * max(1.0 + gap, LOWEST_LEVEL) - 1.0
    moved = with_returns(prices, returns, plan.volatility_window)
    if opens == start:
        return replace(world, market=moved)
    dark = slice(start, opens)
    change = moved.held_change.copy()
    meanwhile = float(np.nansum(change[dark, market]))
    change[dark, market] = np.nan
    if len(traded):
        change[opens, market] += meanwhile
    tradable = moved.tradable.copy()
    tradable[dark, market] = False

    def darkened(values: Floats) -> Floats:
        out = values.copy()
        out[dark, market] = np.nan
        return out

    changed = replace(
        moved,
        settle=darkened(moved.settle),
        held_change=change,
        sigma_daily=darkened(moved.sigma_daily),
        adv=darkened(moved.adv),
        open=None if moved.open is None else darkened(moved.open),
        tradable=tradable,
    )
    return World(changed, world.wishes.without(dark, market))


def value_at_risk(world: World, books: PathBooks) -> Floats:
    """Signed money that one known daily volatility moves in each market's position, ``[session, market]``."""
    market = world.market
    value = books.positions[0] * market.sigma_daily * market.settle * market.terms.multiplier
    return np.asarray(np.nan_to_num(value, nan=0.0))


def _stressed(scenario: Scenario, world: World, start: int, held: Floats, plan: StressPlan) -> DatedWorld:
    market = None
    match scenario:
        case Scenario.FLASH_CRASH:
            made = flash_move(world, start, -plan.flash.sigmas, plan)
        case Scenario.FLASH_SPIKE:
            made = flash_move(world, start, plan.flash.sigmas, plan)
        case Scenario.LIQUIDITY_DROUGHT:
            made = drought(world, start, plan)
        case Scenario.VOL_EXPLOSION:
            made = scaled_returns(world, start, plan.vol_explosion.sessions, plan.vol_explosion.factor, plan)
        case Scenario.REVERSAL:
            made = scaled_returns(world, start, plan.reversal.sessions, -1.0, plan)
        case Scenario.DATA_OUTAGE:
            before = world.market
            risk = held * before.sigma_daily[start - 1] * before.settle[start - 1] * before.terms.multiplier
            market = int(np.argmax(np.abs(np.nan_to_num(risk, nan=0.0))))
            made = outage(world, start, market, float(np.sign(held[market])), plan)
        case _:
            msg = f"{scenario} has no date"
            raise ValueError(msg)
    return DatedWorld(scenario, start, start + _length(scenario, plan) - 1, market, made)


def _length(scenario: Scenario, plan: StressPlan) -> int:
    """Sessions from the first to the last that is stressed, at least one."""
    sessions = {
        Scenario.LIQUIDITY_DROUGHT: plan.liquidity_drought.sessions,
        Scenario.VOL_EXPLOSION: plan.vol_explosion.sessions,
        Scenario.REVERSAL: plan.reversal.sessions,
        Scenario.DATA_OUTAGE: plan.data_outage.sessions + 1,
    }.get(scenario, 1 + plan.flash.recovery_sessions)
    return max(1, sessions)


def _at_stake(scenario: Scenario, world: World, books: PathBooks, length: int) -> Floats:
    """What a stress that begins in each session would find, ``[session]``; more is worse, zero or less is nothing."""
    risk = value_at_risk(world, books)
    if scenario is Scenario.REVERSAL:
        earned = np.concatenate([[0.0], np.cumsum(books.net_cents[0] / CENTS)])
        ends = np.minimum(np.arange(len(risk)) + length, len(risk))
        return np.asarray(earned[ends] - earned[:-1])
    if scenario is Scenario.LIQUIDITY_DROUGHT:
        with np.errstate(invalid="ignore", divide="ignore"):
            at_cutoff = np.nan_to_num(np.abs(books.positions[0]) / world.market.adv, nan=0.0, posinf=0.0).sum(axis=1)
    elif scenario is Scenario.FLASH_CRASH:
        at_cutoff = risk.sum(axis=1)
    elif scenario is Scenario.FLASH_SPIKE:
        at_cutoff = -risk.sum(axis=1)
    elif scenario is Scenario.DATA_OUTAGE:
        at_cutoff = np.abs(risk).max(axis=1, initial=0.0)
    else:
        at_cutoff = np.abs(risk).sum(axis=1)
    return np.concatenate([[0.0], at_cutoff[:-1]])
