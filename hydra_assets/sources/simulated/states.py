"""The latent path of one market: volatility, regime, the options' view, the traders' positions, price shocks.

One pass over the sessions, each made from the session before and the numbers drawn for its own date, so a path to
session k is a prefix of every longer one. The edge is realised causally: the gap between view and positions at
session k moves the mean of the shocks of session k + 1 and of nothing else.
"""

import math
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.sessions import calendar_of
from hydra_assets.sources.simulated.rng import Stream, market_key, normals, uniforms
from hydra_assets.sources.simulated.world import SESSIONS_PER_YEAR, Edge, EdgeKind, MarketModel, World, model_of

Array = NDArray[np.float64]

MAX_LATENT = 3.0
"""View and positions are kept within this many standard deviations."""
_DT = 1 / SESSIONS_PER_YEAR


@dataclass(frozen=True, slots=True)
class LatentPath:
    """Latent states of one market, arrays ``[n]`` over its sessions from the world's start.

    ``shock_short`` and ``shock_long`` are the standardised shocks of the session, mean included; ``scale`` is the
    volatility multiplier of the *next* session's shocks, ``drift`` their mean in standard deviations, both known at
    the session. ``jump`` is the session's jump of the short factor, ``scale_in`` the multiplier its shocks had.
    """

    spec: MarketSpec
    model: MarketModel
    world: World
    seed: int
    sessions: NDArray[np.datetime64]
    stressed: NDArray[np.bool_]
    scale: Array
    scale_in: Array
    view: Array
    position: Array
    drift: Array
    edge_on: NDArray[np.bool_]
    shock_short: Array
    shock_long: Array
    jump: Array

    @property
    def gap(self) -> Array:
        """View minus positions, of about unit variance, ``[n]``."""
        return (self.view - self.position) / math.sqrt(2)

    @property
    def days(self) -> NDArray[np.int64]:
        """Sessions as days since 1970-01-01, ``[n]``: the address of their random numbers."""
        return self.sessions.astype(np.int64)

    @property
    def key(self) -> int:
        """The market's part of that address."""
        return market_key(self.spec.symbol)

    def index(self, day: date) -> int:
        """Number of sessions before a date."""
        return int(np.searchsorted(self.sessions, np.datetime64(day, "D")))


def decay(half_life: float) -> float:
    """Autoregressive coefficient of one session."""
    return float(0.5 ** (1 / half_life))


def factor_direction(model: MarketModel) -> tuple[float, float]:
    """Weights of the two factors, of unit length, along which the edge moves prices: the spot return's own."""
    size = math.hypot(model.short_vol, model.long_vol)
    return model.short_vol / size, model.long_vol / size


def edge_size(edge: Edge, k: int, on: bool) -> float:
    """Mean of session k + 1's shock per unit of gap at session k, in standard deviations."""
    if edge.kind is EdgeKind.NONE or not on:
        return 0.0
    broken = edge.break_session is not None and k >= edge.break_session
    return edge.sharpe / math.sqrt(SESSIONS_PER_YEAR) * (edge.after_break if broken else 1.0)


def simulate(spec: MarketSpec, world: World, seed: int, start: date, last: date) -> LatentPath:
    """Latent path from the first session at or after ``start`` to the last one at or before ``last``."""
    model = model_of(spec)
    days = calendar_of(spec).sessions
    days = days[(days >= np.datetime64(start, "D")) & (days <= np.datetime64(last, "D"))]
    out = _run(model, world, seed, market_key(spec.symbol), days)
    columns = {name: np.array([row[i] for row in out]) for i, name in enumerate(_COLUMNS)}
    return LatentPath(spec=spec, model=model, world=world, seed=seed, sessions=days, **columns)


_COLUMNS = (
    "stressed",
    "scale",
    "scale_in",
    "view",
    "position",
    "drift",
    "edge_on",
    "shock_short",
    "shock_long",
    "jump",
)
_Row = tuple[bool, float, float, float, float, float, bool, float, float, float]


def _run(model: MarketModel, world: World, seed: int, key: int, days: NDArray[np.datetime64]) -> list[_Row]:
    """One row of ``_COLUMNS`` per session; scalars, since each session needs the one before."""
    edge, out = world.edge, list[_Row]()
    phi_vol, phi_view, phi_position = (
        decay(h) for h in (model.vol_half_life, world.view_half_life, world.position_half_life)
    )
    sd_view, sd_position = math.sqrt(1 - phi_view**2), math.sqrt(1 - phi_position**2)
    trend, own = world.trend_following, math.sqrt(1 - world.trend_following**2)
    common, apart = math.sqrt(world.common_correlation), math.sqrt(1 - world.common_correlation)
    along_short, along_long = factor_direction(model)
    leave = (1 / world.calm_sessions, 1 / world.stressed_sessions)
    flip = (1 / edge.mean_off_sessions, 1 / edge.mean_on_sessions)
    numbers = days.astype(np.int64).tolist()
    if not numbers:
        return out
    # The start is drawn from the stationary law under an address that no session's own numbers have.
    z = normals(seed, key, numbers[0], Stream.START, 4)
    log_vol = model.vol_of_vol / math.sqrt(1 - phi_vol**2) * float(z[0])
    view, position = float(z[1]), float(z[2])
    stressed = on = False
    if edge.kind is not EdgeKind.SWITCHING:
        on = edge.kind is EdgeKind.CONSTANT
    scale = drift = 0.0
    for k, day in enumerate(numbers):
        drawn = uniforms(seed, key, day, Stream.STATE, 10)
        u, n = drawn[:3].tolist(), ndtri(drawn[4:]).tolist()
        scale_in, short, long, jump, noise = scale, 0.0, 0.0, 0.0, n[0]
        if k:
            shared = float(normals(seed, 0, day, Stream.COMMON, 1)[0])
            noise = common * shared + apart * n[0]
            across = n[1]
            # Along the edge's direction the shock carries the common factor and the mean, across it neither.
            short = along_short * (noise + drift) - along_long * across
            long = along_long * (noise + drift) + along_short * across
            jump = model.jump_sd * n[2] if u[0] < model.jumps_per_year * _DT else 0.0
            if u[1] < leave[stressed]:
                stressed = not stressed
            if edge.kind is EdgeKind.SWITCHING and u[2] < flip[on]:
                on = not on
            log_vol = phi_vol * log_vol + model.vol_of_vol * n[3]
            view = phi_view * view + sd_view * n[4]
            position = phi_position * position + sd_position * (trend * noise + own * n[5])
            view, position = (max(-MAX_LATENT, min(MAX_LATENT, x)) for x in (view, position))
        scale = math.exp(log_vol) * (world.stressed_vol if stressed else 1.0)
        drift = edge_size(edge, k, on) * (view - position) / math.sqrt(2)
        out.append((stressed, scale, scale_in, view, position, drift, on, short, long, jump))
    return out
