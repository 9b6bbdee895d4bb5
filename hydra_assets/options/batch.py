"""Between frames of one row a quote and padded arrays of one row a slice."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.options.black76 import Floats
from hydra_assets.options.slices import SliceQuotes

SLICE = ("market", "session", "expiry")
BATCHED = (*SLICE, "strike", "right", "iv_status", "log_moneyness", "total_variance", "half_spread_variance")
"""The columns of ``implied_vols`` that a batch is made of."""
_FNV_OFFSET, _FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3


@dataclass(frozen=True, slots=True)
class QuoteBatch:
    """Quotes of n slices, and the outermost ln(K/F) among them, ``[n]``, NaN for a slice without a quote."""

    quotes: SliceQuotes
    k_min: Floats
    k_max: Floats


def batch_of(vols: pl.DataFrame, slices: pl.DataFrame) -> QuoteBatch:
    """Quotes of ``implied_vols`` that have a volatility, in the rows of ``slices`` (columns of ``SLICE``).

    Within a slice they stand in order of strike and right.
    """
    good = vols.select(BATCHED).filter(pl.col("iv_status") == "ok")
    good = good.sort([*SLICE, "strike", "right"], maintain_order=True)
    place = good.join(slices.select(SLICE).with_row_index("row"), on=SLICE, how="inner", maintain_order="left")
    place = place.with_columns(pl.int_range(pl.len()).over("row").alias("column"))
    where = place["row"].to_numpy(), place["column"].to_numpy()
    # Room for one quote at least: an empty row has no sum.
    n, width = slices.height, int(where[1].max(initial=0)) + 1
    used = np.zeros((n, width), dtype=np.bool_)
    used[where] = True
    k, w, half_spread = np.zeros((n, width)), np.zeros((n, width)), np.ones((n, width))
    for array, name in ((k, "log_moneyness"), (w, "total_variance"), (half_spread, "half_spread_variance")):
        array[where] = place[name].to_numpy()
    low = np.where(used, k, np.inf).min(axis=1, initial=np.inf)
    high = np.where(used, k, -np.inf).max(axis=1, initial=-np.inf)
    return QuoteBatch(
        SliceQuotes(k, w, half_spread, used),
        np.where(np.isfinite(low), low, np.nan),
        np.where(np.isfinite(high), high, np.nan),
    )


def slice_ids(slices: pl.DataFrame) -> NDArray[np.uint64]:
    """A 64-bit number for each slice that depends on its market, session and expiry only (FNV-1a), ``[n]``."""
    days = slices.select(pl.col("session", "expiry").cast(pl.Int32).cast(pl.Int64)).to_numpy().astype(np.uint64)
    names = slices["market"].to_list()
    hashes = {name: np.uint64(_fnv(name.encode())) for name in set(names)}
    out = np.array([hashes[name] for name in names], dtype=np.uint64)
    with np.errstate(over="ignore"):
        for column in range(days.shape[1]):
            out = (out ^ days[:, column]) * np.uint64(_FNV_PRIME)
    return out


def _fnv(data: bytes) -> int:
    h = _FNV_OFFSET
    for byte in data:
        h = ((h ^ byte) * _FNV_PRIME) % 2**64
    return h
