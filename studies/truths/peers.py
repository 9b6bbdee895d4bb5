"""What else turns a chain into a density: the usual short cuts, and a published package.

All see the quotes that the pipeline's own rules left standing, and answer with the density of x = ln(S_T/F) on a grid.
"""

import warnings
from collections.abc import Iterable

import numpy as np
from scipy.interpolate import make_smoothing_spline

from benchmarks.table import peer
from hydra_assets.options.black76 import SQRT_2PI, normalised_call
from hydra_assets.options.slices import SliceQuotes
from studies.truths import FORWARD, YEARS, Floats
from studies.truths.chains import SESSION

MIN_SPLINE_QUOTES = 5


def flat_at_the_money(quotes: SliceQuotes, x: Floats) -> Floats:
    """A lognormal at the money: volatility interpolated between the quotes on either side of F; ``[n, m]``."""
    s = np.array([_vol_at_zero(k, w) for k, w, _ in _rows(quotes)])[:, None]
    density: Floats = np.exp(-0.5 * (x / s + 0.5 * s) ** 2) / (SQRT_2PI * s)
    return density


def smoothing_spline(quotes: SliceQuotes, x: Floats) -> Floats:
    """Second difference of the calls of a smoothing spline of volatility in k, flat beyond the quotes; ``[n, m]``.

    Weights are 1/half-spread of volatility, smoothness is chosen by generalised cross-validation; a negative density is
    set to zero and the mass to one. Source: D. Shimko, "Bounds of probability", Risk 6 (1993), with the spline of
    R. Bliss and N. Panigirtzoglou, Journal of Banking & Finance 26 (2002).
    """
    out = np.empty(x.shape)
    for i, (k, w, half_spread) in enumerate(_rows(quotes)):
        s = np.sqrt(w)
        if len(k) < MIN_SPLINE_QUOTES:
            smile = np.full(x.shape[1], _vol_at_zero(k, w))
        else:
            spline = make_smoothing_spline(k, s, w=(2.0 * s / half_spread) ** 2)
            smile = np.maximum(spline(np.clip(x[i], k[0], k[-1])), 0.05 * s.min())
        out[i] = _density_of_smile(x[i], smile)
    return out


def _density_of_smile(x: Floats, s: Floats) -> Floats:
    strike = np.exp(x)
    call = np.maximum(1.0 - strike, 0.0) + np.sqrt(strike) * normalised_call(-np.abs(x), s)
    slope = np.gradient(call, strike)
    density = np.maximum(np.gradient(slope, strike) * strike, 0.0)
    p: Floats = density / np.trapezoid(density, x)
    return p


def _vol_at_zero(k: Floats, w: Floats) -> float:
    return float(np.interp(0.0, k, np.sqrt(w)))


def _rows(quotes: SliceQuotes) -> Iterable[tuple[Floats, Floats, Floats]]:
    """Each slice's quotes, ascending in k."""
    for k, w, half_spread, used in zip(quotes.k, quotes.w, quotes.half_spread, quotes.used, strict=True):
        order = np.flatnonzero(used)[np.argsort(k[used], kind="stable")]
        yield k[order], w[order], half_spread[order]


def oipd_density(strike: Floats, bid: Floats, ask: Floats, x: Floats) -> Floats:
    """Density by the package ``oipd`` as it comes, ``[m]``; NaN where it gives up.

    It infers its forward from pairs, so the in-the-money leg is quoted too: the out-of-the-money one plus intrinsic
    value, which makes that forward exactly F.

    Raises
    ------
    SystemExit
        The package is not there.
    """
    oipd, pd = peer("oipd"), peer("pandas")
    inner = np.abs(strike - FORWARD)
    legs = []
    for right, outer in (("C", strike >= FORWARD), ("P", strike < FORWARD)):
        intrinsic = np.where(outer, 0.0, inner)
        legs.append(
            pd.DataFrame(
                {
                    "strike": strike,
                    "option_type": right,
                    "bid": bid + intrinsic,
                    "ask": ask + intrinsic,
                    "last_price": 0.5 * (bid + ask) + intrinsic,
                }
            )
        )
    start = pd.Timestamp(SESSION)
    chain = pd.concat(legs, ignore_index=True).assign(expiry=start + pd.Timedelta(days=365 * YEARS))
    market = oipd.MarketInputs(valuation_date=start, underlying_price=FORWARD, risk_free_rate=0.0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            curve = oipd.VolCurve().fit(chain, market).implied_distribution()
    except Exception:  # whatever a peer raises, it has no answer
        return np.full(len(x), np.nan)
    price = FORWARD * np.exp(x)
    found: Floats = np.interp(price, curve.prices, curve.pdf_values, left=0.0, right=0.0) * price
    return found


__all__ = ["flat_at_the_money", "oipd_density", "smoothing_spline"]
