"""The CFTC as a source: local files and vintages, the yearly archives, and the public reporting site."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from hydra_assets.sources.base import (
    Dataset,
    FetchRequest,
    ParseContext,
    ParseResult,
    Payload,
    PayloadState,
    SourceError,
    SourceHealth,
    SourceSettings,
)
from hydra_assets.sources.cftc.options import REPORTS, CftcOptions, ReportKind, read_options
from hydra_assets.sources.cftc.parse import parse_cot
from hydra_assets.sources.http import HttpClient
from hydra_assets.sources.validators import ValidatorStore

_VINTAGE = re.compile(r"\.asof_(\d{4}-\d{2}-\d{2})T(\d{2})-(\d{2})-(\d{2})Z")
LONGEST_DELAY = timedelta(days=75)
"""More than any report has been late; a window's reports are asked for from this long before it."""
MAX_PAGES = 2_000


def vintage_time(name: str) -> datetime | None:
    """UTC instant at which a vintage was public, from its file name; None where the name says none or no real one."""
    found = _VINTAGE.search(name)
    if found is None:
        return None
    day, hour, minute, second = found.groups()
    try:
        return datetime.fromisoformat(f"{day}T{hour}:{minute}:{second}+00:00")
    except ValueError:
        return None


class CftcSource:
    """Commitments of traders. One payload holds all markets; the parser keeps the configured ones."""

    name = "cftc"
    known_at_rules: Mapping[Dataset, str] = {
        Dataset.COT_REPORTS: (
            "First print: the release calendar (Friday 15:30 New York; the next federal working day in holiday weeks; "
            "the catch-up dates on record after the shutdowns of 2013, 2018-19 and 2025 and the 2023 cyber incident). "
            "A later delivery with other values for the same key: the time its vintage was public (file name, "
            "Last-Modified), else the fetch."
        )
    }

    def __init__(self, settings: SourceSettings, http: Callable[[], HttpClient] = HttpClient) -> None:
        """Read the bindings' options; SourceError ``bad_option`` where they are wrong."""
        self._settings = settings
        self._options = read_options(binding for bindings in settings.bindings.values() for binding in bindings)
        self._http = http

    def fetch(self, request: FetchRequest) -> Iterator[Payload]:
        """Local files first, vintages in order of publication before files without a date; then the network.

        One unreachable file does not keep the others back: the first failure is raised after everything that could be
        had was delivered. SourceError ``no_files`` (NOTHING_NEW) where no glob matches and no network route is on.
        """
        if request.dataset is not Dataset.COT_REPORTS:
            return
        found = False
        for path, scope in self._files():
            available_at = vintage_time(path.name)
            if available_at is not None and (
                available_at > request.now or (request.first is not None and available_at.date() < request.first)
            ):
                continue
            found = True
            meta = {"scope": scope} if scope else {}
            yield self._payload(path.name, _read(path), request.now, available_at, meta)
        online = [o for o in self._options if o.archives or o.site]
        if online:
            yield from self._online(online, request)
        elif not found:
            raise SourceError("no_files", self._nothing(), state=PayloadState.NOTHING_NEW)

    def parse(self, payload: Payload, context: ParseContext) -> ParseResult:
        """See ``parse_cot``."""
        return parse_cot(payload, context)

    def check(self) -> SourceHealth:
        """Every glob matches a file, and the network routes answer."""
        globs = [glob for options in self._options for glob in options.files]
        try:
            empty = [glob for glob in globs if not self._match(glob)]
            if empty:
                return SourceHealth(self.name, False, "no_files", f"nothing matches {', '.join(empty)}")
            if not globs and not any(o.archives or o.site for o in self._options):
                return SourceHealth(self.name, False, "not_configured", "neither files nor a network route is set")
            with self._http() as client:
                for options in self._options:
                    kind = REPORTS[options.reports[0]] if options.reports else None
                    if options.archives and kind:
                        client.probe(_archive_url(options, kind, options.first_year))
                    if options.site and kind:
                        client.probe(_site_url(options, kind), params={"$limit": "1"})
        except SourceError as error:
            return SourceHealth(self.name, False, error.reason, error.detail)
        return SourceHealth(self.name, True, "ok", f"{sum(len(self._match(g)) for g in globs)} files")

    def _match(self, glob: str) -> list[Path]:
        try:
            return sorted(p for p in self._settings.data_root.glob(glob) if p.is_file())
        except (ValueError, NotImplementedError) as error:
            detail = f"cftc: files: {glob!r} is no glob under the data folder: {error}"
            raise SourceError("bad_option", detail, state=PayloadState.UNREACHABLE) from error

    def _files(self) -> list[tuple[Path, str | None]]:
        """Files of all globs, each once, with a declared scope: dated vintages in order, then the undated by name."""
        files: dict[Path, str | None] = {}
        for options in self._options:
            for glob in options.files:
                for path in self._match(glob):
                    files.setdefault(path, options.scopes.get(glob))
        latest = datetime.max.replace(tzinfo=UTC)
        return sorted(files.items(), key=lambda item: (vintage_time(item[0].name) or latest, item[0].name, item[0]))

    def _nothing(self) -> str:
        globs = [glob for options in self._options for glob in options.files]
        return f"no new file matches {', '.join(globs) or 'the empty list of globs'} under the data folder"

    def _payload(
        self, name: str, content: bytes, now: datetime, available_at: datetime | None, meta: Mapping[str, str]
    ) -> Payload:
        return Payload(Dataset.COT_REPORTS, self.name, name, content, now, available_at, dict(meta))

    def _online(self, online: Sequence[CftcOptions], request: FetchRequest) -> Iterator[Payload]:
        store = ValidatorStore(self._settings.home_path, self.name)
        failures: list[SourceError] = []
        seen: set[str] = set()
        with self._http() as client:
            for options in online:
                for kind in (REPORTS[name] for name in options.reports):
                    if options.archives:
                        for year in _years(options, request):
                            url = _archive_url(options, kind, year)
                            if url not in seen:
                                seen.add(url)
                                yield from self._archive(client, store, url, kind, request, failures)
                    if options.site and (url := _site_url(options, kind)) not in seen:
                        seen.add(url)
                        yield from self._pages(client, url, kind, options.page_rows, request, failures)
        if failures:
            raise failures[0]

    def _archive(
        self,
        client: HttpClient,
        store: ValidatorStore,
        url: str,
        kind: ReportKind,
        request: FetchRequest,
        failures: list[SourceError],
    ) -> Iterator[Payload]:
        """One yearly zip, sent by the CFTC only where it changed."""
        try:
            reply = store.get(client, url)
        except SourceError as error:
            if error.state is not PayloadState.NOTHING_NEW:
                failures.append(error)
            return
        yield self._payload(url.rsplit("/", 1)[-1], reply.content, request.now, reply.last_modified, _meta(kind))

    def _pages(
        self,
        client: HttpClient,
        url: str,
        kind: ReportKind,
        page_rows: int,
        request: FetchRequest,
        failures: list[SourceError],
    ) -> Iterator[Payload]:
        """Pages of the public reporting site, until one is not full."""
        codes = sorted({code.code for spec in request.markets for code in spec.cftc_codes})
        if not codes:
            return
        where = _where(codes, request.first)
        for page in range(MAX_PAGES):
            params = {
                "$where": where,
                "$order": "report_date_as_yyyy_mm_dd,cftc_contract_market_code",
                "$limit": str(page_rows),
                "$offset": str(page * page_rows),
            }
            try:
                reply = client.get(url, params=params, expect_html=True)
            except SourceError as error:
                if error.state is not PayloadState.NOTHING_NEW:
                    failures.append(error)
                return
            rows = _row_count(reply.content)
            if rows == 0:
                return
            name = f"{kind.site_dataset}_{request.now:%Y%m%dT%H%M%SZ}_{page:04d}.json"
            yield self._payload(name, reply.content, request.now, reply.last_modified, _meta(kind))
            if rows is None or rows < page_rows:
                return


