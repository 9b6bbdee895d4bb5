"""The chain of providers: ask one after the other until one gives an answer that can be believed.

A provider is asked while its breaker lets calls through and the day's budget holds what the call may cost at most. It
is tried again only after 429, 5xx and failures to connect, and told once why a reply was refused. Every call is
recorded, whatever became of it.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import count

from hydra_agent.llm.breaker import Breaker, Phase, replayed
from hydra_agent.llm.budget import Spent, affordable
from hydra_agent.llm.config import LlmConfig, Provider, Retry
from hydra_agent.llm.openai_transport import openai_transport
from hydra_agent.llm.prompt import with_repair
from hydra_agent.llm.records import (
    REPAIRED,
    RETRIED,
    Answer,
    AnswerCode,
    CallCode,
    CallRecord,
    Checked,
    Recorder,
    T,
    Touchpoint,
    answer_code,
)
from hydra_agent.llm.text import estimate_tokens, plain
from hydra_agent.llm.transport import Message, Reply, Transport, TransportFor, prompt_text

_SKIPPED = frozenset({AnswerCode.BUDGET_SPENT, AnswerCode.CIRCUIT_OPEN})
_NOT_BILLED = frozenset({CallCode.CONNECT, CallCode.RATE_LIMITED, CallCode.SERVER_ERROR, CallCode.HTTP_STATUS})


@dataclass(slots=True)
class _Link:
    """One provider of the chain and the state of its breaker."""

    provider: Provider
    transport: Transport
    breaker: Breaker


class Chain:
    """Providers that have their keys, in order. Not for use by several threads at once."""

    def __init__(
        self,
        config: LlmConfig,
        record: Recorder,
        spent_today: Callable[[date], Spent],
        clock: Callable[[], datetime],
        *,
        transport_for: TransportFor = openai_transport,
        history: Sequence[CallRecord] = (),
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make the transports. ``history`` are recent calls in order, from which the breakers start."""
        self._config, self._record, self._spent_today = config, record, spent_today
        self._clock, self._sleep, self._monotonic = clock, sleep, monotonic
        made = ((provider, transport_for(provider, config)) for provider in config.chain)
        self._links = [
            _Link(provider, transport, replayed(history, provider.name, config.breaker))
            for provider, transport in made
            if transport is not None
        ]

    def __bool__(self) -> bool:
        """Whether there is anybody to ask."""
        return bool(self._links)

    def ask(self, touchpoint: Touchpoint, messages: Sequence[Message], read: Callable[[str], Checked[T]]) -> Answer[T]:
        """Ask until a reply can be read; else the reason of the last provider that was asked, or was not."""
        answer: Answer[T] = Answer(None, AnswerCode.NO_LLM)
        for link in self._links:
            latest = self._ask_one(link, touchpoint, messages, read)
            if latest.code is AnswerCode.OK:
                return latest
            # A reason from a call says more than that a provider was not called.
            if latest.code not in _SKIPPED or answer.code in {AnswerCode.NO_LLM, *_SKIPPED}:
                answer = latest
        return answer

    def _ask_one(
        self, link: _Link, touchpoint: Touchpoint, messages: Sequence[Message], read: Callable[[str], Checked[T]]
    ) -> Answer[T]:
        attempts = count(1)
        checked = self._tried(link, touchpoint, messages, read, attempts)
        if not isinstance(checked, AnswerCode) and checked.code in REPAIRED:
            repaired = self._tried(link, touchpoint, with_repair(messages, checked.message), read, attempts)
            # Where a repair may not be asked for, the refusal stands.
            checked = checked if isinstance(repaired, AnswerCode) else repaired
        if isinstance(checked, AnswerCode):
            return Answer(None, checked, link.provider.name)
        return Answer(checked.value, answer_code(checked.code), link.provider.name, checked.message)

    def _tried(
        self,
        link: _Link,
        touchpoint: Touchpoint,
        messages: Sequence[Message],
        read: Callable[[str], Checked[T]],
        attempts: Iterator[int],
    ) -> Checked[T] | AnswerCode:
        """The reply after as many attempts as it takes, or why there was no first attempt."""
        last: Checked[T] | AnswerCode = AnswerCode.NO_LLM
        for attempt in range(1, self._config.retry.attempts + 1):
            barred = self._barred(link, messages)
            if barred is not None:
                return barred if isinstance(last, AnswerCode) else last
            last, retry_after = self._call(link, touchpoint, messages, read, next(attempts))
            wait = pause(attempt, retry_after, self._config.retry) if last.code in RETRIED else None
            if wait is None:
                break
            self._sleep(wait)
        return last

    def _barred(self, link: _Link, messages: Sequence[Message]) -> AnswerCode | None:
        """Why the provider may not be asked now, or None."""
        now = self._clock()
        if link.breaker.phase(now, self._config.breaker) is Phase.OPEN:
            return AnswerCode.CIRCUIT_OPEN
        tokens_in, tokens_out = estimate_tokens(prompt_text(messages)), self._config.limits.reply_tokens
        so_far = self._spent_today(now.astimezone(UTC).date())
        worst = link.provider.cost(tokens_in, tokens_out)
        if not affordable(so_far, self._config.budget, tokens_in + tokens_out, worst):
            return AnswerCode.BUDGET_SPENT
        return None

    def _call(
        self,
        link: _Link,
        touchpoint: Touchpoint,
        messages: Sequence[Message],
        read: Callable[[str], Checked[T]],
        attempt: int,
    ) -> tuple[Checked[T], float | None]:
        """One call, recorded; and the seconds that a refusal asks to wait."""
        at, start, prompt = self._clock(), self._monotonic(), prompt_text(messages)
        reply = _asked(link.transport, messages)
        seconds = self._monotonic() - start
        checked = _read(reply, read)
        tokens_in, tokens_out, reported = self._tokens(reply, prompt)
        self._record(
            CallRecord(
                at=at,
                touchpoint=touchpoint,
                provider=link.provider.name,
                model=link.provider.model,
                prompt_sha256=hashlib.sha256(prompt.encode("utf-8", "replace")).hexdigest(),
                prompt=prompt,
                reply=reply.text,
                code=checked.code,
                message=checked.message,
                tokens_in=tokens_in,
                tokens_out=tokens_out,
                tokens_reported=reported,
                cost=link.provider.cost(tokens_in, tokens_out),
                seconds=seconds,
                attempt=attempt,
            )
        )
        link.breaker = link.breaker.after(checked.code is CallCode.OK, self._clock(), self._config.breaker)
        return checked, reply.retry_after

    def _tokens(self, reply: Reply, prompt: str) -> tuple[int, int, bool]:
        """Tokens in and out, and whether they were reported. A call that failed after it was sent counts in full."""
        if reply.code in _NOT_BILLED:
            return 0, 0, False
        if reply.code is not CallCode.OK:
            return estimate_tokens(prompt), self._config.limits.reply_tokens, False
        if reply.tokens_in is not None and reply.tokens_out is not None:
            return reply.tokens_in, reply.tokens_out, True
        return estimate_tokens(prompt), estimate_tokens(reply.text + reply.thinking), False


