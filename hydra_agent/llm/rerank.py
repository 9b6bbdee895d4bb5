"""First question: the order in which the causes of a diagnosis should be looked at.

The causes are those that have evidence. A reply may reorder some of them; it can add none and remove none.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from hydra_agent.llm.parse import parse
from hydra_agent.llm.prompt import compose, number, system
from hydra_agent.llm.records import CallCode, Checked
from hydra_agent.llm.text import Entry, plain
from hydra_agent.llm.transport import Message

MAX_NOTE_CHARS = 600
Note = Annotated[str, StringConstraints(max_length=MAX_NOTE_CHARS)]
"""Free text for people. Stripped of control characters, shown, and never acted upon."""


class StrictReply(BaseModel):
    """Base of all replies: no coercion, no unknown key, no NaN."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class RerankReply(StrictReply):
    """Form of a reply."""

    order: Annotated[list[Annotated[str, StringConstraints(max_length=80)]], Field(min_length=1, max_length=40)]
    note: Note


@dataclass(frozen=True, slots=True)
class Cause:
    """One possible cause that has evidence; the numbers are named by whoever measured them."""

    code: str
    evidence: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ranking:
    """An ordering of some of the causes that were given, most likely first, and a note for people."""

    order: tuple[str, ...]
    note: str

    def applied(self, causes: Sequence[Cause]) -> tuple[Cause, ...]:
        """All causes given: the ordered ones first, the others behind them as they stood."""
        place = {code: i for i, code in enumerate(self.order)}
        return tuple(sorted(causes, key=lambda cause: place.get(cause.code, len(place))))


_TASK = """You help to diagnose why a trading model got worse. Given are the causes for which there is evidence, with
the numbers. Order them by how likely they explain all of the evidence together, most likely first. Use only the codes
that are given, each at most once; leave out what you cannot place. The note is one or two plain sentences."""
_EXAMPLE = {"order": ["code_a", "code_b"], "note": "why this order"}


def rerank_prompt(
    causes: Sequence[Cause], context: Sequence[Entry], context_tokens: int
) -> tuple[Message, Message] | None:
    """The prompt, or None where the causes alone do not fit."""
    return compose(system(_TASK, _EXAMPLE), f"Causes:\n{cause_lines(causes)}", context, context_tokens)


def cause_lines(causes: Sequence[Cause]) -> str:
    """Causes as JSON lines."""
    return "\n".join(
        json.dumps({"code": c.code, "evidence": {k: number(v) for k, v in c.evidence.items()}}) for c in causes
    )


def read_ranking(text: str, causes: Sequence[Cause]) -> Checked[Ranking]:
    """Read a reply; one unknown or repeated code refuses all of it."""
    parsed = parse(text, RerankReply)
    if parsed.value is None:
        return Checked(None, parsed.code, parsed.message)
    order = parsed.value.order
    if not set(order) <= {cause.code for cause in causes}:
        return Checked(None, CallCode.CONTENT, "order: holds codes that were not given")
    if len(set(order)) < len(order):
        return Checked(None, CallCode.CONTENT, "order: holds a code twice")
    return Checked(Ranking(tuple(order), plain(parsed.value.note)), CallCode.OK)
