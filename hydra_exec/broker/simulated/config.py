"""How the simulated broker behaves. Pure."""

from typing import Annotated

from pydantic import Field

from hydra_assets.markets.model import Strict
from hydra_assets.replay.costs import CostConfig
from hydra_exec.broker.simulated.path import MIN_STEPS


class SimConfig(Strict):
    """The defaults are a broker that takes every order at once and tells of it at once.

    ``seed`` draws quotes, refusals and delays; that of ``costs`` draws slippage, as in the replay. A step is a
    session's working window over ``steps``.
    """

    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0
    steps: Annotated[int, Field(ge=MIN_STEPS, le=1_440)] = 25
    reject_rate: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of new orders that are refused."""
    delay_rate: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of orders of which everything is heard late."""
    ack_delay_steps: Annotated[int, Field(ge=0)] = 1
    """How many steps late; what was delayed is heard at the latest when the session ends."""
    impact: bool = True
    """Whether orders that take liquidity move the price. Their quantities are the same without it."""
    costs: CostConfig = CostConfig()
