"""RSS and Atom: items of a live feed, whose time is the instant at which we first saw it.

XML from strangers: parsed without entities (defusedxml), with bounds on size, depth and number of elements.
"""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, tostring
from xml.etree.ElementTree import ParseError as XmlError

from defusedxml.ElementTree import iterparse

from hydra_assets.sources.base import ParseError, PayloadState
from hydra_assets.sources.feeds_items import EARLIEST, HEADLINE, Form, Item, Items, plain_text, read_instant

MAX_BYTES = 32 * 1024 * 1024
MAX_DEPTH = 64
MAX_ELEMENTS = 1_000_000
_ROOTS = {"rss", "feed", "RDF"}


def read_feed(content: bytes, fetched_at: datetime, writer: str = "", form: Form = HEADLINE) -> Items:
    """Items of an RSS 2.0, RSS 1.0 or Atom document, ``known_at`` the instant of the fetch.

    The publication date, where it can be read and is not later than the fetch, is the event time; a missing or broken
    one costs nothing but a note. ``writer`` replaces the feed's own title as the name of who wrote an item that does
    not say so itself.

    A headline is an item's title. A post is its title too, unless the body begins with that title and goes on, or there
    is no title: platforms cut titles off or have none.

    Raises
    ------
    ParseError
        Zero length, HTML, XML that is not well-formed, declares entities, is no feed, or exceeds the bounds.
    """
    root = _tree(content)
    fetched_at = fetched_at.astimezone(UTC)
    house = writer or next((plain_text(_full_text(e)) for e in _titles(root)), "")
    items: list[Item] = []
    undated = 0
    for row, entry in enumerate(e for e in root.iter() if _name(e) in {"item", "entry"}):
        fields = {_name(child): child for child in reversed(list(entry))}
        text = plain_text(_full_text(fields.get("title"))) if form is HEADLINE else _post(fields)
        published = _published(fields, fetched_at)
        undated += published is None
        own = _source(fields, root) if form is HEADLINE else _author(fields)
        items.append(
            Item(
                row,
                text,
                _link(entry),
                own or house,
                published or fetched_at,
                fetched_at,
                "" if text else tostring(entry, encoding="unicode")[:10_000],
                None if text else form.no_text,
                "" if text else f"an item without a {form.text}",
            )
        )
    return Items(items, (f"undated_items:{undated}",) if undated else ())


def _tree(content: bytes) -> Element:
    if not content.strip():
        raise ParseError("zero_length", "the document is empty", state=PayloadState.EMPTY)
    if len(content) > MAX_BYTES:
        raise ParseError("too_large", f"{len(content)} bytes; the bound is {MAX_BYTES}")
    if content.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        raise ParseError("html_instead_of_xml", "the document is a web page")
    depth = count = 0
    root: Element | None = None
    try:
        for event, element in iterparse(io.BytesIO(content), events=("start", "end")):
            root = element if root is None else root
            depth += 1 if event == "start" else -1
            count += 1
            if depth > MAX_DEPTH or count > 2 * MAX_ELEMENTS:
                raise ParseError("too_complex", f"deeper than {MAX_DEPTH} or more than {MAX_ELEMENTS} elements")
    except (XmlError, ValueError, LookupError) as error:
        # defusedxml's own refusals are ValueErrors; an unknown encoding is a LookupError.
        raise ParseError("not_well_formed", f"{type(error).__name__}: {error}") from error
    if root is None or _name(root) not in _ROOTS:
        raise ParseError("not_a_feed", "neither RSS nor Atom")
    return root


def _name(element: Element) -> str:
    return element.tag.rsplit("}", 1)[-1] if isinstance(element.tag, str) else ""


def _titles(root: Element) -> Iterator[Element]:
    for parent in [root, *(child for child in root if _name(child) == "channel")]:
        yield from (child for child in parent if _name(child) == "title")


def _source(fields: dict[str, Element], root: Element) -> str:
    return plain_text(_full_text(fields.get("source"))) if _name(root) != "feed" else ""


def _post(fields: dict[str, Element]) -> str:
    title = plain_text(_full_text(fields.get("title")))
    bodies = (plain_text(_full_text(fields.get(name))) for name in ("content", "encoded", "description", "summary"))
    body = next(filter(None, bodies), "")
    return body if body.startswith(title.rstrip(".\u2026 ")) else title


def _author(fields: dict[str, Element]) -> str:
    """Whoever wrote an item: ``dc:creator``, the name of an Atom author, or an RSS author."""
    author = fields.get("author")
    named = next((child for child in author if _name(child) == "name"), author) if author is not None else None
    return plain_text(_full_text(fields.get("creator"))) or plain_text(_full_text(named))


def _full_text(element: Element | None) -> str:
    return "" if element is None else "".join(element.itertext())


def _published(fields: dict[str, Element], fetched_at: datetime) -> datetime | None:
    for name in ("pubDate", "published", "date", "issued", "updated"):
        stamp = read_instant(_full_text(fields.get(name)))
        if stamp is not None and stamp.date() >= EARLIEST and stamp <= fetched_at:
            return stamp
    return None


def _link(entry: Element) -> str:
    links = [child for child in entry if _name(child) == "link"]
    best = next((link for link in links if link.get("rel", "alternate") == "alternate"), links[0] if links else None)
    return "" if best is None else (best.get("href") or _full_text(best)).strip()
