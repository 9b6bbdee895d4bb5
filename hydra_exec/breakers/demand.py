"""What an account's breakers demand of the system's state. Pure."""

from hydra_assets.replay.breakers import BreakerState
from hydra_assets.state.system import Demand, SystemState
from hydra_exec.breakers.judge import ACCOUNT, BreakerBook

ORIGIN = "breakers"
_NOTHING = "all_active"


def demand_of(book: BreakerBook) -> Demand:
    """Demand HALTED while the account's own breaker rests, DEGRADED while any market's does, else RUNNING.

    The reason is the breaker's state and what it tripped for, as in ``triggered: drawdown``; of several markets the
    first by name, with its name.
    """
    if book.account_rests:
        return Demand(ORIGIN, SystemState.HALTED, _said(book, ACCOUNT))
    resting = sorted(book.resting_markets)
    if resting:
        return Demand(ORIGIN, SystemState.DEGRADED, f"{resting[0]}, {_said(book, resting[0])}")
    return Demand(ORIGIN, SystemState.RUNNING, _NOTHING)


def _said(book: BreakerBook, market: str) -> str:
    machine = book.of(market)
    return f"{BreakerState(machine.state).name.lower()}: {machine.reason}"
