"""The parser on written reports: dialects, defects, duplicates, and random damage."""

import io
import json
import zipfile
from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hydra_assets.columns import RAW_COT_REPORTS
from hydra_assets.markets.model import CftcCode
from hydra_assets.sources.base import ParseContext, ParseError, ParseResult, PayloadState
from hydra_assets.sources.cftc import Family, Scope, parse_cot, write_disaggregated, write_legacy
from hydra_assets.sources.cftc.layout import CATEGORIES, LEGACY_SITE
from tests.support.cot import (
    QUANTITY_COLUMNS,
    balanced,
    context,
    edited,
    frame,
    market,
    payload,
    reports,
    site_row,
    weekly,
)

LEGACY = write_legacy(weekly(Family.LEGACY, ["002602", "004603"], 3))
DISAGGREGATED = write_disaggregated(weekly(Family.DISAGGREGATED, ["002602"], 2))


def parse(content: bytes, name: str = "annual.txt", **more: object) -> ParseResult:
    result = parse_cot(payload(content, name, **more), context())  # type: ignore[arg-type]
    assert result.unaccounted() == []
    assert result.rows.columns == [
        c for c in RAW_COT_REPORTS.columns if c not in {"ingested_at", "source", "payload_sha256"}
    ]
    assert dict(result.rows.schema) == {c: RAW_COT_REPORTS.schema[c] for c in result.rows.columns}
    return result


def reasons(result: ParseResult) -> dict[str, int]:
    return dict(result.rejects.group_by("reason").len().rows())


class TestRoundTrip:
    """parse(write(x)) == x."""

    @settings(max_examples=40, deadline=None)
    @given(data=st.data(), family=st.sampled_from(Family), scope=st.sampled_from(Scope))
    def test_written_reports_read_back(self, data: st.DataObject, family: Family, scope: Scope) -> None:
        rows = data.draw(reports(family))
        if family is Family.LEGACY:
            content, name = write_legacy(rows), "annual.txt" if scope is Scope.FUTURES_ONLY else "annualof.txt"
        else:
            content, name = write_disaggregated(rows, scope), "f_year.txt" if scope is Scope.FUTURES_ONLY else "c.txt"
        result = parse(content, name)
        assert result.rejects.is_empty()
        assert set(result.rows["scope"]) == {str(scope)}
        assert set(result.rows["family"]) == {str(family)}
        order = ["cftc_code", "report_date", "category"]
        assert result.rows.select(rows.columns).sort(order).equals(rows.sort(order))

    def test_writer_refuses_a_missing_category(self) -> None:
        rows = weekly(Family.LEGACY, ["002602"], 1).filter(pl.col("category") != "commercial")
        with pytest.raises(ValueError, match="commercial"):
            write_legacy(rows)

    def test_changes_and_shares_are_written_as_the_cftc_does(self) -> None:
        lines = LEGACY.decode().split("\n")
        newest, oldest = lines[1].split(","), lines[3].split(",")
        assert [c.strip() for c in (newest[1], newest[2], oldest[2])] == ["250318", "2025-03-18", "2025-03-04"]
        assert int(newest[37]) == int(newest[7]) - int(lines[2].split(",")[7])
        assert oldest[37] == "."
        assert newest[48].strip() == f"{100 * int(newest[8]) / int(newest[7]):.1f}"


