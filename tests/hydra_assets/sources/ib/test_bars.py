"""Daily bars from the terminal to canonical rows, and every way in which they do not come."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from hydra_assets.sources.base import Payload, PayloadState
from hydra_assets.sources.ib.bars import parse_bars
from tests.support.ib_source import APRIL, CLIENT_ID, EVENING, HOGS, JUNE, MAY, MONDAY, context, days, hogs, scene
from tests.support.tws import Config, HistoryBar, listing, script
from tests.support.tws.kinds import Ask, Out
from tests.support.tws.pacing import Pacing
from tests.support.tws.requests import History
from tests.support.tws.script import ClientIdInUse, Drop, Fail, Ignore, Lost, Reset, ResetOnRequest, without_end
from tests.support.tws.terminal import Terminal
from tests.support.tws.threaded import ThreadedTws

PLAIN = ("contract", "event_session", "record", "close", "settle", "volume")


def give(server: ThreadedTws, **bars: list[HistoryBar]) -> None:
    """Bars by month: ``april``, ``may``, ``june``."""
    ids = {"april": APRIL, "may": MAY, "june": JUNE}
    server.read(lambda tws: tws.bars.update({ids[name]: found for name, found in bars.items()}))


def rows(payload: Payload) -> pl.DataFrame:
    return parse_bars(payload, context()).rows


def test_bars_become_rows_with_the_publisher_s_instants() -> None:
    with scene() as at:
        give(at.server, april=days(28, 3), may=days(3, close=88.0), june=days(3, close=95.0))
        [payload], error = at.fetch()
        assert error is None
    result = parse_bars(payload, context())
    assert result.unaccounted() == []
    assert result.rejects.is_empty()
    # Friday's close is a settlement by now; Monday's was asked for 45 minutes after the publication.
    assert result.rows.select(PLAIN).rows() == [
        ("HE-2025-04", date(2025, 2, 28), "price", 85.0, 85.0, None),
        ("HE-2025-04", date(2025, 2, 28), "activity", None, None, 1028.0),
        ("HE-2025-04", MONDAY, "price", 85.0, None, None),
        ("HE-2025-04", MONDAY, "activity", None, None, 1003.0),
        ("HE-2025-05", MONDAY, "price", 88.0, None, None),
        ("HE-2025-05", MONDAY, "activity", None, None, 1003.0),
        ("HE-2025-06", MONDAY, "price", 95.0, None, None),
        ("HE-2025-06", MONDAY, "activity", None, None, 1003.0),
    ]
    friday = result.rows.filter(pl.col("event_session") == date(2025, 2, 28))
    published = datetime(2025, 2, 28, 23, tzinfo=UTC)
    assert friday["event_time"].to_list() == [published, published]
    assert friday["known_at"].to_list() == [published, datetime(2025, 3, 3, 23, tzinfo=UTC)]
    assert friday.select("open", "high", "low").row(0) == (84.0, 86.0, 83.5)
    assert friday["open_interest"].to_list() == [None, None]


def test_the_connection_is_the_data_role_s_and_asks_for_what_is_needed() -> None:
    with scene(options={"contracts": 2}) as at:
        give(at.server, april=days(3), may=days(3))
        at.fetch()
        heard = at.server.read(lambda tws: list(tws.heard))
    starts = [fields for fields in heard if fields[0] == "71"]
    assert [fields[2] for fields in starts] == [str(CLIENT_ID)]
    asked = [fields for fields in heard if fields[0] == "20"]
    assert [fields[2] for fields in asked] == [str(APRIL), str(MAY)]
    assert asked[0][14:20] == ("1", "20250303-23:45:00", "1 day", "8 D", "0", "TRADES")
    assert {fields[0] for fields in heard} <= {"71", "61", "59", "9", "20"}


def test_the_same_answer_is_the_same_payload_and_another_settings_hours_read_it_otherwise() -> None:
    with scene(options={"settle_hours": 0.5}) as at:
        give(at.server, april=days(3))
        [first], _ = at.fetch()
        [again], _ = at.fetch()
    assert first.content == again.content
    assert rows(first)["settle"].to_list() == [85.0, None]


def test_a_session_without_a_settlement_is_set_aside() -> None:
    before = datetime(2025, 3, 3, 22, 59, tzinfo=UTC)
    with scene() as at:
        give(at.server, april=days(28, 1, 3))
        [payload], _ = at.fetch(now=before)
    result = parse_bars(payload, context())
    assert result.rejects.select("source_row", "disposition", "reason").rows() == [
        (1, "set_aside", "outside_a_session"),
        (2, "set_aside", "session_not_over"),
    ]
    assert result.rows["event_session"].unique().to_list() == [date(2025, 2, 28)]
    assert result.unaccounted() == []


def test_months_without_data_are_remarked_and_no_failure() -> None:
    with scene() as at:
        give(at.server, april=days(3))
        [payload], error = at.fetch()
    assert error is not None
    assert (error.reason, error.state) == ("no_data", PayloadState.NOTHING_NEW)
    assert parse_bars(payload, context()).notes == ("silent:HE-2025-05:no_data", "silent:HE-2025-06:no_data")


@pytest.mark.parametrize(
    ("code", "words", "reason"),
    [
        (162, "Historical Market Data Service error message:No market data permissions for CME FUT", "no_permission"),
        (162, "Historical Market Data Service error message:Trading TWS session is connected", "refused"),
        (200, "No security definition has been found for the request", "no_contract"),
        (354, "Requested market data is not subscribed.", "not_subscribed"),
        (366, "No historical data query found for ticker id:3", "query_gone"),
        (10089, "Requested market data requires additional subscription for API.", "not_subscribed"),
        (10197, "No market data during competing live session", "competing_session"),
        (321, "Error validating request:-'bN' : cause - Please enter exchange", "refused"),
        (99999, "never heard of", "refused"),
    ],
)
def test_a_refusal_is_a_typed_end_beside_what_came(code: int, words: str, reason: str) -> None:
    with scene(script=script(Fail(Ask.HISTORY, 2, code, words))) as at:
        give(at.server, april=days(3), may=days(3), june=days(3))
        [payload], error = at.fetch()
        asked = at.asked(20)
    assert error is not None
    assert (error.reason, error.state) == (reason, PayloadState.UNREACHABLE)
    assert error.detail == f"HE-2025-05: code {code}, {words}"
    result = parse_bars(payload, context())
    assert f"incomplete:{reason}" in result.notes
    assert "HE-2025-04" in set(result.rows["contract"])
    # What the whole market lacks is not asked for again.
    assert asked == (2 if reason in {"no_permission", "not_subscribed", "competing_session"} else 3)


def test_a_refused_pacing_is_waited_for_once() -> None:
    words = "Historical Market Data Service error message:Historical data request pacing violation"
    with scene(script=script(Fail(Ask.HISTORY, 1, 162, words))) as at:
        give(at.server, april=days(3), may=days(3), june=days(3))
        [payload], error = at.fetch()
        assert error is None
        assert at.waits == [15.0]
        assert set(rows(payload)["contract"]) == {"HE-2025-04", "HE-2025-05", "HE-2025-06"}
    with scene(script=script(Fail(Ask.HISTORY, 1, 162, words), Fail(Ask.HISTORY, 2, 162, words))) as at:
        give(at.server, april=days(3), may=days(3), june=days(3))
        [_], error = at.fetch()
        assert error is not None
        assert error.reason == "pacing"


def test_a_server_that_counts_is_never_asked_too_fast() -> None:
    months = listing("HE", [f"2025{m:02d}14" for m in (4, 5, 6, 7, 8, 10, 12)])
    with scene(Config(futures=months, paced=True)) as at:
        at.server.read(lambda tws: tws.bars.update({m.con_id: days(3) for m in months}))
        [first], error = at.fetch()
        assert error is None
        assert rows(first)["contract"].n_unique() == 7
        # Another connection counts anew: within fifteen seconds the same is refused, waited for and had.
        [second], error = at.fetch()
        assert error is None
        assert len(at.waits) >= 1
        assert second.content == first.content


@pytest.mark.parametrize(
    ("fault", "reason", "payloads"),
    [
        (without_end(Ask.CONTRACT), "timeout", 0),
        (Fail(Ask.CONTRACT, 1, 200, "No security definition"), "no_contract", 0),
        (ResetOnRequest(Ask.CONTRACT), "disconnected", 0),
        (ResetOnRequest(Ask.HISTORY, 2), "disconnected", 1),
        (Reset(Out.HISTORY, 2, 20), "disconnected", 1),
        (Reset(Out.HISTORY, 1, 20), "disconnected", 0),
        (ClientIdInUse(), "client_id_in_use", 0),
        (Ignore(Ask.START), "no_terminal", 0),
    ],
)
def test_an_end_that_does_not_come_is_never_silence(fault: object, reason: str, payloads: int) -> None:
    with scene(script=script(fault)) as at:  # type: ignore[arg-type]  # any fault
        give(at.server, april=days(3), may=days(3), june=days(3))
        found, error = at.fetch()
    assert error is not None
    assert (error.reason, error.state) == (reason, PayloadState.UNREACHABLE)
    assert len(found) == payloads
    for payload in found:
        assert set(rows(payload)["contract"]) == {"HE-2025-04"}


def test_a_lost_answer_to_one_month_leaves_the_others() -> None:
    with scene(script=script(Drop(Out.HISTORY, 2))) as at:
        give(at.server, april=days(3), may=days(3), june=days(3))
        [payload], error = at.fetch()
        assert at.asked(25) == 1
    assert error is not None
    assert error.reason == "timeout"
    assert set(rows(payload)["contract"]) == {"HE-2025-04", "HE-2025-06"}


def test_a_terminal_that_loses_its_server_ends_the_question() -> None:
    with scene(Config(futures=HOGS, paced=True), script(Drop(Out.HISTORY, 1))) as at:
        give(at.server, april=days(3))

        def lost(tws: Terminal) -> None:
            class Losing(Pacing):
                def allows(self, ask: History, now: datetime) -> bool:
                    tws.play(Lost())
                    return True

            tws.pacing = Losing()

        at.server.read(lost)
        found, error = at.fetch()
    assert found == []
    assert error is not None
    assert (error.reason, error.state) == ("link_lost", PayloadState.UNREACHABLE)
    assert error.detail.startswith("HE-2025-04: code 1100")


def test_nobody_listens() -> None:
    with scene() as at:
        pass
    found, error = at.fetch()
    assert found == []
    assert error is not None
    assert (error.reason, error.state) == ("no_terminal", PayloadState.UNREACHABLE)
    assert "API port" in error.detail


def test_a_contract_with_another_multiplier_is_refused_before_a_price_is_read() -> None:
    april, may, _ = HOGS
    with scene(Config(futures=[april, replace(may, multiplier="500")])) as at:
        give(at.server, april=days(3), may=days(3))
        [payload], error = at.fetch()
    assert error is not None
    assert error.reason == "other_terms"
    assert set(rows(payload)["contract"]) == {"HE-2025-04"}


@pytest.mark.parametrize(
    ("multiplier", "magnifier", "price", "ours"), [("400", 1, 85.0, 85.0), ("40000", 100, 85.0, 85.0)]
)
def test_prices_are_in_the_market_s_unit(multiplier: str, magnifier: int, price: float, ours: float) -> None:
    april = replace(HOGS[0], multiplier=multiplier, price_magnifier=magnifier)
    with scene(Config(futures=[april])) as at:
        give(at.server, april=days(3, close=price))
        [payload], error = at.fetch()
    assert error is None
    assert rows(payload)["close"].to_list()[0] == ours


def test_ours_in_dollars_and_theirs_in_cents() -> None:
    # 40,000 lb in dollars a pound here; there 40000 / 100 a cent.
    spec = hogs().model_copy(update={"multiplier": 40_000.0, "tick": 0.00025})
    april = replace(HOGS[0], multiplier="40000", price_magnifier=100)
    with scene(Config(futures=[april]), specs=(spec,)) as at:
        give(at.server, april=days(3))
        [payload], _ = at.fetch()
    result = parse_bars(payload, context(spec))
    assert result.rows["close"].to_list()[0] == 0.85
    assert result.notes == ()


def test_history_of_contracts_that_have_ended() -> None:
    months = listing("HE", ("20241213", "20250214", "20250414"))
    with scene(Config(futures=months)) as at:
        at.server.read(lambda tws: tws.bars.update({m.con_id: days(28) for m in months}))
        [payload], _ = at.fetch(first=date(2025, 2, 3), last=MONDAY)
        asked = at.server.read(lambda tws: [fields for fields in tws.heard if fields[0] == "20"])
        # December had ended a week before the window.
        assert [fields[2] for fields in asked] == ["1001", "1002"]
        [_], _ = at.fetch(first=None, last=MONDAY)
        asked = at.server.read(lambda tws: [fields for fields in tws.heard if fields[0] == "20"])
    assert [(fields[2], fields[17]) for fields in asked[2:]] == [("1000", "3 Y"), ("1001", "3 Y"), ("1002", "3 Y")]
    assert set(rows(payload)["contract"]) == {"HE-2025-02", "HE-2025-04"}


def test_what_is_no_bar_is_quarantined() -> None:
    with scene() as at:
        give(at.server, april=days(26, 27, 28, 3))
        [payload], _ = at.fetch()
    document = json.loads(payload.content)
    document["bars"][0][2] = None
    document["bars"][1][4] = -1.0
    document["bars"][2][1] = "2025-02-28"
    document["bars"][3][0] = 4711
    broken = Payload(payload.dataset, "ib", "x", json.dumps(document).encode(), EVENING + timedelta(days=1))
    result = parse_bars(broken, context())
    assert result.rejects["reason"].to_list() == ["bad_number", "not_positive_price", "bad_date", "unknown_contract"]
    assert set(result.rejects["disposition"]) == {"quarantined"}
    assert result.rows.is_empty()


def test_a_tick_or_last_day_of_another_kind_is_remarked() -> None:
    april = replace(HOGS[0], expiry="20250415", min_tick=0.05)
    with scene(Config(futures=[april])) as at:
        give(at.server, april=days(3))
        [payload], _ = at.fetch()
    assert parse_bars(payload, context()).notes == ("other_tick:HEJ5:0.05", "other_last_trade:HEJ5:2025-04-15")


def test_loopback_months_are_the_file_s() -> None:
    assert [month.expiry for month in HOGS] == ["20250414", "20250514", "20250613"]
