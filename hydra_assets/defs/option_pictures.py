"""Pictures of the options: why quotes fall out, smiles with their quotes, densities, moments, flows."""

from datetime import date

import numpy as np
import polars as pl

from hydra_assets.columns import IMPLIED_VOLS
from hydra_assets.defs.derived import Reader
from hydra_assets.defs.pictures import canvas, lines, png
from hydra_assets.options.average import MODELS
from hydra_assets.options.density import Z_GRID
from hydra_assets.options.vol_surface import SliceReason, average_of

MAX_SLICES = 6
MODEL_STYLES = {"ssvi": "--", "mixture": ":", "svi": "-."}


def _newest(rows: pl.DataFrame, where: pl.Expr) -> tuple[str, date, pl.DataFrame] | None:
    """First market, its newest session, and their rows, of those for which ``where`` holds; None where none does."""
    # Two columns first: a copy of ten years of options is hundreds of megabytes.
    keys = rows.lazy().filter(where).select("market", "session").collect()
    if keys.is_empty():
        return None
    market = str(keys["market"].min())
    session: date = max(keys.filter(pl.col("market") == market)["session"].unique().to_list())
    return market, session, rows.filter(where & (pl.col("market") == market) & (pl.col("session") == session))


def quote_reasons(rows: pl.DataFrame, _: Reader) -> bytes | None:
    """Share of the quotes by verdict, over the run's sessions."""
    counted = rows.group_by("quote_reason").len().sort("len")
    with canvas("What became of the quotes", rows["market"].unique().to_list()) as (figure, axes):
        axes.barh(counted["quote_reason"].to_list(), (100.0 * counted["len"] / rows.height).to_list())
        axes.set_xlabel("% of all quotes")
        axes.tick_params(axis="y", labelsize=7)
        return png(figure)


def quoted_vols(rows: pl.DataFrame, _: Reader) -> bytes | None:
    """Implied volatilities with their half-spreads, per expiry of the newest session."""
    newest = _newest(rows, pl.col("iv").is_not_null())
    if newest is None:
        return None
    market, session, part = newest
    with canvas(f"{market} implied volatilities of {session}", [market]) as (figure, axes):
        for (expiry,), one in list(part.sort("expiry", "strike").group_by(["expiry"], maintain_order=True))[
            :MAX_SLICES
        ]:
            axes.errorbar(
                one["log_moneyness"], 100.0 * one["iv"], 100.0 * one["iv_half_spread"], fmt=".", label=str(expiry), lw=1
            )
        axes.set_xlabel("ln(strike / forward)")
        axes.set_ylabel("implied volatility, % a year")
        axes.legend(fontsize=8)
        return png(figure)


def fitted_smiles(rows: pl.DataFrame, read: Reader) -> bytes | None:
    """The best-quoted expiry of the newest session: quotes with spreads, the three fits and their average."""
    newest = _newest(rows, pl.col("slice_reason") == SliceReason.OK)
    if newest is None:
        return None
    market, session, part = newest
    best = part.sort("quotes_used", "expiry", descending=[True, False]).head(1)
    expiry, years = best["expiry"][0], best["year_fraction"][0]
    quotes = read(IMPLIED_VOLS, market, session).filter((pl.col("expiry") == expiry) & pl.col("iv").is_not_null())
    average = average_of(best)
    reach = 1.3 * max(float(np.abs(quotes["log_moneyness"].to_numpy()).max(initial=0.0)), 0.05)
    k = np.linspace(-reach, reach, 161)[None, :]
    with canvas(f"{market} smile of {session}, expiry {expiry}", [market]) as (figure, axes):
        axes.errorbar(
            quotes["log_moneyness"],
            100.0 * quotes["iv"],
            100.0 * quotes["iv_half_spread"],
            fmt="k.",
            lw=1,
            label="mid and spread",
        )
        for name, model, weight in zip(MODELS, average.models, average.weights[0], strict=True):
            if weight > 0.0:
                w = model.total_variance(k)[0]
                label = f"{name}, weight {weight:.2f}"
                axes.plot(k[0], 100.0 * np.sqrt(w / years), MODEL_STYLES[name], lw=1, label=label)
        axes.plot(k[0], 100.0 * np.sqrt(average.total_variance(k)[0] / years), lw=1.6, label="average")
        axes.set_xlabel("ln(strike / forward)")
        axes.set_ylabel("implied volatility, % a year")
        axes.legend(fontsize=8)
        return png(figure)