class TestDialects:
    """One canonical row whatever the header."""

    def test_times_and_week(self) -> None:
        row = parse(LEGACY).rows.filter(pl.col("report_date") == date(2025, 3, 18)).row(0, named=True)
        assert row["report_week"] == date(2025, 3, 17)
        assert row["event_time"] == datetime(2025, 3, 18, 19, 30, tzinfo=UTC)
        assert row["known_at"] == datetime(2025, 3, 21, 19, 30, tzinfo=UTC)

    def test_site_json_with_its_misspellings_and_omitted_nulls(self) -> None:
        rows = balanced(Family.LEGACY, "002602", date(2025, 3, 4), [900, 800, 50, 700, 2])
        result = parse(json.dumps([site_row(rows)]).encode(), "6dca-aqww.json")
        want = frame(rows).sort("category")
        assert result.rows.sort("category").select(want.columns).equals(want)
        assert set(result.rows["scope"]) == {"futures_only"}

    def test_site_csv(self) -> None:
        rows = balanced(Family.LEGACY, "002602", date(2025, 3, 4), [900, 800, 50, 700, 8])
        row = site_row(rows)
        content = (",".join(row) + "\n" + ",".join(f'"{v}"' for v in row.values()) + "\n").encode()
        assert parse(content, "export.csv").rows.height == 4

    def test_zip_member_names_the_scope(self) -> None:
        result = parse(zip_of({"annualof.txt": LEGACY}), "download.zip")
        assert set(result.rows["scope"]) == {"combined"}

    def test_columns_in_another_order_read_the_same(self) -> None:
        lines = [line.split(",") for line in LEGACY.decode().strip().split("\n")]
        turned = "\n".join(",".join(reversed(cells)) for cells in lines).encode() + b"\n"
        assert parse(turned).rows.equals(parse(LEGACY).rows)

    def test_shuffled_rows_read_the_same(self) -> None:
        lines = LEGACY.decode().strip().split("\n")
        turned = "\n".join([lines[0], *reversed(lines[1:])]).encode() + b"\n"
        key = ["market", "report_date", "category"]
        a, b = (parse(c).rows.drop("source_row").sort(key) for c in (turned, LEGACY))
        assert a.equals(b)

    def test_new_column_is_a_note(self) -> None:
        lines = LEGACY.decode().strip().split("\n")
        content = "\n".join([lines[0] + ',"Moon Phase"', *(line + ",full" for line in lines[1:])]).encode() + b"\n"
        result = parse(content)
        assert result.notes == ("new_column:moon_phase",)
        assert result.rows.equals(parse(LEGACY).rows)

    def test_missing_column_is_named(self) -> None:
        content = LEGACY.replace(b"Commercial Positions-Short (All)", b"Commercial Positions-Shirt (All)", 1)
        with pytest.raises(ParseError, match="commercial_positions_short_all") as error:
            parse(content)
        assert error.value.reason == "missing_column"

    def test_windows_line_ends_and_code_page(self) -> None:
        content = LEGACY.replace(b"\n", b"\r\n").replace(b'"002602"', b'"CAF\xc9"', 1)
        result = parse(content)
        assert result.notes == ("encoding:cp1252",)
        assert result.rows.height == 24


class TestScope:
    """Futures only or combined is never guessed."""

    def test_unknown_name_is_ambiguous(self) -> None:
        with pytest.raises(ParseError, match="ambiguous_report"):
            parse(LEGACY, "cot.txt")

    def test_declared_scope(self) -> None:
        assert set(parse(LEGACY, "cot.txt", meta={"scope": "combined"}).rows["scope"]) == {"combined"}

    @pytest.mark.parametrize(
        ("name", "meta"),
        [
            ("annual.txt", {"scope": "combined"}),
            ("annual.txt", {"scope": "everything"}),
            ("annual.txt", {"family": "disaggregated"}),
        ],
    )
    def test_contradiction_is_ambiguous(self, name: str, meta: dict[str, str]) -> None:
        with pytest.raises(ParseError, match="ambiguous_report"):
            parse(LEGACY, name, meta=meta)

    def test_row_that_contradicts_the_declared_scope_is_quarantined(self) -> None:
        assert reasons(parse(DISAGGREGATED, "c_year.txt")) == {"unknown_scope": 2}


