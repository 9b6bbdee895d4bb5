"""Hand-computed books. One lot moves 400 a unit of price; half-spread 6, fee 2.50; 512 cents x lots^1.5 of impact."""

from datetime import date
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from hydra_assets.labels.make import make_labels
from hydra_assets.labels.spec import FixedHorizon
from hydra_assets.replay.batched import replay
from hydra_assets.replay.breakers import BreakerReason, BreakerState
from hydra_assets.replay.decisions import DecisionKind, Decisions
from hydra_assets.replay.fills import FillConfig, FillMode
from hydra_assets.replay.market import FAULTS, MarketFault
from hydra_assets.replay.result import CostKind, ReplayResult
from hydra_assets.replay.tables import ReplayConfig
from tests.hydra_assets.replay.worlds import FREE, MULTIPLIER, config, lots, only, terms, world

NAN = float("nan")
A, T, C = BreakerState.ACTIVE, BreakerState.TRIGGERED, BreakerState.COOLDOWN


def held(result: ReplayResult) -> list[int]:
    """Positions of the one candidate in its one market."""
    assert result.positions is not None
    return [int(lot) for lot in result.positions[0, :, 0]]


def test_a_decision_earns_from_the_settle_it_is_filled_at() -> None:
    # Wanted at 80; filled at the settle of 81; so it earns 81 -> 83 and nothing of 80 -> 81.
    result = replay(world([80.0, 81.0, 83.0, 83.0]), lots(1, 0, 0, 0), config(costs=FREE))
    assert held(result) == [0, 1, 0, 0]
    assert result.gross[0].tolist() == [0.0, 0.0, 800.0, 0.0]
    assert result.equity[0].tolist() == [100_000.0, 100_000.0, 100_800.0, 100_800.0]


@pytest.mark.parametrize("t", [0, 1, 4])
def test_label_and_profit_are_about_the_same_window(t: int) -> None:
    # Wanted from the cutoff of t for as long as the label looks: the profit is the label's return on the entry's value.
    # Five sessions before come first: a label needs a volatility.
    before = [80.0, 81.0, 80.0, 79.0, 80.0]
    prices = [*before, 80.0, 81.0, 83.0, 82.0, 86.0, 85.0, 84.0, 88.0, 87.0, 90.0, 91.0]
    n, decided, spec = len(prices), len(before) + t, FixedHorizon(vol_sessions=5)
    held = pl.DataFrame(
        {
            "market": "SIM_0",
            "session": [date(2020, 1, day + 1) for day in range(n)],
            "held_contract": "A",
            "held_return": [None] + [b / a - 1.0 for a, b in pairwise(prices)],
            "round_trip_cost": 0.0,
        }
    )
    label = make_labels(held, spec)["label_return"][decided]
    wanted = [1 if decided <= s < decided + spec.horizon_sessions else 0 for s in range(n)]
    result = replay(world(prices), lots(*wanted), config(costs=FREE))
    assert result.gross[0].sum() == pytest.approx(label * prices[decided + 1] * MULTIPLIER)


def test_at_the_open_the_session_of_the_fill_counts_from_its_price() -> None:
    # Bought at 80.5, settle 81: 200. Then 81 -> 83 is 800 carried, and the sale at 82.5 misses 200 of it.
    market = world([80.0, 81.0, 83.0], open=[80.0, 80.5, 82.5])
    result = replay(market, lots(1, 0, 0), config(costs=FREE, fills=FillConfig(mode=FillMode.NEXT_OPEN)))
    assert result.gross[0].tolist() == [0.0, 200.0, 600.0]


def test_costs_by_hand() -> None:
    # Four lots: spread 24, fee 10, impact 512 * 8 = 4,096 cents.
    result = replay(world([80.0, 80.0]), lots(4, 4), config())
    assert [float(result.cost(kind)[0, 1]) for kind in CostKind] == [24.0, 10.0, 40.96, 0.0]
    assert result.net[0, 1] == -74.96
    assert result.turnover_lots[0].tolist() == [0, 4]


def test_costs_use_the_volume_before_the_session() -> None:
    # A quarter of the volume doubles the impact, one session later.
    market = world([80.0] * 4, adv=[10_000.0, 2_500.0, 10_000.0, 10_000.0])
    result = replay(market, lots(1, 2, 3, 3), config())
    assert result.cost(CostKind.IMPACT)[0].tolist() == [0.0, 5.12, 10.24, 5.12]


