import re
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import hydra_assets
from hydra_assets.home import DEFAULT_SIM_MARKETS, HomeConfig
from hydra_assets.markets.loader import load_markets
from hydra_assets.sources.simulated.truth import Knowledge, attainable_sharpe, world_truth, write_truth
from hydra_assets.sources.simulated.world import Edge, EdgeKind, World

from .sim_specs import HOGS, MILK

START = date(2021, 11, 22)
SPECS = [load_markets()[symbol] for symbol in DEFAULT_SIM_MARKETS]
BEFORE, AFTER = (0, 1008), (1008, 1260)
DEFAULT_SEED = HomeConfig(kind="simulated", markets=DEFAULT_SIM_MARKETS, history_start=START).seed


@pytest.mark.parametrize("seed", [DEFAULT_SEED, 1, 2, 3, 4])
def test_the_default_world_can_earn_a_sharpe_of_about_two_until_its_edge_breaks(seed: int) -> None:
    before = attainable_sharpe(World(), seed, SPECS, START, BEFORE)
    assert before.expected == pytest.approx(2, abs=0.5)
    assert before.gross > before.expected
    assert len(before.by_market) == 4
    after = attainable_sharpe(World(), seed, SPECS, START, AFTER)
    assert after.expected < before.expected - 0.3
    # Yesterday's recipe loses once the sign has turned.
    stuck = attainable_sharpe(World(), seed, SPECS, START, AFTER, belief=Edge(break_session=None))
    assert stuck.expected < -0.5


def test_luck_averages_out() -> None:
    found = [attainable_sharpe(World(), seed, SPECS, START, BEFORE) for seed in range(10, 16)]
    luck = np.array([a.realised - a.expected for a in found])
    assert abs(luck.mean()) < 4 * 0.5 / np.sqrt(len(luck))


def test_knowing_more_earns_more() -> None:
    by = {k: attainable_sharpe(World(), 5, SPECS, START, BEFORE, k).expected for k in Knowledge}
    assert by[Knowledge.LATENT] > by[Knowledge.PUBLISHED]


def test_without_an_edge_there_is_nothing_to_earn() -> None:
    world = World(edge=Edge(kind=EdgeKind.NONE))
    assert attainable_sharpe(world, 5, SPECS, START, BEFORE).expected == 0
    believer = [attainable_sharpe(world, seed, SPECS, START, BEFORE, belief=Edge()) for seed in range(4)]
    assert all(a.gross == 0 and a.expected < 0 for a in believer)
    # Pure luck less costs: four spans of four years, each with a standard error of a half.
    assert -1.5 < np.mean([a.realised for a in believer]) < 0.75


def test_truth_goes_to_its_own_directory(tmp_path: Path) -> None:
    files = write_truth(tmp_path / "truth", World(), 5, [HOGS, MILK], START, date(2022, 6, 30))
    latent, density, world = files
    frame = pl.read_parquet(latent)
    assert frame["market"].unique().sort().to_list() == ["SIM_DC", "SIM_HE"]
    assert frame.filter(pl.col("next_return_mean").is_not_nan())["next_return_mean"].std() > 0  # type: ignore[operator]
    known = pl.read_parquet(density)
    mean = known["minor_weight"] * known["minor_mean"] + (1 - known["minor_weight"]) * known["major_mean"]
    assert (mean - 1).abs().max() < 1e-12  # type: ignore[operator]
    assert World.model_validate_json(world.read_text()) == World()
    again = world_truth(World(), 5, [HOGS, MILK], START, date(2022, 6, 30))
    assert again["latent"].equals(frame)


def test_nothing_imports_the_truth() -> None:
    package = Path(hydra_assets.__file__).parent
    mention = re.compile(r"^\s*(from|import)\s.*simulated(\.| import .*)truth", re.MULTILINE)
    assert not [str(f) for f in package.rglob("*.py") if mention.search(f.read_text(encoding="utf-8"))]