def pause(attempt: int, retry_after: float | None, retry: Retry) -> float | None:
    """Seconds to wait after a failed attempt, counted from 1; None where it is not tried again.

    The backoff doubles up to its cap and is never shorter than Retry-After; a Retry-After above its own cap gives up.
    """
    if attempt >= retry.attempts:
        return None
    asked = 0.0 if retry_after is None else retry_after
    if not asked <= retry.retry_after_cap_seconds:
        return None
    return max(asked, min(retry.backoff_cap_seconds, retry.backoff_seconds * 2.0 ** (attempt - 1)))


def _asked(transport: Transport, messages: Sequence[Message]) -> Reply:
    """The reply, its text without what a database or a terminal would choke on. What is recorded is what is read."""
    try:
        reply = transport.complete(messages)
        return replace(reply, text=plain(reply.text), thinking=plain(reply.thinking))
    except Exception as error:
        # Somebody else's code, whose message may hold a key.
        return Reply(code=CallCode.TRANSPORT_FAILED, detail=type(error).__name__)


def _read(reply: Reply, read: Callable[[str], Checked[T]]) -> Checked[T]:
    if reply.code is not CallCode.OK:
        return Checked(None, reply.code, reply.detail)
    try:
        return read(reply.text)
    except Exception as error:
        # A reply must not stop the agent, whatever defect it finds.
        return Checked(None, CallCode.READER_FAILED, type(error).__name__)
