import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pytest

from hydra_agent.llm.budget import Spent, spent
from hydra_agent.llm.chain import Chain, pause
from hydra_agent.llm.config import BreakerPolicy, Budget, LlmConfig, Provider, Retry
from hydra_agent.llm.records import Answer, AnswerCode, CallCode, CallRecord, Checked, Touchpoint
from hydra_agent.llm.transport import Message, Reply, Transport

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MESSAGES = (Message("system", "rules"), Message("user", "which?"))
GOOD = Reply("good", tokens_in=100, tokens_out=50)
BAD = Reply("bad")
FIRST = Provider(name="first", base_url="https://a.example", model="m1", price_in=1.0, price_out=10.0)
SECOND = Provider(name="second", base_url="https://b.example", model="m2")


def read(text: str) -> Checked[str]:
    return Checked(text, CallCode.OK) if text == "good" else Checked(None, CallCode.SCHEMA, f"{text} is not good")


@dataclass
class Scripted:
    """Replies in order, the last one for ever; an exception is raised."""

    replies: list[Reply | Exception]
    asked: list[str] = field(default_factory=list)

    def complete(self, messages: Sequence[Message]) -> Reply:
        self.asked.append(messages[-1].content)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply


@dataclass
class Bench:
    """A chain with a clock that stands still but for sleeping."""

    transports: dict[str, Transport | None]
    config: LlmConfig = field(default_factory=lambda: LlmConfig(chain=(FIRST, SECOND)))
    history: Sequence[CallRecord] = ()
    now: datetime = NOW
    records: list[CallRecord] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.chain = Chain(
            self.config,
            self.records.append,
            lambda day: spent(self.records, day),
            lambda: self.now,
            transport_for=lambda provider, config: self.transports.get(provider.name),
            history=self.history,
            sleep=self.sleep,
            monotonic=self.elapsed,
        )

    def elapsed(self) -> float:
        return self.now.timestamp()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)

    def ask(self, reader: Callable[[str], Checked[str]] = read) -> Answer[str]:
        return self.chain.ask(Touchpoint.RERANK, MESSAGES, reader)

    @property
    def calls(self) -> list[tuple[str, CallCode, int]]:
        return [(r.provider, r.code, r.attempt) for r in self.records]


def test_a_good_reply_and_its_record() -> None:
    bench = Bench({"first": Scripted([GOOD])})
    assert bench.ask() == Answer("good", AnswerCode.OK, "first")
    [record] = bench.records
    assert record == CallRecord(
        at=NOW,
        touchpoint=Touchpoint.RERANK,
        provider="first",
        model="m1",
        # printf '[system]\nrules\n\n[user]\nwhich?' | sha256sum
        prompt_sha256="5ec3e25ddc9a8644322dd74e94779145d54e45d2620d730c10c4ec95270df148",
        prompt="[system]\nrules\n\n[user]\nwhich?",
        reply="good",
        code=CallCode.OK,
        message="",
        tokens_in=100,
        tokens_out=50,
        tokens_reported=True,
        cost=0.0006,
        seconds=0.0,
        attempt=1,
    )


@pytest.mark.parametrize("transports", [{}, {"first": None, "second": None}])
def test_nobody_to_ask(transports: dict[str, Transport | None]) -> None:
    bench = Bench(transports)
    assert not bench.chain
    assert bench.ask() == Answer(None, AnswerCode.NO_LLM)


def test_one_repair_that_shows_the_error() -> None:
    scripted = Scripted([BAD, GOOD])
    bench = Bench({"first": scripted})
    assert bench.ask().value == "good"
    assert bench.calls == [("first", CallCode.SCHEMA, 1), ("first", CallCode.OK, 2)]
    assert scripted.asked[0] == "which?"
    assert scripted.asked[1].startswith("which?\n\nYour last reply was refused:")
    assert "bad is not good" in scripted.asked[1]


