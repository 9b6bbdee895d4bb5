from hydra_exec.risk_gate import GateCode, Generation, Verdict, generation

DECISION = """
passed duplicate simulated_champion halted no_champion breaker unreconciled stale_input bad_price price_collar
contract_near_end position_limit participation notional margin
"""
WIRE = """
not_on_record already_sent not_live switched_off link_down degraded blackout session_closed state unknown_ticket
quantity wire_position_limit off_tick worst_price no_live_data no_quote stale_quote wire_collar order_rate not_sent
unclear
"""


def test_every_code_has_its_generation() -> None:
    assert [code for code in GateCode if generation(code) is Generation.DECISION] == DECISION.split()
    assert [code for code in GateCode if generation(code) is Generation.WIRE] == WIRE.split()


def test_a_verdict_passes_by_its_code_alone() -> None:
    assert [code for code in GateCode if Verdict(code).passed] == [GateCode.PASSED]
