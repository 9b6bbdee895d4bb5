import json

from hydra_assets.stats.gate_records import (
    CandidateReport,
    GateCode,
    GateReason,
    GateStatus,
    GateVerdict,
    PowerStatement,
)
from hydra_assets.stats.gate_table import SCHEMA, gate_table

STATUS = [GateStatus.PASSED, GateStatus.FAILED, GateStatus.FAILED, *[GateStatus.NOT_APPLICABLE] * 4]


def report(name: str, power: PowerStatement | None) -> CandidateReport:
    numbers = {"p_value": 0.25, "gain": float("-inf"), "candidates": 3}
    verdicts = (
        GateVerdict(gate, status, GateReason.OK, f"{name} {gate}", numbers)
        for gate, status in zip(GateCode, STATUS, strict=True)
    )
    return CandidateReport(name, tuple(verdicts), power)


def test_rows():
    found = gate_table([report("a", PowerStatement(0.5, 1260, 0.9, 0.8)), report("b", None)])
    assert dict(found.schema) == SCHEMA
    assert found["candidate"].to_list() == ["a"] * 7 + ["b"] * 7
    assert found["gate"].to_list() == [gate.value for gate in GateCode] * 2
    assert found["gate_number"].to_list() == [*range(1, 8)] * 2
    assert found["decides"].to_list() == [False, True, *[False] * 5] * 2
    assert json.loads(found["numbers"][0]) == {"candidates": 3, "gain": None, "p_value": 0.25}
    assert found["power"].to_list() == [0.8] * 7 + [None] * 7
    assert found["power_message"][0].endswith("correlated 0.90 would be seen in 80% of cases with 1260 sessions")


def test_nothing_judged_is_an_empty_table():
    assert gate_table([]).schema == SCHEMA
