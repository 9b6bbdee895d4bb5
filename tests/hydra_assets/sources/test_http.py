"""The HTTP client against a vendor on real sockets that misbehaves in every way it should survive."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from hydra_assets.sources.base import PayloadState, SourceError
from hydra_assets.sources.http import HttpClient, HttpPolicy, Validators, http_date, is_html
from tests.support.vendor_server import (
    Reply,
    VendorServer,
    conditional,
    dropped,
    half,
    html,
    huge,
    ok,
    slow,
    stalled,
    status,
    too_many_requests,
    zero_length,
)

DATA = b"a,b\n" + b"1,2\n" * 5_000
MODIFIED = "Fri, 14 Mar 2025 19:30:00 GMT"
POLICY = HttpPolicy(
    connect_timeout=2, read_timeout=0.3, total_timeout=1.0, attempts=3, backoff_base=1.0, min_interval=0.0
)


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def read(self) -> float:
        return self.now


@pytest.fixture
def vendor() -> Iterator[VendorServer]:
    with VendorServer() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


def client(clock: Clock, policy: HttpPolicy = POLICY) -> HttpClient:
    return HttpClient(policy, sleep=clock.sleep, monotonic=clock.read, jitter=lambda: 1.0)


def failure(vendor: VendorServer, clock: Clock, policy: HttpPolicy = POLICY) -> SourceError:
    with client(clock, policy) as http, pytest.raises(SourceError) as error:
        http.get(vendor.url("/f"))
    return error.value


def test_whole_reply(vendor: VendorServer, clock: Clock) -> None:
    vendor.on("/f", ok(DATA, "text/csv", etag='"v1"', last_modified=MODIFIED))
    with client(clock) as http:
        reply = http.get(vendor.url("/f"), params={"$limit": "5"})
    assert reply.content == DATA
    assert reply.sha256 == hashlib.sha256(DATA).hexdigest()
    assert reply.last_modified == datetime(2025, 3, 14, 19, 30, tzinfo=UTC)
    assert reply.validators == Validators('"v1"', MODIFIED)
    assert (reply.attempts, reply.content_type) == (1, "text/csv")
    assert vendor.requests[0].query == "$limit=5"
    assert vendor.requests[0].headers["user-agent"].startswith("hydra")


def test_unavailable_then_fine(vendor: VendorServer, clock: Clock) -> None:
    vendor.on("/f", status(503), status(500), ok(DATA))
    with client(clock) as http:
        reply = http.get(vendor.url("/f"))
    assert (reply.content, reply.attempts) == (DATA, 3)
    assert clock.slept == [1.0, 2.0]


def test_backoff_is_jittered_and_capped(vendor: VendorServer) -> None:
    clock = Clock()
    vendor.on("/f", status(503))
    policy = HttpPolicy(attempts=6, backoff_base=1.0, backoff_cap=5.0, min_interval=0.0)
    http = HttpClient(policy, sleep=clock.sleep, monotonic=clock.read, jitter=lambda: 0.0)
    with http, pytest.raises(SourceError, match="status_503"):
        http.get(vendor.url("/f"))
    assert clock.slept == [0.5, 1.0, 2.0, 2.5, 2.5]


def test_retry_after_is_honoured(vendor: VendorServer, clock: Clock) -> None:
    vendor.on("/f", too_many_requests("7"), ok(DATA))
    with client(clock) as http:
        assert http.get(vendor.url("/f")).attempts == 2
    assert clock.slept == [7.0]


def test_retry_after_as_a_date(vendor: VendorServer, clock: Clock) -> None:
    vendor.on("/f", too_many_requests(MODIFIED), ok(DATA))
    at = datetime(2025, 3, 14, 19, 29, 48, tzinfo=UTC)
    with HttpClient(POLICY, sleep=clock.sleep, monotonic=clock.read, jitter=lambda: 1.0, utc_now=lambda: at) as http:
        http.get(vendor.url("/f"))
    assert clock.slept == [12.0]


def test_retry_after_beyond_the_bound_is_not_waited_for(vendor: VendorServer, clock: Clock) -> None:
    vendor.on("/f", too_many_requests("86400"))
    error = failure(vendor, clock)
    assert (error.reason, error.state) == ("retry_after_too_long", PayloadState.UNREACHABLE)
    assert clock.slept == []


@pytest.mark.parametrize(
    ("script", "reason", "state", "requests"),
    [
        (zero_length(), "zero_length", PayloadState.EMPTY, 1),
        (html(), "html_instead_of_data", PayloadState.UNREADABLE, 1),
        (half(DATA), "truncated", PayloadState.UNREADABLE, 3),
        (dropped(DATA), "truncated", PayloadState.UNREADABLE, 3),
        (stalled(), "timeout", PayloadState.UNREACHABLE, 3),
        (status(503), "status_503", PayloadState.UNREACHABLE, 3),
        (status(403), "http_status", PayloadState.UNREADABLE, 1),
        (status(404), "not_found", PayloadState.NOTHING_NEW, 1),
        (Reply(200, {"Location": "/f"}, (b"x",), chunked=True, finish=False), "truncated", PayloadState.UNREADABLE, 3),
        (Reply(302, {"Location": "/f", "Content-Length": "0"}), "connection", PayloadState.UNREACHABLE, None),
        (
            Reply(200, {"Content-Encoding": "gzip", "Content-Length": "4"}, (b"nope",)),
            "truncated",
            PayloadState.UNREADABLE,
            3,
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_misbehaviour_ends_in_a_named_state(
    vendor: VendorServer, clock: Clock, script: Reply, reason: str, state: PayloadState, requests: int | None
) -> None:
    vendor.on("/f", script)
    error = failure(vendor, clock)
    assert (error.reason, error.state) == (reason, state)
    assert requests is None or len(vendor.requests) == requests


def test_cut_reply_that_comes_whole_the_next_time(vendor: VendorServer, clock: Clock) -> None:
    vendor.on("/f", half(DATA), dropped(DATA), ok(DATA))
    with client(clock) as http:
        reply = http.get(vendor.url("/f"))
    assert (reply.content, reply.attempts) == (DATA, 3)


def test_endless_reply_stops_at_the_cap(vendor: VendorServer, clock: Clock) -> None:
    vendor.on("/f", huge())
    error = failure(vendor, clock, HttpPolicy(max_bytes=1_000_000, min_interval=0.0))
    assert (error.reason, error.state) == ("too_large", PayloadState.UNREADABLE)


def test_declared_size_beyond_the_cap_is_not_read(vendor: VendorServer, clock: Clock) -> None:
    vendor.on("/f", ok(DATA))
    error = failure(vendor, clock, HttpPolicy(max_bytes=100, min_interval=0.0))
    assert error.reason == "too_large"


def test_trickle_ends_though_every_read_is_in_time(vendor: VendorServer) -> None:
    """On the real clock: fifty pieces 30 ms apart against a total of 0.2 s."""
    vendor.on("/f", slow(DATA, 0.03))
    policy = HttpPolicy(read_timeout=1.0, total_timeout=0.2, attempts=1, min_interval=0.0)
    with HttpClient(policy) as http, pytest.raises(SourceError) as error:
        http.get(vendor.url("/f"))
    assert (error.value.reason, error.value.state) == ("too_slow", PayloadState.UNREACHABLE)


def test_nobody_listens(clock: Clock) -> None:
    with VendorServer() as gone:
        url = gone.url("/f")
    with client(clock) as http, pytest.raises(SourceError) as error:
        http.get(url)
    assert (error.value.reason, error.value.state) == ("connection", PayloadState.UNREACHABLE)
    assert len(clock.slept) == 2


def test_bad_url(clock: Clock) -> None:
    with client(clock) as http, pytest.raises(SourceError) as error:
        http.get("http://[broken")
    assert error.value.reason == "connection"


def test_conditional_request_says_nothing_new(vendor: VendorServer, clock: Clock) -> None:
    vendor.on("/f", conditional(DATA, '"v1"', MODIFIED))
    with client(clock) as http:
        first = http.get(vendor.url("/f"))
        with pytest.raises(SourceError) as error:
            http.get(vendor.url("/f"), validators=first.validators)
        again = http.get(vendor.url("/f"), validators=Validators('"v0"', None))
    assert (error.value.reason, error.value.state) == ("not_modified", PayloadState.NOTHING_NEW)
    assert again.content == DATA
    assert vendor.requests[1].headers["if-none-match"] == '"v1"'
    assert vendor.requests[1].headers["if-modified-since"] == MODIFIED


def test_requests_keep_their_distance(vendor: VendorServer, clock: Clock) -> None:
    vendor.on("/f", ok(DATA))
    with client(clock, HttpPolicy(min_interval=2.0)) as http:
        for _ in range(3):
            http.get(vendor.url("/f"))
    assert clock.slept == [2.0, 2.0]


def test_page_where_a_page_is_expected(vendor: VendorServer, clock: Clock) -> None:
    vendor.on("/f", html())
    with client(clock) as http:
        assert is_html(http.get(vendor.url("/f"), expect_html=True).content)


def test_probe(vendor: VendorServer, clock: Clock) -> None:
    vendor.on("/f", ok(DATA)).on("/down", status(503))
    with client(clock) as http:
        http.probe(vendor.url("/f"))
        for path, reason in (("/down", "status_503"), ("/nowhere", "not_found")):
            with pytest.raises(SourceError) as error:
                http.probe(vendor.url(path))
            assert error.value.reason == reason
    assert {r.method for r in vendor.requests} == {"HEAD"}


def test_http_dates() -> None:
    assert http_date(MODIFIED) == datetime(2025, 3, 14, 19, 30, tzinfo=UTC)
    assert http_date("yesterday") is None
    assert http_date(None) is None


def test_importing_the_client_does_not_import_httpx() -> None:
    code = "import sys, hydra_assets.sources.http; print('httpx' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
