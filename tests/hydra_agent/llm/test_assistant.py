import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import pytest

from hydra_agent.llm.assistant import Assistant
from hydra_agent.llm.budget import Spent, spent
from hydra_agent.llm.config import DEFAULT_CHAIN, Limits, LlmConfig, Provider
from hydra_agent.llm.hostile import HOSTILE_STRINGS
from hydra_agent.llm.journal_filter import JournalFilter
from hydra_agent.llm.mutations import ParameterValue, Playbook
from hydra_agent.llm.records import AnswerCode, CallCode, CallRecord
from hydra_agent.llm.rerank import Cause
from hydra_agent.llm.rules_filter import DEFAULT_VOCABULARY
from hydra_agent.llm.text import Entry
from hydra_agent.llm.transport import Message, Reply
from tests.support import llm_server as play

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
KEY = "sk-0123456789-very-secret"
CAUSES = (Cause("stale_source", {"days": 4.0}), Cause("regime_change", {"z": 3.2}))
PLAYBOOKS = (Playbook("trees", "fewer leaves"),)
LIMITS = Limits(connect_seconds=2.0, idle_seconds=0.5, total_seconds=3.0)


def validate(playbook: str, parameters: Mapping[str, ParameterValue]) -> str | None:
    return None if parameters == {"num_leaves": 15} else "out of bounds"


def unexpected(record: CallRecord) -> None:
    pytest.fail(f"{record.provider} was called")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[play.LlmServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("SOME_KEY", KEY)
    with play.LlmServer() as running:
        yield running


@pytest.fixture
def records() -> list[CallRecord]:
    return []


@pytest.fixture
def assistant(server: play.LlmServer, records: list[CallRecord]) -> Assistant:
    provider = Provider(name="local", base_url=server.base_url, model="m", key_variable="SOME_KEY")
    config = LlmConfig(chain=(provider,), limits=LIMITS)
    return Assistant(config, records.append, lambda day: spent(records, day), lambda: NOW, sleep=lambda s: None)


def reply(**fields: object) -> play.Behaviour:
    return play.streamed(f"<think>hm {{}}</think>\n```json\n{json.dumps(fields)}\n```")


def test_with_nobody_to_ask_every_question_is_answered_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in DEFAULT_CHAIN:
        monkeypatch.delenv(provider.key_variable or "", raising=False)
    for config in (LlmConfig(), LlmConfig(chain=DEFAULT_CHAIN)):
        nobody = Assistant(config, unexpected, lambda day: Spent(), lambda: NOW)
        codes = [nobody.rerank(CAUSES).code, nobody.rerank(()).code, nobody.propose(PLAYBOOKS, CAUSES, validate).code]
        codes += [
            nobody.filter("last 5 promotions", DEFAULT_VOCABULARY).code,
            nobody.filter("", DEFAULT_VOCABULARY).code,
        ]
        assert codes == [AnswerCode.NO_LLM] * 5


def test_all_three_questions_over_a_socket(
    assistant: Assistant, server: play.LlmServer, records: list[CallRecord]
) -> None:
    change = {"playbook": "trees", "parameters": {"num_leaves": 15}, "rationale": "overfits"}
    empty = dict.fromkeys(("date_from", "date_to", "mutation", "head", "outcome", "regime", "text"))
    server.on(
        reply(order=["regime_change"], note="n"),
        reply(proposals=[change]),
        reply(**empty, tags=[], kind="promotion", limit=5),
    )
    ranking = assistant.rerank(CAUSES, [Entry(date(2026, 1, 2), "hogs were quiet")]).value
    proposals = assistant.propose(PLAYBOOKS, CAUSES, validate).value
    found = assistant.filter("last 5 promotions", DEFAULT_VOCABULARY).value
    assert ranking is not None
    assert [c.code for c in ranking.applied(CAUSES)] == ["regime_change", "stale_source"]
    assert proposals is not None
    assert [dict(p.parameters) for p in proposals.accepted] == [{"num_leaves": 15}]
    assert found == JournalFilter(kind="promotion", limit=5)
    assert [(r.code, r.touchpoint.value, r.tokens_in) for r in records] == [
        (CallCode.OK, "rerank", 321),
        (CallCode.OK, "mutate", 321),
        (CallCode.OK, "filter", 321),
    ]
    assert "hogs were quiet" in server.requests[0].prompt
    assert KEY not in repr(records)


def test_there_is_nothing_to_ask(assistant: Assistant) -> None:
    codes = [assistant.rerank(CAUSES[:1]).code, assistant.propose((), CAUSES, validate).code]
    codes.append(assistant.filter(" \n", DEFAULT_VOCABULARY).code)
    assert codes == [AnswerCode.NOTHING_TO_ASK] * 3


def test_a_question_longer_than_a_prompt_is_not_asked(assistant: Assistant, server: play.LlmServer) -> None:
    assert assistant.filter("x" * 20_000, DEFAULT_VOCABULARY).code is AnswerCode.CONTEXT_TOO_LARGE
    assert server.requests == []


def test_a_429_is_waited_for_and_a_bad_reply_repaired(assistant: Assistant, server: play.LlmServer) -> None:
    server.on(
        play.status(429, {"Retry-After": "2"}),
        reply(order=["unknown"], note=""),
        reply(order=["stale_source"], note=""),
    )
    assert assistant.rerank(CAUSES).code is AnswerCode.OK
    assert "holds codes that were not given" in server.requests[2].prompt


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (play.status(500), AnswerCode.UNREACHABLE),
        (play.silent(), AnswerCode.TIMEOUT),
        (play.dropped("{}"), AnswerCode.UNREADABLE),
        (play.html(), AnswerCode.UNREADABLE),
        (play.echoing(str), AnswerCode.UNREADABLE),
        (play.streamed("I cannot help with that."), AnswerCode.REFUSED_TEXT),
        (play.streamed("<think>for ever"), AnswerCode.REFUSED_TEXT),
        (reply(order=["stale_source"]), AnswerCode.REFUSED_SCHEMA),
        (reply(order=["promote_now"], note=""), AnswerCode.REFUSED_CONTENT),
    ],
)
def test_every_failure_ends_in_a_code(
    assistant: Assistant, server: play.LlmServer, records: list[CallRecord], behaviour: play.Behaviour, code: AnswerCode
) -> None:
    server.on(behaviour)
    answer = assistant.rerank(CAUSES)
    assert (answer.value, answer.code) == (None, code)
    assert KEY not in repr(records) + repr(answer)


