from datetime import date

import pytest

from hydra_assets.replay.breakers import BreakerReason, BreakerState
from hydra_assets.state.system import Demand, SystemState
from hydra_exec.breakers.demand import demand_of
from hydra_exec.breakers.judge import ACCOUNT, BreakerBook, Machine

A, T, C = BreakerState.ACTIVE, BreakerState.TRIGGERED, BreakerState.COOLDOWN
DAY = date(2025, 1, 1)


def machine(state: BreakerState, reason: BreakerReason = BreakerReason.DRAWDOWN) -> Machine:
    return Machine(state, reason, DAY)


@pytest.mark.parametrize(
    ("machines", "state", "reason"),
    [
        ({}, SystemState.RUNNING, "all_active"),
        ({ACCOUNT: machine(A), "HE": machine(A)}, SystemState.RUNNING, "all_active"),
        ({"LE": machine(C), "HE": machine(T, BreakerReason.POSITION)}, SystemState.DEGRADED, "HE, triggered: position"),
        ({"LE": machine(C), "HE": machine(A)}, SystemState.DEGRADED, "LE, cooldown: drawdown"),
        ({ACCOUNT: machine(T), "HE": machine(T)}, SystemState.HALTED, "triggered: drawdown"),
        ({ACCOUNT: machine(C, BreakerReason.DAILY_LOSS)}, SystemState.HALTED, "cooldown: daily_loss"),
    ],
)
def test_what_is_demanded(machines: dict[str, Machine], state: SystemState, reason: str) -> None:
    assert demand_of(BreakerBook(machines)) == Demand("breakers", state, reason)
