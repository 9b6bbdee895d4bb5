"""The whole report: figures by hand, the same bytes twice, and input that cannot be judged."""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest

from hydra_assets.replay.breakers import BreakerConfig
from hydra_assets.replay.decisions import DecisionKind, Decisions
from hydra_assets.replay.fills import FillConfig, FillMode
from hydra_assets.replay.sizing import SizingConfig
from hydra_assets.replay.tables import ReplayConfig
from hydra_assets.stress.frame import REPORT_SCHEMA, UNITS, report_frame
from hydra_assets.stress.plan import (
    BootstrapPaths,
    CopulaPaths,
    FlashMove,
    Scenario,
    StressLimits,
    StressPlan,
    VolExplosion,
)
from hydra_assets.stress.records import StressReason, StressReport
from hydra_assets.stress.report import stress_report
from tests.hydra_assets.replay.worlds import FREE, config, world
from tests.hydra_assets.stress.worlds import earning, known_lots

BLOCKS = BootstrapPaths(paths=25, block_sessions=20)
SMALL = StressPlan(stationary_bootstrap=BLOCKS, copula=CopulaPaths(paths=25))
NO_PATHS = StressPlan(
    least_sessions=20, dates=1, stationary_bootstrap=BootstrapPaths(paths=0), copula=CopulaPaths(paths=0)
)


@cache
def report(seed: int = 0) -> StressReport:
    market, decisions = earning()
    return stress_report(market, decisions, ReplayConfig(), SMALL.model_copy(update={"seed": seed}))


def row(frame: pl.DataFrame, scenario: Scenario) -> dict[str, Any]:
    return frame.row(by_predicate=pl.col("scenario") == scenario.value, named=True)


def test_a_crash_by_hand() -> None:
    """Long 2 and short 1 lots of 32,000; 16 % down in session 2, half of it back in two sessions, no costs.

    -5,120, then +1,280 twice: -2,560 in the end. Drawdown 5,120 / 1,000,000. Held 3 x 32,000 / 1,000,000 = 0.096. The
    peak of 1,000,000 is not seen again. The most traded is 2 lots of 10,000, of a cap of 100.
    """
    market, decisions = known_lots(2.0, -1.0)
    plan = NO_PATHS.model_copy(update={"flash": FlashMove(recovery_sessions=2)})
    made = stress_report(market, decisions, config(capital=1_000_000.0, costs=FREE), plan)
    found = row(report_frame(made), Scenario.FLASH_CRASH)
    exact = {"scenario": "flash_crash", "stress_reason": "ok", "paths": 1, "net": -2_560.0, "net_change": -2_560.0}
    exact |= {"sessions_to_recover": None, "unrecovered_paths": 1, "breaker_trips": 0.0, "ruin_paths": 0}
    assert {name: found[name] for name in exact} == exact
    close = {"max_drawdown": 0.00512, "drawdown_change": 0.00512, "worst_session": -0.00512, "held_into_stress": 0.096}
    close |= {"participation_max": 0.0002, "participation_of_cap_max": 0.02}
    assert {name: found[name] for name in close} == pytest.approx(close)
    result = made.result(Scenario.FLASH_CRASH)
    assert result is not None
    assert result.paths[0].held_lots == (2, -1)
    assert made.result(Scenario.FLASH_SPIKE).reason is StressReason.NOTHING_AT_STAKE  # type: ignore[union-attr]
    assert made.passed


def test_every_scenario_is_reported_in_the_schema() -> None:
    frame = report_frame(report())
    assert frame.schema == pl.Schema(REPORT_SCHEMA)
    assert frame["scenario"].to_list() == [scenario.value for scenario in Scenario]
    assert set(UNITS) == set(REPORT_SCHEMA)
    assert frame["paths"].to_list() == [1, 25, 25, 3, 3, 3, 3, 3, 3]
    assert frame["sharpe"].null_count() == 0
    assert frame["breaker_trips"].sum() > 0.0


def test_participation_is_never_above_the_cap() -> None:
    frame = report_frame(report())
    assert frame["participation_of_cap_max"].max() <= 1.0
    assert frame["participation_of_cap_max"].min() > 0.5  # type: ignore[operator]


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    again = report.__wrapped__(0)
    assert again == report(0)
    other = report.__wrapped__(1)
    drawn = Scenario.STATIONARY_BOOTSTRAP, Scenario.COPULA
    for scenario in Scenario:
        assert (other.result(scenario) == again.result(scenario)) is (scenario not in drawn)


