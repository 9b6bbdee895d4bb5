"""Verdicts on what vendors delivered in a run: whether it could be read, and how much of it was malformed."""

from collections.abc import Sequence
from dataclasses import dataclass

from hydra_assets.verdict import Severity, Verdict

MAX_QUARANTINE_SHARE = 0.05
FAILED_STATES = ("unreadable", "unreachable", "empty")
"""Named states in which nothing could be taken from a delivery."""
MISSING_COLUMN, NEW_COLUMN = "missing_column:", "new_column:"


@dataclass(frozen=True, slots=True)
class DeliveryOutcome:
    """How one delivery ended: what the ledger of deliveries says about it."""

    source: str
    name: str
    state: str
    reason: str
    notes: tuple[str, ...] = ()


def check_deliveries(deliveries: Sequence[DeliveryOutcome]) -> Verdict:
    """Every delivery of the run could be had and read, with the columns that its layout promises.

    A vendor that has nothing new, or that repeats itself, is no failure here: ``freshness`` says whether something is
    due. Columns that the parser does not know are named and pass.
    """
    failed = [d for d in deliveries if d.state in FAILED_STATES]
    missing = _named(deliveries, MISSING_COLUMN)
    new = _named(deliveries, NEW_COLUMN)
    reason = f"delivery_{failed[0].state}" if failed else "missing_column" if missing else "ok"
    parts = [f"{d.source} {d.name}: {d.state} ({d.reason})" for d in failed[:3]]
    parts += [f"and {len(failed) - 3} more"] if len(failed) > 3 else []
    parts += [f"columns missing: {', '.join(missing)}"] if missing else []
    parts += [f"new columns: {', '.join(new)}"] if new else []
    numbers: dict[str, float | int | str] = {"deliveries": len(deliveries), "failed": len(failed)}
    numbers |= {state: sum(d.state == state for d in deliveries) for state in sorted({d.state for d in deliveries})}
    numbers |= {"new_columns": ", ".join(new)} if new else {}
    numbers |= {"missing_columns": ", ".join(missing)} if missing else {}
    return Verdict(
        "deliveries",
        not failed and not missing,
        Severity.WARN,
        reason,
        "; ".join(parts) or f"{len(deliveries)} deliveries, all readable",
        numbers,
    )


def check_quarantine(delivered: int, quarantined: int) -> Verdict:
    """At most one row in twenty of what was delivered is malformed, in whole or in part."""
    share = quarantined / delivered if delivered else 0.0
    return Verdict(
        "quarantine_share",
        share <= MAX_QUARANTINE_SHARE,
        Severity.WARN,
        "ok" if share <= MAX_QUARANTINE_SHARE else "quarantine_share",
        f"{quarantined} of {delivered} delivered rows are in quarantine ({share:.1%})",
        {"delivered": delivered, "quarantined": quarantined, "share": round(share, 6)},
    )


def _named(deliveries: Sequence[DeliveryOutcome], note: str) -> list[str]:
    return sorted({n.removeprefix(note) for d in deliveries for n in d.notes if n.startswith(note)})
