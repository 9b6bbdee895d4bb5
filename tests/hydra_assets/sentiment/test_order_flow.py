"""Order flow by hand, its reasons, and that activity is put beside the return it belongs to."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.sentiment.order_flow import OrderFlowConfig, OrderFlowReason, order_flow_scores, size_imbalance

FIRST = date(2024, 1, 1)
SMALL = OrderFlowConfig(recent=1, window=2, minimum=2)
SCHEMA = {
    "market": pl.String(),
    "session": pl.Date(),
    "contract": pl.String(),
    "volume": pl.Float64(),
    "open_interest": pl.Float64(),
    "held_return": pl.Float64(),
}
Number = float | None


def curve(
    interest: list[Number], volume: list[Number], returns: list[Number], contract: str = "HE-2024-04"
) -> pl.DataFrame:
    rows = [
        ("SIM_HE", FIRST + timedelta(days=i), contract, v, oi, r)
        for i, (oi, v, r) in enumerate(zip(interest, volume, returns, strict=True))
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def sessions(n: int) -> pl.DataFrame:
    return pl.DataFrame({"market": ["SIM_HE"] * n, "session": [FIRST + timedelta(days=i) for i in range(n)]})


# Rows hold the activity of the session before, so f_t = sign(r_{t-1}) * change of row t * root of the volume ratio:
# f_2 = +0.1 * 1, f_3 = -0.1 * 1, f_4 = sign(r_3) * 0.1 * sqrt(400 / 100).
INTEREST: list[Number] = [900.0, 1000.0, 1100.0, 1210.0, 1331.0]
VOLUME: list[Number] = [100.0, 100.0, 100.0, 100.0, 400.0]
RETURNS: list[Number] = [None, 0.01, -0.01, 0.02, -0.5]


def last(frame: pl.DataFrame, config: OrderFlowConfig = SMALL) -> dict[str, object]:
    return order_flow_scores(frame, sessions(5), config).row(-1, named=True)


def test_accumulation_by_hand() -> None:
    row = last(curve(INTEREST, VOLUME, RETURNS))
    assert row["open_interest_change"] == pytest.approx(0.1)
    assert row["volume_ratio"] == pytest.approx(4.0)
    # f_4 = 0.2 over rms(0.1, -0.1) = 0.1.
    assert row["flow_z"] == pytest.approx(2.0)
    assert row["order_flow_score"] == pytest.approx(np.tanh(2.0))
    assert row["order_flow_confidence"] == pytest.approx(1.0)
    assert (row["order_flow_age_days"], row["order_flow_reason"]) == (1.0, OrderFlowReason.OK)
    assert row["size_imbalance"] is None


def test_the_return_beside_the_activity_is_the_one_before() -> None:
    # The return of the last row, after the activity it holds, changes nothing; the one before turns the sign.
    assert last(curve(INTEREST, VOLUME, [*RETURNS[:4], 0.5])) == last(curve(INTEREST, VOLUME, RETURNS))
    assert last(curve(INTEREST, VOLUME, [*RETURNS[:3], -0.02, 0.5]))["flow_z"] == pytest.approx(-2.0)
    same_day = SMALL.model_copy(update={"activity_lag_sessions": 0})
    assert last(curve(INTEREST, VOLUME, RETURNS), same_day)["flow_z"] == pytest.approx(-2.0)


def test_liquidation_speaks_against_the_move() -> None:
    # Up on shrinking open interest (short covering), down on shrinking open interest (longs leave).
    shrunk: list[Number] = [*INTEREST[:4], 1089.0]
    assert last(curve(shrunk, VOLUME, RETURNS))["flow_z"] == pytest.approx(-2.0)
    assert last(curve(shrunk, VOLUME, [*RETURNS[:3], -0.02, None]))["flow_z"] == pytest.approx(2.0)


def test_volume_is_capped() -> None:
    wild: list[Number] = [*VOLUME[:4], 1e6]
    assert last(curve(INTEREST, wild, RETURNS))["flow_z"] == pytest.approx(2.0)
    thin: list[Number] = [*VOLUME[:4], 25.0]
    # sqrt(25 / 100) = 0.5: f_4 = 0.05.
    assert last(curve(INTEREST, thin, RETURNS))["flow_z"] == pytest.approx(0.5)


def test_confidence_by_hand() -> None:
    config = OrderFlowConfig(recent=2, window=4, minimum=2)
    interest: list[Number] = [1000.0]
    for _ in range(7):
        interest.append((interest[-1] or 0.0) * 1.1)
    signs: list[Number] = [0.01, 0.01, 0.01, -0.01, 0.01, 0.01, -0.01, None]
    # With a median of two volumes at least, f_2.. = + + - + + - (0.1 each): f_7 = sign(r_6) * 0.1 = -0.1.
    row = order_flow_scores(curve(interest, [50.0] * 8, signs), sessions(8), config).row(-1, named=True)
    # The last two, + and -, cancel; agreement is 0 and so are z and confidence.
    assert row["flow_z"] == pytest.approx(0.0, abs=1e-12)
    assert row["order_flow_confidence"] == pytest.approx(0.0, abs=1e-12)
    row = order_flow_scores(curve(interest, [50.0] * 8, signs), sessions(7), config).row(-1, named=True)
    # f_5 = f_6 = +0.1 over rms 0.1 / sqrt 2; three flows before them of four: sqrt(3 / 4).
    assert row["flow_z"] == pytest.approx(np.sqrt(2))
    assert row["order_flow_confidence"] == pytest.approx(np.sqrt(3 / 4))


def test_a_contract_that_leaves_or_arrives_is_no_flow() -> None:
    alone = order_flow_scores(curve(INTEREST, VOLUME, RETURNS), sessions(5), SMALL)
    leaving = curve([9000.0, 9900.0], [0.0, 0.0], [None, None], "HE-2024-02")
    arriving = curve([None, None, None, None, 7.0], [None, None, None, None, 0.0], [None] * 5, "HE-2024-06")
    arriving = arriving.filter(pl.col("open_interest").is_not_null())
    crowded = order_flow_scores(pl.concat([curve(INTEREST, VOLUME, RETURNS), leaving, arriving]), sessions(5), SMALL)
    assert crowded["open_interest_change"].to_list()[2:] == alone["open_interest_change"].to_list()[2:]
    # Session 1 has both contracts: (1000 + 9900) / (900 + 9000) - 1.
    assert crowded["open_interest_change"][1] == pytest.approx(10900 / 9900 - 1)


def test_reasons() -> None:
    interest: list[Number] = [*INTEREST, 1331.0, None, 1500.0, 1600.0]
    volume: list[Number] = [*VOLUME, 400.0, None, 90.0, 80.0]
    returns: list[Number] = [None, 0.01, -0.01, 0.02, 0.01, 0.01, 0.01, None, 0.01]
    found = order_flow_scores(curve(interest, volume, returns), sessions(10), SMALL)
    assert found["order_flow_reason"].to_list() == [
        OrderFlowReason.NO_ACTIVITY,
        OrderFlowReason.NO_RETURN,
        OrderFlowReason.SHORT_HISTORY,
        OrderFlowReason.SHORT_HISTORY,
        OrderFlowReason.OK,
        OrderFlowReason.UNCHANGED,
        OrderFlowReason.NO_ACTIVITY,
        OrderFlowReason.NO_ACTIVITY,
        OrderFlowReason.NO_RETURN,
        OrderFlowReason.NO_ACTIVITY,
    ]
    assert found["order_flow_score"].is_not_null().to_list() == [i == 4 for i in range(10)]
    assert found["order_flow_confidence"].is_not_null().to_list() == [i == 4 for i in range(10)]


def quotes(*rows: tuple[Number, Number, str]) -> pl.DataFrame:
    data = [("SIM_HE", FIRST + timedelta(days=4), bid, ask, right) for bid, ask, right in rows]
    names = {"bid_size": pl.Float64(), "ask_size": pl.Float64(), "right": pl.String()}
    return pl.DataFrame(data, schema={"market": pl.String(), "session": pl.Date(), **names}, orient="row")


def test_sizes_by_hand() -> None:
    # Calls 30 - 10, puts -(5 - 15), one-sided and empty quotes left out: (20 + 10) / (40 + 20).
    book = quotes((30.0, 10.0, "C"), (5.0, 15.0, "P"), (100.0, None, "C"), (0.0, 50.0, "C"))
    assert size_imbalance(book)["size_imbalance"].to_list() == [0.5]
    flow = curve(INTEREST, VOLUME, RETURNS)
    row = order_flow_scores(flow, sessions(5), SMALL, book).row(-1, named=True)
    assert row["order_flow_score"] == pytest.approx(0.75 * np.tanh(2.0) + 0.25 * 0.5)
    assert row["order_flow_confidence"] == pytest.approx(0.75 * 1.0 + 0.25)


def test_sizes_alone_are_a_weak_score() -> None:
    book = quotes((30.0, 10.0, "C"))
    row = order_flow_scores(curve([], [], []), sessions(5), SMALL, book).row(-1, named=True)
    assert (row["order_flow_score"], row["order_flow_confidence"], row["order_flow_age_days"]) == (0.5, 0.25, 0.0)
    # A curve that quotes is its own book.
    quoted = curve(INTEREST, VOLUME, RETURNS).with_columns(bid_size=pl.lit(1.0), ask_size=pl.lit(3.0))
    assert last(quoted)["size_imbalance"] == pytest.approx(-0.5)


def test_configuration_is_checked() -> None:
    with pytest.raises(ValueError, match="larger than window"):
        OrderFlowConfig(window=5, minimum=6)
    with pytest.raises(ValueError, match="extra"):
        OrderFlowConfig.model_validate({"span": 3})


ROWS = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(0, 500)),
        st.one_of(st.none(), st.integers(0, 50)),
        st.one_of(st.none(), st.floats(-0.1, 0.1)),
    ),
    min_size=12,
    max_size=20,
)


@settings(max_examples=20, deadline=None)
@given(ROWS, st.integers(2, 11))
def test_the_future_changes_nothing_and_bounds_hold(
    rows: list[tuple[int | None, int | None, float | None]], split: int
) -> None:
    config = OrderFlowConfig(recent=2, window=6, minimum=3)
    frame = pl.DataFrame(
        [
            ("SIM_HE", FIRST + timedelta(days=i), name, v, oi, r)
            for i, (oi, v, r) in enumerate(rows)
            for name in ("A", "B")
            if (i + len(name)) % 7 or name == "A"
        ],
        schema=SCHEMA,
        orient="row",
    )
    whole = order_flow_scores(frame, sessions(len(rows)), config)
    cut = frame.filter(pl.col("session") < FIRST + timedelta(days=split))
    assert order_flow_scores(cut, sessions(split), config).equals(whole.head(split))
    assert order_flow_scores(frame.reverse(), sessions(len(rows)).tail(3), config).equals(whole.tail(3))
    assert whole["order_flow_score"].drop_nulls().is_between(-1, 1).all()
    assert whole["order_flow_confidence"].drop_nulls().is_between(0, 1).all()
