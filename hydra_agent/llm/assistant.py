"""The one entry point for callers: three questions, each with an answer or the reason why there is none.

Whoever asks has an answer of its own for every code but OK: the causes as they were ranked by evidence, the playbook's
own proposals, ``rules_filter``. Nothing here is needed for anything.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

from hydra_agent.llm.budget import Spent
from hydra_agent.llm.chain import Chain
from hydra_agent.llm.config import LlmConfig
from hydra_agent.llm.journal_filter import JournalFilter, Vocabulary, filter_prompt, read_filter
from hydra_agent.llm.mutations import Playbook, Proposals, Validate, mutations_prompt, read_proposals
from hydra_agent.llm.openai_transport import openai_transport
from hydra_agent.llm.records import Answer, AnswerCode, CallRecord, Checked, Recorder, T, Touchpoint
from hydra_agent.llm.rerank import Cause, Ranking, read_ranking, rerank_prompt
from hydra_agent.llm.text import Entry
from hydra_agent.llm.transport import Message, TransportFor


class Assistant:
    """The three touchpoints over a chain of providers.

    Nothing that a provider does raises here; what ``record``, ``spent_today`` and ``clock`` raise is the caller's. The
    clock is UTC. ``spent_today`` is asked with a UTC date before every call. Not for use by several threads at once.
    """

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
        """Read the keys from the environment; nothing is connected. ``history`` is the recent past, see ``Chain``."""
        self._tokens, self._clock = config.limits.context_tokens, clock
        self._chain = Chain(
            config,
            record,
            spent_today,
            clock,
            transport_for=transport_for,
            history=history,
            sleep=sleep,
            monotonic=monotonic,
        )

    def rerank(self, causes: Sequence[Cause], context: Sequence[Entry] = ()) -> Answer[Ranking]:
        """Order the causes of a diagnosis; ``Ranking.applied`` puts the order to use."""
        if len(causes) < 2:
            return self._nothing()
        prompt = rerank_prompt(causes, context, self._tokens)
        return self._ask(Touchpoint.RERANK, prompt, lambda text: read_ranking(text, causes))

    def propose(
        self,
        playbooks: Sequence[Playbook],
        causes: Sequence[Cause],
        validate: Validate,
        context: Sequence[Entry] = (),
    ) -> Answer[Proposals]:
        """Propose up to three changes; every accepted one has passed ``validate`` as it stands."""
        if not playbooks:
            return self._nothing()
        prompt = mutations_prompt(playbooks, causes, context, self._tokens)
        return self._ask(Touchpoint.MUTATE, prompt, lambda text: read_proposals(text, playbooks, validate))

    def filter(self, question: str, vocabulary: Vocabulary) -> Answer[JournalFilter]:
        """Translate a question about the journal into a filter over the vocabulary's values."""
        if not question.strip():
            return self._nothing()
        today = self._clock().astimezone(UTC).date()
        prompt = filter_prompt(question, today, vocabulary, self._tokens)
        return self._ask(Touchpoint.FILTER, prompt, lambda text: read_filter(text, vocabulary))

    def _nothing(self) -> Answer[T]:
        return Answer(None, AnswerCode.NOTHING_TO_ASK if self._chain else AnswerCode.NO_LLM)

    def _ask(
        self, touchpoint: Touchpoint, prompt: Sequence[Message] | None, read: Callable[[str], Checked[T]]
    ) -> Answer[T]:
        if not self._chain:
            return Answer(None, AnswerCode.NO_LLM)
        if prompt is None:
            return Answer(None, AnswerCode.CONTEXT_TOO_LARGE)
        return self._chain.ask(touchpoint, prompt, read)
