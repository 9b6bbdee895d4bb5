"""Interactive Brokers behind the two verbs of a source."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

from hydra_assets.clock import now as wall_clock
from hydra_assets.markets.sessions import calendar_of
from hydra_assets.sources.base import (
    Dataset,
    FetchRequest,
    ParseContext,
    ParseError,
    ParseResult,
    Payload,
    PayloadState,
    SourceError,
    SourceHealth,
    SourceSettings,
)
from hydra_assets.sources.ib.asking import Answered, Desk
from hydra_assets.sources.ib.bars import parse_bars
from hydra_assets.sources.ib.chains import parse_chain
from hydra_assets.sources.ib.codes import AskError, source_error
from hydra_assets.sources.ib.payload import written
from hydra_assets.sources.ib.settings import Patience, endpoint_of, options_of

NAME = "ib"
T = TypeVar("T")


class IbSource:
    """A terminal or gateway of Interactive Brokers, at ``trading.ib`` of ``home.yaml``, asked as the data role.

    Binding options: :class:`hydra_assets.sources.ib.settings.BindingOptions`. The connection is read-only and one of
    its own; it sends questions and nothing else.
    """

    name = NAME
    known_at_rules: Mapping[Dataset, str] = {
        Dataset.FUTURES_BARS: (
            "Prices: the settlement publication of their session; a settlement that replaces a close later is a "
            "restatement, known when it was had. Volume: one session later. No open interest."
        ),
        Dataset.OPTION_CHAINS: (
            "The instant at which each snapshot was taken. Interactive Brokers serves no history of option quotes: "
            "what was not collected is never there."
        ),
    }

    def __init__(
        self,
        settings: SourceSettings,
        patience: Patience | None = None,
        clock: Callable[[], datetime] = wall_clock,
        seconds: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._settings = settings
        self._patience = patience or Patience()
        self._clock = clock
        self._seconds = seconds
        self._sleep = sleep

    def fetch(self, request: FetchRequest) -> Iterator[Payload]:
        """One payload a market; what failed is raised behind what was had."""
        if request.dataset not in self.known_at_rules:
            raise SourceError("wrong_dataset", f"Interactive Brokers is asked for no {request.dataset}")
        if request.dataset is Dataset.OPTION_CHAINS:
            request = _of_the_present(request)
        answers, errors = _on_a_thread(lambda: self._ask(request))
        for symbol, answered in answers:
            if answered.document is not None:
                name = f"{symbol}.{request.dataset}.{request.now:%Y%m%dT%H%M%SZ}.json"
                yield Payload(request.dataset, self.name, name, written(answered.document), request.now)
        if errors:
            raise source_error(errors)

    def parse(self, payload: Payload, context: ParseContext) -> ParseResult:
        """See :func:`parse_bars` and :func:`parse_chain`."""
        if payload.dataset is Dataset.FUTURES_BARS:
            return parse_bars(payload, context)
        if payload.dataset is Dataset.OPTION_CHAINS:
            return parse_chain(payload, context)
        raise ParseError("wrong_dataset", f"Interactive Brokers delivers no {payload.dataset}")

    def check(self) -> SourceHealth:
        """Whether a terminal answers and takes the data role's client id."""
        try:
            endpoint = endpoint_of(self._settings.home)
            _on_a_thread(self._shake_hands)
        except AskError as error:
            return SourceHealth(self.name, ok=False, reason=str(error.fault), detail=error.detail)
        except SourceError as error:
            return SourceHealth(self.name, ok=False, reason=error.reason, detail=error.detail)
        detail = f"{endpoint.host}:{endpoint.port} as client {endpoint.client_id}"
        return SourceHealth(self.name, ok=True, reason="ready", detail=detail)

    async def _shake_hands(self) -> None:
        from hydra_assets.sources.ib.connection import Connection  # noqa: PLC0415  the client is slow to load

        async with Connection(endpoint_of(self._settings.home), self._patience):
            pass

    async def _ask(self, request: FetchRequest) -> tuple[list[tuple[str, Answered]], list[AskError]]:
        """Answers by market, in order, and everything that had none."""
        from hydra_assets.sources.ib.connection import Connection  # noqa: PLC0415  the client is slow to load

        options = {
            spec.symbol: options_of(spec.symbol, self._settings.bindings.get(spec.symbol, ()), str(request.dataset))
            for spec in request.markets
        }
        answers: list[tuple[str, Answered]] = []
        errors: list[AskError] = []
        try:
            async with Connection(endpoint_of(self._settings.home), self._patience) as ib:
                desk = Desk(ib, self._patience, self._clock, self._seconds, self._sleep)
                for spec in request.markets:
                    own = options[spec.symbol]
                    try:
                        if request.dataset is Dataset.FUTURES_BARS:
                            answered = await desk.bars(spec, own, request.first, request.last, request.now)
                        else:
                            answered = await desk.chain(spec, own, request.now)
                    except AskError as error:
                        answered = Answered(None, (error,))
                    answers.append((spec.symbol, answered))
                    errors += answered.errors
                    if answered.broken_off:
                        break
        except AskError as error:
            errors.append(error)
        return answers, errors


def _of_the_present(request: FetchRequest) -> FetchRequest:
    """The request without markets whose window is past; SourceError where none is left."""
    present = tuple(spec for spec in request.markets if request.last >= calendar_of(spec).latest_finished(request.now))
    if not present:
        detail = f"no history of option quotes: sessions up to {request.last} are past"
        raise SourceError("no_history", detail, state=PayloadState.NOTHING_NEW)
    return FetchRequest(request.dataset, present, request.first, request.last, request.now)


def _on_a_thread(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The result of a coroutine on a loop of its own: the caller may have one that runs."""
    with ThreadPoolExecutor(1, "ib data") as pool:
        return pool.submit(lambda: asyncio.run(work())).result()
