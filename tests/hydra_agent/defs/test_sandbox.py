from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import polars as pl
import pytest

from hydra_agent.defs import sandbox
from hydra_agent.defs.group_watch import Parts
from hydra_agent.defs.operating import OperatingError
from hydra_assets.evaluation.evidence import Played
from hydra_assets.evaluation.strategies import played, walked
from hydra_assets.models.recipe import Recipe
from hydra_assets.replay.market import MarketArrays
from hydra_assets.stats.returns import SESSIONS_PER_YEAR
from hydra_assets.stress.plan import Scenario
from tests.support.groups import BOOSTED, SEEING, Group, day, group

KEY = "sim.2020-12-31.0a1b2c3d4e"
SEAL = day(299)


@dataclass(frozen=True)
class History:
    """A group as ``GroupHistory`` gives it."""

    group: Group
    last: date

    def __getattr__(self, name: str) -> Any:
        return getattr(self.group, name)

    @cached_property
    def market(self) -> MarketArrays:
        return self.group.market

    @cached_property
    def factors(self) -> np.ndarray[Any, Any]:
        return np.ones(self.group.market.settle.shape)

    def walk(self, recipe: Recipe) -> pl.DataFrame:
        return walked(self.group.features, self.group.labels, recipe)

    def play(self, others: Mapping[str, Recipe]) -> Played:
        walks = {name: self.walk(recipe) for name, recipe in others.items()}
        return Played(others, walks, self.market, played(walks, others, self.market, self.factors))


@pytest.fixture(scope="module")
def whole() -> Group:
    return group()


@pytest.fixture
def parts(whole: Group, monkeypatch: pytest.MonkeyPatch) -> Parts:
    """A group with a champion, and a candidate that was tried on what was known a hundred sessions before the end."""
    champion = SimpleNamespace(model=SimpleNamespace(name="seeing", recipe=SEEING), after=day(0))
    known = History(whole.until(SEAL), SEAL)
    bench = SimpleNamespace(known=known, champion=champion)
    plan = SimpleNamespace(model_group="sim", session=date(2020, 12, 31), facts={"recipe": BOOSTED.model_dump_json()})
    monkeypatch.setattr(sandbox, "bench_of", lambda *_: bench)
    monkeypatch.setattr(sandbox, "planned_of", lambda _, keys: {KEY: plan} if keys == [KEY] else {}[keys[0]])
    found = SimpleNamespace(champions=lambda _: [champion], history=lambda *_: History(whole, day(399)))
    return cast("Parts", found)


def test_the_champion_s_record_is_that_of_its_replay(parts: Parts, whole: Group) -> None:
    found = sandbox.replayed(parts, "sim", first=day(250), last=day(349))
    assert (found.first, found.last) == (day(250), day(349))
    (record,) = found.records
    replayed = History(whole, day(399)).play({"seeing": SEEING})
    net = replayed.returns("seeing")[250:350]
    assert record.net == pytest.approx(net.sum())
    assert record.costs == pytest.approx(replayed.costs("seeing")[250:350].sum())
    assert record.sharpe == pytest.approx(net.mean() / net.std() * np.sqrt(SESSIONS_PER_YEAR), rel=0.02)
    assert record.sessions == 100


def test_a_candidate_is_played_beside_its_champion_and_never_behind_the_seal(parts: Parts) -> None:
    found = sandbox.replayed(parts, "sim", KEY, last=day(399))
    assert [record.name for record in found.records] == [KEY, "champion (seeing)"]
    assert found.last == SEAL
    with pytest.raises(OperatingError, match=r"those tested are .* to 2020-10-26 \(what comes after is sealed\)"):
        sandbox.replayed(parts, "sim", KEY, first=day(300))


@pytest.mark.parametrize("key", ["../../etc/passwd", "sim", "sim.2020-12-31.ZZZZZZZZZZ"])
def test_what_is_no_experiment_is_refused(key: str, parts: Parts) -> None:
    with pytest.raises(OperatingError, match="is no experiment"):
        sandbox.replayed(parts, "sim", key)
    with pytest.raises(OperatingError, match="nobody has planned"):
        sandbox.replayed(parts, "sim", KEY.replace("0a", "ff"))


def test_stress_is_of_the_scenarios_that_are_asked_for(parts: Parts) -> None:
    found = sandbox.stress(parts, "sim", KEY, ["flash_crash", "reversal"])
    assert found["scenario"].to_list() == ["flash_crash", "reversal"]
    with pytest.raises(OperatingError, match="no scenario flood; there are unstressed"):
        sandbox.stress(parts, "sim", None, ["flood"])
    plan = sandbox._plan_of({Scenario.REVERSAL})
    assert (plan.copula.paths, plan.stationary_bootstrap.paths) == (0, 0)
    assert sandbox._plan_of(set(Scenario)).copula.paths > 0