class TestRows:
    """Each row's own fate."""

    @pytest.mark.parametrize(
        ("column", "value", "reason"),
        [
            (3, "", "missing_code"),
            (3, "999999", "market_not_configured"),
            (2, "2025-03-17", "date_mismatch"),
            (1, "250317", "date_mismatch"),
            (7, "12x", "bad_number"),
            (7, ".", "missing_number"),
            (8, "", "missing_number"),
            (8, "-5", "negative_number"),
            (8, "999999", "reportable_sum_mismatch"),
            (15, "999999", "open_interest_mismatch"),
            (78, "inf", "bad_number"),
            (78, "-1", "negative_number"),
        ],
    )
    def test_defect(self, column: int, value: str, reason: str) -> None:
        result = parse(edited(LEGACY, column, value))
        assert reasons(result) == {reason: 1}
        assert result.rejects["disposition"].to_list() == [
            "set_aside" if reason == "market_not_configured" else "quarantined"
        ]
        assert result.rows.height == 20

    def test_quarantined_row_keeps_its_text(self) -> None:
        content = edited(LEGACY, 7, "12x")
        assert parse(content).rejects["raw"].to_list() == [content.decode().split("\n")[1]]

    @pytest.mark.parametrize(
        ("iso", "short", "reason"),
        [
            ("2025-03-19", "250319", "unexpected_weekday"),
            ("2025-03-16", "250316", "unexpected_weekday"),
            ("2026-11-24", "261124", "date_in_future"),
            ("", "", "bad_date"),
            ("1901-01-01", "010101", "bad_date"),
        ],
    )
    def test_impossible_day(self, iso: str, short: str, reason: str) -> None:
        content = edited(edited(LEGACY, 1, short), 2, iso)
        assert reasons(parse(content)) == {reason: 1}

    def test_vintage_cannot_hold_a_later_report(self) -> None:
        result = parse(LEGACY, available_at=datetime(2025, 3, 12, tzinfo=UTC))
        assert reasons(result) == {"date_in_future": 2}

    @pytest.mark.parametrize(
        ("short", "iso"), [("70102", "2007-01-02"), ("104", "2000-01-04"), ("10102", "2001-01-02")]
    )
    def test_lost_zeros_of_old_dates(self, short: str, iso: str) -> None:
        both = parse(edited(edited(LEGACY, 1, short), 2, iso))
        alone = parse(edited(edited(LEGACY, 1, short), 2, ""))
        for result in (both, alone):
            assert result.rejects.is_empty()
            assert result.rows.row(0, named=True)["report_date"] == date.fromisoformat(iso)

    def test_six_digit_date_alone_is_enough(self) -> None:
        result = parse(edited(LEGACY, 2, "yesterday"))
        assert result.rejects.is_empty()
        assert result.rows.equals(parse(LEGACY).rows)

    def test_american_dates(self) -> None:
        result = parse(edited(LEGACY, 2, "3/18/2025 12:00:00 AM"))
        assert result.rejects.is_empty()

    def test_padded_code_and_lost_zeros_of_a_code(self) -> None:
        assert parse(edited(LEGACY, 3, " 2602 ")).rows.height == 24

    def test_suppressed_traders_are_missing(self) -> None:
        rows = parse(edited(LEGACY, 78, ".")).rows
        first = rows.row(0, named=True)
        assert first["category"] == "noncommercial"
        assert first["traders_long"] is None

    def test_identical_row_is_set_aside_and_differing_ones_quarantined(self) -> None:
        lines = LEGACY.decode().strip().split("\n")
        twice = "\n".join([*lines, lines[1]]).encode() + b"\n"
        result = parse(twice)
        assert reasons(result) == {"duplicate_row": 1}
        assert result.rejects["source_row"].to_list() == [6]
        other = edited(twice, 78, "7777", row=6)
        result = parse(other)
        assert reasons(result) == {"conflicting_rows": 2}
        assert result.rows.height == 20

    def test_wrong_number_of_fields(self) -> None:
        lines = LEGACY.decode().strip().split("\n")
        lines[2] += ",1"
        lines[3] = lines[3].rsplit(",", 4)[0]
        result = parse("\n".join(lines).encode() + b"\n")
        assert reasons(result) == {"malformed_row": 2}
        assert result.rows.height == 16

    def test_code_validity(self) -> None:
        spec = market(
            "LB",
            CftcCode(code="002602", valid_to=date(2025, 3, 4)),
            CftcCode(code="004603", valid_from=date(2025, 3, 11)),
        )
        result = parse_cot(payload(LEGACY), ParseContext({"LB": spec}, {}))
        assert result.unaccounted() == []
        assert reasons(result) == {"code_not_valid_on_date": 3}
        got = result.rows.select("report_date", "cftc_code").unique().sort("report_date").rows()
        assert got == [(date(2025, 3, 4), "002602"), (date(2025, 3, 11), "004603"), (date(2025, 3, 18), "004603")]

    def test_report_ahead_of_the_calendar_is_noted(self) -> None:
        result = parse(LEGACY, available_at=datetime(2025, 3, 20, tzinfo=UTC))
        assert result.notes == ("ahead_of_schedule:2025-03-18",)
        newest = result.rows.filter(pl.col("report_date") == date(2025, 3, 18))
        assert newest["known_at"].unique().to_list() == [datetime(2025, 3, 21, 19, 30, tzinfo=UTC)]


