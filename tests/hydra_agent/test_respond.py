"""From causes to what is done: the whole table, strictest exposure, experiments on sound data only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_agent.diagnose.causes import Cause, CauseCode, Diagnosis
from hydra_agent.respond import ACT_FROM, HEALS, ResponseCode, respond
from hydra_assets.state.system import SystemState


def cause(code: CauseCode, confidence: float = 0.9, scopes: tuple[str, ...] = ()) -> Cause:
    evidence = {f"volume_ratio_{scope}": 0.2 for scope in scopes}
    return Cause(
        code, confidence, "", scopes, ("carry",) if code is CauseCode.FEATURE_CORRUPTED else (), None, evidence
    )


TABLE = {
    CauseCode.UNIT_CHANGE: (ResponseCode.BLOCK, 0.0, SystemState.DEGRADED),
    CauseCode.STALE_SOURCE: (ResponseCode.BLOCK, 0.0, SystemState.DEGRADED),
    CauseCode.LATE_SOURCE: (ResponseCode.SIZE_DOWN, 0.5, SystemState.RUNNING),
    CauseCode.DORMANT_MARKET: (ResponseCode.SIZE_DOWN, 0.0, SystemState.RUNNING),
    CauseCode.LIQUIDITY_DROUGHT: (ResponseCode.SIZE_DOWN, 0.2, SystemState.RUNNING),
    CauseCode.FEATURE_CORRUPTED: (ResponseCode.MASK_FEATURE, 1.0, SystemState.RUNNING),
    CauseCode.REGIME_CHANGE: (ResponseCode.WATCH, 1.0, SystemState.RUNNING),
    CauseCode.LABEL_SHIFT: (ResponseCode.RECALIBRATE, 1.0, SystemState.RUNNING),
    CauseCode.OVERFITTING_DECAY: (ResponseCode.HALT, 0.25, SystemState.HALTED),
    CauseCode.EDGE_REVERSED: (ResponseCode.HALT, 0.0, SystemState.HALTED),
    CauseCode.EDGE_DECAY: (ResponseCode.HALT, 0.0, SystemState.HALTED),
    CauseCode.TRANSIENT: (ResponseCode.WATCH, 1.0, SystemState.RUNNING),
}


@pytest.mark.parametrize("code", list(CauseCode))
def test_every_cause_has_its_answer(code: CauseCode) -> None:
    wanted, size, state = TABLE[code]
    found = respond(Diagnosis((cause(code, scopes=("SIM_HE",)),)))
    assert (found.code, found.exposure_of("SIM_HE"), found.demand) == (wanted, size, state)
    # Other markets trade on.
    assert found.exposure_of("SIM_ZO") == 1.0
    assert found.heal == (code in HEALS)
    assert found.because == (code,)


def test_a_cause_without_a_market_is_the_groups() -> None:
    found = respond(Diagnosis((cause(CauseCode.EDGE_DECAY),)))
    assert (found.group_exposure, found.exposure_of("anything")) == (0.0, 0.0)


def test_what_is_not_sure_is_watched() -> None:
    assert respond(Diagnosis((cause(CauseCode.EDGE_REVERSED, ACT_FROM - 0.01),))).code is ResponseCode.WATCH
    assert respond(Diagnosis(())).code is ResponseCode.NONE


def test_a_model_is_not_healed_on_data_that_cannot_be_believed() -> None:
    both = Diagnosis((cause(CauseCode.UNIT_CHANGE, scopes=("SIM_HE",)), cause(CauseCode.EDGE_REVERSED)))
    found = respond(both)
    assert (found.code, found.heal) == (ResponseCode.BLOCK, False)
    assert found.exposure_of("SIM_ZO") == 0.0


def test_the_feature_that_is_named_is_masked() -> None:
    assert respond(Diagnosis((cause(CauseCode.FEATURE_CORRUPTED),))).masked == ("carry",)


causes = st.lists(
    st.builds(
        cause,
        st.sampled_from(CauseCode),
        st.floats(0.0, 1.0),
        st.sampled_from([(), ("SIM_HE",), ("SIM_ZO",), ("SIM_HE", "SIM_ZO")]),
    ),
    max_size=5,
)


@given(causes, causes)
def test_one_more_cause_never_lets_more_be_traded(some: list[Cause], more: list[Cause]) -> None:
    before, after = respond(Diagnosis(tuple(some))), respond(Diagnosis((*some, *more)))
    order = list(ResponseCode)
    for symbol in ("SIM_HE", "SIM_ZO", "SIM_LE"):
        assert 0.0 <= after.exposure_of(symbol) <= before.exposure_of(symbol) <= 1.0
    assert order.index(after.code) <= order.index(before.code)
