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
from hydra_assets.sources.feeds_items import EARLIEST, Item, Items, Reason, plain_text, read_instant

MAX_BYTES = 32 * 1024 * 1024
MAX_DEPTH = 64
MAX_ELEMENTS = 1_000_000
_ROOTS = {"rss", "feed", "RDF"}


def read_feed(content: bytes, fetched_at: datetime, publisher: str = "") -> Items:
    """Items of an RSS 2.0, RSS 1.0 or Atom document, ``known_at`` the instant of the fetch.

    The publication date, where it can be read and is not later than the fetch, is the event time; a missing or broken
    one costs nothing but a note. ``publisher`` replaces the feed's own title.

    Raises
    ------
    ParseError
        Zero length, HTML, XML that is not well-formed, declares entities, is no feed, or exceeds the bounds.
    """
    root = _tree(content)
    fetched_at = fetched_at.astimezone(UTC)
    house = publisher or next((plain_text(_full_text(e)) for e in _titles(root)), "")
    items: list[Item] = []
    undated = 0
    for row, entry in enumerate(e for e in root.iter() if _name(e) in {"item", "entry"}):
        fields = {_name(child): child for child in reversed(list(entry))}
        title = plain_text(_full_text(fields.get("title")))
        published = _published(fields, fetched_at)
        undated += published is None
        source = plain_text(_full_text(fields.get("source"))) if _name(root) != "feed" else ""
        items.append(
            Item(
                row,
                title,
                _link(entry),
                source or house,
                published or fetched_at,
                fetched_at,
                "" if title else tostring(entry, encoding="unicode")[:10_000],
                None if title else Reason.MISSING_TITLE,
                "" if title else "an item without a title",
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
