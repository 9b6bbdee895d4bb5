"""Recipes through one replay: shares by hand, absence that reduces nothing, and order."""

import numpy as np
import polars as pl
import pytest

from hydra_assets.evaluation.strategies import played, replayed, shares_of, size_factors, walked
from hydra_assets.models.out_of_fold import out_of_fold
from hydra_assets.models.recalibrated import recalibrated
from tests.support.groups import BLIND, MARKETS, SEEING, day, group

GROUP = group(220)
MARKET = GROUP.market
SCHEMA = {"market": pl.String, "session": pl.Date, "probability_up": pl.Float64, "base_rate": pl.Float64}


def opinions(*rows: tuple[str, int, float, float]) -> pl.DataFrame:
    return pl.DataFrame([(m, day(t), p, b) for m, t, p, b in rows], schema=SCHEMA, orient="row")


def test_shares_by_hand() -> None:
    # 2p - 1 at an even base rate, over two sessions; the second market at a base rate of 0.4: a short of 0.25.
    rows = opinions(
        ("SIM_HE", 40, 0.6, 0.5), ("SIM_HE", 41, 0.8, 0.5), ("SIM_HE", 43, 0.7, 0.5), ("SIM_ZO", 41, 0.3, 0.4)
    )
    found = shares_of(rows, MARKET, 2)
    assert found.shape == (220, 2)

    def cost(t: int, market: int) -> float:
        # Twice 6 of half-spread and 2.50 of fee in hogs, 37.50 and 2.50 in oats, over sqrt(2/pi) sigma sqrt(2).
        money, multiplier = ((17.0, 400.0), (80.0, 50.0))[market]
        move = np.sqrt(2.0 / np.pi) * MARKET.sigma_daily[t, market] * MARKET.settle[t, market] * np.sqrt(2.0)
        return float(money / (move * multiplier))

    assert 0.0 < cost(40, 0) < 0.1
    # A share is staked against the move of five sessions; what is lost in two is sqrt(2 / 5) of it.
    found = found / np.sqrt(5.0 / 2.0)
    assert found[40, 0] == pytest.approx((0.2 - cost(40, 0)) / 2)
    assert found[41, 0] == pytest.approx((0.2 - cost(40, 0) + 0.6 - cost(41, 0)) / 2)
    # Session 42 has no opinion: no decision there, and a position of zero in the mean of session 43.
    assert np.isnan(found[42, 0])
    assert found[43, 0] == pytest.approx((0.4 - cost(43, 0)) / 2)
    assert found[41, 1] == pytest.approx(min(-(0.25 - cost(41, 1)) / 2, 0.0))
    assert int(np.isfinite(found).sum()) == 4


def test_what_costs_more_than_it_earns_is_not_worth_a_bet() -> None:
    # Half a point over the base rate in oats, and a session whose volatility is not known yet.
    found = shares_of(opinions(("SIM_ZO", 41, 0.505, 0.5), ("SIM_HE", 5, 0.9, 0.5)), MARKET, 1)
    assert (found[41, 1], found[5, 0]) == (0.0, 0.0)


def test_a_missing_base_rate_is_no_decision() -> None:
    rows = opinions(("SIM_HE", 3, 0.6, 0.5)).with_columns(pl.lit(None, pl.Float64).alias("base_rate"))
    assert np.isnan(shares_of(rows, MARKET, 5)).all()


def test_absent_factors_reduce_nothing() -> None:
    rows = pl.DataFrame(
        {"market": ["SIM_HE", "SIM_HE"], "session": [day(3), day(4)], "size_factor": [0.5, None]},
    )
    found = size_factors(rows, MARKET)
    assert found[3].tolist() == [0.5, 1.0]
    assert found[4].tolist() == [1.0, 1.0]
    assert found.sum() == 440 - 0.5


def test_a_walk_is_calibrated_out_of_fold() -> None:
    raw = out_of_fold(GROUP.features, GROUP.labels, SEEING).predictions
    assert walked(GROUP.features, GROUP.labels, SEEING).equals(recalibrated(raw, GROUP.labels, SEEING))


def test_a_replay_is_in_the_order_of_the_names_and_each_is_as_alone() -> None:
    walks = {
        "seeing": walked(GROUP.features, GROUP.labels, SEEING),
        "blind": walked(GROUP.features, GROUP.labels, BLIND),
    }
    recipes = {"blind": BLIND, "seeing": SEEING}
    both = played(walks, recipes, MARKET)
    for place, name in enumerate(walks):
        alone = played({name: walks[name]}, recipes, MARKET)
        assert both.net_cents[place].tolist() == alone.net_cents[0].tolist()
        assert both.positions is not None
        assert both.positions.shape == (2, 220, len(MARKETS))
    assert both.turnover_lots[0].sum() > both.turnover_lots[1].sum() == 0
    # Nothing is held before the first tested session has become a fill.
    assert not both.positions[:, :107].any()


def test_no_signal_is_no_position() -> None:
    long = group(400)
    rows = long.predictions["no_signal"]
    assert set(rows["calibration"]) == {"identity", "platt"}
    assert np.nanmax(np.abs(shares_of(rows, long.market, 1))) < 1e-12
    assert np.nanmax(np.abs(shares_of(long.predictions["logistic"], long.market, 1))) > 0.1


def test_the_size_factor_reduces_positions() -> None:
    shares = np.where(np.arange(220)[:, None] >= 40, 0.5, np.nan) * np.ones((1, 2))
    whole, half = replayed(MARKET, [shares]), replayed(MARKET, [shares], np.full((220, 2), 0.4))
    assert whole.positions is not None
    assert half.positions is not None
    assert 0 < np.abs(half.positions).sum() < 0.6 * np.abs(whole.positions).sum()
