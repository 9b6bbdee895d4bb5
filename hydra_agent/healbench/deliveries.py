"""What a world's sources deliver: prices, volumes, option moments, reports and texts, each with its errors and gaps.

Everything that rests on a hidden state is drawn as

    x = sign (rho state + sqrt(1 - rho^2) e),   e an AR(1) of unit variance,

with rho and the error's memory such that x has the correlation with the gap, the autocorrelation and the missing share
that docs/studies/worlds.md measured (full chain, its first table). The figures that were aimed at stand beside each.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from hydra_agent.healbench.latent import (
    GARCH_MEMORY,
    GARCH_SHOCK,
    PHI_POSITION,
    ROLL_PULL,
    ROLL_SESSIONS,
    STRUCTURE,
    Floats,
    Latent,
    Stream,
    autoregressive,
    stream,
)
from hydra_agent.view import Feed, FeedKind
from hydra_assets.features.curve_group import DAYS_A_YEAR
from hydra_assets.markets.model import MarketSpec
from hydra_assets.sources.simulated.world import SESSIONS_PER_YEAR, model_of

Flags = NDArray[np.bool_]

START = date(2012, 1, 2)
"""First session, a Monday; every weekday is one."""
TUESDAY, FRIDAY = 1, 4
TENOR_YEARS = 60 / 365
SESSIONS_TO_TENOR = 42.0
"""Sessions of the 60 days over which an option's volatility is the mean."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a series reads a hidden state: its sign, its correlation with it, and the memory of its error."""

    sign: float
    rho: float
    memory: float
    mean: float = 0.0
    sd: float = 1.0


CHAIN: Mapping[str, Reading] = {
    # Of the view, whose correlation with the gap is 0.71. Aimed at, with the gap / after one session:
    "options_z": Reading(1.0, 0.87, 0.55),  # 0.616 / 0.865
    "tilt_z": Reading(-1.0, 0.91, 0.50, 0.0, 1.03),  # -0.639 / 0.869
    "risk_reversal": Reading(1.0, 0.95, 0.35, 0.006, 0.015),  # 0.671 / 0.896
    "implied_skew": Reading(1.0, 0.93, 0.10, 0.033, 0.245),  # 0.687 / 0.833
    "real_world_above_forward": Reading(-1.0, 0.89, 0.75, 0.487, 0.024),  # -0.631 / 0.902
}
"""Option features by name. The last one is there without moments too: it needs an expiry's volatility only."""
SHARED_ERROR = 0.5
"""Share of their errors' variance that readings of one chain have in common. Assumed: they do correlate, by how much
is not on record."""
PAST, PAST_MEMORY = 0.91, 0.9
"""Correlation of the divergence with what it is without the error of its own past, and that error's memory: the plain
difference of the two views would follow the gap by 0.72, measured are 0.656 / 0.856."""
VOL_ERROR = 0.015
"""Relative error of the at-the-money volatility: 0.003 to 0.004 of 0.26 (second table of the study)."""
NO_MOMENTS = {"SIM_HE": 0.21, "SIM_ZO": 0.05, "SIM_LE": 0.08, "SIM_DC": 0.60}
"""Share of sessions whose density is graded too low for moments: by market as in the second table, with the mean of the
first, 0.236, which other markets take."""
GRADE_MEMORY = 0.87
CROWD, PRODUCERS = Reading(1.0, 0.995, 0.0), Reading(-1.0, 0.97, 0.0)
"""Of the position at the report's date, -0.645 / 0.975 and 0.632 / 0.965: the lag takes a tenth, little is left."""
UNREPORTED = {"SIM_ZO": 0.06}
"""Share of weeks with too few traders to be reported."""
HEADLINES, OTHER_TEXTS = Reading(1.0, 0.42, 0.72, 0.0, 0.31), Reading(1.0, 0.0, 0.70)
"""Of the position: -0.297 / 0.776; the second is what the composite hears beside the crowd."""
CARRY_SEASON, CARRY_ERROR = 0.36, 0.03
"""Amplitude of the contract months' season in the carry, whose sd of 0.315 the price's own distance does not make."""
TEXTS_DELIVERED = 0.9
"""Share of sessions with at least one of 2.4 headlines and posts."""
SLOW_VOLUME, FAST_VOLUME, VOLUME_MEMORY = 0.28, 0.22, 0.965
"""Log volume: 0.521 after one session and 0.436 after five in its ratio to the mean of 60."""


class Column(IntEnum):
    """Feeds in the order of the view's columns."""

    PRICES = 0
    VOLUMES = 1
    OPTIONS = 2
    REPORTS = 3
    TEXTS = 4