def test_blocks_are_several_horizons_long_unless_told_otherwise() -> None:
    """300 sessions: a tenth is 30; four horizons of five are 20, and the returns here ask for less."""
    market, decisions = earning()
    plan = SMALL.model_copy(update={"stationary_bootstrap": BootstrapPaths(paths=1)})
    assert stress_report(market, decisions, ReplayConfig(), plan).block_sessions == 20
    assert report().block_sessions == 20
    assert report().copula_degrees is not None


def test_the_luck_of_the_paths_lies_around_the_past() -> None:
    """The unstressed Sharpe ratio is inside the band of the bootstrap, whose width is that of 300 sessions: 3."""
    frame = report_frame(report())
    base, drawn = row(frame, Scenario.UNSTRESSED), row(frame, Scenario.STATIONARY_BOOTSTRAP)
    assert drawn["sharpe_p05"] < base["sharpe"] < drawn["sharpe_p95"]
    assert 1.0 < drawn["sharpe_p95"] - drawn["sharpe_p05"] < 6.0


def test_ruin() -> None:
    """Twenty times the volatility target and no breakers: eight volatilities at once are more than the account."""
    told = ReplayConfig(
        capital=1_000_000.0,
        breakers=None,
        sizing=SizingConfig(
            kelly_fraction=1.0, volatility_target=10.0, margin_share=1.0, margin_daily_sigmas=0.1, adv_share=1.0
        ),
    )
    market, decisions = earning()
    large = replace(market, terms=replace(market.terms, max_position_contracts=np.full(3, 1e6)))
    sure = Decisions(DecisionKind.PROBABILITY, np.where(decisions.values > 0.5, 0.9, 0.1))
    made = stress_report(large, sure, told, SMALL)
    assert made.reason is StressReason.RUIN
    assert made.findings[0].scenario is not None


def test_a_drawdown_beyond_the_limit() -> None:
    tight = SMALL.model_copy(update={"limits": StressLimits(max_drawdown_p95=0.001)})
    market, decisions = earning()
    made = stress_report(market, decisions, ReplayConfig(), tight)
    assert made.reason is StressReason.DRAWDOWN_BEYOND_LIMIT
    assert not made.passed


def test_a_breaker_that_cannot_sell_is_stuck() -> None:
    """Volume falls from 10,000 to 50 in session 10: 6 lots are more than ten sessions of half a lot, so the breaker
    trips; 1 % of 50 is no lot, so the position can never be left."""
    market, decisions = known_lots(6.0, sessions=100)
    adv = np.full(market.settle.shape, 10_000.0)
    adv[10:] = 50.0
    told = config(capital=1_000_000.0, costs=FREE, breakers=BreakerConfig())
    made = stress_report(replace(market, adv=adv), decisions, told, NO_PATHS)
    assert made.reason is StressReason.BREAKER_STUCK
    base = made.result(Scenario.UNSTRESSED)
    assert base is not None
    assert (base.paths[0].breaker_trips, base.paths[0].breakers_recovered, base.paths[0].breakers_stuck) == (1, 0, 1)


def test_too_few_sessions() -> None:
    made = stress_report(*earning(sessions=125), ReplayConfig(), StressPlan())
    assert made.reason is StressReason.TOO_FEW_SESSIONS
    assert made.results == ()
    assert report_frame(made).schema == pl.Schema(REPORT_SCHEMA)


def test_no_decision_at_all() -> None:
    market, decisions = earning()
    nothing = Decisions(DecisionKind.PROBABILITY, np.full(decisions.values.shape, np.nan))
    assert stress_report(market, nothing, ReplayConfig(), SMALL).reason is StressReason.NO_DECISION
    unrated = Decisions(DecisionKind.PROBABILITY, decisions.values, np.full(market.settle.shape, np.nan))
    assert stress_report(market, unrated, ReplayConfig(), SMALL).reason is StressReason.NO_DECISION


