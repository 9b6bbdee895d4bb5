"""The one HTTP client of all network sources: polite, bounded, and every failure a named state.

A reply is read as a stream up to a cap, compared with its declared length, and looked at before it is handed out: a
vendor's error page is no data. Nothing is decided here about what the bytes mean. httpx is imported with the first
request, since most runs make none.
"""

from __future__ import annotations

import hashlib
import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from hydra_assets.sources.base import PayloadState, SourceError

if TYPE_CHECKING:
    import httpx

RETRIED_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that may pass by themselves."""
NOT_MODIFIED = 304
MISSING_STATUS = frozenset({404, 410})
_HTML_HEADS = (b"<!doctype html", b"<html", b"<head", b"<body")


@dataclass(frozen=True, slots=True)
class HttpPolicy:
    """Limits of one vendor's client; seconds unless the name says otherwise."""

    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    total_timeout: float = 300.0
    """Longest time for one reply from first to last byte, so that a trickle ends too."""
    attempts: int = 4
    backoff_base: float = 1.0
    backoff_cap: float = 60.0
    retry_after_cap: float = 120.0
    """Longest Retry-After that is waited for; a longer one ends the fetch as unreachable."""
    min_interval: float = 0.5
    """Least time between the starts of two requests: the rate limit."""
    max_bytes: int = 512 * 1024 * 1024
    user_agent: str = "hydra-research/0.1"


