"""From the curve to the arrays of a replay: by hand, nothing lost, nothing known too early."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.markets.loader import load_markets
from hydra_assets.replay.inputs import ADV_SESSIONS, MIN_VOLUMES, VOL_SESSIONS, aligned, average_volume, market_arrays
from hydra_assets.replay.market import MarketArrays, MarketFault, faults
from tests.support.groups import group

HE, ZO = load_markets()["SIM_HE"], load_markets()["SIM_ZO"]
D = [date(2024, 1, 1) + timedelta(days=i) for i in range(60)]
MONTHS = {"A": date(2024, 4, 1), "B": date(2024, 6, 1)}
SCHEMA = {
    "market": pl.String,
    "session": pl.Date,
    "contract": pl.String,
    "contract_month": pl.Date,
    "role": pl.String,
    "settle": pl.Float64,
    "settle_age_sessions": pl.Int64,
    "volume": pl.Int64,
}


def curve(*rows: tuple[int, str, str, float | None, int], market: str = "SIM_HE", volume: int = 500) -> pl.DataFrame:
    """Rows of (session, contract, role, settle, age)."""
    made = [(market, D[t], c, MONTHS[c], role, settle, age, volume) for t, c, role, settle, age in rows]
    return pl.DataFrame(made, schema=SCHEMA, orient="row")


def arrays(rows: pl.DataFrame) -> MarketArrays:
    return market_arrays(rows, [HE])


def column(values: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values[:, 0]]


def test_what_a_lot_earns_by_hand() -> None:
    # One lot moves 400 a unit of price.
    found = arrays(
        curve(
            (0, "A", "front", 80.0, 0),
            (1, "A", "front", 80.0, 1),  # no settle of its own: the market did not trade
            (2, "A", "front", 82.0, 0),  # the move of both sessions
            (3, "A", "back", 81.0, 0),
            (3, "B", "front", 83.0, 0),  # what was held earned A's move, and is B from here on
            (4, "B", "front", 84.0, 0),
        )
    )
    assert column(found.settle) == [80.0, None, 82.0, 83.0, 84.0]
    assert column(found.held_change) == [None, None, 800.0, -400.0, 400.0]
    assert found.roll[:, 0].tolist() == [False, False, False, True, False]
    assert found.tradable[:, 0].tolist() == [True, False, True, True, True]
    assert found.days.tolist() == [(d - date(1970, 1, 1)).days for d in D[:5]]
    assert found.terms.symbols == ("SIM_HE",)


def test_a_settle_that_is_missing_on_the_roll_delays_it_and_loses_nothing() -> None:
    found = arrays(
        curve(
            (0, "A", "front", 80.0, 0),
            (1, "A", "back", 81.0, 0),
            (1, "B", "front", 83.0, 1),  # the new front did not settle
            (2, "A", "back", 81.0, 1),
            (2, "B", "front", 84.0, 0),
            (3, "B", "front", 85.0, 0),
        )
    )
    # A's settle of session 1 is booked with the roll of session 2; B's move before it was never held.
    assert column(found.held_change) == [None, None, 400.0, 400.0]
    assert found.roll[:, 0].tolist() == [False, False, True, False]


def test_without_a_settle_on_the_roll_the_old_contract_is_left_at_its_last() -> None:
    found = arrays(
        curve((0, "A", "front", 80.0, 0), (1, "A", "back", 80.0, 1), (1, "B", "front", 83.0, 0)),
    )
    assert column(found.held_change) == [None, 0.0]
    assert found.roll[:, 0].tolist() == [False, True]


def test_a_price_of_nothing_trades_nothing_and_its_move_is_kept() -> None:
    found = arrays(
        curve(
            (0, "A", "front", 80.0, 0),
            (1, "A", "front", -5.0, 0),
            (2, "A", "front", None, 0),
            (3, "A", "front", 10.0, 0),
        )
    )
    assert column(found.settle) == [80.0, None, None, 10.0]
    assert column(found.held_change) == [None, None, None, -28_000.0]


@given(st.integers(0, 2**32 - 1))
def test_gaps_change_when_money_is_booked_and_not_how_much(seed: int) -> None:
    rng = np.random.default_rng(seed)
    prices = 80.0 + rng.integers(-20, 21, 30) * 0.025
    gone = rng.random(30) < 0.4
    gone[[0, -1]] = False
    rows = [(t, "A", "front", float(prices[t]), int(gone[t])) for t in range(30)]
    found = arrays(curve(*rows))
    assert np.nansum(found.held_change) == pytest.approx((prices[-1] - prices[0]) * 400.0)
    assert found.tradable[:, 0].tolist() == (~gone).tolist()


def test_average_volume_is_of_the_market_s_own_sessions() -> None:
    rows = [(t, "A", "front", 80.0 + t % 2, 0) for t in range(40) if t != 30]
    # Volume t + 1, not published on session 12; session 30 is closed.
    own = pl.int_range(1, 41).filter(pl.int_range(40) != 30)
    volume = pl.when(pl.col("session") != D[12]).then(own).alias("volume")
    shut = curve((30, "A", "front", 81.0, 1))
    found = arrays(pl.concat([curve(*rows).with_columns(volume), shut.with_columns(pl.lit(None).alias("volume"))]))
    adv = column(found.adv)
    assert (ADV_SESSIONS, MIN_VOLUMES) == (20, 10)
    assert adv[:9] == [None] * 9
    # 1 to 10; 1 to 13 without the 13th stays 1 to 12; the window of 20 sessions up to 25 holds 7..26 without 13.
    assert adv[9] == 5.5
    assert adv[12] == 6.5
    assert adv[25] == pytest.approx((sum(range(7, 27)) - 13) / 19)
    # Session 31 counts twenty sessions that traded: 11 to 29 and itself (volumes 12..30 without 13, and 32).
    assert adv[30] is None
    assert adv[31] == pytest.approx((sum(range(12, 31)) - 13 + 32) / 19)


def test_the_cap_is_taken_of_the_last_week_where_it_traded_less() -> None:
    volume = np.array([100.0] * 20 + [10.0] * 7 + [np.nan] * 2 + [10.0])
    adv, share = average_volume(volume)
    assert np.isnan(share[:9]).all()
    # Never more than the average of the month; 4 of 5 sessions of 100, then all of them of 10.
    assert share[[9, 19]].tolist() == [1.0, 1.0]
    assert adv[20] == (19 * 100 + 10) / 20
    assert share[20] == pytest.approx(82.0 / 95.5)
    assert adv[26] * share[26] == pytest.approx(10.0)
    # What was not published counts for nothing: three volumes of ten.
    assert adv[29] * share[29] == pytest.approx(10.0)
    # Coming back is no licence: the month's average stays the bound.
    assert average_volume(np.array([10.0] * 20 + [1000.0]))[1][20] == 1.0


def test_volatility_is_there_from_nine_tenths_of_its_window_on() -> None:
    # Prices go to and fro by one per cent in logs: the root of the mean square is 0.01.
    prices = [80.0 * float(np.exp(0.01 * (t % 2))) for t in range(30)]
    found = arrays(curve(*[(t, "A", "front", p, 0) for t, p in enumerate(prices)]))
    sigma = column(found.sigma_daily)
    assert VOL_SESSIONS == 20
    # Session 18 is the first with 18 returns.
    assert sigma[:18] == [None] * 18
    assert sigma[18:] == pytest.approx([0.01] * 12)
    assert list(MarketFault)[faults(found)[17, 0]] == MarketFault.NO_VOLATILITY
    assert faults(found)[18, 0] == 0


def test_markets_share_the_sessions_of_any_of_them() -> None:
    he = curve((0, "A", "front", 80.0, 0), (1, "A", "front", 81.0, 0))
    zo = curve((1, "A", "front", 300.0, 0), (2, "A", "front", 302.0, 0), market="SIM_ZO")
    found = market_arrays(pl.concat([zo, he]), [HE, ZO])
    assert found.terms.symbols == ("SIM_HE", "SIM_ZO")
    assert found.tradable.tolist() == [[True, False], [True, True], [False, True]]
    # One unit of oats is 50 of money.
    assert np.array_equal(found.held_change, [[np.nan] * 2, [400.0, np.nan], [np.nan, 100.0]], equal_nan=True)
    with pytest.raises(ValueError, match="no session of SIM_HE"):
        market_arrays(zo, [HE])


def test_two_rows_called_front_are_the_nearer_contract() -> None:
    found = arrays(curve((0, "B", "front", 83.0, 0), (0, "A", "front", 80.0, 0), (1, "A", "front", 81.0, 0)))
    assert column(found.settle) == [80.0, 81.0]


def same(a: MarketArrays, b: MarketArrays, n: int) -> bool:
    names = ("days", "settle", "held_change", "sigma_daily", "adv", "roll", "tradable")
    return all(getattr(a, name)[:n].tobytes() == getattr(b, name)[:n].tobytes() for name in names)


GROUP = group(80)


@settings(max_examples=25)
@given(st.integers(0, 79), st.integers(0, 2**32 - 1))
def test_later_rows_change_no_earlier_byte(last: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = len(GROUP.curve)
    rows = GROUP.curve.with_columns(
        pl.Series("settle_age_sessions", (rng.random(n) < 0.2).astype(np.int64)),
        pl.when(pl.Series(rng.random(n) < 0.2)).then(None).otherwise("volume").alias("volume"),
    )
    whole = market_arrays(rows, GROUP.specs)
    cut = rows.filter(pl.col("session") <= GROUP.curve["session"].unique().sort()[last])
    later = pl.col("session") > cut["session"].max()
    other = rows.with_columns(
        pl.when(later).then(pl.Series(rng.uniform(1.0, 500.0, n))).otherwise("settle").alias("settle"),
        pl.when(later).then(7).otherwise("volume").alias("volume"),
    )
    assert same(whole, market_arrays(cut, GROUP.specs), last + 1)
    assert same(whole, market_arrays(other, GROUP.specs), last + 1)


def test_values_stand_at_their_session_and_market() -> None:
    he = curve((0, "A", "front", 80.0, 0), (2, "A", "front", 81.0, 0))
    market = arrays(he)
    rows = pl.DataFrame(
        {
            "market": ["SIM_HE", "SIM_HE", "SIM_HE", "SIM_HE", "SIM_LE"],
            "session": [D[2], D[0], D[1], D[9], D[0]],
            "p": [0.7, None, 0.5, 0.4, 0.1],
        }
    )
    # Session 1 is no session of the arrays, session 9 lies past them, and SIM_LE is not one of the markets.
    assert column(aligned(rows, "p", market)) == [None, 0.7]
    assert column(aligned(rows.head(0), "p", market)) == [None, None]
