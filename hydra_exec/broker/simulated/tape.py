"""What the simulated broker knows of a market's session: its bars, its hours, and what its liquidity bears. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

from hydra_assets.markets.model import MarketSpec
from hydra_assets.markets.sessions import SessionCalendar
from hydra_assets.replay.costs import CENTS, CostConfig, impact_coefficient, slippage_multiplier
from hydra_assets.replay.fills import cap_lots
from hydra_assets.replay.market import Floats, MarketArrays, known_factor
from hydra_exec.broker.simulated.path import DayBar

BAR_COLUMNS = ("session", "contract", "open", "high", "low", "settle")
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class SimTerms:
    """A market's terms: ticks in units of price, the fee in ``currency`` for a contract and side."""

    market: str
    tick: float
    half_spread_ticks: float
    fee_per_contract: float
    currency: str

    @classmethod
    def of(cls, spec: MarketSpec) -> "SimTerms":
        """Take the terms out of a market's specification."""
        liquidity = spec.liquidity
        return cls(spec.symbol, spec.tick, liquidity.half_spread_ticks, liquidity.fee_per_contract, spec.currency)


@dataclass(frozen=True, slots=True)
class SessionTape:
    """One market's session, with the bar of each contract that has one.

    ``day_cap`` is how many lots of one contract the account may buy, and how many it may sell, in the session; the
    replay's cap, from the volume of the session before. ``impact`` is what it costs to take liquidity: units of price
    for a lot and square root of a lot, as drawn for the session.
    """

    session: date
    terms: SimTerms
    opens_at: datetime
    closes_at: datetime
    day_cap: int
    impact: float
    bars: Mapping[str, DayBar]

    def step_cap(self, steps: int) -> int:
        """Lots of one contract and side that one step gives: the day's cap spread over the steps, rounded up.

        Rounded up, so that a market whose cap is less than a lot a step gives one at any time; the day's cap ends it.
        """
        return -(-self.day_cap // steps)

    def instants(self, steps: int) -> list[datetime]:
        """When each step begins, ``[steps + 1]``; the last is the close."""
        length = self.closes_at - self.opens_at
        return [self.opens_at + length * i / steps for i in range(steps + 1)]


def working_window(spec: MarketSpec, calendar: SessionCalendar, session: date) -> tuple[datetime, datetime]:
    """UTC instants between which a session's orders work; hours over midnight begin on the day before."""
    hours = spec.trading_hours
    first = session if hours.start < hours.end else session - timedelta(days=1)
    return calendar.at_local(first, hours.start), calendar.at_local(session, hours.end)


def bars_known(raw: pl.DataFrame, cutoffs: pl.DataFrame) -> pl.DataFrame:
    """``BAR_COLUMNS`` of each session as known at its own cutoff, one row a contract, those with a settle only.

    Parameters
    ----------
    raw
        Rows of ``raw_futures_bars``.
    cutoffs
        session and cutoff of the wanted sessions.
    """
    return (
        raw.filter((pl.col("record") == "price") & (pl.col("event_session") == pl.col("session")))
        .join(cutoffs.select("session", "cutoff"), on="session", how="inner")
        .filter((pl.col("known_at") <= pl.col("cutoff")) & pl.col("settle").is_not_null())
        .sort("known_at", "source", maintain_order=True)
        .unique(["session", "contract"], keep="last", maintain_order=True)
        .select(BAR_COLUMNS)
        .sort("session", "contract")
    )


def tapes_of(
    spec: MarketSpec,
    calendar: SessionCalendar,
    sessions: Sequence[date],
    bars: pl.DataFrame,
    market: MarketArrays,
    costs: CostConfig,
) -> dict[date, SessionTape]:
    """Tapes of a market's sessions.

    Parameters
    ----------
    sessions
        Those that are wanted; one without bars has a window in which nothing is quoted.
    bars
        ``BAR_COLUMNS``, of those sessions.
    market
        Arrays that hold this market, from the session before the first on. A session is given the row of the session
        before it: what was known when its orders were decided. Where that row has no volume nothing fills; where it
        has no volatility or settle, taking liquidity costs the spread alone.
    costs
        How slippage is drawn, as in the replay.
    """
    by_session: dict[date, dict[str, DayBar]] = {}
    for session, contract, first, high, low, settle in bars.select(BAR_COLUMNS).iter_rows():
        by_session.setdefault(session, {})[contract] = DayBar(settle, first, high, low)
    caps, impacts = _lagged_liquidity(spec, sessions, market, costs)
    terms = SimTerms.of(spec)
    out = {}
    for session, cap, impact in zip(sessions, caps, impacts, strict=True):
        opens_at, closes_at = working_window(spec, calendar, session)
        own = by_session.get(session, {})
        out[session] = SessionTape(session, terms, opens_at, closes_at, int(cap), float(impact), own)
    return out


def _lagged_liquidity(
    spec: MarketSpec, sessions: Sequence[date], market: MarketArrays, costs: CostConfig
) -> tuple[Floats, Floats]:
    """Day's cap in lots and impact coefficient in price of each session, ``[session]``, from the row before it."""
    j = market.terms.symbols.index(spec.symbol)
    days = np.array([(session - _EPOCH).days for session in sessions], dtype=np.int64)
    row = np.searchsorted(market.days, days, side="left") - 1

    def before(values: Floats) -> Floats:
        return np.where(row >= 0, values[np.maximum(row, 0), j], np.nan)

    adv, sigma, settle = before(market.adv), before(market.sigma_daily), before(market.settle)
    cap_factor, impact_factor = (
        known_factor(None if values is None else before(values), adv)
        for values in (market.cap_factor, market.impact_factor)
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        cap = cap_lots(spec.liquidity.participation_cap, adv, cap_factor)
        slippage = slippage_multiplier(
            costs, (spec.symbol,), days, adv[:, None], np.array([float(spec.liquidity.typical_daily_volume)])
        )[:, 0]
        factor = slippage * costs.scale * impact_factor
        impact_y = spec.liquidity.impact_y if costs.impact_y is None else costs.impact_y
        impact = impact_coefficient(impact_y, sigma, settle, 1.0, adv, factor) / CENTS
    return np.where(np.isfinite(cap) & (cap > 0.0), cap, 0.0), np.where(np.isfinite(impact), impact, 0.0)
