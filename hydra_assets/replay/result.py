"""What a replay gives back. Money is kept in whole cents and read in units of the currency."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hydra_assets.replay.breakers import REASONS, BreakerState, Transition
from hydra_assets.replay.costs import CENTS

Floats = NDArray[np.float64]
Cents = NDArray[np.int64]
Lots = NDArray[np.int32]
Codes = NDArray[np.int8]


class CostKind(StrEnum):
    """Kinds of cost; ``roll`` is all that changing the contract costs: spread, fee and impact in both."""

    SPREAD = "spread"
    FEE = "fee"
    IMPACT = "impact"
    ROLL = "roll"


KINDS = tuple(CostKind)


ACCOUNT = -1
"""Stands for the account in place of a market."""


@dataclass(frozen=True, slots=True)
class BreakerLog:
    """Moves of all breakers, each ``[move]``, in order of candidate, session, account and market."""

    candidate: Cents
    session: Cents
    market: Cents
    """Place of the market, ``ACCOUNT`` for the account's machine."""
    before: Codes
    after: Codes
    reason: Codes
    """Place in ``breakers.REASONS``."""

    def of(self, candidate: int) -> tuple[Transition, ...]:
        """Return the moves of one candidate as records."""
        rows = np.flatnonzero(self.candidate == candidate)
        return tuple(
            Transition(
                session=int(self.session[row]),
                market=None if self.market[row] == ACCOUNT else int(self.market[row]),
                before=BreakerState(self.before[row]),
                after=BreakerState(self.after[row]),
                reason=REASONS[self.reason[row]],
            )
            for row in rows
        )


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """Books of every candidate. Row t of money and lots is what happened in session t, of states its cutoff.

    ``positions`` and ``fills`` are None where they were not asked for.
    """

    capital_cents: int
    gross_cents: Cents
    """``[candidate, session]`` before costs; fills count from the price they were done at."""
    cost_cents: Cents
    """``[kind, candidate, session]``, kinds in the order of ``KINDS``."""
    turnover_lots: Cents
    """``[candidate, session]`` lots traded; a roll counts twice for each lot."""
    missing_decisions: Cents
    """``[candidate, session]`` markets that could be decided on and whose decision was NaN: no order."""
    account_state: Codes
    """``[candidate, session]``, values of ``BreakerState``."""
    breakers: BreakerLog
    fault: Codes
    """``[session, market]`` codes of ``market.FAULTS``: why a session took no decision in a market."""
    positions: Lots | None
    """``[candidate, session, market]`` lots held at the cutoff."""
    fills: Lots | None
    """``[candidate, session, market]`` signed lots traded in the session, rolls left out."""

    @property
    def net_cents(self) -> Cents:
        """``[candidate, session]``."""
        return np.asarray(self.gross_cents - self.cost_cents.sum(axis=0))

    @property
    def equity_cents(self) -> Cents:
        """``[candidate, session]`` at the cutoff."""
        return np.asarray(self.capital_cents + np.cumsum(self.net_cents, axis=1))

    @property
    def net(self) -> Floats:
        """Money, ``[candidate, session]``."""
        return np.asarray(self.net_cents / CENTS)

    @property
    def gross(self) -> Floats:
        """Money, ``[candidate, session]``."""
        return np.asarray(self.gross_cents / CENTS)

    @property
    def equity(self) -> Floats:
        """Money, ``[candidate, session]``."""
        return np.asarray(self.equity_cents / CENTS)

    @property
    def returns(self) -> Floats:
        """Net profit over the starting capital, ``[candidate, session]``: what statistics are made of."""
        return np.asarray(self.net_cents / self.capital_cents)

    def cost(self, kind: CostKind) -> Floats:
        """Money of one kind, ``[candidate, session]``."""
        return np.asarray(self.cost_cents[KINDS.index(kind)] / CENTS)
