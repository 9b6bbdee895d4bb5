import json
import logging
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from hydra_agent.llm.config import Limits, LlmConfig, Provider
from hydra_agent.llm.openai_transport import OpenAITransport, openai_transport
from hydra_agent.llm.records import CallCode
from hydra_agent.llm.transport import Message, Reply
from tests.support import llm_server as play

KEY = "sk-0123456789-very-secret"
MESSAGES = (Message("system", "rules"), Message("user", "which?"))
GOOD = '{"order": ["stale_source"], "note": "läuft"}'
LIMITS = Limits(connect_seconds=2.0, idle_seconds=0.3, total_seconds=2.0, wire_bytes=300_000, text_chars=50_000)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[play.LlmServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with play.LlmServer() as running:
        yield running


def provider(server: play.LlmServer) -> Provider:
    return Provider(name="local", base_url=server.base_url, model="m1", key_variable="SOME_KEY")


def ask(server: play.LlmServer, behaviour: play.Behaviour, limits: Limits = LIMITS) -> Reply:
    server.on(behaviour)
    return OpenAITransport(provider(server), KEY, limits).complete(MESSAGES)


@pytest.mark.parametrize("good", [play.streamed, play.whole])
def test_a_good_reply_with_its_usage(server: play.LlmServer, good: Callable[[str], play.Behaviour]) -> None:
    assert ask(server, good(GOOD)) == Reply(GOOD, tokens_in=321, tokens_out=45)


def test_what_is_asked(server: play.LlmServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-another-provider")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-another-provider")
    ask(server, play.streamed(GOOD))
    [asked] = server.requests
    assert asked.path == "/v1/chat/completions"
    assert asked.body == {
        "model": "m1",
        "messages": [{"role": "system", "content": "rules"}, {"role": "user", "content": "which?"}],
        "temperature": 0.0,
        "max_tokens": 8192,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert asked.headers["Authorization"] == f"Bearer {KEY}"
    assert "another-provider" not in str(asked.headers)


def test_thinking_in_its_own_field_is_kept_apart(server: play.LlmServer) -> None:
    reply = ask(server, play.streamed(GOOD, thinking='{"order": ["decoy"]}'))
    assert (reply.text, reply.thinking) == (GOOD, '{"order": ["decoy"]}')


@pytest.mark.parametrize(
    "usage",
    [None, {}, [], {"prompt_tokens": "5", "completion_tokens": True}, {"prompt_tokens": -1}, {"prompt_tokens": 10**12}],
)
def test_usage_that_cannot_be_is_not_believed(server: play.LlmServer, usage: object) -> None:
    reply = ask(server, play.streamed(GOOD, usage=usage))
    assert (reply.text, reply.tokens_in, reply.tokens_out) == (GOOD, None, None)


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (play.status(429, {"Retry-After": "7"}), CallCode.RATE_LIMITED),
        (play.status(500), CallCode.SERVER_ERROR),
        (play.status(503), CallCode.SERVER_ERROR),
        (play.status(401), CallCode.HTTP_STATUS),
        (play.status(307, {"Location": "http://127.0.0.1:1/elsewhere"}), CallCode.HTTP_STATUS),
        (play.endless(play.JSON, 500), CallCode.SERVER_ERROR),
        (play.closed(), CallCode.CONNECT),
        (play.dropped(GOOD), CallCode.DROPPED),
        (play.streamed(GOOD, done=False), CallCode.DROPPED),
        (play.silent(), CallCode.TIMEOUT),
        (play.endless(), CallCode.TOO_LARGE),
        (play.packed_bomb(), CallCode.NOT_A_COMPLETION),
        (play.streamed("x" * 60_000), CallCode.TOO_LARGE),
        (play.html(), CallCode.NOT_A_COMPLETION),
        (play.raw(GOOD.encode(), {"Content-Type": "text/plain"}), CallCode.NOT_A_COMPLETION),
        (play.raw(GOOD.encode(), {}), CallCode.NOT_A_COMPLETION),
        (play.raw(b"\xff\xfe{}", play.JSON), CallCode.NOT_A_COMPLETION),
        (play.raw(b"", play.JSON), CallCode.NOT_A_COMPLETION),
        (play.raw(GOOD.encode(), play.JSON), CallCode.NOT_A_COMPLETION),
        (play.raw(b"[" * 100_000, play.JSON), CallCode.NOT_A_COMPLETION),
        (play.raw(b'{"choices": [' + b"9" * 9_000 + b"]}", play.JSON), CallCode.NOT_A_COMPLETION),
        (play.raw(b'{"choices": [{"message": {"content": ["a"]}}]}', play.JSON), CallCode.NOT_A_COMPLETION),
        (play.raw(b'data: {"error": {"message": "overloaded"}}\n\n', play.SSE), CallCode.NOT_A_COMPLETION),
        (play.raw(b"data: <html>\n\n", play.SSE), CallCode.NOT_A_COMPLETION),
        (play.raw(b"\x00" * 100, play.SSE), CallCode.DROPPED),
    ],
)
def test_every_misbehaviour_has_its_code(server: play.LlmServer, behaviour: play.Behaviour, code: CallCode) -> None:
    reply = ask(server, behaviour)
    assert (reply.code, reply.text) == (code, "")
    assert KEY not in repr(reply)
    assert len(server.requests) == 1


