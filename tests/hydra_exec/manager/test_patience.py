import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.state.records import Side
from hydra_exec.broker.port import Quote
from hydra_exec.config import PatienceConfig
from hydra_exec.manager.patience import Bounds, PatienceCode, Stance, Standing, stance, step_of, steps_to_cross
from hydra_exec.risk_gate import PriceGrid

B, S = Side.BUY, Side.SELL
AT = datetime(2025, 11, 3, 15, 0, tzinfo=UTC)
CONFIG = PatienceConfig(open_share=0.1, step_share=0.1, cross_share=0.5, end_share=0.9, max_quote_age_seconds=60.0)
"""Four steps from the near side to the far one."""
GRID = PriceGrid.of_tick(0.025)
WIDE = Bounds(GRID, 200.0, 0.5)
CHEAP = Bounds(GRID, 1.0, 0.5)
QUOTE = Quote(80.0, 80.4, AT)


def buy(share: float, quote: Quote | None = QUOTE, bounds: Bounds = WIDE, standing: Standing | None = None) -> Stance:
    return stance(B, share, quote, AT, standing, bounds, CONFIG)


def sell(share: float, quote: Quote | None = QUOTE, bounds: Bounds = CHEAP, standing: Standing | None = None) -> Stance:
    return stance(S, share, quote, AT, standing, bounds, CONFIG)


def test_steps_are_counted_from_the_opening() -> None:
    assert steps_to_cross(CONFIG) == 4
    assert [step_of(share, CONFIG) for share in (0.0, 0.0999, 0.1, 0.1999, 0.2, 0.3, 0.5, 0.9)] == [
        -1,
        -1,
        0,
        0,
        1,
        2,
        4,
        8,
    ]
    assert steps_to_cross(PatienceConfig()) == 7
    assert steps_to_cross(CONFIG.model_copy(update={"step_share": 1.0})) == 1
    assert steps_to_cross(CONFIG.model_copy(update={"cross_share": 0.1})) == 1


@pytest.mark.parametrize(
    ("share", "code", "bought", "sold"),
    [
        (0.1, PatienceCode.PASSIVE, 80.0, 80.4),
        (0.19, PatienceCode.PASSIVE, 80.0, 80.4),
        (0.2, PatienceCode.STEPPING, 80.1, 80.3),
        (0.3, PatienceCode.STEPPING, 80.2, 80.2),
        (0.49, PatienceCode.STEPPING, 80.3, 80.1),
        (0.5, PatienceCode.CROSSING, 80.4, 80.0),
        (0.89, PatienceCode.CROSSING, 80.4, 80.0),
    ],
)
def test_from_the_near_side_to_the_far_side(share: float, code: PatienceCode, bought: float, sold: float) -> None:
    assert buy(share) == Stance(code, bought)
    assert sell(share) == Stance(code, sold)


def test_between_two_ticks_it_stands_on_the_passive_one() -> None:
    narrow = Quote(80.0, 80.025, AT)
    assert buy(0.4, narrow) == Stance(PatienceCode.STEPPING, 80.0)
    assert sell(0.4, narrow) == Stance(PatienceCode.STEPPING, 80.025)


def test_before_and_after_the_window() -> None:
    assert buy(0.0999) == buy(-5.0) == Stance(PatienceCode.EARLY)
    assert buy(0.9) == buy(7.0) == Stance(PatienceCode.OVER)
    assert buy(0.9, None) == Stance(PatienceCode.OVER)
    assert buy(0.0, None) == Stance(PatienceCode.EARLY)


def test_what_cannot_be_believed() -> None:
    assert buy(0.3, None) == Stance(PatienceCode.NO_QUOTE)
    assert buy(0.3, Quote(80.0, 80.4, AT, live=False)) == Stance(PatienceCode.NO_QUOTE)
    assert buy(0.3, Quote(80.0, 80.4, AT - timedelta(seconds=60))).limit_price == 80.2
    assert buy(0.3, Quote(80.0, 80.4, AT - timedelta(seconds=61))) == Stance(PatienceCode.STALE_QUOTE)
    assert buy(0.6, Quote(80.4, 80.0, AT)) == sell(0.6, Quote(80.4, 80.0, AT)) == Stance(PatienceCode.INVERTED)


def test_a_locked_touch_is_both_sides() -> None:
    locked = Quote(80.2, 80.2, AT)
    assert buy(0.1, locked) == Stance(PatienceCode.PASSIVE, 80.2)
    assert sell(0.6, locked) == Stance(PatienceCode.CROSSING, 80.2)