def test_there_is_no_second_repair_and_the_next_is_asked() -> None:
    bench = Bench({"first": Scripted([BAD]), "second": Scripted([GOOD])})
    assert bench.ask() == Answer("good", AnswerCode.OK, "second")
    assert [c[:2] for c in bench.calls] == [("first", CallCode.SCHEMA)] * 2 + [("second", CallCode.OK)]


def test_the_last_reason_is_told_where_all_fail() -> None:
    bench = Bench({"first": Scripted([BAD]), "second": Scripted([Reply(code=CallCode.TIMEOUT, detail="slow")])})
    assert bench.ask() == Answer(None, AnswerCode.TIMEOUT, "second", "slow")


@pytest.mark.parametrize("code", [CallCode.RATE_LIMITED, CallCode.SERVER_ERROR, CallCode.CONNECT])
def test_what_may_pass_is_tried_again_with_a_growing_pause(code: CallCode) -> None:
    bench = Bench({"first": Scripted([Reply(code=code), Reply(code=code), GOOD])})
    assert bench.ask().code is AnswerCode.OK
    assert bench.slept == [1.0, 2.0]
    assert bench.calls == [("first", code, 1), ("first", code, 2), ("first", CallCode.OK, 3)]


@pytest.mark.parametrize(
    "code", [CallCode.TIMEOUT, CallCode.DROPPED, CallCode.HTTP_STATUS, CallCode.TOO_LARGE, CallCode.KEY_ECHOED]
)
def test_what_will_not_pass_is_not_tried_again(code: CallCode) -> None:
    bench = Bench({"first": Scripted([Reply(code=code), GOOD])})
    assert bench.ask().value is None
    assert (bench.calls, bench.slept) == ([("first", code, 1)], [])


@pytest.mark.parametrize(
    ("attempt", "asked", "expected"),
    [
        (1, None, 1.0),
        (2, None, 2.0),
        (9, None, 20.0),
        (1, 7.0, 7.0),
        (1, 0.0, 1.0),
        (1, -5.0, 1.0),
        (1, 30.0, 30.0),
        (1, 31.0, None),
        (1, float("inf"), None),
        (1, float("nan"), None),
        (10, None, None),
    ],
)
def test_the_pause(attempt: int, asked: float | None, expected: float | None) -> None:
    assert pause(attempt, asked, Retry(attempts=10)) == expected


def test_a_transport_or_reader_that_raises_stops_nothing_and_says_no_secret() -> None:
    def careless(text: str) -> Checked[str]:
        raise KeyError("sk-secret")

    bench = Bench({"first": Scripted([RuntimeError("Bearer sk-secret")]), "second": Scripted([GOOD])})
    assert bench.ask(careless).code is AnswerCode.REFUSED_CONTENT
    assert [c[1] for c in bench.calls] == [CallCode.TRANSPORT_FAILED, CallCode.READER_FAILED]
    assert "sk-secret" not in repr(bench.records)


def test_text_is_stripped_before_it_is_recorded_or_read() -> None:
    bench = Bench({"first": Scripted([Reply("go\x00od\ud800")])})
    assert bench.ask().value == "good"
    assert bench.records[0].reply == "good"


def test_the_breaker_opens_pauses_and_lets_one_through() -> None:
    config = LlmConfig(chain=(FIRST,), breaker=BreakerPolicy(failures=4, pause_seconds=100.0))
    scripted = Scripted([BAD])
    bench = Bench({"first": scripted}, config)
    for _ in range(2):
        assert bench.ask().code is AnswerCode.REFUSED_SCHEMA
    assert bench.ask() == Answer(None, AnswerCode.CIRCUIT_OPEN, "first")
    assert len(bench.records) == 4
    bench.now += timedelta(seconds=100)
    assert bench.ask().code is AnswerCode.REFUSED_SCHEMA
    # Half-open: one call and no repair.
    assert len(bench.records) == 5
    assert bench.ask().code is AnswerCode.CIRCUIT_OPEN
    bench.now += timedelta(seconds=100)
    scripted.replies = [GOOD]
    assert bench.ask().code is AnswerCode.OK
    scripted.replies = [BAD]
    assert bench.ask().code is AnswerCode.REFUSED_SCHEMA
    assert len(bench.records) == 8


