"""The thesis gate as a check: what it says of the champions of a home."""

from collections.abc import Mapping

from hydra_assets.verdict import Severity, Verdict

THESIS_GATE = "thesis_gate"


def thesis_check(states: Mapping[str, bool | None], real: bool) -> Verdict:
    """Verdict on the champions of groups: True is green, False red, None no champion.

    Red is an ERROR on a real source, where it stops all new risk, and a warning on a simulated one. A group without a
    champion trades nothing; there is nothing to block.
    """
    red = sorted(group for group, green in states.items() if green is False)
    without = sorted(group for group, green in states.items() if green is None)
    parts = []
    if red:
        parts.append(f"not shown to earn anything out of sample: {', '.join(red)}")
    if without:
        parts.append(f"no champion: {', '.join(without)}")
    severity = Severity.ERROR if real else Severity.WARN
    reason = "thesis_gate_red" if red else "no_champion" if without else "ok"
    numbers = {"green": sum(green is True for green in states.values()), "red": len(red), "none": len(without)}
    return Verdict(THESIS_GATE, not red, severity, reason, "; ".join(parts) or "every champion is green", numbers)
