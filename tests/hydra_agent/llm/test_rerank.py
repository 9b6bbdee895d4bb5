import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_agent.llm.records import CallCode
from hydra_agent.llm.rerank import Cause, Ranking, read_ranking, rerank_prompt

CAUSES = (Cause("a", {"z": 3.14159265, "lag": float("nan")}), Cause("b"), Cause("c", {"p": 1e-12}))


def reply(order: object, note: object = "n") -> str:
    return json.dumps({"order": order, "note": note})


def test_an_order_moves_causes_and_neither_adds_nor_removes() -> None:
    found = read_ranking(reply(["c", "a"]), CAUSES).value
    assert found == Ranking(("c", "a"), "n")
    assert [c.code for c in found.applied(CAUSES)] == ["c", "a", "b"]


@given(st.permutations(["a", "b", "c"]), st.integers(1, 3))
def test_any_subset_in_any_order_gives_all_causes(codes: list[str], size: int) -> None:
    found = read_ranking(reply(codes[:size]), CAUSES).value
    assert found is not None
    applied = [c.code for c in found.applied(CAUSES)]
    assert applied[:size] == codes[:size]
    assert applied[size:] == [c for c in "abc" if c not in codes[:size]]


@pytest.mark.parametrize(
    "order", [["a", "x"], ["A"], ["a "], ["a", "a"], ["\u0430"], ["../a"], ["a'; DROP TABLE journal; --"]]
)
def test_one_foreign_code_refuses_all(order: list[str]) -> None:
    assert read_ranking(reply(order), CAUSES).code is CallCode.CONTENT


def test_the_note_is_for_people_and_stripped() -> None:
    found = read_ranking(reply(["a"], "ok\x1b[2J\u202e; rm -rf /"), CAUSES).value
    assert found is not None
    assert found.note == "ok[2J; rm -rf /"


def test_the_prompt_holds_codes_numbers_and_null_where_there_is_none() -> None:
    prompt = rerank_prompt(CAUSES, (), 4_000)
    assert prompt is not None
    lines = prompt[1].content.splitlines()
    assert json.loads(lines[1]) == {"code": "a", "evidence": {"z": 3.14159, "lag": None}}
    assert '"order"' in prompt[0].content
