"""The one road to a model: messages in, a reply out, and every failure a code. A fake one needs no socket."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from hydra_agent.llm.config import LlmConfig, Provider
from hydra_agent.llm.records import CallCode


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a chat."""

    role: Literal["system", "user"]
    content: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. ``text`` is hostile until it has been parsed."""

    text: str = ""
    code: CallCode = CallCode.OK
    detail: str = ""
    """Why it failed, in our words: nothing that a server said."""
    thinking: str = ""
    """What came in a field of its own; counted, never parsed."""
    tokens_in: int | None = None
    tokens_out: int | None = None
    retry_after: float | None = None
    """Seconds that a refusal asks to wait."""


class Transport(Protocol):
    """One attempt at one provider."""

    def complete(self, messages: Sequence[Message]) -> Reply:
        """Ask. Failures are codes; nothing is raised, and no key is in what comes back."""


TransportFor = Callable[[Provider, LlmConfig], Transport | None]
"""Makes a provider's transport; None where it has no key."""


def prompt_text(messages: Sequence[Message]) -> str:
    """The messages as one text: what is recorded, hashed and measured."""
    return "\n\n".join(f"[{m.role}]\n{m.content}" for m in messages)
