"""``implied_moments``: every session's moments at constant maturities and at each expiry, with 90 % intervals."""

from collections.abc import Mapping
from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.options.batch import SLICE
from hydra_assets.options.black76 import Floats
from hydra_assets.options.bootstrap import NORMAL_90
from hydra_assets.options.implied_density import COLUMNS, QUANTILES
from hydra_assets.options.maturities import REASONS, TARGET_DAYS, Expiries, MaturityReason, constant_maturities
from hydra_assets.options.moments import COLUMN, Statistic, per_year
from hydra_assets.options.vol_surface import average_of

DAYS_A_YEAR = 365.0
BODY_GRADES = ("A", "B", "C")
KEY = ["market", "session"]


class MomentsReason(StrEnum):
    """Why a tenor has moments, or none."""

    OK = "ok"
    NO_QUOTES = "no_quotes"
    NO_USABLE_SLICE = "no_usable_slice"
    """Quotes, and no expiry of grade C or better."""
    NOT_BRACKETED = "not_bracketed"
    """All usable expiries lie on one side of the tenor; nothing is extrapolated."""


_REASONS = {
    MaturityReason.OK: MomentsReason.OK,
    MaturityReason.NO_USABLE_EXPIRY: MomentsReason.NO_USABLE_SLICE,
    MaturityReason.ALL_EXPIRE_BEFORE: MomentsReason.NOT_BRACKETED,
    MaturityReason.ALL_EXPIRE_AFTER: MomentsReason.NOT_BRACKETED,
}
_EXTRA = {"atm_skew": Statistic.ATM_SKEW_TOTAL_VOL, "atm_curvature": Statistic.ATM_CURVATURE_TOTAL_VOL}


