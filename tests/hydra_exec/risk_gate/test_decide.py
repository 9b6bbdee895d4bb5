"""Every denial of a decision, what reduces, and what no figure may be."""

import math
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.state.records import Side
from hydra_assets.state.system import SystemState
from hydra_exec.broker.port import BrokerKind
from hydra_exec.risk_gate import Exposure, GateCode, Generation, OrderWish, Situation, decide, generation
from hydra_exec.risk_gate.decide import within
from tests.support.gates import GOOD, LIMITS, WISH

EXIT = replace(WISH, side=Side.SELL, quantity=3, limit_price=79.975)
LONG = replace(GOOD, exposure=Exposure(held=9))


def test_a_good_order_passes() -> None:
    assert decide(WISH, LIMITS, GOOD).code is GateCode.PASSED
    assert decide(WISH, LIMITS, GOOD).passed


@pytest.mark.parametrize(
    ("order", "limits", "situation", "code"),
    [
        ({}, {}, {"exists": True}, GateCode.DUPLICATE),
        ({}, {}, {"champion_simulated": True, "broker": BrokerKind.IB}, GateCode.SIMULATED_CHAMPION),
        ({}, {}, {"system": SystemState.HALTED}, GateCode.HALTED),
        ({}, {}, {"system": SystemState.LOCKDOWN}, GateCode.HALTED),
        ({}, {}, {"has_champion": False}, GateCode.NO_CHAMPION),
        ({}, {}, {"breakers_active": False}, GateCode.BREAKER),
        ({}, {}, {"reconciled": False}, GateCode.UNRECONCILED),
        ({}, {}, {"settle": None}, GateCode.STALE_INPUT),
        ({}, {}, {"settle_age_sessions": None}, GateCode.STALE_INPUT),
        ({}, {}, {"settle_age_sessions": 1}, GateCode.STALE_INPUT),
        ({}, {}, {"settle_age_sessions": -1}, GateCode.STALE_INPUT),
        ({}, {}, {"settle": 0.0}, GateCode.STALE_INPUT),
        ({}, {}, {"settle": math.nan}, GateCode.STALE_INPUT),
        ({}, {}, {"settle": math.inf}, GateCode.STALE_INPUT),
        ({"limit_price": 80.03}, {}, {}, GateCode.BAD_PRICE),
        ({"limit_price": 0.0}, {}, {}, GateCode.BAD_PRICE),
        ({"limit_price": math.nan}, {}, {}, GateCode.BAD_PRICE),
        ({"limit_price": math.inf}, {}, {}, GateCode.BAD_PRICE),
        ({"limit_price": 84.025}, {}, {}, GateCode.PRICE_COLLAR),
        ({"limit_price": 75.975}, {}, {}, GateCode.PRICE_COLLAR),
        ({}, {"collar_fraction": math.nan}, {}, GateCode.PRICE_COLLAR),
        ({}, {"collar_fraction": math.inf}, {}, GateCode.PRICE_COLLAR),
        ({}, {}, {"sessions_to_end": 2}, GateCode.CONTRACT_NEAR_END),
        ({}, {}, {"sessions_to_end": None}, GateCode.CONTRACT_NEAR_END),
        ({}, {}, {"exposure": Exposure(4)}, GateCode.POSITION_LIMIT),
        ({}, {}, {"exposure": Exposure(1, working_buy=3)}, GateCode.POSITION_LIMIT),
        ({}, {}, {"other_lots": 3}, GateCode.POSITION_LIMIT),
        ({}, {}, {"other_lots": -3}, GateCode.POSITION_LIMIT),
        ({"side": Side.SELL, "quantity": 4}, {}, {"exposure": Exposure(-2)}, GateCode.POSITION_LIMIT),
        ({"side": Side.SELL}, {}, {"exposure": Exposure(-2, working_sell=2)}, GateCode.POSITION_LIMIT),
        ({"quantity": 4}, {"max_quantity": 3}, {}, GateCode.PARTICIPATION),
        # Three lots at 80 by 400 are 96,000.
        ({}, {}, {"equity": 95_999.0}, GateCode.NOTIONAL),
        ({}, {}, {"equity": None}, GateCode.NOTIONAL),
        ({}, {}, {"equity": math.nan}, GateCode.NOTIONAL),
        ({}, {}, {"equity": math.inf}, GateCode.NOTIONAL),
        ({}, {}, {"equity": -1_000_000.0}, GateCode.NOTIONAL),
        ({}, {"multiplier": math.nan}, {}, GateCode.NOTIONAL),
        ({}, {}, {"other_market_notional": 904_001.0}, GateCode.NOTIONAL),
        ({}, {}, {"other_account_notional": 1_904_001.0}, GateCode.NOTIONAL),
        ({}, {}, {"other_account_notional": math.nan}, GateCode.NOTIONAL),
        # Three lots by 2,000 are 6,000 beside the others' margin, of at most 500,000.
        ({}, {}, {"other_margin": 494_001.0}, GateCode.MARGIN),
        ({}, {}, {"margin_per_lot": 166_667.0}, GateCode.MARGIN),
        ({}, {}, {"margin_per_lot": None}, GateCode.MARGIN),
        ({}, {}, {"margin_per_lot": math.nan}, GateCode.MARGIN),
        ({}, {"max_margin_share": math.nan}, {}, GateCode.MARGIN),
    ],
)
def test_denials(
    order: dict[str, object], limits: dict[str, object], situation: dict[str, object], code: GateCode
) -> None:
    verdict = decide(replace(WISH, **order), replace(LIMITS, **limits), replace(GOOD, **situation))  # type: ignore[arg-type]
    assert verdict.code is code
    assert generation(code) is Generation.DECISION
    assert verdict.message


