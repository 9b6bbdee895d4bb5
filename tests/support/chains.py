"""Option chains around a known smile, and the option assets' functions over them in their order."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.columns import DATASETS
from hydra_assets.options.american import american_price
from hydra_assets.options.black76 import price
from hydra_assets.options.clean import QuoteTerms, clean
from hydra_assets.options.greeks_flows import flows_of
from hydra_assets.options.implied_density import densities_of
from hydra_assets.options.implied_moments import moments_of
from hydra_assets.options.ssvi import Ssvi
from hydra_assets.options.vol_surface import fit_surface
from hydra_assets.options.vols import implied_vols

Floats = NDArray[np.float64]
SESSION = date(2026, 9, 1)
TERMS = QuoteTerms(tick=0.025, strike_interval=2.0)
MULTIPLIER = 400.0


def ssvi(vol: float = 0.3, rho: float = -0.3, bend: float = 0.5, days: int = 60) -> Ssvi:
    """One SSVI slice with ``vol`` a year at the money and phi sqrt(theta) = ``bend``."""
    theta = vol * vol * days / 365.0
    return Ssvi(*(np.array([x]) for x in (theta, rho, bend / np.sqrt(theta))))


@dataclass(frozen=True, slots=True)
class Chain:
    """Calls and puts of one expiry. ``half_spread`` is a share of the mid, at least half a tick; ``jitter`` moves the
    quotes by so many half-spreads, normally distributed.
    """

    smile: Ssvi | None = None
    forward: float = 100.0
    days: int = 60
    session: date = SESSION
    strikes: tuple[float, ...] = tuple(np.arange(70.0, 142.0, 2.0).tolist())
    half_spread: float = 0.04
    exercise: str = "european"
    margin_style: str = "premium_upfront"
    rate: float = 0.04
    market: str = "SIM_HE"
    underlying: str | None = None
    jitter: float = 0.0
    seed: int = 0
    tick: float = TERMS.tick

    def vols(self) -> Floats:
        """True total volatility at each strike."""
        smile = self.smile or ssvi(days=self.days)
        k = np.log(np.array(self.strikes) / self.forward)
        total: Floats = np.sqrt(smile.total_variance(k[None, :])[0])
        return total

    def quotes(self) -> pl.DataFrame:
        """Rows of ``option_quotes`` with ``rate``: the calls, then the puts."""
        return pl.concat([self._leg("C"), self._leg("P")])

    def _leg(self, right: str) -> pl.DataFrame:
        strikes, years = np.array(self.strikes), self.days / 365.0
        total, call = self.vols(), np.full(len(self.strikes), right == "C")
        forwards = np.full(len(strikes), self.forward)
        if self.exercise == "american" and self.margin_style == "premium_upfront":
            mid = american_price(forwards, strikes, total, np.full(len(strikes), self.rate * years), call)
        else:
            paid = self.rate if self.margin_style == "premium_upfront" else 0.0
            mid = np.exp(-paid * years) * price(forwards, strikes, total, call)
        half = np.maximum(0.5 * self.tick, self.half_spread * mid)
        salt = [self.seed, self.session.toordinal(), self.days, int(right == "C")]
        mid = mid + self.jitter * half * np.random.default_rng(salt).standard_normal(len(mid))
        expiry = self.session + timedelta(self.days)
        underlying = self.underlying or f"HE {expiry:%Y-%m}"
        return pl.DataFrame({"strike": strikes, "bid": np.maximum(mid - half, 0.0), "ask": mid + half}).with_columns(
            (pl.lit(f"{underlying} {right} ") + pl.col("strike").cast(pl.String)).alias("option"),
            pl.lit(right).alias("right"),
            pl.lit(self.market).alias("market"),
            pl.lit(self.session).alias("session"),
            pl.lit(expiry).alias("expiry"),
            pl.lit(underlying).alias("underlying_contract"),
            pl.lit(None, pl.Float64).alias("settle"),
            pl.lit(None, pl.Float64).alias("vendor_iv"),
            pl.lit(self.forward).alias("underlying_settle"),
            pl.lit(0, pl.Int64).alias("underlying_age_sessions"),
            pl.lit(self.days, pl.Int64).alias("days_to_expiry"),
            pl.lit(years).alias("year_fraction"),
            pl.lit(1.0).alias("quote_age_hours"),
            pl.lit(self.exercise).alias("exercise"),
            pl.lit(self.margin_style).alias("margin_style"),
            pl.lit(self.rate).alias("rate"),
            pl.lit(100.0).alias("open_interest"),
            pl.lit(10.0).alias("volume"),
        )


@dataclass(frozen=True, slots=True)
class Stages:
    """Every frame of the flow."""

    clean: pl.DataFrame
    vols: pl.DataFrame
    surface: pl.DataFrame
    density: pl.DataFrame
    moments: pl.DataFrame
    flows: pl.DataFrame

    def named(self) -> dict[str, pl.DataFrame]:
        """Frames by the dataset each is of."""
        return {
            "clean_quotes": self.clean,
            "implied_vols": self.vols,
            "vol_surface": self.surface,
            "implied_density": self.density,
            "implied_moments": self.moments,
            "greeks_flows": self.flows,
        }


def stages(
    quotes: pl.DataFrame, sessions: pl.DataFrame | None = None, draws: int = 0, terms: QuoteTerms = TERMS
) -> Stages:
    """Run the flow from quotes to hedging flows, by the functions that the assets call, each on its dataset's columns.

    ``sessions`` (market, session) are those of the quotes if not given.
    """
    judged = stored("clean_quotes", clean(quotes, terms).with_columns(pl.col("rate").fill_nan(None)))
    vols = stored("implied_vols", implied_vols(judged))
    surface = stored("vol_surface", fit_surface(judged, vols))
    density = stored("implied_density", densities_of(surface, vols, draws))
    wanted = quotes.select("market", "session").unique(maintain_order=True) if sessions is None else sessions
    moments = stored("implied_moments", moments_of(density, surface, wanted))
    return Stages(
        judged, vols, surface, density, moments, stored("greeks_flows", flows_of(judged, surface, MULTIPLIER))
    )


def stored(dataset: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows as an asset stores and the next one reads them."""
    return rows.select(pl.col(name).cast(dtype) for name, dtype in DATASETS[dataset].schema.items())


