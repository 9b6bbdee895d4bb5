"""Frames of quotes into padded arrays, and the number that fixes a slice's random draws."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from hydra_assets.options.batch import batch_of, slice_ids

SEPTEMBER, OCTOBER, NOVEMBER = date(2026, 9, 1), date(2026, 10, 14), date(2026, 11, 16)


def vols(rows: list[tuple[date, float, str, str]]) -> pl.DataFrame:
    """Quotes (expiry, strike, right, status) with numbers that name them."""
    frame = pl.DataFrame(
        rows,
        schema={"expiry": pl.Date, "strike": pl.Float64, "right": pl.String, "iv_status": pl.String},
        orient="row",
    )
    return frame.with_columns(
        pl.lit("HE").alias("market"),
        pl.lit(SEPTEMBER).alias("session"),
        (pl.col("strike") / 100.0).log().alias("log_moneyness"),
        (pl.col("strike") / 1e3).alias("total_variance"),
        (pl.col("strike") / 1e5).alias("half_spread_variance"),
    )


def slices(*expiries: date) -> pl.DataFrame:
    days = {"market": ["HE"] * len(expiries), "session": [SEPTEMBER] * len(expiries), "expiry": list(expiries)}
    return pl.DataFrame(days, schema={"market": pl.String, "session": pl.Date, "expiry": pl.Date})


def test_quotes_stand_in_the_rows_of_their_slices_by_strike_and_right() -> None:
    batch = batch_of(
        vols(
            [
                (NOVEMBER, 110.0, "C", "ok"),
                (OCTOBER, 100.0, "P", "ok"),
                (OCTOBER, 90.0, "P", "ok"),
                (OCTOBER, 100.0, "C", "ok"),
                (OCTOBER, 80.0, "P", "at_or_below_intrinsic"),
            ]
        ),
        slices(NOVEMBER, OCTOBER),
    )
    assert batch.quotes.used.tolist() == [[True, False, False], [True, True, True]]
    assert batch.quotes.w[batch.quotes.used].tolist() == pytest.approx([0.11, 0.09, 0.1, 0.1], rel=1e-14)
    assert batch.quotes.half_spread[1].tolist() == pytest.approx([90e-5, 100e-5, 100e-5], rel=1e-14)
    assert batch.k_min.tolist() == pytest.approx([np.log(1.1), np.log(0.9)], rel=1e-14)
    assert batch.k_max.tolist() == pytest.approx([np.log(1.1), 0.0], rel=1e-14)


def test_a_slice_without_quotes_has_room_for_one_and_no_outermost_strike() -> None:
    quotes = vols([(NOVEMBER, 110.0, "C", "ok")])
    for rows in (quotes, quotes.clear()):
        batch = batch_of(rows, slices(OCTOBER))
        assert batch.quotes.used.tolist() == [[False]]
        assert np.isnan([batch.k_min, batch.k_max]).all()
    assert batch_of(quotes, slices()).quotes.used.shape == (0, 1)


def test_quotes_of_other_slices_are_left_out() -> None:
    batch = batch_of(vols([(OCTOBER, 90.0, "P", "ok"), (NOVEMBER, 95.0, "P", "ok")]), slices(NOVEMBER))
    assert batch.quotes.w.tolist() == [[pytest.approx(0.095)]]


def test_the_number_of_a_slice_is_that_of_its_name_and_days() -> None:
    one, other = slice_ids(slices(OCTOBER)), slice_ids(slices(NOVEMBER, OCTOBER))
    assert one[0] == other[1] != other[0]
    renamed = slices(OCTOBER).with_columns(pl.lit("LE").alias("market"))
    later = slices(OCTOBER).with_columns(pl.lit(OCTOBER).alias("session"), pl.lit(SEPTEMBER).alias("expiry"))
    assert len({int(one[0]), int(slice_ids(renamed)[0]), int(slice_ids(later)[0])}) == 3
    # FNV-1a of the name (published: 0xaf63dc4c8601ec8c for "a"), then the two days, days since 1970, as words.
    a = slices(OCTOBER).with_columns(pl.lit("a").alias("market"))
    wanted = 0xAF63DC4C8601EC8C
    for day in (SEPTEMBER, OCTOBER):
        wanted = (wanted ^ (day - date(1970, 1, 1)).days) * 0x100000001B3 % 2**64
    assert int(slice_ids(a)[0]) == wanted


def test_numbers_of_many_slices_do_not_collide() -> None:
    days = pl.date_range(date(2016, 1, 1), date(2026, 1, 1), eager=True)
    many = pl.DataFrame({"market": "HE", "session": days}).join(
        pl.DataFrame({"offset": [20, 50, 80, 110]}), how="cross"
    )
    many = many.with_columns((pl.col("session") + pl.duration(days=pl.col("offset"))).alias("expiry"))
    assert len(np.unique(slice_ids(many))) == many.height > 14_000