@pytest.mark.parametrize(
    ("order", "situation"),
    [
        ({}, {"champion_simulated": True}),
        ({}, {"broker": BrokerKind.IB}),
        ({}, {"system": SystemState.DEGRADED}),
        ({"limit_price": 84.0}, {}),
        ({"limit_price": 76.0}, {}),
        ({}, {"sessions_to_end": 4}),
        ({}, {"exposure": Exposure(3)}),
        ({}, {"exposure": Exposure(1, working_buy=2)}),
        ({}, {"exposure": Exposure(1, working_sell=99)}),
        ({}, {"other_lots": 2}),
        ({"quantity": 4}, {}),
        ({}, {"equity": 96_000.0}),
        ({}, {"other_market_notional": 904_000.0}),
        ({}, {"other_account_notional": 1_904_000.0}),
        ({}, {"other_margin": 494_000.0}),
    ],
)
def test_what_is_just_allowed(order: dict[str, object], situation: dict[str, object]) -> None:
    assert decide(replace(WISH, **order), LIMITS, replace(GOOD, **situation)).passed  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "figures"),
    [
        (GateCode.STALE_INPUT, {"settle": 80.0, "age_sessions": 2}),
        (GateCode.BAD_PRICE, {"limit_price": 80.03}),
        (GateCode.PRICE_COLLAR, {"limit_price": 90.0, "settle": 80.0, "collar_fraction": 0.05}),
        (GateCode.CONTRACT_NEAR_END, {"sessions_to_end": 1, "min_sessions_to_end": 3}),
        (GateCode.POSITION_LIMIT, {"lots_after": 6, "max_position": 5}),
        (GateCode.PARTICIPATION, {"quantity": 4, "max_quantity": 3}),
        (GateCode.NOTIONAL, {"market_notional": 96_000.0, "equity": 1.0, "max_share": 1.0}),
        (GateCode.MARGIN, {"margin": 506_000.0, "equity": 1_000_000.0, "max_share": 0.5}),
    ],
)
def test_figures_are_those_that_were_compared(code: GateCode, figures: dict[str, float]) -> None:
    changes = {
        GateCode.STALE_INPUT: (WISH, LIMITS, replace(GOOD, settle_age_sessions=2)),
        GateCode.BAD_PRICE: (replace(WISH, limit_price=80.03), LIMITS, GOOD),
        GateCode.PRICE_COLLAR: (replace(WISH, limit_price=90.0), LIMITS, GOOD),
        GateCode.CONTRACT_NEAR_END: (WISH, LIMITS, replace(GOOD, sessions_to_end=1)),
        GateCode.POSITION_LIMIT: (WISH, LIMITS, replace(GOOD, exposure=Exposure(4))),
        GateCode.PARTICIPATION: (replace(WISH, quantity=4), replace(LIMITS, max_quantity=3), GOOD),
        GateCode.NOTIONAL: (WISH, LIMITS, replace(GOOD, equity=1.0)),
        GateCode.MARGIN: (WISH, LIMITS, replace(GOOD, other_margin=500_000.0)),
    }
    verdict = decide(*changes[code])
    assert (verdict.code, dict(verdict.figures)) == (code, figures)


def test_unknown_figures_are_left_out_and_the_accounts_are_named() -> None:
    assert dict(decide(WISH, LIMITS, replace(GOOD, settle=None)).figures) == {}
    assert dict(decide(WISH, LIMITS, replace(GOOD, settle_age_sessions=None)).figures) == {}
    assert dict(decide(WISH, LIMITS, replace(GOOD, sessions_to_end=None)).figures) == {}
    assert dict(decide(WISH, LIMITS, replace(GOOD, equity=None)).figures) == {
        "market_notional": 96_000.0,
        "max_share": 1.0,
    }
    over = decide(WISH, LIMITS, replace(GOOD, other_account_notional=2e6))
    assert dict(over.figures) == {"account_notional": 2_096_000.0, "equity": 1e6, "max_share": 2.0}


