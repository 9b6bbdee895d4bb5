"""One market's questions to the terminal, in order, and the document of what was answered.

What failed is told beside what did not: a contract without an answer does not take the others with it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from hydra_assets.markets.model import MarketSpec
from hydra_assets.sources.ib.chains import positive, price_of
from hydra_assets.sources.ib.codes import CONNECTION_FAULTS, NO_FAILURE, WHOLE_MARKET, AskError, Fault
from hydra_assets.sources.ib.listing import Details, Listed, listed, strike_factor, wanted
from hydra_assets.sources.ib.pacing import HistoryPacing, HistoryRequest, PacingCode
from hydra_assets.sources.ib.payload import BARS_FORMAT, CHAIN_FORMAT, QUOTE_FIELDS
from hydra_assets.sources.ib.plan import around_the_money, class_expiries, months_wanted, span_of
from hydra_assets.sources.ib.settings import BindingOptions, Patience

if TYPE_CHECKING:
    from hydra_assets.sources.ib.connection import Connection

BAR_SIZE, WHAT = "1 day", "TRADES"


@dataclass(frozen=True, slots=True)
class Answered:
    """``document`` is None where nothing came; ``errors`` are of questions without an answer, failures or not."""

    document: dict[str, Any] | None
    errors: tuple[AskError, ...] = ()

    @property
    def broken_off(self) -> bool:
        """Whether the connection is gone, so that nobody else need ask."""
        return any(error.fault in CONNECTION_FAULTS for error in self.errors)


@dataclass
class Desk:
    """What asking needs: the connection, how patient to be, the time, and how time passes.

    ``clock`` dates quotes and may be pinned; ``seconds`` counts what really passes, and the limits go by it.
    """

    ib: "Connection"
    patience: Patience
    clock: Callable[[], datetime]
    seconds: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    pacing: HistoryPacing = field(default_factory=HistoryPacing)

    async def bars(
        self, spec: MarketSpec, options: BindingOptions, first: date | None, last: date, now: datetime
    ) -> Answered:
        """Daily bars of a market's months; AskError where not even its months can be had."""
        begin, span = span_of(first, last, now)
        found = await self.ib.details(wanted(spec) | {"includeExpired": True}, spec.symbol)
        months, errors = _months(spec, found)
        chosen = months_wanted(months, begin, last, options.contracts)
        rows: list[list[Any]] = []
        silent: list[AskError] = []
        names: list[str] = []
        for month in chosen:
            try:
                rows += await self._paced(spec, month, found, span.end, span.duration)
            except AskError as error:
                silent.append(error)
                names.append(month.contract)
                if error.fault in WHOLE_MARKET | CONNECTION_FAULTS:
                    break
        document = {
            "format": BARS_FORMAT,
            "market": spec.symbol,
            "asked_at": now.isoformat(),
            "settle_hours": options.settle_hours,
            "request": {"end": span.end, "duration": span.duration, "bar_size": BAR_SIZE, "what": WHAT},
            "contracts": _details_of(found, {month.con_id for month in chosen}),
            "bars": rows,
            **_told(names, silent),
        }
        return Answered(document if rows else None, (*errors, *silent))

    async def chain(self, spec: MarketSpec, options: BindingOptions, now: datetime) -> Answered:
        """Snapshots of options around the money; AskError where not even their futures can be had."""
        if spec.options is None:
            raise AskError(Fault.NOT_LISTED, f"{spec.symbol}: the market's file lists no options")
        future = wanted(spec)
        found = await self.ib.details(future, spec.symbol)
        months, errors = _months(spec, found)
        today = now.astimezone(ZoneInfo(spec.timezone)).date()
        near = months_wanted(months, today, today - timedelta(days=1), options.expiries)
        unders, silent = await self._quotes([(month.con_id, month.contract) for month in near], future)
        theirs = {con_id: price_of(quote) or positive(quote["close"]) for con_id, quote in unders.items()}
        priced = [month for month in near if theirs.get(month.con_id)]
        if not priced and not silent:
            raise AskError(Fault.NO_UNDERLYING_PRICE, f"{spec.symbol}: no future has a quote, a trade or a close")
        parameters, contracts = await self._contracts(spec, options, priced, future, today, silent)
        if not contracts and not silent:
            raise AskError(Fault.NO_CONTRACT, f"{spec.symbol}: no options are listed that the market's file knows")
        centre = {month.con_id: _centre(month, contracts, theirs[month.con_id] or 0.0) for month in priced}
        around = around_the_money(contracts, centre, options.max_options)
        quotes, refused = await self._quotes(
            [(one["contract"]["conId"], str(one["contract"].get("localSymbol"))) for one in around],
            {**future, "secType": "FOP", "tradingClass": ""},
        )
        told = [*silent, *refused]
        document = {
            "format": CHAIN_FORMAT,
            "market": spec.symbol,
            "asked_at": now.isoformat(),
            "underlyings": _details_of(found, {month.con_id for month in near}),
            "underlying_quotes": [[quote[name] for name in QUOTE_FIELDS] for quote in unders.values()],
            "parameters": parameters,
            "contracts": around,
            "quotes": [[quote[name] for name in QUOTE_FIELDS] for quote in quotes.values()],
            **_told([name for name, _ in told], [error for _, error in told]),
        }
        return Answered(document if quotes else None, (*errors, *(error for _, error in told)))

    async def _paced(
        self, spec: MarketSpec, month: Listed, found: Sequence[Details], end: str, duration: str
    ) -> list[list[Any]]:
        """Bars of one month, asked when the published limits allow it; once more where they were met all the same."""
        contract = {**_wire(found, month.con_id), "includeExpired": True}
        request = HistoryRequest(month.contract, str(contract["exchange"]), WHAT, BAR_SIZE, end, duration)
        for last_try in (False, True):
            while (verdict := self.pacing.verdict(request, self._passed())).code is not PacingCode.OK:
                await self.sleep(verdict.wait.total_seconds())
            self.pacing.sent(request, self._passed())
            try:
                rows = await self.ib.bars(contract, month.contract, end, duration)
            except AskError as error:
                if error.fault is not Fault.PACING or last_try:
                    raise
                await self.sleep(self.patience.pacing_wait_s)
                continue
            finally:
                self.pacing.answered()
            if not rows:
                raise AskError(Fault.NO_DATA, f"{month.contract}: an answer without bars")
            return rows
        raise AssertionError  # the last try returns or raises

    def _passed(self) -> datetime:
        return datetime.fromtimestamp(self.seconds(), UTC)

    async def _contracts(
        self,
        spec: MarketSpec,
        options: BindingOptions,
        months: Sequence[Listed],
        future: Mapping[str, str],
        today: date,
        silent: list[tuple[str, AskError]],
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Option parameters of the futures, and details of the options of the nearest expiries."""
        parameters: list[dict[str, Any]] = []
        expiries: list[tuple[str, str]] = []
        for month in months:
            try:
                own = await self.ib.option_parameters(
                    future["symbol"], future["exchange"], month.con_id, f"options on {month.contract}"
                )
                parameters += own
                expiries += class_expiries(spec, month, own, options.option_classes, today)
            except AskError as error:
                silent.append((month.contract, error))
        contracts: list[dict[str, Any]] = []
        for name, expiry in sorted(set(expiries), key=lambda pair: (pair[1], pair[0]))[: options.expiries]:
            wish = {**future, "secType": "FOP", "tradingClass": name, "lastTradeDateOrContractMonth": expiry}
            try:
                contracts += await self.ib.details(wish, f"{name} {expiry}")
            except AskError as error:
                silent.append((f"{name} {expiry}", error))
        return parameters, contracts

    async def _quotes(
        self, wanted_: Sequence[tuple[int, str]], future: Mapping[str, str]
    ) -> tuple[dict[int, dict[str, Any]], list[tuple[str, AskError]]]:
        """Quotes by contract number, and what gave none; ends early where nobody would be answered."""
        quotes: dict[int, dict[str, Any]] = {}
        silent: list[tuple[str, AskError]] = []

        async def one(con_id: int, name: str) -> None:
            terms = {key: future[key] for key in ("secType", "symbol", "exchange", "currency")}
            try:
                quote = await self.ib.snapshot({**terms, "conId": con_id}, name)
            except AskError as error:
                silent.append((name, error))
            else:
                quotes[con_id] = quote | {"taken_at": self.clock().isoformat()}

        for start in range(0, len(wanted_), self.patience.lines):
            await asyncio.gather(*(one(con_id, name) for con_id, name in wanted_[start : start + self.patience.lines]))
            if any(error.fault in WHOLE_MARKET | CONNECTION_FAULTS for _, error in silent):
                break
        order = {con_id: place for place, (con_id, _) in enumerate(wanted_)}
        return dict(sorted(quotes.items(), key=lambda item: order[item[0]])), silent


def _months(spec: MarketSpec, found: Sequence[Details]) -> tuple[list[Listed], tuple[AskError, ...]]:
    months, errors = [], []
    for details in found:
        try:
            months.append(listed(spec, details))
        except AskError as error:
            errors.append(error)
    if errors and not months:
        raise errors[0]
    return months, tuple(errors)


def _wire(found: Sequence[Details], con_id: int) -> dict[str, Any]:
    contract = next(one["contract"] for one in found if one["contract"]["conId"] == con_id)
    return {name: contract[name] for name in ("conId", "secType", "symbol", "exchange", "currency") if name in contract}


def _details_of(found: Sequence[dict[str, Any]], con_ids: set[int]) -> list[dict[str, Any]]:
    return [one for one in found if one["contract"]["conId"] in con_ids]


def _centre(month: Listed, contracts: Sequence[Details], theirs: float) -> float:
    """Their price of a future in the units of the strikes on it."""
    strikes = [float(one["contract"]["strike"]) for one in contracts if one.get("underConId") == month.con_id]
    ours = month.inward(theirs)
    return ours / strike_factor(strikes, ours, month) if strikes else ours


def _told(names: Sequence[str], errors: Sequence[AskError]) -> dict[str, Any]:
    """What gave nothing, and why; ``incomplete`` names the failure that the document is short of."""
    silent = [
        {"name": name, "fault": str(error.fault), "code": error.code, "text": error.detail}
        for name, error in zip(names, errors, strict=True)
    ]
    broken = next((str(error.fault) for error in errors if error.fault not in NO_FAILURE), "")
    return {"silent": silent, "incomplete": broken}
