"""Bodies of OpenAI-compatible chat completions, streamed as server-sent events or whole, read without trust."""

import json
from collections.abc import Iterator

from hydra_agent.llm.config import Limits
from hydra_agent.llm.records import CallCode
from hydra_agent.llm.transport import Reply

MAX_REPORTED_TOKENS = 10_000_000
"""A larger count is not believed; the estimate is taken instead."""


class _RefusedError(ValueError):
    """Why a body is no completion; never leaves this module."""

    def __init__(self, code: CallCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def read_body(content_type: str, body: bytes, limits: Limits) -> Reply:
    """Read a whole body by its content type. What a server says never becomes part of the detail."""
    kind = content_type.partition(";")[0].strip().lower()
    try:
        text = body.decode("utf-8")
        if kind == "text/event-stream":
            return _reply(_streamed(text), limits)
        if kind == "application/json":
            return _reply(_whole(text), limits)
    except _RefusedError as refused:
        return Reply(code=refused.code, detail=str(refused))
    except UnicodeDecodeError:
        return Reply(code=CallCode.NOT_A_COMPLETION, detail="the body is no UTF-8")
    return Reply(code=CallCode.NOT_A_COMPLETION, detail="neither JSON nor an event stream by its content type")


class _Parts:
    """What has been gathered of a completion."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.thinking: list[str] = []
        self.usage: dict[str, object] = {}
        self.ended = False

    def add(self, event: dict[str, object], name: str) -> None:
        """Add one event, or the one completion, whose message is called ``delta`` or ``message``."""
        if isinstance(usage := event.get("usage"), dict):
            self.usage = usage
        choices = event.get("choices")
        if not isinstance(choices, list) or (choices and not isinstance(choices[0], dict)):
            raise _RefusedError(CallCode.NOT_A_COMPLETION, "an object without choices")
        if not choices:  # the event that only reports usage
            return
        message = choices[0].get(name)
        if not isinstance(message, dict):
            raise _RefusedError(CallCode.NOT_A_COMPLETION, f"a choice without {name}")
        self.text.append(_string(message, "content"))
        self.thinking.append(_string(message, "reasoning_content"))
        self.ended = self.ended or isinstance(choices[0].get("finish_reason"), str)


def _streamed(text: str) -> _Parts:
    parts = _Parts()
    for data in _events(text):
        if data == "[DONE]":
            parts.ended = True
            break
        parts.add(_object(data), "delta")
    if not parts.ended:
        raise _RefusedError(CallCode.DROPPED, "the stream ends without saying so")
    return parts


def _events(text: str) -> Iterator[str]:
    """The data of each event; events are separated by an empty line (WHATWG HTML, server-sent events)."""
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if line.startswith("data:"):
            lines.append(line[5:].removeprefix(" "))
        elif not line and lines:
            yield "\n".join(lines)
            lines = []


def _whole(text: str) -> _Parts:
    parts = _Parts()
    parts.add(_object(text), "message")
    return parts


def _object(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise _RefusedError(CallCode.NOT_A_COMPLETION, "no JSON where JSON should be") from None
    if not isinstance(found, dict):
        raise _RefusedError(CallCode.NOT_A_COMPLETION, "JSON that is no object")
    return found


def _string(message: dict[str, object], name: str) -> str:
    value = message.get(name)
    if value is not None and not isinstance(value, str):
        raise _RefusedError(CallCode.NOT_A_COMPLETION, f"{name} is no text")
    return value or ""


def _reply(parts: _Parts, limits: Limits) -> Reply:
    text, thinking = "".join(parts.text), "".join(parts.thinking)
    if len(text) + len(thinking) > limits.text_chars:
        raise _RefusedError(CallCode.TOO_LARGE, f"more than {limits.text_chars} characters")
    return Reply(
        text,
        thinking=thinking,
        tokens_in=_count(parts.usage.get("prompt_tokens")),
        tokens_out=_count(parts.usage.get("completion_tokens")),
    )


def _count(value: object) -> int | None:
    plausible = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_REPORTED_TOKENS
    return value if plausible and isinstance(value, int) else None