@pytest.mark.parametrize("none", [None, math.nan, math.inf, 0.0, -1.0])
def test_one_side(none: float | None) -> None:
    bid_only, ask_only = Quote(80.0, none, AT), Quote(none, 80.4, AT)
    for share in (0.1, 0.4, 0.8):
        assert buy(share, bid_only) == Stance(PatienceCode.PASSIVE, 80.0)
        assert sell(share, ask_only) == Stance(PatienceCode.PASSIVE, 80.4)
    assert buy(0.49, ask_only) == sell(0.49, bid_only) == Stance(PatienceCode.FAR_SIDE_ONLY)
    assert buy(0.5, ask_only) == Stance(PatienceCode.CROSSING, 80.4)
    assert sell(0.5, bid_only) == Stance(PatienceCode.CROSSING, 80.0)
    assert buy(0.5, Quote(none, none, AT)) == Stance(PatienceCode.NO_QUOTE)


def test_it_gives_up_rather_than_chase() -> None:
    tight = Bounds(GRID, 80.25, 0.5)
    assert buy(0.3, bounds=tight) == Stance(PatienceCode.STEPPING, 80.2)
    assert buy(0.5, bounds=tight) == Stance(PatienceCode.AT_BOUND, 80.25)
    assert buy(0.1, Quote(81.0, 81.4, AT), tight) == Stance(PatienceCode.AT_BOUND, 80.25)
    dear = Bounds(GRID, 80.15, 0.5)
    assert sell(0.3, bounds=dear) == Stance(PatienceCode.STEPPING, 80.2)
    assert sell(0.5, bounds=dear) == Stance(PatienceCode.AT_BOUND, 80.15)
    # Between two ticks the worst price is rounded to where it is not passed.
    assert buy(0.5, bounds=Bounds(GRID, 80.26, 0.5)) == Stance(PatienceCode.AT_BOUND, 80.25)
    assert sell(0.5, bounds=Bounds(GRID, 80.14, 0.5)) == Stance(PatienceCode.AT_BOUND, 80.15)


def test_it_stays_within_the_collar_around_the_middle() -> None:
    wide = Quote(70.0, 90.0, AT)  # a middle of 80, five per cent of it are 4
    assert buy(0.5, wide, Bounds(GRID, 200.0, 0.05)) == Stance(PatienceCode.AT_BOUND, 84.0)
    assert sell(0.5, wide, Bounds(GRID, 1.0, 0.05)) == Stance(PatienceCode.AT_BOUND, 76.0)
    assert buy(0.5, Quote(None, 80.0, AT), Bounds(GRID, 200.0, 0.05)) == Stance(PatienceCode.CROSSING, 80.0)


def test_a_price_below_the_first_tick_is_none() -> None:
    assert buy(0.1, Quote(0.01, 0.4, AT)) == Stance(PatienceCode.NO_QUOTE)


def test_our_own_limit_as_the_touch_does_not_carry_us_further() -> None:
    # Step 1 took a buy to 80.1, and now 80.1 is the bid: within the step it stays, with the next it goes on evenly.
    own = Quote(80.1, 80.4, AT)
    assert buy(0.25, own, standing=Standing(80.1, 1)) == Stance(PatienceCode.STEPPING, 80.1)
    assert buy(0.3, own, standing=Standing(80.1, 1)) == Stance(PatienceCode.STEPPING, 80.2)
    assert sell(0.3, Quote(80.0, 80.3, AT), standing=Standing(80.3, 1)) == Stance(PatienceCode.STEPPING, 80.2)
    # Somebody else's 80.1 is the near side from which the way is counted.
    assert buy(0.3, own, standing=Standing(80.0, 0)) == Stance(PatienceCode.STEPPING, 80.25)
    assert buy(0.3, own) == Stance(PatienceCode.STEPPING, 80.25)
    # A limit of a later step than this one does not go back, one of the last has no way left but to cross.
    assert buy(0.2, own, standing=Standing(80.1, 3)).limit_price == 80.1
    assert buy(0.45, own, standing=Standing(80.1, 4)).limit_price == 80.1


@given(
    side=st.sampled_from(Side),
    share=st.floats(0.1, 0.899),
    bid=st.integers(2_000, 4_000),
    spread=st.integers(0, 80),
    worst=st.integers(2_000, 4_000),
    collar=st.floats(0.001, 0.1),
    standing=st.none() | st.tuples(st.integers(2_000, 4_000), st.integers(0, 8)),
)
def test_a_limit_is_on_the_grid_and_within_every_bound(
    side: Side,
    share: float,
    bid: int,
    spread: int,
    worst: int,
    collar: float,
    standing: tuple[int, int] | None,
) -> None:
    quote = Quote(bid * 0.025, (bid + spread) * 0.025, AT)
    bounds = Bounds(GRID, worst * 0.025, collar)
    own = Standing(standing[0] * 0.025, standing[1]) if standing else None
    found = stance(side, share, quote, AT, own, bounds, CONFIG)
    price = found.limit_price
    assert price is not None
    assert GRID.has(price)
    assert quote.mid is not None
    assert quote.ask is not None
    assert quote.bid is not None
    slack = 1e-6
    if side is B:
        assert price <= min(bounds.worst_price, quote.mid * (1 + collar), quote.ask) + slack
    else:
        assert price >= max(bounds.worst_price, quote.mid * (1 - collar), quote.bid) - slack
