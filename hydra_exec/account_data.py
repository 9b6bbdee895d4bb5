"""From frames of the lake to what an account lives on: the markets' days, and the simulated broker's tapes. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.sessions import SessionCalendar
from hydra_assets.replay.costs import CostConfig
from hydra_assets.replay.inputs import market_arrays
from hydra_exec.broker.simulated.tape import SessionTape, bars_known, tapes_of
from hydra_exec.market_days import MarketDay, market_days
from hydra_exec.volume_profile import profiles


@dataclass(frozen=True, slots=True)
class Frames:
    """Rows of all the account's markets.

    ``targets``, ``day_curve`` (of the time of day) and ``raw_bars`` are of the sessions that are traded, ``curve``
    begins the volatility's window before them. ``cutoffs`` has session and cutoff of each market's sessions, by market.
    """

    targets: pl.DataFrame
    curve: pl.DataFrame
    day_curve: pl.DataFrame
    raw_bars: pl.DataFrame
    cutoffs: Mapping[str, pl.DataFrame]


@dataclass(frozen=True, slots=True)
class AccountData:
    """Days of every market by session, tapes by session, and the last trading date of each contract."""

    days: dict[date, dict[str, MarketDay]]
    tapes: dict[date, list[SessionTape]]
    last_trades: dict[str, date]


def account_data(
    markets: Mapping[str, MarketSpec],
    calendars: Mapping[str, SessionCalendar],
    sessions: Mapping[str, Sequence[date]],
    frames: Frames,
    costs: CostConfig,
) -> AccountData:
    """Make both for each market's ``sessions``; empty where the curve has no rows at all."""
    days: dict[date, dict[str, MarketDay]] = {}
    tapes: dict[date, list[SessionTape]] = {}
    if frames.curve.is_empty():
        return AccountData(days, tapes, {})
    arrays = market_arrays(frames.curve, list(markets.values()))
    targets, curves, raws, hours = (
        frame.partition_by("market", as_dict=True)
        for frame in (frames.targets, frames.curve, frames.raw_bars, frames.day_curve)
    )
    for symbol, spec in markets.items():
        wanted = list(sessions.get(symbol, ()))
        if not wanted or (symbol,) not in curves:
            continue
        curve = curves[(symbol,)].filter(pl.col("session").is_between(wanted[0], wanted[-1]))
        own_targets = targets.get((symbol,), frames.targets.clear())
        known = profiles(hours.get((symbol,), frames.day_curve.clear()), spec.trading_hours)
        for session, day in market_days(spec, calendars[symbol], wanted, own_targets, curve, arrays, known).items():
            days.setdefault(session, {})[symbol] = day
        bars = bars_known(raws.get((symbol,), frames.raw_bars.clear()), frames.cutoffs[symbol])
        for session, tape in tapes_of(spec, calendars[symbol], wanted, bars, arrays, costs).items():
            tapes.setdefault(session, []).append(tape)
    ends = frames.curve.select("contract", "last_trade").drop_nulls().unique()
    return AccountData(days, tapes, dict(ends.iter_rows()))