class TestUnreadable:
    """Payloads refused whole, each with its state."""

    @pytest.mark.parametrize(
        ("content", "reason", "state"),
        [
            (b"", "zero_length", PayloadState.EMPTY),
            (b" \r\n", "zero_length", PayloadState.EMPTY),
            (LEGACY.split(b"\n")[0] + b"\n", "no_rows", PayloadState.EMPTY),
            (b"\xef\xbb\xbf", "zero_length", PayloadState.EMPTY),
            (b"[]", "no_rows", PayloadState.EMPTY),
            (b"<!DOCTYPE html><html>sorry</html>", "html_instead_of_data", PayloadState.UNREADABLE),
            (LEGACY.decode().encode("utf-16"), "wrong_encoding", PayloadState.UNREADABLE),
            (LEGACY.decode().encode("cp037"), "wrong_encoding", PayloadState.UNREADABLE),
            (LEGACY[: len(LEGACY) // 2], "truncated", PayloadState.UNREADABLE),
            (b"a,b,c\n1,2,3\n", "unknown_layout", PayloadState.UNREADABLE),
            (b'{"error":true,"message":"query timeout"}', "vendor_error", PayloadState.UNREADABLE),
            (b'[{"a":1},', "truncated", PayloadState.UNREADABLE),
        ],
    )
    def test_refused(self, content: bytes, reason: str, state: PayloadState) -> None:
        with pytest.raises(ParseError) as error:
            parse(content)
        assert (error.value.reason, error.value.state) == (reason, state)

    def test_archives(self) -> None:
        whole = zip_of({"annual.txt": LEGACY})
        bad_crc = bytearray(whole)
        bad_crc[len(whole) // 3] ^= 0xFF
        cases = {
            "truncated_archive": whole[: len(whole) * 2 // 3],
            "archive_members": zip_of({"annual.txt": LEGACY, "again.txt": LEGACY}),
            "zero_length": zip_of({"annual.txt": b""}),
        }
        for reason, content in cases.items():
            with pytest.raises(ParseError) as error:
                parse(content, "deacot2025.zip")
            assert error.value.reason == reason
        with pytest.raises(ParseError):
            parse(bytes(bad_crc), "deacot2025.zip")


def zip_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def invariants(result: ParseResult) -> None:
    """What holds for any payload that was not refused."""
    assert result.unaccounted() == []
    per_row = result.rows.group_by("source_row", "market").agg(
        pl.col("category").sort(), pl.col("family").first(), pl.col("known_at", "event_time").first()
    )
    for row in per_row.iter_rows(named=True):
        assert row["category"] == sorted(CATEGORIES[Family(row["family"])])
        assert row["known_at"] > row["event_time"]
    assert result.rows.select(pl.col(QUANTITY_COLUMNS).min()).transpose().to_series().drop_nulls().ge(0).all()
    assert not result.rows.select("market", "family", "scope", "report_date", "category").is_duplicated().any()


def outcome(content: bytes, name: str) -> ParseResult | None:
    """What the parser made of it; None where it refused by its own error."""
    try:
        return parse_cot(payload(content, name), context())
    except ParseError:
        return None


class TestFuzz:
    """Nothing but ParseError, nothing dropped."""

    @settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.binary(max_size=400), st.sampled_from([b"", b"PK\x03\x04", b"[", b'{"a":', b"\xef\xbb\xbf", LEGACY[:2600]])
    )
    def test_any_bytes(self, tail: bytes, head: bytes) -> None:
        result = outcome(head + tail, "annual.txt")
        if result is not None:
            invariants(result)

    @settings(max_examples=150, deadline=None)
    @given(data=st.data())
    def test_damaged_text(self, data: st.DataObject) -> None:
        base = data.draw(st.sampled_from([LEGACY, DISAGGREGATED]))
        lines = base.decode().split("\n")
        for _ in range(data.draw(st.integers(1, 4))):
            at = data.draw(st.integers(0, len(lines) - 1))
            cells = lines[at].split(",")
            cell = data.draw(st.integers(0, min(len(cells) - 1, 20)))
            cells[cell] = data.draw(
                st.one_of(st.text(max_size=8), st.sampled_from(['"', "1e400", "-0", "9" * 30, "NaN", ".", "a\nb"]))
            )
            lines[at] = ",".join(cells)
        content = "\n".join(lines).encode("utf-8", "surrogatepass")
        result = outcome(content, "f_year.txt")
        if result is None:
            return
        invariants(result)
        text = content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
        assert result.total_rows == sum(bool(line.strip()) for line in text.split("\n")) - 1

    @settings(max_examples=60, deadline=None)
    @given(flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 255)), min_size=1, max_size=6))
    def test_damaged_archive(self, flips: list[tuple[int, int]]) -> None:
        content = bytearray(zip_of({"annual.txt": LEGACY}))
        for place, mask in flips:
            content[place % len(content)] ^= mask
        result = outcome(bytes(content), "deacot2025.zip")
        if result is not None:
            invariants(result)

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(
            st.one_of(
                st.none(),
                st.integers(),
                st.dictionaries(
                    st.sampled_from([s[0] for s in LEGACY_SITE.fields.values()]),
                    st.one_of(st.none(), st.text(max_size=5), st.integers(), st.floats(), st.lists(st.integers())),
                ),
            ),
            max_size=5,
        )
    )
    def test_any_json(self, items: list[object]) -> None:
        rows = balanced(Family.LEGACY, "002602", date(2025, 3, 4), [900, 800, 50])
        content = json.dumps([site_row(rows), *items]).encode()
        result = outcome(content, "6dca-aqww.json")
        if result is None:
            return
        invariants(result)
        assert result.total_rows == len(items) + 1
