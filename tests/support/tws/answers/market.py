"""Answers to what clients ask of contracts, quotes and bars."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..contracts import FutureOption, Wanted
from ..fields import flag
from ..messages import market, session
from ..requests import History
from ..script import Rights

if TYPE_CHECKING:
    from ..session import Session

NO_CONTRACT = (200, "No security definition has been found for the request")
NOT_SUBSCRIBED = (354, "Requested market data is not subscribed. Delayed market data is available.")
DELAYED = (10167, "Requested market data is not subscribed. Displaying delayed market data.")
COMPETING = (10197, "No market data during competing live session")
NO_DATA = (162, "Historical Market Data Service error message:HMDS query returned no data")
PACING = (162, "Historical Market Data Service error message:Historical data request pacing violation")


def contract(client: "Session", fields: Sequence[str]) -> None:
    """Number 9: every listed month that fits."""
    request, tws = int(fields[2]), client.tws
    found = tws.broker.catalogue.look(Wanted.of(fields[3:15]), tws.clock.now.date(), expired=flag(fields[15]))
    if not found:
        client.send(session.error(request, *NO_CONTRACT))
        return
    for listed in found:
        if isinstance(listed, FutureOption):
            client.send(market.option_details(request, listed))
        else:
            client.send(market.contract_details(request, listed))
    client.send(market.contract_end(request))


def option_parameters(client: "Session", fields: Sequence[str]) -> None:
    """Number 78: every class on a future at an exchange; the end alone where there is none."""
    request, symbol, exchange, kind, con_id = int(fields[1]), fields[2], fields[3], fields[4], int(fields[5])
    options = [
        option
        for option in client.tws.broker.catalogue.options
        if (option.symbol, option.under_con_id) == (symbol, con_id) and exchange in {"", option.exchange}
    ]
    for name in sorted({option.trading_class for option in options}) if kind == "FUT" else ():
        own = [option for option in options if option.trading_class == name]
        client.send(market.option_parameters(request, own))
    client.send(market.option_parameters_end(request))


def market_rule(client: "Session", fields: Sequence[str]) -> None:
    """Number 91; an unknown rule is error 322 without an id, which ends no request."""
    rule = client.tws.broker.catalogue.rule(int(fields[1]))
    if rule:
        client.send(market.market_rule(rule))
    else:
        client.send(session.error(session.NO_ID, 322, "Error processing request: invalid market rule id"))


def market_data_type(client: "Session", fields: Sequence[str]) -> None:
    """Number 59: holds for what is asked from here on."""
    client.data_type = int(fields[2])


def market_data(client: "Session", fields: Sequence[str]) -> None:
    """Number 1: a subscription or a snapshot."""
    request, tws = int(fields[2]), client.tws
    found = tws.broker.catalogue.look(Wanted.of(fields[3:15]), tws.clock.now.date())
    if len(found) != 1:
        client.send(session.error(request, *NO_CONTRACT))
        return
    # Behind the contract: a delta-neutral flag (with three fields if set), generic ticks, snapshot.
    snapshot = flag(fields[20] if flag(fields[15]) else fields[17])
    wants_delayed = client.data_type in {market.DELAYED, market.DELAYED_FROZEN}
    if tws.rights is Rights.COMPETING:
        client.send(session.error(request, *COMPETING))
        return
    if tws.rights is Rights.NONE or (tws.rights is Rights.DELAYED and not wants_delayed):
        client.send(session.error(request, *NOT_SUBSCRIBED))
        return
    delayed = tws.rights is Rights.DELAYED
    if delayed:
        client.send(session.error(request, *DELAYED))
    client.send(market.tick_parameters(request, found[0]))
    client.send(market.market_data_type(request, market.DELAYED if delayed else market.LIVE))
    quote = tws.broker.book(found[0].con_id).quote
    client.send(*market.ticks(request, quote, delayed=delayed))
    if snapshot:
        client.send(market.snapshot_end(request))
    else:
        client.tickers[request] = (found[0].con_id, delayed)


def cancel_market_data(client: "Session", fields: Sequence[str]) -> None:
    """Number 2."""
    client.tickers.pop(int(fields[2]), None)


def history(client: "Session", fields: Sequence[str]) -> None:
    """Number 20: the bars that the test gave for the contract, all of them whatever duration was asked."""
    ask, tws = History.of(fields), client.tws
    if tws.config.paced and not tws.pacing.allows(ask, tws.clock.now):
        client.send(session.error(ask.request, *PACING))
        return
    found = tws.broker.catalogue.find(ask.contract, tws.clock.now.date(), expired=ask.expired)
    bars = tws.bars.get(found[0].con_id, ()) if len(found) == 1 else ()
    if len(found) != 1:
        client.send(session.error(ask.request, *NO_CONTRACT))
    elif not bars:
        client.send(session.error(ask.request, *NO_DATA))
    else:
        client.send(market.history(ask.request, bars, tws.config.zone, daily=ask.daily, epoch=ask.epoch))
