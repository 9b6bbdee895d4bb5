"""Each verdict passes on sound frames and fails, with its own reason, on the least that is wrong."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hydra_assets.columns import RAW_COT_REPORTS, RAW_FUTURES_BARS, RAW_OPTION_CHAINS
from hydra_assets.quality import (
    DeliveryOutcome,
    Severity,
    check_continuity,
    check_coverage,
    check_deliveries,
    check_freshness,
    check_holidays,
    check_parity,
    check_price_jumps,
    check_quarantine,
    check_schema,
    check_timestamps,
    check_versions,
)
from tests.support.frames import CHICAGO, bars, complete

SESSIONS = CHICAGO.between(date(2024, 11, 18), date(2024, 12, 6))
"""Two weeks and four days around Thanksgiving (28 November 2024), on which hogs do not trade."""
THANKSGIVING = date(2024, 11, 28)
CONTRACTS = [f"HE-2025-{month:02d}" for month in (2, 4, 5, 6, 7)]
NOTHING = bars([])
LIMITS = {"HE": 0.15}


def board(sessions: list[date], scale: float = 1.0, contracts: list[str] = CONTRACTS) -> pl.DataFrame:
    return bars([(c, s, scale * (80.0 + i)) for s in sessions for i, c in enumerate(contracts)])


def test_the_calendar_of_these_tests_has_a_holiday_in_it() -> None:
    assert len(SESSIONS) == 14
    assert THANKSGIVING not in SESSIONS


class TestSchema:
    def test_sound_rows_pass(self) -> None:
        verdict = check_schema(board(SESSIONS), RAW_FUTURES_BARS)
        assert (verdict.passed, verdict.reason, verdict.severity) == (True, "ok", Severity.ERROR)

    @pytest.mark.parametrize(
        ("column", "value"), [("settle", "80"), ("contract", None), ("volume", -1.0), ("record", "rumour")]
    )
    def test_one_bad_value_fails_and_is_named(self, column: str, value: object) -> None:
        rows = board(SESSIONS[:1])
        dtype = pl.String() if isinstance(value, str) else rows.schema[column]
        first = pl.int_range(pl.len()) == 0
        broken = rows.with_columns(pl.when(first).then(pl.lit(value, dtype)).otherwise(column).alias(column))
        verdict = check_schema(broken, RAW_FUTURES_BARS)
        assert (verdict.passed, verdict.reason) == (False, "schema_fault")
        assert list(verdict.numbers) == [column]


def test_timestamps() -> None:
    rows = board(SESSIONS[:2])
    assert check_timestamps(rows, RAW_FUTURES_BARS).passed
    early = rows.with_columns((pl.col("event_time") - timedelta(microseconds=1)).alias("known_at"))
    verdict = check_timestamps(pl.concat([rows, early[:1]]), RAW_FUTURES_BARS)
    assert (verdict.passed, verdict.reason, verdict.numbers["known_before_event"]) == (False, "known_before_event", 1)


class TestVersions:
    def test_a_row_twice_is_an_error(self) -> None:
        rows = board(SESSIONS)
        assert check_versions(rows, RAW_FUTURES_BARS).passed
        verdict = check_versions(pl.concat([rows, rows[:1]]), RAW_FUTURES_BARS)
        assert (verdict.passed, verdict.severity, verdict.reason) == (False, Severity.ERROR, "duplicate_rows")

    def test_single_restatements_are_counted(self) -> None:
        rows, later = (
            board(SESSIONS),
            board(SESSIONS[:1], 1.01)[:2].with_columns(pl.col("known_at") + timedelta(days=1)),
        )
        verdict = check_versions(pl.concat([rows, later]), RAW_FUTURES_BARS)
        assert (verdict.passed, verdict.numbers["restated"]) == (True, 2)

    def test_a_session_restated_whole_is_a_file_under_the_wrong_date(self) -> None:
        yesterday = board(SESSIONS[3:4])
        today = board(SESSIONS[3:4], 1.01).with_columns(
            pl.col("known_at") + timedelta(days=1), pl.lit(SESSIONS[4]).alias("session")
        )
        verdict = check_versions(today, RAW_FUTURES_BARS, yesterday)
        assert (verdict.passed, verdict.severity, verdict.reason) == (False, Severity.WARN, "session_restated")
        assert str(SESSIONS[3]) in verdict.message
        assert check_versions(today, RAW_FUTURES_BARS, NOTHING).passed

    def test_a_corrected_report_is_none(self) -> None:
        day = date(2025, 1, 7)
        rows = complete(
            RAW_COT_REPORTS.name,
            pl.DataFrame(
                {"category": ["commercial", "noncommercial", "nonreportable", "total_reportable"]}
            ).with_columns(
                pl.lit("HE").alias("market"),
                pl.lit("legacy").alias("family"),
                pl.lit("futures_only").alias("scope"),
                pl.lit(day).alias("report_date"),
                pl.lit(day - timedelta(days=1)).alias("report_week"),
                pl.lit(datetime(2025, 1, 10, 20, 30, tzinfo=UTC)).alias("known_at"),
            ),
        )
        corrected = rows.with_columns(pl.col("known_at") + timedelta(days=3))
        verdict = check_versions(pl.concat([rows, corrected]), RAW_COT_REPORTS)
        assert (verdict.passed, verdict.numbers["restated"]) == (True, 4)


class TestHolidays:
    def test_closed_days_alarm_only_where_there_are_rows(self) -> None:
        assert check_holidays(board(SESSIONS), {"HE": CHICAGO}, set()).passed
        stray = board(SESSIONS[:1]).with_columns(pl.lit(THANKSGIVING).alias("event_session"))
        verdict = check_holidays(stray, {"HE": CHICAGO}, set())
        assert (verdict.passed, verdict.reason) == (False, "row_on_closed_day")
        assert check_holidays(stray, {"HE": CHICAGO}, {"HE"}).passed

    def test_no_expectation_alarms_over_a_holiday(self) -> None:
        rows = board(SESSIONS)
        assert check_coverage({"HE": set(rows["event_session"])}, {"HE": SESSIONS}).passed
        assert check_continuity(rows, NOTHING, "contract").passed
        before = SESSIONS.index(date(2024, 11, 27))
        newest = {"HE": SESSIONS[before]}
        friday = {"HE": SESSIONS[before + 1]}
        assert friday["HE"] == date(2024, 11, 29)
        assert check_freshness(newest, {"HE": CHICAGO}, friday, limit_sessions=1).passed
        assert check_price_jumps(rows, LIMITS).passed


class TestCoverage:
    def test_a_lost_session_in_a_short_range(self) -> None:
        verdict = check_coverage({"HE": set(SESSIONS) - {SESSIONS[5]}}, {"HE": SESSIONS})
        assert (verdict.passed, verdict.reason) == (False, "sessions_missing")
        assert str(SESSIONS[5]) in verdict.message

    @pytest.mark.parametrize(("lost", "passed"), [(1, True), (3, True), (4, False), (5, False)])
    def test_a_lost_week_does_not_drown_in_years(self, lost: int, passed: bool) -> None:
        years = CHICAGO.between(date(2020, 1, 2), date(2024, 12, 31))
        seen = set(years) - set(years[500 : 500 + lost])
        verdict = check_coverage({"HE": seen}, {"HE": years})
        assert (verdict.passed, verdict.numbers["longest_gap"]) == (passed, lost)

    def test_before_the_first_data_nothing_is_expected(self) -> None:
        assert check_coverage({"HE": set(SESSIONS[6:])}, {"HE": SESSIONS}).passed
        assert check_coverage({}, {"HE": SESSIONS}).passed

    def test_the_end_is_expected(self) -> None:
        assert not check_coverage({"HE": set(SESSIONS[:-1])}, {"HE": SESSIONS}).passed


class TestFreshness:
    @pytest.mark.parametrize(("behind", "passed"), [(0, True), (1, True), (2, False), (5, False)])
    def test_age_in_sessions(self, behind: int, passed: bool) -> None:
        verdict = check_freshness({"HE": SESSIONS[-1 - behind]}, {"HE": CHICAGO}, {"HE": SESSIONS[-1]}, 1)
        assert (verdict.passed, verdict.reason) == (passed, "ok" if passed else "stale")

    def test_a_market_without_rows(self) -> None:
        assert check_freshness({}, {"HE": CHICAGO}, {"HE": SESSIONS[-1]}, 1).numbers == {"HE": "no rows at all"}


class TestContinuity:
    def test_half_a_file_is_given_away_by_the_contracts_it_lacks(self) -> None:
        before, half = board(SESSIONS[:5]), board(SESSIONS[5:6], contracts=CONTRACTS[:2])
        verdict = check_continuity(half, before, "contract")
        assert (verdict.passed, verdict.reason) == (False, "contracts_missing")
        assert str(SESSIONS[5]) in verdict.message
        assert check_continuity(board(SESSIONS[5:6], contracts=CONTRACTS[:4]), before, "contract").passed

    def test_expired_and_few_contracts_are_not_missed(self) -> None:
        expired = ["HE-2024-10", "HE-2024-11", "HE-2024-12", *CONTRACTS[:2]]
        before, after = board(SESSIONS[:9], contracts=expired), board(SESSIONS[10:11], contracts=CONTRACTS[:2])
        assert after["event_session"][0] == date(2024, 12, 3)
        assert check_continuity(after, before, "contract").passed
        few = board(SESSIONS[:1], contracts=CONTRACTS[:3]), board(SESSIONS[1:2], contracts=CONTRACTS[:1])
        assert check_continuity(few[1], few[0], "contract").passed

    def test_options_live_until_their_expiry(self) -> None:
        def chain(session: date, strikes: range, expiry: date) -> pl.DataFrame:
            frame = pl.DataFrame({"strike": [float(k) for k in strikes]}).with_columns(
                pl.lit("HE").alias("market"),
                pl.lit("price").alias("record"),
                pl.lit(expiry).alias("expiry"),
                pl.lit(session).alias("event_session"),
                pl.col("strike").cast(pl.String).alias("option"),
            )
            return complete(RAW_OPTION_CHAINS.name, frame)

        far, today = date(2025, 2, 14), SESSIONS[1]
        first = chain(SESSIONS[0], range(70, 90), far)
        assert check_continuity(chain(today, range(74, 90), far), first, "option").passed
        assert not check_continuity(chain(today, range(84, 90), far), first, "option").passed
        expiring = chain(SESSIONS[0], range(70, 90), today)
        assert check_continuity(chain(today, range(84, 90), today), expiring, "option").passed

    def test_what_happened_before_the_range_is_not_told_again(self) -> None:
        before = pl.concat([board(SESSIONS[:1]), board(SESSIONS[1:2], contracts=CONTRACTS[:1])])
        assert check_continuity(board(SESSIONS[2:3]), before, "contract").passed


class TestPriceJumps:
    @pytest.mark.parametrize("factor", [100.0, 0.01])
    def test_another_unit_fails(self, factor: float) -> None:
        rows = pl.concat([board(SESSIONS[:3]), board(SESSIONS[3:4], factor)])
        verdict = check_price_jumps(rows, LIMITS)
        assert (verdict.passed, verdict.severity, verdict.reason) == (False, Severity.ERROR, "unit_change")
        assert verdict.numbers["unit_changes"] == 1
        assert str(SESSIONS[3]) in verdict.message

    def test_a_restatement_in_another_unit_fails_and_a_corrected_print_passes(self) -> None:
        sound, wrong = board(SESSIONS[:4]), board(SESSIONS[3:4], 100.0)
        later = pl.col("known_at") + timedelta(days=1)
        assert not check_price_jumps(pl.concat([sound, wrong.with_columns(later)]), LIMITS).passed
        corrected = pl.concat([board(SESSIONS[:3]), wrong, board(SESSIONS[3:4]).with_columns(later)])
        assert check_price_jumps(corrected, LIMITS).passed

    def test_single_large_moves_are_counted(self) -> None:
        moved = bars([(CONTRACTS[0], SESSIONS[1], 120.0), *((c, SESSIONS[1], 82.0) for c in CONTRACTS[1:])])
        verdict = check_price_jumps(pl.concat([board(SESSIONS[:1]), moved]), LIMITS)
        assert (verdict.passed, verdict.numbers["large"], verdict.numbers["moves"]) == (True, 1, 5)

    def test_negative_and_missing_settles_are_no_moves(self) -> None:
        rows = bars([(CONTRACTS[0], SESSIONS[0], -37.6), (CONTRACTS[0], SESSIONS[1], 10.0)])
        verdict = check_price_jumps(rows, LIMITS)
        assert (verdict.passed, verdict.numbers["moves"]) == (True, 0)


class TestDeliveries:
    SOUND = DeliveryOutcome("cftc", "deacot2025.zip", "parsed", "")

    def test_readable_repeated_and_absent_ones_pass(self) -> None:
        verdict = check_deliveries(
            [
                self.SOUND,
                DeliveryOutcome("cftc", "deacot2024.zip", "unchanged", "delivered_before"),
                DeliveryOutcome("cftc", "fetch", "nothing_new", "not_modified"),
            ]
        )
        assert (verdict.passed, verdict.reason, verdict.severity) == (True, "ok", Severity.WARN)
        assert verdict.numbers["unchanged"] == 1
        assert check_deliveries([]).passed

    @pytest.mark.parametrize("state", ["unreadable", "unreachable", "empty"])
    def test_one_that_failed_fails(self, state: str) -> None:
        verdict = check_deliveries([self.SOUND, DeliveryOutcome("cftc", "x", state, "why")])
        assert (verdict.passed, verdict.reason) == (False, f"delivery_{state}")
        assert verdict.message == f"cftc x: {state} (why)"

    def test_new_columns_are_named_and_missing_ones_fail(self) -> None:
        noted = DeliveryOutcome("cme", "x", "parsed", "", ("new_column:Extra", "encoding:cp1252"))
        verdict = check_deliveries([noted])
        assert verdict.passed
        assert verdict.numbers["new_columns"] == "Extra"
        assert "Extra" in verdict.message
        missing = check_deliveries([noted, DeliveryOutcome("cme", "y", "parsed", "", ("missing_column:HighBid",))])
        assert (missing.passed, missing.reason, missing.numbers["missing_columns"]) == (
            False,
            "missing_column",
            "HighBid",
        )


@pytest.mark.parametrize(("bad", "passed"), [(0, True), (5, True), (6, False), (100, False)])
def test_quarantine_share(bad: int, passed: bool) -> None:
    verdict = check_quarantine(100, bad)
    assert (verdict.passed, verdict.reason) == (passed, "ok" if passed else "quarantine_share")
    assert check_quarantine(0, 0).passed


Floats = NDArray[np.float64]


def american_on_future(
    forward: float, strikes: Floats, sigma: float, rate: float, years: float, is_call: bool, steps: int = 200
) -> Floats:
    """Cox-Ross-Rubinstein tree of a future (no drift), ``[k]`` strikes; early exercise at every node."""
    up = np.exp(sigma * np.sqrt(years / steps))
    q = (1 - 1 / up) / (up - 1 / up)
    discount = np.exp(-rate * years / steps)
    sign = 1.0 if is_call else -1.0
    values = np.zeros((len(strikes), steps + 2))
    for step in range(steps, -1, -1):
        futures = forward * up ** (2.0 * np.arange(step + 1) - step)
        exercised = np.maximum(sign * (futures[None, :] - strikes[:, None]), 0.0)
        held = discount * (q * values[:, 1 : step + 2] + (1 - q) * values[:, : step + 1]) if step < steps else 0.0
        values = np.maximum(exercised, held)
    return values[:, 0]


def quotes(
    forward: float, strikes: Floats, calls: Floats, puts: Floats, years: float, spread: float | None = 0.0
) -> pl.DataFrame:
    """A two-sided board, or with ``spread`` None one of settlements."""
    frame = pl.DataFrame(
        {
            "strike": np.concatenate([strikes, strikes]),
            "right": ["C"] * len(strikes) + ["P"] * len(strikes),
            "value": np.concatenate([calls, puts]),
        }
    )
    half = 0.0 if spread is None else spread / 2
    quoted, nothing = pl.lit(spread is not None), pl.lit(None, dtype=pl.Float64)
    return frame.with_columns(
        pl.lit("HE").alias("market"),
        pl.lit(SESSIONS[0]).alias("session"),
        pl.lit(date(2025, 12, 12)).alias("expiry"),
        pl.lit("HE-2025-12").alias("underlying_contract"),
        pl.lit(forward).alias("underlying_settle"),
        pl.lit(years).alias("year_fraction"),
        pl.when(quoted).then(pl.col("value") - half).otherwise(nothing).alias("bid"),
        pl.when(quoted).then(pl.col("value") + half).otherwise(nothing).alias("ask"),
        pl.when(~quoted).then(pl.col("value")).otherwise(nothing).alias("settle"),
    )


class TestParity:
    STRIKES = np.array([40.0, 55.0, 70.0, 85.0, 100.0, 115.0, 140.0, 180.0])

    @pytest.mark.parametrize("sigma", [0.1, 0.25, 0.6])
    @pytest.mark.parametrize("spread", [0.0, 0.4, None])
    def test_american_options_deep_in_the_money_are_no_violation(self, sigma: float, spread: float | None) -> None:
        calls, puts = (american_on_future(100.0, self.STRIKES, sigma, 0.05, 1.0, call) for call in (True, False))
        verdict = check_parity(quotes(100.0, self.STRIKES, calls + 1.0, puts + 1.0, 1.0, spread))
        assert verdict.numbers == {"pairs": len(self.STRIKES), "violations": 0}
        assert verdict.passed

    @settings(max_examples=25, deadline=None)
    @given(
        sigma=st.floats(0.08, 0.9), rate=st.floats(0.0, 0.1), years=st.floats(0.02, 2.0), forward=st.floats(5.0, 500.0)
    )
    def test_the_band_holds_for_american_and_european_options(
        self, sigma: float, rate: float, years: float, forward: float
    ) -> None:
        strikes = forward * np.array([0.5, 0.8, 1.0, 1.25, 2.0])
        calls, puts = (american_on_future(forward, strikes, sigma, rate, years, call, 60) for call in (True, False))
        tick = 1e-6 * forward
        assert check_parity(quotes(forward, strikes, calls + tick, puts + tick, years)).numbers["violations"] == 0
        european = np.exp(-rate * years) * (forward - strikes)
        board = quotes(forward, strikes, np.maximum(european, 0) + tick, np.maximum(-european, 0) + tick, years)
        assert check_parity(board).numbers["violations"] == 0

    @pytest.mark.parametrize("shift", [5.0, -5.0])
    def test_another_underlying_fails(self, shift: float) -> None:
        calls, puts = (american_on_future(100.0, self.STRIKES, 0.25, 0.05, 0.25, call) for call in (True, False))
        board = quotes(100.0 + shift, self.STRIKES, calls, puts, 0.25, 0.2)
        verdict = check_parity(board.filter(pl.col("bid") > 0))
        assert (verdict.passed, verdict.reason, verdict.severity) == (False, "parity", Severity.WARN)

    def test_calls_and_puts_exchanged_fail(self) -> None:
        calls, puts = (american_on_future(100.0, self.STRIKES, 0.4, 0.05, 0.5, call) for call in (True, False))
        assert not check_parity(quotes(100.0, self.STRIKES, puts, calls, 0.5, 0.2).filter(pl.col("bid") > 0)).passed

    def test_a_wide_spread_excuses_and_one_sided_quotes_do_not_count(self) -> None:
        calls, puts = (american_on_future(100.0, self.STRIKES, 0.25, 0.05, 0.25, call) for call in (True, False))
        wide = quotes(100.0, self.STRIKES, calls + 20.0, puts + 20.0, 0.25, 30.0)
        assert check_parity(wide).passed
        one_sided = quotes(105.0, self.STRIKES, calls, puts, 0.25, 0.2).with_columns(pl.lit(0.0).alias("bid"))
        assert check_parity(one_sided).numbers == {"pairs": 0, "violations": 0}