def test_sessions_before_the_first_decision_are_left_out() -> None:
    """40 sessions without a decision before: the same as without them, with the places moved."""
    market, decisions = earning()
    late = decisions.values.copy()
    late[:, :40] = np.nan
    made = stress_report(market, Decisions(decisions.kind, late), ReplayConfig(), SMALL)
    names = ("settle", "held_change", "sigma_daily", "adv", "roll", "tradable", "days")
    cut = replace(market, **{name: getattr(market, name)[40:] for name in names})
    expected = stress_report(cut, Decisions(decisions.kind, decisions.values[:, 40:]), ReplayConfig(), SMALL)
    assert (made.first_session, made.sessions) == (40, 260)
    assert made == replace(expected, first_session=40)


def test_no_market_at_all() -> None:
    market, decisions = earning()
    closed = replace(market, tradable=np.zeros(market.settle.shape, dtype=np.bool_))
    assert stress_report(closed, decisions, ReplayConfig(), SMALL).reason is StressReason.NO_DECISION


def test_decisions_that_never_trade() -> None:
    market, decisions = earning()
    even = Decisions(DecisionKind.PROBABILITY, np.full(decisions.values.shape, 0.5))
    made = stress_report(market, even, ReplayConfig(), SMALL)
    assert made.reason is StressReason.NEVER_TRADED
    assert [result.scenario for result in made.results] == [Scenario.UNSTRESSED]
    assert report_frame(made)["sharpe"].to_list() == [None]


def test_missing_decisions_and_a_missing_market_are_said_and_the_rest_is_stressed() -> None:
    market, decisions = earning()
    settle, change = market.settle.copy(), market.held_change.copy()
    settle[:, 1], change[:, 1] = np.nan, np.nan
    values = decisions.values.copy()
    values[:, ::2] = np.nan
    values[:, 1::10] = np.nan
    few = Decisions(DecisionKind.PROBABILITY, values)
    made = stress_report(replace(market, settle=settle, held_change=change), few, ReplayConfig(), SMALL)
    reasons = {finding.reason for finding in made.findings}
    assert {StressReason.MARKET_MISSING, StressReason.DECISIONS_MOSTLY_MISSING} <= reasons
    assert "SIM_1" in next(f.message for f in made.findings if f.reason is StressReason.MARKET_MISSING)
    bootstrap, copula = made.result(Scenario.STATIONARY_BOOTSTRAP), made.result(Scenario.COPULA)
    assert bootstrap is not None
    assert len(bootstrap.paths) == 25
    assert copula is not None
    assert copula.reason is StressReason.TOO_FEW_SESSIONS


def test_what_a_programmer_got_wrong_is_an_error() -> None:
    market, decisions = earning(sessions=130)
    with pytest.raises(ValueError, match="prices"):
        stress_report(market, Decisions(decisions.kind, decisions.values[:, :-1]), ReplayConfig())
    with pytest.raises(ValueError, match="limit orders"):
        stress_report(market, decisions, ReplayConfig(fills=FillConfig(mode=FillMode.LIMIT)))
    with pytest.raises(ValueError, match="outside"):
        stress_report(market, Decisions(decisions.kind, decisions.values + 1.0), ReplayConfig())


def test_a_stress_that_leaves_no_trace_changes_nothing_in_the_row() -> None:
    market, decisions = earning()
    plan = NO_PATHS.model_copy(update={"vol_explosion": VolExplosion(factor=1.0)})
    found = row(report_frame(stress_report(market, decisions, ReplayConfig(), plan)), Scenario.VOL_EXPLOSION)
    assert (found["net_change"], found["drawdown_change"], found["breaker_trips_change"]) == (0.0, 0.0, 0.0)


def test_a_market_that_stops_trading_is_still_stressed() -> None:
    market, decisions = earning()
    tradable = market.tradable.copy()
    tradable[150:, 0] = False
    made = stress_report(replace(market, tradable=tradable), decisions, ReplayConfig(), SMALL)
    assert len(made.results) == len(Scenario)


def test_prices_of_one_market_only() -> None:
    market, decisions = earning(markets=1)
    made = stress_report(market, decisions, ReplayConfig(), SMALL)
    assert made.result(Scenario.COPULA).reason is StressReason.OK  # type: ignore[union-attr]
    flat = world(np.full(300, 80.0))
    assert stress_report(flat, decisions, ReplayConfig(), SMALL).result(Scenario.COPULA) is not None
