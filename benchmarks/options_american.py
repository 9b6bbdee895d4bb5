"""American implied volatilities against QuantLib and against the exact pricer: targets S2 and A2 of the options engine.

``uv run --group bench python -m benchmarks.options_american`` prints them with their verdicts. The peer is QuantLib's
``QdFpAmericanEngine`` with its fast scheme under its own ``Brent``; one option per quote is made outside of the timed
part. Speed is per quote, one thread, interleaved medians. Errors are against prices of the fine exact pricer.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.table import Row, one_thread, peer, print_table, seconds_each
from hydra_assets.options.american import FINE, american_price
from hydra_assets.options.black76 import Floats
from hydra_assets.options.deamericanise import deamericanise
from hydra_assets.options.implied_vol import IvStatus

QUOTES = 100_000
LOOPED = 400
"""Quotes given to QuantLib, which takes one at a time."""
CHECKED = 40_000
MIN_SPEEDUP, MAX_ERROR, MAX_P99 = 200.0, 2e-5, 5e-6
SAYS_SOMETHING = 1e-7
"""Price over immediate exercise, in units of F sigma sqrt(T), from which a quote tells one volatility from another."""
BRENT_ACCURACY = 1e-8


@dataclass(frozen=True, slots=True)
class Quotes:
    """American options on futures, ``[n]``, premium up front; ``outside`` deviations out of the money."""

    price: Floats
    forward: Floats
    strike: Floats
    rate: Floats
    days: NDArray[np.int64]
    vol: Floats
    is_call: NDArray[np.bool_]
    outside: Floats

    @property
    def years(self) -> Floats:
        """Time to expiry."""
        return self.days / 365.0

    def vols(self) -> tuple[Floats, NDArray[np.int8], NDArray[np.bool_]]:
        """What the engine makes of the prices: volatilities, statuses, and which of them took the exact pricer."""
        found = deamericanise(self.price, self.forward, self.strike, self.rate, self.years, self.is_call)
        return found.total_vol / np.sqrt(self.years), found.status, found.exact


def draw(n: int, outside: tuple[float, float]) -> Quotes:
    """Volatilities of 10-120 %, a day to two years, rates of 0-10 %; priced by the fine pricer."""
    rng = np.random.default_rng(2)
    vol = np.exp(rng.uniform(np.log(0.10), np.log(1.20), n))
    days = np.asarray(np.round(np.exp(rng.uniform(0.0, np.log(730.0), n))), dtype=np.int64)
    rate, is_call, forward = rng.uniform(0.0, 0.10, n), rng.random(n) < 0.5, rng.uniform(20.0, 500.0, n)
    deviations, total_vol = rng.uniform(*outside, n), vol * np.sqrt(days / 365.0)
    strike = forward * np.exp(np.where(is_call, deviations, -deviations) * total_vol)
    price = american_price(forward, strike, total_vol, rate * days / 365.0, is_call, FINE)
    return Quotes(price, forward, strike, rate, days, vol, is_call, deviations)


def quantlib_vols(quotes: Quotes, n: int) -> Callable[[], Floats]:
    """Return the loop over the first n quotes, each with its own option, process and engine, made beforehand."""
    ql = peer("QuantLib")
    today = ql.Date(15, 1, 2024)
    ql.Settings.instance().evaluationDate = today
    count = ql.Actual365Fixed()
    ready = []
    for i in range(n):
        vol = ql.SimpleQuote(0.3)
        forward = ql.QuoteHandle(ql.SimpleQuote(float(quotes.forward[i])))
        curve = ql.YieldTermStructureHandle(ql.FlatForward(today, float(quotes.rate[i]), count))
        flat = ql.BlackConstantVol(today, ql.NullCalendar(), ql.QuoteHandle(vol), count)
        process = ql.BlackProcess(forward, curve, ql.BlackVolTermStructureHandle(flat))
        kind = ql.Option.Call if quotes.is_call[i] else ql.Option.Put
        exercise = ql.AmericanExercise(today, today + int(quotes.days[i]))
        option = ql.VanillaOption(ql.PlainVanillaPayoff(kind, float(quotes.strike[i])), exercise)
        option.setPricingEngine(ql.QdFpAmericanEngine(process, ql.QdFpAmericanEngine.fastScheme()))
        ready.append((option, vol, float(quotes.price[i])))
    solver = ql.Brent()

    def solve_all() -> Floats:
        found = np.full(n, np.nan)
        for i, (option, vol, target) in enumerate(ready):

            def miss(sigma: float, option: object = option, vol: object = vol, target: float = target) -> float:
                vol.setValue(sigma)  # type: ignore[attr-defined]
                return float(option.NPV()) - target  # type: ignore[attr-defined]

            found[i] = solver.solve(miss, BRENT_ACCURACY, 0.3, 0.01, 3.0)
        return found

    return solve_all


def speed() -> list[Row]:
    """S2: out of the money to half a deviation in, as the cleaning lets them through."""
    quotes = draw(QUOTES, (-0.5, 2.5))
    loop = quantlib_vols(quotes, LOOPED)
    off = np.abs(loop() - quotes.vol[:LOOPED])
    taken = seconds_each({"ours": quotes.vols, "quantlib": loop}, repeats=7)
    ours, theirs = taken["ours"] / QUOTES, taken["quantlib"] / LOOPED
    measured = (
        f"{theirs / ours:.0f}x: {1e-3 / ours:.0f} k/s against {1.0 / theirs:.0f}/s"
        f" (its largest error {np.nanmax(off):.0e}, ours {np.abs(quotes.vols()[0] - quotes.vol).max():.0e})"
    )
    what = "American implied vol against QuantLib QdFp (fast scheme) + Brent"
    return [Row("S2", what, f">= {MIN_SPEEDUP:.0f}x", measured, theirs / ours >= MIN_SPEEDUP)]


def accuracy() -> list[Row]:
    """A2 over four deviations on either side, and the same by region."""
    quotes = draw(CHECKED, (-4.0, 4.0))
    sign = np.where(quotes.is_call, 1.0, -1.0)
    exercise = np.maximum(sign * (quotes.forward - quotes.strike), 0.0)
    over = (quotes.price - exercise) / (quotes.forward * quotes.vol * np.sqrt(quotes.years))
    vol, status, exact = quotes.vols()
    telling = over > SAYS_SOMETHING
    error = np.where(status == IvStatus.OK, np.abs(vol - quotes.vol), np.inf)
    regions = {
        "all that say something": telling,
        "out of the money": telling & (quotes.outside >= 0.0),
        "up to one deviation in": telling & (quotes.outside < 0.0) & (quotes.outside >= -1.0),
        "farther in": telling & (quotes.outside < -1.0),
    }
    rows = []
    for name, chosen in regions.items():
        worst, p99 = error[chosen].max(), np.quantile(error[chosen], 0.99)
        measured = f"max {worst:.1e}, p99 {p99:.1e} ({chosen.sum():,} quotes, {exact[chosen].sum()} by the pricer)"
        target = f"max <= {MAX_ERROR:.0e}, p99 <= {MAX_P99:.0e}"
        rows.append(Row("A2", f"table implied vol, {name}", target, measured, worst <= MAX_ERROR and p99 <= MAX_P99))
    return rows


def rows() -> list[Row]:
    """S2 and A2."""
    return [*speed(), *accuracy()]


if __name__ == "__main__":
    one_thread()
    print_table(rows())
