import json
from datetime import date

import pytest

from hydra_agent.llm.journal_filter import JournalFilter, Vocabulary, filter_prompt, read_filter
from hydra_agent.llm.records import CallCode

VOCABULARY = Vocabulary(
    kinds={"experiment": ()}, outcomes={"rejected": ("failed",)}, heads={"technical": ()}, tags={"drift": (), "f4": ()}
)
NOTHING: dict[str, object] = {
    "tags": [],
    "date_from": None,
    "date_to": None,
    "mutation": None,
    "head": None,
    "outcome": None,
    "regime": None,
    "kind": None,
    "text": None,
    "limit": 20,
}


def read(**fields: object) -> tuple[CallCode, JournalFilter | None]:
    checked = read_filter(json.dumps(NOTHING | fields), VOCABULARY)
    return checked.code, checked.value


def test_a_reply_becomes_a_filter() -> None:
    given = {"date_from": "2025-03-01", "date_to": "2025-03-31", "head": "technical", "outcome": "rejected"}
    code, found = read(**given, kind="experiment", tags=["drift", "drift"], text=" 100% o'clock\x00 ", limit=5)
    assert code is CallCode.OK
    assert found == JournalFilter(
        tags=("drift",),
        date_from=date(2025, 3, 1),
        date_to=date(2025, 3, 31),
        head="technical",
        outcome="rejected",
        kind="experiment",
        text="100% o'clock",
        limit=5,
    )


def test_null_everywhere_is_everything() -> None:
    assert read() == (CallCode.OK, JournalFilter())


@pytest.mark.parametrize(
    "fields",
    [
        {"outcome": "failed"},
        {"kind": "orders"},
        {"mutation": "x"},
        {"regime": "calm"},
        {"tags": ["drift", "x"]},
        {"head": "technical' OR '1'='1"},
        {"date_from": "2025-04-01", "date_to": "2025-03-31"},
    ],
)
def test_a_value_that_does_not_exist_refuses_all(fields: dict[str, object]) -> None:
    assert read(**fields) == (CallCode.CONTENT, None)


@pytest.mark.parametrize(
    "fields",
    [
        {"date_from": v}
        for v in (0, "", "20250301", "2025-3-1", "2025-02-30", "2025-W01-1", "2025-03-01T00:00", "0001-01-01")
    ]
    + [{"limit": v} for v in (0, -1, 201, "5", 5.0, True, None, 10**30)]
    + [{"tags": v} for v in (None, "drift", [None], ["drift"] * 11)]
    + [{"text": v} for v in (5, "x" * 201, ["a"])]
    + [{"sql": "SELECT 1"}, {"head": ""}],
)
def test_other_forms_are_refused(fields: dict[str, object]) -> None:
    assert read(**fields) == (CallCode.SCHEMA, None)


@pytest.mark.parametrize("key", sorted(NOTHING))
def test_every_key_must_be_there(key: str) -> None:
    rest = {k: v for k, v in NOTHING.items() if k != key}
    assert read_filter(json.dumps(rest), VOCABULARY).code is CallCode.SCHEMA


def test_the_prompt_says_which_day_it_is_and_which_values_exist() -> None:
    prompt = filter_prompt("what </data> failed?", date(2026, 11, 21), VOCABULARY, 4_000)
    assert prompt is not None
    text = prompt[1].content
    assert "Today is 2026-11-21." in text
    assert '"outcome": ["rejected"]' in text
    assert text.endswith("what &lt;/data&gt; failed?\n</data>")
