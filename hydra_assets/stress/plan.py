"""What is done to a recipe and what it must stand: scenarios, their severities, and the limits of the verdict.

Severities are choices, each of the order of something that happened; a severity of zero is the unstressed run.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from hydra_assets.markets.model import Strict


class Scenario(StrEnum):
    """What is replayed. The place in the class is the scenario's stream of random numbers: add at the end."""

    UNSTRESSED = "unstressed"
    STATIONARY_BOOTSTRAP = "stationary_bootstrap"
    """Whole sessions drawn again in blocks: the edge is kept, its luck is redrawn."""
    COPULA = "copula"
    """Returns drawn from a t-copula given the signals: joint tails that the past did not happen to show."""
    FLASH_CRASH = "flash_crash"
    FLASH_SPIKE = "flash_spike"
    """The crash upwards: the same for a book that is short."""
    LIQUIDITY_DROUGHT = "liquidity_drought"
    VOL_EXPLOSION = "vol_explosion"
    REVERSAL = "reversal"
    DATA_OUTAGE = "data_outage"


SCENARIOS = tuple(Scenario)
DATED = (
    Scenario.FLASH_CRASH,
    Scenario.FLASH_SPIKE,
    Scenario.LIQUIDITY_DROUGHT,
    Scenario.VOL_EXPLOSION,
    Scenario.REVERSAL,
    Scenario.DATA_OUTAGE,
)
"""Scenarios that change a few sessions of the past, one path for each date."""


class BootstrapPaths(Strict):
    """Stationary bootstrap of whole sessions.

    ``paths``: with 200 the 95 % quantile lies between the 92 % and the 98 % one (two binomial standard errors).
    ``block_sessions``: mean length of a block; None takes the Politis-White length of the unstressed net returns, at
    least ``least_horizons`` label horizons, at most a tenth of the sessions (``stats.superior.block_length``). Every
    new block costs a change of position that the past did not have: with four horizons of five sessions, one a month.
    """

    paths: Annotated[int, Field(ge=0, le=10_000)] = 200
    block_sessions: Annotated[int, Field(ge=1)] | None = None
    least_horizons: Annotated[int, Field(ge=1)] = 4


class CopulaPaths(Strict):
    """t-copula over returns and signals.

    ``least_sessions``: complete sessions below which Kendall's tau (standard error about 2 / (3 sqrt(n)), 0.06 at 120)
    does not tell a weak dependence from none.
    """

    paths: Annotated[int, Field(ge=0, le=10_000)] = 200
    least_sessions: Annotated[int, Field(ge=20)] = 120


class FlashMove(Strict):
    """One session of ``sigmas`` daily volatilities in all markets; ``recovery_share`` comes back over some sessions.

    Eight: US index futures fell by nine per cent within 6 May 2010, at a daily volatility of about one, and took back
    more than half of it.
    """

    sigmas: Annotated[float, Field(ge=0, le=40)] = 8.0
    recovery_share: Annotated[float, Field(ge=0, le=1)] = 0.5
    recovery_sessions: Annotated[int, Field(ge=1)] = 5


class LiquidityDrought(Strict):
    """Average volume divided and half-spreads multiplied for some sessions. A quarter of the volume is a choice.

    The half-spread is multiplied by as much: what is left to trade against is a quarter as deep.
    """

    volume_divisor: Annotated[float, Field(ge=1)] = 4.0
    spread_factor: Annotated[float, Field(ge=1)] = 4.0
    sessions: Annotated[int, Field(ge=0)] = 21


class VolExplosion(Strict):
    """Returns multiplied for some sessions. Three: implied volatility of US stocks from 20 to 60 in autumn 2008."""

    factor: Annotated[float, Field(ge=1, le=10)] = 3.0
    sessions: Annotated[int, Field(ge=0)] = 21


class Reversal(Strict):
    """Returns with their sign turned for some sessions, so that the edge is turned round. A quarter of a year.

    A quarter is about as long as the best detector takes to see a turned edge in the profits of four markets.
    """

    sessions: Annotated[int, Field(ge=0)] = 63


class DataOutage(Strict):
    """No prices, volume or decisions in one market for some sessions, then a gap against what is held in it.

    A week is beyond the three stale sessions that trip the breaker; five daily volatilities are a two-sigma week.
    """

    sessions: Annotated[int, Field(ge=0)] = 5
    gap_sigmas: Annotated[float, Field(ge=0, le=40)] = 5.0


class StressLimits(Strict):
    """Where a verdict turns.

    ``ruin_share``: share of a scenario's paths on which equity may reach zero. None may: an account that can be
    emptied at the default sizes (a quarter of Kelly, a tenth of volatility) is sized wrongly.
    ``max_drawdown_p95``: 95 % quantile of the drawdown as a share of the peak. Twice the breaker's 15 %, whose peak
    starts anew after a trip: two trips in a row.
    ``stuck_sessions``: sessions with good inputs after which a breaker that has not come back is stuck. Ten to leave at
    the participation cap, ten to cool down, and three times that for exits in a dry market.
    ``missing_share``: share of missing decisions above which the books show old positions more than the recipe.
    """

    ruin_share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    max_drawdown_p95: Annotated[float, Field(gt=0)] = 0.30
    stuck_sessions: Annotated[int, Field(ge=1)] = 60
    missing_share: Annotated[float, Field(gt=0, le=1)] = 0.5


class StressPlan(Strict):
    """Everything that a stress report is told besides the market, the decisions and the replay.

    ``dates`` is how many dates each dated scenario is tried at, one in each equal part of the span, where it hurts
    most. ``volatility_window`` is that of the known volatility that follows a changed return (``realised_vol_20``).
    ``least_sessions``: over half a year the standard error of an annual Sharpe ratio is already 1.4.
    """

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    dates: Annotated[int, Field(ge=1)] = 3
    volatility_window: Annotated[int, Field(ge=1)] = 20
    least_sessions: Annotated[int, Field(ge=20)] = 126
    stationary_bootstrap: BootstrapPaths = BootstrapPaths()
    copula: CopulaPaths = CopulaPaths()
    flash: FlashMove = FlashMove()
    liquidity_drought: LiquidityDrought = LiquidityDrought()
    vol_explosion: VolExplosion = VolExplosion()
    reversal: Reversal = Reversal()
    data_outage: DataOutage = DataOutage()
    limits: StressLimits = StressLimits()
