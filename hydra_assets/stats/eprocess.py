"""Which of two recipes earns more, judged again every session and valid at each: a betting e-process.

d_t is the candidate's return less the champion's on session t, in any unit. It is scaled by a volatility s_t of earlier
differences alone and held to ±c,

    x_t = min(max(d_t / s_t, -c), c),   K_t = mean over lambda of prod_{i <= t} (1 + lambda x_i),   0 < lambda < 1/c,

the wealth of a gambler who starts with 1, split evenly over a ladder of stakes. *For* bets on x, *against* on -x.

What is tested: that the mean of the *held* difference, given the past, is never above zero (for) or below zero
(against). Then K is a nonnegative supermartingale, since s_t and the stakes are known before d_t, and by Ville's
inequality P(K ever reaches 20) <= 1/20, whenever one looks. Nothing else is assumed: no normality, no constant
volatility, no independence. Holding shifts the question where differences are skewed: of a candidate that earns a
little often and loses much seldom, c hides what a loss exceeds c volatilities by. At c = 5 that concerns two sessions
in a thousand of Student-t4, and exponential losses come out too small by 0.0025 of a volatility per session, where an
information ratio of 1.1 is 0.07.

Returns of *one session* of positions that overlap satisfy this, because the position was known before the session.
Differences of *five-session* returns, one starting each session, do not: neighbours share four sessions, and the past
tells the sign. They must not be given to this module (docs/studies/eprocess.md shows by how much it would fail).

Fixed stakes and not one that adapts (aGRAPA, online Newton steps): at a daily mean of a twentieth of a standard
deviation an adaptive stake is noise for its first year. Measured in docs/studies/eprocess.md.

Sources: I. Waudby-Smith and A. Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86 (2024),
theorem 1 and section B.7 on mixtures; J. Ville, *Etude critique de la notion de collectif* (1939); G. Shafer, "Testing
by betting", JRSS A 184 (2021).
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import lfilter
from scipy.special import logsumexp

from hydra_assets.stats.detectors.track import columns_of, pack

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class EConfig:
    """How is bet; ValueError on stakes that could lose everything or more."""

    clip: float = 5.0
    """c, in standard deviations of the difference."""
    stakes: tuple[float, ...] = (0.06, 0.12)
    """lambda per standard deviation. The best for an information ratio I is about I / sqrt(252): 0.95 and 1.9."""
    half_life_sessions: float = 60.0
    """Of the volatility's memory."""
    warm_up_sessions: int = 20
    """Observations before the first bet."""
    confirm: float = 20.0
    abort: float = 5.0

    def __post_init__(self) -> None:
        if not self.stakes or min(self.stakes) <= 0.0 or max(self.stakes) * self.clip >= 1.0:
            msg = f"stakes {self.stakes} at differences of up to {self.clip}: each must be above 0 and below 1/clip"
            raise ValueError(msg)
        if self.warm_up_sessions < 1 or self.half_life_sessions <= 0.0 or min(self.confirm, self.abort) <= 1.0:
            msg = "a warm-up of at least one session, a positive half-life and levels above 1"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class EProcess:
    """Natural logarithms of the wealth after each session, ``[T]`` or ``[T, K]``; row t needs rows <= t alone."""

    log_e_for: Floats
    log_e_against: Floats


class ECode(StrEnum):
    """What the evidence says."""

    WAIT = "wait"
    CONFIRM = "confirm"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class EDecision:
    """The first level that was reached, and where the evidence stands now."""

    code: ECode
    session: int | None
    """Row on which the level was first reached; None while waiting."""
    e_for: float
    e_against: float
    """On the last row; 1 without any."""


def e_process(differences: ArrayLike, config: EConfig | None = None) -> EProcess:
    """Wealth for and against, of ``[T]`` differences (or ``[T, K]``, each column by itself).

    A difference that is not finite is a session without a bet: the wealth stays, and so does the volatility.
    """
    rules = config or EConfig()
    columns = columns_of(differences)
    packed = pack(columns)
    x = _held(packed.values, rules)
    found = []
    for side in (1.0, -1.0):
        log_wealth = [np.cumsum(np.log1p(stake * side * x), axis=0) for stake in rules.stakes]
        mixed = logsumexp(log_wealth, axis=0) - np.log(len(rules.stakes))
        there = _carried(packed.unpack(mixed))
        found.append(there[:, 0] if np.ndim(differences) == 1 else there)
    return EProcess(*found)


def decide(track: EProcess, config: EConfig | None = None) -> EDecision:
    """Read one track ``[T]``: the level that is reached first decides; ABORT where both are on one session."""
    rules = config or EConfig()
    if track.log_e_for.ndim != 1:
        msg = f"one track is decided at a time, not {track.log_e_for.shape}"
        raise ValueError(msg)
    confirmed = np.flatnonzero(track.log_e_for >= np.log(rules.confirm))
    aborted = np.flatnonzero(track.log_e_against >= np.log(rules.abort))
    now = [float(np.exp(side[-1])) if len(side) else 1.0 for side in (track.log_e_for, track.log_e_against)]
    if len(aborted) and (not len(confirmed) or aborted[0] <= confirmed[0]):
        return EDecision(ECode.ABORT, int(aborted[0]), now[0], now[1])
    if len(confirmed):
        return EDecision(ECode.CONFIRM, int(confirmed[0]), now[0], now[1])
    return EDecision(ECode.WAIT, None, now[0], now[1])


def _held(differences: Floats, rules: EConfig) -> Floats:
    """Compute x_t of packed columns: 0 (no bet) in the warm-up, without any volatility yet, and below the last one."""
    decay = 0.5 ** (1.0 / rules.half_life_sessions)
    filled = np.nan_to_num(differences, nan=0.0)
    # Sums of weights and of weighted squares of the rows before t; weights cancel what the memory has not filled yet.
    squares = lfilter([0.0, 1.0], [1.0, -decay], filled * filled, axis=0)
    weights = lfilter([0.0, 1.0], [1.0, -decay], np.ones(len(filled)))
    x = np.zeros_like(filled)
    first = rules.warm_up_sessions
    scale = np.sqrt(squares[first:] / weights[first:, None])
    np.divide(filled[first:], scale, out=x[first:], where=scale > 0.0)
    held: Floats = np.clip(x, -rules.clip, rules.clip)
    return held


def _carried(log_wealth: Floats) -> Floats:
    """NaN (no observation) takes the row before, 0 at the start."""
    row = np.where(np.isfinite(log_wealth), np.arange(len(log_wealth))[:, None], -1)
    last = np.maximum.accumulate(row, axis=0)
    out: Floats = np.where(last >= 0, np.take_along_axis(log_wealth, np.maximum(last, 0), axis=0), 0.0)
    return out