def test_sentences_for_a_reader() -> None:
    assert decide(WISH, LIMITS, replace(GOOD, sessions_to_end=None)).message == "HE-2025-12 has unknown sessions left"
    assert decide(WISH, LIMITS, replace(GOOD, sessions_to_end=2)).message == "HE-2025-12 has 2 sessions left"
    assert decide(WISH, LIMITS, replace(GOOD, reconciled=False)).message.startswith("journal and broker differ")


def test_a_settle_below_one_is_a_settle() -> None:
    cheap = replace(GOOD, settle=0.5)
    assert decide(replace(WISH, limit_price=0.5), LIMITS, cheap).passed
    assert decide(replace(WISH, limit_price=0.55), LIMITS, cheap).code is GateCode.PRICE_COLLAR


@pytest.mark.parametrize(
    ("value", "bound", "is_within"),
    [
        (0.0, 0.0, True),
        (1e-300, 0.0, False),
        (-1.0, 0.0, True),
        (4.2000000000000028, 4.2, True),
        (4.20001, 4.2, False),
        (-80.0, -80.0, True),
        (-79.99, -80.0, False),
        (math.nan, 1.0, False),
        (1.0, math.nan, False),
        (1.0, math.inf, False),
        (-math.inf, 1.0, False),
    ],
)
def test_within(value: float, bound: float, is_within: bool) -> None:
    assert within(value, bound) is is_within


NO_RISK = {
    "system": SystemState.LOCKDOWN,
    "has_champion": False,
    "breakers_active": False,
    "reconciled": False,
    "settle_age_sessions": 7,
    "sessions_to_end": 0,
    "equity": 1.0,
    "margin_per_lot": None,
    "other_lots": 50,
}


def test_what_only_reduces_passes_whatever_forbids_new_risk() -> None:
    assert decide(EXIT, LIMITS, replace(LONG, **NO_RISK)).passed  # type: ignore[arg-type]
    assert decide(EXIT, LIMITS, replace(LONG, **(NO_RISK | {"equity": None}))).passed  # type: ignore[arg-type]
    cover = replace(WISH, quantity=3)
    assert decide(cover, LIMITS, replace(GOOD, **NO_RISK, exposure=Exposure(-3))).passed  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("order", "situation", "code"),
    [
        ({}, {"exists": True}, GateCode.DUPLICATE),
        ({}, {"champion_simulated": True, "broker": BrokerKind.IB}, GateCode.SIMULATED_CHAMPION),
        ({}, {"settle_age_sessions": 8}, GateCode.STALE_INPUT),
        ({"limit_price": 79.98}, {}, GateCode.BAD_PRICE),
        ({"limit_price": 75.0}, {}, GateCode.PRICE_COLLAR),
        ({"quantity": 5}, {}, GateCode.PARTICIPATION),
        ({}, {"equity": math.nan}, GateCode.NOTIONAL),
        ({}, {"other_market_notional": math.inf}, GateCode.NOTIONAL),
        ({}, {"other_margin": math.nan}, GateCode.MARGIN),
    ],
)
def test_what_not_even_a_reducing_order_may(
    order: dict[str, object], situation: dict[str, object], code: GateCode
) -> None:
    assert decide(replace(EXIT, **order), LIMITS, replace(LONG, **situation)).code is code  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("exposure", "side", "lots", "reduces"),
    [
        (Exposure(3), Side.SELL, 3, True),
        (Exposure(3), Side.SELL, 4, False),
        (Exposure(3), Side.BUY, 1, False),
        (Exposure(-3), Side.BUY, 3, True),
        (Exposure(-3), Side.BUY, 4, False),
        (Exposure(-3), Side.SELL, 1, False),
        (Exposure(0), Side.BUY, 1, False),
        (Exposure(0), Side.SELL, 1, False),
        (Exposure(3, working_sell=1), Side.SELL, 2, True),
        (Exposure(3, working_sell=1), Side.SELL, 3, False),
        (Exposure(3, working_buy=9), Side.SELL, 3, True),
        (Exposure(-3, working_buy=1), Side.BUY, 2, True),
        (Exposure(-3, working_buy=1), Side.BUY, 3, False),
        (Exposure(-3, working_sell=9), Side.BUY, 3, True),
    ],
)
def test_what_reduces(exposure: Exposure, side: Side, lots: int, reduces: bool) -> None:
    assert exposure.reduces(side, lots) is reduces


