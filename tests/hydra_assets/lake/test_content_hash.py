"""Content hashes: equal for equal content, different for any change, indifferent to order and to our own clock."""

from datetime import UTC, date, datetime

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.columns import RAW_FUTURES_BARS, RAW_HEADLINES
from hydra_assets.lake.content_hash import partition_hashes
from tests.support.frames import CHICAGO, bars, complete

DAYS = CHICAGO.between(date(2025, 3, 3), date(2025, 3, 14))
ROWS = bars([(f"HE-2025-{m:02d}", d, 80.0 + m) for d in DAYS for m in (4, 5, 6)])


def test_one_digest_per_partition_and_rows_counted() -> None:
    hashes = partition_hashes(RAW_FUTURES_BARS, ROWS)
    assert hashes["session"].to_list() == DAYS
    assert hashes["row_count"].to_list() == [3] * len(DAYS)
    assert hashes["sha256"].n_unique() == len(DAYS)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1000))
def test_order_and_ingestion_time_do_not_matter(seed: int) -> None:
    shuffled = ROWS.sample(fraction=1.0, shuffle=True, seed=seed).with_columns(
        pl.lit(datetime(2031, 5, 5, tzinfo=UTC)).cast(pl.Datetime("us", "UTC")).alias("ingested_at")
    )
    assert partition_hashes(RAW_FUTURES_BARS, shuffled).equals(partition_hashes(RAW_FUTURES_BARS, ROWS))


@settings(max_examples=50, deadline=None)
@given(row=st.integers(0, ROWS.height - 1), column=st.sampled_from(["settle", "volume", "contract", "source"]))
def test_any_changed_value_changes_exactly_its_partition(row: int, column: str) -> None:
    changed = ROWS.with_row_index("i").with_columns(
        pl.when(pl.col("i") == row)
        .then(pl.lit("X") if column in {"contract", "source"} else pl.lit(-0.0 if column == "volume" else 1.5))
        .otherwise(pl.col(column))
        .alias(column)
    )
    before, after = partition_hashes(RAW_FUTURES_BARS, ROWS), partition_hashes(RAW_FUTURES_BARS, changed)
    differ = [a != b for a, b in zip(before["sha256"], after["sha256"], strict=True)]
    assert [d for d, other in zip(before["session"], differ, strict=True) if other] == [ROWS["session"][row]]


def test_minus_zero_is_zero_and_a_missing_value_is_not() -> None:
    zero = ROWS.with_columns(pl.lit(0.0).alias("volume"))
    minus = ROWS.with_columns(pl.lit(-0.0).alias("volume"))
    nothing = ROWS.with_columns(pl.lit(None, dtype=pl.Float64).alias("volume"))
    hashed = [partition_hashes(RAW_FUTURES_BARS, f)["sha256"][0] for f in (zero, minus, nothing)]
    assert hashed[0] == hashed[1] != hashed[2]


def test_text_that_moves_between_neighbouring_rows_is_seen() -> None:
    def titles(*values: str) -> pl.DataFrame:
        rows = pl.DataFrame(
            {"headline_id": ["a", "b"], "title": values, "session": [DAYS[0]] * 2, "market": ["HE"] * 2}
        )
        return complete("raw_headlines", rows)

    one, two = (partition_hashes(RAW_HEADLINES, titles(*t))["sha256"][0] for t in (("ab", "c"), ("a", "bc")))
    assert one != two
