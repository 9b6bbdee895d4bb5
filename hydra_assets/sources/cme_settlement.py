"""CME clearing settlements: the daily file of every listed future and option, as a source.

Local files and, where a market's binding names one, a web server with one file a session.
"""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from hydra_assets.markets.sessions import calendar_of
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
from hydra_assets.sources.cme_settlement_rows import parse_settlement
from hydra_assets.sources.cme_settlement_writer import settlement_name, write_settlement
from hydra_assets.sources.http import HttpClient, HttpPolicy
from hydra_assets.sources.local_files import bound_files, bound_texts, dates_in_name, read_file
from hydra_assets.sources.validators import ValidatorStore

__all__ = ["CmeSettlementSource", "parse_settlement", "settlement_name", "write_settlement"]

NAME = "cme_settlement"
LOOK_BACK = timedelta(days=4)
"""A file of a date is known that evening: one from before a weekend may belong to the window's first session."""
SERVED = timedelta(days=10)
"""How far back the web server is asked where the window has no beginning: it keeps no history."""


class CmeSettlementSource:
    """Settlement files below the data folder and on a web server.

    Binding options: ``files``, globs relative to the data folder; ``base_url``, under which the server keeps one file a
    session; ``file_name``, its name there with ``{date}`` for YYYYMMDD (``cme.settle.{date}.s.csv`` by default).
    """

    name = NAME
    known_at_rules: Mapping[Dataset, str] = {
        Dataset.FUTURES_BARS: (
            "Prices: the settlement publication of the business date, or the download's Last-Modified where that is "
            "later. Volume and open interest: the file of the next session carries them as PrevDayVol and PrevDayOI, "
            "so its publication."
        ),
        Dataset.OPTION_CHAINS: "As for futures, from the rows of options on futures in the same file.",
    }

    def __init__(self, settings: SourceSettings, policy: HttpPolicy | None = None) -> None:
        self._settings = settings
        self._policy = policy or HttpPolicy()

    def fetch(self, request: FetchRequest) -> Iterator[Payload]:
        """Files whose name's date lies in the window (or carries no date), oldest first; then the server's."""
        markets = [market.symbol for market in request.markets]
        for path in bound_files(self._settings, markets, request.dataset):
            days = dates_in_name(path.name)
            if days is not None and not _in_window(days, request):
                continue
            name = path.relative_to(self._settings.data_root).as_posix()
            yield Payload(request.dataset, self.name, name, read_file(path), request.now)
        yield from self._served(self._urls(request), request)

    def parse(self, payload: Payload, context: ParseContext) -> ParseResult:
        """See :func:`parse_settlement`."""
        return parse_settlement(payload, context)

    def check(self) -> SourceHealth:
        """Whether any bound file exists, and whether the servers answer."""
        markets = list(self._settings.bindings)
        files, urls = bound_files(self._settings, markets), bound_texts(self._settings, markets, "base_url")
        if not files and not urls:
            return SourceHealth(self.name, ok=False, reason="no_files", detail="no file matches the bindings' globs")
        with HttpClient(self._policy) as client:
            for url in urls:
                try:
                    client.probe(url)
                except SourceError as error:
                    # A server that lists no folder has answered all the same.
                    if error.state is not PayloadState.NOTHING_NEW:
                        return SourceHealth(self.name, ok=False, reason=error.reason, detail=f"{url}: {error.detail}")
        return SourceHealth(self.name, ok=True, reason="ready", detail=f"{len(files)} files, {len(urls)} servers")

    def _urls(self, request: FetchRequest) -> list[str]:
        """One address per server and session of the window, oldest first."""
        last = min(request.last, request.now.date())
        first = request.last - SERVED if request.first is None else request.first - LOOK_BACK
        urls: list[tuple[date, str]] = []
        for spec in request.markets:
            bases = bound_texts(self._settings, [spec.symbol], "base_url", request.dataset)
            names = bound_texts(self._settings, [spec.symbol], "file_name", request.dataset)
            pattern = names[0] if names else "cme.settle.{date}.s.csv"
            for session in calendar_of(spec).between(first, last) if bases else []:
                urls += [(session, f"{b.rstrip('/')}/{pattern.replace('{date}', f'{session:%Y%m%d}')}") for b in bases]
        return [url for _, url in sorted(set(urls))]

    def _served(self, urls: list[str], request: FetchRequest) -> Iterator[Payload]:
        """Each file that is there; a failure raises after the others were delivered."""
        validators = ValidatorStore(self._settings.home_path, NAME)
        failed: list[SourceError] = []
        with HttpClient(self._policy) as client:
            for url in urls:
                try:
                    reply = validators.get(client, url)
                except SourceError as error:
                    if error.state is not PayloadState.NOTHING_NEW:
                        failed.append(error)
                    continue
                yield Payload(request.dataset, self.name, url, reply.content, request.now, reply.last_modified)
        if failed:
            raise SourceError(failed[0].reason, "; ".join(e.detail for e in failed), state=failed[0].state)


def _in_window(days: tuple[date, date], request: FetchRequest) -> bool:
    first = request.first - LOOK_BACK if request.first is not None else date.min
    return days[1] >= first and days[0] <= min(request.last, request.now.date())
