"""What a call to a language model leaves behind, and what the caller gets back."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

T = TypeVar("T")


class Touchpoint(StrEnum):
    """The three questions a model may be asked."""

    RERANK = "rerank"
    MUTATE = "mutate"
    FILTER = "filter"


class CallCode(StrEnum):
    """What became of one call: of the transport first, then of the text."""

    OK = "ok"
    CONNECT = "connect"
    """No connection, or none that answered."""
    TIMEOUT = "timeout"
    """Idle between two bytes for too long, or not done in the time of a whole call."""
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    HTTP_STATUS = "http_status"
    """Any other status than success; a redirect is not followed."""
    DROPPED = "dropped"
    """Ended before its end."""
    TOO_LARGE = "too_large"
    NOT_A_COMPLETION = "not_a_completion"
    """A web page, another content type, text that is no UTF-8, or JSON of another shape."""
    KEY_ECHOED = "key_echoed"
    """The reply holds the key it was asked with."""
    TRANSPORT_FAILED = "transport_failed"
    """The transport raised, which none should."""
    NO_OBJECT = "no_object"
    """No JSON object outside of the model's thinking."""
    NOT_JSON = "not_json"
    TOO_DEEP = "too_deep"
    DUPLICATE_KEY = "duplicate_key"
    NOT_FINITE = "not_finite"
    """NaN, Infinity, or a number of absurd length."""
    SCHEMA = "schema"
    """JSON, but not of the shape that was asked for."""
    CONTENT = "content"
    """Of the right shape, naming what was not offered."""
    READER_FAILED = "reader_failed"
    """Reading the reply raised: a defect of ours, or of the caller's ``validate``."""


RETRIED = frozenset({CallCode.CONNECT, CallCode.RATE_LIMITED, CallCode.SERVER_ERROR})
"""Failures that may pass by themselves."""
REPAIRED = frozenset(
    {
        CallCode.NO_OBJECT,
        CallCode.NOT_JSON,
        CallCode.TOO_DEEP,
        CallCode.DUPLICATE_KEY,
        CallCode.NOT_FINITE,
        CallCode.SCHEMA,
        CallCode.CONTENT,
    }
)
"""Refusals that are shown to the model once."""


class AnswerCode(StrEnum):
    """Why there is an answer, or none."""

    OK = "ok"
    NO_LLM = "no_llm"
    """No provider is configured, or none has its key."""
    NOTHING_TO_ASK = "nothing_to_ask"
    """There is no choice to be made, or no question."""
    CONTEXT_TOO_LARGE = "context_too_large"
    """The question alone, without any journal entry, is longer than a prompt may be."""
    BUDGET_SPENT = "budget_spent"
    CIRCUIT_OPEN = "circuit_open"
    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    UNREADABLE = "unreadable"
    """The provider answered with something that is no completion."""
    REFUSED_TEXT = "refused_text"
    """No JSON object that could be read, after one repair."""
    REFUSED_SCHEMA = "refused_schema"
    REFUSED_CONTENT = "refused_content"


_ANSWERS = {
    CallCode.OK: AnswerCode.OK,
    CallCode.CONNECT: AnswerCode.UNREACHABLE,
    CallCode.RATE_LIMITED: AnswerCode.UNREACHABLE,
    CallCode.SERVER_ERROR: AnswerCode.UNREACHABLE,
    CallCode.HTTP_STATUS: AnswerCode.UNREACHABLE,
    CallCode.TRANSPORT_FAILED: AnswerCode.UNREACHABLE,
    CallCode.TIMEOUT: AnswerCode.TIMEOUT,
    CallCode.DROPPED: AnswerCode.UNREADABLE,
    CallCode.TOO_LARGE: AnswerCode.UNREADABLE,
    CallCode.NOT_A_COMPLETION: AnswerCode.UNREADABLE,
    CallCode.KEY_ECHOED: AnswerCode.UNREADABLE,
    CallCode.NO_OBJECT: AnswerCode.REFUSED_TEXT,
    CallCode.NOT_JSON: AnswerCode.REFUSED_TEXT,
    CallCode.TOO_DEEP: AnswerCode.REFUSED_TEXT,
    CallCode.DUPLICATE_KEY: AnswerCode.REFUSED_TEXT,
    CallCode.NOT_FINITE: AnswerCode.REFUSED_TEXT,
    CallCode.SCHEMA: AnswerCode.REFUSED_SCHEMA,
    CallCode.CONTENT: AnswerCode.REFUSED_CONTENT,
    CallCode.READER_FAILED: AnswerCode.REFUSED_CONTENT,
}


def answer_code(code: CallCode) -> AnswerCode:
    """What the caller is told of a provider's last call."""
    return _ANSWERS[code]


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One call, whatever became of it. Never holds a key."""

    at: datetime
    """When it began, UTC."""
    touchpoint: Touchpoint
    provider: str
    model: str
    prompt_sha256: str
    prompt: str
    reply: str
    """Text of the reply, thinking included where it came in the text; empty where there was none."""
    code: CallCode
    message: str
    """Why it was refused; empty for OK."""
    tokens_in: int
    tokens_out: int
    tokens_reported: bool
    """False where both counts are estimates from the text."""
    cost: float
    """In the currency of the provider's prices."""
    seconds: float
    attempt: int
    """Counts the calls of one provider for one question from 1; repairs and retries included."""


Recorder = Callable[[CallRecord], None]


@dataclass(frozen=True, slots=True)
class Checked(Generic[T]):
    """What reading a reply came to: a value where the code is OK, else the reason."""

    value: T | None
    code: CallCode
    message: str = ""


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What the caller gets: a value where the code is OK, and the provider that gave it."""

    value: T | None
    code: AnswerCode
    provider: str | None = None
    message: str = ""
