"""Trader positions of one simulated market, as the CFTC's reports would print them.

Managed money holds a share of open interest that follows the latent position; swap dealers are structurally long,
producers and merchants are what is left, so that every report adds up. A report is a function of the latent state at
its as-of date and of that date's own random numbers. Weeks with too few reportable traders leave the market out.
"""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import ndtri

from hydra_assets.sources.cftc.calendar import report_date_of_week
from hydra_assets.sources.cftc.layout import CATEGORIES, Family, Scope
from hydra_assets.sources.simulated.curve import Curve, activity
from hydra_assets.sources.simulated.listing import Futures
from hydra_assets.sources.simulated.rng import Stream, uniforms
from hydra_assets.sources.simulated.states import LatentPath

Array = NDArray[np.float64]

NET_MEAN, NET_PER_UNIT = 0.05, 0.11
"""Managed money's net share of open interest: its mean, and what one unit of the latent position adds."""
_HAS_SPREAD = ("swap_dealer", "managed_money", "other_reportable")
_TRADER_SHARE = {
    "producer_merchant": (0.25, 0.3),
    "swap_dealer": (0.1, 0.06),
    "managed_money": (0.2, 0.18),
    "other_reportable": (0.2, 0.2),
}


def report_dates(first: date, last: date) -> list[date]:
    """As-of dates of the reports from first to last, by the CFTC's own calendar."""
    monday = first - timedelta(days=first.weekday())
    weeks = range((last - monday).days // 7 + 1)
    days = [report_date_of_week(monday + timedelta(days=7 * week)) for week in weeks]
    return [day for day in days if first <= day <= last]


def is_reported(path: LatentPath, report_date: date) -> bool:
    """Whether the market had enough reportable traders that week."""
    return bool(_draw(path, report_date)[0] < path.model.reported_weeks)


def report_rows(
    path: LatentPath, futures: Futures, curve: Curve, dates: Sequence[date], family: Family, scope: Scope
) -> pl.DataFrame:
    """Rows for the CFTC writers, one per (report date, category); a date must not be before the path's first session.

    Open interest is the sum over the listed futures at the last session up to the report date; ``combined`` adds the
    options' delta equivalent.
    """
    parts = [_report(path, futures, curve, day, family, scope) for day in dates]
    return pl.DataFrame([row for part in parts for row in part], schema=_SCHEMA)


_SCHEMA = {
    "cftc_code": pl.String(),
    "name": pl.String(),
    "report_date": pl.Date(),
    "category": pl.String(),
    "open_interest": pl.Int64(),
    "long_contracts": pl.Int64(),
    "short_contracts": pl.Int64(),
    "spread_contracts": pl.Int64(),
    "traders_long": pl.Int64(),
    "traders_short": pl.Int64(),
    "traders_spread": pl.Int64(),
}
_Sides = dict[str, tuple[int, int, int]]


def cftc_code(path: LatentPath, report_date: date) -> str | None:
    """The market's CFTC code on a date; None where it has none."""
    for code in path.spec.cftc_codes:
        if (code.valid_from or date.min) <= report_date <= (code.valid_to or date.max):
            return code.code
    return None


def _draw(path: LatentPath, report_date: date) -> Array:
    day = int(np.datetime64(report_date, "D").astype(np.int64))
    return uniforms(path.seed, path.key, day, Stream.POSITIONS, 24)


def _report(
    path: LatentPath, futures: Futures, curve: Curve, report_date: date, family: Family, scope: Scope
) -> list[dict[str, object]]:
    code = cftc_code(path, report_date)
    if code is None:
        return []
    k = max(path.index(report_date + timedelta(days=1)) - 1, 0)
    _, interest = activity(path, futures, curve, slice(k, k + 1))
    combined = scope is Scope.COMBINED
    total = int(interest.sum() * (1 + (0.4 * path.model.option_open_interest if combined else 0.0)))
    noise = ndtri(_draw(path, report_date))
    sides = _disaggregated(float(path.position[k]), total, noise, combined=combined)
    traders = _traders(path, sides, noise, combined=combined)
    if family is Family.LEGACY:
        sides, traders = _legacy(sides), _legacy_traders(traders)
    rows = []
    for category in CATEGORIES[family]:
        long, short, spread = sides[category]
        seen: tuple[int, int, int] | None = traders.get(category)
        count = [None] * 3 if seen is None else [n if n >= 4 else None for n in seen]
        rows.append(
            {
                "cftc_code": code,
                "name": f"{path.spec.name.upper()} - {path.spec.exchange.upper()}",
                "report_date": report_date,
                "category": category,
                "open_interest": total,
                "long_contracts": long,
                "short_contracts": short,
                "spread_contracts": spread,
                "traders_long": count[0],
                "traders_short": count[1],
                "traders_spread": count[2],
            }
        )
    return rows


def _disaggregated(position: float, total: int, noise: Array, *, combined: bool) -> _Sides:
    """Contracts long, short and spreading per category; producers and merchants are the remainder of both sides."""
    damp = 0.95 if combined else 1.0
    net = damp * (NET_MEAN + NET_PER_UNIT * position + 0.005 * float(noise[1]))
    gross = max(0.34, abs(net) + 0.06)
    small = np.clip(noise[2:8], -2.5, 2.5)
    spread = 0.02 if combined else 0.0
    shares = {
        "managed_money": ((gross + net) / 2, (gross - net) / 2, 0.05 + spread),
        "swap_dealer": (0.15 + 0.01 * small[0], 0.035 + 0.005 * small[1], 0.03),
        "other_reportable": (0.06 + 0.01 * small[2], 0.06 + 0.01 * small[3], 0.04 + spread),
        "nonreportable": (0.1 + 0.01 * small[4], 0.12 + 0.01 * small[5], 0.0),
    }
    out: _Sides = {name: (int(total * a), int(total * b), int(total * c)) for name, (a, b, c) in shares.items()}
    spreads = sum(s for _, _, s in out.values())
    long = total - spreads - sum(x for x, _, _ in out.values())
    short = total - spreads - sum(x for _, x, _ in out.values())
    out["producer_merchant"] = (long, short, 0)
    outside = out["nonreportable"]
    out["total_reportable"] = (total - outside[0], total - outside[1], 0)
    return out


def _traders(path: LatentPath, sides: _Sides, noise: Array, *, combined: bool) -> _Sides:
    """Traders long, short and spreading per category; in a small category few enough to be suppressed."""
    base = path.model.traders * (1.1 if combined else 1.0)
    out: _Sides = {}
    for i, (category, (long, short)) in enumerate(_TRADER_SHARE.items()):
        wobble = np.exp(0.06 * noise[10 + 3 * i : 13 + 3 * i])
        spread = 0.5 * (long + short) if category in _HAS_SPREAD else 0.0
        tilt = sides[category][0] / max(sides[category][0] + sides[category][1], 1)
        out[category] = (
            round(base * long * (0.5 + tilt) * wobble[0]),
            round(base * short * (1.5 - tilt) * wobble[1]),
            round(base * spread * wobble[2]),
        )
    three = list(zip(*out.values(), strict=True))
    out["total_reportable"] = (sum(three[0]) + sum(three[2]) // 2, sum(three[1]) + sum(three[2]) // 2, 0)
    return out


def _legacy(sides: _Sides) -> _Sides:
    """The same positions in the legacy categories: funds and others, hedgers and dealers."""
    funds, other = sides["managed_money"], sides["other_reportable"]
    hedgers, dealers = sides["producer_merchant"], sides["swap_dealer"]
    return {
        "noncommercial": (funds[0] + other[0], funds[1] + other[1], funds[2] + other[2]),
        "commercial": (hedgers[0] + dealers[0] + dealers[2], hedgers[1] + dealers[1] + dealers[2], 0),
        "total_reportable": sides["total_reportable"],
        "nonreportable": sides["nonreportable"],
    }


def _legacy_traders(traders: _Sides) -> _Sides:
    def add(a: str, b: str) -> tuple[int, int, int]:
        x, y = traders[a], traders[b]
        return x[0] + y[0], x[1] + y[1], x[2] + y[2]

    return {
        "noncommercial": add("managed_money", "other_reportable"),
        "commercial": add("producer_merchant", "swap_dealer"),
        "total_reportable": traders["total_reportable"],
    }