def moments_of(density: pl.DataFrame, surface: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """Moments of every (market, session) of ``sessions``: rows of ``implied_moments``.

    ``density`` and ``surface`` are rows of ``implied_density`` and ``vol_surface`` of these sessions. Each session has
    a row for 30, 60 and 90 days, with numbers or the reason why not, and one for each expiry that has a grade.
    """
    wanted = sessions.select(KEY).unique(maintain_order=True).with_row_index("code")
    usable = (
        density.filter(pl.col("grade").is_in(BODY_GRADES))
        .group_by(KEY)
        .agg(pl.len().cast(pl.Int64).alias("slices_usable"))
    )
    rows = pl.concat([_tenors(density, surface, wanted), _expiries(density, wanted)], how="diagonal")
    quoted = surface.select(KEY).unique().with_columns(pl.lit(value=True).alias("quoted"))
    no_quotes = pl.col("quoted").is_null() & (pl.col("moments_reason") != MomentsReason.OK)
    return (
        rows.join(usable, on=KEY, how="left", maintain_order="left")
        .join(quoted, on=KEY, how="left", maintain_order="left")
        .with_columns(
            pl.col("slices_usable").fill_null(0),
            pl.when(no_quotes)
            .then(pl.lit(str(MomentsReason.NO_QUOTES)))
            .otherwise("moments_reason")
            .alias("moments_reason"),
        )
        .drop("quoted")
        .sort([*KEY, "tenor_days", "tenor"], maintain_order=True)
    )


def _tenors(density: pl.DataFrame, surface: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    body = density.filter(pl.col("grade").is_in(BODY_GRADES)).join(wanted, on=KEY, how="inner", maintain_order="left")
    fitted = body.select(SLICE).join(surface, on=SLICE, how="left", maintain_order="left")
    values, se = statistics_of(body)
    future = pl.coalesce("underlying_contract", pl.col("expiry").cast(pl.String))
    expiries = Expiries(
        session=body["code"].cast(pl.Int64).to_numpy(),
        days=body["year_fraction"].to_numpy() * DAYS_A_YEAR,
        underlying=body.select(future.rank("dense").cast(pl.Int64)).to_series().to_numpy(),
        smiles=average_of(fitted),
        values=values,
        se=se,
        usable=np.ones(body.height, dtype=np.bool_),
    )
    found = constant_maturities(expiries, wanted.height)
    out = []
    grades, futures = body["grade"].to_list(), body["underlying_contract"].to_list()
    for column, days in enumerate(TARGET_DAYS):
        years = np.full(wanted.height, days / DAYS_A_YEAR)
        first, second = found.first[:, column].tolist(), found.second[:, column].tolist()
        reasons = [str(_REASONS[REASONS[code]]) for code in found.reason[:, column].tolist()]
        out.append(
            wanted.select(KEY).with_columns(
                pl.lit(f"{days}d").alias("tenor"),
                pl.lit(days, pl.Int64).alias("tenor_days"),
                pl.Series("underlying_contract", [futures[i] if i >= 0 else None for i in first], dtype=pl.String),
                pl.Series("mixed_underlyings", found.across[:, column]),
                # The worse of the two: later in the alphabet.
                pl.Series(
                    "grade",
                    [max(grades[i], grades[j]) if i >= 0 else None for i, j in zip(first, second, strict=True)],
                    dtype=pl.String,
                ),
                *_intervals(per_year(found.values[:, column], years), per_year(found.se[:, column], years)),
                pl.Series("moments_reason", reasons),
            )
        )
    return pl.concat(out)


def _expiries(density: pl.DataFrame, wanted: pl.DataFrame) -> pl.DataFrame:
    """One row per graded expiry; its numbers are those of its density."""
    rows = density.join(wanted.select(KEY), on=KEY, how="semi", maintain_order="left")
    values, se = ({name: rows[f"{name}{end}"].to_numpy() for name in COLUMNS} for end in ("", "_se"))
    return rows.select(
        *KEY,
        pl.col("expiry").cast(pl.String).alias("tenor"),
        pl.col("days_to_expiry").alias("tenor_days"),
        "underlying_contract",
        pl.lit(value=False).alias("mixed_underlyings"),
        "grade",
    ).with_columns(*_named_intervals(values, se), pl.lit(str(MomentsReason.OK)).alias("moments_reason"))


def statistics_of(density: pl.DataFrame) -> tuple[Floats, Floats]:
    """Statistics to expiry and their standard errors, ``[n, len(Statistic)]``, back from rows of ``implied_density``.

    What a row does not hold (the mode, the errors of skew and curvature at the money) is NaN.
    """
    shape = (density.height, len(Statistic))
    values, se = np.full(shape, np.nan), np.full(shape, np.nan)
    root = np.sqrt(density["year_fraction"].to_numpy())
    for name, statistic in (COLUMNS | _EXTRA).items():
        scale = root if statistic.value.endswith("_total_vol") else 1.0
        values[:, COLUMN[statistic]] = density[name].cast(pl.Float64).fill_null(np.nan).to_numpy() * scale
        if f"{name}_se" in density.columns:
            se[:, COLUMN[statistic]] = density[f"{name}_se"].cast(pl.Float64).fill_null(np.nan).to_numpy() * scale
    forward = density["forward"].to_numpy()[:, None]
    prices = _matrix(density["quantiles"], len(QUANTILES))
    values[:, QUANTILES] = np.log(prices / forward)
    se[:, QUANTILES] = _matrix(density["quantiles_se"], len(QUANTILES)) / prices
    return values, se


def _matrix(lists: pl.Series, width: int) -> Floats:
    rows = [row if row is not None else [np.nan] * width for row in lists.to_list()]
    return np.array(rows, dtype=np.float64).reshape(len(rows), width)


def _intervals(values: Floats, se: Floats) -> list[pl.Series]:
    return _named_intervals(
        {name: values[:, COLUMN[statistic]] for name, statistic in COLUMNS.items()},
        {name: se[:, COLUMN[statistic]] for name, statistic in COLUMNS.items()},
    )


def _named_intervals(
    values: Mapping[str, NDArray[np.float64]], se: Mapping[str, NDArray[np.float64]]
) -> list[pl.Series]:
    out = []
    for name, value in values.items():
        half = NORMAL_90 * se[name]
        for end, numbers in (("", value), ("_se", se[name]), ("_lo", value - half), ("_hi", value + half)):
            out.append(pl.Series(f"{name}{end}", numbers, dtype=pl.Float64, nan_to_null=True))
    return out
