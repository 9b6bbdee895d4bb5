"""Contracts, quotes and bars, as the real client reads them."""

import math
from datetime import UTC, date, datetime, timedelta

import pytest
from ib_async import Contract, Future, Ticker

from tests.support.tws import Config, HistoryBar, LoopbackTws, MarketRule, Quote, listing, script
from tests.support.tws.client import connected, settle
from tests.support.tws.script import At, Grant, Rights, lost_and_restored
from tests.support_tests.tws.scene import APRIL, QUOTE, future, on_a_loop

DAYS = [
    HistoryBar(datetime(2025, 2, day, tzinfo=UTC), 84.0, 86.0, 83.5, 85.0 + day / 40, 1000 + day, 84.9, 321)
    for day in (26, 27, 28)
]


@on_a_loop
async def test_contract_details_of_several_expiries() -> None:
    listed = [*listing("HE", ("20250214", "20250414", "20250613")), *listing("GF", ("20250327",), 2000)]
    async with LoopbackTws(Config(futures=listed)) as server, connected(server) as ib:
        found = await ib.reqContractDetailsAsync(Future("HE", exchange="CME"))
        assert [details.contract.conId for details in found] == [1001, 1002]
        first = found[0]
        assert (first.minTick, first.marketRuleIds, first.priceMagnifier) == (0.025, "67", 1)
        assert first.longName == "Lean Hogs"
        assert first.contract == Future(
            conId=1001,
            symbol="HE",
            lastTradeDateOrContractMonth="20250414",
            multiplier="400",
            exchange="CME",
            currency="USD",
            localSymbol="HEJ5",
            tradingClass="HE",
        )
        assert (first.contractMonth, first.realExpirationDate, first.timeZoneId) == ("202504", "20250414", "US/Central")
        assert (first.minSize, first.sizeIncrement) == (1, 1)

        [june] = await ib.qualifyContractsAsync(Future("HE", "202506", "CME"))
        assert june.conId == 1002
        expired = Future("HE", exchange="CME", includeExpired=True)
        assert len(await ib.reqContractDetailsAsync(expired)) == 3
        assert len(await ib.reqContractDetailsAsync(Future(localSymbol="GFH5"))) == 1
        assert len(await ib.reqContractDetailsAsync(Contract(conId=2000))) == 1
        assert await ib.reqContractDetailsAsync(Future("ZZ")) == []


@on_a_loop
async def test_market_rules() -> None:
    rule = MarketRule(26, ((0.0, 0.05), (100.0, 0.1)))
    async with LoopbackTws(Config(rules=[rule])) as server, connected(server) as ib:
        assert [(step.lowEdge, step.increment) for step in await ib.reqMarketRuleAsync(26)] == [(0, 0.05), (100, 0.1)]
        assert [(step.lowEdge, step.increment) for step in await ib.reqMarketRuleAsync(67)] == [(0, 0.025)]


def shown(ticker: Ticker) -> tuple[float, float, float, float]:
    return ticker.bid, ticker.ask, ticker.bidSize, ticker.last


@on_a_loop
async def test_live_ticks() -> None:
    async with LoopbackTws() as server, connected(server) as ib:
        await server.show(APRIL, QUOTE)
        ticker = ib.reqMktData(future())
        await settle(ib)
        assert (shown(ticker), ticker.marketDataType, ticker.minTick) == ((84.975, 85.025, 1, 85.0), 1, 0.025)
        await server.show(APRIL, Quote(85.0, None, bid_size=7, volume=44))
        await settle(ib)
        assert (ticker.bid, ticker.bidSize, ticker.volume) == (85.0, 7, 44)
        assert math.isnan(ticker.ask) or ticker.ask == -1
        ib.cancelMktData(future())
        await settle(ib)
        await server.show(APRIL, QUOTE)
        await settle(ib)
        assert ticker.bid == 85.0


@on_a_loop
async def test_a_snapshot_ends() -> None:
    async with LoopbackTws() as server, connected(server) as ib:
        await server.show(APRIL, QUOTE)
        [ticker] = await ib.reqTickersAsync(future())
        assert shown(ticker) == (84.975, 85.025, 1, 85.0)
        assert server.tws.sessions[0].tickers == {}


