"""Labels of every session of a frame of held returns: fixed horizon and triple barrier, in units of known volatility.

With R the return of the held contract from the entry to the exit, c the round-trip cost as a fraction of the price
(once for the position and once more for each roll within it), sigma_t the volatility of a session known at t and h the
horizon,

    y_t = sign(R) max(|R| - c, 0) / (sigma_t sqrt(h)),

what the right side of the market would have kept: R - c for the long where R > c, and the same for the short. The
entry is the first executable price after the cutoff of t, so nothing that t's features hold is earned. Profit and label
are about the same sessions by construction, and a label is known at the cutoff of its exit session, not before.
"""

import numpy as np
import polars as pl

from hydra_assets.features.returns import SESSIONS_A_YEAR, realised_vol
from hydra_assets.labels.spec import (
    LABEL_SCHEMA,
    EntryAt,
    FixedHorizon,
    LabelClass,
    LabelReason,
    TripleBarrier,
)
from hydra_assets.labels.walk import BARRIERS, OK, REASONS, Floats, Ints, Steps, walk

INPUT_COLUMNS = ("market", "session", "held_contract", "held_return", "round_trip_cost")
_NO_PRICE = REASONS.index(LabelReason.NO_PRICE)


def make_labels(held: pl.DataFrame, spec: FixedHorizon) -> pl.DataFrame:
    """Label sessions.

    Parameters
    ----------
    held
        One row per (market, session), all sessions of a market from ``vol_sessions`` before the first wanted one:
        ``held_contract`` and ``held_return`` of the front row of ``futures_curve``; ``round_trip_cost``, a fraction
        of the price known at the session's cutoff. For an entry at the open also ``open_return``, the return of
        ``held_contract`` from the session's own open to its settle. Further columns are ignored.
    spec
        ``FixedHorizon`` or ``TripleBarrier``.

    Returns
    -------
    LABEL_SCHEMA, one row per row of ``held`` by (market, session). ``label_return`` is R before cost, ``label_cost`` is
    c, ``label_sigma`` is sigma_t sqrt(h), ``label_vol_units`` is y. All but market, session and the reason are null
    where ``label_reason`` is not ok.

    Raises
    ------
    ValueError
        Missing columns, or two rows of one (market, session).
    """
    opens = ("open_return",) if spec.entry is EntryAt.NEXT_OPEN else ()
    wanted = (*INPUT_COLUMNS, *opens)
    absent = [name for name in wanted if name not in held.columns]
    if absent:
        msg = f"labels need the columns {', '.join(absent)}"
        raise ValueError(msg)
    ordered = held.select(wanted).sort("market", "session")
    if ordered.select("market", "session").is_duplicated().any():
        msg = "labels need one row per market and session"
        raise ValueError(msg)
    parts = [_one_market(part, spec) for part in ordered.partition_by("market", maintain_order=True)]
    return pl.concat(parts) if parts else pl.DataFrame(schema=LABEL_SCHEMA)


def session_vol(held_return: Floats, window: int) -> Floats:
    """Volatility of one session known at each session, a fraction, ``[n]``; NaN where there is none or no move."""
    with np.errstate(invalid="ignore", divide="ignore"):
        log_return = np.log1p(held_return)
    log_return[~np.isfinite(log_return)] = np.nan
    vol = realised_vol(log_return, window) / np.sqrt(SESSIONS_A_YEAR)
    return np.where(vol > 0.0, vol, np.nan)


def barriers_at(spec: FixedHorizon, sigma: Floats) -> tuple[Floats, Floats]:
    """Upper and lower barrier on the return since entry ``[n]`` from sigma_t sqrt(h); infinite for a fixed horizon."""
    if isinstance(spec, TripleBarrier):
        return spec.upper * sigma, spec.lower * sigma
    return np.full_like(sigma, np.inf), np.full_like(sigma, np.inf)


def exit_lag_of(spec: FixedHorizon) -> int:
    """Sessions from meeting a barrier to the exit."""
    return spec.exit_lag_sessions if isinstance(spec, TripleBarrier) else 0