def test_what_does_not_fit_is_carried_over() -> None:
    # A cap of 1 % of 350: three lots a session. Ten wanted: 3, 6, 9, 10.
    result = replay(world([80.0] * 6, adv=350.0, terms=terms()), lots(10, 10, 10, 10, 10, 10), _uncapped())
    assert held(result) == [0, 3, 6, 9, 10, 10]
    # Out again the same way; a changed mind replaces the rest of the order.
    result = replay(world([80.0] * 6, adv=350.0), lots(10, 10, 0, 0, 5, 5), _uncapped())
    assert held(result) == [0, 3, 6, 3, 0, 3]


def _uncapped() -> ReplayConfig:
    cfg = config()
    return cfg.model_copy(update={"sizing": cfg.sizing.model_copy(update={"adv_share": 1.0})})


def test_a_position_is_capped_by_volume_and_by_the_markets_limit() -> None:
    # 5 % of 350 is 17.5; the limit of five lots is tighter.
    assert held(replay(world([80.0] * 3, adv=10_000.0), lots(150, 150, 0), config()))[1] == 100
    small = world([80.0] * 3, adv=10_000.0, terms=terms(max_position_contracts=5.0))
    assert held(replay(small, lots(-9, -9, 0), config())) == [0, -5, -5]


def test_a_limit_needs_a_bar_through_it_and_pays_the_spread_in_its_price() -> None:
    # The limit of a buy from 80 is 80.025. Low 80.025 touches: no. Low 80.0 is through it.
    bars = {"low": [80.0, 80.025, 80.0], "high": [80.0, 80.5, 80.5]}
    limit = FillConfig(mode=FillMode.LIMIT)
    result = replay(world([80.0, 80.0, 80.1], **bars), lots(1, 1, 1), config(fills=limit))
    assert held(result) == [0, 0, 1]
    # Bought at 80.025, settle 80.1: 30; fee 2.50 and impact 5.12, no spread besides.
    assert result.gross[0, 2] == 30.0
    assert [float(result.cost(kind)[0, 2]) for kind in CostKind] == [0.0, 2.5, 5.12, 0.0]
    # A sale stands at 79.975 and is through at a high of 80.
    sale = replay(world([80.0, 80.1], low=[79.0, 80.1], high=[79.0, 80.0]), lots(-2, -2), config(fills=limit))
    assert held(sale) == [0, -2]
    assert sale.gross[0, 1] == pytest.approx(-2 * 50.0)


def test_a_roll_pays_both_contracts_for_what_is_kept() -> None:
    # Four kept: both sides 2 * 4 * (6 + 2.5) = 68 and 2 * 40.96 of impact.
    rolling = world([80.0] * 3, roll=[False, False, True])
    result = replay(rolling, lots(4, 4, 4), config())
    assert result.cost(CostKind.ROLL)[0].tolist() == [0.0, 0.0, 149.92]
    assert result.turnover_lots[0].tolist() == [0, 4, 8]
    # Four to three: one is only sold, three are sold and bought: 51 and 2 * round(512 * 3^1.5 = 2,660.4) cents.
    result = replay(rolling, lots(4, 3, 3), config())
    assert result.cost(CostKind.ROLL)[0, 2] == 104.2
    assert result.turnover_lots[0, 2] == 7
    # Through zero nothing is kept.
    assert replay(rolling, lots(4, -3, -3), config()).cost(CostKind.ROLL)[0, 2] == 0.0


def test_a_roll_waits_for_a_session_that_trades() -> None:
    market = world(
        [80.0] * 6, roll=[False, False, True, False, False, False], tradable=[True, True, False, True, True, True]
    )
    rolled = replay(market, lots(4, 4, 4, 4, 4, 4), config()).cost(CostKind.ROLL)[0]
    # Session 2 does not trade; in session 3 the inputs of session 2 cannot be used; so it is session 4.
    assert np.flatnonzero(rolled).tolist() == [4]


