"""Tapes: bars as they were known, windows in the market's own hours, liquidity of the session before."""

import itertools
from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import polars as pl
import pytest

from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.model import WorkingHours
from hydra_assets.replay.costs import CENTS, CostConfig, SlippageMode, impact_coefficient, slippage_multiplier
from hydra_assets.replay.market import MarketArrays, MarketTerms
from hydra_exec.broker.simulated.path import DayBar
from hydra_exec.broker.simulated.tape import BAR_COLUMNS, bars_known, tapes_of, working_window
from tests.support.frames import CHICAGO, bars
from tests.support.sim_broker import tape

HE = load_markets()["HE"]
MONDAY, TUESDAY, WEDNESDAY = date(2025, 3, 3), date(2025, 3, 4), date(2025, 3, 5)
NO_BARS = pl.DataFrame(schema=dict.fromkeys(BAR_COLUMNS, pl.Float64) | {"session": pl.Date, "contract": pl.String})
POINT = CostConfig(mode=SlippageMode.POINT)


def arrays(**changed: list[float]) -> MarketArrays:
    """Monday and Wednesday; on Tuesday the market has no row."""
    rows = {
        "settle": [85.0, 86.0],
        "sigma_daily": [0.02, 0.03],
        "adv": [10_000.0, 20_000.0],
        "held_change": [np.nan, 400.0],
    } | changed
    columns = {name: np.array(values)[:, None] for name, values in rows.items()}
    epoch = date(1970, 1, 1)
    return MarketArrays(
        terms=MarketTerms.of([HE]),
        days=np.array([(day - epoch).days for day in (MONDAY, WEDNESDAY)]),
        roll=np.zeros((2, 1), dtype=np.bool_),
        tradable=np.ones((2, 1), dtype=np.bool_),
        **columns,
    )


@pytest.mark.parametrize(
    ("session", "opens"),
    [(date(2025, 3, 7), 14), (date(2025, 3, 10), 13)],
    ids=["winter", "summer"],
)
def test_a_window_is_in_the_markets_own_hours(session: date, opens: int) -> None:
    hours = HE.model_copy(update={"trading_hours": WorkingHours(start=time(8, 30), end=time(13, 5))})
    start = datetime(session.year, session.month, session.day, opens, 30, tzinfo=UTC)
    assert working_window(hours, CHICAGO, session) == (start, start + timedelta(hours=4, minutes=35))
    assert working_window(hours, CHICAGO, session)[1] < CHICAGO.cutoff(session)


def test_hours_over_midnight_begin_the_day_before() -> None:
    hours = HE.model_copy(update={"trading_hours": WorkingHours(start=time(19, 0), end=time(13, 20))})
    assert working_window(hours, CHICAGO, TUESDAY) == (
        datetime(2025, 3, 4, 1, 0, tzinfo=UTC),
        datetime(2025, 3, 4, 19, 20, tzinfo=UTC),
    )


def test_liquidity_is_that_of_the_session_before() -> None:
    made = tapes_of(HE, CHICAGO, [MONDAY, TUESDAY, WEDNESDAY, date(2025, 3, 6)], NO_BARS, arrays(), POINT)
    cap = HE.liquidity.participation_cap
    assert [t.day_cap for t in made.values()] == [0, int(cap * 10_000), int(cap * 10_000), int(cap * 20_000)]
    expected = HE.liquidity.impact_y * 0.02 * 85.0 / 100.0
    assert [t.impact for t in made.values()][:3] == [0.0, pytest.approx(expected), pytest.approx(expected)]
    # A lot of the tape's impact is what the replay charges, in money.
    cents = impact_coefficient(HE.liquidity.impact_y, 0.02, 85.0, HE.multiplier, 10_000.0, 1.0)
    assert made[TUESDAY].impact * HE.multiplier * CENTS == pytest.approx(float(cents))
    assert made[TUESDAY].bars == {}


def test_slippage_is_drawn_as_in_the_replay() -> None:
    costs = CostConfig(seed=5, impact_y=0.4, scale=2.0)
    made = tapes_of(HE, CHICAGO, [TUESDAY], NO_BARS, arrays(), costs)[TUESDAY].impact
    day = np.array([(TUESDAY - date(1970, 1, 1)).days])
    typical = np.array([float(HE.liquidity.typical_daily_volume)])
    drawn = slippage_multiplier(costs, ("HE",), day, np.array([[10_000.0]]), typical)[0, 0]
    assert drawn != 1.0
    assert made == pytest.approx(0.4 * 2.0 * 0.02 * 85.0 / 100.0 * drawn)


