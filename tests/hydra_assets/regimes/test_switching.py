"""Markov-switching regimes: names, filtering, reasons."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from hydra_assets.regimes.spec import REGIME_SCHEMA, SwitchingSpec
from hydra_assets.regimes.switching import by_mean, switching_regimes

SPEC = SwitchingSpec(first_fit_sessions=120, refit_sessions=40, iterations=10, refit_iterations=2)
TWO = SPEC.model_copy(update={"vol_states": 2})


def held(r: np.ndarray, market: str = "SIM_HE") -> pl.DataFrame:
    session = [date(2015, 1, 1) + timedelta(days=i) for i in range(len(r))]
    return pl.DataFrame({"market": market, "session": session, "held_return": pl.Series(r, nan_to_null=True)})


def vols(block: int, *levels: float, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.repeat(levels, block) * rng.standard_normal(block * len(levels))


@pytest.mark.parametrize("spec", [SPEC, TWO], ids=["three", "two"])
def test_calm_and_stressed_stretches_get_their_names(spec: SwitchingSpec) -> None:
    frame = switching_regimes(held(vols(60, 0.005, 0.02, 0.005, 0.02, 0.005, 0.02)), spec)
    assert dict(frame.schema) == REGIME_SCHEMA
    # The window of ten sessions has left the old level behind twenty sessions into a stretch.
    for stretch, name, other in ((4, "calm", "stressed"), (5, "stressed", "calm")):
        inside = frame.slice(60 * stretch + 20, 40)["regime_vol"].value_counts()
        counts = dict(inside.iter_rows())
        assert counts.get(name, 0) >= (36 if spec is TWO else 20)
        assert counts.get(other, 0) == 0
    if spec is TWO:
        assert "normal" not in frame["regime_vol"].to_list()


def test_trends_get_their_names() -> None:
    rng = np.random.default_rng(2)
    drift = np.repeat([0.0, 0.01, 0.0, -0.01, 0.0, 0.01, 0.0, -0.01], 50)
    frame = switching_regimes(held(drift + 0.01 * rng.standard_normal(400)), SPEC)
    for stretch, name in ((5, "up"), (7, "down"), (3, "down")):
        # The window of twenty sessions lies within the stretch from its twentieth on.
        inside = frame.slice(50 * stretch + 20, 30)["regime_trend"]
        assert (inside == name).sum() >= 27
    ok = frame.filter(pl.col("regime_reason") == "ok")
    up, down = ok["probability_up"].to_numpy(), ok["probability_down"].to_numpy()
    assert ok["regime_trend_probability"].to_numpy() == pytest.approx(np.maximum.reduce([up, down, 1 - up - down]))


def test_later_rows_change_nothing_before_them_and_markets_are_apart() -> None:
    r = vols(80, 0.005, 0.02, 0.01, 0.005, 0.03, 0.01)
    whole = switching_regimes(held(r), SPEC)
    for n in (121, 230, 399):
        assert_frame_equal(switching_regimes(held(r[:n]), SPEC), whole.head(n), check_exact=True)
    other = [
        held(vols(50, 0.01, 0.01, 0.02, 0.01, seed=5), "SIM_GF"),
        held(vols(45, 0.01, 0.03, 0.01, seed=6), "SIM_ZO"),
    ]
    for market in (SPEC, TWO):
        mixed = switching_regimes(pl.concat([*other, held(r)]), market).filter(pl.col("market") == "SIM_HE")
        assert_frame_equal(mixed, switching_regimes(held(r), market), check_exact=True)


def test_the_future_s_values_change_nothing_either() -> None:
    r = vols(50, 0.005, 0.02, 0.01, 0.005)
    other = r.copy()
    other[150:] *= 7.0
    before, after = switching_regimes(held(r), SPEC).head(150), switching_regimes(held(other), SPEC).head(150)
    assert_frame_equal(before, after, check_exact=True)


def test_reasons() -> None:
    r = vols(60, 0.005, 0.02, 0.005)
    r[130:133] = np.nan
    frame = switching_regimes(held(r), SPEC)
    reason = frame["regime_reason"].to_list()
    assert set(reason[:120]) == {"short_history"}
    # Nine of ten and eighteen of twenty are enough: with three holes neither window is until they have left.
    assert reason[129:134] == ["ok", "ok", "no_observation", "no_observation", "no_observation"]
    assert set(reason[152:]) == {"ok"}
    absent = frame.filter(pl.col("regime_reason") != "ok").drop("market", "session", "regime_reason")
    assert absent.null_count().row(0) == (len(absent),) * absent.width
    assert frame.filter(pl.col("regime_reason") == "ok").null_count().sum_horizontal()[0] == 0
    # A price that never moves has no volatility in logs.
    assert set(switching_regimes(held(np.zeros(200)), SPEC)["regime_reason"][120:]) == {"short_history"}
    steady = np.where(np.arange(200) % 2, 0.01, 1 / 1.01 - 1)
    assert set(switching_regimes(held(steady), SPEC)["regime_reason"][120:]) == {"no_variation"}
    assert set(switching_regimes(held(r[:60]), SPEC)["regime_reason"]) == {"short_history"}
    gap = np.where(np.arange(180) < 60, np.nan, vols(60, 0.01, 0.01, 0.01))
    assert set(switching_regimes(held(gap), SPEC)["regime_reason"][120:160]) == {"short_history"}


@pytest.mark.parametrize(("absent", "reason"), [(23, "ok"), (25, "short_history")])
def test_whether_a_fit_is_made_depends_on_the_past_alone(absent: int, reason: str) -> None:
    # The momentum has eighteen of its twenty sessions from row absent + 17 on: 80 and 78 of the rows before 120. Four
    # fifths of the hundred rows after the first window are 80.
    r = vols(60, 0.01, 0.02, 0.01)
    r[:absent] = np.nan
    assert switching_regimes(held(r), SPEC)["regime_reason"][120] == reason


def test_states_are_named_by_their_means() -> None:
    p = np.array([[[0.1, 0.1], [0.7, 0.7], [0.2, 0.2]]])
    named = by_mean(p, np.array([[3.0, 1.0], [2.0, 2.0], [1.0, 3.0]]))
    assert named.tolist() == [[[0.2, 0.1], [0.7, 0.7], [0.1, 0.2]]]


def test_bad_and_empty_input() -> None:
    with pytest.raises(ValueError, match="one row"):
        switching_regimes(pl.concat([held(np.zeros(3))] * 2))
    empty = switching_regimes(held(np.zeros(0)))
    assert (empty.height, dict(empty.schema)) == (0, REGIME_SCHEMA)
