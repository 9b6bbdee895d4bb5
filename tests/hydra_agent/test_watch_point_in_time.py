"""What is known of a session's health and its diagnosis does not change with the sessions after it."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from hydra_agent.frames import session_of
from hydra_agent.healbench.faults import catalogue
from hydra_agent.healbench.lab import ArrayLab
from hydra_agent.healbench.worlds import WorldConfig, make_world
from hydra_agent.view import GroupView, Reign
from hydra_agent.watch import GroupWatch
from hydra_assets.models.recipe import FIRST_RECIPES, LOGISTIC
from tests.support.reigns import first_reign

FAULT, SINCE = 900, 630
CUTS = (905, 960, 1100)


@cache
def seen(fault: str) -> tuple[GroupView, Reign]:
    """A world of five years with a fault in its fourth, and a champion that never changes."""
    [planted] = [f for f in catalogue(FAULT) if f.name == fault]
    world = planted.apply(make_world(11, WorldConfig(years=5)), np.random.default_rng(2))
    lab = ArrayLab(world.view, every=5)
    return world.view, first_reign(world.truth.market, lab, FIRST_RECIPES[LOGISTIC], SINCE)


@pytest.mark.parametrize("fault", ["F2", "F3", "F4", "F6", "F7"])
def test_later_sessions_change_nothing(fault: str) -> None:
    view, reign = seen(fault)
    whole = GroupWatch("sim", view, (reign,), ())
    first = session_of(view, SINCE)
    causes = set()
    for rows in CUTS:
        cut = replace(reign, walk=reign.walk.until(rows), net=reign.net[:rows], gross=reign.gross[:rows])
        then = GroupWatch("sim", view.until(rows), (cut,), ())
        last = session_of(view, rows - 1)
        for symbol in view.symbols[:2]:
            assert then.health_rows(symbol, first, last).equals(whole.health_rows(symbol, first, last))
            diagnosed = then.diagnosis_rows(symbol, first, last)
            assert diagnosed.equals(whole.diagnosis_rows(symbol, first, last))
            causes |= set(diagnosed["cause"])
    print(fault, sorted(causes))
    assert len(causes) > 1, "a fault that nobody sees tests nothing"