FEEDS: tuple[Feed, ...] = (
    Feed(
        "prices",
        FeedKind.PRICES,
        1,
        ("momentum_20", "momentum_60", "realised_vol_20", "vol_premium", "carry", "slope"),
    ),
    Feed("volumes", FeedKind.VOLUMES, 1, ("volume_ratio",)),
    Feed("options", FeedKind.OPTIONS, 1, (*CHAIN, "atm_vol", "vol_premium", "divergence_z")),
    Feed("reports", FeedKind.REPORTS, 5, ("crowd_score_z", "producers_z", "sentiment_z", "divergence_z")),
    # There is news on nine sessions of ten: two in a row without any are no outage.
    Feed("texts", FeedKind.TEXTS, 3, ("headline_score", "sentiment_z", "divergence_z"), has_unit=False),
)


@dataclass(frozen=True, slots=True, eq=False)
class Deliveries:
    """What arrived in each session, ``[T, M]`` unless said otherwise; read only where ``delivered``."""

    days: NDArray[np.int64]
    """``[T]`` days since 1970-01-01."""
    carried: Floats
    settle: Floats
    rolls: Flags
    carry: Floats
    slope: Floats
    volume: Floats
    """Of the session before, as the exchange publishes it."""
    chain: Floats
    """``[T, M, C]`` in the order of ``CHAIN``; NaN where the density does not bear it."""
    atm_vol: Floats
    past_error: Floats
    """Of the past that the divergence is measured against, of unit variance."""
    straddle: Floats
    """Price of the at-the-money straddle of 60 days: the level of the options' feed."""
    crowd: Floats
    producers: Floats
    open_interest: Floats
    """The report's, in contracts: its level."""
    headlines: Floats
    other_texts: Floats
    delivered: Flags
    """``[T, M, K]`` by ``FEEDS``."""


def sessions_from(first: date, count: int) -> NDArray[np.int64]:
    """Weekdays from a date on as days since 1970-01-01, ``[count]``."""
    days = np.busday_offset(np.datetime64(first, "D"), np.arange(count), roll="forward")
    return np.asarray(days.astype(np.int64))


def deliver(seed: int, specs: tuple[MarketSpec, ...], hidden: Latent, volume_factor: Floats) -> Deliveries:
    """Draw what the sources deliver of hidden states; ``volume_factor`` ``[T]``."""
    t, m = hidden.settle.shape
    days = sessions_from(START, t)
    models = [model_of(spec) for spec in specs]
    base_vol = np.array([np.hypot(model.short_vol, model.long_vol) for model in models])
    atm_vol, past_error, chain = _options(seed, specs, hidden, base_vol)
    typical = np.array([float(spec.liquidity.typical_daily_volume) for spec in specs])
    volume = np.full((t, m), np.nan)
    traded, ordinary = (_volume(seed, typical, factor) for factor in (volume_factor, np.ones(t)))
    volume[1:] = traded[:-1]
    curve = stream(seed, Stream.CURVE).standard_normal((t, m, 2))
    phase = 2.0 * np.pi * (days[:, None] / DAYS_A_YEAR + np.arange(m) / m)
    carry = ROLL_PULL * hidden.stretch * SESSIONS_PER_YEAR / ROLL_SESSIONS + CARRY_SEASON * np.sin(phase)
    crowd, producers, reported = _reports(seed, specs, hidden, days)
    texts = stream(seed, Stream.TEXTS).standard_normal((t, m, 3))
    headlines, other = (
        read(hidden.position, autoregressive(texts[..., j], reading.memory), reading)
        for j, reading in enumerate((HEADLINES, OTHER_TEXTS))
    )
    always = np.ones((t, m), dtype=np.bool_)
    published = np.isfinite(volume)
    return Deliveries(
        days=days,
        carried=hidden.carried,
        settle=hidden.settle,
        rolls=hidden.rolls,
        carry=carry + CARRY_ERROR * curve[..., 0],
        slope=-0.5 * carry + 0.1 * autoregressive(curve[..., 1], 0.99),
        volume=volume,
        chain=chain,
        atm_vol=np.where(np.isfinite(chain[..., 0]), atm_vol, np.nan),
        past_error=past_error,
        straddle=0.8 * atm_vol * np.sqrt(TENOR_YEARS) * hidden.settle,
        crowd=crowd,
        producers=producers,
        # Positions stay where they are when nobody trades.
        open_interest=np.rint(ordinary * np.array([model.open_interest_days for model in models])),
        headlines=headlines,
        other_texts=other,
        delivered=np.stack([always, published, always, reported, texts[..., 2] < ndtri(TEXTS_DELIVERED)], axis=2),
    )


