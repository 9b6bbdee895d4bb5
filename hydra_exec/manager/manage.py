"""What to do next for an order: place, amend, cancel, finish, or nothing. Pure, and with no memory of its own.

Everything follows from the order, its tickets as the journal knows them, the touch and the instant, so that a process
that starts again goes on where the last one stood. At most one ticket of an order may live: another is placed once the
broker's word has ended the one before. After a ticket that ended, the next one waits for the next step of its slice, so
that an order that is refused again and again is no storm of orders.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hydra_assets.state.records import Side
from hydra_exec.broker.port import Quote
from hydra_exec.config import PatienceConfig
from hydra_exec.manager.patience import Bounds, PatienceCode, Standing, stance, step_of
from hydra_exec.manager.twap import slices
from hydra_exec.manager.window import Window
from hydra_exec.order_state import LIVE, TicketState
from hydra_exec.risk_gate.wire import AMENDABLE

MOST_FAILURES = 3
"""Tickets that came to nothing before an order is given up."""
FAILED = frozenset({TicketState.REJECTED, TicketState.ABSENT, TicketState.WITHDRAWN})
ASKED = frozenset({TicketState.PENDING_CANCEL, TicketState.UNKNOWN})
"""Nothing can be done for these but wait for the broker's word."""


class CancelReason(StrEnum):
    """Why a ticket's end is asked for. A ticket that was never sent is to be withdrawn instead."""

    SLICE_OVER = "slice_over"
    """The time of its slice has passed; what is left rolls into the next."""
    WINDOW_OVER = "window_over"
    """The order is given up."""
    STALE_QUOTE = "stale_quote"
    """The touch is too old to leave a limit standing on it."""
    DEGRADED = "degraded"
    """Its limit is no longer right, and nothing is amended on a degraded connection."""
    CLOSED_TO_RISK = "closed_to_risk"
    """It would add risk, and the system's state takes none."""
    TOO_MUCH = "too_much"
    """With it the order could fill to more than was decided, or more than one ticket lives."""


class FinishCode(StrEnum):
    """How an order ended."""

    FILLED = "filled"
    PARTLY_FILLED = "partly_filled"
    """The window ended with some of it unfilled."""
    UNFILLED = "unfilled"
    """The window ended with nothing filled."""
    REFUSED = "refused"
    """Several tickets were denied, rejected or never arrived."""


@dataclass(frozen=True, slots=True)
class Place:
    """Send a new ticket. ``number`` is its place among the order's tickets, never used before."""

    number: int
    quantity: int
    limit_price: float
    code: PatienceCode


@dataclass(frozen=True, slots=True)
class Amend:
    """Give a ticket another limit."""

    wire_ref: str
    limit_price: float
    code: PatienceCode


@dataclass(frozen=True, slots=True)
class Cancel:
    """Ask for a ticket's end."""

    wire_ref: str
    reason: CancelReason


@dataclass(frozen=True, slots=True)
class Finish:
    """Nothing more will be done for the order."""

    code: FinishCode


Action = Place | Amend | Cancel | Finish


@dataclass(frozen=True, slots=True)
class Work:
    """An order and the window of its session. ``volume_profile`` is ``[bucket]`` volume in equal parts of the window.

    Raises
    ------
    ValueError
        It has no lots, or its worst price is none.
    """

    side: Side
    quantity: int
    bounds: Bounds
    window: Window
    volume_profile: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        worst = self.bounds.worst_price
        if self.quantity < 1 or not (math.isfinite(worst) and worst > 0.0):
            msg = f"an order of {self.quantity} lots at {worst} or better"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class TicketView:
    """A ticket as the journal knows it. ``filled`` is the most that the broker has said is filled.

    ``priced_at`` is when its limit was last handed over, and when it was written where it never was (UTC).
    """

    wire_ref: str
    number: int
    quantity: int
    limit_price: float
    state: TicketState
    filled: int
    priced_at: datetime