def _one_market(rows: pl.DataFrame, spec: FixedHorizon) -> pl.DataFrame:
    held_return = _numbers(rows["held_return"])
    cost = _numbers(rows["round_trip_cost"])
    sigma = session_vol(held_return, spec.vol_sessions) * np.sqrt(spec.horizon_sessions)
    excluded = np.full(len(rows), OK, dtype=np.int64)
    excluded[~(cost >= 0.0) | ~np.isfinite(cost)] = REASONS.index(LabelReason.NO_COST)
    excluded[~np.isfinite(sigma)] = REASONS.index(LabelReason.NO_VOL)
    ended = walk(
        _steps(rows, held_return, spec), excluded, *barriers_at(spec, sigma), spec.horizon_sessions, exit_lag_of(spec)
    )
    ok = ended.reason == OK
    gain = np.where(ok, ended.growth - 1.0, np.nan)
    paid = np.where(ok, cost * (1 + ended.rolls), np.nan)
    scale = np.where(ok, sigma, np.nan)
    units = np.sign(gain) * np.maximum(np.abs(gain) - paid, 0.0) / scale
    session = rows["session"]
    return pl.DataFrame(
        {
            "market": rows["market"],
            "session": session,
            "entry_session": session.shift(-1),
            "exit_session": session.gather(pl.Series(np.where(ok, ended.exit_row, 0))),
            "label_return": gain,
            "label_cost": paid,
            "label_rolls": ended.rolls,
            "label_sigma": scale,
            "label_vol_units": units,
            "label_class": _classes(gain, units, spec.neutral_zone),
            "label_barrier": np.array(BARRIERS, dtype=object)[ended.barrier].astype(str),
            "label_reason": np.array(REASONS, dtype=object)[ended.reason].astype(str),
        },
    ).select(
        _where_ok(name).cast(dtype).alias(name) if name not in _ALWAYS else pl.col(name).cast(dtype)
        for name, dtype in LABEL_SCHEMA.items()
    )


_ALWAYS = ("market", "session", "label_reason")


def _where_ok(name: str) -> pl.Expr:
    return pl.when(pl.col("label_reason") == str(LabelReason.OK)).then(pl.col(name))


def _numbers(values: pl.Series) -> Floats:
    return values.cast(pl.Float64).fill_null(np.nan).to_numpy().copy()


def _steps(rows: pl.DataFrame, held_return: Floats, spec: FixedHorizon) -> Steps:
    contract = rows["held_contract"]
    carried = contract.is_not_null().to_numpy()
    rolled = (contract != contract.shift(1)).fill_null(value=False).to_numpy()
    fault = _faults(held_return, carried)
    at_open = spec.entry is EntryAt.NEXT_OPEN
    opening = _numbers(rows["open_return"]) if at_open else held_return
    return Steps(
        growth=1.0 + held_return,
        fault=fault,
        rolled=rolled,
        first_growth=1.0 + opening,
        first_fault=_faults(opening, carried) if at_open else fault,
        first=1 if at_open else 2,
    )


def _faults(returns: Floats, carried: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Ints:
    fault = np.full(len(returns), OK, dtype=np.int64)
    fault[returns <= -1.0] = REASONS.index(LabelReason.NOT_POSITIVE)
    fault[~np.isfinite(returns)] = _NO_PRICE
    fault[~carried] = REASONS.index(LabelReason.CONTRACT_GAP)
    return fault


def _classes(gain: Floats, units: Floats, neutral_zone: float | None) -> np.ndarray[tuple[int], np.dtype[np.str_]]:
    """Two classes by the sign of R (no move counts as down), or three by y against the neutral zone."""
    named = np.where(gain > 0.0, str(LabelClass.UP), str(LabelClass.DOWN))
    if neutral_zone is None:
        return named
    return np.where(np.abs(units) <= neutral_zone, str(LabelClass.NEUTRAL), named)
