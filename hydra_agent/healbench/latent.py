"""What a benchmark world hides: two latent states, a volatility that remembers, and returns that follow their gap.

With view v and position p, AR(1) of unit variance, and gap g = (v - p) / sqrt(2), the return of session t is

    r_t = s_t (beta_t / sqrt(252) g_{t-1} + drift_t + z_t),   s_t = base sqrt(h_t / 252),
    h_{t+1} = (1 - a - b) + h_t (a z_t^2 + b),                z a Student-t of unit variance, correlated across markets.

beta is the annual Sharpe ratio of holding g units of risk in one market before costs. The structure is that of
``sources.simulated.states``, so half-lives and price levels are read there; the volatility is GARCH(1,1)
(T. Bollerslev, Journal of Econometrics 31 (1986)) with parameters usual for daily futures. A session's row depends on
the rows before it and on numbers drawn for it, so whatever changes from a session on leaves all before it as it was.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.model import MarketSpec
from hydra_assets.sources.simulated.states import MAX_LATENT, decay
from hydra_assets.sources.simulated.world import SESSIONS_PER_YEAR, World, model_of

Floats = NDArray[np.float64]

GARCH_SHOCK, GARCH_MEMORY = 0.06, 0.92
DEGREES_OF_FREEDOM = 5.0
ROLL_SESSIONS = 63
"""A quarter between two rolls; markets roll on different sessions."""
ROLL_PULL = 0.4
"""Share of the price's distance from its base (in logs) that the next contract is already rid of."""
STRUCTURE = World()
"""Half-lives and correlations of the embedded market."""
PHI_VIEW, PHI_POSITION = decay(STRUCTURE.view_half_life), decay(STRUCTURE.position_half_life)


class Stream(IntEnum):
    """Which random numbers; each kind has its own sequence, so none moves another."""

    RETURNS = 0
    TAILS = 1
    VIEW = 2
    POSITION = 3
    VOLUME = 4
    OPTIONS = 5
    GRADES = 6
    REPORTS = 7
    TEXTS = 8
    CURVE = 9


def stream(seed: int, which: Stream) -> np.random.Generator:
    """Generator of one kind of random numbers of a world."""
    return np.random.default_rng([seed, int(which)])


@cache
def specs_of(markets: tuple[str, ...]) -> tuple[MarketSpec, ...]:
    """Specifications of markets; reading the files takes longer than making a world."""
    known = load_markets()
    return tuple(known[symbol] for symbol in markets)


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What may change on the way, ``[T]`` each; row t is in force in session t."""

    beta: Floats
    """Annual Sharpe ratio before costs of one unit of gap in one market."""
    drift: Floats
    """Mean return in standard deviations of a session that has nothing to do with the gap."""
    volume: Floats
    """Factor on the markets' ordinary volume."""

    @staticmethod
    def constant(sessions: int, beta: float) -> "Course":
        """An edge of one size, no drift, ordinary volume."""
        return Course(np.full(sessions, beta), np.zeros(sessions), np.ones(sessions))

    def changed(self, name: str, span: slice, value: Floats | float) -> "Course":
        """The course with one of its paths set over sessions."""
        path: Floats = getattr(self, name).copy()
        path[span] = value
        return replace(self, **{name: path})


@dataclass(frozen=True, slots=True, eq=False)
class Latent:
    """States ``[T, M]`` behind a world; ``carried`` and ``settle`` are prices in whole ticks."""

    view: Floats
    position: Floats
    sigma: Floats
    """Volatility of the *next* session's return, a fraction."""
    carried: Floats
    """Settle of the contract that was held before the session."""
    settle: Floats
    """Settle of the contract held after it; another one where ``rolls``."""
    rolls: NDArray[np.bool_]
    stretch: Floats
    """Log distance of the settle from the market's base price."""

    @property
    def gap(self) -> Floats:
        """View less position, of unit variance."""
        return np.asarray((self.view - self.position) / np.sqrt(2.0))


