"""An OpenAI-compatible endpoint on the loopback that does as its script says, well or badly.

Use::

    with LlmServer() as server:
        server.on(status(503), streamed('{"order": ["a"], "note": ""}'))
        ... Provider(name="x", base_url=server.base_url, model="m") ...
        assert [r.body["model"] for r in server.requests] == [...]

Behaviours are played in order, the last one for ever. Each is a function that writes what it likes on the connection;
the connection ends with it.
"""

import contextlib
import gzip
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    path: str
    headers: Message
    body: dict[str, Any]

    @property
    def prompt(self) -> str:
        """All messages' text."""
        return "\n".join(m["content"] for m in self.body["messages"])


@dataclass(frozen=True)
class Wire:
    """The connection as a behaviour sees it."""

    handler: BaseHTTPRequestHandler
    asked: Asked
    stop: threading.Event

    def head(self, code: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Status line and headers; the body is whatever comes until the connection closes."""
        self.handler.send_response(code)
        for name, value in ({"Connection": "close"} | dict(headers or {})).items():
            self.handler.send_header(name, value)
        self.handler.end_headers()

    def write(self, content: bytes) -> None:
        """Bytes at once."""
        self.handler.wfile.write(content)
        self.handler.wfile.flush()


Behaviour = Callable[[Wire], None]

SSE = {"Content-Type": "text/event-stream; charset=utf-8"}
JSON = {"Content-Type": "application/json"}
USAGE = {"prompt_tokens": 321, "completion_tokens": 45, "total_tokens": 366}


def event(delta: Mapping[str, object], finish: str | None = None) -> bytes:
    """One chunk of a stream."""
    chunk = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def streamed(text: str, *, thinking: str = "", usage: object = USAGE, pieces: int = 7, done: bool = True) -> Behaviour:
    """A good stream: thinking in its own field, content in pieces, usage, the end."""
    step = max(1, -(-len(text) // pieces))
    parts = [event({"role": "assistant", "content": None, "reasoning_content": thinking})] if thinking else []
    parts += [event({"content": text[i : i + step]}) for i in range(0, len(text), step)]
    if done:
        parts.append(event({}, "stop"))
        parts.append(b": a comment\n\ndata: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n")
        parts.append(b"data: [DONE]\n\n")
    return raw(b"".join(parts), SSE)


def whole(text: str, *, usage: object = USAGE) -> Behaviour:
    """A good reply of a server that does not stream."""
    message = {"role": "assistant", "content": text}
    reply = {"object": "chat.completion", "choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}
    return raw(json.dumps(reply).encode(), JSON)


def raw(content: bytes, headers: Mapping[str, str], code: int = 200) -> Behaviour:
    """Any bytes under any headers, of the length that is declared."""

    def play(wire: Wire) -> None:
        wire.head(code, {"Content-Length": str(len(content))} | dict(headers))
        wire.write(content)

    return play


def status(code: int, headers: Mapping[str, str] | None = None) -> Behaviour:
    """An error with a page that repeats the credentials it was sent."""

    def play(wire: Wire) -> None:
        page = json.dumps({"error": {"message": f"refused: {wire.asked.headers['Authorization']}"}}).encode()
        raw(page, JSON | dict(headers or {}), code)(wire)

    return play


def html() -> Behaviour:
    """A login page with status 200."""
    return raw(b"<!DOCTYPE html><html><body>Sign in</body></html>", {"Content-Type": "text/html"})


def dropped(text: str) -> Behaviour:
    """Declares everything, sends the first half, closes."""

    def play(wire: Wire) -> None:
        content = event({"content": text}) * 2
        wire.head(200, SSE | {"Content-Length": str(len(content))})
        wire.write(content[: len(content) // 2])

    return play


def closed() -> Behaviour:
    """Closes without a word."""
    return lambda wire: None


def silent() -> Behaviour:
    """Headers, then nothing."""

    def play(wire: Wire) -> None:
        wire.head(200, SSE)
        wire.stop.wait(60)

    return play


def drips(pause: float) -> Behaviour:
    """A comment now and then, for ever: never idle, never done."""

    def play(wire: Wire) -> None:
        wire.head(200, SSE)
        while not wire.stop.wait(pause):
            wire.write(b":\n")

    return play


def drips_headers(pause: float) -> Behaviour:
    """Headers without end, one at a time."""

    def play(wire: Wire) -> None:
        wire.write(b"HTTP/1.1 200 OK\r\n")
        while not wire.stop.wait(pause):
            wire.write(b"X: y\r\n")

    return play


def endless(headers: Mapping[str, str] = SSE, code: int = 200) -> Behaviour:
    """A body without end, as fast as it can."""

    def play(wire: Wire) -> None:
        wire.head(code, headers)
        while not wire.stop.is_set():
            wire.write(event({"content": "x" * 1_000}) * 20)

    return play


def packed_bomb() -> Behaviour:
    """A few kilobytes that unpack to 64 MB."""
    return raw(gzip.compress(b"data: " + b"0" * 64_000_000), SSE | {"Content-Encoding": "gzip"})


def echoing(form: Callable[[str], str]) -> Behaviour:
    """A valid reply whose note holds the key, in some form."""

    def play(wire: Wire) -> None:
        key = (wire.asked.headers["Authorization"] or "").removeprefix("Bearer ")
        whole('{"order": ["stale_source"], "note": "' + form(key) + '"}')(wire)

    return play


class LlmServer:
    """The server; a context manager. ``requests`` lists what came in, in order."""

    def __init__(self) -> None:
        self.requests: list[Asked] = []
        self._behaviours: list[Behaviour] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=lambda: self._server.serve_forever(poll_interval=0.01), daemon=True)

    @property
    def base_url(self) -> str:
        """What a provider's configuration names."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def on(self, *behaviours: Behaviour) -> Self:
        """Set what is played, in order; the last one stays."""
        with self._lock:
            self._behaviours = list(behaviours)
        return self

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _play(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers.get("Content-Length", "0"))))
        asked = Asked(handler.path, handler.headers, body)
        with self._lock:
            self.requests.append(asked)
            behaviour = self._behaviours.pop(0) if len(self._behaviours) > 1 else self._behaviours[0]
        # The peer hangs up on what it has had enough of.
        with contextlib.suppress(OSError):
            behaviour(Wire(handler, asked, self._stop))
        handler.close_connection = True

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                server._play(self)

            def log_message(self, *arguments: object) -> None:
                pass

        return Handler
