"""Second question: the changes of the recipe that are worth an experiment.

A reply names playbooks that were offered and flat values for their parameters. The playbook itself says whether a value
is allowed; one that is not is refused and never clipped, since a clipped value is an experiment that nobody proposed.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StringConstraints

from hydra_agent.llm.parse import parse
from hydra_agent.llm.prompt import compose, system
from hydra_agent.llm.records import CallCode, Checked
from hydra_agent.llm.rerank import Cause, Note, StrictReply, cause_lines
from hydra_agent.llm.text import Entry, plain
from hydra_agent.llm.transport import Message

MAX_PROPOSALS = 3
MAX_PARAMETERS = 16
BOUND = 1e9
"""Largest magnitude of any number; playbooks are narrower."""

Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")]
"""A name: no space, slash or quote, so that it is no path, query or command."""
Value = (
    StrictBool
    | Annotated[StrictInt, Field(ge=-BOUND, le=BOUND)]
    | Annotated[StrictFloat, Field(ge=-BOUND, le=BOUND)]
    | Word
    | Annotated[list[Word], Field(max_length=32)]
)


class ProposalReply(StrictReply):
    """Form of one proposal."""

    playbook: Annotated[str, StringConstraints(max_length=80)]
    parameters: Annotated[dict[Word, Value], Field(max_length=MAX_PARAMETERS)]
    rationale: Note


class MutationsReply(StrictReply):
    """Form of a reply."""

    proposals: Annotated[list[ProposalReply], Field(max_length=MAX_PROPOSALS)]


@dataclass(frozen=True, slots=True)
class Playbook:
    """One kind of change that may be proposed, and the bounds of its parameters in the manner of a JSON schema."""

    id: str
    description: str
    parameters: Mapping[str, object] = field(default_factory=dict)


ParameterValue = bool | int | float | str | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Proposal:
    """One change that a playbook allows, and a rationale for people."""

    playbook: str
    parameters: Mapping[str, ParameterValue]
    rationale: str


@dataclass(frozen=True, slots=True)
class Rejection:
    """A proposal that its playbook does not allow, and why."""

    proposal: Proposal
    reason: str


@dataclass(frozen=True, slots=True)
class Proposals:
    """What may be tried, and what was turned down. Both may be empty: a model may have nothing to propose."""

    accepted: tuple[Proposal, ...]
    rejected: tuple[Rejection, ...] = ()


Validate = Callable[[str, Mapping[str, ParameterValue]], str | None]
"""A playbook's word on parameters: None where they are allowed, else the reason."""

_TASK = """You propose experiments to a system that heals trading models. Given are playbooks with the bounds of their
parameters, a diagnosis with its evidence, and entries of the journal of earlier experiments. Propose up to three
changes that address the diagnosis and that the journal has not already shown to fail. Use only the playbooks and
parameters that are given, within their bounds; what is out of bounds is rejected. Proposing nothing is a valid reply.
The rationale is one or two plain sentences."""
_EXAMPLE = {
    "proposals": [{"playbook": "playbook_id", "parameters": {"name": 1.5, "names": ["a", "b"]}, "rationale": "why"}]
}


def mutations_prompt(
    playbooks: Sequence[Playbook], causes: Sequence[Cause], context: Sequence[Entry], context_tokens: int
) -> tuple[Message, Message] | None:
    """The prompt, or None where playbooks and diagnosis alone do not fit."""
    offered = "\n".join(
        json.dumps({"playbook": p.id, "what": p.description, "parameters": dict(p.parameters)}, allow_nan=False)
        for p in playbooks
    )
    question = f"Playbooks:\n{offered}\n\nDiagnosis, most likely cause first:\n{cause_lines(causes)}"
    return compose(system(_TASK, _EXAMPLE), question, context, context_tokens)


def read_proposals(text: str, playbooks: Sequence[Playbook], validate: Validate) -> Checked[Proposals]:
    """Read a reply. An unknown playbook or a repeated proposal refuses all of it; so does nothing but rejections."""
    parsed = parse(text, MutationsReply)
    if parsed.value is None:
        return Checked(None, parsed.code, parsed.message)
    proposals = [_proposal(reply) for reply in parsed.value.proposals]
    if not {p.playbook for p in proposals} <= {p.id for p in playbooks}:
        return Checked(None, CallCode.CONTENT, "playbook: names one that was not given")
    if len({_identity(p) for p in proposals}) < len(proposals):
        return Checked(None, CallCode.CONTENT, "proposals: the same one twice")
    reasons = [(p, validate(p.playbook, p.parameters)) for p in proposals]
    accepted = tuple(p for p, reason in reasons if reason is None)
    rejected = tuple(Rejection(p, reason) for p, reason in reasons if reason is not None)
    if rejected and not accepted:
        return Checked(None, CallCode.CONTENT, "; ".join(f"{r.proposal.playbook}: {r.reason}" for r in rejected)[:500])
    return Checked(Proposals(accepted, rejected), CallCode.OK)


def _proposal(reply: ProposalReply) -> Proposal:
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in reply.parameters.items()}
    return Proposal(reply.playbook, MappingProxyType(values), plain(reply.rationale))


def _identity(proposal: Proposal) -> str:
    """What makes two proposals the same; ``repr`` tells True from 1 and 1 from 1.0."""
    return repr((proposal.playbook, sorted(proposal.parameters.items())))
