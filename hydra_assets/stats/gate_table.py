"""Verdicts of a cycle as rows: one per candidate and gate, in the order in which gates decide."""

import json
from collections.abc import Sequence

import polars as pl

from hydra_assets.stats.gate_records import CandidateReport

SCHEMA = {
    "candidate": pl.String,
    "gate": pl.String,
    "gate_number": pl.Int64,
    "status": pl.String,
    "reason": pl.String,
    "decides": pl.Boolean,
    "message": pl.String,
    "numbers": pl.String,
    "power": pl.Float64,
    "power_message": pl.String,
}


def gate_table(reports: Sequence[CandidateReport]) -> pl.DataFrame:
    """Tabulate reports.

    ``decides`` marks the first failure of a candidate; ``numbers`` is a JSON object with sorted keys, what is
    not finite is null in it; ``power`` is null where the returns could not be judged.
    """
    rows = [
        {
            "candidate": report.candidate,
            "gate": verdict.gate.value,
            "gate_number": number,
            "status": verdict.status.value,
            "reason": verdict.reason.value,
            "decides": verdict is report.first_failure,
            "message": verdict.message,
            "numbers": json.dumps({k: _finite(v) for k, v in verdict.numbers.items()}, sort_keys=True),
            "power": report.power.power if report.power else None,
            "power_message": report.power.message if report.power else None,
        }
        for report in reports
        for number, verdict in enumerate(report.verdicts, start=1)
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None
