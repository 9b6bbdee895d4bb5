"""Headlines from RSS and Atom feeds and from dropped files, one row per market that they mention.

Known when. An item of a live feed is known when we first saw it: the instant of the fetch, whatever date it carries.
An item of a dropped file is known at its ``first_seen`` where the file has that column, otherwise at its publication
plus a delay on the safe side (``feeds_items.archive_times``).
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

import polars as pl

from hydra_assets.sources.base import (
    REJECT_SCHEMA,
    Dataset,
    Disposition,
    FetchRequest,
    ParseContext,
    ParseError,
    ParseResult,
    Payload,
    PayloadState,
    SourceError,
    SourceHealth,
    SourceSettings,
)
from hydra_assets.sources.feeds_files import read_headlines, write_headlines
from hydra_assets.sources.feeds_items import SET_ASIDE, Items, Reason
from hydra_assets.sources.feeds_xml import read_feed
from hydra_assets.sources.http import HttpClient, HttpPolicy
from hydra_assets.sources.local_files import bound, bound_files, bound_texts, dates_in_name, read_file
from hydra_assets.sources.validators import ValidatorStore

__all__ = ["FeedsSource", "headline_id", "parse_headlines", "write_headlines"]

NAME = "feeds"
_ROWS: dict[str, pl.DataType] = {
    "source_row": pl.Int64(),
    "market": pl.String(),
    "headline_id": pl.String(),
    "title": pl.String(),
    "publisher": pl.String(),
    "url": pl.String(),
    "event_time": pl.Datetime("us", "UTC"),
    "known_at": pl.Datetime("us", "UTC"),
}
_META = ("publisher", "date_order")
"""Binding options of one text that a payload of dropped files carries."""


def headline_id(title: str, publisher: str) -> str:
    """Key of a headline: SHA-256 of its title and publisher, without regard to case, width and spacing."""
    normal = (" ".join(unicodedata.normalize("NFKC", text).casefold().split()) for text in (title, publisher))
    return hashlib.sha256("\n".join(normal).encode("utf-8", "surrogatepass")).hexdigest()


def parse_headlines(payload: Payload, context: ParseContext) -> ParseResult:
    """Canonical rows of a feed (XML) or of a dropped file (JSON lines, CSV); the bytes say which.

    A headline belongs to every market one of whose ``headline_terms`` it holds as whole words. The first of several
    items with one ``headline_id`` counts. Reasons of rejects: ``feeds_items.Reason``.

    Raises
    ------
    ParseError
        The payload cannot be read as a whole.
    """
    if payload.dataset is not Dataset.HEADLINES:
        raise ParseError("wrong_dataset", f"feeds hold no {payload.dataset}")
    found = _items(payload)
    frame = pl.DataFrame(
        [
            (i.source_row, i.title, i.publisher, i.url, i.event_time, i.known_at, i.raw, i.reason, i.detail)
            for i in found.items
        ],
        schema={
            "source_row": pl.Int64(),
            "title": pl.String(),
            "publisher": pl.String(),
            "url": pl.String(),
            "event_time": pl.Datetime("us", "UTC"),
            "known_at": pl.Datetime("us", "UTC"),
            "raw": pl.String(),
            "reason": pl.String(),
            "detail": pl.String(),
        },
        orient="row",
    ).with_columns(pl.Series("headline_id", [headline_id(i.title, i.publisher) for i in found.items], dtype=pl.String))
    usable = frame.filter(pl.col("reason").is_null()).sort("known_at", "source_row")
    first = usable.unique("headline_id", keep="first", maintain_order=True)
    matches = [
        first.filter(_mentions(spec.headline_terms)).with_columns(pl.lit(symbol).alias("market"))
        for symbol, spec in sorted(context.markets.items())
        if spec.headline_terms
    ]
    rows = pl.concat([pl.DataFrame(schema=_ROWS), *(part.select(list(_ROWS)) for part in matches)])
    refused = [
        frame.filter(pl.col("reason").is_not_null()),
        _because(usable.join(first, on="source_row", how="anti"), Reason.DUPLICATE_HEADLINE),
        _because(first.join(rows, on="source_row", how="anti"), Reason.NO_MARKET_MATCHED),
    ]
    return ParseResult(rows.sort("source_row", "market"), _rejects(pl.concat(refused)), len(found.items), found.notes)


def _items(payload: Payload) -> Items:
    if payload.content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") or payload.content[:2] in {
        b"\xff\xfe",
        b"\xfe\xff",
    }:
        return read_feed(payload.content, payload.fetched_at, payload.meta.get("publisher", ""))
    return read_headlines(payload.content, payload.fetched_at, payload.meta)


def _mentions(terms: Sequence[str]) -> pl.Expr:
    """Whether a title holds one of the terms as whole words."""
    words = "|".join(re.escape(" ".join(term.casefold().split())) for term in sorted(terms, key=len, reverse=True))
    return pl.col("title").str.to_lowercase().str.contains(rf"(?:^|\W)(?:{words})(?:\W|$)")


def _because(rows: pl.DataFrame, reason: Reason) -> pl.DataFrame:
    return rows.with_columns(pl.lit(str(reason)).alias("reason"))


def _rejects(rows: pl.DataFrame) -> pl.DataFrame:
    aside = pl.col("reason").is_in([str(reason) for reason in SET_ASIDE])
    return (
        rows.with_columns(
            pl.when(aside)
            .then(pl.lit(str(Disposition.SET_ASIDE)))
            .otherwise(pl.lit(str(Disposition.QUARANTINED)))
            .alias("disposition")
        )
        .select(pl.col(name).cast(dtype) for name, dtype in REJECT_SCHEMA.items())
        .sort("source_row")
    )


class FeedsSource:
    """Feeds by URL (binding option ``urls``) and dropped files (``files``: globs relative to the data folder).

    Further options: ``publisher`` and ``date_order`` for dropped files, and ``columns``, a map from our field names to
    the file's.
    """

    name = NAME
    known_at_rules: Mapping[Dataset, str] = {
        Dataset.HEADLINES: (
            "Live feeds: the instant of the fetch that first saw the item. Dropped files: their first_seen column, "
            "else an hour after a stamped publication, or the end of a bare date in the last time zone."
        )
    }

    def __init__(self, settings: SourceSettings, policy: HttpPolicy | None = None) -> None:
        self._settings = settings
        self._policy = policy or HttpPolicy()
        self._validators = ValidatorStore(settings.home_path, NAME)

    def fetch(self, request: FetchRequest) -> Iterator[Payload]:
        """Dropped files first, then every feed once; a feed that fails raises after the others were delivered."""
        markets = [market.symbol for market in request.markets]
        for path in bound_files(self._settings, markets, request.dataset):
            days = dates_in_name(path.name)
            if days is not None and days[0] > request.now.date():
                continue
            name = path.relative_to(self._settings.data_root).as_posix()
            yield Payload(request.dataset, self.name, name, read_file(path), request.now, None, self._meta(markets))
        yield from self._feeds(bound_texts(self._settings, markets, "urls", request.dataset), request)

    def parse(self, payload: Payload, context: ParseContext) -> ParseResult:
        """See :func:`parse_headlines`."""
        return parse_headlines(payload, context)

    def check(self) -> SourceHealth:
        """Whether files are there and feeds answer."""
        markets = list(self._settings.bindings)
        files, urls = bound_files(self._settings, markets), bound_texts(self._settings, markets, "urls")
        if not files and not urls:
            return SourceHealth(self.name, ok=False, reason="nothing_bound", detail="neither files nor urls")
        with HttpClient(self._policy) as client:
            for url in urls:
                try:
                    client.probe(url)
                except SourceError as error:
                    return SourceHealth(self.name, ok=False, reason=error.reason, detail=f"{url}: {error.detail}")
        return SourceHealth(self.name, ok=True, reason="ready", detail=f"{len(files)} files, {len(urls)} feeds")

    def _feeds(self, urls: Sequence[str], request: FetchRequest) -> Iterator[Payload]:
        failed: list[SourceError] = []
        with HttpClient(self._policy) as client:
            for url in urls:
                try:
                    reply = self._validators.get(client, url)
                except SourceError as error:
                    if error.state is not PayloadState.NOTHING_NEW:
                        failed.append(error)
                    continue
                yield Payload(request.dataset, self.name, url, reply.content, request.now)
        if failed:
            raise SourceError(failed[0].reason, "; ".join(e.detail for e in failed), state=failed[0].state)

    def _meta(self, markets: Sequence[str]) -> dict[str, str]:
        meta: dict[str, str] = {}
        for binding in bound(self._settings, markets, Dataset.HEADLINES):
            meta.update({name: str(binding.options[name]) for name in _META if name in binding.options})
            columns = binding.options.get("columns")
            if isinstance(columns, dict):
                meta.update({f"column.{field}": column for field, column in columns.items()})
        return meta