def test_an_open_breaker_survives_the_process() -> None:
    config = LlmConfig(chain=(FIRST, SECOND), breaker=BreakerPolicy(failures=2))
    before = Bench({"first": Scripted([BAD])}, config)
    before.ask()
    after = Bench({"first": Scripted([GOOD]), "second": Scripted([GOOD])}, config, history=before.records)
    assert after.ask().provider == "second"


def test_the_budget_stops_before_the_call_and_ends_with_the_day() -> None:
    config = LlmConfig(chain=(FIRST,), budget=Budget(tokens=9_000, money=1.0))
    bench = Bench({"first": Scripted([Reply("good", tokens_in=400, tokens_out=600)])}, config)
    assert bench.ask().code is AnswerCode.OK
    assert bench.ask() == Answer(None, AnswerCode.BUDGET_SPENT, "first")
    assert len(bench.records) == 1
    bench.now += timedelta(days=1)
    assert bench.ask().code is AnswerCode.OK


def test_a_free_provider_is_asked_where_the_money_is_spent() -> None:
    config = LlmConfig(chain=(FIRST, SECOND), budget=Budget(tokens=10**6, money=0.01))
    bench = Bench({"first": Scripted([GOOD]), "second": Scripted([GOOD])}, config)
    assert bench.ask() == Answer("good", AnswerCode.OK, "second")


def test_a_reason_from_a_call_says_more_than_a_provider_that_was_skipped() -> None:
    config = LlmConfig(chain=(SECOND, FIRST), budget=Budget(tokens=10**6, money=0.01))
    bench = Bench({"first": Scripted([GOOD]), "second": Scripted([BAD])}, config)
    assert bench.ask().code is AnswerCode.REFUSED_SCHEMA


@pytest.mark.parametrize(
    ("reply", "counted"),
    [
        (Reply("good", thinking="x" * 296), (10, 100, False)),
        (Reply("good", tokens_in=7), (10, 2, False)),
        (Reply("good", tokens_in=7, tokens_out=0), (7, 0, True)),
        (Reply(code=CallCode.TIMEOUT), (10, 8_192, False)),
        (Reply(code=CallCode.DROPPED), (10, 8_192, False)),
        (Reply(code=CallCode.HTTP_STATUS), (0, 0, False)),
    ],
)
def test_tokens_are_reported_estimated_or_counted_in_full(reply: Reply, counted: tuple[int, int, bool]) -> None:
    bench = Bench({"first": Scripted([reply])})
    bench.ask()
    record = bench.records[0]
    assert (record.tokens_in, record.tokens_out, record.tokens_reported) == counted
    assert record.cost == pytest.approx((counted[0] * 1.0 + counted[1] * 10.0) / 1e6)


def test_the_budget_is_asked_for_the_utc_day() -> None:
    days: list[date] = []

    def spent_today(day: date) -> Spent:
        days.append(day)
        return Spent()

    local = datetime.fromisoformat("2026-11-22T01:00:00+03:00")
    config = LlmConfig(chain=(FIRST,))
    chain = Chain(config, lambda r: None, spent_today, lambda: local, transport_for=lambda p, c: Scripted([GOOD]))
    chain.ask(Touchpoint.FILTER, MESSAGES, read)
    assert days == [date(2026, 11, 21)]


def test_a_record_is_plain_data() -> None:
    bench = Bench({"first": Scripted([GOOD])})
    bench.ask()
    record = bench.records[0]
    row = {name: getattr(record, name) for name in CallRecord.__slots__}
    assert json.loads(json.dumps(row, default=str))["code"] == "ok"
