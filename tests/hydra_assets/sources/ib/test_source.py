"""The source as the registry builds it, what it may send, and its payloads through an ingest."""

import asyncio
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ib_async import Contract, LimitOrder

from hydra_assets.ingest import Ingest
from hydra_assets.lake.archive import Archive
from hydra_assets.lake.tables import Lake
from hydra_assets.markets.model import SourceBinding
from hydra_assets.sources.base import Dataset, FetchRequest, ParseError, Payload, PayloadState, SourceError
from hydra_assets.sources.ib.codes import AskError, Fault, fault_of, source_error
from hydra_assets.sources.ib.connection import Connection, OrderRefusedError
from hydra_assets.sources.ib.payload import written
from hydra_assets.sources.ib.settings import Endpoint, Patience, endpoint_of, options_of
from hydra_assets.sources.ib.source import IbSource
from hydra_assets.sources.registry import build_sources, sources_for
from tests.support.deliveries import MemoryLedger
from tests.support.ib_source import APRIL, EVENING, MONDAY, NOON, context, days, hog_options, hogs, home, scene
from tests.support.tws import Quote
from tests.support.tws.threaded import ThreadedTws

BARS, CHAINS = Dataset.FUTURES_BARS, Dataset.OPTION_CHAINS
NOBODY = 1
"""A port on which nothing listens."""


def test_the_registry_builds_it_from_a_home(tmp_path: Path) -> None:
    binding = SourceBinding(source="ib", datasets=(str(BARS),))
    spec = hogs().model_copy(update={"sources": (binding,)})
    built = build_sources(tmp_path, home(NOBODY), {"HE": spec})
    assert isinstance(built["ib"], IbSource)
    assert [source.name for source, _ in sources_for(BARS, {"HE": spec}, built)] == ["ib"]
    assert sources_for(CHAINS, {"HE": spec}, built) == []


def test_the_endpoint_is_execution_s_with_the_next_client_id() -> None:
    assert endpoint_of(home(5005)) == Endpoint("127.0.0.1", 5005, 72, 1.0)
    config = home(5005, mode="live", account="U1", broker="ib", ib={"live_port": 5006, "client_id": 9, "host": "gw"})
    assert endpoint_of(config) == Endpoint("gw", 5006, 10, 1.0)
    plain = home(1).model_copy(update={"trading": {}})
    assert endpoint_of(plain) == Endpoint("127.0.0.1", 4002, 72, 10.0)
    with pytest.raises(SourceError, match=r"bad_option: home.yaml, trading: ib.client_id"):
        endpoint_of(home(1, ib={"client_id": 0}))


def test_defaults_are_those_of_execution() -> None:
    from hydra_exec.config import IbConnection

    ours, theirs = endpoint_of(home(1).model_copy(update={"trading": {}})), IbConnection()
    assert (ours.host, ours.port, ours.client_id, ours.timeout_s) == (
        theirs.host,
        theirs.paper_port,
        theirs.client_id + 1,
        theirs.timeout_seconds,
    )


@pytest.mark.parametrize("options", [{"contract": 3}, {"max_options": 0}, {"expiries": "many"}])
def test_options_that_are_not_understood(options: dict[str, Any]) -> None:
    binding = SourceBinding(source="ib", datasets=(str(BARS),), options=options)
    with pytest.raises(SourceError, match=f"bad_option: HE, source ib: {next(iter(options))}"):
        options_of("HE", (binding,), str(BARS))
    assert options_of("HE", (binding,), str(CHAINS)).contracts == 12


def test_health() -> None:
    with scene() as at:
        health = at.source.check()
        assert (health.ok, health.reason, health.detail) == (True, "ready", f"127.0.0.1:{at.server.port} as client 72")
    health = at.source.check()
    assert (health.ok, health.reason) == (False, "no_terminal")


@pytest.mark.parametrize("message", ["order", "cancel", "exercise", "global"])
def test_no_order_leaves_this_connection(message: str) -> None:
    with ThreadedTws() as server:

        async def trying() -> None:
            async with Connection(Endpoint("127.0.0.1", server.port, 72, 1.0), Patience()) as data:
                future = Contract(conId=APRIL, secType="FUT", symbol="HE", exchange="CME", currency="USD")
                match message:
                    case "order":
                        data._ib.placeOrder(future, LimitOrder("BUY", 1, 85.0, orderId=7))
                    case "cancel":
                        data._client.cancelOrder(7, "")
                    case "exercise":
                        data._client.exerciseOptions(7, future, 1, 1, "", 0)
                    case "global":
                        data._ib.reqGlobalCancel()

        with pytest.raises(OrderRefusedError, match="no question"):
            asyncio.run(trying())
        assert server.read(lambda tws: {fields[0] for fields in tws.heard}) <= {"71", "61", "59"}


def test_it_may_be_asked_from_within_a_loop() -> None:
    async def asking() -> list[Payload]:
        with scene() as at:
            at.server.read(lambda tws: tws.bars.update({APRIL: days(3)}))
            found, _ = at.fetch()
            return found

    assert len(asyncio.run(asking())) == 1


