"""From a calibrated probability to whole lots: fractional Kelly under caps, for longs and shorts alike.

A position that wins b times what it loses, with probability p of winning and q of losing (p + q <= 1, the rest changes
nothing), grows fastest with the share

    f* = (p - q / b) / (p + q)

of the equity at stake (Kelly, "A new interpretation of information rate", 1956). A long wins with P(up) at its own
payoff b_long; a short wins with P(down) at its own b_short. A tenth of f* is staked by default: an estimated
probability staked in full is overbet (MacLean, Thorp and Ziemba, "Good and bad properties of the Kelly criterion",
2010), and at a quarter of it a probability of 52 % asks for all that the volatility target allows, so that the size
would be the sign of the signal and be turned over with it. What is lost on a lot is sigma_daily * sqrt(horizon) * price
* multiplier.

The stake is capped by margin, by a volatility target, by a share of average volume and by the market's limit, then
multiplied by the size factor (grade and staleness of the sources, volatility play), then cut to whole lots towards
zero.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hydra_assets.markets.model import Strict
from hydra_assets.replay.costs import CENTS
from hydra_assets.replay.market import MarketArrays

Floats = NDArray[np.float64]
Number = float | Floats

SESSIONS_A_YEAR = 252.0
PAYOFF_SLACK = 1e-9


class SizingConfig(Strict):
    """How much is staked. Shares are of the account's equity, per account; they are split among its markets.

    ``margin_daily_sigmas`` stands in for an exchange's margin where none is given: 99 % of two-day normal moves are
    within 2.33 * sqrt(2). ``correlation`` is the one assumed between any two markets' profits when the volatility
    target is split.
    """

    kelly_fraction: Annotated[float, Field(gt=0, le=1)] = 0.1
    horizon_sessions: Annotated[int, Field(ge=1)] = 5
    payoff_long: Annotated[float, Field(gt=0)] = 1.0
    payoff_short: Annotated[float, Field(gt=0)] = 1.0
    volatility_target: Annotated[float, Field(gt=0)] = 0.10
    correlation: Annotated[float, Field(ge=0, le=1)] = 0.3
    margin_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    margin_daily_sigmas: Annotated[float, Field(gt=0)] = 3.3
    adv_share: Annotated[float, Field(gt=0)] = 0.05
    """Largest position as a share of average daily volume: five sessions of a 1 % participation cap."""


def kelly(win: Number, lose: Number, payoff: Number) -> Floats:
    """Growth-optimal share f* of a bet, negative where it is not worth taking; NaN where a probability is.

    >>> round(float(kelly(0.6, 0.4, 1.0)), 12)
    0.2
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((win - lose * np.divide(1.0, payoff)) / np.add(win, lose))


def signed_kelly(up: Number, down: Number | None, payoff_long: Number, payoff_short: Number) -> Floats:
    """Share to stake, positive long and negative short: what is worth taking of the two, else 0.

    At most one is, given ``check_payoffs``. Without ``down`` it is 1 - ``up``, and the two need no division.
    """
    if down is not None:
        long, short = kelly(up, down, payoff_long), kelly(down, up, payoff_short)
    else:
        down = np.subtract(1.0, up)
        long = np.asarray(up - down * np.divide(1.0, payoff_long))
        short = np.asarray(down - up * np.divide(1.0, payoff_short))
    return np.asarray(np.maximum(long, 0.0) - np.maximum(short, 0.0))


def check_payoffs(payoff_long: Number, payoff_short: Number) -> None:
    """Raise ValueError where a long and a short would both be worth taking: one's win is the other's loss."""
    product = np.multiply(payoff_long, payoff_short)
    if not (np.isfinite(product) & (product <= 1.0 + PAYOFF_SLACK)).all():
        msg = f"payoffs of long and short multiply to {np.max(product)}: at most 1, since one wins what the other loses"
        raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class SizingTables:
    """What sizes are made with, each ``[session, market]``, from what is known at the session's cutoff."""

    rate: Floats
    """Lots per cent of equity and unit of f*: the fraction of Kelly over what is lost on a lot."""
    cap_rate: Floats
    """Most lots per cent of equity: margin and volatility target."""
    cap_lots: Floats
    """Most lots: share of average volume and the market's limit."""


def sizing_tables(market: MarketArrays, config: SizingConfig, margin_per_lot: Floats | None = None) -> SizingTables:
    """Make the tables; 0 where a price, volatility or volume cannot be used, so nothing is wanted there.

    ``margin_per_lot`` is money, ``[market]`` or ``[session, market]``; None takes ``margin_daily_sigmas``.
    """
    terms = market.terms
    markets = len(terms.symbols)
    usable = market.priced & (market.sigma_daily > 0.0) & (market.adv > 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        daily = CENTS * market.sigma_daily * market.settle * terms.multiplier
        margin = config.margin_daily_sigmas * daily if margin_per_lot is None else CENTS * margin_per_lot
        account = config.volatility_target / np.sqrt(SESSIONS_A_YEAR)
        part = account / np.sqrt(markets + markets * (markets - 1) * config.correlation)
        rate = config.kelly_fraction / (daily * np.sqrt(config.horizon_sessions))
        cap_rate = np.minimum(config.margin_share / markets / margin, part / daily)
        cap = np.minimum(config.adv_share * market.adv, terms.max_position_contracts)
    return SizingTables(
        rate=np.where(usable, rate, 0.0), cap_rate=np.where(usable, cap_rate, 0.0), cap_lots=np.where(usable, cap, 0.0)
    )


def kelly_lots(
    share: Number, equity_cents: Number, rate: Number, cap_rate: Number, cap: Number, factor: Number
) -> Floats:
    """Whole signed lots for a share f*: capped, times the size factor, cut towards zero. NaN stays NaN."""
    a_cent = np.minimum(np.maximum(np.multiply(share, rate), np.negative(cap_rate)), cap_rate)
    return capped_lots(a_cent * np.maximum(equity_cents, 0.0), cap, factor)


def capped_lots(lots: Number, cap: Number, factor: Number) -> Floats:
    """Whole signed lots under a cap, times the size factor."""
    return np.asarray(np.trunc(np.minimum(np.maximum(lots, np.negative(cap)), cap) * factor))
