"""A limit with patience: stand at the near side, step towards the far side, cross late, never chase. Pure.

For a buy the near side is the bid and the far side the ask. Of the way between them an order has gone

    k / n,   k = floor((share - open_share) / step_share),   n = ceil((cross_share - open_share) / step_share),

and the whole of it from ``cross_share`` on. Where the near side is our own limit (we are the best bid), the way already
gone is in it: then (k - s) / (n - s) of what is left, s the step in which our limit was set; else every look at the
touch would carry us further. The limit is never beyond the worst price of the order nor the collar around the touch:
there it stands until it is given up.
"""

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hydra_assets.state.records import Side
from hydra_exec.broker.port import Quote
from hydra_exec.config import PatienceConfig
from hydra_exec.manager.ticks import passive
from hydra_exec.risk_gate.grid import PriceGrid

STEP_SLACK = 1e-9
"""Shares are ratios of instants: a step begins at its share even where that is off by rounding."""


class PatienceCode(StrEnum):
    """What an order should do now, or why it cannot tell."""

    EARLY = "early"
    """Before the working window."""
    PASSIVE = "passive"
    """At the near side."""
    STEPPING = "stepping"
    """Between the two sides."""
    CROSSING = "crossing"
    """At the far side."""
    AT_BOUND = "at_bound"
    """At the worst price or the collar, short of where patience would have it."""
    NO_QUOTE = "no_quote"
    """Nothing usable was heard, or quotes are delayed: what stands stays, nothing new is sent."""
    STALE_QUOTE = "stale_quote"
    """The touch is too old to be believed: what stands is taken back."""
    FAR_SIDE_ONLY = "far_side_only"
    """There is no near side to stand at, and it is too early to cross."""
    INVERTED = "inverted"
    """The bid is above the ask: the touch is being put together, wait for the next."""
    OVER = "over"
    """The working window has ended."""


@dataclass(frozen=True, slots=True)
class Stance:
    """Where to stand: a limit on the grid, None where none can be given."""

    code: PatienceCode
    limit_price: float | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """Our own limit that is in the market, and the step in which it was set."""

    limit_price: float
    step: int


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a limit must keep to: the grid, the worst price and the collar, a share of the touch's middle."""

    grid: PriceGrid
    worst_price: float
    collar_fraction: float


def step_of(share: float, config: PatienceConfig) -> int:
    """Steps gone at a share of the window; below 0 before it is open."""
    return math.floor((share - config.open_share) / config.step_share + STEP_SLACK)


def steps_to_cross(config: PatienceConfig) -> int:
    """Steps from the near side to the far one, at least one."""
    return max(math.ceil((config.cross_share - config.open_share) / config.step_share - STEP_SLACK), 1)


def stance(
    side: Side,
    share: float,
    quote: Quote | None,
    now: datetime,
    standing: Standing | None,
    bounds: Bounds,
    config: PatienceConfig,
) -> Stance:
    """Where an order should stand at a share of its window, given the touch and where it stands."""
    hindrance = _hindrance(share, quote, now, config)
    if hindrance is not None or quote is None:
        return Stance(hindrance or PatienceCode.NO_QUOTE)
    bid, ask = _price(quote.bid), _price(quote.ask)
    near, far = (bid, ask) if side is Side.BUY else (ask, bid)
    if near is None or far is None:
        code, price = _one_side(share, near, far, config)
    else:
        code, price = _way(share, side, (near, far), standing, config)
    if price is None:
        return Stance(code)
    sides = [each for each in (near, far) if each is not None]
    return _bounded(side, code, price, sum(sides) / len(sides), bounds)


def _hindrance(share: float, quote: Quote | None, now: datetime, config: PatienceConfig) -> PatienceCode | None:
    """Why the touch does not matter now, if it does not."""
    if share >= config.end_share:
        return PatienceCode.OVER
    if share < config.open_share:
        return PatienceCode.EARLY
    if quote is None or not quote.live:
        return PatienceCode.NO_QUOTE
    too_old = (now - quote.at).total_seconds() > config.max_quote_age_seconds
    return PatienceCode.STALE_QUOTE if too_old else None


def _price(side: float | None) -> float | None:
    return side if side is not None and math.isfinite(side) and side > 0.0 else None


def _one_side(
    share: float, near: float | None, far: float | None, config: PatienceConfig
) -> tuple[PatienceCode, float | None]:
    """Where to stand where a side is missing: at the near one if that is there, at the far one late."""
    if near is not None:
        return PatienceCode.PASSIVE, near
    if far is None:
        return PatienceCode.NO_QUOTE, None
    return (PatienceCode.CROSSING, far) if share >= config.cross_share else (PatienceCode.FAR_SIDE_ONLY, None)


def _way(
    share: float, side: Side, sides: tuple[float, float], standing: Standing | None, config: PatienceConfig
) -> tuple[PatienceCode, float | None]:
    """Where patience would stand between the near and the far side, off the grid and without bounds."""
    near, far = sides
    if side.sign * (far - near) < 0.0:
        return PatienceCode.INVERTED, None
    if share >= config.cross_share:
        return PatienceCode.CROSSING, far
    steps, all_steps = step_of(share, config), steps_to_cross(config)
    if standing is not None and math.isclose(near, standing.limit_price, rel_tol=1e-9):
        gone, way = max(steps - standing.step, 0), max(all_steps - standing.step, 1)
    else:
        gone, way = steps, all_steps
    code = PatienceCode.PASSIVE if steps == 0 else PatienceCode.STEPPING
    return code, near + (far - near) * gone / way


def _bounded(side: Side, wanted: PatienceCode, price: float, middle: float, bounds: Bounds) -> Stance:
    """Bring a limit within its bounds and onto the grid, on the passive side of where it is wanted."""
    collar = middle * (1.0 + side.sign * bounds.collar_fraction)
    tightest = min if side is Side.BUY else max
    allowed = tightest(price, bounds.worst_price, collar)
    limit = passive(allowed, side, bounds.grid)
    if limit <= 0.0:
        return Stance(PatienceCode.NO_QUOTE)
    return Stance(wanted if allowed == price else PatienceCode.AT_BOUND, limit)
