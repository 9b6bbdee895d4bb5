"""Labels by hand, then in properties, then at every cutoff."""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from hydra_assets.labels.make import make_labels, session_vol
from hydra_assets.labels.spec import LABEL_SCHEMA, EntryAt, FixedHorizon, TripleBarrier

DAYS = [date(2025, 1, 1) + timedelta(days=i) for i in range(400)]
WARM = [0.01, -0.01, 0.01, -0.01, 0.01]
"""Five returns that give the shortest volatility window a value on its last row, number 4."""
SIGMA = float(np.sqrt((3 * np.log(1.01) ** 2 + 2 * np.log(0.99) ** 2) / 5))
COST = 0.001


def held(
    returns: Sequence[float | None], contracts: Sequence[str | None] | None = None, cost: float = COST
) -> pl.DataFrame:
    n = len(returns)
    return pl.DataFrame(
        {
            "market": "SIM_HE",
            "session": DAYS[:n],
            "held_contract": pl.Series(contracts or ["A"] * n, dtype=pl.String),
            "held_return": pl.Series(returns, dtype=pl.Float64),
            "round_trip_cost": cost,
        }
    )


def test_fixed_horizon_by_hand() -> None:
    # Decision on row 4, entry at the settle of row 5, exit at that of row 7: the returns of rows 6 and 7.
    frame = make_labels(held([*WARM, 0.5, 0.10, -0.05]), FixedHorizon(horizon_sessions=2, vol_sessions=5))
    assert dict(frame.schema) == LABEL_SCHEMA
    assert frame["label_reason"].to_list() == ["no_vol"] * 4 + ["ok"] + ["not_yet_known"] * 3
    row = frame.row(4, named=True)
    assert (row["entry_session"], row["exit_session"]) == (DAYS[5], DAYS[7])
    assert row["label_return"] == pytest.approx(1.1 * 0.95 - 1)  # 0.045
    assert row["label_cost"] == COST
    assert row["label_sigma"] == pytest.approx(SIGMA * np.sqrt(2))
    assert row["label_vol_units"] == pytest.approx((0.045 - 0.001) / (SIGMA * np.sqrt(2)))
    assert (row["label_class"], row["label_barrier"], row["label_rolls"]) == ("up", "vertical", 0)
    assert (
        frame.filter(pl.col("label_reason") != "ok")
        .select(pl.exclude("market", "session", "label_reason").is_null().all())
        .row(0)
        == (True,) * 9
    )


def test_a_short_pays_the_same_cost_and_a_move_within_it_is_worth_nothing() -> None:
    spec = FixedHorizon(horizon_sessions=1, vol_sessions=5, neutral_zone=0.0)
    fall = make_labels(held([*WARM, 0.0, -0.03]), spec).row(4, named=True)
    assert fall["label_vol_units"] == pytest.approx(-(0.03 - 0.001) / SIGMA)
    assert fall["label_class"] == "down"
    within = make_labels(held([*WARM, 0.0, 0.0009]), spec).row(4, named=True)
    assert (within["label_vol_units"], within["label_class"]) == (0.0, "neutral")
    two = make_labels(held([*WARM, 0.0, 0.0009]), FixedHorizon(horizon_sessions=1, vol_sessions=5))
    assert two["label_class"][4] == "up"


def test_the_neutral_zone_is_in_volatility_units_net_of_cost() -> None:
    spec = FixedHorizon(horizon_sessions=1, vol_sessions=5, neutral_zone=0.5)
    for net, expected in ((0.49, "neutral"), (0.51, "up"), (-0.51, "down")):
        move = np.sign(net) * (abs(net) * SIGMA + COST)
        assert make_labels(held([*WARM, 0.0, move]), spec)["label_class"][4] == expected


def test_each_roll_inside_the_position_costs_another_round_trip() -> None:
    # Entered at the settle of row 5 in the contract that earns row 6, B; the roll before row 7 is within, before 6 not.
    returns = [*WARM, 0.0, 0.01, 0.01, 0.01]
    frame = make_labels(held(returns, [*"AAAAAABCC"]), FixedHorizon(horizon_sessions=3, vol_sessions=5))
    assert frame["label_rolls"][4] == 1
    assert frame["label_cost"][4] == pytest.approx(2 * COST)
    assert frame["label_return"][4] == pytest.approx(1.01**3 - 1)


def test_an_entry_at_the_open_earns_the_rest_of_that_session_first() -> None:
    spec = FixedHorizon(horizon_sessions=2, vol_sessions=5, entry=EntryAt.NEXT_OPEN)
    frame = held([*WARM, 0.5, 0.10, 0.2]).with_columns(pl.lit(0.02).alias("open_return"))
    row = make_labels(frame, spec).row(4, named=True)
    assert (row["entry_session"], row["exit_session"]) == (DAYS[5], DAYS[6])
    assert row["label_return"] == pytest.approx(1.02 * 1.10 - 1)
    shut = frame.with_columns(pl.lit(None, pl.Float64).alias("open_return"))
    assert make_labels(shut, spec)["label_reason"][4] == "no_price"
    assert (spec.reach_sessions, FixedHorizon(horizon_sessions=2).reach_sessions) == (2, 3)


