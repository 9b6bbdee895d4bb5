"""Smile fits against their peers: targets S3, S4, S5, A4 and A8 of the options engine.

``uv run --group bench python -m benchmarks.options_fits`` prints them with their verdicts. Speed is per slice of 40
strikes, one thread, interleaved medians. The peer of S3 and S5 is ``scipy.optimize.least_squares`` called once a slice
with the analytic Jacobian, Huber's loss and bounds: from one start for SSVI and raw SVI (ours tries four for the
latter, and searches for arbitrage), from the same two for the mixture. ``oipd`` has its defaults, with bids and asks.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares
from scipy.special import ndtr

from benchmarks.table import Row, one_thread, peer, print_table, seconds_each
from hydra_assets.options import mixture, ssvi, svi
from hydra_assets.options.black76 import SQRT_2PI, Floats, normalised_call, normalised_vega
from hydra_assets.options.calendar import calendar_violation, fit_sequence
from hydra_assets.options.implied_vol import implied_total_vol
from hydra_assets.options.mixture import LognormalMixture
from hydra_assets.options.slices import CHUNK_SLICES, SliceQuotes
from hydra_assets.options.ssvi import Ssvi, phi_cap
from hydra_assets.options.svi import Svi
from studies.truths import BUILDERS, YEARS, moments, truth
from studies.truths.chains import Cell, bids_and_asks

SLICES = 2048
PEER_SLICES = 48
OIPD_SLICES = 6
STRIKES = 40
FORWARD = 100.0
VOL_FLOOR = 0.003
EXACT_HALF_SPREADS = 1e-6


@dataclass(frozen=True, slots=True)
class Chains:
    """The accuracy study's clean chains at 40 strikes, and their truths."""

    quotes: SliceQuotes
    cells: list[Cell]


def chains(draws: int) -> Chains:
    """All truths, half-spreads of 1, 5 and 15 %."""
    cells = [
        Cell(name, STRIKES, h, False, draw) for draw in range(draws) for h in (0.01, 0.05, 0.15) for name in BUILDERS
    ]
    strike, bid, ask = (np.stack(values) for values in zip(*(bids_and_asks(cell) for cell in cells), strict=True))
    mid, half = 0.5 * (bid + ask), 0.5 * (ask - bid)
    k = np.log(strike / FORWARD)
    total = implied_total_vol(mid, FORWARD, strike, strike >= FORWARD).total_vol
    half_vol = half / FORWARD / np.exp(0.5 * k) / normalised_vega(-np.abs(k), total)
    half_spread = 2.0 * total * np.maximum(half_vol, VOL_FLOOR * np.sqrt(YEARS))
    return Chains(SliceQuotes(k, total**2, half_spread, np.isfinite(half_spread)), cells)


def exact_slices(n: int, seed: int) -> Svi:
    """Raw SVI slices without arbitrage: total volatility 4 to 40 %, sharp and round, wings of every steepness."""
    rng = np.random.default_rng(seed)
    size = 6 * n
    sd = np.exp(rng.uniform(np.log(0.04), np.log(0.4), size))
    m, sigma = rng.uniform(-1.2, 1.2, size), np.exp(rng.uniform(np.log(0.15), np.log(2.5), size))
    rho, b = rng.uniform(-0.8, 0.8, size), rng.uniform(0.05, 0.8, size)
    a = 1.0 - b * (np.sqrt(m * m + sigma * sigma) - rho * m)
    drawn = Svi(a * sd**2, b * sd, rho, m * sd, sigma * sd).take(a + b * sigma * np.sqrt(1.0 - rho**2) > 0.1)
    return drawn.take(svi.min_g(drawn)[0] > 1e-4).take(slice(0, n))


def quoted(slices: Svi, strikes: int, deviations: float, share: float, noise: int | None = None) -> SliceQuotes:
    """Even strikes, half-spread a share of total variance, mids uniform within them unless ``noise`` is None."""
    k = np.linspace(-deviations, deviations, strikes) * np.sqrt(slices.total_variance(np.zeros((len(slices), 1))))
    w = slices.total_variance(k)
    half_spread = share * w
    if noise is not None:
        w = w + half_spread * np.random.default_rng(noise).uniform(-1.0, 1.0, w.shape)
    return SliceQuotes(k, w, half_spread, np.ones_like(w, dtype=np.bool_))


