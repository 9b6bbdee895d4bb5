"""Implied volatilities and Greeks against their peers: targets S1, S6 and A1 of the options engine.

``uv run --group bench python -m benchmarks.options_pricing`` prints them with their verdicts. Speed is per quote, one
thread, interleaved medians; the peers that know no arrays are looped over fewer quotes. Accuracy is against prices at
50 digits.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import Row, one_thread, peer, print_table, seconds_each
from hydra_assets.options.black76 import Floats, price
from hydra_assets.options.greeks import flow_greeks
from hydra_assets.options.implied_vol import IvStatus, implied_total_vol

QUOTES = 100_000
LOOPED = 10_000
"""Quotes given to peers that take one at a time."""
CHECKED = 2_000
"""Quotes priced at 50 digits, per kind."""
RATE = 0.03


@dataclass(frozen=True, slots=True)
class Quotes:
    """Out-of-the-money options, ``[n]``; ``strike`` lies ``deviations`` total volatilities from ``forward``."""

    forward: Floats
    strike: Floats
    year_fraction: Floats
    sigma: Floats
    is_call: NDArray[np.bool_]

    @property
    def total_vol(self) -> Floats:
        """Sigma sqrt(T)."""
        return self.sigma * np.sqrt(self.year_fraction)


def market_like(n: int) -> Quotes:
    """A week to two years, 10 to 80 % of volatility, within three deviations."""
    return _draw(n, (0.10, 0.80), 3.0, (7.0 / 365.0, 2.0))


def hard(n: int) -> Quotes:
    """A day to two years, 1 to 400 % of volatility, within six deviations."""
    return _draw(n, (0.01, 4.00), 6.0, (1.0 / 365.0, 2.0))


def _draw(n: int, vols: tuple[float, float], deviations: float, years: tuple[float, float]) -> Quotes:
    rng = np.random.default_rng(1)
    f, t = rng.uniform(20.0, 500.0, n), rng.uniform(*years, n)
    sigma = np.exp(rng.uniform(np.log(vols[0]), np.log(vols[1]), n))
    k = f * np.exp(rng.uniform(-deviations, deviations, n) * sigma * np.sqrt(t))
    return Quotes(f, k, t, sigma, k >= f)


def implied_vol_speed() -> list[Row]:
    """S1, against a loop of QuantLib's solver at its own tolerance of 1e-6 and against pyfeng's array solver."""
    ql, pyfeng = peer("QuantLib"), peer("pyfeng")
    q = market_like(QUOTES)
    p = price(q.forward, q.strike, q.total_vol, q.is_call)
    model, sign = pyfeng.Bsm(sigma=0.2), np.where(q.is_call, 1, -1)
    kinds = [ql.Option.Call if c else ql.Option.Put for c in q.is_call[:LOOPED].tolist()]
    looped = list(
        zip(kinds, *(a[:LOOPED].tolist() for a in (q.strike, q.forward, p)), strict=True),
    )
    seconds = seconds_each(
        {
            "own": lambda: implied_total_vol(p, q.forward, q.strike, q.is_call),
            "QuantLib": lambda: [ql.blackFormulaImpliedStdDev(*one) for one in looped],
            "pyfeng": lambda: model.impvol(p, q.strike, q.forward, q.year_fraction, sign),
        }
    )
    own = QUOTES / seconds["own"]
    over_ql, over_pyfeng = own * seconds["QuantLib"] / LOOPED, own * seconds["pyfeng"] / QUOTES
    rate = f"{own / 1e6:.1f} M/s"
    return [
        Row("S1", "implied vol against a QuantLib loop to 1e-6", ">= 5x", f"{over_ql:.1f}x ({rate})", over_ql >= 5.0),
        Row("S1", "implied vol against pyfeng", ">= 0.9x", f"{over_pyfeng:.2f}x ({rate})", over_pyfeng >= 0.9),
    ]


def greeks_speed() -> list[Row]:
    """S6: delta, gamma, vega, vanna and charm against a loop of py_vollib's delta, gamma and vega."""
    with warnings.catch_warnings():
        # It says that it will be known as vollib.
        warnings.simplefilter("ignore", DeprecationWarning)
        vollib = peer("py_vollib.black.greeks.analytical")
    q = market_like(QUOTES)
    flags = ["c" if c else "p" for c in q.is_call[: LOOPED // 10].tolist()]
    columns = (a[: LOOPED // 10].tolist() for a in (q.forward, q.strike, q.year_fraction))
    looped = [(*one, RATE, sigma) for *one, sigma in zip(flags, *columns, q.sigma.tolist(), strict=False)]
    s = q.total_vol
    seconds = seconds_each(
        {
            "own": lambda: flow_greeks(q.forward, q.strike, s, q.year_fraction, RATE, q.is_call, premium_upfront=True),
            "py_vollib": lambda: [(vollib.delta(*o), vollib.gamma(*o), vollib.vega(*o)) for o in looped],
        }
    )
    own = QUOTES / seconds["own"]
    ratio = own * seconds["py_vollib"] / len(looped)
    measured = f"{ratio:.0f}x ({own / 1e6:.1f} M options/s)"
    return [Row("S6", "5 Greeks against a py_vollib loop of 3", ">= 50x", measured, ratio >= 50.0)]


def implied_vol_accuracy() -> list[Row]:
    """A1: relative error of the implied vol of prices at 50 digits, rounded once."""
    rows = []
    for what, quotes, bound in (("market-like", market_like(CHECKED), 1e-12), ("hard", hard(CHECKED), 1e-11)):
        found = implied_total_vol(exact_price(quotes), quotes.forward, quotes.strike, quotes.is_call)
        worst = float(np.max(np.abs(found.total_vol / quotes.total_vol - 1.0)))
        solved = bool((found.status == IvStatus.OK).all())
        measured = f"{worst:.1e}" if solved else f"{int((found.status != IvStatus.OK).sum())} not solved"
        met = solved and worst <= bound
        rows.append(Row("A1", f"implied vol, largest relative error, {what}", f"<= {bound:.0e}", measured, met))
    return rows


def exact_price(quotes: Quotes) -> Floats:
    """Undiscounted prices at 50 digits, rounded once; sigma sqrt(T) is taken as it is in double precision."""
    mp = peer("mpmath")
    columns = (a.tolist() for a in (quotes.forward, quotes.strike, quotes.total_vol, quotes.is_call))
    out = []
    with mp.workdps(50):
        for f, k, s, call in zip(*columns, strict=True):
            d1 = mp.log(mp.mpf(f) / k) / s + mp.mpf(s) / 2
            value = f * mp.ncdf(d1) - k * mp.ncdf(d1 - s) if call else k * mp.ncdf(s - d1) - f * mp.ncdf(-d1)
            out.append(float(value))
    return np.array(out)


def rows() -> list[Row]:
    """All targets of this module."""
    return [*implied_vol_speed(), *greeks_speed(), *implied_vol_accuracy()]


if __name__ == "__main__":
    one_thread()
    print_table(rows(), "Option prices: targets and peers")
