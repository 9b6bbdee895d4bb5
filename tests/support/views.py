"""What the loop looks at, of a small group: its view, and walks whose skill is given."""

from functools import cache

import numpy as np

from hydra_agent.frames import view_of
from hydra_agent.view import GroupView, Walk
from tests.support.groups import SEEING, Group, group

FIRST_ROW, FOLD = 110, 63


@cache
def long_group(n: int = 1500) -> Group:
    """A group with an edge in its tilt; made once."""
    return group(n)


@cache
def view(n: int = 1500) -> GroupView:
    """Its view."""
    return view_on(long_group(n))


def view_on(of: Group) -> GroupView:
    """The view of a group's frames."""
    return view_of(of.features, of.labels, of.regimes, of.curve, of.market)


def skilled(name: str, skill: float, seed: int = 0, n: int = 1500, size: float = 0.12) -> Walk:
    """A walk that leans with the tilt in a share ``skill`` of its decisions and by a coin in the others."""
    seen = view(n)
    tilt = seen.features[:, :, seen.feature_names.index("tilt")]
    rng = np.random.default_rng(seed)
    lean = np.where(rng.random(tilt.shape) < skill, np.sign(tilt), rng.choice([-1.0, 1.0], tilt.shape))
    probability = 0.5 + size * lean
    probability[:FIRST_ROW] = np.nan
    base = np.where(np.isfinite(probability), 0.5, np.nan)
    return Walk(name, SEEING, probability, base, tuple(range(FIRST_ROW, n, FOLD)))
