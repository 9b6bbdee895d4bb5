"""Risk-neutral densities of every option series on every session, and the fair prices they imply.

Total variance is what the market's own volatility process has ahead of it until expiry,

    w = premium * [mean of v^2 over the life * season * (sx^2 I1 + sy^2 I2) + jumps],   I = int_t^T e^{-2 k (M - u)} du,

M the last trade of the underlying and T the expiry; the asymmetry carries the informed view of the session. American
prices are the European ones of that density plus the early-exercise premium at the strike's own implied volatility,
which is the convention under which the market takes the premium out again.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hydra_assets.markets.model import Exercise, MarginStyle
from hydra_assets.sources.simulated.american import early_exercise_premium
from hydra_assets.sources.simulated.curve import Curve
from hydra_assets.sources.simulated.listing import Futures, OptionSeries
from hydra_assets.sources.simulated.mixture import Mixture, call_value, implied_total_vol, mixture
from hydra_assets.sources.simulated.states import LatentPath, decay

Array = NDArray[np.float64]
Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Surface:
    """States of sessions ``offset`` and later, ``[k, e]``: forward, years to expiry, total variance, asymmetry.

    Entries of a series past its expiry are of no meaning.
    """

    offset: int
    forward: Array
    years: Array
    variance: Array
    shift: Array

    def at(self, row: Index, series: Index) -> tuple[Array, Array, Array, Mixture]:
        """Forward, years, total standard deviation and density at flat positions of the ``[k, e]`` grid."""
        variance = self.variance[row, series]
        return (
            self.forward[row, series],
            self.years[row, series],
            np.sqrt(variance),
            mixture(variance, self.shift[row, series]),
        )


def surface_of(path: LatentPath, futures: Futures, series: OptionSeries, curve: Curve, rows: slice) -> Surface:
    """Densities of sessions ``rows``."""
    model, world = path.model, path.world
    days = (series.expiry[None, :].astype(np.int64) - path.days[rows, None]).astype(np.float64)
    left = np.maximum(days, 1.0) / 365
    under = futures.last_trade[series.underlying]
    to_last = np.maximum((under[None, :].astype(np.int64) - path.days[rows, None]) / 365.0, left)
    after = to_last - left

    def loading(speed: float) -> Array:
        return np.asarray((np.exp(-2 * speed * after) - np.exp(-2 * speed * to_last)) / (2 * speed))

    short, long = loading(model.short_reversion), loading(model.long_reversion)
    phi = decay(model.vol_half_life) ** 2
    count = left * 252
    settled = (1 - phi**count) / (count * (1 - phi))
    share = world.stressed_sessions / (world.calm_sessions + world.stressed_sessions)
    long_run = np.exp(2 * model.vol_of_vol**2 / (1 - phi)) * (1 - share + share * world.stressed_vol**2)
    level = long_run + (path.scale[rows, None] ** 2 - long_run) * settled
    now = path.days[rows, None] / 365.25 - model.vol_peak
    wave = (np.sin(2 * np.pi * (now + left)) - np.sin(2 * np.pi * now)) / (2 * np.pi * left)
    diffusion = level * (1 + model.vol_season * wave) * (model.short_vol**2 * short + model.long_vol**2 * long)
    variance = world.variance_premium * (diffusion + model.jumps_per_year * model.jump_sd**2 * short)
    shift = np.broadcast_to(model.skew + world.view_in_skew * path.view[rows, None], variance.shape)
    return Surface(rows.start, np.exp(curve.log_price[rows][:, series.underlying]), left, variance, shift)


def fair_values(path: LatentPath, surface: Surface, row: Index, series: Index, strike: Array) -> tuple[Array, Array]:
    """Call and put values in the price unit at flat positions, before any quoting: the chain that nobody sees."""
    terms = path.spec.options
    if terms is None:
        msg = f"{path.spec.symbol} has no options"
        raise ValueError(msg)
    forward, left, sd, density = surface.at(row, series)
    moneyness = strike / forward
    undiscounted = call_value(density, moneyness)
    upfront = terms.margin_style is MarginStyle.PREMIUM_UPFRONT
    rate_time = path.world.rate * left if upfront else np.zeros_like(left)
    discount = np.exp(-rate_time) * forward
    call, put = discount * undiscounted, discount * np.maximum(undiscounted - (1 - moneyness), 0.0)
    if terms.exercise is Exercise.AMERICAN and upfront:
        s = implied_total_vol(undiscounted, moneyness, sd)
        call = call + early_exercise_premium(forward, strike, s, rate_time, call=True)
        put = put + early_exercise_premium(forward, strike, s, rate_time, call=False)
        call = np.maximum(call, forward - strike)
        put = np.maximum(put, strike - forward)
    return call, put
