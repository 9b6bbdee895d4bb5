import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.stats.alpha_wealth import Durable, Opening, Wealth, WealthError, WealthReason, replay, spend


def test_by_hand():
    # 0.05: levels a quarter of what is left
    history = []
    assert spend(history) == pytest.approx(0.0125)
    history.append(Opening("a", 0.0125, False))
    assert spend(history) == pytest.approx(0.009375)
    history.append(Opening("b", 0.009375, True))
    # passed is not yet earned
    assert spend(history) == pytest.approx(0.00703125)
    history.append(Durable("b"))
    # (0.05 - 0.0125 - 0.009375 + 0.05) / 4
    assert spend(history) == pytest.approx(0.01953125)
    state = replay(history)
    assert (state.openings, state.durable) == (2, 1)
    assert state.wealth == pytest.approx(0.078125)
    assert state.spent == pytest.approx(0.021875)


def test_a_smaller_level_than_allowed_leaves_the_rest():
    assert spend([Opening("a", 0.002, False)]) == pytest.approx(0.012)


def test_exhausted_after_nine_failures_and_revived_by_one_durable_promotion():
    # 0.0125 * 0.75^n < 0.001 from n = 9 on: 0.0125 * 0.75^8 = 0.00125, * 0.75^9 = 0.00094
    history = []
    for n in range(9):
        history.append(Opening(f"h{n}", spend(history), n == 0))
    assert spend(history) is None
    assert spend([*history, Durable("h0")]) == pytest.approx((0.05 * 0.75**9 + 0.05) / 4)


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([Opening("a", 0.0126, True)], WealthReason.OVERSPENT),
        ([Opening("a", 0.0, True)], WealthReason.LEVEL_NOT_POSITIVE),
        ([Opening("a", float("nan"), True)], WealthReason.LEVEL_NOT_POSITIVE),
        ([Opening("a", 0.01, True), Opening("a", 0.001, True)], WealthReason.OPENED_TWICE),
        ([Durable("a")], WealthReason.NEVER_OPENED),
        ([Opening("a", 0.01, False), Durable("a")], WealthReason.NOT_PROMOTED),
        ([Opening("a", 0.01, True), Durable("a"), Durable("a")], WealthReason.DURABLE_TWICE),
    ],
)
def test_histories_that_the_rules_could_not_have_produced(events, reason):
    with pytest.raises(WealthError) as error:
        spend(events)
    assert error.value.reason is reason


@pytest.mark.parametrize(
    "rules",
    [{"payout": 0.06}, {"payout": 0.0}, {"initial": 1.0, "payout": 1.0}, {"share": 1.1}, {"minimum_level": 0.0}],
)
def test_rules_that_hold_no_bound(rules):
    with pytest.raises(ValueError, match=r"payout|share"):
        Wealth(**rules)


@given(st.lists(st.tuples(st.sampled_from(["fail", "pass", "durable"]), st.floats(0.01, 1.0)), max_size=60))
def test_never_negative_and_the_sum_of_levels_is_bounded(steps):
    rules, history, waiting = Wealth(), [], []
    for n, (what, part) in enumerate(steps):
        if what == "durable":
            if waiting:
                history.append(Durable(waiting.pop()))
            continue
        level = spend(history, rules)
        if level is None:
            continue
        history.append(Opening(f"h{n}", level * part, what == "pass"))
        if what == "pass":
            waiting.append(f"h{n}")
        state = replay(history, rules)
        assert state.wealth > 0.0
        assert state.spent <= rules.initial + rules.payout * state.durable + 1e-12
        assert state.wealth == pytest.approx(rules.initial - state.spent + rules.payout * state.durable)
        # folding a history is pure: the same list gives the same state, a prefix its own
        assert replay(list(history), rules) == state


def test_expected_false_discoveries_stay_below_the_bound():
    # Nine nulls in ten, the tenth found with probability 0.5 and durable when found; a null's luck lasts in 1 of 20.
    rng = np.random.default_rng(11)
    rules, false, durable = Wealth(), 0, 0
    runs = 400
    for _ in range(runs):
        history = []
        for n in range(20):
            level = spend(history, rules)
            if level is None:
                break
            null = rng.random() < 0.9
            passed = bool(rng.random() < (level if null else 0.5))
            history.append(Opening(f"h{n}", level, passed))
            false += null and passed
            if passed and rng.random() < (0.05 if null else 1.0):
                history.append(Durable(f"h{n}"))
                durable += 1
    # mFDR <= 0.05 with a standard error of about sqrt(0.05 * 400 * 1.5) / 600
    assert 0.005 < false / (durable + runs) <= 0.05 + 3 * 0.009
