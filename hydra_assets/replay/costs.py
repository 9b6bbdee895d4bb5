"""What a trade costs, in money per lot of the contract.

    half spread + fee + Y * sigma_daily * price * multiplier * sqrt(Q / ADV)

The square-root law of impact (Almgren, Thum, Hauptmann and Li, "Direct estimation of equity market impact", 2005; Tóth
et al., Phys. Rev. X 1, 021006, 2011) with Y = 0.8 unless the market says otherwise; Q is the order in lots, and sigma,
price and ADV are those of the session *before* the fill.

Slippage, which is spread and impact but not the fee, is a draw and no point: it is multiplied by a lognormal of mean 1.
Its variance falls with volume as that of an average over independent counterparties would,

    M = exp(s z - s^2 / 2),   s^2 = ln(1 + d^2 V / ADV),

V the market's typical daily volume, so d is M's standard deviation on a typical day, and thin days scatter more. z is
keyed by (seed, market, session): candidates share their luck, so that a difference between them is none of it.

Books are kept in whole cents: sums of them are exact, whatever their order.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hydra_assets.markets.model import Strict
from hydra_assets.replay.random import normals

Floats = NDArray[np.float64]
Number = float | Floats

CENTS = 100.0
IMPACT_Y_SENSITIVITY = (0.5, 1.0, 2.0)
"""Values of Y at which a result is looked at again: published estimates lie between."""


class SlippageMode(StrEnum):
    """Whether slippage is its expectation or drawn."""

    POINT = "point"
    SAMPLED = "sampled"


class CostConfig(Strict):
    """How costs are charged. ``impact_y`` replaces every market's own; ``scale`` multiplies all costs alike.

    ``dispersion`` is the standard deviation of the slippage multiplier on a day of typical volume; 0.5 is an assumption
    until it is estimated, like Y, from fills.
    """

    mode: SlippageMode = SlippageMode.SAMPLED
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0
    dispersion: Annotated[float, Field(ge=0, le=2)] = 0.5
    impact_y: Annotated[float, Field(gt=0)] | None = None
    scale: Annotated[float, Field(ge=0)] = 1.0


def slippage_multiplier(
    config: CostConfig,
    symbols: Sequence[str],
    days: NDArray[np.int64],
    lagged_adv: Floats,
    typical_volume: Floats,
) -> Floats:
    """Multiplier of slippage for fills in each session, ``[session, market]``; all ones at a point.

    Parameters
    ----------
    symbols, days
        ``[market]`` and ``[session]``, the address of each draw.
    lagged_adv
        ``[session, market]`` contracts, as known before the session; the result is NaN where it is not positive.
    typical_volume
        ``[market]`` contracts.
    """
    shape = (len(days), len(symbols))
    if config.mode is SlippageMode.POINT:
        return np.ones(shape)
    adv = np.where(lagged_adv > 0.0, lagged_adv, np.nan)
    variance = np.log1p(config.dispersion**2 * typical_volume / adv)
    return np.asarray(np.exp(np.sqrt(variance) * normals(config.seed, symbols, days) - 0.5 * variance))


def spread_cents(half_spread_ticks: Number, tick: Number, multiplier: Number, slippage: Number, scale: float) -> Floats:
    """Half the spread of one lot, in whole cents."""
    return np.asarray(np.rint(CENTS * scale * half_spread_ticks * tick * multiplier * slippage))


def fee_cents(fee_per_contract: Number, scale: float) -> Floats:
    """Fee of one lot and side, in whole cents."""
    return np.asarray(np.rint(CENTS * scale * fee_per_contract))


def impact_coefficient(
    impact_y: Number, sigma_daily: Number, price: Number, multiplier: Number, adv: Number, factor: Number
) -> Floats:
    """Cents of impact per lot and square root of a lot: impact of an order is this times Q^(3/2).

    ``factor`` is the slippage multiplier times the scale of costs times that of the time of day.
    """
    return np.asarray(CENTS * impact_y * sigma_daily * price * multiplier / np.sqrt(adv) * factor)


def impact_cents(coefficient: Number, lots: Number) -> Floats:
    """Impact of a whole order of so many lots, in whole cents."""
    return np.asarray(np.rint(lots * np.sqrt(lots) * coefficient))


def cost_per_lot(
    half_spread: float, fee: float, sigma_daily: float, price_money: float, share_of_adv: float, impact_y: float = 0.8
) -> float:
    """Return the expected cost of one lot and side in money, unrounded: the formula as it is written above.

    ``price_money`` is price times multiplier, ``share_of_adv`` is Q / ADV.
    """
    return half_spread + fee + impact_y * sigma_daily * price_money * float(np.sqrt(share_of_adv))
