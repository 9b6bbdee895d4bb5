"""The full-chain tier of the healing benchmark on worlds without options, and on one small home (endurance)."""

import time
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hydra_agent.diagnose.causes import Diagnosis
from hydra_agent.frames import view_of
from hydra_agent.heads.base import Situation
from hydra_agent.healbench.home_world import HomeWorld, home_world
from hydra_agent.healbench.measure import Row
from hydra_agent.healbench.policies import POLICIES
from hydra_agent.healbench.policies.court import heads_of
from hydra_agent.healbench.policies.simple import DO_NOTHING, ORACLE
from hydra_agent.healbench.suite import rows_of
from hydra_assets.home import write_home
from hydra_assets.markets.loader import markets_of
from hydra_assets.models.lightgbm_model import LightGbm
from hydra_assets.models.linear import Logistic
from hydra_assets.models.recipe import BOOSTED, FIRST_RECIPES
from hydra_assets.replay.inputs import market_arrays
from hydra_assets.sources.simulated.source import world_of
from hydra_assets.sources.simulated.world import Edge, EdgeKind
from studies import heal_full_chain
from studies.full_chain.homes import (
    FINISHED,
    HomeMakingError,
    Made,
    Plan,
    brought_up,
    hidden,
    read_world,
    row_of_session,
)
from studies.heal_full_chain import FAULTS, home_case, main
from studies.recipes import with_held_contracts
from studies.worlds import fast_world

pytestmark = pytest.mark.endurance

SEED, SESSION = 3, 1008
SHARPE = 1.38
"""Attainable net Sharpe ratio of about 2."""


@cache
def world(sharpe: float, after: float | None = None) -> HomeWorld:
    """A world as a home has it, its options' moments drawn instead of fitted."""
    kind = EdgeKind.CONSTANT if sharpe else EdgeKind.NONE
    edge = Edge(kind=kind, sharpe=sharpe, break_session=None if after is None else SESSION, after_break=after or 0.0)
    made = fast_world(edge, SEED)
    market = market_arrays(with_held_contracts(made.curve), made.specs)
    view = view_of(made.features, made.labels, made.regimes, made.curve, market)
    return home_world(SEED, view, hidden(view, made.world, made.specs, SEED, made.first))


def rows(sharpe: float, after: float | None, name: str) -> dict[str, Row]:
    case, fault = home_case(world(sharpe, after), SESSION, name)
    quiet, _ = home_case(world(sharpe), SESSION, "F0")
    found = rows_of(case, fault, quiet, (DO_NOTHING, "retrain 63", "hydra", "told of the fault", ORACLE))
    return {str(row["policy"]): row for row in found}


@cache
def reversed_edge() -> dict[str, Row]:
    return rows(SHARPE, -1.0, "F1x-1")


def test_what_is_hidden_is_the_embedded_markets_truth() -> None:
    truth, none = world(SHARPE).truth, world(0.0).truth
    there = np.isfinite(truth.market.settle[:-1])
    assert np.allclose(truth.course.beta, SHARPE)
    assert not none.course.beta.any()
    assert not none.next_mean[:-1].any()
    assert (np.sign(truth.next_mean[:-1]) == np.sign(truth.gap[:-1]))[there].all()
    assert not truth.next_mean[:-1][~there].any()
    # What was published lags the positions, and is most of what there is to know.
    assert 0.9 < np.corrcoef(truth.known_gap.ravel(), truth.gap.ravel())[0, 1] < 1.0
    assert np.corrcoef(truth.probability.ravel(), truth.known_gap.ravel())[0, 1] > 0.9
    assert np.ptp(none.probability) == 0.0
    assert np.isfinite(truth.probability).all()


def test_a_break_changes_nothing_before_its_session() -> None:
    quiet, broken = world(SHARPE), world(SHARPE, -1.0)
    np.testing.assert_array_equal(quiet.view.features[:SESSION], broken.view.features[:SESSION])
    np.testing.assert_array_equal(quiet.truth.next_mean[: SESSION - 1], broken.truth.next_mean[: SESSION - 1])
    # Markets count their own sessions, so their holidays put the break some sessions apart.
    late = slice(SESSION + 20, None)
    np.testing.assert_array_equal(broken.truth.course.beta[late], -quiet.truth.course.beta[late])
    np.testing.assert_array_equal(broken.truth.course.beta[:SESSION], quiet.truth.course.beta[:SESSION])


def test_policies_earn_what_the_world_has_in_it() -> None:
    with_edge, without, broken = rows(SHARPE, None, "F0"), rows(0.0, None, "F0"), reversed_edge()
    for name in (DO_NOTHING, "retrain 63", ORACLE):
        assert float(with_edge[name]["value_reign"]) > float(without[name]["value_reign"])
    assert float(with_edge[DO_NOTHING]["value"]) > 0.0 > float(broken[DO_NOTHING]["value"])
    assert float(broken[ORACLE]["value"]) > 0.0
    assert float(broken["told of the fault"]["value"]) > float(broken[DO_NOTHING]["value"])
    assert broken["hydra"]["policy"] in POLICIES
    assert broken[DO_NOTHING]["undamaged"] == with_edge[DO_NOTHING]["value"]
    assert (broken["hydra"]["fault"], broken["hydra"]["variant"]) == ("F1", "x-1")