def test_a_missing_decision_sends_no_order_and_is_counted() -> None:
    result = replay(world([80.0] * 5, adv=300.0), lots(9, NAN, 9, NAN, 9), _uncapped())
    # Three are filled from the first decision; the rest of the order is not vouched for after the second.
    assert held(result) == [0, 3, 3, 6, 6]
    assert result.missing_decisions[0].tolist() == [0, 1, 0, 1, 0]
    nothing = Decisions(DecisionKind.PROBABILITY, np.full((1, 5, 1), NAN))
    result = replay(world([80.0] * 5), nothing, config())
    assert held(result) == [0] * 5
    assert result.missing_decisions.sum() == 4


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (DecisionKind.PROBABILITY, 1.01),
        (DecisionKind.PROBABILITY, -0.01),
        (DecisionKind.KELLY, 1.5),
        (DecisionKind.LOTS, np.inf),
    ],
)
def test_an_impossible_decision_is_an_error_even_beside_a_missing_one(kind: DecisionKind, value: float) -> None:
    values = np.array([[[NAN], [value], [0.5]]])
    with pytest.raises(ValueError, match="not a finite number"):
        replay(world([80.0] * 3), Decisions(kind, values), config())


def test_a_size_factor_outside_its_range_is_an_error() -> None:
    with pytest.raises(ValueError, match="size factor"):
        replay(world([80.0] * 2), Decisions(DecisionKind.LOTS, np.ones((1, 2, 1)), np.full((2, 1), 1.5)), config())


def test_a_market_that_stops_is_carried_then_left_when_it_trades_again() -> None:
    # Sessions 3 to 5 without a price; two in a row are tolerated; the change over the gap comes with the next settle.
    market = world([80.0, 80.0, 80.0, NAN, NAN, NAN, 78.0, 78.0, 78.0, 78.0])
    breakers = only(max_stale_sessions=2, cooldown_sessions=2)
    result = replay(market, lots(*[4] * 10), config(costs=FREE, breakers=breakers))
    assert held(result) == [0, 4, 4, 4, 4, 4, 4, 0, 0, 0]
    assert result.gross[0].tolist() == [0.0] * 6 + [-3_200.0, 0.0, 0.0, 0.0]
    moves = result.breakers.of(0)
    assert [(m.session, m.market, m.before, m.after, m.reason) for m in moves] == [
        (5, 0, A, T, BreakerReason.STALE_DATA),
        (7, 0, T, C, BreakerReason.STALE_DATA),
        (9, 0, C, A, BreakerReason.STALE_DATA),
    ]
    assert [FAULTS[code] for code in result.fault[3:6, 0]] == [MarketFault.BAD_PRICE] * 3


def test_a_negative_price_is_booked_and_not_traded() -> None:
    # 80 -> -37.63 -> 10: -117.63 * 400 = -47,052, then 47.63 * 400 = 19,052.
    result = replay(world([80.0, 80.0, -37.63, 10.0, 10.0]), lots(1, 1, 0, 0, 0), config(costs=FREE))
    assert result.gross[0].tolist() == [0.0, 0.0, -47_052.0, 19_052.0, 0.0]
    # Filled at 80; the order to leave, given at 80, meets a price that is none; the one given there is none either.
    assert held(result) == [0, 1, 1, 1, 0]


def test_without_volume_nothing_trades() -> None:
    result = replay(world([80.0] * 4, adv=[0.0, 0.0, 10_000.0, 10_000.0]), lots(1, 1, 1, 1), config())
    assert held(result) == [0, 0, 0, 1]
    assert [FAULTS[code] for code in result.fault[:2, 0]] == [MarketFault.NO_VOLUME] * 2


def test_one_drawdown_does_not_end_trading() -> None:
    # 100,000 with ten lots from 80: a fall to 75 is -20,000, beyond 15 %. Flat next session, two of rest, then again.
    prices = [80.0, 80.0, 75.0, 75.0, 75.0, 75.0, 75.0, 74.0, 74.0]
    result = replay(
        world(prices), lots(*[10] * 9), config(costs=FREE, breakers=only(drawdown=0.15, cooldown_sessions=2))
    )
    assert held(result) == [0, 10, 10, 0, 0, 0, 10, 10, 10]
    assert [BreakerState(s) for s in result.account_state[0]] == [A, A, T, C, C, A, A, A, A]
    # 76,000 is 24 % below the old peak and 5 % below the new one of 80,000: it goes on.
    assert result.equity[0, -1] == 76_000.0
    assert [m.reason for m in result.breakers.of(0)] == [BreakerReason.DRAWDOWN] * 3


