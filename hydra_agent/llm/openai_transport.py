"""One attempt at an OpenAI-compatible endpoint: the ``openai`` package makes the request, the reply is read here.

Silence is told from slowness by streaming: a read that waits too long is idle, and a clock outside of the reading
thread ends a call that drips. The body is read raw and up to a cap; nothing is unpacked, no redirect is followed, no
error page is read. ``openai`` is imported with the first call, since most runs make none.
"""

import os
import time
from collections.abc import Sequence
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING

from hydra_agent.llm.config import Limits, LlmConfig, Provider
from hydra_agent.llm.records import CallCode
from hydra_agent.llm.secrets import echoes, key_of
from hydra_agent.llm.transport import Message, Reply
from hydra_agent.llm.wire import read_body
from hydra_assets.sources.http import http_date

if TYPE_CHECKING:
    import httpx2
    import openai
    from openai.types.chat import ChatCompletionMessageParam

TEMPERATURE = 0.0


def openai_transport(provider: Provider, config: LlmConfig) -> "OpenAITransport | None":
    """A provider's transport, or None where its key is not in the environment."""
    key = key_of(provider, os.environ)
    return None if key is None else OpenAITransport(provider, key, config.limits)


class _StatusError(Exception):
    """A status that is no success, raised before anything of the body is read; never leaves this module."""

    def __init__(self, status: int, retry_after: str | None) -> None:
        super().__init__(str(status))
        self.status, self.retry_after = status, retry_after


class OpenAITransport:
    """One provider with its key, which appears in no representation and in no reply."""

    __slots__ = ("_key", "_limits", "_provider")

    def __init__(self, provider: Provider, key: str, limits: Limits) -> None:
        """Keep what a call needs; nothing is opened."""
        self._provider, self._key, self._limits = provider, key, limits

    def __repr__(self) -> str:
        return f"OpenAITransport({self._provider.name!r})"

    def complete(self, messages: Sequence[Message]) -> Reply:
        """Ask once. Every failure is a code; see ``Transport``."""
        client, stop, done = self._client(), Event(), SimpleQueue[Reply]()
        work = Thread(target=lambda: done.put(self._guarded(client, messages, stop)), name="llm-call", daemon=True)
        work.start()
        try:
            reply = done.get(timeout=self._limits.total_seconds)
        except Empty:
            reply = Reply(code=CallCode.TIMEOUT, detail=f"not done in {self._limits.total_seconds:g} s")
        # Ends the thread where it still waits: at its next byte, or after the idle time.
        stop.set()
        client.close()
        if echoes(reply.text, self._key):
            return Reply(code=CallCode.KEY_ECHOED, detail="the reply holds the key")
        return reply

    def _client(self) -> "openai.OpenAI":
        import openai  # noqa: PLC0415  see the module's docstring

        timeout = openai.Timeout(self._limits.idle_seconds, connect=self._limits.connect_seconds)
        return openai.OpenAI(
            api_key=self._key or "none",
            base_url=self._provider.base_url,
            max_retries=0,
            timeout=timeout,
            http_client=openai.DefaultHttpxClient(
                timeout=timeout, follow_redirects=False, event_hooks={"response": [_only_success]}
            ),
        )

    def _guarded(self, client: "openai.OpenAI", messages: Sequence[Message], stop: Event) -> Reply:
        try:
            return self._exchange(client, messages, stop)
        except _StatusError as error:
            return _refused(error)
        except Exception as error:
            # openai's own, which hold the request and so the key: nothing of them leaves but a name.
            return _failed(error)

    def _exchange(self, client: "openai.OpenAI", messages: Sequence[Message], stop: Event) -> Reply:
        import openai  # noqa: PLC0415  see the module's docstring

        with client.chat.completions.with_streaming_response.create(
            model=self._provider.model,
            messages=[_param(m) for m in messages],
            temperature=TEMPERATURE,
            max_tokens=self._limits.reply_tokens,
            stream=True,
            stream_options={"include_usage": True},
            # Not packed, since it is read as it comes; and no account of another provider's.
            extra_headers={
                "Accept-Encoding": "identity",
                "OpenAI-Organization": openai.omit,
                "OpenAI-Project": openai.omit,
            },
        ) as response:
            return self._body(response.http_response, stop)

    def _body(self, response: "httpx2.Response", stop: Event) -> Reply:
        body, last = bytearray(), time.monotonic()
        try:
            for part in response.iter_raw():
                body += part
                last = time.monotonic()
                if len(body) > self._limits.wire_bytes:
                    return Reply(code=CallCode.TOO_LARGE, detail=f"more than {self._limits.wire_bytes} bytes")
                if stop.is_set():
                    return Reply(code=CallCode.TIMEOUT)
        except Exception:
            # Of the HTTP library behind openai, which is no dependency of ours.
            silent = time.monotonic() - last >= 0.9 * self._limits.idle_seconds
            code = CallCode.TIMEOUT if silent else CallCode.DROPPED
            return Reply(code=code, detail="silent for too long" if silent else "the connection ended in the body")
        return read_body(response.headers.get("content-type", ""), bytes(body), self._limits)


def _param(message: Message) -> "ChatCompletionMessageParam":
    if message.role == "system":
        return {"role": "system", "content": message.content}
    return {"role": "user", "content": message.content}


def _only_success(response: "httpx2.Response") -> None:
    """End the exchange at the headers of an error, whose page openai would read to its end."""
    if not response.is_success:
        raise _StatusError(response.status_code, response.headers.get("retry-after"))


def _refused(error: _StatusError) -> Reply:
    codes = {429: CallCode.RATE_LIMITED}
    code = codes.get(error.status, CallCode.SERVER_ERROR if error.status >= 500 else CallCode.HTTP_STATUS)
    return Reply(code=code, detail=f"status {error.status}", retry_after=_seconds(error.retry_after))


def _seconds(retry_after: str | None) -> float | None:
    """Seconds that Retry-After asks for, given as seconds or as a date; None where absent or unreadable."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    until = http_date(text)
    return None if until is None else max(0.0, until.timestamp() - time.time())


def _failed(error: Exception) -> Reply:
    """A code for an error of openai. Its text may hold what the server said, and its request holds the key."""
    import openai  # noqa: PLC0415  see the module's docstring

    cause = type(error.__cause__).__name__
    if isinstance(error, openai.APITimeoutError) and cause != "ConnectTimeout":
        return Reply(code=CallCode.TIMEOUT, detail="silent for too long")
    if isinstance(error, openai.APIConnectionError):  # of which the timeout is one
        return Reply(code=CallCode.CONNECT, detail=cause)
    return Reply(code=CallCode.TRANSPORT_FAILED, detail=type(error).__name__)
