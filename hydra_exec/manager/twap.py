"""A large order in slices: how many, how many lots each, and when. Pure.

An order of Q lots becomes n = ceil(Q / most) slices of Q // n lots, the first Q mod n of them one more. Slice i has the
part of the window in which volume goes from i / n to (i + 1) / n of the session's, as a time-of-day profile tells it;
without a profile volume runs evenly. What a slice leaves unfilled is added to the next one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of an order: lots, and the shares of the order's window between which it is worked."""

    number: int
    quantity: int
    start_share: float
    end_share: float


def slices(quantity: int, most: int, volume_profile: Sequence[float] = ()) -> tuple[Slice, ...]:
    """Cut an order.

    Parameters
    ----------
    quantity
        Lots of the order.
    most
        Lots of a slice, without what rolls into it.
    volume_profile
        ``[bucket]`` volume in equal parts of the window, in any unit; empty where it is not known.

    Raises
    ------
    ValueError
        There are no lots, or the profile is not of non-negative finite numbers that add up to something.
    """
    if quantity < 1 or most < 1:
        msg = f"{quantity} lots in slices of {most}"
        raise ValueError(msg)
    if volume_profile and not (all(part >= 0.0 for part in volume_profile) and 0.0 < sum(volume_profile) < math.inf):
        msg = f"volume profile {tuple(volume_profile)}"
        raise ValueError(msg)
    count = -(-quantity // most)
    lots, rest = divmod(quantity, count)
    edges = [0.0, *(_reached(number / count, volume_profile) for number in range(1, count)), 1.0]
    return tuple(
        Slice(number, lots + (number < rest), start, end) for number, (start, end) in enumerate(pairwise(edges))
    )


def _reached(volume: float, profile: Sequence[float]) -> float:
    """Share of the window by which a share of its volume, in (0, 1), has gone by; linear within a bucket."""
    if not profile:
        return volume
    gone = [0.0, *accumulate(profile)]
    wanted = volume * gone[-1]
    bucket = next(place for place, part in enumerate(profile) if part > 0.0 and gone[place + 1] >= wanted)
    return (bucket + (wanted - gone[bucket]) / profile[bucket]) / len(profile)
