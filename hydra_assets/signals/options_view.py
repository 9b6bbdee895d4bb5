"""What the options say beside their own past: one view of up to four readings, each with its noise.

With z_i = (x_i - mean of its past) / sd of its past and e_i = se_i / sd of its past, reading i is *noise* where
|z_i| < 1.645 e_i: its own mean lies inside its 90 % interval. Then it counts as neutral, 0. With weights w_i

    view_t = sum w_i z_i / sum |w_i|,    counted_t = the same with noisy z_i as 0,
    options_z_t = counted_t / sd(view_<t),    options_z_se_t = sum |w_i| e_i / sum |w_i| / sd(view_<t),

the last sum over the readings that count. Errors are added as if perfectly dependent, since the readings share their
quotes. Where all readings are noise the view is, and its error is that of all.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.arrays import floats
from hydra_assets.signals.classification import KURTOSIS_GRADES
from hydra_assets.signals.history import expanding_scale, lagged_change
from hydra_assets.signals.thresholds import DivergenceConfig

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

KEY = ["market", "session"]
READINGS = ("tilt", "risk_reversal_25", "skew", "expected_return")
PARAMETER_ERROR = frozenset({"expected_return"})
"""Readings whose error is that of parameters fitted on past expiries, nearly the same from session to session."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One series in standard deviations of its own past, all ``[n]``, NaN where missing or too young."""

    z: Floats
    se: Floats
    """Standard error of z; NaN where the series has none."""
    noise: Bools
    """z is there and inside its interval. A reading without a standard error cannot be told from noise."""

    @property
    def counted(self) -> Floats:
        """z, 0 where it is noise."""
        return np.where(self.noise, 0.0, self.z)


def reading(values: Floats, errors: Floats, config: DivergenceConfig) -> Reading:
    """Standardise a series and its standard errors, ``[n]`` in time order."""
    apart, sd, _ = expanding_scale(values, config.min_view_sessions)
    z, se = apart / sd, errors / sd
    return Reading(z, se, np.isfinite(z) & ~(np.abs(z) >= config.interval_se * se))


def expected_returns(real_world: pl.DataFrame, config: DivergenceConfig) -> pl.DataFrame:
    """Expected return and its error to the tenor, from the expiry nearest to it (of two, the earlier).

    ``real_world`` are rows of ``real_world_density``. Scaled by tenor over days to expiry, so that the horizon does not
    move it; one row per (market, session) that has a fitted real-world density within the tolerance.
    """
    distance = (pl.col("days_to_expiry") - config.tenor_days).abs()
    scale = config.tenor_days / pl.col("days_to_expiry")
    return (
        real_world.filter(
            (pl.col("real_world_reason") == "ok")
            & (pl.col("days_to_expiry") > 0)
            & (distance <= config.horizon_tolerance_days)
        )
        .with_columns(distance.alias("distance"))
        .sort([*KEY, "distance", "days_to_expiry"], maintain_order=True)
        .unique(KEY, keep="first", maintain_order=True)
        .select(
            *KEY,
            (pl.col("expected_return") * scale).alias("expected_return"),
            (pl.col("expected_return_se") * scale).alias("expected_return_se"),
        )
    )


def option_readings(moments: pl.DataFrame, real_world: pl.DataFrame, config: DivergenceConfig) -> pl.DataFrame:
    """Join what the view is made of: one row per (market, session) of ``implied_moments`` at the tenor.

    Columns: each of ``READINGS`` and ``kurt`` with its ``_se``, and ``grade``. Kurtosis only from grade B on.
    """
    statistics = [name for name in READINGS if name != "expected_return"]
    bears = pl.col("grade").is_in(KURTOSIS_GRADES)
    return (
        moments.filter(pl.col("tenor") == f"{config.tenor_days}d")
        .select(
            *KEY,
            "grade",
            *(pl.col(f"{name}{end}").cast(pl.Float64) for name in statistics for end in ("", "_se")),
            *(pl.when(bears).then(pl.col(name)).cast(pl.Float64).alias(name) for name in ("kurt", "kurt_se")),
        )
        .join(expected_returns(real_world, config), on=KEY, how="left", maintain_order="left")
    )


