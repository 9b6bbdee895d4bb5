"""A vendor on the loopback that does as its script says, well or badly, and remembers what it was asked.

Use::

    with VendorServer() as vendor:
        vendor.on("/history/deacot2025.zip", status(503), ok(zip_bytes, etag='"v1"'))
        client.get(vendor.url("/history/deacot2025.zip"))
        assert [r.path for r in vendor.requests] == [...]

Replies of a path are played in order; the last one is repeated for ever. A path without a script answers 404. A
script may be ``queries({"offset=0": ok(...), "offset=500": ok(...)})`` to answer by query string, or any function
from ``Request`` to ``Reply``. The server is a thread per connection on port 0 of 127.0.0.1, real sockets all the way.

Misbehaviour ready to play: ``zero_length``, ``html``, ``status(503)``, ``too_many_requests``, ``half`` (declares the
full length, closes half-way), ``dropped`` (as half, but chunked: no length to compare), ``slow`` (drips),
``stalled`` (headers, then silence), ``huge`` (endless chunks), ``truncated_zip``, ``utf16``, ``conditional`` (304 for
whoever holds the ETag or date, else the content). "Yesterday's file again" is the same ``ok`` twice; "half a file" that
pretends to be whole is ``ok(content[: len(content) // 2])``; the wrong day is a matter of content.
"""

import contextlib
import io
import socket
import threading
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.client import responses
from types import TracebackType
from typing import Self
from urllib.parse import unquote_plus, urlsplit


@dataclass(frozen=True)
class Request:
    """One request as it arrived: decoded query, headers with lower-case names."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """What goes on the wire. ``chunks`` are sent as they come, after ``status`` and ``headers``."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: Iterable[bytes] = ()
    pause: float = 0.0
    """Seconds before each chunk; ends early when the server stops."""
    chunked: bool = False
    """Frame the chunks by Transfer-Encoding: chunked."""
    finish: bool = True
    """False closes without the final chunk."""


Script = Reply | Callable[[Request], Reply]


def ok(
    content: bytes,
    content_type: str = "application/octet-stream",
    *,
    etag: str | None = None,
    last_modified: str | None = None,
) -> Reply:
    """A whole and honest reply."""
    headers = {"Content-Type": content_type, "Content-Length": str(len(content))}
    headers |= {k: v for k, v in (("ETag", etag), ("Last-Modified", last_modified)) if v}
    return Reply(200, headers, (content,))


def status(code: int, *, retry_after: str | None = None) -> Reply:
    """An error status with a short body."""
    body = f"{code} {responses.get(code, '')}".encode()
    headers = {"Content-Length": str(len(body)), "Content-Type": "text/plain"}
    return Reply(code, headers | ({"Retry-After": retry_after} if retry_after else {}), (body,))


def too_many_requests(retry_after: str = "7") -> Reply:
    """429 with Retry-After."""
    return status(429, retry_after=retry_after)


def zero_length() -> Reply:
    """200 and nothing."""
    return ok(b"")


def html() -> Reply:
    """A maintenance page with status 200 where data should be."""
    return ok(b"<!DOCTYPE html><html><body>Scheduled maintenance</body></html>", "text/html")