def fitted(*chains: Chain) -> tuple[pl.DataFrame, pl.DataFrame]:
    """``vol_surface`` and ``implied_vols`` of some chains."""
    judged = stored("clean_quotes", clean(pl.concat([c.quotes() for c in chains]), TERMS))
    vols = stored("implied_vols", implied_vols(judged))
    return stored("vol_surface", fit_surface(judged, vols)), vols


def noisy_chain(seed: int, days: int, session: date = SESSION, underlying: str | None = None) -> Chain:
    """A chain of random smile, strikes (5 to 36 of them), spreads and noise."""
    rng = np.random.default_rng([seed, days])
    listed = np.arange(70.0, 142.0, 2.0)
    strikes = np.sort(rng.choice(listed, size=int(rng.integers(5, 37)), replace=False))
    return Chain(
        ssvi(rng.uniform(0.15, 0.45), rng.uniform(-0.6, 0.6), rng.uniform(0.1, 0.8), days),
        days=days,
        session=session,
        strikes=tuple(strikes.tolist()),
        half_spread=rng.uniform(0.02, 0.12),
        underlying=underlying,
        jitter=0.8,
        seed=seed,
    )


def weekdays(n: int, first: date = SESSION) -> list[date]:
    """Sessions Monday to Friday, from ``first`` on."""
    days = (first + timedelta(i) for i in range(2 * n + 7))
    return [day for day in days if day.weekday() < 5][:n]
