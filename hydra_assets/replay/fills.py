"""How much of an order is done in a session, and at what price.

A session fills at most a share of the lagged average volume; what is left over is the next session's order, unless the
decision then is another one. At the open or the settle everything up to the cap is done. A limit order stands at the
settle of the decision plus (minus) the half-spread, on the tick grid, and is done at its limit only when the bar trades
through it by a tick: we stand at the end of the queue.
"""

from enum import StrEnum
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from hydra_assets.markets.model import Strict

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Number = float | Floats

GRID_SLACK_TICKS = 1e-6
"""Prices within a millionth of a tick are the same price."""
SHARES_SUM_TO_ONE = 1e-9


class FillMode(StrEnum):
    """Where in the next session an order is carried out."""

    NEXT_OPEN = "next_open"
    NEXT_SETTLE = "next_settle"
    LIMIT = "limit"


class FillConfig(Strict):
    """How orders are carried out.

    ``participation_cap`` replaces every market's own. ``volume_profile`` is the share of a day's volume in each of its
    buckets, ``schedule`` the share of our order in each; without a schedule an order follows the profile, which costs
    what the whole day costs.
    """

    mode: FillMode = FillMode.NEXT_SETTLE
    participation_cap: Annotated[float, Field(gt=0, le=0.1)] | None = None
    volume_profile: tuple[Annotated[float, Field(gt=0)], ...] = ()
    schedule: tuple[Annotated[float, Field(ge=0)], ...] = ()

    @model_validator(mode="after")
    def _shares_of_one(self) -> Self:
        if self.schedule and len(self.schedule) != len(self.volume_profile):
            msg = f"schedule has {len(self.schedule)} buckets, volume_profile {len(self.volume_profile)}"
            raise ValueError(msg)
        for name, shares in (("volume_profile", self.volume_profile), ("schedule", self.schedule)):
            if shares and abs(sum(shares) - 1.0) > SHARES_SUM_TO_ONE:
                msg = f"{name} adds up to {sum(shares)}, not 1"
                raise ValueError(msg)
        return self

    @property
    def impact_factor(self) -> float:
        """Impact of the schedule relative to an order spread like the volume itself.

        sum_b s_b sqrt(s_b / w_b), at least 1 (Jensen): the square-root law holds in each bucket of volume w_b for the
        part s_b that is done in it. All in one bucket, it is the law with that bucket's volume in place of the day's.
        """
        pairs = zip(self.schedule, self.volume_profile, strict=False)
        return float(sum(part * np.sqrt(part / volume) for part, volume in pairs)) if self.schedule else 1.0

    @property
    def cap_factor(self) -> float:
        """Share of the day's cap that keeps every bucket under it: min_b w_b / s_b, at most 1."""
        pairs = zip(self.schedule, self.volume_profile, strict=False)
        return min((volume / part for part, volume in pairs if part > 0.0), default=1.0)

    def lots(self, order: int, cap: int) -> tuple[int, ...]:
        """Spread what a session may do of an order over the buckets: whole lots, largest remainders first."""
        shares = self.schedule or self.volume_profile or (1.0,)
        done = min(abs(order), cap)
        exact = [done * share for share in shares]
        parts = [int(part) for part in exact]
        by_remainder = sorted(range(len(shares)), key=lambda bucket: (parts[bucket] - exact[bucket], bucket))
        for bucket in by_remainder[: done - sum(parts)]:
            parts[bucket] += 1
        return tuple(part if order > 0 else -part for part in parts)


def cap_lots(participation_cap: Number, lagged_adv: Number, cap_factor: Number = 1.0) -> Floats:
    """Return the whole lots that a session may trade; NaN where the volume is."""
    return np.asarray(np.floor(participation_cap * lagged_adv * cap_factor))


def fill_lots(order: Number, buy_cap: Number, sell_cap: Number) -> Floats:
    """Return the part of signed orders that is done: at most ``buy_cap`` bought or ``sell_cap`` sold."""
    return np.asarray(np.maximum(np.minimum(order, buy_cap), np.negative(sell_cap)))


def limit_prices(settle: Number, half_spread_ticks: Number, tick: Number) -> tuple[Floats, Floats]:
    """Limits of a buy and of a sell: settle plus (minus) the half-spread, on the grid, away from the settle."""
    ticks = np.divide(settle, tick)
    buy = np.ceil(ticks + half_spread_ticks - GRID_SLACK_TICKS) * tick
    sell = np.floor(ticks - half_spread_ticks + GRID_SLACK_TICKS) * tick
    return np.asarray(buy), np.asarray(sell)


def traded_through(
    buy_limit: Number, sell_limit: Number, low: Number, high: Number, tick: Number
) -> tuple[Flags, Flags]:
    """Whether a bar goes at least one tick beyond a buy's and a sell's limit; False where the bar is missing."""
    slack = np.multiply(GRID_SLACK_TICKS, tick)
    return np.asarray(low <= buy_limit - tick + slack), np.asarray(high >= sell_limit + tick - slack)