@pytest.mark.parametrize(
    ("rights", "asked", "codes", "kind"),
    [
        (Rights.LIVE, 1, [], 1),
        (Rights.LIVE, 3, [], 1),
        (Rights.DELAYED, 1, [354], None),
        (Rights.DELAYED, 3, [10167], 3),
        (Rights.NONE, 3, [354], None),
        (Rights.COMPETING, 1, [10197], None),
    ],
)
@on_a_loop
async def test_rights_decide_what_is_seen(rights: Rights, asked: int, codes: list[int], kind: int | None) -> None:
    async with LoopbackTws(Config(rights=rights)) as server, connected(server) as ib:
        heard: list[int] = []
        ib.errorEvent += lambda _id, code, _words, _contract: heard.append(code)
        await server.show(APRIL, QUOTE)
        ib.reqMarketDataType(asked)
        ticker = ib.reqMktData(future())
        await settle(ib)
        assert heard == codes
        if kind:
            assert (ticker.bid, ticker.ask, ticker.last, ticker.marketDataType) == (84.975, 85.025, 85.0, kind)
            assert {tick.tickType for tick in ticker.ticks} == ({66, 67, 68} if kind == 3 else {1, 2, 4})
        else:
            assert not ticker.hasBidAsk()


@on_a_loop
async def test_another_session_takes_the_data() -> None:
    async with LoopbackTws(script=script(At(1, Grant(Rights.COMPETING)))) as server, connected(server) as ib:
        heard: list[tuple[int, int]] = []
        ib.errorEvent += lambda request, code, _words, _contract: heard.append((request, code))
        ticker = ib.reqMktData(future())
        await settle(ib)
        await server.step()
        await server.show(APRIL, QUOTE)
        await settle(ib)
        assert [code for _, code in heard] == [10197]
        assert heard[0][0] > 0
        assert not ticker.hasBidAsk()


@pytest.mark.parametrize("data_lost", [True, False])
@on_a_loop
async def test_1101_loses_subscriptions_and_1102_keeps_them(data_lost: bool) -> None:
    plan = script(lost_and_restored(1, 2, data_lost=data_lost))
    async with LoopbackTws(script=plan) as server, connected(server) as ib:
        ticker = ib.reqMktData(future())
        await settle(ib)
        await server.step(2)
        await server.show(APRIL, QUOTE)
        await settle(ib)
        assert ticker.hasBidAsk() is not data_lost


@on_a_loop
async def test_daily_bars() -> None:
    async with LoopbackTws() as server, connected(server) as ib:
        server.tws.bars[APRIL] = DAYS
        bars = await ib.reqHistoricalDataAsync(future(), "", "3 D", "1 day", "TRADES", True)
        assert [bar.date for bar in bars] == [date(2025, 2, day) for day in (26, 27, 28)]
        assert (bars[0].open, bars[0].high, bars[0].low, bars[0].close) == (84.0, 86.0, 83.5, 85.65)
        assert (bars[0].volume, bars[0].average, bars[0].barCount) == (1026, 84.9, 321)


@pytest.mark.parametrize("form", [1, 2])
@on_a_loop
async def test_intraday_bars_say_when_they_begin(form: int) -> None:
    async with LoopbackTws() as server, connected(server) as ib:
        start = datetime(2025, 2, 28, 15, 30, tzinfo=UTC)
        server.tws.bars[APRIL] = [HistoryBar(start, 84.0, 86.0, 83.5, 85.0, 10)]
        [bar] = await ib.reqHistoricalDataAsync(future(), "", "1 D", "30 mins", "TRADES", True, form)
        assert bar.date == start


@on_a_loop
async def test_no_bars_are_error_162() -> None:
    async with LoopbackTws() as server, connected(server) as ib:
        heard: list[int] = []
        ib.errorEvent += lambda _id, code, _words, _contract: heard.append(code)
        assert len(await ib.reqHistoricalDataAsync(future(), "", "3 D", "1 day", "TRADES", True)) == 0
        assert heard == [162]


@on_a_loop
async def test_pacing_on_the_virtual_clock() -> None:
    async with LoopbackTws(Config(paced=True)) as server, connected(server) as ib:
        server.tws.bars[APRIL] = DAYS
        tell = server.tws.clock.advance

        async def ask(days: int, bar: str = "1 day", what: str = "TRADES") -> bool:
            return bool(await ib.reqHistoricalDataAsync(future(), "", f"{days} D", bar, what, True))

        assert [await ask(1), await ask(1)] == [True, False]
        tell(timedelta(seconds=15))
        assert await ask(1)
        assert [await ask(days) for days in range(2, 7)] == [True, True, True, True, False]
        tell(timedelta(seconds=2))
        assert await ask(6)

        tell(timedelta(minutes=10))
        allowed = 0
        for days in range(1, 40):
            tell(timedelta(seconds=2))
            allowed += await ask(days, "5 secs", "BID_ASK")
        assert allowed == 30
        assert await ask(99, "1 hour", "BID_ASK")
