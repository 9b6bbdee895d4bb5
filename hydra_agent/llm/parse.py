"""From a reply's text to a strict model, or to the reason why not.

Everything through the last ``</think>`` is dropped, and everything from a ``<think>`` that never ends. The first brace
of the rest begins the object; what stands before it (a fence, prose) and behind it is ignored. There is no second
guess: a reply whose first object is a decoy is refused.
"""

import json
import math
import re
from collections.abc import Callable
from typing import NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from hydra_agent.llm.records import CallCode, Checked
from hydra_agent.llm.text import plain

M = TypeVar("M", bound=BaseModel)

MAX_ANSWER_CHARS = 20_000
"""Of the text after the thinking; a sensible reply has some hundreds."""
MAX_DEPTH = 6
"""Nested brackets; a valid reply has at most five."""
MAX_DIGITS = 40
_ERRORS_SHOWN = 5
_MESSAGE_CHARS = 500

_CLOSE = re.compile(r"</think\s*>", re.IGNORECASE)
_OPEN = re.compile(r"<think\s*>", re.IGNORECASE)


class _RefusedError(ValueError):
    """Why a text is no acceptable JSON; never leaves this module."""

    def __init__(self, code: CallCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def without_thinking(text: str) -> str:
    """What remains of a reply when its thinking is taken away, nested, decoyed or unclosed as it may be."""
    ends = [match.end() for match in _CLOSE.finditer(text)]
    rest = text[ends[-1] :] if ends else text
    start = _OPEN.search(rest)
    return rest[: start.start()] if start else rest


def parse(text: str, model: type[M]) -> Checked[M]:
    """Read a reply strictly: no coercion, no unknown key, no duplicate key, finite numbers only."""
    try:
        found = _first_object(without_thinking(text))
    except _RefusedError as refused:
        return Checked(None, refused.code, str(refused))
    try:
        # JSON mode is strict about JSON's own types and still reads dates; surrogates are refused here.
        return Checked(model.model_validate_json(json.dumps(found), strict=True), CallCode.OK)
    except ValidationError as error:
        return Checked(None, CallCode.SCHEMA, _summary(error))


def _first_object(text: str) -> dict[str, object]:
    if len(text) > MAX_ANSWER_CHARS:
        raise _RefusedError(CallCode.TOO_LARGE, f"more than {MAX_ANSWER_CHARS} characters besides the thinking")
    start = text.find("{")
    if start < 0:
        raise _RefusedError(CallCode.NO_OBJECT, "there is no JSON object in the reply")
    _check_depth(text, start)
    try:
        found, _ = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise _RefusedError(CallCode.NOT_JSON, f"the first brace begins no JSON object: {error.msg}") from None
    if not isinstance(found, dict):  # a brace begins nothing else
        raise _RefusedError(CallCode.NOT_JSON, "the first brace begins no JSON object")
    return found


def _check_depth(text: str, start: int) -> None:
    """Refuse deep nesting before a recursive decoder sees it."""
    depth, quoted, escaped = 0, False, False
    for character in text[start:]:
        if quoted:
            quoted = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            quoted = True
        elif character in "{[":
            depth += 1
            if depth > MAX_DEPTH:
                raise _RefusedError(CallCode.TOO_DEEP, f"nested deeper than {MAX_DEPTH}")
        elif character in "}]":
            depth -= 1
            if depth == 0:
                return


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _RefusedError(CallCode.DUPLICATE_KEY, "a key stands twice in one object")
    return found


def _constant(name: str) -> NoReturn:
    raise _RefusedError(CallCode.NOT_FINITE, f"{name} is no number")


def _number(kind: Callable[[str], int | float]) -> Callable[[str], int | float]:
    def read(digits: str) -> int | float:
        value = kind(digits) if len(digits) <= MAX_DIGITS else math.inf
        if not math.isfinite(value):
            raise _RefusedError(CallCode.NOT_FINITE, "a number is not finite, or absurdly long")
        return value

    return read


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_number(float), parse_int=_number(int)
)


def _summary(error: ValidationError) -> str:
    """The first errors, place and rule. Places may be keys that the model made up: stripped and cut."""
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [f"{'.'.join(str(part)[:40] for part in e['loc']) or 'reply'}: {e['msg']}" for e in errors[:_ERRORS_SHOWN]]
    if len(errors) > _ERRORS_SHOWN:
        lines.append(f"and {len(errors) - _ERRORS_SHOWN} more")
    return plain("; ".join(lines))[:_MESSAGE_CHARS]
