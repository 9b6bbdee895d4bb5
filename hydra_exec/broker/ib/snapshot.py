"""The full answer: every question asked on one connection, answered to its end, with nothing moving meanwhile."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from hydra_exec.broker.ib import words
from hydra_exec.broker.ib.asking import PositionRow
from hydra_exec.broker.ib.contracts import Directory, ListingError
from hydra_exec.broker.ib.hearing import ENDED, foreign_name
from hydra_exec.broker.ib.session import Session
from hydra_exec.broker.port import ExecutionReport, FeeReport, LinkState, OrderReport, Snapshot

ATTEMPTS = 3
"""A fill in the middle makes positions and executions of two moments; then everything is asked anew."""


class RestlessError(Exception):
    """No moment without a fill was found."""


async def take(session: Session, account: str, clock: Callable[[], datetime]) -> Snapshot:
    """Ask for everything.

    Raises
    ------
    UnansweredError
        A question was refused or not answered to its end.
    RestlessError
        The link changed meanwhile, or fills came in every attempt.
    ListingError
        What is held of one of our markets could not be told.
    """
    hearing = session.hearing
    if hearing.state is not LinkState.UP:
        msg = "the terminal has lost the broker: what it remembers may be old"
        raise RestlessError(msg)
    if unlisted := hearing.directory.unlisted:
        msg = f"a market of which no month is known, and what is held of it neither: {'; '.join(unlisted)}"
        raise ListingError(msg)
    before = hearing.disturbances
    for _ in range(ATTEMPTS):
        asked_at, motions = clock(), session.motions
        positions = await session.positions()
        alive = await session.open_orders()
        over = await session.ended_orders()
        done = await session.executions(account)
        equity = await session.equity()
        if hearing.disturbances != before:
            msg = "the link changed, or a message could not be read, while everything was asked"
            raise RestlessError(msg)
        if session.motions == motions:
            held, foreign = sort_positions(positions, account, hearing.directory)
            working, ended = sort_orders(alive)
            return Snapshot(
                account=account,
                generation=hearing.generation,
                asked_at=asked_at,
                taken_at=clock(),
                positions=held,
                open_orders=working,
                executions=tuple(row for row in done if isinstance(row, ExecutionReport)),
                ended=(*over, *ended),
                fees=tuple(row for row in done if isinstance(row, FeeReport)),
                foreign=foreign,
                net_liquidation=equity,
            )
    msg = f"fills came in each of {ATTEMPTS} attempts to ask for everything"
    raise RestlessError(msg)


def sort_positions(
    rows: Sequence[PositionRow], account: str, directory: Directory
) -> tuple[dict[str, int], dict[str, int]]:
    """Positions of one account in our contracts, and in what is none of ours; flat ones are left out.

    NotWholeError where one of ours is no whole number; a foreign one is rounded away from zero. ListingError where one
    is of our markets and of a month that is not known: as a foreign one nobody would compare it, and it would be flat.
    """
    held: dict[str, int] = {}
    foreign: dict[str, int] = {}
    for row in rows:
        if row.account != account:
            continue
        name = directory.names.get(row.contract.conId)
        if name is not None:
            held[name] = words.whole(row.quantity)
        elif row.quantity and directory.claims(row.contract):
            msg = (
                f"{row.quantity:g} held of {foreign_name(row.contract)}, none of the months that are known of our "
                f"markets: it may have expired, or the broker's contract may not be the one of the market's file"
            )
            raise ListingError(msg)
        else:
            foreign[foreign_name(row.contract)] = words.at_least(row.quantity)
    return _not_flat(held), _not_flat(foreign)


def sort_orders(reports: Sequence[OrderReport]) -> tuple[tuple[OrderReport, ...], tuple[OrderReport, ...]]:
    """Orders that live and orders that ended while they were asked for, each once, with what is filled."""
    orders: dict[object, OrderReport] = {}
    for report in reports:
        key = report.perm_id or (report.client_id, report.order_id)
        known = orders.get(key)
        if known is None:
            orders[key] = report
        else:
            named = report if report.contract else known
            orders[key] = replace(
                named, word=report.word, filled=max(known.filled, report.filled), at=report.at, detail=report.detail
            )
    everything = orders.values()
    return (
        tuple(order for order in everything if order.word not in ENDED),
        tuple(order for order in everything if order.word in ENDED),
    )


def _not_flat(positions: dict[str, int]) -> dict[str, int]:
    return {name: quantity for name, quantity in positions.items() if quantity}
