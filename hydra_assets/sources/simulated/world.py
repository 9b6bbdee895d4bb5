"""What the embedded market is made of: the edge that it hides, and the structure of each simulated future.

A :class:`World` is complete: together with a seed, a market specification and a start date it fixes every byte
the source will ever deliver. The numbers of :data:`ROOTS` are rounded from the general level and seasonality of
the real contracts; they imitate, they are no estimates.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from hydra_assets.markets.model import MarketSpec, Strict

SESSIONS_PER_YEAR = 252
PRICED_SDS = 2.3
"""Listed strikes reach this many standard deviations to expiry on both sides of the forward."""


class EdgeKind(StrEnum):
    """How the predictive power of the gap between options and traders behaves over time."""

    NONE = "none"
    """The gap predicts nothing: whatever is found is noise."""
    CONSTANT = "constant"
    """The same size in every session, until the break."""
    SWITCHING = "switching"
    """On and off by a two-state Markov chain, until the break."""


class Edge(Strict):
    """Size of the one planted edge.

    With gap g_k = (view_k - position_k) / sqrt(2), of unit variance, the return of session k + 1 has the conditional
    mean ``sharpe / sqrt(252) * state_k * g_k`` standard deviations: ``sharpe`` is the annual Sharpe ratio of holding
    g_k units of risk in one market, before costs and with the latent gap known.
    """

    kind: EdgeKind = EdgeKind.CONSTANT
    sharpe: Annotated[float, Field(ge=0, le=10)] = 1.42
    break_session: Annotated[int, Field(ge=0)] | None = 4 * SESSIONS_PER_YEAR
    """Sessions from the world's start after which the edge is multiplied by ``after_break``; None for never."""
    after_break: Annotated[float, Field(ge=-2, le=2)] = -0.6
    """0 ends the edge, a negative number turns its sign: yesterday's good recipe loses, a new one can be found."""
    mean_on_sessions: Annotated[float, Field(gt=1)] = 252.0
    mean_off_sessions: Annotated[float, Field(gt=1)] = 126.0


class World(Strict):
    """Everything that is common to the markets of one simulated world. The defaults are the default world."""

    edge: Edge = Edge()
    rate: Annotated[float, Field(ge=0, le=0.2)] = 0.04
    """Riskless rate, continuously compounded, constant; options are discounted with it."""
    common_correlation: Annotated[float, Field(ge=0, lt=1)] = 0.15
    """Correlation between the price shocks of two markets."""
    view_half_life: Annotated[float, Field(gt=0)] = 15.0
    """Sessions in which the options' directional view loses half of its deviation."""
    position_half_life: Annotated[float, Field(gt=0)] = 35.0
    """The same for the traders' positions."""
    trend_following: Annotated[float, Field(ge=0, lt=1)] = 0.3
    """Share of the positions' innovation (as a correlation) that follows the day's return."""
    view_in_skew: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Shift of the minor lognormal of the density, in standard deviations, per unit of the view."""
    variance_premium: Annotated[float, Field(gt=0)] = 1.08
    """Risk-neutral over expected variance."""
    stressed_vol: Annotated[float, Field(ge=1)] = 1.5
    """Volatility in the stressed regime over that of the calm one."""
    calm_sessions: Annotated[float, Field(gt=1)] = 180.0
    stressed_sessions: Annotated[float, Field(gt=1)] = 45.0
    """Mean lengths of the two regimes."""
    stale_share: Annotated[float, Field(ge=0, lt=1)] = 0.12
    """Share of option quotes that still stand on the forward of one to three sessions ago."""
    headlines_per_session: Annotated[float, Field(ge=0)] = 0.8
    headline_correlation: Annotated[float, Field(ge=0, le=1)] = 0.25
    """Correlation of a headline's tone with the traders' positions."""
    posts_per_session: Annotated[float, Field(ge=0)] = 1.6
    post_correlation: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Correlation of an opinion's tone with the traders' positions."""
    post_noise_share: Annotated[float, Field(gt=0, lt=1)] = 0.4
    """Share of posts that are reposts, copies, off-topic or advertisements, a quarter each."""


