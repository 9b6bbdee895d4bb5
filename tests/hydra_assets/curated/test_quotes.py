"""Option quotes: the right underlying settle, day counts, staleness and late activity."""

from datetime import date, time

import polars as pl
import pytest

from hydra_assets.curated.quotes import option_quotes
from hydra_assets.defs.ranges import cutoff_frame
from hydra_assets.markets.loader import load_markets
from tests.support.frames import CHICAGO, complete

DAYS = CHICAGO.between(date(2025, 3, 3), date(2025, 3, 7))
TERMS = load_markets()["HE"].options


def quote(
    day: date, strike: float, bid: float, record: str = "price", expiry: date = date(2025, 4, 14)
) -> pl.DataFrame:
    row = pl.DataFrame({"event_session": [day]})
    late = CHICAGO.activity_known_at if record == "activity" else CHICAGO.settlement_known_at
    known = late(row["event_session"])
    return complete(
        "raw_option_chains",
        row.with_columns(
            pl.lit("HE").alias("market"),
            pl.lit(f"HE-{expiry}-C-{strike:g}").alias("option"),
            pl.lit("HE-2025-04").alias("underlying_contract"),
            pl.lit(expiry).alias("expiry"),
            pl.lit(strike).alias("strike"),
            pl.lit("C").alias("right"),
            pl.lit(record).alias("record"),
            pl.lit(bid if record == "price" else None, dtype=pl.Float64).alias("bid"),
            pl.lit(bid + 0.1 if record == "price" else None, dtype=pl.Float64).alias("ask"),
            pl.lit(bid if record == "activity" else None, dtype=pl.Float64).alias("open_interest"),
            known.alias("known_at"),
            CHICAGO.settlement_known_at(row["event_session"]).alias("event_time"),
            CHICAGO.session_for(known).alias("session"),
        ),
    ).with_columns(pl.lit(0, dtype=pl.Int64).alias("source_rank"))


CURVE = pl.DataFrame(
    {"session": DAYS, "contract": ["HE-2025-04"] * 5, "settle": [80.0, 81, 82, 83, 84], "settle_age_sessions": [0] * 5}
)


def quotes(*rows: pl.DataFrame) -> pl.DataFrame:
    return option_quotes(pl.concat(rows), CURVE, "HE", CHICAGO, DAYS, TERMS, cutoff_frame(CHICAGO, DAYS))


def test_settle_day_count_and_age() -> None:
    out = quotes(quote(DAYS[1], 80.0, 2.0)).filter(pl.col("session") == DAYS[1]).row(0, named=True)
    assert (out["underlying_settle"], out["days_to_expiry"], out["exercise"]) == (81.0, 41, "american")
    # 17:30 Chicago on 2025-03-04 is 23:30 UTC: half an hour and 41 days to the end of the expiry date.
    assert out["year_fraction"] == pytest.approx((41 + 0.5 / 24) / 365, rel=1e-12)
    assert out["quote_age_hours"] == pytest.approx(3.5)


def test_an_option_ends_at_the_instant_that_its_terms_name() -> None:
    assert TERMS is not None
    row = quote(DAYS[0], 80.0, 2.0, expiry=DAYS[1])
    cutoffs = cutoff_frame(CHICAGO, DAYS)
    terms = TERMS.model_copy(update={"expires_at": time(13, 0)})
    out = option_quotes(row, CURVE, "HE", CHICAGO, DAYS, terms, cutoffs)
    # From the settlement at 14:00 to 13:00 of the next day; at that day's own cutoff it is over, the date is not.
    assert out["session"].to_list() == [DAYS[0]]
    assert out["year_fraction"].to_list() == pytest.approx([23 / 24 / 365], rel=1e-12)
    assert quotes(row)["session"].to_list() == DAYS[:2]


def test_a_quote_lives_one_session_and_no_longer() -> None:
    out = quotes(quote(DAYS[0], 80.0, 2.0))
    assert out["session"].to_list() == DAYS[:2]
    assert out["quote_age_hours"].to_list() == pytest.approx([3.5, 27.5])


def test_open_interest_joins_one_session_late() -> None:
    rows = [quote(d, 80.0, 2.0) for d in DAYS] + [quote(DAYS[0], 80.0, 500.0, "activity")]
    by_day = dict(zip(*quotes(*rows).select("session", "open_interest").get_columns(), strict=True))
    assert by_day[DAYS[0]] is None
    assert by_day[DAYS[1]] == 500.0


def test_nothing_past_expiry_and_nothing_without_options() -> None:
    assert quotes(quote(DAYS[0], 80.0, 2.0, expiry=DAYS[0])).height == 1
    assert option_quotes(
        quote(DAYS[0], 80.0, 2.0), CURVE, "HE", CHICAGO, DAYS, None, cutoff_frame(CHICAGO, DAYS)
    ).is_empty()