def test_a_server_that_is_not_there(server: play.LlmServer) -> None:
    nobody = Provider(name="nobody", base_url="http://127.0.0.1:9/v1", model="m")
    assert OpenAITransport(nobody, "", LIMITS).complete(MESSAGES).code is CallCode.CONNECT


@pytest.mark.parametrize("behaviour", [play.drips(0.05), play.drips_headers(0.05)])
def test_a_drip_is_ended_by_the_total(server: play.LlmServer, behaviour: play.Behaviour) -> None:
    start = time.monotonic()
    reply = ask(server, behaviour, LIMITS.model_copy(update={"total_seconds": 0.4}))
    assert reply.code is CallCode.TIMEOUT
    assert time.monotonic() - start < 1.5
    # The reading thread ends at the next byte, or after the idle time.
    waiting = [thread for thread in threading.enumerate() if thread.name == "llm-call"]
    for thread in waiting:
        thread.join(2)
    assert not any(thread.is_alive() for thread in waiting)


def test_retry_after_in_seconds_and_as_a_date(server: play.LlmServer) -> None:
    assert ask(server, play.status(429, {"Retry-After": "7"})).retry_after == 7.0
    assert ask(server, play.status(503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})).retry_after == 0.0
    assert ask(server, play.status(429, {"Retry-After": "soon"})).retry_after is None
    assert ask(server, play.status(429)).retry_after is None


@pytest.mark.parametrize(
    "form",
    [
        lambda key: key,
        lambda key: "".join(f"\\u{ord(c):04x}" for c in key),
        lambda key: key[:9] + "\\u200b" + key[9:],
        lambda key: json.dumps(key[:5] + "\u200d" + key[5:])[1:-1],
    ],
)
def test_a_reply_with_the_key_in_it_is_dropped(server: play.LlmServer, form: Callable[[str], str]) -> None:
    reply = ask(server, play.echoing(form))
    assert reply == Reply(code=CallCode.KEY_ECHOED, detail="the reply holds the key")


def test_the_key_is_in_no_log_and_no_representation(server: play.LlmServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for behaviour in (play.streamed(GOOD), play.status(401), play.status(500), play.dropped(GOOD), play.silent()):
        ask(server, behaviour)
    assert len(caplog.records) > 5
    assert KEY not in caplog.text
    assert [r for r in caplog.records if KEY in repr(r.args) or r.exc_info] == []
    assert KEY not in repr(OpenAITransport(provider(server), KEY, LIMITS))


def test_the_key_comes_from_the_named_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    config = LlmConfig()
    keyed = Provider(name="keyed", base_url="https://llm.example/v1", model="m", key_variable="SOME_KEY")
    monkeypatch.delenv("SOME_KEY", raising=False)
    assert openai_transport(keyed, config) is None
    monkeypatch.setenv("SOME_KEY", "  ")
    assert openai_transport(keyed, config) is None
    monkeypatch.setenv("SOME_KEY", KEY)
    assert openai_transport(keyed, config) is not None
    assert openai_transport(Provider(name="local", base_url="http://127.0.0.1:9", model="m"), config) is not None


def test_surrogates_in_a_stream_are_no_crash(server: play.LlmServer) -> None:
    assert ask(server, play.streamed("\ud800\x00")).code is CallCode.OK
