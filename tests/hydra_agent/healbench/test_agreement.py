"""Agreement of two tiers from rows made by hand: signs, orders, and when a contradiction is one."""

import math

import polars as pl
import pytest
from scipy.stats import ttest_1samp

from hydra_agent.healbench.agreement import agreements, difference

POLICIES = ("do nothing", "retrain 63", "hydra", "oracle")


def tier(by_world: list[tuple[float, float, float, float]], fault: str = "F1", variant: str = "x-1") -> pl.DataFrame:
    """What the policies are worth, world by world."""
    return pl.DataFrame(
        [
            {"fault": fault, "variant": variant, "seed": seed, "policy": name, "value": value, "value_reign": value}
            for seed, values in enumerate(by_world)
            for name, value in zip(POLICIES, values, strict=True)
        ]
    )


HEALED = tier([(-1.0, -0.5, 0.0, 1.0), (-1.2, -0.4, 0.1, 1.0), (-0.8, -0.6, -0.1, 1.0), (-1.0, -0.5, 0.1, 1.0)])
HARMED = tier([(0.0, -0.5, -1.0, 1.0), (0.1, -0.4, -1.2, 1.0), (-0.1, -0.6, -0.8, 1.0), (0.1, -0.5, -1.0, 1.0)])


def test_tiers_that_say_the_same_agree_in_sign_and_order() -> None:
    (found,) = agreements(HEALED, HEALED)
    assert found.fault == "F1 x-1"
    assert found.full.order == ("hydra", "retrain 63", "do nothing")
    assert found.full.figures == pytest.approx({"do nothing": 1.0, "retrain 63": 0.75, "hydra": 0.4875})
    assert found.same_sign
    assert found.tau == pytest.approx(1.0)
    assert found.contradictions == ()


def test_tiers_that_are_sure_of_the_opposite_contradict_each_other() -> None:
    (found,) = agreements(HEALED, HARMED)
    assert not found.same_sign
    assert found.statistical.order == tuple(reversed(found.full.order))
    assert found.tau == pytest.approx(-1.0)
    # The oracle is the best in both.
    assert set(found.contradictions) == {
        "do nothing against retrain 63", "do nothing against hydra", "retrain 63 against hydra",
    }  # fmt: skip


def test_what_nobody_is_sure_of_is_no_contradiction() -> None:
    luck = tier([(0.0, -0.5, -3.0, 1.0), (0.0, -0.5, 2.0, 1.0), (0.0, -0.5, -2.0, 1.0), (0.0, -0.5, 1.0, 1.0)])
    (found,) = agreements(HEALED, luck)
    assert not found.same_sign
    assert "do nothing against hydra" not in found.contradictions
    one = agreements(HEALED.filter(pl.col("seed") == 0), HARMED.filter(pl.col("seed") == 0))[0]
    assert not one.same_sign
    assert one.contradictions == ()
    assert math.isnan(one.full.better.low)


def test_the_interval_is_students_over_worlds() -> None:
    found = difference(HEALED, "F1", "hydra", "do nothing")
    paired = ttest_1samp([1.0, 1.3, 0.7, 1.1], 0.0).confidence_interval(0.9)
    assert (found.low, found.high) == pytest.approx((paired.low, paired.high))
    assert found.of == 4


def test_a_fault_that_only_one_tier_has_is_left_out() -> None:
    quiet = tier([(1.0, 1.1, 0.9, 1.5), (1.0, 1.2, 1.0, 1.5)], "F0", "")
    found = agreements(pl.concat([HEALED, quiet]), quiet)
    assert [each.fault for each in found] == ["F0"]
    # Without a fault, the share of do nothing's profit that is lost.
    assert found[0].full.figures == pytest.approx({"do nothing": 0.0, "retrain 63": -0.15, "hydra": 0.05})