def test_the_champion_is_boosted_and_so_may_candidates_be() -> None:
    case, _ = home_case(world(SHARPE), SESSION, "F0")
    assert case.recipe == FIRST_RECIPES[BOOSTED]
    assert isinstance(case.lab.fit_at(case.recipe, SESSION).fitted.to_json(), str)
    situation = Situation(case.recipe, Diagnosis(()), SESSION, case.view.feature_names)
    models = {type(p.recipe(case.recipe).model) for head in heads_of(case) for p in head.propose(situation)}
    assert LightGbm in models
    assert models <= {LightGbm, Logistic}


def test_an_edit_of_the_view_leaves_the_truth() -> None:
    case, fault = home_case(world(SHARPE), SESSION, "F3")
    feature = case.world.truth.planted[-1].about.partition(":")[0]
    column = case.view.feature_names.index(feature)
    whole = world(SHARPE).view.features
    np.testing.assert_array_equal(case.view.features[:SESSION], whole[:SESSION])
    changed = ~np.isclose(case.view.features[SESSION:], whole[SESSION:], equal_nan=True)
    assert changed[:, :, column].any()
    assert not np.delete(changed, column, axis=2).any()
    assert case.market is world(SHARPE).truth.market
    assert str(fault.name) == "F3"


def test_a_home_is_planned_with_its_edge_and_its_break() -> None:
    plans = [Plan(1, 6, SESSION, FAULTS[name].after) for name in ("F0", "F1x-1", "F1x0")]
    assert len({plan.name for plan in plans}) == 3
    edges = []
    for plan in plans:
        specs = markets_of(plan.config(), Path("/nowhere"))
        edges.append(world_of([specs["SIM_HE"].sources[0].options["world"]]).edge)
    assert [edge.break_session for edge in edges] == [None, SESSION, SESSION]
    assert [edge.after_break for edge in edges[1:]] == [-1.0, 0.0]
    assert len({edge.sharpe for edge in edges}) == 1
    assert Plan(1, 6, SESSION, edge=0.0).config().bindings["SIM_HE"][0].options["world"]["edge.kind"] == "none"


def test_a_folder_with_another_home_is_refused(tmp_path: Path) -> None:
    write_home(tmp_path / Plan(1, 6, SESSION).name, Plan(2, 6, SESSION).config())
    with pytest.raises(HomeMakingError, match="another plan"):
        brought_up(tmp_path, Plan(1, 6, SESSION))


def test_the_command_refuses_what_it_cannot_run() -> None:
    for words in (["--faults", "F7"], ["--years", "4"], ["--worlds", "0"]):
        with pytest.raises(SystemExit):
            main(words)


def test_the_command_holds_the_tiers_against_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made: list[Plan] = []

    def pretend(folder: Path, plan: Plan) -> Made:
        made.append(plan)
        return Made(folder / plan.name, 1.0, 1.0)

    monkeypatch.setattr(heal_full_chain, "brought_up", pretend)
    monkeypatch.setattr(heal_full_chain, "read_world", lambda home: world(SHARPE, -1.0 if "x-1" in home.name else None))
    monkeypatch.setattr(heal_full_chain, "row_of_session", lambda *_: SESSION)
    words = ["--worlds", "1", "--years", "5", "--faults", "F1x-1", "--policies", "do nothing", "--out", str(tmp_path)]
    assert main(words) == 0
    assert [plan.after for plan in made] == [None, -1.0]
    said = capsys.readouterr().out
    assert "agreement of the tiers" in said
    assert "one world: no interval" in said
    rows = [pl.read_parquet(tmp_path / tier / "runs.parquet") for tier in ("full", "statistical")]
    assert [list(frame["policy"]) for frame in rows] == [["do nothing", "hydra", "oracle"]] * 2
    assert rows[0]["value"][0] != rows[1]["value"][0]


@pytest.mark.endurance
def test_a_home_from_quotes_on_is_a_world_of_the_benchmark(tmp_path: Path) -> None:
    plan = Plan(SEED, 1, 100, -1.0, SHARPE, ("SIM_HE", "SIM_LE"))
    made = brought_up(tmp_path, plan)
    home = made.home
    assert 0.0 < made.cpu_seconds < made.seconds * 4
    began = time.monotonic()
    assert brought_up(tmp_path, plan) == made
    assert time.monotonic() - began < made.seconds / 4
    assert (home / FINISHED).exists()
    found = read_world(home)
    row = row_of_session(home, found.view, 100)
    assert found.view.symbols == plan.markets
    assert len(found.view) > 240
    beta = found.truth.course.beta
    assert (beta[: row - 2] > 0.0).all()
    assert (beta[row + 2 :] < 0.0).all()
    options = found.view.features[:, :, found.view.feature_names.index("tilt")]
    assert np.isfinite(options).mean() > 0.5
    assert np.isfinite(found.view.up).any()