def _solve(
    model: Callable[..., tuple[Floats, Floats]], start: Floats, bounds: tuple[Floats, Floats]
) -> tuple[Floats, float]:
    """One slice by scipy; the model gives residuals and Jacobian, kept for the second of scipy's two calls."""
    last: dict[str, Floats] = {}

    def residual(x: Floats) -> Floats:
        value, last["jacobian"] = model(*x)
        last["x"] = x.copy()
        return value

    def jacobian(x: Floats) -> Floats:
        return last["jacobian"] if (last["x"] == x).all() else model(*x)[1]

    inside = np.minimum(np.maximum(start, bounds[0] + 1e-9), bounds[1] - 1e-9)
    found = least_squares(residual, inside, jacobian, bounds=bounds, loss="huber", x_scale="jac")
    return found.x, float(found.cost)


def scipy_ssvi(quotes: SliceQuotes) -> Floats:
    """Parameters (theta, rho, phi), ``[n, 3]``."""
    rows = []
    for k, w, inverse in zip(quotes.k, quotes.w, 1.0 / quotes.half_spread, strict=True):

        def model(
            theta: float, rho: float, phi: float, k: Floats = k, w: Floats = w, i: Floats = inverse
        ) -> tuple[Floats, Floats]:
            v = phi * k
            root = np.sqrt((v + rho) ** 2 + 1.0 - rho * rho)
            by_theta = 0.5 * (1.0 + rho * v + root)
            half = 0.5 * theta * k
            columns = (by_theta, half * phi * (1.0 + 1.0 / root), half * (rho + (v + rho) / root))
            return (theta * by_theta - w) * i, np.stack(columns, axis=1) * i[:, None]

        theta = float(np.interp(0.0, k, w))
        bounds = (
            np.array([1e-8, -0.999, 1e-6]),
            np.array([10.0, 0.999, float(phi_cap(np.array([theta]), np.zeros(1))[0])]),
        )
        rows.append(_solve(model, np.array([theta, 0.0, 0.3 * bounds[1][2]]), bounds)[0])
    return np.array(rows)


def scipy_svi(quotes: SliceQuotes) -> Floats:
    """Parameters (a, b, rho, m, sigma), ``[n, 5]``."""
    rows = []
    for k, w, inverse in zip(quotes.k, quotes.w, 1.0 / quotes.half_spread, strict=True):

        def model(
            a: float, b: float, rho: float, m: float, sigma: float, k: Floats = k, w: Floats = w, i: Floats = inverse
        ) -> tuple[Floats, Floats]:
            x = k - m
            root = np.sqrt(x * x + sigma * sigma)
            shape = rho * x + root
            columns = (np.ones_like(x), shape, b * x, -b * (rho + x / root), b * sigma / root)
            return (a + b * shape - w) * i, np.stack(columns, axis=1) * i[:, None]

        sd = float(np.sqrt(np.interp(0.0, k, w)))
        bounds = np.array([-1.0, 0.0, -0.999, -10 * sd, 0.02 * sd]), np.array([1.0, 2.0, 0.999, 10 * sd, 20 * sd])
        rows.append(_solve(model, np.array([0.5 * sd * sd, 0.5 * sd, 0.0, 0.0, sd]), bounds)[0])
    return np.array(rows)


def scipy_mixture(quotes: SliceQuotes) -> LognormalMixture:
    """The better of two starts a slice."""
    raw, scales = [], []
    for k_all, w_all, half_spread, used in zip(quotes.k, quotes.w, quotes.half_spread, quotes.used, strict=True):
        k, w = k_all[used], w_all[used]
        root, forth = np.sqrt(w), np.exp(0.5 * k)
        call = np.maximum(-np.expm1(k), 0.0) + forth * normalised_call(-np.abs(k), root)
        inverse = 2.0 * root / (forth * normalised_vega(-np.abs(k), root) * half_spread[used])
        scale = float(np.sqrt(w.mean()))
        model = _mixture_model(k, call, inverse, scale)
        width = float(np.log(max(0.5 * (k.max() - k.min()) / (len(k) - 1) / scale, 0.2)))
        high = np.array([4.0, 5.0, np.log(4.0), np.log(4.0)])
        bounds = np.array([-4.0, -5.0, width, width]), high
        side = 1.0 if ((w - scale * scale) * k / half_spread[used]).sum() > 0.0 else -1.0
        starts = [np.array([np.log(p / (1 - p)), side * d, np.log(a), np.log(b)]) for p, d, a, b in mixture.STARTS]
        raw.append(min((_solve(model, start, bounds) for start in starts), key=lambda found: found[1])[0])
        scales.append(scale)
    return mixture.slices_of(np.array(raw).T, np.array(scales))


