"""What a decision on a market's session is made from, all of it known at the session's cutoff. Pure."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.sessions import SessionCalendar
from hydra_assets.replay.fills import cap_lots
from hydra_assets.replay.market import MarketArrays, known_factor
from hydra_assets.replay.sizing import SizingConfig
from hydra_exec.plan import Wanted
from hydra_exec.targets import TargetReason

CURVE_COLUMNS = ("session", "contract", "role", "settle", "settle_age_sessions", "last_trade", "first_notice")
TARGET_COLUMNS = ("session", "contract", "target_contracts", "target_reason")
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class ContractDay:
    """A listed contract in a session. ``sessions_to_end`` counts to first notice or last trade."""

    settle: float
    settle_age_sessions: int
    sessions_to_end: int
    ending: bool
    """Past its roll."""


@dataclass(frozen=True, slots=True)
class MarketDay:
    """A market's session. ``day_cap`` is the participation cap in lots, ``margin_per_lot`` money; None: not known.

    Where the market's volume is not known in the session, ``day_cap`` is 0. ``exit_cap`` is the last cap that was
    known: what is held must be left also while data are missing.
    """

    market: str
    session: date
    wanted: Wanted
    contracts: Mapping[str, ContractDay]
    day_cap: int
    margin_per_lot: float | None
    exit_cap: int = 0
    volume_profile: tuple[float, ...] = ()
    """How volume runs over the next session's trading hours; empty where it is not known."""

    @property
    def settles(self) -> dict[str, float]:
        """Settles of this very session."""
        return {name: day.settle for name, day in self.contracts.items() if day.settle_age_sessions == 0}


def market_days(
    spec: MarketSpec,
    calendar: SessionCalendar,
    sessions: Sequence[date],
    targets: pl.DataFrame,
    curve: pl.DataFrame,
    arrays: MarketArrays,
    profiles: Mapping[date, tuple[float, ...]] | None = None,
) -> dict[date, MarketDay]:
    """The days of a market, one for each of its sessions.

    Parameters
    ----------
    sessions
        Those that are wanted. One without a target decides nothing new; what is held in it still has to be minded.
    targets
        ``TARGET_COLUMNS``, the market's rows of ``target_positions``.
    curve
        ``CURVE_COLUMNS``, its rows of ``futures_curve`` in the same sessions.
    arrays
        Arrays that hold the market in those sessions.
    profiles
        How volume runs over the trading hours, by session.
    """
    listed = _contract_days(calendar, curve)
    caps, margins = _liquidity(spec, arrays)
    rows = {row[0]: row[1:] for row in targets.select(TARGET_COLUMNS).iter_rows()}
    out = {}
    for session in sessions:
        contract, lots, reason = rows.get(session, (None, 0, TargetReason.NO_FEATURES))
        contracts = listed.get(session, {})
        fresh = {name: day.settle for name, day in contracts.items() if day.settle_age_sessions == 0}
        ending = frozenset(name for name, day in contracts.items() if day.ending)
        wanted = Wanted(spec.symbol, session, contract, lots, TargetReason(reason), fresh, ending)
        out[session] = MarketDay(
            market=spec.symbol,
            session=session,
            wanted=wanted,
            contracts=contracts,
            day_cap=caps.get(session, 0),
            exit_cap=_last_known(caps, session),
            margin_per_lot=margins.get(session),
            volume_profile=(profiles or {}).get(session, ()),
        )
    return out


def _contract_days(calendar: SessionCalendar, curve: pl.DataFrame) -> dict[date, dict[str, ContractDay]]:
    rows = curve.select(CURVE_COLUMNS).drop_nulls(["settle", "settle_age_sessions", "last_trade"])
    ends = rows.select(pl.min_horizontal("last_trade", "first_notice"))["last_trade"].to_numpy().astype("datetime64[D]")
    at = np.searchsorted(calendar.sessions, rows["session"].to_numpy().astype("datetime64[D]"), side="left")
    left = np.searchsorted(calendar.sessions, ends, side="left") - at
    out: dict[date, dict[str, ContractDay]] = {}
    for (session, contract, role, settle, age, *_), sessions in zip(rows.iter_rows(), left.tolist(), strict=True):
        out.setdefault(session, {})[contract] = ContractDay(settle, age, sessions, role == "expiring")
    return out


def _liquidity(spec: MarketSpec, arrays: MarketArrays) -> tuple[dict[date, int], dict[date, float]]:
    """Participation cap and margin of a lot, by session; the margin stands in as the replay's sizing does."""
    j = arrays.terms.symbols.index(spec.symbol)
    adv = arrays.adv[:, j]
    factor = known_factor(None if arrays.cap_factor is None else arrays.cap_factor[:, j], adv)
    with np.errstate(invalid="ignore"):
        caps = cap_lots(spec.liquidity.participation_cap, adv, factor)
        margin = SizingConfig().margin_daily_sigmas * arrays.sigma_daily[:, j] * arrays.settle[:, j] * spec.multiplier
    days = sessions_of(arrays.days.tolist())
    return (
        {day: int(cap) for day, cap in zip(days, caps, strict=True) if np.isfinite(cap)},
        {day: float(money) for day, money in zip(days, margin, strict=True) if np.isfinite(money)},
    )


def _last_known(caps: Mapping[date, int], session: date) -> int:
    """The cap of a session, or of the last one before it that has one. ``caps`` are in order."""
    days = list(caps)
    at = bisect_right(days, session)
    return caps[days[at - 1]] if at else 0


def sessions_of(days: Sequence[int]) -> list[date]:
    """Days since 1970-01-01 as dates."""
    return [date.fromordinal(_EPOCH.toordinal() + day) for day in days]
