"""Posts through the feeds adapter: what is a post's text and author, what is refused, what its binding says."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from hydra_assets.columns import RAW_POSTS
from hydra_assets.markets.model import SourceBinding
from hydra_assets.sources.base import Dataset, FetchRequest, ParseError, ParseResult, SourceSettings
from hydra_assets.sources.feeds import FeedsSource, parse_headlines, parse_posts, post_id, write_posts
from hydra_assets.sources.http import HttpPolicy
from tests.support.source_markets import FETCHED, context, market, payload, settings
from tests.support.vendor_server import VendorServer, ok

POSTS = Dataset.POSTS
HOGS = market("HE", terms=("lean hog", "hogs", "pork"))
OATS = market("ZO", root="ZO", terms=("oats",))
MARKETS = context(HOGS, OATS)
SEEN = "2025-01-03T15:00:00Z"

RSS = b"""<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>#hogs</title>
<item><description>&lt;p&gt;#Hogs &amp;amp; oats up&lt;br&gt;again&lt;/p&gt;</description><link>https://p.org/@bo/1</link>
<dc:creator>bo</dc:creator><pubDate>Fri, 03 Jan 2025 14:30:00 GMT</pubDate></item>
<item><title>Pork looks weak to me and...</title><description>Pork looks weak to me and to my banker</description>
<link>https://p.org/@kim/2</link></item>
<item><title>Hogs steady</title><description>submitted by /u/x [link]</description><author>x@p.org</author></item>
<item><link>https://p.org/@bo/4</link><dc:creator>bo</dc:creator></item>
<item><title>Good morning</title></item>
</channel></rss>"""

ATOM = b"""<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>r/hogs</title>
<entry><author><name>/u/kim</name><uri>https://r.org/u/kim</uri></author><title>Lean hog spreads</title>
<content type="html">&lt;div&gt;submitted by kim&lt;/div&gt;</content><link href="https://r.org/1"/></entry></feed>"""


def parse(content: bytes, **more: object) -> ParseResult:
    result = parse_posts(payload(POSTS, content, **more), MARKETS)  # type: ignore[arg-type]
    assert result.unaccounted() == []
    assert set(result.rows.columns) - {"source_row"} <= set(RAW_POSTS.columns)
    return result


def reasons(result: ParseResult) -> list[tuple[int, str, str]]:
    return result.rejects.select("source_row", "disposition", "reason").rows()


def lines(*entries: object) -> bytes:
    return "\n".join(e if isinstance(e, str) else json.dumps(e) for e in entries).encode()


def test_a_live_feed_s_posts_are_known_when_first_seen() -> None:
    result = parse(RSS)
    assert result.rows.select("source_row", "market", "text", "author", "url").rows() == [
        (0, "HE", "#Hogs & oats up again", "bo", "https://p.org/@bo/1"),
        (0, "ZO", "#Hogs & oats up again", "bo", "https://p.org/@bo/1"),
        # The title was cut off; an author that is not named is the feed.
        (1, "HE", "Pork looks weak to me and to my banker", "#hogs", "https://p.org/@kim/2"),
        # The body is a wrapper, so the title is the post; a link that is missing stays missing.
        (2, "HE", "Hogs steady", "x@p.org", None),
    ]
    assert result.rows["known_at"].unique().to_list() == [FETCHED]
    assert result.rows["event_time"][0] == datetime(2025, 1, 3, 14, 30, tzinfo=UTC)
    assert reasons(result) == [(3, "quarantined", "missing_text"), (4, "set_aside", "no_market_matched")]


def test_atom_authors_have_a_name() -> None:
    [row] = parse(ATOM).rows.select("text", "author", "url").rows()
    assert row == ("Lean hog spreads", "/u/kim", "https://r.org/1")


def test_dropped_files_in_json_lines_and_csv() -> None:
    rows = parse(
        lines(
            {"text": "Hogs\nup\n\nagain", "author": "bo", "url": "https://p.org/1", "first_seen": SEEN},
            {"body": "Pork down", "created_at": "2025-01-03T15:00:00+00:00"},
        )
    ).rows
    assert rows.select("text", "author", "url", "known_at").rows() == [
        ("Hogs up again", "bo", "https://p.org/1", datetime(2025, 1, 3, 15, tzinfo=UTC)),
        # An hour after a stamped publication.
        ("Pork down", None, None, datetime(2025, 1, 3, 16, tzinfo=UTC)),
    ]
    table = b"when;who;text;author\n2025-01-03;bo;Hogs up;ignored\n2025-01-03;;Oats up;ignored\n"
    meta = {"column.author": "Who", "column.published": "when", "author": "desk"}
    assert parse(table, meta=meta).rows["author"].to_list() == ["bo", "desk"]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"author": "bo"}, "missing_text"),
        ({"text": "<br/>"}, "missing_text"),
        ('{"text": "Hogs', "not_json"),
        ({"text": "Hogs", "published": "soon"}, "bad_date"),
        ({"text": "Hogs", "published": "2031-01-01"}, "published_in_future"),
        ({"text": "Hogs", "first_seen": "2025-01-03T15:00:00"}, "bad_first_seen"),
        ({"text": "Hogs", "first_seen": "2031-01-03T15:00:00Z"}, "first_seen_in_future"),
    ],
)
def test_each_refused_line_has_its_reason(entry: object, reason: str) -> None:
    result = parse(lines({"text": "Hogs are fine"}, entry))
    assert reasons(result) == [(1, "quarantined", reason)]
    assert result.rows["source_row"].to_list() == [0]


def test_a_csv_post_of_several_lines_is_kept_for_a_person() -> None:
    assert reasons(parse(b'text;author\n"Hogs\nup";bo\nPork;up;x\n')) == [
        (0, "quarantined", "multiline_text"),
        (1, "quarantined", "ragged_row"),
    ]


def test_the_same_words_elsewhere_are_another_post() -> None:
    same = {"text": "Hogs up", "author": "bo", "first_seen": SEEN}
    result = parse(lines({**same, "url": "https://p.org/1"}, {**same, "url": "https://p.org/2"}, {**same, "url": ""}))
    assert result.rows["post_id"].n_unique() == 3
    again = parse(lines(same, {**same, "text": "HOGS  up"}, {**same, "author": "kim"}))
    assert reasons(again) == [(1, "set_aside", "duplicate_post")]
    assert post_id("Hogs  UP \uff11", "Bo", "x") == post_id("hogs up 1", "bo", "X")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "zero_length"),
        (b"title,publisher\nHogs up,Wire\n", "missing_column"),
        (b"<html><body>503</body></html>", "html_instead_of_xml"),
        ("text\nPork caf\u00e9".encode("latin-1"), "wrong_encoding"),
    ],
)
def test_files_that_cannot_be_read_are_refused(content: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_posts(payload(POSTS, content), MARKETS)
    assert caught.value.reason == reason


def test_each_parser_reads_its_own_dataset() -> None:
    with pytest.raises(ParseError, match="wrong_dataset"):
        parse_posts(payload(Dataset.HEADLINES, RSS), MARKETS)
    with pytest.raises(ParseError, match="wrong_dataset"):
        parse_headlines(payload(POSTS, RSS), MARKETS)


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20).map(lambda t: f"Pork {t}")
INSTANTS = st.datetimes(datetime(1995, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@examples(max_examples=30, deadline=None)
@given(st.lists(st.tuples(TEXTS, st.sampled_from(["bo", "kim", None]), INSTANTS), min_size=1, max_size=8))
def test_written_posts_are_read_back_with_their_first_sight(rows: list[tuple[str, str | None, datetime]]) -> None:
    frame = pl.DataFrame(
        [(text, author, f"https://p.org/{i}", seen) for i, (text, author, seen) in enumerate(rows)],
        schema={**dict.fromkeys(("text", "author", "url"), pl.String()), "first_seen": pl.Datetime("us", "UTC")},
        orient="row",
    )
    found = parse(write_posts(frame)).rows.sort("source_row")
    assert found["known_at"].to_list() == [seen for _, _, seen in rows]
    assert found["author"].to_list() == [author for _, author, _ in rows]


@examples(max_examples=50, deadline=None)
@given(st.binary(max_size=150), st.sampled_from([RSS, ATOM, b'{"text": "Pork"}\n' * 3, b"date;text\n1/2/2025;Pork\n"]))
def test_whatever_the_bytes_only_the_parsers_own_error(noise: bytes, valid: bytes) -> None:
    at = len(noise) * 7 % len(valid)
    for content in (noise, b"<" + noise, b"{" + noise, valid[:at] + noise + valid[at:], valid[:at] + noise):
        try:
            result = parse_posts(payload(POSTS, content), MARKETS)
        except ParseError:
            continue
        assert result.unaccounted() == []
        assert (result.rows["known_at"] <= FETCHED).all()


def test_the_binding_says_whether_a_file_or_feed_holds_posts(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    news, talk = lines({"title": "Pork up"}), lines({"text": "Pork up"})
    (tmp_path / "data" / "news.jsonl").write_bytes(news)
    (tmp_path / "data" / "talk.jsonl").write_bytes(talk)
    with VendorServer() as vendor:
        vendor.on("/rss", ok(RSS))
        made = settings(tmp_path, "feeds", ())
        bindings = (
            SourceBinding(
                source="feeds", datasets=("raw_headlines",), options={"files": "news.*", "publisher": "Wire"}
            ),
            SourceBinding(
                source="feeds",
                datasets=("raw_posts",),
                options={"files": "talk.*", "author": "desk", "urls": [vendor.url("/rss")]},
            ),
        )
        bound = SourceSettings(made.home_path, made.home, made.data_root, {"HE": bindings})
        source = FeedsSource(bound, HttpPolicy(min_interval=0.0))
        now = datetime(2025, 1, 3, 20, tzinfo=UTC)
        asked = {d: FetchRequest(d, (HOGS,), None, date(2025, 1, 3), now) for d in (Dataset.HEADLINES, POSTS)}
        [headline] = source.fetch(asked[Dataset.HEADLINES])
        post, feed = source.fetch(asked[POSTS])
        assert (headline.content, post.content, feed.content) == (news, talk, RSS)
        assert source.parse(headline, MARKETS).rows["publisher"].to_list() == ["Wire"]
        assert source.parse(post, MARKETS).rows["author"].to_list() == ["desk"]
        assert source.parse(feed, MARKETS).rows["known_at"].unique().to_list() == [now]
        assert source.check().ok
        assert set(source.known_at_rules) == {Dataset.HEADLINES, POSTS}