def ingest(folder: Path, ledger: MemoryLedger) -> Ingest:
    return Ingest(Lake(str(folder / "lake")), Archive(folder / "archive"), ledger, context(), MONDAY, "run")


def test_through_an_ingest_a_settlement_restates_what_it_follows(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    with scene() as at:
        at.server.read(lambda tws: tws.bars.update({APRIL: days(3, close=85.0)}))
        work = ingest(tmp_path, ledger)
        request = FetchRequest(BARS, at.specs, MONDAY, MONDAY, EVENING)
        report = work.run([at.source], request)
        assert [(d.state, d.reason) for d in report.deliveries] == [("parsed", ""), ("nothing_new", "no_data")]
        assert (report.deliveries[0].rows_total, report.deliveries[0].rows_loaded) == (1, 1)
        # The next evening the close has become the settlement, and another one.
        at.server.read(lambda tws: tws.bars.update({APRIL: days(3, 4, close=85.2)}))
        tuesday = MONDAY + timedelta(days=1)
        report = work.run([at.source], FetchRequest(BARS, at.specs, tuesday, tuesday, EVENING + timedelta(days=1)))
        assert report.deliveries[0].rows_loaded == 2
        rows = work.lake.read(str(BARS), markets=["HE"]).filter(record="price").sort("known_at", "session")
    assert rows.select("event_session", "session", "close", "settle").rows() == [
        (MONDAY, MONDAY, 85.0, None),
        (tuesday, tuesday, 85.2, None),
        # Had a quarter of an hour after Tuesday's cutoff: what was decided there does not change.
        (MONDAY, date(2025, 3, 5), 85.2, 85.2),
    ]


def test_a_failure_is_a_delivery_s_end(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    with scene() as at:
        work = ingest(tmp_path, ledger)
    report = work.run([at.source], FetchRequest(BARS, at.specs, MONDAY, MONDAY, EVENING))
    assert [(d.state, d.reason) for d in report.failures] == [("unreachable", "no_terminal")]


def test_codes() -> None:
    assert [fault_of(code, "") for code in (2104, 2158, 165, 399)] == [None] * 4
    assert fault_of(162, "HMDS query returned no data: HEJ5@CME Trades") is Fault.NO_DATA
    assert fault_of(162, "Historical data request pacing violation") is Fault.PACING
    assert fault_of(162, "API historical data query cancelled: 3") is Fault.QUERY_GONE
    assert fault_of(162, "something new") is Fault.REFUSED
    assert {fault_of(code, "") for code in (354, 10089, 10090, 10167, 10168)} == {Fault.NOT_SUBSCRIBED}


def test_one_error_of_many_is_a_failure_where_any_is() -> None:
    nothing, timeout = AskError(Fault.NO_DATA, "a"), AskError(Fault.TIMEOUT, "b")
    error = source_error([nothing, timeout])
    assert (error.reason, error.detail, error.state) == ("timeout", "b", PayloadState.UNREACHABLE)
    assert source_error([nothing]).state is PayloadState.NOTHING_NEW
    assert source_error([timeout] * 7).detail == "b; b; b; b; b; and 2 more"


def test_the_same_document_is_the_same_bytes() -> None:
    assert written({"b": [1.0, float("nan")], "a": "ü"}) == '{"a":"ü","b":[1.0,null]}\n'.encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def archived() -> dict[Dataset, dict[str, Any]]:
    """A payload of each kind, as it was archived."""
    with scene() as at:
        at.server.read(lambda tws: tws.bars.update({APRIL: days(28, 3)}))
        [bars], _ = at.fetch()
    with scene(at=NOON, options={"max_options": 4}) as at:
        for con_id in (APRIL, *(option.con_id for option in hog_options())):
            at.server.show(con_id, Quote(84.9, 85.1))
        [chain], _ = at.fetch(CHAINS, NOON, MONDAY - timedelta(days=3), MONDAY - timedelta(days=3))
    return {BARS: json.loads(bars.content), CHAINS: json.loads(chain.content)}


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_a_parser_loses_no_row_and_raises_nothing_but_its_error(
    archived: dict[Dataset, dict[str, Any]], data: st.DataObject
) -> None:
    dataset = data.draw(st.sampled_from([BARS, CHAINS]))
    document = json.loads(json.dumps(archived[dataset]))
    for _ in range(data.draw(st.integers(1, 3))):
        spot: Any = document
        while True:
            key = (
                data.draw(st.sampled_from(sorted(spot)))
                if isinstance(spot, dict)
                else data.draw(st.integers(0, len(spot) - 1))
            )
            inner = spot[key]
            if not isinstance(inner, dict | list) or not inner or data.draw(st.integers(0, 4)) == 0:
                break
            spot = inner
        spot[key] = data.draw(JSON)
    content = json.dumps(document).encode()
    if data.draw(st.integers(0, 9)) == 0:
        content = content[: data.draw(st.integers(0, len(content)))]
    payload = Payload(dataset, "ib", "x", content, EVENING)
    source = IbSource.__new__(IbSource)
    try:
        result = source.parse(payload, context())
    except ParseError:
        return
    assert result.unaccounted() == []