def options_view(rows: pl.DataFrame, config: DivergenceConfig) -> pl.DataFrame:
    """View of one market.

    Parameters
    ----------
    rows
        ``option_readings`` of one market in time order, from its first session on; other columns stay.

    Returns
    -------
    ``rows`` with ``<reading>_z``, ``<reading>_noise`` and the same of ``kurt``; ``options_readings`` (how many there
    are), ``options_view`` (before the last scaling, noise included), ``options_z``, ``options_z_se``,
    ``options_noise``; ``options_change_z`` and ``options_change_noise`` of the view's change over the configured
    sessions; ``kurt_z_se``; ``options_history``: views before this one. Null where missing.
    """
    found = {name: reading(floats(rows, name), floats(rows, f"{name}_se"), config) for name in READINGS}
    view = _combined(found, config)
    _, scale, history = expanding_scale(view.raw, config.min_scale_sessions)
    change, change_noise = _change(view, config)
    kurt = reading(floats(rows, "kurt"), floats(rows, "kurt_se"), config)
    columns = {f"{name}_z": one.z for name, one in found.items()} | {
        "kurt_z": kurt.z,
        "kurt_z_se": kurt.se,
        "options_view": view.raw,
        "options_z": view.counted / scale,
        "options_z_se": view.se / scale,
        "options_change_z": change,
    }
    noises = {f"{name}_noise": (one.noise, one.z) for name, one in (found | {"kurt": kurt}).items()} | {
        "options_noise": (view.noise, columns["options_z"]),
        "options_change_noise": (change_noise, change),
    }
    return rows.with_columns(
        *(pl.Series(name, values, nan_to_null=True) for name, values in columns.items()),
        *(_flags(name, noise, np.isfinite(values)) for name, (noise, values) in noises.items()),
        pl.Series("options_readings", view.readings),
        pl.Series("options_history", history),
    )


@dataclass(frozen=True, slots=True)
class _View:
    """The weighted readings of a market before the last scaling, ``[n]``; NaN without a tilt."""

    raw: Floats
    counted: Floats
    se: Floats
    quote_se: Floats
    """Of ``raw``, from the errors of the session's own quotes alone."""
    noise: Bools
    readings: NDArray[np.int64]


def _combined(found: dict[str, Reading], config: DivergenceConfig) -> _View:
    weights = config.weights.model_dump()
    names = [name for name in found if weights[name] != 0.0]
    there = {name: np.isfinite(found[name].z) for name in names}
    clear = {name: there[name] & ~found[name].noise for name in names}
    n = len(found["tilt"].z)

    def total(parts: dict[str, Floats], which: dict[str, Bools], *, absolute: bool) -> Floats:
        out = np.zeros(n)
        for name, part in parts.items():
            weight = abs(weights[name]) if absolute else weights[name]
            out += np.where(which[name], weight * part, 0.0)
        return out

    z = {name: found[name].z for name in names}
    se = {name: found[name].se for name in names}
    of_quotes = {name: se[name] for name in names if name not in PARAMETER_ERROR}
    noise = np.asarray(~np.logical_or.reduce(list(clear.values())))
    weight = total(dict.fromkeys(names, np.ones(n)), there, absolute=True)
    weight = np.where(there["tilt"], weight, np.nan)
    return _View(
        raw=total(z, there, absolute=False) / weight,
        counted=total(z, clear, absolute=False) / weight,
        se=np.where(noise, total(se, there, absolute=True), total(se, clear, absolute=True)) / weight,
        quote_se=total(of_quotes, there, absolute=True) / weight,
        noise=noise,
        readings=np.where(there["tilt"], np.sum(list(there.values()), axis=0), 0).astype(np.int64),
    )


def _change(view: _View, config: DivergenceConfig) -> tuple[Floats, Bools]:
    """The view's change in standard deviations of its past, and where it lies inside its noise.

    Quotes of two sessions err independently, se^2 = se_t^2 + se_{t-lag}^2; parameters err alike and cancel.
    """
    lag, n = config.change_sessions, len(view.raw)
    change = lagged_change(view.raw, lag, unbroken=False)
    apart, sd, _ = expanding_scale(change, config.min_scale_sessions)
    before = np.concatenate([np.full(min(lag, n), np.nan), view.quote_se[: max(n - lag, 0)]])
    z = apart / sd
    return z, np.isfinite(z) & ~(np.abs(change) >= config.interval_se * np.sqrt(view.quote_se**2 + before**2))


def _flags(name: str, flags: Bools, there: Bools) -> pl.Series:
    return pl.select(pl.when(pl.Series(there)).then(pl.Series(flags)).alias(name)).to_series()