def _mixture_model(k: Floats, call: Floats, inverse: Floats, scale: float) -> Callable[..., tuple[Floats, Floats]]:
    strike = np.exp(k)

    def model(logit: float, distance: float, log_s1: float, log_s2: float) -> tuple[Floats, Floats]:
        p, ratio = 1.0 / (1.0 + np.exp(-logit)), np.exp(distance * scale)
        q, m2 = 1.0 - p, 1.0 / (p * ratio + 1.0 - p)
        m1, s1, s2 = ratio * m2, np.exp(log_s1) * scale, np.exp(log_s2) * scale
        d1, d2 = (np.log(m1) - k) / s1 + 0.5 * s1, (np.log(m2) - k) / s2 + 0.5 * s2
        n1, n2 = ndtr(d1), ndtr(d2)
        c1, c2 = m1 * n1 - strike * ndtr(d1 - s1), m2 * n2 - strike * ndtr(d2 - s2)
        columns = (
            p * q * (c1 - c2 - (m1 - m2) * (p * m1 * n1 + q * m2 * n2)),
            p * q * m1 * m2 * scale * (n1 - n2),
            p * s1 * m1 / SQRT_2PI * np.exp(-0.5 * d1 * d1),
            q * s2 * m2 / SQRT_2PI * np.exp(-0.5 * d2 * d2),
        )
        return (p * c1 + q * c2 - call) * inverse, np.stack(columns, axis=1) * inverse[:, None]

    return model


def l1_distances(slices: LognormalMixture, cells: list[Cell]) -> Floats:
    """L1 distance of each density from its truth, on eight standard deviations either side."""
    distance = []
    for i, cell in enumerate(cells):
        law = truth(cell.truth)
        x = np.linspace(-8.0, 8.0, 1601) * moments(law).sd
        p = slices.take(slice(i, i + 1)).density(x[None, :])[0]
        distance.append(float(np.abs(p - law.density(x)).sum() * (x[1] - x[0])))
    return np.array(distance)


def speed_of_svi() -> list[Row]:
    """S3 and S4."""
    quotes = quoted(exact_slices(SLICES, 1), STRIKES, 2.5, 0.05, noise=2)
    few, fewer = quotes.take(slice(0, PEER_SLICES)), quotes.take(slice(0, OIPD_SLICES))
    oipd = peer("oipd.core.vol_surface_fitting.facade")
    vols = np.sqrt(np.stack([fewer.w, fewer.w - fewer.half_spread, fewer.w + fewer.half_spread]) / YEARS)

    def by_oipd() -> None:
        for i in range(OIPD_SLICES):
            strikes = FORWARD * np.exp(fewer.k[i])
            mid, bid, ask = vols[:, i]
            oipd.fit_slice("svi", strikes, mid, forward=FORWARD, maturity_years=YEARS, bid_iv=bid, ask_iv=ask)

    each = seconds_each(
        {
            "ssvi": lambda: ssvi.fit_slices(quotes),
            "svi": lambda: svi.fit(quotes),
            "scipy ssvi": lambda: scipy_ssvi(few),
            "scipy svi": lambda: scipy_svi(few),
            "oipd": by_oipd,
        },
        repeats=5,
    )
    start = ssvi.fit_slices(quotes).slices
    warm = seconds_each({"warm": lambda: ssvi.fit_slices(quotes, start)}, repeats=5)["warm"]
    a_second = {
        "ssvi": SLICES / each["ssvi"],
        "svi": SLICES / each["svi"],
        "scipy ssvi": PEER_SLICES / each["scipy ssvi"],
        "scipy svi": PEER_SLICES / each["scipy svi"],
        "oipd": OIPD_SLICES / each["oipd"],
    }
    rows = []
    for id_, ours, theirs, target in (
        ("S3", "ssvi", "scipy ssvi", 100),
        ("S3", "svi", "scipy svi", 25),
        ("S4", "svi", "oipd", 1000),
    ):
        ratio = a_second[ours] / a_second[theirs]
        extra = f"; warm {SLICES / warm:,.0f}/s" if ours == "ssvi" else ""
        measured = f"{ratio:,.0f}x ({a_second[ours]:,.0f}/s against {a_second[theirs]:,.1f}/s{extra})"
        rows.append(Row(id_, f"{ours} fits against {theirs}", f">= {target:,}x", measured, ratio >= target))
    return rows


