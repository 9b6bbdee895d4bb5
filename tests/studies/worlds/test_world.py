"""Fast worlds: the same for a seed, the same whatever comes later, with features that move and an edge that is one."""

from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hydra_assets.columns import FEATURE_VECTOR, FUTURES_CURVE, LABELS, REGIMES
from hydra_assets.features.dictionary import FEATURE_NAMES
from hydra_assets.labels.known import LabelKind
from hydra_assets.markets.loader import load_markets
from hydra_assets.sources.simulated.market import build_market
from hydra_assets.sources.simulated.truth import attainable_sharpe
from hydra_assets.sources.simulated.world import EdgeKind, World
from studies.worlds import EDGES, START, WorldFrames, edge_of, fast_world, fast_worlds

MARKETS = ("SIM_HE", "SIM_ZO")
FRAMES = ("features", "curve", "labels", "regimes")


@pytest.fixture(scope="module")
def worlds() -> list[WorldFrames]:
    return fast_worlds(1.0, [3, 4], years=2, markets=MARKETS)


def test_frames_have_the_columns_of_their_datasets(worlds: list[WorldFrames]) -> None:
    specs = {"features": FEATURE_VECTOR, "curve": FUTURES_CURVE, "labels": LABELS, "regimes": REGIMES}
    for name, spec in specs.items():
        frame = getattr(worlds[0], name)
        assert frame.columns == list(spec.columns), name
        assert frame.schema == {**spec.schema}, name
        assert not frame.select(spec.key).is_duplicated().any(), name
    assert set(worlds[0].labels["label_kind"]) == {str(kind) for kind in LabelKind}
    assert set(worlds[0].curve["role"]) == {"front"}
    sessions = worlds[0].features.select("market", "session")
    assert_frame_equal(worlds[0].curve.select("market", "session"), sessions)
    assert_frame_equal(worlds[0].regimes.select("market", "session"), sessions)


def test_a_seed_is_a_world_alone_or_beside_others(worlds: list[WorldFrames]) -> None:
    again = fast_world(1.0, 4, years=2, markets=MARKETS)
    for name in FRAMES:
        assert_frame_equal(getattr(again, name), getattr(worlds[1], name), check_exact=True)
        assert not getattr(again, name).equals(getattr(worlds[0], name)), name


def test_a_longer_history_begins_with_the_same_rows(worlds: list[WorldFrames]) -> None:
    short = fast_world(1.0, 3, years=1, markets=MARKETS)
    for name in FRAMES:
        earlier = getattr(worlds[0], name).filter(pl.col("session") <= short.last)
        assert getattr(short, name).height > 400
        assert_frame_equal(getattr(short, name), earlier, check_exact=True)


def test_every_feature_varies_in_every_market(worlds: list[WorldFrames]) -> None:
    counts = worlds[0].features.group_by("market").agg(pl.col(FEATURE_NAMES).drop_nulls().n_unique())
    constant = [name for name in FEATURE_NAMES if counts[name].min() < 2]
    assert constant == []
    reasons = set(worlds[0].features["features_missing"])
    assert "" in reasons
    assert any("options:" in reason for reason in reasons)


def gap_to_return(sharpe: float) -> float:
    """Correlation of the gap with the next session's standardised shock along the edge's direction, four markets."""
    found = []
    for symbol in ("SIM_HE", "SIM_ZO", "SIM_LE", "SIM_DC"):
        market = build_market(
            load_markets()[symbol], World(edge=edge_of(sharpe)), 5, START, START + timedelta(days=4 * 365)
        )
        assert market is not None
        shock = market.path.shock_short[1:]
        found.append(np.corrcoef(market.path.gap[:-1], shock)[0, 1])
    return float(np.mean(found))


def test_no_edge_is_no_correlation_and_an_edge_is_its_own() -> None:
    # Sharpe 5 a year is a mean of 5/sqrt(252) = 0.315 sds per unit of gap, of which the spot's share of the short
    # factor is about 0.87: the correlation is 0.87 * 0.315 = 0.27. Four markets of 1,000: standard error 0.016.
    assert abs(gap_to_return(0.0)) < 0.05
    assert gap_to_return(5.0) == pytest.approx(0.27, abs=0.07)


def test_edges() -> None:
    assert list(EDGES) == [0.0, 1.0, 2.0]
    assert edge_of(0.0).kind is EdgeKind.NONE
    assert edge_of(EDGES[2.0]).break_session is None
    assert edge_of(edge_of(0.3)) == edge_of(0.3)


def test_attainable_counts_the_sessions_of_an_evaluation(worlds: list[WorldFrames]) -> None:
    frames = worlds[0]
    days = frames.curve.filter(pl.col("market") == "SIM_HE")["session"].to_list()
    found = frames.attainable(days[100], days[299])
    assert found == attainable_sharpe(frames.world, 3, frames.specs, START, (100, 300))
    assert found.gross > found.expected
    nothing = fast_world(0.0, 3, years=1, markets=("SIM_HE",))
    assert nothing.attainable(days[100], days[200]).expected == 0.0