@dataclass(frozen=True, slots=True)
class Validators:
    """What an earlier reply said about itself, for a conditional request."""

    etag: str | None = None
    last_modified: str | None = None

    def headers(self) -> dict[str, str]:
        """If-None-Match and If-Modified-Since, as far as known."""
        pairs = {"If-None-Match": self.etag, "If-Modified-Since": self.last_modified}
        return {name: value for name, value in pairs.items() if value}


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A complete reply. ``last_modified`` is transport evidence of when the bytes were public, where given."""

    url: str
    content: bytes
    validators: Validators
    last_modified: datetime | None
    content_type: str
    sha256: str
    attempts: int


@dataclass(slots=True)
class _Pace:
    """Start of the last request on the injected clock."""

    last: float | None = None


class HttpClient:
    """Blocking client with retries; use as a context manager.

    ``sleep``, ``monotonic`` and ``jitter`` (a number in [0, 1)) are injectable, so that tests neither wait nor guess.
    """

    def __init__(
        self,
        policy: HttpPolicy = HttpPolicy(),
        *,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Keep the policy; the connection pool opens with the first request."""
        self.policy = policy
        self._sleep, self._monotonic, self._jitter, self._utc_now = sleep, monotonic, jitter, utc_now
        self._pace = _Pace()
        self._client: httpx.Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def get(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        validators: Validators | None = None,
        expect_html: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> HttpReply:
        """Fetch one resource.

        Raises SourceError, reason and state: ``not_modified`` and ``not_found`` NOTHING_NEW; ``zero_length`` EMPTY;
        ``html_instead_of_data``, ``truncated``, ``too_large`` and ``http_status`` UNREADABLE; ``timeout``,
        ``connection``, ``too_slow``, ``retry_after_too_long`` and ``status_<n>`` of a status that did not pass within
        the attempts UNREACHABLE. A reply that is cut short is asked for again before it counts as ``truncated``.
        """
        failure = SourceError("connection", url, state=PayloadState.UNREACHABLE)
        for attempt in range(1, self.policy.attempts + 1):
            self._keep_pace()
            try:
                return self._once(url, params, validators, headers, expect_html, attempt)
            except _Retry as retry:
                failure = retry.failure
                if attempt < self.policy.attempts:
                    self._sleep(self._pause(attempt, retry.after))
        raise failure

    def probe(self, url: str, *, params: Mapping[str, str] | None = None) -> None:
        """Ask once for the headers alone; SourceError as in ``get`` where the vendor would not deliver."""
        import httpx  # noqa: PLC0415  see the module's docstring

        self._keep_pace()
        try:
            response = self._http().head(url, params=dict(params or {}))
            self._check_status(response, url)
        except _Retry as retry:
            raise retry.failure from None
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
            raise SourceError("connection", f"{url}: {error!r}", state=PayloadState.UNREACHABLE) from error

    def _keep_pace(self) -> None:
        if self._pace.last is not None:
            wait = self._pace.last + self.policy.min_interval - self._monotonic()
            if wait > 0:
                self._sleep(wait)
        self._pace.last = self._monotonic()

    def _pause(self, attempt: int, retry_after: float | None) -> float:
        """Exponential backoff with full jitter on its upper half, never below the vendor's Retry-After."""
        ceiling = min(self.policy.backoff_cap, self.policy.backoff_base * 2.0 ** (attempt - 1))
        return max(retry_after or 0.0, ceiling * (0.5 + 0.5 * self._jitter()))

    def _once(
        self,
        url: str,
        params: Mapping[str, str] | None,
        validators: Validators | None,
        headers: Mapping[str, str] | None,
        expect_html: bool,
        attempt: int,
    ) -> HttpReply:
        import httpx  # noqa: PLC0415  see the module's docstring

        sent = {**(headers or {}), **(validators.headers() if validators else {})}
        answered = False
        try:
            with self._http().stream("GET", url, params=dict(params or {}), headers=sent) as response:
                answered = True
                self._check_status(response, url)
                content = self._body(response, url)
        except httpx.TimeoutException as error:
            raise _Retry(SourceError("timeout", f"{url}: {error!r}", state=PayloadState.UNREACHABLE)) from error
        except (httpx.TransportError, httpx.DecodingError, httpx.TooManyRedirects, ssl.SSLError) as error:
            if answered:
                raise _Retry(SourceError("truncated", f"{url}: {error}")) from error
            raise _Retry(SourceError("connection", f"{url}: {error}", state=PayloadState.UNREACHABLE)) from error
        except httpx.InvalidURL as error:
            raise SourceError("connection", f"{url}: {error}", state=PayloadState.UNREACHABLE) from error
        if not content:
            raise SourceError("zero_length", f"{url} answered with no content", state=PayloadState.EMPTY)
        kind = response.headers.get("content-type", "")
        if not expect_html and is_html(content):
            raise SourceError("html_instead_of_data", f"{url} answered with a web page ({kind})")
        modified = response.headers.get("last-modified")
        return HttpReply(
            url=str(response.url),
            content=content,
            validators=Validators(response.headers.get("etag"), modified),
            last_modified=http_date(modified),
            content_type=kind,
            sha256=hashlib.sha256(content).hexdigest(),
            attempts=attempt,
        )

    def _check_status(self, response: httpx.Response, url: str) -> None:
        status = response.status_code
        if status == NOT_MODIFIED:
            raise SourceError("not_modified", url, state=PayloadState.NOTHING_NEW)
        if status in MISSING_STATUS:
            raise SourceError("not_found", f"{url} answered {status}", state=PayloadState.NOTHING_NEW)
        if status in RETRIED_STATUS:
            after = self._retry_after(response.headers.get("retry-after"))
            failure = SourceError(f"status_{status}", f"{url} answered {status}", state=PayloadState.UNREACHABLE)
            if after is not None and after > self.policy.retry_after_cap:
                detail = f"{url} answered {status} and asks to wait {after:.0f} s"
                raise SourceError("retry_after_too_long", detail, state=PayloadState.UNREACHABLE)
            raise _Retry(failure, after)
        if not response.is_success:
            raise SourceError("http_status", f"{url} answered {status}")

    def _retry_after(self, value: str | None) -> float | None:
        """Seconds that Retry-After asks for, given as seconds or as a date; None where unreadable or absent."""
        if value is None:
            return None
        if value.strip().isdigit():
            return float(value.strip()[:9])
        until = http_date(value)
        return None if until is None else max(0.0, (until - self._utc_now()).total_seconds())

    def _body(self, response: httpx.Response, url: str) -> bytes:
        """Content up to the cap; the transferred length must be the declared one."""
        declared = response.headers.get("content-length", "")
        length = int(declared) if declared.isdigit() else None
        if length is not None and length > self.policy.max_bytes:
            raise SourceError("too_large", f"{url} declares {length} bytes, more than {self.policy.max_bytes}")
        start, parts, size = self._monotonic(), [], 0
        for part in response.iter_bytes():
            size += len(part)
            if size > self.policy.max_bytes:
                raise SourceError("too_large", f"{url} sends more than {self.policy.max_bytes} bytes")
            if self._monotonic() - start > self.policy.total_timeout:
                detail = f"{url} sent {size} bytes in {self.policy.total_timeout} s and is not done"
                raise SourceError("too_slow", detail, state=PayloadState.UNREACHABLE)
            parts.append(part)
        if length is not None and response.num_bytes_downloaded != length:
            detail = f"{url} declares {length} bytes and sent {response.num_bytes_downloaded}"
            raise _Retry(SourceError("truncated", detail))
        return b"".join(parts)

    def _http(self) -> httpx.Client:
        import httpx  # noqa: PLC0415  see the module's docstring

        if self._client is None:
            self._client = httpx.Client(
                timeout=httpx.Timeout(self.policy.read_timeout, connect=self.policy.connect_timeout),
                headers={"User-Agent": self.policy.user_agent},
                follow_redirects=True,
                max_redirects=5,
            )
        return self._client


@dataclass(slots=True)
class _Retry(Exception):  # noqa: N818  never leaves this module
    """A failure that may pass, with the wait that the vendor asked for."""

    failure: SourceError
    after: float | None = field(default=None)


def is_html(content: bytes) -> bool:
    """Whether bytes begin like a web page."""
    head = content[:2048].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return head.startswith(_HTML_HEADS) or (head.startswith(b"<") and b"<html" in head)


def http_date(value: str | None) -> datetime | None:
    """An HTTP date in UTC; None where it is absent or no date."""
    try:
        stamp = parsedate_to_datetime(value) if value else None
    except (ValueError, IndexError, OverflowError):
        return None
    if stamp is None:
        return None
    return stamp.replace(tzinfo=UTC) if stamp.tzinfo is None else stamp.astimezone(UTC)