def speed_of_mixture() -> list[Row]:
    """S5."""
    small = chains(2)
    many = small.quotes.take(np.tile(np.arange(len(small.cells)), SLICES // len(small.cells)))
    each = seconds_each({"ours": lambda: mixture.fit(many), "scipy": lambda: scipy_mixture(small.quotes)}, repeats=5)
    ratio = (each["scipy"] / len(small.cells)) / (each["ours"] / len(many))
    wide = chains(5)
    ours = l1_distances(mixture.fit(wide.quotes).slices, wide.cells)
    theirs = l1_distances(scipy_mixture(wide.quotes), wide.cells)
    worse = float(np.median(ours) / np.median(theirs))
    speed = f"{ratio:,.0f}x ({len(many) / each['ours']:,.0f}/s against {len(small.cells) / each['scipy']:,.1f}/s)"
    accuracy = f"{worse:.2f}x (median {np.median(ours):.4f} against {np.median(theirs):.4f})"
    return [
        Row("S5", "mixture fits against scipy", ">= 40x", speed, ratio >= 40.0),
        Row("S5", "    their L1 density error", "<= 1.1x", accuracy, worse <= 1.1),
    ]


def exactness() -> list[Row]:
    """A4, at 12 and 40 strikes, half-spreads of 1 % of total variance."""
    rows = []
    for strikes, deviations in ((12, 1.6), (40, 2.5)):
        found = svi.fit(quoted(exact_slices(SLICES, 3), strikes, deviations, 0.01))
        share = float(np.mean(found.fitted & (np.abs(found.residual).max(axis=1) <= EXACT_HALF_SPREADS)))
        what = f"noise-free raw SVI to 1e-6 half-spreads, {strikes} strikes"
        rows.append(Row("A4", what, ">= 99 %", f"{100 * share:.2f} %", share >= 0.99))
    return rows


def arbitrage() -> list[Row]:
    """A8: noisy slices, and groups of six expiries whose total variance hardly rises."""
    quotes = quoted(exact_slices(SLICES, 4), 20, 2.0, 0.10, noise=5)
    grid = np.linspace(-8.0, 8.0, 2001)
    broken, published = 0, 0
    for fit in (ssvi.fit_slices(quotes), svi.fit(quotes)):
        smile: Ssvi | Svi = fit.slices.take(fit.fitted)
        for first in range(0, len(smile), CHUNK_SLICES):
            part = smile.take(slice(first, first + CHUNK_SLICES))
            unit = np.sqrt(part.total_variance(np.zeros((len(part), 1))))
            broken += int((part.durrleman(grid * unit).min(axis=1) < -1e-6).sum())
        published += len(smile)
    crossing, free, pairs = _crossings(groups=400, depth=6)
    butterfly, calendar = f"{broken} of {published:,}", f"{free} of {pairs:,} pairs ({crossing:,} if fitted alone)"
    return [
        Row("A8", "published slices with a butterfly arbitrage", "0", butterfly, broken == 0),
        Row("A8", "expiries of one underlying that cross", "0", calendar, free == 0),
    ]


def _crossings(groups: int, depth: int) -> tuple[int, int, int]:
    rng = np.random.default_rng(6)
    group, order = np.repeat(np.arange(groups), depth), np.tile(np.arange(depth), groups)
    theta = np.repeat(np.exp(rng.uniform(np.log(0.003), np.log(0.1), groups)), depth) * 1.15**order
    rho = rng.uniform(-0.6, 0.6, len(theta))
    truths = Ssvi(theta, rho, phi_cap(theta, rho) * rng.uniform(0.1, 0.6, len(theta)))
    k = np.linspace(-1.8, 1.8, 13) * np.sqrt(theta)[:, None]
    w = truths.total_variance(k)
    quotes = SliceQuotes(k, w * (1.0 + 0.08 * rng.uniform(-1, 1, w.shape)), 0.08 * w, np.ones_like(w, dtype=np.bool_))
    later = np.flatnonzero(order > 0)
    counts = []
    for fit in (ssvi.fit_slices(quotes), fit_sequence(quotes, order, group)):
        after, before = fit.slices.take(later), fit.slices.take(later - 1)
        gain = calendar_violation(before, after, np.linspace(-8.0, 8.0, 801) * np.sqrt(after.theta)[:, None])
        counts.append(int((gain < -1e-12 * after.theta).sum()))
    return counts[0], counts[1], len(later)


def rows() -> list[Row]:
    """Measure everything."""
    return [*speed_of_svi(), *speed_of_mixture(), *exactness(), *arbitrage()]


if __name__ == "__main__":
    one_thread()
    print_table(rows(), "Smile fits")