def test_the_decision_and_entry_sessions_earn_nothing() -> None:
    spec = FixedHorizon(horizon_sessions=2, vol_sessions=5)
    quiet = make_labels(held([*WARM, 0.0, 0.10, -0.05]), spec)["label_return"][4]
    assert make_labels(held([*WARM, 0.9, 0.10, -0.05]), spec)["label_return"][4] == quiet


BARRIER = 1.0 * SIGMA * np.sqrt(4)
"""About 0.02 for a horizon of four sessions."""


@pytest.mark.parametrize(
    ("path", "lag", "barrier", "exit_row", "expected"),
    [
        # The settle of row 7 is past the upper barrier: out at 7, or at 8 where that is the first price after.
        ([0.01, 0.015, -0.03, 0.0], 0, "upper", 7, 1.01 * 1.015 - 1),
        ([0.01, 0.015, -0.03, 0.0], 1, "upper", 8, 1.01 * 1.015 * 0.97 - 1),
        ([-0.025, 0.01, 0.0, 0.0], 0, "lower", 6, -0.025),
        ([-0.025, 0.01, 0.0, 0.0], 1, "lower", 7, 0.975 * 1.01 - 1),
        # Never past either: the horizon.
        ([0.01, -0.01, 0.01, 0.005], 1, "vertical", 9, 1.01 * 0.99 * 1.01 * 1.005 - 1),
        # Met on the last session: the horizon's own exit is there, no lag.
        ([0.0, 0.0, 0.0, 0.04], 1, "upper", 9, 0.04),
        # First met counts: a later fall through the lower one changes nothing.
        ([0.03, -0.10, 0.0, 0.0], 0, "upper", 6, 0.03),
    ],
)
def test_triple_barrier_by_hand(path: list[float], lag: int, barrier: str, exit_row: int, expected: float) -> None:
    assert 0.019 < BARRIER < 0.021
    spec = TripleBarrier(horizon_sessions=4, vol_sessions=5, exit_lag_sessions=lag)
    row = make_labels(held([*WARM, 0.0, *path]), spec).row(4, named=True)
    assert row["label_barrier"] == barrier
    assert row["exit_session"] == DAYS[exit_row]
    assert row["label_return"] == pytest.approx(expected)
    assert row["label_class"] == ("up" if expected > 0 else "down")


def test_asymmetric_barriers() -> None:
    wide = TripleBarrier(horizon_sessions=4, vol_sessions=5, exit_lag_sessions=0, upper=3.0, lower=0.5)
    up, down = (make_labels(held([*WARM, 0.0, r, 0, 0, 0]), wide)["label_barrier"][4] for r in (0.03, -0.012))
    assert (up, down) == ("vertical", "lower")


def test_a_barrier_met_early_is_known_before_the_horizon() -> None:
    spec = TripleBarrier(horizon_sessions=4, vol_sessions=5)
    frame = make_labels(held([*WARM, 0.0, 0.03, 0.0]), spec)
    assert frame.row(4, named=True)["exit_session"] == DAYS[7]
    # With the next settle not there yet, neither is the label.
    assert make_labels(held([*WARM, 0.0, 0.03]), spec)["label_reason"][4] == "not_yet_known"


@pytest.mark.parametrize("spec", [FixedHorizon(horizon_sessions=2, vol_sessions=5)])
@pytest.mark.parametrize(
    ("returns", "contracts", "cost", "reason"),
    [
        ([*WARM, 0.0, None, 0.0], None, COST, "no_price"),
        ([*WARM, 0.0, None, 0.0], [*"AAAAAA", None, "A"], COST, "contract_gap"),
        ([*WARM, 0.0, -1.2, 0.0], None, COST, "not_positive"),
        ([*WARM, 0.0, float("inf"), 0.0], None, COST, "no_price"),
        ([*WARM, 0.0, 0.0, 0.0], None, float("nan"), "no_cost"),
        ([*WARM, 0.0, 0.0, 0.0], None, -0.1, "no_cost"),
        ([0.0] * 8, None, COST, "no_vol"),
        ([None, *WARM[1:], 0.0, 0.0, 0.0], None, COST, "no_vol"),
        # The fault is already certain although the horizon is not there yet.
        ([*WARM, 0.0, None], None, COST, "no_price"),
    ],
)
def test_why_there_is_no_label(
    spec: FixedHorizon, returns: list[float | None], contracts: list[str | None] | None, cost: float, reason: str
) -> None:
    assert make_labels(held(returns, contracts, cost), spec)["label_reason"][4] == reason


