"""The ingest on a real lake and archive: every row accounted for, nothing twice, nothing lost, nothing too early."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hydra_assets.lake.asof import as_of
from hydra_assets.lake.content_hash import partition_hashes
from hydra_assets.markets.sessions import WEEKDAYS
from hydra_assets.sources.base import Dataset, Payload, PayloadState, SourceError
from hydra_assets.state.records import PayloadRecord
from tests.support.deliveries import BARS, NOW, Bench, ForgetfulLedger, MemoryLedger, TinySource, delivery, settle
from tests.support.source_markets import context, market

MONDAY, TUESDAY, WEDNESDAY = date(2025, 3, 3), date(2025, 3, 4), date(2025, 3, 5)
DEC, FEB = "HE-2025-12", "HE-2026-02"
KEY = (*BARS.key, "source")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2025, 3, day, hour, tzinfo=UTC)


def accounted(record: PayloadRecord) -> bool:
    parts = (record.rows_loaded, record.rows_superseded, record.rows_quarantined, record.rows_set_aside)
    return sum(parts) == record.rows_total


def prices(rows: pl.DataFrame) -> list[tuple[str, date, float]]:
    return sorted(rows.filter(pl.col("record") == "price").select("contract", "event_session", "settle").iter_rows())


def settles_at(bench: Bench, cutoff: datetime) -> list[tuple[str, date, float]]:
    return prices(as_of(bench.rows(), cutoff, KEY))


def hashes(bench: Bench) -> pl.DataFrame:
    return partition_hashes(BARS, bench.rows())


def test_every_row_is_loaded_superseded_quarantined_or_set_aside(bench: Bench) -> None:
    (first,) = bench.deliver(delivery("day1", [settle(DEC, MONDAY, 80.0), settle(FEB, MONDAY, 82.0)]))
    assert (first.rows_total, first.rows_loaded) == (2, 2)
    lines = [
        settle(DEC, MONDAY, 80.0),  # said before
        settle(FEB, MONDAY, 82.5),  # restated
        settle(DEC, TUESDAY, 81.0, open_interest=-5),  # price good, open interest impossible
        "{broken",
        settle("ZC-2025-12", TUESDAY, 450.0),  # nobody's
        settle(DEC, date(2025, 3, 8), 81.0),  # a Saturday
        settle(FEB, TUESDAY, 83.0, open_interest=12),
    ]
    (second,) = bench.deliver(delivery("day2", lines))
    assert accounted(second)
    counts = (second.rows_loaded, second.rows_superseded, second.rows_quarantined, second.rows_set_aside)
    assert counts == (3, 1, 2, 1)
    assert second.reasons == {
        ("quarantined", "malformed"): 1,
        ("quarantined", "not_a_session"): 1,
        ("quarantined", "out_of_bounds"): 1,
        ("set_aside", "market_not_configured"): 1,
    }
    assert second.notes == ("read:json",)
    quarantine = bench.quarantine()
    assert sorted(quarantine["reason"]) == ["malformed", "not_a_session", "out_of_bounds"]
    assert quarantine.filter(pl.col("reason") == "malformed")["raw"].to_list() == ["{broken"]
    assert (quarantine["payload_sha256"] == second.sha256).all()
    assert prices(bench.rows()) == [
        (DEC, MONDAY, 80.0),
        (DEC, TUESDAY, 81.0),
        (FEB, MONDAY, 82.0),
        (FEB, MONDAY, 82.5),
        (FEB, TUESDAY, 83.0),
    ]


def test_the_same_bytes_again_change_nothing(bench: Bench) -> None:
    yesterday = delivery("yesterday", [settle(DEC, MONDAY, 80.0), "{broken"])
    bench.deliver(yesterday)
    version, rows = bench.lake.version(BARS.name), bench.rows()
    again, renamed = bench.deliver(yesterday, delivery("today", [settle(DEC, MONDAY, 80.0), "{broken"]))
    assert [again.state, renamed.state] == [PayloadState.UNCHANGED] * 2
    assert again.reason == "delivered_before"
    assert bench.rows().equals(rows)
    assert bench.lake.version(BARS.name) == version
    assert bench.quarantine().height == 1


def test_the_same_rows_in_other_bytes_are_superseded(bench: Bench) -> None:
    lines = [settle(c, d, 80.0 + i) for i, (c, d) in enumerate([(DEC, MONDAY), (FEB, MONDAY), (DEC, TUESDAY)])]
    bench.deliver(delivery("plain", lines))
    before = hashes(bench)
    (shuffled,) = bench.deliver(delivery("shuffled", lines[::-1]), now=NOW + timedelta(days=1))
    assert shuffled.state is PayloadState.PARSED
    assert (shuffled.rows_total, shuffled.rows_superseded, shuffled.rows_loaded) == (3, 3, 0)
    assert hashes(bench).equals(before)


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_nothing_in_a_payload_is_a_state_of_its_own(bench: Bench, content: bytes) -> None:
    payload = Payload(Dataset.FUTURES_BARS, "tiny", "empty", content, NOW)
    (record,) = bench.deliver(payload)
    assert (record.state, record.reason) == (PayloadState.EMPTY, "no_rows" if content else "zero_length")
    assert bench.archive.load(payload.sha256) == content


def test_a_restatement_is_known_from_its_transport_on_and_the_first_print_stays(bench: Bench) -> None:
    bench.deliver(delivery("first", [settle(DEC, MONDAY, 80.0)], public=at(4)))
    before = hashes(bench)
    (restated,) = bench.deliver(delivery("second", [settle(DEC, MONDAY, 81.0)], public=at(6)))
    assert restated.rows_loaded == 1
    assert bench.rows()["known_at"].to_list() == [at(3, 22), at(6)]
    assert bench.rows()["session"].to_list() == [MONDAY, date(2025, 3, 6)]
    assert hashes(bench).filter(pl.col("session") == MONDAY).equals(before)
    assert settles_at(bench, at(3, 21)) == []
    assert settles_at(bench, at(3, 22)) == settles_at(bench, at(6) - timedelta(seconds=1)) == [(DEC, MONDAY, 80.0)]
    assert settles_at(bench, at(6)) == [(DEC, MONDAY, 81.0)]


def test_without_transport_evidence_a_restatement_is_known_when_it_was_fetched(bench: Bench) -> None:
    bench.deliver(delivery("first", [settle(DEC, MONDAY, 80.0)], fetched=at(4)))
    bench.deliver(delivery("second", [settle(DEC, MONDAY, 81.0)], fetched=at(9)))
    assert bench.rows()["known_at"].to_list() == [at(3, 22), at(9)]


def test_a_value_that_returns_is_a_restatement_again(bench: Bench) -> None:
    for day, value in ((4, 80.0), (5, 81.0), (6, 80.0)):
        bench.deliver(delivery(f"day{day}", [settle(DEC, MONDAY, value, edition=day)], public=at(day)))
    values = [settles_at(bench, at(day))[0][2] for day in (4, 5, 6)]
    assert values == [80.0, 81.0, 80.0]


def test_an_older_vintage_that_says_otherwise_is_quarantined(bench: Bench) -> None:
    bench.deliver(delivery("newer", [settle(DEC, MONDAY, 81.0)], public=at(6)))
    before = hashes(bench)
    (older,) = bench.deliver(delivery("older", [settle(DEC, MONDAY, 80.0), settle(FEB, MONDAY, 70.0)], public=at(4)))
    assert (older.rows_loaded, older.rows_quarantined) == (1, 1)
    assert older.reasons == {("quarantined", "older_vintage"): 1}
    assert settles_at(bench, at(31)) == [(DEC, MONDAY, 81.0), (FEB, MONDAY, 70.0)]
    assert before.height == 1


def test_an_older_vintage_that_was_loaded_in_its_time_is_no_news(bench: Bench) -> None:
    first, second = (
        delivery("first", [settle(DEC, MONDAY, 80.0)], public=at(4)),
        delivery("second", [settle(DEC, MONDAY, 81.0)], public=at(6)),
    )
    bench.deliver(first, second)
    before = hashes(bench)
    (copy,) = bench.deliver(delivery("copy of first", ["{x", settle(DEC, MONDAY, 80.0)], public=at(4)))
    assert (copy.rows_superseded, copy.rows_quarantined) == (1, 1)
    assert hashes(bench).equals(before)


def test_contradictions_inside_one_payload(bench: Bench) -> None:
    (record,) = bench.deliver(delivery("twice", [settle(DEC, MONDAY, v) for v in (80.0, 80.5, 80.0, 80.5)]))
    assert accounted(record)
    assert (record.rows_loaded, record.rows_superseded, record.rows_quarantined) == (1, 1, 2)
    assert record.reasons == {("quarantined", "conflicting_duplicate"): 2}
    assert prices(bench.rows()) == [(DEC, MONDAY, 80.0)]


def test_versions_inside_one_payload_are_kept_and_read_again_without_doubling(bench: Bench) -> None:
    versions = [
        settle(DEC, MONDAY, 80.0, known_at="2025-03-03T20:00:00+00:00"),
        settle(DEC, MONDAY, 80.5, known_at="2025-03-03T23:00:00+00:00"),
        settle(DEC, MONDAY, 80.0, known_at="2025-03-04T01:00:00+00:00"),
    ]
    (first,) = bench.deliver(delivery("statistics", versions))
    assert first.rows_loaded == 3
    before = hashes(bench)
    (longer,) = bench.deliver(delivery("overlapping", [*versions, settle(DEC, TUESDAY, 81.0)]))
    assert (longer.rows_superseded, longer.rows_loaded) == (3, 1)
    assert hashes(bench).filter(pl.col("session") <= TUESDAY).height >= before.height
    assert [s[2] for s in (settles_at(bench, at(3, 22))[0], settles_at(bench, at(3, 23))[0])] == [80.0, 80.5]
    assert bench.rows().height == 4


def test_two_sources_may_print_the_same_key(bench: Bench) -> None:
    report = bench.ingest(
        TinySource([delivery("a", [settle(DEC, MONDAY, 80.0)])]),
        TinySource([delivery("b", [settle(DEC, MONDAY, 80.1)], source="other")], name="other"),
    )
    assert report.rows_appended == 2
    assert dict(bench.rows().select("source", "settle").iter_rows()) == {"tiny": 80.0, "other": 80.1}


def killed(bench: Bench, *payloads: Payload) -> None:
    """A run that commits to the lake and dies before the ledger entry."""
    alive = bench.ledger
    bench.ledger = ForgetfulLedger(dict(alive.rows))
    with pytest.raises(KeyboardInterrupt):
        bench.deliver(*payloads)
    bench.ledger = alive


def test_a_run_killed_before_its_ledger_entry_is_run_again_without_doubling(bench: Bench) -> None:
    payload = delivery("day", [settle(DEC, MONDAY, 80.0), "{broken", settle(FEB, MONDAY, 82.0, open_interest=-1)])
    killed(bench, payload)
    rows, quarantine = bench.rows(), bench.quarantine()
    assert rows.height == 2
    (record,) = bench.deliver(payload, now=NOW + timedelta(hours=1))
    assert (record.state, record.rows_loaded, record.rows_superseded, record.rows_quarantined) == ("parsed", 2, 0, 1)
    assert bench.rows().equals(rows)
    assert bench.quarantine().equals(quarantine)
    assert quarantine.height == 2


@pytest.mark.parametrize("dated", [True, False])
def test_a_killed_run_over_several_vintages_repeats_none_of_them(bench: Bench, dated: bool) -> None:
    payloads = [
        delivery(f"v{day}", [settle(DEC, MONDAY, value), settle(FEB, MONDAY, 70.0)], public=at(day) if dated else None)
        for day, value in ((4, 80.0), (5, 81.0), (6, 82.0))
    ]
    killed(bench, *payloads)
    before = bench.rows()
    assert before.height == 4
    records = bench.deliver(*payloads, now=NOW + timedelta(days=1))
    assert bench.rows().equals(before)
    assert [r.rows_loaded for r in records] == [2, 1, 1]
    assert all(accounted(r) for r in records)


def test_with_a_new_market_known_payloads_are_read_again(bench: Bench) -> None:
    both = [settle(DEC, MONDAY, 80.0), settle("ZC-2025-12", MONDAY, 450.0)]
    restated = [settle(DEC, MONDAY, 81.0), settle("ZC-2025-12", MONDAY, 451.0)]
    payloads = [delivery("v1", both, public=at(4)), delivery("v2", restated, public=at(6))]
    bench.deliver(*payloads)
    before = bench.rows()
    assert prices(before) == [(DEC, MONDAY, 80.0), (DEC, MONDAY, 81.0)]
    bench.markets = (market(), market("ZC", root="ZC"))
    records = bench.deliver(*payloads)
    assert [r.state for r in records] == [PayloadState.PARSED] * 2
    assert all(r.rows_loaded == 2 and accounted(r) for r in records)
    assert bench.rows().filter(pl.col("market") == "HE").equals(before)
    assert settles_at(bench, at(5)) == [(DEC, MONDAY, 80.0), ("ZC-2025-12", MONDAY, 450.0)]
    assert [r.state for r in bench.deliver(*payloads)] == [PayloadState.UNCHANGED] * 2


def test_a_new_market_does_not_make_an_old_vintage_new(bench: Bench) -> None:
    bench.deliver(delivery("newer", [settle(DEC, MONDAY, 81.0)], public=at(6)))
    bench.markets = (market(), market("ZC", root="ZC"))
    (older,) = bench.deliver(delivery("older", [settle(DEC, MONDAY, 80.0)], public=at(4)))
    assert older.reasons == {("quarantined", "older_vintage"): 1}


def test_rows_of_a_market_that_nobody_asked_for_are_not_doubled(bench: Bench) -> None:
    bench.markets = (market(), market("ZC", root="ZC"))
    lines = [settle(DEC, MONDAY, 80.0), settle("ZC-2025-12", MONDAY, 450.0)]
    bench.ingest(TinySource([delivery("file", lines)]), asked=["HE"])
    rows = bench.rows()
    assert rows["market"].to_list() == ["HE", "ZC"]
    bench.ingest(TinySource([delivery("corrected", [*lines, settle(DEC, TUESDAY, 81.0)])]), asked=["HE"])
    bench.ingest(TinySource([delivery("corrected", [*lines, settle(DEC, TUESDAY, 81.0)])]), asked=["ZC"])
    assert bench.rows().height == rows.height + 1


def test_events_after_the_present_are_quarantined(bench: Bench) -> None:
    (record,) = bench.deliver(delivery("ahead", [settle(DEC, MONDAY, 80.0), settle(DEC, TUESDAY, 81.0)]), now=at(3, 23))
    assert record.reasons == {("quarantined", "event_in_future"): 1}
    assert prices(bench.rows()) == [(DEC, MONDAY, 80.0)]


def test_a_day_without_session_is_quarantined_but_where_trading_never_stops(bench: Bench) -> None:
    saturday, independence_day = date(2025, 3, 8), date(2025, 7, 4)
    never_closed = market("BTC", root="BTC").model_copy(update={"calendar": WEEKDAYS})
    bench.markets = (market(), never_closed)
    lines = [settle(c, d, 80.0) for c in (DEC, "BTC-2025-12") for d in (saturday, independence_day)]
    (record,) = bench.deliver(delivery("closed", lines))
    assert record.reasons == {("quarantined", "not_a_session"): 2}
    weekend = bench.rows().filter(pl.col("event_session") == saturday)
    assert weekend["market"].to_list() == ["BTC"]
    assert weekend["session"].to_list() == [date(2025, 3, 10)]


def test_rows_known_before_the_history_land_in_its_first_session(bench: Bench) -> None:
    bench.history_start = date(2025, 3, 8)
    bench.deliver(delivery("history", [settle(DEC, MONDAY, 80.0), settle(DEC, date(2025, 3, 11), 81.0)]))
    assert bench.rows()["session"].to_list() == [date(2025, 3, 10), date(2025, 3, 11)]


def test_a_row_known_after_the_calendar_ends_is_quarantined(bench: Bench) -> None:
    (record,) = bench.deliver(delivery("far", [settle(DEC, MONDAY, 80.0, known_at="2040-01-02T00:00:00+00:00")]))
    assert record.reasons == {("quarantined", "beyond_calendar"): 1}


def test_a_failing_source_has_a_named_state_and_stops_no_other(bench: Bench) -> None:
    down = SourceError("status_503", "the vendor answered 503", state=PayloadState.UNREACHABLE)
    report = bench.ingest(
        TinySource([delivery("before", [settle(DEC, MONDAY, 80.0)])], error=down),
        TinySource([delivery("other", [settle(FEB, MONDAY, 82.0)], source="other")], name="other"),
    )
    states = [(d.source, d.state, d.reason) for d in report.deliveries]
    assert states == [("tiny", "parsed", ""), ("tiny", "unreachable", "status_503"), ("other", "parsed", "")]
    assert [f.reason for f in report.failures] == ["status_503"]
    assert prices(bench.rows()) == [(DEC, MONDAY, 80.0), (FEB, MONDAY, 82.0)]
    assert len(bench.ledger.rows) == 3


def test_a_source_with_nothing_to_deliver_says_so(bench: Bench) -> None:
    (record,) = bench.ingest(TinySource()).deliveries
    assert (record.state, record.reason, record.sha256) == (PayloadState.NOTHING_NEW, "no_payload", "")
    assert bench.ingest(TinySource()).failures == ()


def test_an_unreadable_payload_is_archived_and_stops_no_other(bench: Bench) -> None:
    unreadable = Payload(Dataset.FUTURES_BARS, "tiny", "latin", b"\xff\xfe\x00", NOW)
    good = delivery("good", [settle(DEC, MONDAY, 80.0)])
    first, second = bench.deliver(unreadable, good)
    assert (first.state, first.reason) == (PayloadState.UNREADABLE, "wrong_encoding")
    assert second.state is PayloadState.PARSED
    assert [bench.archive.load(p.sha256) for p in (unreadable, good)] == [unreadable.content, good.content]
    assert [r.state for r in bench.deliver(unreadable)] == [PayloadState.UNREADABLE]


def test_a_parser_that_loses_rows_stops_everything_before_it_is_written(bench: Bench) -> None:
    bench.deliver(delivery("sound", [settle(DEC, MONDAY, 80.0)]))
    version, entries = bench.lake.version(BARS.name), dict(bench.ledger.rows)
    payloads = [delivery(n, [settle(DEC, TUESDAY, v), settle(FEB, TUESDAY, v)]) for n, v in (("a", 1.0), ("b", 2.0))]
    with pytest.raises(RuntimeError, match=r"lost rows \[1\] of 2"):
        bench.ingest(TinySource(payloads[:1]), TinySource(payloads[1:], loses=frozenset({1})))
    assert bench.lake.version(BARS.name) == version
    assert not bench.lake.exists("quarantine")
    assert bench.ledger.rows == entries
    assert [bench.archive.load(p.sha256) for p in payloads] == [p.content for p in payloads]


# ------------------------------------------------------------------------------------- any order, any repeat

DAYS = [MONDAY, TUESDAY, WEDNESDAY]
line = st.tuples(st.sampled_from([DEC, FEB]), st.sampled_from(DAYS), st.integers(1, 3))
vintages = st.lists(
    st.tuples(
        st.integers(6, 20),  # March day on which the bytes were public
        st.lists(line, min_size=1, max_size=5, unique_by=lambda row: (row[0], row[1])),
    ),
    min_size=1,
    max_size=5,
    # Two vintages that contradict each other at one instant have no order that a rule could find.
    unique_by=lambda vintage: vintage[0],
)


def payloads_of(drawn: Iterable[tuple[int, list[tuple[str, date, int]]]]) -> list[Payload]:
    """Dated vintages whose rows are known with them: nothing of one is known before it was public."""
    return [
        delivery(f"v{i}", [settle(c, d, float(v), known_at=at(day).isoformat()) for c, d, v in rows], public=at(day))
        for i, (day, rows) in enumerate(drawn)
    ]


def history_of(payloads: Iterable[Payload]) -> dict[tuple[str, date], list[tuple[datetime, float]]]:
    """The rule, row by row: a value is appended where it is not what is known, unless something later is."""
    out: dict[tuple[str, date], list[tuple[datetime, float]]] = {}
    for payload in payloads:
        result = TinySource().parse(payload, context())
        for row in result.rows.iter_rows(named=True):
            versions = out.setdefault((row["contract"], row["event_session"]), [])
            public = payload.available_at or NOW
            if versions and (versions[-1][1] == row["settle"] or public < versions[-1][0]):
                continue
            after = versions[-1][0] + timedelta(microseconds=1) if versions else public
            versions.append((max(public, after), row["settle"]))
    return out


relaxed = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@relaxed
@given(drawn=vintages, batches=st.integers(1, 3))
def test_the_past_depends_only_on_what_was_public_by_then(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[int, list[tuple[str, date, int]]]], batches: int
) -> None:
    ordered = sorted(drawn, key=lambda vintage: vintage[0])
    payloads = payloads_of(ordered)
    bench = Bench(tmp_path_factory.mktemp("bench"))
    for start in range(0, len(payloads), batches):
        bench.deliver(*payloads[start : start + batches])
    for day in range(6, 21):
        known = history_of(p for p in payloads if p.available_at and p.available_at <= at(day))
        assert settles_at(bench, at(day, 13)) == sorted((c, d, v[-1][1]) for (c, d), v in known.items())


@relaxed
@given(drawn=vintages, data=st.data())
def test_any_order_of_arrival_follows_the_rule_and_repeats_add_nothing(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[int, list[tuple[str, date, int]]]], data: st.DataObject
) -> None:
    payloads = payloads_of(drawn)
    bench = Bench(tmp_path_factory.mktemp("bench"))
    records = [record for payload in payloads for record in bench.deliver(payload)]
    assert all(accounted(r) for r in records)
    got = {
        key: list(part.sort("known_at").select("known_at", "settle").iter_rows())
        for key, part in bench.rows().partition_by("contract", "event_session", as_dict=True).items()
    }
    assert got == history_of(payloads)
    before = hashes(bench)
    repeats = data.draw(st.permutations(payloads))
    assert {r.state for r in bench.deliver(*repeats)} == {PayloadState.UNCHANGED}
    bench.markets = (market(), market("ZC", root="ZC"))  # everything is read again
    assert {r.state for r in bench.deliver(*repeats) if r.state != "unchanged"} == {PayloadState.PARSED}
    assert hashes(bench).equals(before)
    bench.ledger = MemoryLedger()  # as if no run had reached its ledger entry
    bench.deliver(*payloads)
    assert hashes(bench).equals(before)


@relaxed
@given(
    rows=st.lists(line, min_size=1, max_size=6, unique_by=lambda row: (row[0], row[1])),
    data=st.data(),
)
def test_identical_content_is_the_same_in_any_order(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, date, int]], data: st.DataObject
) -> None:
    lines = [settle(c, d, float(v)) for c, d, v in rows]
    one, other = Bench(tmp_path_factory.mktemp("one")), Bench(tmp_path_factory.mktemp("other"))
    one.deliver(delivery("whole", lines))
    cut = data.draw(st.integers(0, len(lines)))
    shuffled = data.draw(st.permutations(lines))
    other.deliver(delivery("tail", shuffled[cut:]), delivery("head", shuffled[:cut]), delivery("all", shuffled))
    columns = [c for c in BARS.columns if c not in {"payload_sha256", "source_row"}]
    assert one.rows().select(columns).equals(other.rows().select(columns))
