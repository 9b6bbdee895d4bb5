"""Headlines and social posts from RSS and Atom feeds and from dropped files, one row per market that they mention.

Which of the two a feed or file holds is said by the binding that names it (``datasets: [raw_headlines]`` or
``[raw_posts]``), never guessed from its content; each needs a binding of its own.

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
from hydra_assets.sources.feeds_files import read_items, write_items
from hydra_assets.sources.feeds_items import HEADLINE, POST, SET_ASIDE, Form, Item, Items, Reason
from hydra_assets.sources.feeds_xml import read_feed
from hydra_assets.sources.http import HttpClient, HttpPolicy
from hydra_assets.sources.local_files import bound, bound_files, bound_texts, dates_in_name, read_file
from hydra_assets.sources.validators import ValidatorStore

NAME = "feeds"
FORMS: Mapping[Dataset, Form] = {Dataset.HEADLINES: HEADLINE, Dataset.POSTS: POST}
_INSTANT = pl.Datetime("us", "UTC")


def _digest(*texts: str) -> str:
    normal = (" ".join(unicodedata.normalize("NFKC", text).casefold().split()) for text in texts)
    return hashlib.sha256("\n".join(normal).encode("utf-8", "surrogatepass")).hexdigest()


def headline_id(title: str, publisher: str) -> str:
    """Key of a headline: SHA-256 of its title and publisher, without regard to case, width and spacing."""
    return _digest(title, publisher)


def post_id(text: str, author: str, url: str) -> str:
    """Key of a post: SHA-256 of its text, author and place, without regard to case, width and spacing.

    Who says the same again at another place has written another post; without places it is the same one.
    """
    return _digest(text, author, url)


def write_headlines(headlines: pl.DataFrame) -> bytes:
    """JSON lines of headlines; columns ``title`` and optionally publisher, url, published, first_seen."""
    return write_items(headlines, HEADLINE)


def write_posts(posts: pl.DataFrame) -> bytes:
    """JSON lines of posts; columns ``text`` and optionally author, url, published, first_seen."""
    return write_items(posts, POST)


def parse_headlines(payload: Payload, context: ParseContext) -> ParseResult:
    """Canonical rows of a feed (XML) or of a dropped file (JSON lines, CSV); the bytes say which.

    A headline belongs to every market one of whose ``headline_terms`` it holds as whole words. The first of several
    items with one ``headline_id`` counts. Reasons of rejects: ``feeds_items.Reason``.

    Raises
    ------
    ParseError
        The payload cannot be read as a whole.
    """
    return _parse(payload, context, Dataset.HEADLINES)


def parse_posts(payload: Payload, context: ParseContext) -> ParseResult:
    """Canonical rows of posts, as :func:`parse_headlines`: ``post_id``, ``text``, ``author`` and ``url`` (or null).

    Raises
    ------
    ParseError
        The payload cannot be read as a whole.
    """
    return _parse(payload, context, Dataset.POSTS)


def _parse(payload: Payload, context: ParseContext, dataset: Dataset) -> ParseResult:
    if payload.dataset is not dataset:
        raise ParseError("wrong_dataset", f"{dataset} are no {payload.dataset}")
    form = FORMS[dataset]
    found = _items(payload, form)
    key = f"{form.kind}_id"
    frame = pl.DataFrame(
        [
            (i.source_row, _key(i, form), i.text, i.writer, i.url, i.event_time, i.known_at, i.raw, i.reason, i.detail)
            for i in found.items
        ],
        schema={
            "source_row": pl.Int64(),
            **dict.fromkeys((key, form.text, form.writer, "url"), pl.String()),
            **dict.fromkeys(("event_time", "known_at"), _INSTANT),
            **dict.fromkeys(("raw", "reason", "detail"), pl.String()),
        },
        orient="row",
    )
    if form is POST:
        frame = frame.with_columns(pl.col("author", "url").replace("", None))
    usable = frame.filter(pl.col("reason").is_null()).sort("known_at", "source_row")
    first = usable.unique(key, keep="first", maintain_order=True)
    matches = [
        first.filter(_mentions(form.text, spec.headline_terms)).with_columns(pl.lit(symbol).alias("market"))
        for symbol, spec in sorted(context.markets.items())
        if spec.headline_terms
    ]
    columns = ["source_row", "market", key, form.text, form.writer, "url", "event_time", "known_at"]
    none = first.clear().with_columns(pl.lit(None, pl.String()).alias("market"))
    rows = pl.concat(part.select(columns) for part in (none, *matches))
    refused = [
        frame.filter(pl.col("reason").is_not_null()),
        _because(usable.join(first, on="source_row", how="anti"), form.repeated),
        _because(first.join(rows, on="source_row", how="anti"), Reason.NO_MARKET_MATCHED),
    ]
    return ParseResult(rows.sort("source_row", "market"), _rejects(pl.concat(refused)), len(found.items), found.notes)


def _key(item: Item, form: Form) -> str:
    return post_id(item.text, item.writer, item.url) if form is POST else headline_id(item.text, item.writer)


def _items(payload: Payload, form: Form) -> Items:
    if payload.content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") or payload.content[:2] in {
        b"\xff\xfe",
        b"\xfe\xff",
    }:
        return read_feed(payload.content, payload.fetched_at, payload.meta.get(form.writer, ""), form)
    return read_items(payload.content, payload.fetched_at, payload.meta, form)


def _mentions(text: str, terms: Sequence[str]) -> pl.Expr:
    """Whether a column of texts holds one of the terms as whole words."""
    words = "|".join(re.escape(" ".join(term.casefold().split())) for term in sorted(terms, key=len, reverse=True))
    return pl.col(text).str.to_lowercase().str.contains(rf"(?:^|\W)(?:{words})(?:\W|$)")


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

    Further options for dropped files: ``publisher`` (of posts: ``author``), ``date_order``, and ``columns``, a map from
    our field names to the file's. A feed or file holds what its binding's datasets say, headlines or posts.
    """

    name = NAME
    known_at_rules: Mapping[Dataset, str] = dict.fromkeys(
        FORMS,
        "Live feeds: the instant of the fetch that first saw the item. Dropped files: their first_seen column, "
        "else an hour after a stamped publication, or the end of a bare date in the last time zone.",
    )

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
            yield Payload(request.dataset, self.name, name, read_file(path), request.now, None, self._meta(request))
        yield from self._feeds(bound_texts(self._settings, markets, "urls", request.dataset), request)

    def parse(self, payload: Payload, context: ParseContext) -> ParseResult:
        """See :func:`parse_headlines` and :func:`parse_posts`."""
        return parse_posts(payload, context) if payload.dataset is Dataset.POSTS else parse_headlines(payload, context)

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

    def _meta(self, request: FetchRequest) -> dict[str, str]:
        """Options of the bindings that say something about a dropped file of the dataset."""
        meta: dict[str, str] = {}
        form = FORMS.get(request.dataset)
        said = ("date_order", *((form.writer,) if form else ()))
        for binding in bound(self._settings, [market.symbol for market in request.markets], request.dataset):
            meta.update({name: str(binding.options[name]) for name in said if name in binding.options})
            columns = binding.options.get("columns")
            if isinstance(columns, dict):
                meta.update({f"column.{field}": column for field, column in columns.items()})
        return meta
