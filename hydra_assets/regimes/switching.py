"""Markov-switching regimes of volatility and trend, fitted on the past alone and filtered.

Each market has two chains: the log realised volatility of a short window with two or three free states, and the
momentum of a longer one (its move in units of its own volatility) with the states -m, 0, m. Apart, they keep their
names: three states of a joint chain would each have to be both calm and rising. Fit k uses the rows before
f_k = first + k refit, starts from fit k - 1 (anew each time the past has doubled: a first year may have known one
state only) and gives the rows f_k .. f_{k+1} - 1, its filter run from the first row on; what a session's regime says is
therefore final at its cutoff.
"""

import numpy as np
import polars as pl

from hydra_assets.features.returns import SESSIONS_A_YEAR, momentum, realised_vol
from hydra_assets.regimes.chains import Chains, Flags, Floats, filtered, first_guess, fit
from hydra_assets.regimes.frames import Probabilities, Strings, regime_rows, returns_of
from hydra_assets.regimes.spec import RegimeReason, SwitchingSpec

MIN_SHARE_OBSERVED = 0.8
"""Of the first fit's rows after the windows have filled; fewer are a short history."""
TREND_STATES = 3
OK = str(RegimeReason.OK)


def switching_regimes(held: pl.DataFrame, spec: SwitchingSpec | None = None) -> pl.DataFrame:
    """Regime of each session.

    Parameters
    ----------
    held
        market, session, held_return: all sessions of each market from its first one on, one row each.
    spec
        Configuration; the default one where None.

    Returns
    -------
    REGIME_SCHEMA, one row per row of ``held`` by (market, session). Null with the reason where there is none.

    Raises
    ------
    ValueError
        Two rows of one (market, session).
    """
    spec = spec or SwitchingSpec()
    ordered, markets = returns_of(held)
    if not markets:
        return regime_rows(ordered, [])
    vol = _side_by_side([_log(realised_vol(r, spec.vol_sessions) / np.sqrt(SESSIONS_A_YEAR)) for r in markets])
    trend = _side_by_side([momentum(r, spec.trend_sessions) for r in markets])
    n = len(markets)
    tied = np.repeat([False, True], n)
    if spec.vol_states == TREND_STATES:
        together, why = _filter(np.concatenate([vol, trend], axis=1), TREND_STATES, tied, spec)
        by_vol, by_trend, why_vol, why_trend = together[..., :n], together[..., n:], why[:, :n], why[:, n:]
    else:
        by_vol, why_vol = _filter(vol, spec.vol_states, tied[:n], spec)
        by_trend, why_trend = _filter(trend, TREND_STATES, tied[n:], spec)
        by_vol = np.stack([by_vol[:, 0], np.where(np.isfinite(by_vol[:, 0]), 0.0, np.nan), by_vol[:, 1]], axis=1)
    reason = np.where(why_vol == OK, why_trend, why_vol)
    return regime_rows(
        ordered,
        [
            Probabilities(by_vol[: len(r), :, i].T, by_trend[: len(r), :, i].T, reason[: len(r), i])
            for i, r in enumerate(markets)
        ],
    )


def _log(values: Floats) -> Floats:
    """Natural logarithm; NaN where there is none."""
    return np.log(np.where(values > 0.0, values, np.nan))


def _side_by_side(series: list[Floats]) -> Floats:
    """Lanes ``[T, L]``, all from their first row on, NaN past the end of the shorter ones."""
    out = np.full((max(len(y) for y in series), len(series)), np.nan)
    for lane, y in enumerate(series):
        out[: len(y), lane] = y
    return out


def _filter(observed: Floats, states: int, tied: Flags, spec: SwitchingSpec) -> tuple[Floats, Strings]:
    """Filtered probabilities ``[T, K, L]`` by ascending mean, and reasons ``[T, L]``."""
    stretch, n_lanes = observed.shape
    out = np.full((stretch, states, n_lanes), np.nan)
    reason = np.full((stretch, n_lanes), str(RegimeReason.SHORT_HISTORY), dtype="<U16")
    chains = Chains.empty(states, n_lanes)
    fitted = np.zeros(n_lanes, dtype=np.bool_)
    fresh_at = spec.first_fit_sessions
    for at in range(spec.first_fit_sessions, stretch, spec.refit_sessions):
        rows = slice(at, min(at + spec.refit_sessions, stretch))
        why = np.array([str(_fittable(observed[:at, lane], spec)) for lane in range(n_lanes)])
        reason[rows] = why
        lanes = np.flatnonzero(why == OK)
        if not lanes.size:
            continue
        past = np.ascontiguousarray(observed[:at, lanes])
        now = first_guess(past, states, tied[lanes])
        if at >= 2 * fresh_at:
            fresh_at = at
            fitted[:] = False
        again = np.flatnonzero(fitted[lanes])
        now.put(again, chains.take(lanes[again]))
        new = np.flatnonzero(~fitted[lanes])
        if new.size:
            now.put(new, fit(np.ascontiguousarray(past[:, new]), now.take(new), spec.iterations))
        if again.size:
            now.put(again, fit(np.ascontiguousarray(past[:, again]), now.take(again), spec.refit_iterations))
        chains.put(lanes, now)
        fitted[lanes] = True
        probability = filtered(np.ascontiguousarray(observed[: rows.stop, lanes]), now)[at:]
        out[rows, :, lanes] = by_mean(probability, now.mean)
    missing = (reason == OK) & ~np.isfinite(observed)
    reason[missing] = str(RegimeReason.NO_OBSERVATION)
    return np.where((reason == OK)[:, None], out, np.nan), reason


def by_mean(probability: Floats, mean: Floats) -> Floats:
    """States of ``[T, K, L]`` in ascending order of their means ``[K, L]``: EM may let them cross."""
    ascending = np.argsort(mean, axis=0, kind="stable")
    return np.take_along_axis(probability, ascending[None], axis=1)


def _fittable(past: Floats, spec: SwitchingSpec) -> RegimeReason:
    there = past[np.isfinite(past)]
    wanted = MIN_SHARE_OBSERVED * (spec.first_fit_sessions - max(spec.vol_sessions, spec.trend_sessions))
    if len(there) < max(wanted, 20.0):
        return RegimeReason.SHORT_HISTORY
    return RegimeReason.OK if float(np.ptp(there)) > 1e-9 else RegimeReason.NO_VARIATION