def read(state: Floats, error: Floats, reading: Reading) -> Floats:
    """Apply a reading to a state with an error of unit variance, any shape."""
    unit = reading.rho * state + np.sqrt(1.0 - reading.rho**2) * error
    return np.asarray(reading.mean + reading.sd * reading.sign * unit)


def report_rows(days: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows on which a report comes out (Fridays) and of the Tuesdays that they are about, ``[reports]`` each."""
    # Day 0 was a Thursday.
    out = np.flatnonzero((days + 3) % 7 == FRIDAY)
    out = out[out >= FRIDAY - TUESDAY]
    return out, out - (FRIDAY - TUESDAY)


def _options(
    seed: int, specs: tuple[MarketSpec, ...], hidden: Latent, base_vol: Floats
) -> tuple[Floats, Floats, Floats]:
    """At-the-money volatility, the error of the divergence's past, and the chain's moments."""
    t, m = hidden.view.shape
    drawn = stream(seed, Stream.OPTIONS).standard_normal((t, m, len(CHAIN) + 3))
    chain = np.empty((t, m, len(CHAIN)))
    for j, reading in enumerate(CHAIN.values()):
        shock = np.sqrt(SHARED_ERROR) * drawn[..., -1] + np.sqrt(1.0 - SHARED_ERROR) * drawn[..., j]
        chain[..., j] = read(hidden.view, autoregressive(shock, reading.memory), reading)
    default = float(np.mean(list(NO_MOMENTS.values())))
    share = np.array([NO_MOMENTS.get(spec.symbol, default) for spec in specs])
    luck = autoregressive(stream(seed, Stream.GRADES).standard_normal((t, m)), GRADE_MEMORY)
    absent = luck < ndtri(share)
    chain[absent, : len(CHAIN) - 1] = np.nan
    # Variance expected over the tenor: the long run's, and what is left on average of today's distance from it.
    keep = GARCH_SHOCK + GARCH_MEMORY
    left = (1.0 - keep**SESSIONS_TO_TENOR) / (SESSIONS_TO_TENOR * (1.0 - keep))
    now = hidden.sigma**2 * SESSIONS_PER_YEAR
    expected = base_vol**2 + left * (now - base_vol**2)
    error = 1.0 + VOL_ERROR * drawn[..., -2]
    past_error = autoregressive(drawn[..., -3], PAST_MEMORY)
    return np.sqrt(STRUCTURE.variance_premium * expected) * error, past_error, chain


def _volume(seed: int, typical: Floats, factor: Floats) -> Floats:
    drawn = stream(seed, Stream.VOLUME).standard_normal((len(factor), len(typical), 2))
    log = SLOW_VOLUME * autoregressive(drawn[..., 0], VOLUME_MEMORY) + FAST_VOLUME * drawn[..., 1]
    mean = np.exp(0.5 * (SLOW_VOLUME**2 + FAST_VOLUME**2))
    return np.asarray(np.rint(typical * factor[:, None] * np.exp(log) / mean))


def _reports(
    seed: int, specs: tuple[MarketSpec, ...], hidden: Latent, days: NDArray[np.int64]
) -> tuple[Floats, Floats, Flags]:
    t, m = hidden.position.shape
    out, about = report_rows(days)
    error = stream(seed, Stream.REPORTS).standard_normal((len(out), m, 3))
    missing = error[..., 2] < ndtri([UNREPORTED.get(spec.symbol, 0.0) for spec in specs])
    crowd, producers = np.full((t, m), np.nan), np.full((t, m), np.nan)
    crowd[out] = read(hidden.position[about], error[..., 0], CROWD)
    producers[out] = read(hidden.position[about], error[..., 1], PRODUCERS)
    reported = np.zeros((t, m), dtype=np.bool_)
    reported[out] = ~missing
    return crowd, producers, reported


def known_position(hidden: Latent, deliveries: Deliveries) -> Floats:
    """Position expected at each session from the newest report that was out, ``[T, M]``: what is published, faded."""
    t, m = hidden.position.shape
    rows = np.arange(t)[:, None]
    newest = np.maximum.accumulate(np.where(deliveries.delivered[..., Column.REPORTS], rows, -1), axis=0)
    about = np.maximum(newest - (FRIDAY - TUESDAY), 0)
    position = hidden.position[about, np.arange(m)[None, :]] * PHI_POSITION ** (rows - about)
    return np.where(newest >= 0, position, 0.0)
