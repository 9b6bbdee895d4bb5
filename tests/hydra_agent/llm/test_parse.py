import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from hydra_agent.llm.parse import MAX_ANSWER_CHARS, MAX_DEPTH, parse, without_thinking
from hydra_agent.llm.records import CallCode
from hydra_agent.llm.rerank import RerankReply

GOOD = '{"order": ["a"], "note": "n"}'
DECOY = '{"order": ["decoy"], "note": "n"}'


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("plain", "plain"),
        ("<think>hm</think>rest", "rest"),
        ("no beginning</think>rest", "rest"),
        ("<think>a<think>b</think>c</think>rest", "rest"),
        ("<think>never ends", ""),
        ("rest<think>never ends", "rest"),
        ("<THINK >a</Think\n>rest", "rest"),
        ("a</think>b</think>c<think>d", "c"),
        ("rest</think>", ""),
        ("", ""),
    ],
)
def test_what_remains_without_thinking(text: str, rest: str) -> None:
    assert without_thinking(text) == rest


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"Here you are:\n{GOOD}\nAnything else? {{no}}",
        f"<think>{DECOY}</think>{GOOD}",
        f"<think>{DECOY}<think>{DECOY}</think>{DECOY}</think>\n```\n{GOOD}```",
        f"{GOOD}{DECOY}",
        f"{GOOD}<think>{DECOY}",
        f"\ufeff{GOOD}",
        f"[{GOOD}]",
    ],
)
def test_the_first_object_outside_of_thinking_counts(text: str) -> None:
    parsed = parse(text, RerankReply)
    assert parsed.value is not None
    assert parsed.value.order == ["a"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", CallCode.NO_OBJECT),
        ("[1, 2]", CallCode.NO_OBJECT),
        (f"<think>{GOOD}", CallCode.NO_OBJECT),
        (f"{GOOD}</think>", CallCode.NO_OBJECT),
        ("{", CallCode.NOT_JSON),
        (GOOD[:-1], CallCode.NOT_JSON),
        (GOOD.replace('"', "'"), CallCode.NOT_JSON),
        (f"{{prose}} {GOOD}", CallCode.NOT_JSON),
        ('{"order": ["a"], "note": "line\nbreak"}', CallCode.NOT_JSON),
        ('{"order": [01], "note": ""}', CallCode.NOT_JSON),
        (f'{{"example": 1}} {GOOD}', CallCode.SCHEMA),
        ('{"order": ["a"], "order": ["b"], "note": ""}', CallCode.DUPLICATE_KEY),
        ('{"order": ["a"], "note": {"x": 1, "x": 2}}', CallCode.DUPLICATE_KEY),
        ('{"order": ["a"], "note": NaN}', CallCode.NOT_FINITE),
        ('{"order": ["a"], "note": -Infinity}', CallCode.NOT_FINITE),
        ('{"order": ["a"], "note": 1e999}', CallCode.NOT_FINITE),
        (f'{{"order": ["a"], "note": {"9" * 5_000}}}', CallCode.NOT_FINITE),
        ('{"order": ' + "[" * 10_000, CallCode.TOO_DEEP),
        ('{"a":' * 3_000, CallCode.TOO_DEEP),
        (GOOD + " " * MAX_ANSWER_CHARS, CallCode.TOO_LARGE),
        ('{"order": ["a"]}', CallCode.SCHEMA),
        ('{"order": ["a"], "note": "", "sql": ""}', CallCode.SCHEMA),
        ('{"order": "a", "note": ""}', CallCode.SCHEMA),
        ('{"order": [], "note": ""}', CallCode.SCHEMA),
        ('{"order": [5], "note": ""}', CallCode.SCHEMA),
        ('{"order": ["a"], "note": null}', CallCode.SCHEMA),
        ('{"order": ["a"], "note": "\\ud800"}', CallCode.SCHEMA),
        (json.dumps({"order": ["a"], "note": "x" * 601}), CallCode.SCHEMA),
    ],
)
def test_everything_else_is_refused_with_its_reason(text: str, code: CallCode) -> None:
    parsed = parse(text, RerankReply)
    assert (parsed.value, parsed.code) == (None, code)
    assert 0 < len(parsed.message) <= 500


class Lenient(BaseModel):
    n: int


@pytest.mark.parametrize("value", ['"5"', "5.0", "true"])
def test_a_model_that_would_coerce_does_not(value: str) -> None:
    assert parse('{"n": 5}', Lenient).value == Lenient(n=5)
    assert parse(f'{{"n": {value}}}', Lenient).code is CallCode.SCHEMA


def test_depth_is_counted_outside_of_strings() -> None:
    deep = "[{" * MAX_DEPTH
    quoted = json.dumps({"order": ["a"], "note": f'{deep} "{deep}" \\'})
    assert parse(quoted, RerankReply).code is CallCode.OK


def test_a_key_that_a_model_made_up_is_shown_stripped_and_short() -> None:
    message = parse(json.dumps({"\x1b[2J" + "k" * 500: 1}), RerankReply).message
    assert "\x1b" not in message
    assert "k" * 60 not in message


@given(st.text(max_size=300))
def test_no_text_raises(text: str) -> None:
    for candidate in (text, "{" + text, GOOD[:12] + text + GOOD[12:]):
        parsed = parse(candidate, RerankReply)
        assert (parsed.value is None) == (parsed.code is not CallCode.OK)


@settings(max_examples=30)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda c: st.lists(c) | st.dictionaries(st.text(), c),
    )
)
def test_only_the_form_that_was_asked_for_is_accepted(value: object) -> None:
    parsed = parse(json.dumps({"order": value, "note": ""}), RerankReply)
    fits = isinstance(value, list) and 1 <= len(value) <= 40 and all(type(v) is str and len(v) <= 80 for v in value)
    surrogates = fits and any(0xD800 <= ord(c) < 0xE000 for v in value for c in v)  # type: ignore[attr-defined]  # a list, by fits
    if parsed.value is None:
        assert not fits or surrogates
    else:
        assert fits
        assert parsed.value.order == value
