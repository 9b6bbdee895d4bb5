"""The data role's connection: questions with an end, and no way to place an order.

Imported only where a terminal is asked, since the client takes a while to load. Everything runs on one loop.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from ib_async import IB, Contract
from ib_async.client import Client
from ib_async.ib import StartupFetchNONE

from hydra_assets.sources.ib.codes import LINK_CODES, TAKEN_CODE, AskError, Fault, fault_of
from hydra_assets.sources.ib.payload import plain
from hydra_assets.sources.ib.settings import Endpoint, Patience

QUESTIONS = frozenset({1, 2, 9, 20, 25, 49, 59, 61, 64, 71, 78})
"""Numbers of the messages that this role sends: quotes, contracts, history, time, option parameters, start, and the
positions that the client asks for by itself."""
BAR_SIZE, WHAT = "1 day", "TRADES"
LIVE = 1
_LINGER_TURNS = 200
"""Turns of the loop that a closed socket is given to report its end."""


class OrderRefusedError(Exception):
    """Something other than a question was about to be sent on the data role's connection."""


class _Questions(Client):
    """The client, which sends questions and nothing else."""

    def send(self, *fields: Any, makeEmpty: bool = True) -> None:  # noqa: N803  the client's own name
        """Send a message; OrderRefusedError where it is no question."""
        if fields[0] not in QUESTIONS:
            msg = f"message {fields[0]} is no question about data"
            raise OrderRefusedError(msg)
        super().send(*fields, makeEmpty=makeEmpty)  # type: ignore[no-untyped-call]  # the client has no types there


class _Ib(IB):
    def __init__(self) -> None:
        super().__init__()
        # It would ask for the account's summary at every 1102.
        self.errorEvent -= self._onError
        self.client = _Questions(self.wrapper)  # type: ignore[no-untyped-call]  # the client has no types there
        self.client.apiEnd += self.disconnectedEvent


