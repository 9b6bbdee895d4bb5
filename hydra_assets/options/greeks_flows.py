"""``greeks_flows``: hedging flows of every listed option, at the volatility of the session's own surface."""

import numpy as np
import polars as pl

from hydra_assets.options.batch import SLICE
from hydra_assets.options.flows import INPUT_COLUMNS, flows
from hydra_assets.options.slices import CHUNK_SLICES
from hydra_assets.options.vol_surface import SliceReason, average_of


def flows_of(quotes: pl.DataFrame, surface: pl.DataFrame, multiplier: float) -> pl.DataFrame:
    """Rows of ``greeks_flows`` of one market.

    ``quotes`` are rows of ``clean_quotes``: every listed option counts, traded or not, used in a fit or not, as long as
    its expiry has a smile; the others are in the figures' ``options_missing``. ``multiplier`` is currency per price
    unit of one contract.
    """
    # Two series of one expiry, strike and right (a weekly option beside a monthly one) are one exposure.
    one = [*SLICE, "strike", "right"]
    shared = ("underlying_contract", "margin_style", "year_fraction", "rate", "underlying_settle", "log_moneyness")
    listed = (
        quotes.filter(pl.col("strike") > 0.0)
        .group_by(one, maintain_order=True)
        .agg(
            pl.col(shared).first(),
            *(pl.when(pl.col(c).count() > 0).then(pl.col(c).sum()).alias(c) for c in ("open_interest", "volume")),
        )
    )
    fitted = surface.filter(pl.col("slice_reason") == SliceReason.OK)
    placed = listed.select(*SLICE, "log_moneyness").with_columns(pl.int_range(pl.len()).alias("place"))
    rows = fitted.select(SLICE).with_row_index("row")
    placed = placed.drop_nulls("log_moneyness").join(rows, on=SLICE, how="inner").sort("row", "place")
    total = np.full(listed.height, np.nan)
    total[placed["place"].to_numpy()] = _total_vols(fitted, placed)
    return flows(
        listed.with_columns(
            pl.col("underlying_settle").alias("forward"),
            pl.Series("total_vol", total, nan_to_null=True),
            pl.lit(multiplier).alias("multiplier"),
        ).select(INPUT_COLUMNS)
    )


def _total_vols(fitted: pl.DataFrame, placed: pl.DataFrame) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Total volatility of the slice's smile at each option's strike, in the order of ``placed``."""
    smiles = average_of(fitted)
    column = placed.select(pl.int_range(pl.len()).over("row").alias("column"))["column"].to_numpy()
    row, k = placed["row"].to_numpy(), placed["log_moneyness"].to_numpy()
    out = np.empty(placed.height)
    for first in range(0, fitted.height, CHUNK_SLICES):
        inside = (row >= first) & (row < first + CHUNK_SLICES)
        if not inside.any():
            continue
        at = row[inside] - first, column[inside]
        part = smiles.take(slice(first, first + CHUNK_SLICES))
        padded = np.zeros((len(part), int(at[1].max()) + 1))
        padded[at] = k[inside]
        with np.errstate(all="ignore"):
            out[inside] = np.sqrt(part.total_variance(padded))[at]
    return out