def test_after_a_barrier_nothing_that_is_missing_matters() -> None:
    spec = TripleBarrier(horizon_sessions=4, vol_sessions=5, exit_lag_sessions=0)
    assert make_labels(held([*WARM, 0.0, 0.03, None]), spec)["label_reason"][4] == "ok"


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="round_trip_cost"):
        make_labels(held(list(WARM)).drop("round_trip_cost"), FixedHorizon())
    with pytest.raises(ValueError, match="open_return"):
        make_labels(held(list(WARM)), FixedHorizon(entry=EntryAt.NEXT_OPEN))
    with pytest.raises(ValueError, match="one row"):
        make_labels(pl.concat([held(list(WARM))] * 2), FixedHorizon())
    empty = make_labels(held([]), TripleBarrier())
    assert (empty.height, dict(empty.schema)) == (0, LABEL_SCHEMA)


def random_market(seed: int, n: int = 150) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    returns = rng.standard_t(4, n) * 0.01
    contracts = [f"C{i // 20}" for i in range(n)]
    frame = held(returns.tolist(), contracts).with_columns(
        pl.Series("open_return", returns * 0.6),
        pl.when(pl.Series(rng.random(n) < 0.03)).then(None).otherwise("held_return").alias("held_return"),
    )
    return frame.with_columns(
        pl.when(pl.Series(rng.random(n) < 0.02)).then(None).otherwise("held_contract").alias("held_contract")
    )


SPECS = st.sampled_from(
    [
        FixedHorizon(horizon_sessions=5),
        FixedHorizon(horizon_sessions=1, entry=EntryAt.NEXT_OPEN, neutral_zone=0.1),
        TripleBarrier(horizon_sessions=10),
        TripleBarrier(horizon_sessions=7, upper=0.5, lower=0.8, exit_lag_sessions=0, entry=EntryAt.NEXT_OPEN),
    ]
)


@settings(max_examples=40)
@given(seed=st.integers(0, 50), spec=SPECS, last=st.integers(30, 149))
def test_as_of_a_cutoff_exactly_the_later_exits_are_not_yet_known(seed: int, spec: FixedHorizon, last: int) -> None:
    frame = random_market(seed)
    known = make_labels(frame.head(last + 1), spec)
    whole = make_labels(frame, spec).head(last + 1)
    settled = known.filter(pl.col("label_reason") != "not_yet_known")
    assert_frame_equal(settled, whole.join(settled, on="session", how="semi"), check_exact=True)
    later = whole.join(settled, on="session", how="anti")
    assert (later.filter(pl.col("label_reason") == "ok")["exit_session"] > DAYS[last]).all()
    assert (settled["exit_session"].drop_nulls() <= DAYS[last]).all()


@settings(max_examples=40)
@given(seed=st.integers(0, 50), spec=SPECS, first=st.integers(0, 80))
def test_a_sub_range_with_its_look_back_gives_the_same_bytes(seed: int, spec: FixedHorizon, first: int) -> None:
    frame = random_market(seed)
    part = make_labels(frame.slice(first), spec).slice(spec.vol_sessions)
    assert_frame_equal(part, make_labels(frame, spec).slice(first + spec.vol_sessions), check_exact=True)


@settings(max_examples=40)
@given(seed=st.integers(0, 50), spec=SPECS)
def test_markets_are_apart_and_a_reference_walk_agrees(seed: int, spec: FixedHorizon) -> None:
    one = random_market(seed)
    other = random_market(seed + 1).with_columns(pl.lit("SIM_ZO").alias("market"))
    both = make_labels(pl.concat([other, one]), spec)
    mine = both.filter(pl.col("market") == "SIM_HE")
    assert_frame_equal(mine, make_labels(one, spec), check_exact=True)
    for row in mine.filter(pl.col("label_reason") == "ok").iter_rows(named=True):
        assert row["label_return"] == pytest.approx(_reference(one, row["session"], row["exit_session"], spec))


def _reference(frame: pl.DataFrame, session: date, exit_session: date, spec: FixedHorizon) -> float:
    """The product of the returns after the entry, by dates."""
    later = frame.filter(pl.col("session") > session)
    first, rest = later.row(0, named=True), later.slice(1).filter(pl.col("session") <= exit_session)
    growth = 1.0 + first["open_return"] if spec.entry is EntryAt.NEXT_OPEN else 1.0
    for r in rest["held_return"]:
        growth *= 1.0 + r
    return growth - 1.0


def test_session_vol_by_hand() -> None:
    assert session_vol(np.array(WARM), 5)[-1] == pytest.approx(SIGMA)
    assert np.isnan(session_vol(np.array(WARM), 5)[:4]).all()
