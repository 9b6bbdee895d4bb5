"""Turnover by hand, and a size that is too large for its markets."""

from dataclasses import replace

import numpy as np
import pytest

from hydra_assets.evaluation.capacity import capacity_of, turnover_of
from hydra_assets.stats.performance import CapacityReason
from tests.support.groups import SEEING, group

GROUP = group(400, edge=0.006, standing={"logistic": SEEING})
PLAYED = GROUP.play({})
SPAN = slice(106, 400)


def test_turnover_by_hand() -> None:
    assert PLAYED.replay.fills is not None
    fills = np.zeros_like(PLAYED.replay.fills)
    fills[0, 110, 0], fills[0, 200, 1] = 2, -3
    traded = replace(PLAYED, replay=replace(PLAYED.replay, fills=fills))
    terms, settle = PLAYED.market.terms, PLAYED.market.settle
    money = 2 * settle[110, 0] * terms.multiplier[0] + 3 * settle[200, 1] * terms.multiplier[1]
    # 294 sessions on a million.
    assert turnover_of(traded, "logistic", SPAN) == pytest.approx(money / 294 * 252 / 1_000_000)
    assert turnover_of(traded, "logistic", slice(300, 400)) == 0.0
    assert turnover_of(traded, "logistic", slice(0, 0)) is None


def test_a_thin_market_has_less_room_than_a_deep_one() -> None:
    found = {}
    for name, volume in (("thin", 20.0), ("deep", 1e9)):
        adv = np.where(np.isfinite(PLAYED.market.adv), volume, np.nan)
        of = replace(PLAYED, market=replace(PLAYED.market, adv=adv))
        capacity = capacity_of(of, "logistic", SPAN)
        assert capacity is not None
        found[name] = capacity
    print(found)
    assert found["deep"].reason is CapacityReason.BEYOND_CURVE
    assert found["deep"].best == 16.0
    assert found["thin"].reason is CapacityReason.NO_EDGE or (found["thin"].best or 0.0) < 16.0


def test_before_the_first_test_there_is_none() -> None:
    assert capacity_of(PLAYED, "logistic", slice(0, 0)) is None