class Connection:
    """``async with Connection(endpoint, patience) as ib``: used once."""

    def __init__(self, endpoint: Endpoint, patience: Patience) -> None:
        self._endpoint = endpoint
        self._patience = patience
        self._ib = _Ib()
        # The client's methods carry no types.
        self._client: Any = self._ib.client
        self._wrapper: Any = self._ib.wrapper
        self._open: dict[int, asyncio.Future[AskError]] = {}
        self._refused: asyncio.Future[str] | None = None
        self._ib.errorEvent += self._heard

    async def __aenter__(self) -> "Connection":
        """Shake hands; AskError where nobody answers or the client id is taken."""
        where, client_id = f"{self._endpoint.host}:{self._endpoint.port}", self._endpoint.client_id
        self._refused = asyncio.get_running_loop().create_future()
        opening = asyncio.ensure_future(
            self._ib.connectAsync(
                self._endpoint.host,
                self._endpoint.port,
                client_id,
                self._endpoint.timeout_s,
                readonly=True,
                fetchFields=StartupFetchNONE,
            )
        )
        await asyncio.wait({opening, self._refused}, return_when=asyncio.FIRST_COMPLETED)
        if self._refused.done():
            opening.cancel()
            with contextlib.suppress(BaseException):
                await opening
            await self.close()
            text = f"client id {client_id} is in use at {where}: another process collects data, or has just ended"
            raise AskError(Fault.CLIENT_ID_IN_USE, text, TAKEN_CODE)
        try:
            opening.result()
        except Exception as error:
            await self.close()
            reason = str(error) or type(error).__name__
            text = f"no connection to a terminal at {where}: {reason}; is it running, and is its API port open?"
            raise AskError(Fault.NO_TERMINAL, text) from error
        self._client.reqMarketDataType(LIVE)
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the connection."""
        await self.close()

    async def close(self) -> None:
        """End the connection and let the socket go."""
        self._ib.disconnect()
        for _ in range(_LINGER_TURNS):
            if self._client.conn.transport is None:
                return
            await asyncio.sleep(0)

    async def details(self, wish: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
        """Details of every contract that fits a description."""
        contract = Contract(**wish)
        found = await self._ask(
            name, lambda number: self._client.reqContractDetails(number, contract), self._endpoint.timeout_s
        )
        return [plain(one) for one in found]

    async def bars(self, contract: Mapping[str, Any], name: str, end: str, duration: str) -> list[list[Any]]:
        """Daily bars of trades, of the whole trading day; rows in the order of ``payload.BAR_FIELDS``."""
        wire = Contract(**contract)

        def send(number: int) -> None:
            self._client.reqHistoricalData(number, wire, end, duration, BAR_SIZE, WHAT, False, 1, False, [])

        found = await self._ask(name, send, self._endpoint.timeout_s, self._client.cancelHistoricalData)
        return [
            [
                contract["conId"],
                f"{b.date:%Y%m%d}",
                *(plain(v) for v in (b.open, b.high, b.low, b.close, b.volume, b.average)),
                b.barCount,
            ]
            for b in found
        ]

    async def option_parameters(self, symbol: str, exchange: str, con_id: int, name: str) -> list[dict[str, Any]]:
        """Classes of options on a future, each with its expiries and strikes."""
        found = await self._ask(
            name,
            lambda number: self._client.reqSecDefOptParams(number, symbol, exchange, "FUT", con_id),
            self._endpoint.timeout_s,
        )
        return [plain(one) for one in found]

    async def snapshot(self, contract: Mapping[str, Any], name: str) -> dict[str, Any]:
        """Quote of a contract as it stands, by the names of ``payload.QUOTE_FIELDS`` but for the instant."""
        wire = Contract(**contract)
        ticker: Any = None

        def send(number: int) -> None:
            nonlocal ticker
            ticker = self._wrapper.startTicker(number, wire, "snapshot")
            self._client.reqMktData(number, wire, "", True, False, [])

        try:
            await self._ask(name, send, self._patience.snapshot_s, self._client.cancelMktData)
        finally:
            if ticker is not None:
                self._wrapper.endTicker(ticker, "snapshot")
        values = (
            *(ticker.bid, ticker.ask, ticker.bidSize, ticker.askSize),
            *(ticker.last, ticker.lastSize, ticker.close, ticker.volume, ticker.marketDataType),
        )
        names = ("bid", "ask", "bid_size", "ask_size", "last", "last_size", "close", "volume", "data_type")
        return {"con_id": contract["conId"]} | dict(zip(names, map(plain, values), strict=True))

    async def _ask(
        self, name: str, send: Callable[[int], None], limit_s: float, cancel: Callable[[int], None] | None = None
    ) -> list[Any]:
        """Rows of an answer that came to its end; AskError otherwise."""
        try:
            number = self._client.getReqId()
        except ConnectionError:
            raise AskError(Fault.DISCONNECTED, f"{name}: there is no connection to the terminal") from None
        answer = self._wrapper.startReq(number)
        failed: asyncio.Future[AskError] = asyncio.get_running_loop().create_future()
        self._open[number] = failed
        try:
            send(number)
            await asyncio.wait({answer, failed}, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
            if failed.done():
                error = failed.result()
                raise AskError(error.fault, f"{name}: {error.detail}", error.code)
            if answer.done():
                rows: list[Any] = answer.result()
                return rows
            if cancel is not None:
                cancel(number)
            raise AskError(Fault.TIMEOUT, f"{name}: no end of the answer within {limit_s:g} s")
        except ConnectionError:
            raise AskError(Fault.DISCONNECTED, f"{name}: the connection to the terminal was lost") from None
        finally:
            del self._open[number]

    def _heard(self, number: int, code: int, text: str, _contract: object) -> None:
        """A code about a question, about the connection, or about nothing."""
        if code == TAKEN_CODE and self._refused is not None and not self._refused.done():
            self._refused.set_result(text)
        if number in self._open:
            fault = fault_of(code, text)
            if fault is not None:
                self._fail(number, AskError(fault, f"code {code}, {text}", code))
        elif code in LINK_CODES:
            for each in self._open:
                self._fail(each, AskError(Fault.LINK_LOST, f"code {code}, {text}", code))

    def _fail(self, number: int, error: AskError) -> None:
        if not self._open[number].done():
            self._open[number].set_result(error)
