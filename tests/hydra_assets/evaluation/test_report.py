"""Rows of a replay: markets add up to the account, and what they say is what the replay did."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from hydra_assets.columns import REPLAY_REPORT
from hydra_assets.evaluation.report import SCHEMA, replay_rows
from hydra_assets.replay.tables import ReplayConfig
from tests.support.groups import MARKETS, day, group

GROUP = group(300, edge=0.012)
PLAYED = GROUP.play({})
ROWS = pl.concat([replay_rows(PLAYED, market) for market in MARKETS])


def test_rows_are_every_session_from_the_first_test_on() -> None:
    assert dict(ROWS.schema) == SCHEMA == {name: REPLAY_REPORT.schema[name] for name in SCHEMA}
    counted = ROWS.group_by("market", "strategy").agg(pl.len(), pl.col("session").min())
    assert counted.height == 4
    assert set(counted["len"]) == {300 - 106}
    assert set(counted["session"]) == {day(106)}


def test_markets_add_up_to_the_account() -> None:
    for place, name in enumerate(PLAYED.predictions):
        own = ROWS.filter(strategy=name)
        days = own.group_by("session").agg(pl.col("net_money").sum(), pl.col("account_equity").unique()).sort("session")
        assert days["account_equity"].list.len().unique().to_list() == [1]
        equity = days["account_equity"].list.first().to_numpy()
        assert equity.tolist() == PLAYED.replay.equity[place, 106:].tolist()
        # Nothing was earned before the first test.
        assert days["net_money"].cum_sum().to_numpy() + 1_000_000.0 == pytest.approx(equity, abs=0.005)
        costs = own.select(pl.sum_horizontal(pl.col("^.*(spread|fee|impact|roll)_money$"))).to_series()
        assert (own["gross_money"] - costs).to_numpy() == pytest.approx(own["net_money"].to_numpy(), abs=0.005)
    seeing = ROWS.filter(strategy="logistic")
    assert seeing.filter(market="SIM_HE")["position_lots"].n_unique() > 3
    # The front is changed on session 150, and a position that is kept then pays for it.
    assert set(seeing.filter(pl.col("roll_money") > 0.0)["session"]) == {day(150)}


def test_positions_are_the_sum_of_the_fills() -> None:
    for part in ROWS.partition_by("market", "strategy"):
        assert part["fill_lots"].cum_sum().to_list() == part["position_lots"].to_list()


def test_states_have_names() -> None:
    assert set(ROWS["breaker_state"]) <= {"active", "triggered", "cooldown"}
    assert set(ROWS["market_fault"]) == {"none"}
    shut = GROUP.curve.with_columns(
        pl.when((pl.col("session") == day(200)) & (pl.col("market") == "SIM_HE"))
        .then(1)
        .otherwise("settle_age_sessions")
        .alias("settle_age_sessions")
    )
    closed = replay_rows(replace(GROUP, curve=shut).play({}), "SIM_HE")
    assert closed.filter(session=day(200))["market_fault"].to_list() == ["not_tradable"] * 2


def test_another_configuration_is_asked_for_by_name() -> None:
    # Rows are made with the costs that the replay was made with; with others they would not add up.
    cheap = ReplayConfig().model_copy(
        update={"costs": ReplayConfig().costs.model_copy(update={"scale": 0.0})},
    )
    other = replay_rows(PLAYED, "SIM_HE", cheap)
    assert other["fee_money"].sum() == 0.0
    assert ROWS.filter(market="SIM_HE")["fee_money"].sum() > 0.0


def test_a_strategy_without_a_test_has_no_rows() -> None:
    early = group(100).play({})
    assert replay_rows(early, "SIM_HE").is_empty()
    assert dict(replay_rows(early, "SIM_HE").schema) == SCHEMA
    bare = replace(PLAYED, replay=replace(PLAYED.replay, positions=None))
    assert replay_rows(bare, "SIM_HE").is_empty()
    assert np.isfinite(ROWS["net_money"].to_numpy()).all()