def test_working_hours_and_a_dry_week_scale_cap_and_impact() -> None:
    market = arrays()
    factors = MarketArrays(
        **{name: getattr(market, name) for name in market.__dataclass_fields__}
        | {"cap_factor": np.array([[0.5], [np.nan]]), "impact_factor": np.array([[1.5], [np.nan]])}
    )
    plain, scaled = (
        tapes_of(HE, CHICAGO, [TUESDAY, date(2025, 3, 6)], NO_BARS, each, POINT) for each in (market, factors)
    )
    assert scaled[TUESDAY].day_cap == plain[TUESDAY].day_cap // 2
    assert scaled[TUESDAY].impact == pytest.approx(1.5 * plain[TUESDAY].impact)
    assert scaled[date(2025, 3, 6)] == plain[date(2025, 3, 6)]


@pytest.mark.parametrize(
    ("changed", "cap", "impact"),
    [
        ({"adv": [np.nan, 1.0]}, 0, 0.0),
        ({"adv": [0.0, 1.0]}, 0, 0.0),
        ({"sigma_daily": [np.nan, 1.0]}, 100, 0.0),
        ({"settle": [np.nan, 1.0]}, 100, 0.0),
    ],
    ids=["no volume", "dry", "no volatility", "no settle"],
)
def test_what_is_not_known_gives_no_liquidity_or_no_impact(
    changed: dict[str, list[float]], cap: int, impact: float
) -> None:
    market = HE.model_copy(update={"liquidity": HE.liquidity.model_copy(update={"participation_cap": 0.01})})
    made = tapes_of(market, CHICAGO, [TUESDAY], NO_BARS, arrays(**changed), CostConfig())[TUESDAY]
    assert (made.day_cap, made.impact) == (cap, impact)


def test_bars_are_those_known_at_their_own_cutoff() -> None:
    good = bars([("HE-2025-04", MONDAY, 85.0), ("HE-2025-06", MONDAY, 90.0), ("HE-2025-04", TUESDAY, 86.0)])
    good = good.with_columns(high=pl.col("settle") + 1.0)
    revised = good.head(1).with_columns(settle=pl.lit(85.5), known_at=pl.col("known_at") + timedelta(hours=1))
    late = good.head(1).with_columns(settle=pl.lit(99.0), known_at=pl.col("known_at") + timedelta(days=1))
    missing = good.head(1).with_columns(contract=pl.lit("HE-2025-08"), settle=pl.lit(None, pl.Float64))
    activity = good.head(1).with_columns(contract=pl.lit("HE-2025-10"), record=pl.lit("activity"))
    cutoffs = pl.DataFrame({"session": [MONDAY, TUESDAY]}).with_columns(
        pl.Series("cutoff", [CHICAGO.cutoff(d) for d in (MONDAY, TUESDAY)], dtype=pl.Datetime("us", "UTC"))
    )
    found = bars_known(pl.concat([good, revised, late, missing, activity]), cutoffs)
    assert found.columns == list(BAR_COLUMNS)
    assert found.select("session", "contract", "settle", "high").rows() == [
        (MONDAY, "HE-2025-04", 85.5, 86.0),
        (MONDAY, "HE-2025-06", 90.0, 91.0),
        (TUESDAY, "HE-2025-04", 86.0, 87.0),
    ]
    made = tapes_of(HE, CHICAGO, [MONDAY, TUESDAY], found, arrays(), CostConfig())
    assert made[TUESDAY].bars == {"HE-2025-04": DayBar(86.0, None, 87.0, None)}
    assert set(made[MONDAY].bars) == {"HE-2025-04", "HE-2025-06"}


@pytest.mark.parametrize(("cap", "steps", "step_cap"), [(0, 25, 0), (1, 25, 1), (25, 25, 1), (26, 25, 2), (100, 25, 4)])
def test_a_days_cap_is_spread_over_the_steps_rounded_up(cap: int, steps: int, step_cap: int) -> None:
    assert tape(day_cap=cap).step_cap(steps) == step_cap


def test_steps_are_equal_parts_of_the_window() -> None:
    instants = tape(minutes=275).instants(25)
    assert (len(instants), instants[0], instants[-1]) == (26, tape().opens_at, tape().opens_at + timedelta(minutes=275))
    assert {later - earlier for earlier, later in itertools.pairwise(instants)} == {timedelta(minutes=11)}