class MarketModel(Strict):
    """Structure of one simulated future. Volatilities are a year's, speeds per year, levels in the price unit."""

    base_price: Annotated[float, Field(gt=0)]
    season: tuple[float, ...] = Field(min_length=12, max_length=12)
    """Log premium of the contract months January to December over the base price."""
    short_vol: Annotated[float, Field(gt=0)]
    short_reversion: Annotated[float, Field(gt=0)]
    long_vol: Annotated[float, Field(gt=0)]
    long_reversion: Annotated[float, Field(gt=0)]
    vol_season: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Amplitude of the variance's annual cosine."""
    vol_peak: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Where in the year, as a fraction, the variance is highest."""
    vol_of_vol: Annotated[float, Field(ge=0)] = 0.05
    """Standard deviation of a session's innovation of log volatility."""
    vol_half_life: Annotated[float, Field(gt=0)] = 40.0
    jumps_per_year: Annotated[float, Field(ge=0)] = 3.0
    jump_sd: Annotated[float, Field(ge=0)] = 0.035
    skew: Annotated[float, Field(ge=-1, le=1)] = 0.0
    """Shift of the minor lognormal where the view is neutral, in standard deviations."""
    thinness: Annotated[float, Field(gt=0, le=2)] = 0.7
    """Width of option quotes against those of the real Class III milk chain (1.0)."""
    listed_futures: Annotated[int, Field(ge=2, le=24)] = 6
    listed_expiries: Annotated[int, Field(ge=1, le=8)] = 4
    open_interest_days: Annotated[float, Field(gt=0)] = 8.0
    """Open interest of all futures over a typical day's volume."""
    option_open_interest: Annotated[float, Field(ge=0)] = 0.4
    """Open interest of all options over that of the futures."""
    reported_weeks: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of weeks with at least 20 reportable traders, without which the CFTC leaves the market out."""
    traders: Annotated[int, Field(ge=20)] = 120
    """Reportable traders in an average week."""


def _season(**by_letter: float) -> tuple[float, ...]:
    return tuple(by_letter.get(letter, 0.0) for letter in "FGHJKMNQUVXZ")


ROOTS: dict[str, MarketModel] = {
    "HE": MarketModel(
        base_price=84.0,
        season=_season(
            F=-0.12, G=-0.08, H=-0.05, J=-0.02, K=0.05, M=0.11, N=0.12, Q=0.09, U=0.0, V=-0.08, X=-0.12, Z=-0.13
        ),
        short_vol=0.24,
        short_reversion=1.8,
        long_vol=0.13,
        long_reversion=0.6,
        vol_season=0.15,
        vol_peak=0.45,
        thinness=0.2,
        listed_futures=7,
        open_interest_days=6.0,
        traders=170,
    ),
    "ZO": MarketModel(
        base_price=375.0,
        season=_season(H=0.01, K=0.02, N=0.02, U=-0.02, Z=-0.01),
        short_vol=0.27,
        short_reversion=1.4,
        long_vol=0.16,
        long_reversion=0.6,
        vol_season=0.3,
        vol_peak=0.5,
        skew=0.3,
        thinness=0.22,
        listed_futures=5,
        open_interest_days=9.0,
        option_open_interest=0.2,
        reported_weeks=0.94,
        traders=34,
    ),
    "LE": MarketModel(
        base_price=182.0,
        season=_season(G=0.01, J=0.03, M=-0.01, Q=-0.03, V=-0.01, Z=0.01),
        short_vol=0.14,
        short_reversion=1.5,
        long_vol=0.1,
        long_reversion=0.5,
        jump_sd=0.025,
        skew=-0.25,
        thinness=0.15,
        listed_futures=6,
        open_interest_days=6.0,
        traders=260,
    ),
    "GF": MarketModel(
        base_price=245.0,
        season=_season(F=-0.01, H=-0.01, J=0.0, K=0.0, Q=0.02, U=0.02, V=0.01, X=0.0),
        short_vol=0.14,
        short_reversion=1.4,
        long_vol=0.11,
        long_reversion=0.5,
        jump_sd=0.025,
        skew=-0.25,
        open_interest_days=5.0,
        traders=110,
    ),
    "DC": MarketModel(
        base_price=18.4,
        season=_season(
            F=-0.02, G=-0.03, H=-0.03, J=-0.02, K=-0.01, M=0.0, N=0.02, Q=0.03, U=0.04, V=0.03, X=0.01, Z=-0.01
        ),
        short_vol=0.24,
        short_reversion=2.0,
        long_vol=0.11,
        long_reversion=0.6,
        jumps_per_year=4.0,
        jump_sd=0.03,
        skew=0.15,
        # Tighter than on that day of 2012, when no expiry bore more than a volatility.
        thinness=0.4,
        listed_futures=8,
        open_interest_days=14.0,
        option_open_interest=0.9,
        traders=60,
    ),
    "ZR": MarketModel(
        base_price=15.5,
        season=_season(U=-0.02, X=-0.02, F=0.0, H=0.01, K=0.02, N=0.02),
        short_vol=0.2,
        short_reversion=1.4,
        long_vol=0.14,
        long_reversion=0.6,
        vol_season=0.15,
        thinness=0.95,
        listed_futures=5,
        open_interest_days=10.0,
        reported_weeks=0.97,
        traders=40,
    ),
    "ZC": MarketModel(
        base_price=440.0,
        season=_season(H=0.0, K=0.01, N=0.02, U=-0.02, Z=-0.02),
        short_vol=0.22,
        short_reversion=1.4,
        long_vol=0.15,
        long_reversion=0.6,
        vol_season=0.35,
        vol_peak=0.5,
        skew=0.25,
        thinness=0.3,
        traders=750,
    ),
}
GENERIC = MarketModel(
    base_price=100.0,
    season=(0.0,) * 12,
    short_vol=0.22,
    short_reversion=1.5,
    long_vol=0.14,
    long_reversion=0.6,
)
"""Structure of a simulated market whose root has no entry: no season, a quarter of volatility."""


def model_of(spec: MarketSpec) -> MarketModel:
    """Structure of a market, by its exchange root."""
    return ROOTS.get(spec.root, GENERIC)


def strike_step(spec: MarketSpec, model: MarketModel) -> float:
    """Distance of listed strikes: the exchange's interval, or a round multiple of it where that lists too many.

    About 22 strikes shall span the priced range at three months to expiry.
    """
    if spec.options is None:
        msg = f"{spec.symbol} has no options"
        raise ValueError(msg)
    sd = (model.short_vol**2 + model.long_vol**2) ** 0.5 * 0.5
    count = 2 * PRICED_SDS * sd * model.base_price / spec.options.strike_interval
    multiple = next((m for m in (1, 2, 4, 5, 10, 20, 40, 50) if count / m <= 30), 100)
    return spec.options.strike_interval * multiple
