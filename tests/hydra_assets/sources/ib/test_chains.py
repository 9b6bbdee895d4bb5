"""Chains of options that are collected forward: what is asked, what is read of it, and how it fails."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from hydra_assets.sources.base import Dataset, Payload, PayloadState
from hydra_assets.sources.ib.chains import parse_chain
from tests.support.ib_source import APRIL, EVENING, HOGS, JUNE, MONDAY, NOON, Scene, context, hog_options, hogs, scene
from tests.support.tws import Config, Quote, chain, script
from tests.support.tws.kinds import Ask, Out
from tests.support.tws.script import Drop, Fail, Grant, ResetOnRequest, Rights, without_end

FRIDAY = date(2025, 2, 28)
CHAINS = Dataset.OPTION_CHAINS
TERMS = ("option", "underlying_contract", "expiry", "strike", "right")


def quoted(at: Scene) -> None:
    """Touches of the futures and of every option of April: the intrinsic value and a half, a tenth wide."""
    at.server.show(APRIL, Quote(84.975, 85.025))
    at.server.show(JUNE, Quote(None, None, last=96.0))
    for option in hog_options():
        forward = 85.0 if option.under_con_id == APRIL else 96.0
        value = max((forward - option.strike) * (1 if option.right == "C" else -1), 0.0) + 0.5
        at.server.show(option.con_id, Quote(round(value - 0.05, 3), round(value + 0.05, 3), 4, 6))


def collect(at: Scene, now: datetime = NOON, last: date = FRIDAY) -> tuple[list[Payload], Any]:
    return at.fetch(CHAINS, now, last, last)


def test_quotes_around_the_money_become_rows_of_the_instant() -> None:
    with scene(at=NOON, options={"max_options": 6}) as at:
        quoted(at)
        [payload], error = collect(at)
        assert error is None
    result = parse_chain(payload, context())
    assert result.unaccounted() == []
    assert result.notes == ()
    assert result.rejects.is_empty()
    # By turns: April's 85, June's 97 or 95 (nearest to 96), April's 84; the weekly is none of the file's.
    assert result.rows.select(TERMS).rows() == [
        ("HE-2025-04-14-C-85", "HE-2025-04", date(2025, 4, 14), 85.0, "C"),
        ("HE-2025-04-14-P-85", "HE-2025-04", date(2025, 4, 14), 85.0, "P"),
        ("HE-2025-06-13-C-97", "HE-2025-06", date(2025, 6, 13), 97.0, "C"),
        ("HE-2025-06-13-P-97", "HE-2025-06", date(2025, 6, 13), 97.0, "P"),
        ("HE-2025-04-14-C-86", "HE-2025-04", date(2025, 4, 14), 86.0, "C"),
        ("HE-2025-04-14-P-86", "HE-2025-04", date(2025, 4, 14), 86.0, "P"),
    ]
    first = result.rows.row(0, named=True)
    assert (first["bid"], first["ask"], first["bid_size"], first["ask_size"]) == (0.45, 0.55, 4.0, 6.0)
    assert (first["underlying_price"], first["record"], first["settle"], first["close"]) == (85.0, "price", None, None)
    assert result.rows["underlying_price"].to_list() == [85.0, 85.0, 96.0, 96.0, 85.0, 85.0]
    # The session whose cutoff follows the snapshot.
    assert set(result.rows["event_session"]) == {MONDAY}
    assert set(result.rows["event_time"]) == set(result.rows["known_at"]) == {NOON}


def test_a_quote_is_known_when_it_was_taken_and_its_event_is_not_after_the_run() -> None:
    late = NOON + timedelta(seconds=40)
    with scene(at=late, options={"max_options": 2}) as at:
        quoted(at)
        [payload], _ = collect(at)
    rows = parse_chain(payload, context()).rows
    assert (set(rows["event_time"]), set(rows["known_at"])) == ({NOON}, {late})
    after_cutoff = datetime(2025, 3, 3, 23, 31, tzinfo=UTC)
    with scene(at=after_cutoff, options={"max_options": 2}) as at:
        quoted(at)
        [payload], _ = collect(at, now=datetime(2025, 3, 3, 23, 29, tzinfo=UTC))
    assert set(parse_chain(payload, context()).rows["event_session"]) == {date(2025, 3, 4)}


def test_snapshots_are_bounded_and_go_by_lines() -> None:
    with scene(at=NOON, options={"max_options": 4, "expiries": 1}) as at:
        quoted(at)
        [payload], _ = collect(at)
        snapshots = at.server.read(lambda tws: [fields for fields in tws.heard if fields[0] == "1"])
        asked = at.server.read(lambda tws: [fields for fields in tws.heard if fields[0] == "9"])
    # One future, one expiry, four options; every one of them a snapshot.
    assert [fields[3] for fields in snapshots] == [str(APRIL), "5004", "5005", "5006", "5007"]
    assert {fields[17] for fields in snapshots} == {"1"}
    assert [(fields[5], fields[6]) for fields in asked] == [("FUT", ""), ("FOP", "20250414")]
    assert set(parse_chain(payload, context()).rows["strike"]) == {85.0, 86.0}


def test_there_is_no_history_of_quotes() -> None:
    with scene(at=NOON) as at:
        found, error = collect(at, last=date(2025, 2, 27))
        assert at.asked(71) == 0
    assert found == []
    assert (error.reason, error.state) == ("no_history", PayloadState.NOTHING_NEW)


def test_a_last_trade_counts_where_the_option_has_traded() -> None:
    with scene(at=NOON, options={"max_options": 2, "expiries": 1}) as at:
        quoted(at)
        at.server.show(5004, Quote(None, 0.6, ask_size=2, last=0.4, volume=7))
        at.server.show(5005, Quote(None, None, last=0.4))
        [payload], _ = collect(at)
    result = parse_chain(payload, context())
    assert result.rows.select("bid", "bid_size", "ask", "ask_size", "close").rows() == [(None, None, 0.6, 2.0, 0.4)]
    assert result.rejects.select("source_row", "reason", "disposition").rows() == [(1, "no_value", "set_aside")]


@pytest.mark.parametrize("classes", [[], ["HEW"], ["HE", "HEW"]])
def test_classes_are_the_file_s_or_those_that_are_named(classes: list[str]) -> None:
    with scene(at=NOON, options={"option_classes": classes, "max_options": 1000}) as at:
        quoted(at)
        [payload], _ = collect(at)
    expiries = set(parse_chain(payload, context()).rows["expiry"].to_list())
    own, weekly = {date(2025, 4, 14), date(2025, 6, 13)}, {date(2025, 3, 21)}
    assert expiries == {(): own, ("HEW",): weekly, ("HE", "HEW"): own | weekly}[tuple(classes)]


def test_two_classes_of_one_expiry_must_be_told_apart() -> None:
    twins = [
        *chain(HOGS[0], "20250414", (85.0,), 5000, "AAA"),
        *chain(HOGS[0], "20250414", (85.0,), 5100, "BBB"),
    ]
    with scene(Config(futures=HOGS[:1], options=twins), at=NOON) as at:
        quoted(at)
        found, error = collect(at)
    assert found == []
    assert error.reason == "several_classes"
    assert "AAA, BBB" in error.detail


@pytest.mark.parametrize("strikes_in", ["cents", "dollars"])
def test_strikes_are_in_the_market_s_unit_whatever_theirs_is(strikes_in: str) -> None:
    april = replace(HOGS[0], multiplier="40000", price_magnifier=100)
    options = [
        replace(option, strike=option.strike / (100 if strikes_in == "dollars" else 1))
        for option in chain(april, "20250414", (84.0, 85.0, 86.0))
    ]
    with scene(Config(futures=[april], options=options), at=NOON, options={"max_options": 2}) as at:
        at.server.show(APRIL, Quote(84.975, 85.025))
        at.server.show(5002, Quote(0.45, 0.55))
        at.server.show(5003, Quote(0.45, 0.55))
        [payload], error = collect(at)
        assert error is None
    rows = parse_chain(payload, context()).rows
    assert rows.select("option", "bid").rows() == [("HE-2025-04-14-C-85", 0.45), ("HE-2025-04-14-P-85", 0.45)]


@pytest.mark.parametrize(
    ("fault", "reason", "payloads"),
    [
        (Fail(Ask.MARKET_DATA, 1, 354, "Requested market data is not subscribed."), "not_subscribed", 1),
        (Fail(Ask.MARKET_DATA, 1, 10089, "requires additional subscription"), "not_subscribed", 1),
        (Fail(Ask.MARKET_DATA, 5, 200, "No security definition"), "no_contract", 1),
        (Fail(Ask.OPTION_PARAMETERS, 1, 200, "No security definition"), "no_contract", 1),
        (Fail(Ask.OPTION_PARAMETERS, 1, 321, "Error validating request"), "refused", 1),
        (without_end(Ask.OPTION_PARAMETERS), "timeout", 1),
        (without_end(Ask.CONTRACT, 2), "timeout", 1),
        (Drop(Out.SNAPSHOT_END, 5), "timeout", 1),
        (ResetOnRequest(Ask.OPTION_PARAMETERS), "disconnected", 0),
        (ResetOnRequest(Ask.MARKET_DATA, 8), "disconnected", 1),
        (ResetOnRequest(Ask.CONTRACT), "disconnected", 0),
    ],
)
def test_every_failure_is_a_typed_end(fault: Any, reason: str, payloads: int) -> None:
    with scene(script=script(fault), at=NOON) as at:
        quoted(at)
        found, error = collect(at)
    assert error is not None
    assert (error.reason, error.state) == (reason, PayloadState.UNREACHABLE)
    assert len(found) == payloads
    for payload in found:
        result = parse_chain(payload, context())
        assert not result.rows.is_empty()
        assert result.unaccounted() == []
        assert f"incomplete:{reason}" in result.notes


@pytest.mark.parametrize(
    ("rights", "reason"),
    [
        (Rights.NONE, "not_subscribed"),
        (Rights.DELAYED, "not_subscribed"),
        (Rights.COMPETING, "competing_session"),
    ],
)
def test_without_live_data_nothing_is_collected(rights: Rights, reason: str) -> None:
    with scene(at=NOON) as at:
        quoted(at)
        at.server.play(Grant(rights))
        found, error = collect(at)
        # Nobody asks for options whose futures cannot be seen.
        assert at.asked(78) == 0
    assert (found, error.reason) == ([], reason)


def test_a_market_without_a_price_or_without_options_says_so() -> None:
    with scene(at=NOON) as at:
        found, error = collect(at)
    assert (found, error.reason) == ([], "no_underlying_price")
    with scene(Config(futures=HOGS), at=NOON) as at:
        quoted(at)
        found, error = collect(at)
    assert (found, error.reason) == ([], "no_contract")
    dairy = hogs().model_copy(update={"options": None})
    with scene(at=NOON, specs=(dairy,)) as at:
        found, error = collect(at)
    assert (found, error.reason) == ([], "not_listed")


def collected() -> dict[str, Any]:
    with scene(at=NOON, options={"max_options": 6, "expiries": 1}) as at:
        quoted(at)
        [payload], _ = collect(at)
    document: dict[str, Any] = json.loads(payload.content)
    return document


def test_what_cannot_be_believed_is_quarantined() -> None:
    document = collected()
    by_id = {one["contract"]["conId"]: one["contract"] for one in document["contracts"]}
    first, second, third, fourth, fifth, sixth = (row[0] for row in document["quotes"])
    by_id[first]["lastTradeDateOrContractMonth"] = "20250228"
    by_id[second]["right"] = "X"
    by_id[third]["multiplier"] = "1000"
    document["quotes"][3][1] = "yesterday"
    document["quotes"][4][0] = 4711
    document["quotes"][5][-1] = 3
    payload = Payload(CHAINS, "ib", "x", json.dumps(document).encode(), EVENING)
    result = parse_chain(payload, context())
    assert (fourth, fifth, sixth) != (first, second, third)
    assert result.rejects.select("source_row", "reason").rows() == [
        (0, "bad_expiry"),
        (1, "bad_right"),
        (2, "other_terms"),
        (3, "bad_date"),
        (4, "unknown_contract"),
        (5, "delayed_data"),
    ]
    assert set(result.rejects["disposition"]) == {"quarantined"}
    assert isinstance(result.rows, pl.DataFrame)
    assert result.rows.is_empty()