def half(content: bytes) -> Reply:
    """Declares everything, sends half, closes."""
    return Reply(200, {"Content-Length": str(len(content))}, (content[: len(content) // 2],))


def dropped(content: bytes) -> Reply:
    """Chunked, closed in the middle without the final chunk."""
    return Reply(200, {}, (content[: len(content) // 2],), chunked=True, finish=False)


def slow(content: bytes, pause: float, pieces: int = 50) -> Reply:
    """Drips the content in pieces with a pause before each."""
    step = max(1, len(content) // pieces)
    parts = tuple(content[i : i + step] for i in range(0, len(content), step))
    return Reply(200, {"Content-Length": str(len(content))}, parts, pause=pause)


def stalled() -> Reply:
    """Headers, then nothing for an hour (or until the server stops)."""
    return Reply(200, {"Content-Length": "10"}, (b"0123456789",), pause=3600.0)


def huge() -> Reply:
    """Chunks without end."""
    return Reply(200, {}, iter(lambda: b"0" * 65_536, b""), chunked=True)


def zipped(name: str, content: bytes) -> bytes:
    """A zip archive with one member, as bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def truncated_zip(name: str, content: bytes) -> Reply:
    """An archive cut off, delivered as if it were whole."""
    archive = zipped(name, content)
    return ok(archive[: len(archive) * 2 // 3], "application/zip")


def utf16(text: str) -> Reply:
    """Text in an encoding that nobody asked for."""
    return ok(text.encode("utf-16"), "text/plain")


def conditional(content: bytes, etag: str, last_modified: str) -> Callable[[Request], Reply]:
    """304 for whoever has it already, the content for everyone else."""

    def script(request: Request) -> Reply:
        held = request.headers.get("if-none-match") == etag or request.headers.get("if-modified-since") == last_modified
        return Reply(304) if held else ok(content, etag=etag, last_modified=last_modified)

    return script


def queries(answers: Mapping[str, Reply], otherwise: Reply | None = None) -> Callable[[Request], Reply]:
    """Answer by a piece of the decoded query string; first fitting one wins."""

    def script(request: Request) -> Reply:
        return next((r for piece, r in answers.items() if piece in request.query), otherwise or status(404))

    return script


class VendorServer:
    """The server; a context manager. ``requests`` lists what came in, in order."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._scripts: dict[str, list[Script]] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._acceptor = threading.Thread(target=self._accept, daemon=True)

    @property
    def base(self) -> str:
        """``http://127.0.0.1:<port>``."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def url(self, path: str) -> str:
        """Absolute URL of a path."""
        return self.base + path

    def on(self, path: str, *scripts: Script) -> Self:
        """Set the replies of a path, in order; the last one stays."""
        with self._lock:
            self._scripts[path] = list(scripts)
        return self

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        # Wakes the blocking accept.
        with contextlib.suppress(OSError), socket.create_connection(self._socket.getsockname(), timeout=1):
            pass
        self._acceptor.join(5)
        self._socket.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while not self._stop.is_set():
            connection, _ = self._socket.accept()
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        # One request per connection: every misbehaviour is free to close as it likes.
        with connection, contextlib.suppress(OSError):
            connection.settimeout(30)
            request = _read_request(connection)
            if request is not None:
                self._send(connection, self._next(request), body=request.method != "HEAD")

    def _next(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
            scripts = self._scripts.get(request.path)
            if not scripts:
                return status(404)
            script = scripts.pop(0) if len(scripts) > 1 else scripts[0]
        return script(request) if callable(script) else script

    def _send(self, connection: socket.socket, reply: Reply, *, body: bool) -> None:
        headers = {**reply.headers, "Connection": "close"}
        if reply.chunked:
            headers["Transfer-Encoding"] = "chunked"
        lines = [f"HTTP/1.1 {reply.status} {responses.get(reply.status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        for chunk in reply.chunks if body else ():
            if reply.pause and self._stop.wait(reply.pause):
                return
            if self._stop.is_set():
                return
            connection.sendall(b"%x\r\n%s\r\n" % (len(chunk), chunk) if reply.chunked else chunk)
        if body and reply.chunked and reply.finish:
            connection.sendall(b"0\r\n\r\n")


def _read_request(connection: socket.socket) -> Request | None:
    """Request line and headers of a GET or HEAD; None where the peer only connected."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65_536)
        if not part:
            return None
        data += part
    first, *rest = data.split(b"\r\n\r\n", 1)[0].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ", 2)
    parts = urlsplit(target)
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    return Request(method, parts.path, unquote_plus(parts.query), headers)