def next_actions(
    work: Work,
    tickets: Sequence[TicketView],
    quote: Quote | None,
    now: datetime,
    config: PatienceConfig,
    degraded: bool = False,
    closed: bool = False,
) -> list[Action]:
    """Decide; an empty list says that there is nothing to do yet.

    Parameters
    ----------
    work
        The order.
    tickets
        All that were ever written for it, in any order.
    quote
        The touch as last heard.
    now
        The broker's clock.
    config
        How much patience.
    degraded
        Whether the terminal has lost the broker: nothing is placed or amended then.
    closed
        Whether the system's state takes no risk and the order would add some: what lives of it is taken back.
    """
    plan = _Plan.of(work, now, config)
    filled = sum(ticket.filled for ticket in tickets)
    living = [ticket for ticket in tickets if ticket.state in LIVE or ticket.state is TicketState.CREATED]
    if living:
        may_fill = filled + sum(max(ticket.quantity - ticket.filled, 0) for ticket in living)
        if len(living) > 1 or may_fill > work.quantity:
            return _cancels(living, CancelReason.TOO_MUCH)
        if closed:
            return _cancels(living, CancelReason.CLOSED_TO_RISK)
        return _mind(plan, living[0], quote, degraded)
    finish = _finish(plan, tickets, filled)
    if finish is not None:
        return [Finish(finish)]
    return [] if degraded or closed else _place(plan, tickets, filled, quote)


@dataclass(frozen=True, slots=True)
class _Plan:
    """The slice that is worked at an instant, and how much of its part of the window has passed."""

    work: Work
    now: datetime
    config: PatienceConfig
    part: Window
    lots_due: int
    """Of this slice and those before it."""
    last: bool

    @classmethod
    def of(cls, work: Work, now: datetime, config: PatienceConfig) -> "_Plan":
        cut, gone = slices(work.quantity, config.twap_lots, work.volume_profile), work.window.share(now)
        place = max(sum(part.start_share <= gone for part in cut) - 1, 0)
        current = cut[place]
        return cls(
            work=work,
            now=now,
            config=config,
            part=work.window.part(current.start_share, current.end_share),
            lots_due=sum(part.quantity for part in cut[: place + 1]),
            last=place == len(cut) - 1,
        )

    @property
    def share(self) -> float:
        """Share of the slice's part that has passed."""
        return self.part.share(self.now)

    @property
    def over(self) -> bool:
        """Whether the order is given up by now."""
        return self.last and self.share >= self.config.end_share

    def step_at(self, at: datetime) -> int:
        """Step of the slice at an instant; below 0 before its part of the window is open."""
        return step_of(self.part.share(at), self.config)


def _cancels(living: Sequence[TicketView], reason: CancelReason) -> list[Action]:
    return [Cancel(ticket.wire_ref, reason) for ticket in living if ticket.state not in ASKED]


def _mind(plan: _Plan, ticket: TicketView, quote: Quote | None, degraded: bool) -> list[Action]:
    """What to do with the one ticket that lives."""
    if plan.over:
        return _cancels([ticket], CancelReason.WINDOW_OVER)
    if ticket.priced_at < plan.part.opens_at or plan.share >= plan.config.end_share:
        return _cancels([ticket], CancelReason.SLICE_OVER)
    standing = Standing(ticket.limit_price, plan.step_at(ticket.priced_at))
    work = plan.work
    wanted = stance(work.side, plan.share, quote, plan.now, standing, work.bounds, plan.config)
    if wanted.code is PatienceCode.STALE_QUOTE:
        return _cancels([ticket], CancelReason.STALE_QUOTE)
    price = wanted.limit_price
    if price is None or ticket.state not in AMENDABLE or math.isclose(price, ticket.limit_price, rel_tol=1e-9):
        return []
    return _cancels([ticket], CancelReason.DEGRADED) if degraded else [Amend(ticket.wire_ref, price, wanted.code)]


def _finish(plan: _Plan, tickets: Sequence[TicketView], filled: int) -> FinishCode | None:
    if filled >= plan.work.quantity:
        return FinishCode.FILLED
    if plan.over:
        return FinishCode.PARTLY_FILLED if filled > 0 else FinishCode.UNFILLED
    failures = sum(ticket.state in FAILED for ticket in tickets)
    return FinishCode.REFUSED if failures >= MOST_FAILURES else None


def _place(plan: _Plan, tickets: Sequence[TicketView], filled: int, quote: Quote | None) -> list[Action]:
    lots = plan.lots_due - filled
    newest = max(tickets, key=lambda ticket: ticket.number, default=None)
    if lots < 1 or (newest is not None and plan.step_at(newest.priced_at) >= plan.step_at(plan.now)):
        return []
    work = plan.work
    wanted = stance(work.side, plan.share, quote, plan.now, None, work.bounds, plan.config)
    if wanted.limit_price is None:
        return []
    return [Place(0 if newest is None else newest.number + 1, lots, wanted.limit_price, wanted.code)]