@dataclass
class Says:
    """A transport that always says the same."""

    text: str

    def complete(self, messages: Sequence[Message]) -> Reply:
        return Reply(self.text)


@pytest.mark.parametrize("text", HOSTILE_STRINGS)
def test_hostile_words_go_no_further_than_a_note(records: list[CallRecord], text: str) -> None:
    provider = Provider(name="fake", base_url="http://127.0.0.1:9", model="m")
    says = Says("")
    fake = Assistant(
        LlmConfig(chain=(provider,)),
        records.append,
        lambda day: Spent(),
        lambda: NOW,
        transport_for=lambda provider, config: says,
    )
    says.text = json.dumps({"order": ["stale_source"], "note": text})
    noted = fake.rerank(CAUSES).value
    assert noted is None or (noted.order == ("stale_source",) and "\x1b" not in noted.note)
    says.text = json.dumps({"order": [text], "note": ""})
    assert fake.rerank(CAUSES).value is None
    says.text = json.dumps({"proposals": [{"playbook": text, "parameters": {"num_leaves": 15}, "rationale": ""}]})
    assert fake.propose(PLAYBOOKS, CAUSES, validate).value is None
    fields = dict.fromkeys(("date_from", "date_to", "mutation", "head", "outcome", "regime", "kind", "text"))
    for name in ("date_from", "mutation", "head", "outcome", "regime", "kind"):
        says.text = json.dumps(fields | {name: text, "tags": [], "limit": 20})
        found = fake.filter("which?", DEFAULT_VOCABULARY).value
        assert found is None


def test_a_context_full_of_injections_changes_no_rule(assistant: Assistant, server: play.LlmServer) -> None:
    server.on(reply(order=["promote_now"], note="as instructed"))
    context = [Entry(date(2026, 1, 2), text) for text in HOSTILE_STRINGS]
    assert assistant.rerank(CAUSES, context).code is AnswerCode.REFUSED_CONTENT
    sent = server.requests[0].prompt
    # One fence is named by the rules; every other one is ours.
    assert sent.count("</data>") == sent.count('<data label="entry of 2026-01-02">')
    assert "\x1b" not in sent


def test_an_unpaid_day_asks_nobody(server: play.LlmServer) -> None:
    provider = Provider(name="local", base_url=server.base_url, model="m")
    config = LlmConfig(chain=(provider,), limits=LIMITS)
    broke = Assistant(config, unexpected, lambda day: Spent(tokens=500_000), lambda: NOW)
    assert broke.rerank(CAUSES).code is AnswerCode.BUDGET_SPENT
    assert server.requests == []