def test_a_bad_trade_closes_its_own_market_only() -> None:
    # Ten lots lose 1 unit, 4,000 of 100,000, in the first market; the second goes on.
    market = world([[80.0, 80.0], [80.0, 80.0], [79.0, 80.0], [79.0, 80.0], [79.0, 80.0]])
    wanted = Decisions(DecisionKind.LOTS, np.full((1, 5, 2), 10.0))
    result = replay(market, wanted, config(costs=FREE, breakers=only(single_trade_loss=0.03, cooldown_sessions=9)))
    assert result.positions is not None
    assert result.positions[0, :, 0].tolist() == [0, 10, 10, 0, 0]
    assert result.positions[0, :, 1].tolist() == [0, 10, 10, 10, 10]
    assert result.account_state.sum() == 0


def test_a_trades_loss_adds_up_over_sessions_and_starts_anew_with_the_next() -> None:
    # -0.5 a session is -2,000: beyond 3,000 at the second. The trade from 79.5 after turning starts at nothing.
    breakers = only(single_trade_loss=0.03, cooldown_sessions=9)
    falling = world([80.0, 80.0, 79.5, 79.0, 79.0])
    assert held(replay(falling, lots(*[10] * 5), config(costs=FREE, breakers=breakers))) == [0, 10, 10, 10, 0]
    turned = world([80.0, 80.0, 79.5, 80.0, 80.0])
    assert held(replay(turned, lots(10, -10, -10, -10, -10), config(costs=FREE, breakers=breakers))) == [
        0,
        10,
        -10,
        -10,
        -10,
    ]


def test_a_trade_that_was_closed_has_no_loss_left() -> None:
    # Ten lots sold at the open of 80, before a settle of 81: 4,000 carried and 4,000 given back is a trade of nothing.
    market = world([80.0, 80.0, 81.0, 81.0], open=[80.0, 80.0, 80.0, 81.0])
    setting = config(
        costs=FREE,
        fills=FillConfig(mode=FillMode.NEXT_OPEN),
        breakers=only(single_trade_loss=0.03, cooldown_sessions=9),
    )
    result = replay(market, lots(10, 0, 0, 0), setting)
    assert result.gross[0].tolist() == [0.0, 0.0, 0.0, 0.0]
    assert held(result) == [0, 10, 0, 0]
    assert result.breakers.of(0) == ()


def test_a_drought_trips_participation() -> None:
    # Ten lots at a cap of 100 leave at once; at 0.9 lots a session they would need eleven sessions.
    market = world([80.0] * 6, adv=[10_000.0, 10_000.0, 90.0, 90.0, 10_000.0, 10_000.0])
    wide = _uncapped().model_copy(update={"breakers": only(exit_sessions=10.0)})
    result = replay(market, lots(*[10] * 6), wide)
    assert next((m.session, m.reason) for m in result.breakers.of(0)) == (2, BreakerReason.PARTICIPATION)
    assert held(result) == [0, 10, 10, 10, 10, 0]


def test_probabilities_are_sized_for_both_sides() -> None:
    # f* = 0.2, a quarter of it of 100,000 is 5,000; a lot loses 0.02 sqrt(5) 32,000 = 1,431.1: 3.49 lots.
    sized = config(costs=FREE)
    sized = sized.model_copy(
        update={
            "sizing": sized.sizing.model_copy(
                update={"kelly_fraction": 0.25, "volatility_target": 9.0, "margin_share": 1.0}
            )
        }
    )
    for p, expected in ((0.6, 3), (0.4, -3), (0.5, 0)):
        result = replay(world([80.0] * 2), Decisions(DecisionKind.PROBABILITY, np.full((1, 2, 1), p)), sized)
        assert held(result)[1] == expected


@pytest.mark.parametrize("mode", [FillMode.NEXT_OPEN, FillMode.LIMIT])
def test_prices_that_a_mode_needs_are_asked_for(mode: FillMode) -> None:
    with pytest.raises(ValueError, match="need"):
        replay(world([80.0] * 2), lots(1, 1), config(fills=FillConfig(mode=mode)))


def test_decisions_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="decisions are for"):
        replay(world([80.0] * 3), lots(1, 1), config())
    with pytest.raises(ValueError, match="not \\[candidate"):
        Decisions(DecisionKind.LOTS, np.zeros((2, 2)))
    with pytest.raises(ValueError, match="size_factor is"):
        Decisions(DecisionKind.LOTS, np.zeros((1, 2, 1)), np.zeros((3, 1)))
    with pytest.raises(ValueError, match="probability_down"):
        Decisions(DecisionKind.LOTS, np.zeros((1, 2, 1)), None, np.zeros((1, 2, 1)))
