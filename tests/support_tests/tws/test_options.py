"""Options on futures, as the real client reads them: looked up, quoted, never traded."""

from ib_async import Contract, FuturesOption, LimitOrder

from tests.support.tws import Config, LoopbackTws, Quote, chain, listing
from tests.support.tws.client import connected, settle
from tests.support_tests.tws.scene import on_a_loop

HOGS = listing("HE", ("20250414", "20250613"))
OPTIONS = [
    *chain(HOGS[0], "20250414", (84.0, 86.0)),
    *chain(HOGS[0], "20250321", (85.0,), 5100, "HEW"),
    *chain(HOGS[1], "20250613", (95.0,), 5200),
]
LISTED = Config(futures=HOGS, options=OPTIONS)


@on_a_loop
async def test_parameters_of_the_classes_on_a_future() -> None:
    async with LoopbackTws(LISTED) as server, connected(server) as ib:
        found = await ib.reqSecDefOptParamsAsync("HE", "CME", "FUT", 1000)
        assert [(c.tradingClass, c.underlyingConId, c.multiplier, c.expirations, c.strikes) for c in found] == [
            ("HE", "1000", "400", ["20250414"], [84.0, 86.0]),
            ("HEW", "1000", "400", ["20250321"], [85.0]),
        ]
        assert await ib.reqSecDefOptParamsAsync("HE", "NYMEX", "FUT", 1000) == []
        assert server.tws.complaints == []


@on_a_loop
async def test_details_of_a_class_and_expiry() -> None:
    async with LoopbackTws(LISTED) as server, connected(server) as ib:
        asked = FuturesOption("HE", "20250414", exchange="CME", tradingClass="HE")
        found = await ib.reqContractDetailsAsync(asked)
        assert [(d.contract.conId, d.contract.strike, d.contract.right, d.underConId) for d in found] == [
            (5000, 84.0, "C", 1000),
            (5001, 84.0, "P", 1000),
            (5002, 86.0, "C", 1000),
            (5003, 86.0, "P", 1000),
        ]
        assert found[0].contract.secType == "FOP"
        assert (found[0].contract.lastTradeDateOrContractMonth, found[0].priceMagnifier) == ("20250414", 1)
        [put] = await ib.reqContractDetailsAsync(FuturesOption("HE", "20250613", 95.0, "P", "CME"))
        assert put.contract.conId == 5201


@on_a_loop
async def test_an_option_is_quoted_and_not_traded() -> None:
    async with LoopbackTws(LISTED) as server, connected(server) as ib:
        await server.show(5003, Quote(1.2, 1.3, 4, 6))
        [ticker] = await ib.reqTickersAsync(Contract(conId=5003, exchange="CME"))
        assert (ticker.bid, ticker.ask, ticker.bidSize, ticker.askSize) == (1.2, 1.3, 4, 6)
        trade = ib.placeOrder(FuturesOption("HE", "20250414", 86, "P", "CME"), LimitOrder("BUY", 1, 1.3))
        await settle(ib)
        assert [entry.errorCode for entry in trade.log if entry.errorCode] == [200]
        assert server.tws.broker.orders == {}