def autoregressive(shocks: Floats, phi: float) -> Floats:
    """AR(1) of unit variance along the first axis from unit shocks, begun in its stationary law; any shape."""
    scaled = shocks * np.sqrt(1.0 - phi**2)
    scaled[:1] = shocks[:1]
    return np.asarray(lfilter([1.0], [1.0, -phi], scaled, axis=0))


def latent(seed: int, specs: tuple[MarketSpec, ...], course: Course) -> Latent:
    """Run a world's hidden states over the sessions of its course."""
    t, m = len(course.beta), len(specs)
    z = _noise(seed, t, m)
    trend = STRUCTURE.trend_following
    own = stream(seed, Stream.POSITION).standard_normal((t, m))
    view = autoregressive(stream(seed, Stream.VIEW).standard_normal((t, m)), PHI_VIEW)
    position = autoregressive(trend * z + np.sqrt(1.0 - trend**2) * own, PHI_POSITION)
    view, position = (np.clip(state, -MAX_LATENT, MAX_LATENT) for state in (view, position))
    models = [model_of(spec) for spec in specs]
    base = np.array([np.hypot(model.short_vol, model.long_vol) for model in models]) / np.sqrt(SESSIONS_PER_YEAR)
    h = _garch(z)
    before = np.zeros((t, m))
    before[1:] = (view - position)[:-1] / np.sqrt(2.0)
    mean = course.beta[:, None] / np.sqrt(SESSIONS_PER_YEAR) * before + course.drift[:, None]
    # No session loses or wins more than two fifths: a price stays a price.
    growth = np.log1p(np.clip(base * np.sqrt(h[:-1]) * (mean + z), -0.4, 0.4))
    rolls = np.array([_rolls(t, j) for j in range(m)]).T.reshape(t, m)
    before_roll, stretch = _levels(growth, rolls)
    tick = np.array([spec.tick for spec in specs])
    price = np.array([model.base_price for model in models])
    carried, settle = (np.maximum(np.rint(price * np.exp(x) / tick), 1.0) * tick for x in (before_roll, stretch))
    return Latent(view, position, base * np.sqrt(h[1:]), carried, settle, rolls, stretch)


def _noise(seed: int, t: int, m: int) -> Floats:
    """Standardised multivariate Student-t with one common factor, ``[T, M]``."""
    drawn = stream(seed, Stream.RETURNS).standard_normal((t, m + 1))
    common = STRUCTURE.common_correlation
    normal = np.sqrt(common) * drawn[:, :1] + np.sqrt(1.0 - common) * drawn[:, 1:]
    tails = stream(seed, Stream.TAILS).chisquare(DEGREES_OF_FREEDOM, (t, 1))
    return np.asarray(normal * np.sqrt((DEGREES_OF_FREEDOM - 2.0) / tails))


def _garch(z: Floats) -> Floats:
    """Variance of each session's return over the long run's, ``[T + 1, M]``; row t is known at t - 1."""
    t, m = z.shape
    keep = GARCH_SHOCK * z**2 + GARCH_MEMORY
    h = np.ones((t + 1, m))
    for k in range(t):
        np.multiply(h[k], keep[k], out=h[k + 1])
        h[k + 1] += 1.0 - GARCH_SHOCK - GARCH_MEMORY
    return h


def _rolls(t: int, market: int) -> NDArray[np.bool_]:
    return np.asarray(np.arange(t) % ROLL_SESSIONS == ROLL_SESSIONS - 1 - 13 * market % ROLL_SESSIONS)


def _levels(growth: Floats, rolls: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Log distance from the base price before and after a session's roll, ``[T, M]`` each."""
    before, after = np.empty_like(growth), np.empty_like(growth)
    keep = np.where(rolls, 1.0 - ROLL_PULL, 1.0)
    level = np.zeros(growth.shape[1])
    for k in range(len(growth)):
        np.add(level, growth[k], out=before[k])
        np.multiply(before[k], keep[k], out=after[k])
        level = after[k]
    return before, after