def _meta(kind: ReportKind) -> dict[str, str]:
    """What the bytes are; how they came is no part of it, or the same bytes would seem worth reading again."""
    return {"family": str(kind.family), "scope": str(kind.scope)}


def _years(options: CftcOptions, request: FetchRequest) -> range:
    """Yearly archives that may hold reports known in the window."""
    first = options.first_year if request.first is None else (request.first - LONGEST_DELAY).year
    return range(max(first, options.first_year), min(request.now.year, request.last.year) + 1)


def _archive_url(options: CftcOptions, kind: ReportKind, year: int) -> str:
    return f"{options.history_url}/{kind.archive_stem}{year}.zip"


def _site_url(options: CftcOptions, kind: ReportKind) -> str:
    return f"{options.site_url}/{kind.site_dataset}.json"


def _where(codes: Sequence[str], first: date | None) -> str:
    """SoQL condition: the configured codes, and reports that may have become known from a date on."""
    quoted = ",".join(f"'{code}'" for code in codes)
    since = first - LONGEST_DELAY if first else date(1986, 1, 1)
    return f"report_date_as_yyyy_mm_dd > '{since}T00:00:00.000' AND cftc_contract_market_code in({quoted})"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SourceError("file_unreadable", f"{path.name}: {error.strerror}") from error


def _row_count(content: bytes) -> int | None:
    """Rows of a page; None where it is no list, which the parser will say."""
    try:
        page = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return len(page) if isinstance(page, list) else None