def density_fan(rows: pl.DataFrame, _: Reader) -> bytes | None:
    """Densities of the price at each expiry of the newest session."""
    newest = _newest(rows, pl.col("density").is_not_null())
    if newest is None:
        return None
    market, session, part = newest
    with canvas(f"{market} implied densities of {session}", [market]) as (figure, axes):
        shown = part.sort("expiry").head(MAX_SLICES)
        columns = ("expiry", "density", "density_unit", "forward", "grade")
        for expiry, density, unit, forward, grade in shown.select(columns).iter_rows():
            price = forward * np.exp(Z_GRID * unit)
            axes.plot(price, np.asarray(density) / (unit * price), lw=1, label=f"{expiry} ({grade})")
        quantiles = np.array(shown["quantiles"].to_list(), dtype=np.float64)
        axes.set_xlim(0.9 * quantiles.min(), 1.1 * quantiles.max())
        axes.set_xlabel("price at expiry")
        axes.set_ylabel("density")
        axes.legend(fontsize=8)
        return png(figure)


def moments_history(rows: pl.DataFrame, _: Reader) -> bytes | None:
    """At-the-money volatility and skew at 60 days with their 90 % intervals, over the run's sessions."""
    one = rows.filter((pl.col("tenor") == "60d") & pl.col("atm_vol").is_not_null()).sort("session")
    if one.is_empty():
        return None
    market = str(one["market"].min())
    part = one.filter(pl.col("market") == market)
    with canvas(f"{market} at 60 days: volatility (left) and skew (right)", [market]) as (figure, axes):
        right = axes.twinx()
        for axis, name, colour in ((axes, "atm_vol", "tab:blue"), (right, "skew", "tab:orange")):
            axis.plot(part["session"].to_numpy(), part[name].to_numpy(), color=colour, lw=1)
            low, high = part[f"{name}_lo"].to_numpy(), part[f"{name}_hi"].to_numpy()
            axis.fill_between(part["session"].to_numpy(), low, high, color=colour, alpha=0.2, lw=0)
        axes.set_ylabel("implied volatility a year")
        right.set_ylabel("skewness")
        return png(figure)


def gamma_by_strike(rows: pl.DataFrame, _: Reader) -> bytes | None:
    """Gamma exposure by strike of the newest session, unsigned and under the dealers' convention."""
    strikes = (pl.col("level") == "strike") & (pl.col("basis") == "open_interest")
    newest = _newest(rows, strikes & pl.col("gex_unsigned_per_percent").is_not_null())
    if newest is None:
        return None
    market, session, part = newest
    names = ("gex_unsigned_per_percent", "gex_signed_per_percent")
    summed = part.group_by("strike").agg(pl.col(*names).sum()).sort("strike")
    with canvas(f"{market} gamma exposure by strike on {session}", [market]) as (figure, axes):
        for name, label in zip(names, ("unsigned", "dealers long calls, short puts"), strict=True):
            axes.plot(summed["strike"].to_numpy(), summed[name].to_numpy(), ".-", lw=1, label=label)
        axes.set_xlabel("strike")
        axes.set_ylabel("delta gained per 1 % move, currency")
        axes.legend(fontsize=8)
        return png(figure)


def real_world_returns(rows: pl.DataFrame, _: Reader) -> bytes | None:
    """Expected return to the expiry nearest 60 days, over the run's sessions."""
    near = rows.with_columns((pl.col("days_to_expiry") - 60).abs().alias("away")).sort("away", "expiry")
    one = near.unique(["market", "session"], keep="first", maintain_order=True)
    title = "Real-world expected return to the expiry nearest 60 days"
    return lines(one, x="session", y="expected_return", title=title, unit="fraction")
