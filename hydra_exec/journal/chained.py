"""Fills as links of a hash chain: an edit, a deletion or an insertion shows. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC

from hydra_assets.state.chain import Anchor, ChainReason, ChainVerdict, Entry, EntryKind, linked, verify
from hydra_exec.journal.records import FillLine


@dataclass(frozen=True, slots=True)
class ChainedFill:
    """A line of the fills with its place in the chain."""

    fill: FillLine
    entry: Entry


def chain_on(last: Anchor | None, account: str, fills: Sequence[FillLine]) -> list[ChainedFill]:
    """The next links."""
    out = []
    for fill in fills:
        entry = linked(last, EntryKind.FILL, account, fill.exec_id, facts_of(fill), None)
        last = Anchor(entry.seq, entry.sha256)
        out.append(ChainedFill(fill, entry))
    return out


def facts_of(fill: FillLine) -> dict[str, object]:
    """What the digest is of: all that the broker said of the fill, without what we made of it since."""
    return {
        "kind": str(fill.kind),
        "base_exec_id": fill.base_exec_id,
        "revision": fill.revision,
        "perm_id": fill.perm_id,
        "wire_ref": fill.wire_ref,
        "contract": fill.contract,
        "side": str(fill.side),
        "quantity": fill.quantity,
        "price": fill.price,
        "executed_at": fill.executed_at.astimezone(UTC).isoformat(),
    }


def verify_fills(lines: Sequence[ChainedFill]) -> ChainVerdict:
    """Check every link, and that the columns beside it, which sums are made of, say what it says."""
    found = verify([line.entry for line in lines], None)
    if not found.intact:
        return found
    for line in lines:
        if facts_of(line.fill) != line.entry.facts or line.fill.exec_id != line.entry.subject:
            seq = line.entry.seq
            return ChainVerdict(ChainReason.EDITED, seq, f"the columns of fill {seq} are not what its link says")
    return found
