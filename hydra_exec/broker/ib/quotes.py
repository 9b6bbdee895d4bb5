"""Quotes as they are heard: touch, when it was heard, and whether it is real-time. Lives on through connections.

A quote is live only where the terminal has said that its data are of type 1: frozen and delayed ones come in the same
shape. Codes 354, 10167 and 10197 take that word back.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from hydra_exec.broker.ib.contracts import Listing
from hydra_exec.broker.port import Quote

REAL_TIME = 1
_BID, _ASK = frozenset({1, 66}), frozenset({2, 67})
_BID_SIZE, _ASK_SIZE = frozenset({0, 69}), frozenset({3, 70})
DELAYED_TICKS = frozenset({66, 67, 68, 69, 70, 71})
BOTH = frozenset({"bid", "ask"})
RETRY = timedelta(minutes=1)
"""A subscription that was refused is asked for again no sooner than this."""


@dataclass(slots=True)
class _Ticker:
    listing: Listing
    request: int | None = None
    """None where nobody listens: the connection or the terminal's data are gone."""
    asked_at: datetime | None = None
    kind: int | None = None
    refused: int = 0
    """Code that has taken the data away, 0 where none has."""
    quote: Quote | None = None
    sides: frozenset[str] = frozenset()
    """Those that were told of since the data began: a side that was not is none that is empty."""

    @property
    def live(self) -> bool:
        return self.kind == REAL_TIME and not self.refused

    def forget(self) -> None:
        """Data begin anew: what was heard before would pass for what is quoted now."""
        self.quote, self.sides = None, frozenset()


class Quotes:
    """Written on the loop's thread, read from any: what is read is replaced, never changed."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._tickers: dict[str, _Ticker] = {}
        self._by_request: dict[int, str] = {}

    def of(self, contract: str) -> Quote | None:
        """The touch as last heard, once both of its sides were."""
        ticker = self._tickers.get(contract)
        quote = None if ticker is None or ticker.sides != BOTH else ticker.quote
        return None if ticker is None or quote is None else replace(quote, live=ticker.live)

    @property
    def live(self) -> bool:
        """Whether nothing that is listened to was said to be other than real-time."""
        return all(not ticker.refused and ticker.kind in {None, REAL_TIME} for ticker in list(self._tickers.values()))

    def due(self, contract: str) -> bool:
        """Whether a subscription should be asked for now."""
        ticker = self._tickers.get(contract)
        if ticker is None:
            return True
        if ticker.request is not None and not ticker.refused:
            return False
        return ticker.request is None or ticker.asked_at is None or self._clock() - ticker.asked_at >= RETRY

    def asked(self, listing: Listing, request: int) -> None:
        """A subscription is on its way under a number."""
        ticker = self._tickers.setdefault(listing.contract, _Ticker(listing))
        if ticker.request is not None:
            self._by_request.pop(ticker.request, None)
        ticker.listing, ticker.request, ticker.asked_at = listing, request, self._clock()
        ticker.kind, ticker.refused = None, 0
        ticker.forget()
        self._by_request[request] = listing.contract

    def lost(self) -> None:
        """Subscriptions have ended; what was heard last stays, and is no longer live."""
        self._by_request.clear()
        for ticker in self._tickers.values():
            ticker.request, ticker.kind = None, None

    def wanted(self) -> Iterator[str]:
        """Contracts that somebody listens to."""
        yield from list(self._tickers)

    def knows(self, request: int) -> bool:
        """Whether a number is a subscription's."""
        return request in self._by_request

    def kind(self, request: int, kind: int) -> None:
        """Which kind of data come from here on."""
        if ticker := self._ticker(request):
            if ticker.kind not in {None, kind} or (ticker.refused and kind == REAL_TIME):
                ticker.forget()
            ticker.kind = kind
            if kind == REAL_TIME:
                ticker.refused = 0

    def refuse(self, request: int, code: int) -> None:
        """A code has taken live data away."""
        if ticker := self._ticker(request):
            ticker.refused = code

    def price(self, request: int, tick: int, price: float, size: float) -> None:
        """A side of the touch; one of size 0 is empty."""
        ticker = self._ticker(request)
        if ticker is None:
            return
        self._note_delayed(ticker, tick)
        value = ticker.listing.inward(price) if size > 0 else None
        amount = int(size) if size > 0 else None
        if tick in _BID:
            self._heard(ticker, bid=value, bid_size=amount)
            ticker.sides |= {"bid"}
        elif tick in _ASK:
            self._heard(ticker, ask=value, ask_size=amount)
            ticker.sides |= {"ask"}

    def size(self, request: int, tick: int, size: float) -> None:
        """A size of the touch whose price is as before."""
        ticker = self._ticker(request)
        if ticker is None or ticker.quote is None:
            return
        self._note_delayed(ticker, tick)
        if tick in _BID_SIZE:
            self._heard(ticker, bid_size=int(size))
        elif tick in _ASK_SIZE:
            self._heard(ticker, ask_size=int(size))

    def _ticker(self, request: int) -> _Ticker | None:
        contract = self._by_request.get(request)
        return None if contract is None else self._tickers[contract]

    def _note_delayed(self, ticker: _Ticker, tick: int) -> None:
        if tick in DELAYED_TICKS and ticker.kind in {None, REAL_TIME}:
            ticker.kind = 3

    def _heard(self, ticker: _Ticker, **changed: float | int | None) -> None:
        now = self._clock()
        before = ticker.quote or Quote(None, None, now)
        ticker.quote = replace(before, at=now, **changed)  # type: ignore[arg-type]  # names are checked by the tests