@pytest.mark.parametrize(("held", "lots", "passes"), [(9, 1, True), (9, 2, False), (0, 1, False), (-9, 1, False)])
def test_one_lot_of_what_only_reduces_passes_where_the_volume_bears_nothing(held: int, lots: int, passes: bool) -> None:
    order = replace(EXIT, quantity=lots)
    verdict = decide(order, replace(LIMITS, max_quantity=0, max_position=50), replace(GOOD, exposure=Exposure(held)))
    assert verdict.code is (GateCode.PASSED if passes else GateCode.PARTICIPATION)


def test_after_is_the_worst_case_of_its_own_side() -> None:
    exposure = Exposure(2, working_buy=3, working_sell=5)
    assert exposure.after(Side.BUY, 4) == 9
    assert exposure.after(Side.SELL, 4) == -7


def test_of_several_denials_the_first_in_the_order_of_the_codes_is_given() -> None:
    wrong = replace(
        GOOD, exists=True, champion_simulated=True, broker=BrokerKind.IB, has_champion=False, breakers_active=False
    )
    wrong = replace(wrong, system=SystemState.HALTED, reconciled=False, settle=None, sessions_to_end=1, equity=1.0)
    wrong = replace(wrong, exposure=Exposure(4), margin_per_lot=1e9)
    limits = replace(LIMITS, max_quantity=1)
    order = replace(WISH, limit_price=90.01)
    mended: list[tuple[GateCode, dict[str, object]]] = [
        (GateCode.DUPLICATE, {"exists": False}),
        (GateCode.SIMULATED_CHAMPION, {"champion_simulated": False}),
        (GateCode.HALTED, {"system": SystemState.RUNNING}),
        (GateCode.NO_CHAMPION, {"has_champion": True}),
        (GateCode.BREAKER, {"breakers_active": True}),
        (GateCode.UNRECONCILED, {"reconciled": True}),
        (GateCode.STALE_INPUT, {"settle": 80.0}),
    ]
    for code, change in mended:
        assert decide(order, limits, wrong).code is code
        wrong = replace(wrong, **change)  # type: ignore[arg-type]
    assert decide(order, limits, wrong).code is GateCode.BAD_PRICE
    order = replace(order, limit_price=90.0)
    assert decide(order, limits, wrong).code is GateCode.PRICE_COLLAR
    order = replace(order, limit_price=80.0)
    assert decide(order, limits, wrong).code is GateCode.CONTRACT_NEAR_END
    wrong = replace(wrong, sessions_to_end=3)
    assert decide(order, limits, wrong).code is GateCode.POSITION_LIMIT
    wrong = replace(wrong, exposure=Exposure(0))
    assert decide(order, limits, wrong).code is GateCode.PARTICIPATION
    assert decide(order, LIMITS, wrong).code is GateCode.NOTIONAL
    assert decide(order, LIMITS, replace(wrong, equity=1e9)).code is GateCode.MARGIN


@pytest.mark.parametrize("quantity", [0, -1])
def test_an_order_has_lots(quantity: int) -> None:
    with pytest.raises(ValueError, match="an order of"):
        replace(WISH, quantity=quantity)


MONEY = [field.name for field in fields(Situation) if "float" in str(field.type)]


@given(
    st.sampled_from(MONEY),
    st.sampled_from([math.nan, math.inf, -math.inf]),
    st.sampled_from([(WISH, GOOD), (EXIT, LONG)]),
)
def test_no_figure_of_a_situation_may_be_nan_or_infinite(
    name: str, number: float, case: tuple[OrderWish, Situation]
) -> None:
    order, situation = case
    assert decide(order, LIMITS, situation).passed
    assert not decide(order, LIMITS, replace(situation, **{name: number})).passed  # type: ignore[arg-type]


@given(
    held=st.integers(-8, 8),
    buys=st.integers(0, 6),
    sells=st.integers(0, 6),
    side=st.sampled_from(Side),
    quantity=st.integers(1, 6),
)
def test_a_passed_order_never_leads_beyond_the_limit_unless_it_only_reduces(
    held: int, buys: int, sells: int, side: Side, quantity: int
) -> None:
    exposure = Exposure(held, buys, sells)
    order = replace(WISH, side=side, quantity=quantity, limit_price=80.0)
    passed = decide(order, LIMITS, replace(GOOD, exposure=exposure)).passed
    worst = held + buys + quantity if side is Side.BUY else held - sells - quantity
    smaller = abs(worst) <= abs(held) and worst * held >= 0 and held != 0
    assert passed == (quantity <= 4 and (abs(worst) <= 5 or smaller))
