"""The day's budget: what was spent follows from the day's records, so nothing has to be reset."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date

from hydra_agent.llm.config import Budget
from hydra_agent.llm.records import CallRecord


@dataclass(frozen=True, slots=True)
class Spent:
    """Tokens and money of one day, over all providers."""

    tokens: int = 0
    money: float = 0.0


def spent(records: Iterable[CallRecord], day: date) -> Spent:
    """Sum the calls that began on a UTC day; failed ones count with what they used."""
    of_day = [r for r in records if r.at.astimezone(UTC).date() == day]
    return Spent(sum(r.tokens_in + r.tokens_out for r in of_day), sum(r.cost for r in of_day))


def affordable(so_far: Spent, budget: Budget, tokens: int, money: float) -> bool:
    """Whether a call that may cost this much at most fits into what is left of the day."""
    return so_far.tokens + tokens <= budget.tokens and so_far.money + money <= budget.money
