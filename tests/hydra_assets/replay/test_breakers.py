import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.replay.breaker_arrays import Machines
from hydra_assets.replay.breakers import (
    TRANSITIONS,
    AccountFindings,
    Breaker,
    BreakerConfig,
    BreakerEvent,
    BreakerReason,
    BreakerState,
    MarketFindings,
    account_breach,
    market_breach,
)
from tests.hydra_assets.replay.worlds import only

A, T, C = BreakerState.ACTIVE, BreakerState.TRIGGERED, BreakerState.COOLDOWN


def test_the_table_is_one_ring() -> None:
    assert TRANSITIONS == {
        (A, BreakerEvent.BREACH): T,
        (T, BreakerEvent.FLAT): C,
        (C, BreakerEvent.COOLED): A,
    }


def test_a_machine_goes_round_and_takes_its_time() -> None:
    breaker = Breaker()
    seen = []
    #         breach at 1, flat at 3, three sessions of rest, active at 6
    for t, (breach, flat) in enumerate([(0, 1), (1, 0), (1, 0), (0, 1), (1, 1), (1, 1), (1, 1), (0, 1)]):
        breaker.advance(t, BreakerReason.DRAWDOWN if breach else None, bool(flat), cooldown=3)
        seen.append(breaker.state)
    assert seen == [A, T, T, C, C, C, A, A]
    assert breaker.reason is BreakerReason.DRAWDOWN


def test_the_first_reason_stays_until_the_next_trip() -> None:
    breaker = Breaker()
    breaker.advance(0, BreakerReason.POSITION, False, 1)
    breaker.advance(1, BreakerReason.SINGLE_TRADE, False, 1)
    assert breaker.reason is BreakerReason.POSITION


def _account(equity: int, before: int, peak: int, config: BreakerConfig) -> BreakerReason | None:
    return account_breach(AccountFindings(equity=equity, equity_before=before, peak=peak), config)


def test_a_daily_loss_beyond_its_share_trips() -> None:
    config = only(daily_loss=0.03)
    assert _account(9_700, 10_000, 10_000, config) is None  # exactly 3 % is not beyond
    assert _account(9_699, 10_000, 10_000, config) is BreakerReason.DAILY_LOSS
    assert _account(10_500, 10_000, 10_500, config) is None


def test_a_drawdown_is_from_the_peak_and_ruin_is_one() -> None:
    config = only(drawdown=0.15)
    assert _account(8_500, 8_600, 10_000, config) is None
    assert _account(8_499, 8_500, 10_000, config) is BreakerReason.DRAWDOWN
    assert _account(0, 0, 0, config) is BreakerReason.DRAWDOWN


def _market(config: BreakerConfig, **changes: float) -> BreakerReason | None:
    values = {"lots": -4, "trade_profit": 0, "equity": 100_000, "notional": 20_000.0, "cap": 2.0, "stale_sessions": 0}
    return market_breach(MarketFindings(**(values | changes)), config)  # type: ignore[arg-type]


def test_each_market_breaker_by_hand() -> None:
    # 4 lots of 20,000 are 0.8 of the equity.
    assert _market(only(position_multiple=0.8)) is None
    assert _market(only(position_multiple=0.79)) is BreakerReason.POSITION
    # Leaving takes two sessions.
    assert _market(only(exit_sessions=2.0)) is None
    assert _market(only(exit_sessions=1.99)) is BreakerReason.PARTICIPATION
    assert _market(only(exit_sessions=2.0), cap=1.9) is BreakerReason.PARTICIPATION
    assert _market(only(single_trade_loss=0.03), trade_profit=-3_000) is None
    assert _market(only(single_trade_loss=0.03), trade_profit=-3_001) is BreakerReason.SINGLE_TRADE
    assert _market(only(max_stale_sessions=3), stale_sessions=3) is None
    assert _market(only(max_stale_sessions=3), stale_sessions=4) is BreakerReason.STALE_DATA
    assert _market(only(max_stale_sessions=3), stale_sessions=4, lots=0) is None
    # What is not known trips nothing but staleness.
    unknown = only(position_multiple=0.01, exit_sessions=0.01, max_stale_sessions=0)
    assert _market(unknown, notional=np.nan, cap=np.nan) is None
    assert _market(unknown, notional=np.nan, cap=np.nan, stale_sessions=1) is BreakerReason.STALE_DATA


@given(
    findings=st.lists(
        st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans()), min_size=3, max_size=3), max_size=25
    ),
    cooldown=st.integers(1, 4),
)
def test_many_machines_move_as_each_one_would(findings: list[list[tuple[bool, bool, bool]]], cooldown: int) -> None:
    single = [Breaker(market=cell) for cell in range(3)]
    many = Machines(3, cooldown)
    for t, cells in enumerate(findings):
        expected = []
        for cell, (loss, drawdown, flat) in enumerate(cells):
            first = BreakerReason.DAILY_LOSS if loss else BreakerReason.DRAWDOWN if drawdown else None
            move = single[cell].advance(t, first, flat, cooldown)
            if move is not None:
                expected.append((cell, move.before, move.after))
        flat_cells = np.array([flat for _, _, flat in cells])
        breaches = [
            (reason, np.array([i for i, cell in enumerate(cells) if cell[column]], dtype=np.int64))
            for column, reason in enumerate((BreakerReason.DAILY_LOSS, BreakerReason.DRAWDOWN))
        ]
        moves = many.advance(t, breaches, flat_cells.__getitem__)
        assert sorted((int(cell), move.before, move.after) for move in moves for cell in move.cell) == expected
        assert many.state.tolist() == [breaker.state for breaker in single]
        assert many.resting == any(breaker.state for breaker in single)
