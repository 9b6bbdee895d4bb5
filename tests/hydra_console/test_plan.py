from datetime import UTC, date, datetime, time
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.home import HomeConfig, HomeError
from hydra_assets.markets.model import Cutoff
from hydra_assets.markets.sessions import SessionCalendar, session_calendar
from hydra_console.plan import chosen_range, first_open, last_open, missing_range, neighbours, newest_finished

CALENDARS: dict[str, SessionCalendar] = {
    market: session_calendar("CMEGlobex_Grains", "America/Chicago", Cutoff(at=time(17)), time(14))
    for market in ("SIM_HE", "SIM_ZO")
}
HOME = HomeConfig(kind="simulated", markets=("SIM_HE", "SIM_ZO"), history_start=date(2025, 1, 1))
NOW = datetime(2026, 1, 7, 12, tzinfo=UTC)  # a Wednesday morning: Tuesday's session is the newest finished
DATASETS = ("futures_curve", "option_quotes")


def content(*rows: tuple[str, str, date, str | None]) -> pl.DataFrame:
    schema = {"dataset": pl.String(), "market": pl.String(), "session": pl.Date(), "reason": pl.String()}
    return pl.DataFrame(rows, schema=schema, orient="row")


def full(day: date, reason: str | None = None) -> list[tuple[str, str, date, str | None]]:
    return [(dataset, market, day, reason) for dataset in DATASETS for market in CALENDARS]


def test_newest_finished_session_follows_cutoff_and_end_of_history() -> None:
    assert newest_finished(HOME, CALENDARS, NOW) == date(2026, 1, 6)
    after_cutoff = datetime(2026, 1, 7, 23, 0, tzinfo=UTC)
    assert newest_finished(HOME, CALENDARS, after_cutoff) == date(2026, 1, 7)
    ended = HOME.model_copy(update={"history_end": date(2025, 12, 28)})  # a Sunday
    assert newest_finished(ended, CALENDARS, NOW) == date(2025, 12, 26)


def test_an_empty_home_gets_its_whole_history_from_the_first_open_day() -> None:
    wanted = missing_range(HOME, CALENDARS, content(), DATASETS, NOW)
    assert (wanted.first, wanted.last) == (date(2025, 1, 2), date(2026, 1, 6))  # New Year's Day is closed
    assert wanted.markets == ("SIM_HE", "SIM_ZO")


def test_a_home_that_is_up_to_date_computes_its_newest_session_again() -> None:
    wanted = missing_range(HOME, CALENDARS, content(*full(date(2026, 1, 6))), DATASETS, NOW)
    assert (wanted.first, wanted.last) == (date(2026, 1, 6), date(2026, 1, 6))


def test_the_hindmost_dataset_and_market_decides() -> None:
    rows = [*full(date(2026, 1, 6))[:-1], ("option_quotes", "SIM_ZO", date(2025, 11, 3), None)]
    assert missing_range(HOME, CALENDARS, content(*rows), DATASETS, NOW).first == date(2025, 11, 3)
    assert missing_range(HOME, CALENDARS, content(*rows[:-1]), DATASETS, NOW).first == date(2025, 1, 2)


def test_a_session_that_was_not_finished_when_written_does_not_count() -> None:
    rows = [*full(date(2026, 1, 2)), *full(date(2026, 1, 6), "not_finished")]
    assert missing_range(HOME, CALENDARS, content(*rows), DATASETS, NOW).first == date(2026, 1, 2)


def test_a_history_that_begins_in_the_future_is_a_sentence() -> None:
    future = HOME.model_copy(update={"history_start": date(2026, 2, 1)})
    with pytest.raises(HomeError, match="lies after the newest finished session 2026-01-06"):
        missing_range(future, CALENDARS, content(), DATASETS, NOW)


@pytest.mark.parametrize(
    ("markets", "first", "last", "sentence"),
    [
        (["HE"], None, None, "no market HE in this home; it has SIM_HE, SIM_ZO"),
        ([], date(2026, 1, 6), date(2026, 1, 5), "the range is empty"),
        ([], date(2024, 1, 2), None, "history starts at 2025-01-01"),
        ([], None, date(2026, 1, 7), "not finished yet; the newest finished session is 2026-01-06"),
        ([], date(2025, 12, 27), date(2025, 12, 28), "no market has a session"),
    ],
)
def test_ranges_that_cannot_be_are_sentences(
    markets: list[str], first: date | None, last: date | None, sentence: str
) -> None:
    with pytest.raises(HomeError, match=sentence):
        chosen_range(HOME, CALENDARS, markets, first, last, NOW)


def test_chosen_range_takes_open_days_and_partition_order() -> None:
    wanted = chosen_range(HOME, CALENDARS, ["SIM_ZO"], date(2025, 12, 25), date(2025, 12, 28), NOW)
    assert (wanted.markets, wanted.first, wanted.last) == (("SIM_ZO",), date(2025, 12, 26), date(2025, 12, 26))
    everything = chosen_range(HOME, CALENDARS, [], None, None, NOW)
    assert (everything.first, everything.last) == (date(2025, 1, 2), date(2026, 1, 6))


def test_open_days_around_a_holiday() -> None:
    assert first_open(CALENDARS, date(2025, 12, 25)) == date(2025, 12, 26)
    assert last_open(CALENDARS, date(2025, 12, 25)) == date(2025, 12, 24)


@given(st.permutations(["A", "B", "C", "D", "E"]), st.sets(st.sampled_from(["A", "B", "C", "D", "E"])))
def test_blocks_hold_exactly_the_chosen_markets_side_by_side(order: list[str], chosen: set[str]) -> None:
    blocks = neighbours(sorted(chosen), order)
    assert [market for block in blocks for market in block] == [market for market in order if market in chosen]
    text = "".join(order)
    assert all("".join(block) in text for block in blocks)
    assert all(order.index(b[0]) - order.index(a[-1]) > 1 for a, b in pairwise(blocks))
