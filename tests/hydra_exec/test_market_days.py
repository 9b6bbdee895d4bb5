"""What a decision is made from, by hand: a cap that is known stays known."""

from datetime import date

import polars as pl

from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.sessions import calendar_of
from hydra_assets.replay.inputs import market_arrays
from hydra_exec.market_days import CURVE_COLUMNS, TARGET_COLUMNS, market_days

HE = load_markets()["SIM_HE"]
CALENDAR = calendar_of(HE)
DAYS = CALENDAR.between(date(2024, 1, 2), date(2024, 3, 1))
SCHEMA = {
    "market": pl.String,
    "session": pl.Date,
    "contract": pl.String,
    "contract_month": pl.Date,
    "role": pl.String,
    "settle": pl.Float64,
    "settle_age_sessions": pl.Int64,
    "volume": pl.Int64,
    "last_trade": pl.Date,
    "first_notice": pl.Date,
}
TARGETS = pl.DataFrame(
    schema={"session": pl.Date, "contract": pl.String, "target_contracts": pl.Int64, "target_reason": pl.String}
)


def curve(days: list[date], stale: frozenset[date] = frozenset()) -> pl.DataFrame:
    """A front month of 5,000 lots a session; in a stale one it did not settle."""
    april, end = date(2024, 4, 1), date(2024, 4, 12)
    rows = [
        ("SIM_HE", day, "A", april, "front", 80.0, int(day in stale), None if day in stale else 5_000, end, None)
        for day in days
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def caps(rows: pl.DataFrame, sessions: list[date]) -> list[tuple[int, int]]:
    """What a session bears, and what it bears of exits."""
    days = market_days(HE, CALENDAR, sessions, TARGETS, rows.select(CURVE_COLUMNS), market_arrays(rows, [HE]))
    return [(days[day].day_cap, days[day].exit_cap) for day in sessions]


def test_where_the_front_did_not_settle_the_last_known_cap_holds_for_exits_and_nothing_is_entered() -> None:
    assert TARGETS.columns == list(TARGET_COLUMNS)
    known = int(HE.liquidity.participation_cap * 5_000)
    stale = frozenset(DAYS[30:32])
    assert known > 1
    assert caps(curve(DAYS, stale), DAYS[29:33]) == [(known, known), (0, known), (0, known), (known, known)]
    assert caps(curve(DAYS[:30]), DAYS[29:33]) == [(known, known), *[(0, known)] * 3], "no rows at all"


def test_a_cap_is_known_from_earlier_sessions_alone() -> None:
    rows = curve(DAYS, frozenset(DAYS[30:32]))
    whole = caps(rows, DAYS)
    assert whole[0] == (0, 0), "before there is any volume"
    for n in (1, 20, 31, 32):
        assert caps(rows.filter(pl.col("session") <= DAYS[n - 1]), DAYS[:n]) == whole[:n]
