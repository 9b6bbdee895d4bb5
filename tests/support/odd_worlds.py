"""What a way out may meet: settles that are too old to price it from, and lots that are none of the home's."""

from dataclasses import replace
from datetime import date

import pytest

from hydra_exec.broker.port import Snapshot
from hydra_exec.broker.simulated.broker import SimulatedBroker
from hydra_exec.market_days import MarketDay
from tests.support.desk_scene import World

FOREIGN = {"FUT LEJ5 (2000)": 4}


class Unseen(World):
    """No contract has settled for longer than a way out may be priced from."""

    def day(self, session: date) -> MarketDay:
        """The day with settles that are too old."""
        found = super().day(session)
        return replace(found, contracts={c: replace(d, settle_age_sessions=11) for c, d in found.contracts.items()})


def hold_foreign(patch: pytest.MonkeyPatch) -> None:
    """Let every full answer of the simulated broker name ``FOREIGN``, as one of a real account may."""
    real = SimulatedBroker.snapshot

    def snapshot(broker: SimulatedBroker) -> Snapshot:
        return replace(real(broker), foreign=FOREIGN)

    patch.setattr(SimulatedBroker, "snapshot", snapshot)
