import json
from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from hydra_assets.lake.archive import Archive
from hydra_assets.sources.base import Dataset, FetchRequest, ParseError, Payload, PayloadState, SourceError
from hydra_assets.sources.feeds import FeedsSource, headline_id, parse_headlines, write_headlines
from hydra_assets.sources.http import HttpPolicy
from tests.support.cot import real
from tests.support.source_markets import FETCHED, context, market, payload, settings
from tests.support.vendor_server import VendorServer, conditional, html, ok, status

NEWS = Dataset.HEADLINES
HOGS = market("HE", terms=("lean hog", "lean hogs", "pork"))
OATS = market("ZO", root="ZO", terms=("oats",))
MARKETS = context(HOGS, OATS)

RSS = b"""<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0"><channel><title>Farm Wire</title>
<item><title><![CDATA[<b>Lean hogs</b> &amp; oats rally]]></title><link>https://x.org/1</link>
<pubDate>Fri, 03 Jan 2025 14:30:00 -0500</pubDate></item>
<item><title>Pork stocks&#8217; fall</title><link>https://x.org/2</link><pubDate>yesterday</pubDate>
<source url="https://y.org">Other Wire</source></item>
<item><title>Wheat unchanged</title></item>
<item><link>https://x.org/4</link></item>
<item><title>LEAN HOGS   &amp; oats Rally</title><link>https://x.org/5</link></item>
</channel></rss>"""

ATOM = """<?xml version="1.0" encoding="ISO-8859-1"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>Caf\u00e9 Wire</title>
<entry><title type="html">&lt;i&gt;Oats&lt;/i&gt; slip</title><link rel="self" href="https://x.org/s"/>
<link rel="alternate" href="https://x.org/a"/><updated>2025-01-03T10:00:00Z</updated></entry></feed>""".encode(
    "latin-1"
)


def parse(content: bytes, **more):
    result = parse_headlines(payload(NEWS, content, **more), MARKETS)
    assert result.unaccounted() == []
    return result


def reasons(result) -> list[tuple[int, str, str]]:
    return result.rejects.select("source_row", "disposition", "reason").rows()


def lines(*entries: object) -> bytes:
    return "\n".join(e if isinstance(e, str) else json.dumps(e) for e in entries).encode()


def test_rss_items_are_known_when_first_seen() -> None:
    result = parse(RSS)
    assert result.total_rows == 5
    assert result.rows.select("source_row", "market", "title", "publisher", "url").rows() == [
        (0, "HE", "Lean hogs & oats rally", "Farm Wire", "https://x.org/1"),
        (0, "ZO", "Lean hogs & oats rally", "Farm Wire", "https://x.org/1"),
        (1, "HE", "Pork stocks\u2019 fall", "Other Wire", "https://x.org/2"),
    ]
    assert result.rows["known_at"].unique().to_list() == [FETCHED]
    assert result.rows["event_time"].to_list() == [datetime(2025, 1, 3, 19, 30, tzinfo=UTC)] * 2 + [FETCHED]
    assert result.notes == ("undated_items:4",)
    assert reasons(result) == [
        (2, "set_aside", "no_market_matched"),
        (3, "quarantined", "missing_title"),
        (4, "set_aside", "duplicate_headline"),
    ]


def test_atom_in_its_own_encoding() -> None:
    row = parse(ATOM).rows.row(0, named=True)
    assert (row["title"], row["publisher"], row["url"]) == ("Oats slip", "Caf\u00e9 Wire", "https://x.org/a")
    assert row["event_time"] == datetime(2025, 1, 3, 10, tzinfo=UTC)


def test_a_publication_after_the_fetch_is_no_event_time() -> None:
    early = datetime(2025, 1, 3, 12, tzinfo=UTC)
    rows = parse(RSS, fetched_at=early).rows
    assert rows["event_time"].unique().to_list() == [early]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "zero_length"),
        (b"<html><body>503</body></html>", "html_instead_of_xml"),
        (b"<!DOCTYPE html><p>x", "html_instead_of_xml"),
        (RSS[:300], "not_well_formed"),
        (b"<opml/>", "not_a_feed"),
        (b'<?xml version="1.0" encoding="klingon"?><rss/>', "not_well_formed"),
        (b'<!DOCTYPE r [<!ENTITY a "aaaa">]><rss><item><title>&a;</title></item></rss>', "not_well_formed"),
        (
            b'<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/hostname">]><rss><item><title>&a;</title></item></rss>',
            "not_well_formed",
        ),
        (b"<rss>" + b"<a>" * 100 + b"</a>" * 100 + b"</rss>", "too_complex"),
    ],
)
def test_hostile_or_broken_xml_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_headlines(payload(NEWS, content), MARKETS)
    assert caught.value.reason == reason


def test_the_real_gold_file_is_accounted_for() -> None:
    content = real("news/gold-dataset-sinha-khandait.csv").read_bytes()
    gold = context(market("GC", root="GC", terms=("gold",)))
    result = parse_headlines(payload(NEWS, content), gold)
    assert result.unaccounted() == []
    assert result.total_rows == 10_570
    # Years 0200 and 0201.
    assert dict(result.rejects["reason"].value_counts().iter_rows()) == {
        "implausible_date": 165,
        "no_market_matched": 116,
    }
    assert result.rows.height == 10_570 - 165 - 116
    rows = {r["source_row"]: r for r in result.rows.head(5).iter_rows(named=True)}
    assert rows[0]["title"] == "april gold down 20 cents to settle at $1,116.10/oz"
    assert rows[0]["publisher"] == "marketwatch.com"
    # 28-01-2016 ends last at UTC-12.
    assert rows[0]["known_at"] == datetime(2016, 1, 29, 12, tzinfo=UTC)
    # 6/9/2017 is the sixth of September: the file's other dates, with days above 12, show the order.
    assert rows[4]["event_time"] == datetime(2017, 9, 6, tzinfo=UTC)


def test_a_date_order_that_nothing_shows_is_not_guessed() -> None:
    text = "date,title\n6/9/2017,Pork up\n7/7/2017,Pork down\n"
    assert reasons(parse(text.encode())) == [(0, "quarantined", "ambiguous_date")]
    declared = parse(text.encode(), meta={"date_order": "mdy"})
    assert declared.rows["event_time"].to_list()[0] == datetime(2017, 6, 9, tzinfo=UTC)
    shown = parse((text + "12/25/2017,Pork flat\n").encode())
    assert shown.rows["event_time"].to_list()[0] == datetime(2017, 6, 9, tzinfo=UTC)
    torn = parse((text + "12/25/2017,Pork flat\n25/12/2017,Pork rises\n").encode())
    assert [r for _, _, r in reasons(torn)] == ["ambiguous_date"] * 3


def test_known_at_of_dropped_files() -> None:
    rows = parse(
        lines(
            {"title": "Pork a", "published": "2025-01-02", "first_seen": "2025-01-03T15:00:00+00:00"},
            {"title": "Pork b", "published": "2025-03-09T01:30:00-06:00"},
            {"title": "Pork c", "published": "2025-03-09"},
            {"title": "Pork d"},
            {"title": "Pork e", "published": "Fri, 03 Jan 2025 14:30:00 GMT"},
            {"title": "Pork f", "published": "2026-06-01T11:30:00Z"},
        )
    ).rows
    assert rows["known_at"].to_list() == [
        datetime(2025, 1, 3, 15, tzinfo=UTC),
        datetime(2025, 3, 9, 8, 30, tzinfo=UTC),
        datetime(2025, 3, 10, 12, tzinfo=UTC),
        FETCHED,
        datetime(2025, 1, 3, 15, 30, tzinfo=UTC),
        # Half an hour before we got the file: it cannot have become known after we had it.
        FETCHED,
    ]
    assert (rows["event_time"] <= rows["known_at"]).all()


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"title": ""}, "missing_title"),
        ({"headline": None}, "missing_title"),
        ('{"title": "Pork', "not_json"),
        ('["Pork"]', "not_json"),
        ("[" * 200_000, "not_json"),
        ({"title": "Pork", "published": "soon"}, "bad_date"),
        ({"title": "Pork", "published": "2025-02-30"}, "bad_date"),
        ({"title": "Pork", "published": "0201-04-27"}, "implausible_date"),
        ({"title": "Pork", "published": "2031-01-01"}, "published_in_future"),
        ({"title": "Pork", "first_seen": "2025-01-03T15:00:00"}, "bad_first_seen"),
        ({"title": "Pork", "first_seen": "2031-01-03T15:00:00Z"}, "first_seen_in_future"),
    ],
)
def test_each_refused_line_has_its_reason(entry: object, reason: str) -> None:
    result = parse(lines({"title": "Pork is fine"}, entry))
    assert reasons(result) == [(1, "quarantined", reason)]
    assert result.rows["source_row"].to_list() == [0]


def test_ragged_and_swallowed_csv_rows_are_kept_for_a_person() -> None:
    text = 'title;url\r\nPork up;https://a.org/1\r\nPork;down;x\r\n"Pork unclosed;https://a.org/2\r\nPork lost;x\r\n'
    result = parse(text.encode())
    assert [r[2] for r in reasons(result)] == ["ragged_row", "ragged_row"]
    assert "Pork lost" in result.rejects["raw"][1]
    assert result.rows["publisher"].to_list() == ["a.org"]
    swallowed = parse(b'title;url\n"Pork unclosed\nPork lost";https://a.org\n')
    assert reasons(swallowed) == [(0, "quarantined", "multiline_title")]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"   \n", "zero_length"),
        ("title\nPork caf\u00e9".encode("latin-1"), "wrong_encoding"),
        (b"when,what\n2025-01-01,Pork\n", "missing_column"),
        (b'title\n"' + b"x" * 200_000 + b'"\n', "unreadable_csv"),
    ],
)
def test_files_that_cannot_be_read_are_refused(content: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_headlines(payload(NEWS, content), MARKETS)
    assert caught.value.reason == reason


def test_declared_columns_win() -> None:
    content = b"what,who,title\nPork up,Wire,ignored\n"
    row = parse(content, meta={"column.title": "What", "column.publisher": "who"}).rows.row(0, named=True)
    assert (row["title"], row["publisher"]) == ("Pork up", "Wire")


def test_words_are_matched_whole() -> None:
    titles = ["Porkers gather", "Goats!", "OATS: a story", "lean  hog futures", "mean-lean hogwash"]
    result = parse(lines(*({"title": t} for t in titles)))
    assert result.rows.select("market", "title").rows() == [("ZO", "OATS: a story"), ("HE", "lean hog futures")]


def test_headline_id_ignores_case_width_and_spacing_and_keeps_publishers_apart() -> None:
    assert headline_id("Pork  UP \uff11", "Wire") == headline_id("pork up 1", "WIRE")
    assert headline_id("pork up", "Wire") != headline_id("pork up", "Other")


def test_of_two_sightings_the_earlier_counts() -> None:
    late, early = "2025-01-03T15:00:00Z", "2025-01-02T15:00:00Z"
    result = parse(lines({"title": "Pork", "first_seen": late}, {"title": "PORK", "first_seen": early}))
    assert result.rows.select("source_row", "known_at").rows() == [(1, datetime(2025, 1, 2, 15, tzinfo=UTC))]
    assert reasons(result) == [(0, "set_aside", "duplicate_headline")]


TITLES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=20).map(lambda t: f"Pork {t}")
INSTANTS = st.datetimes(datetime(1995, 1, 1), datetime(2026, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@examples(max_examples=40, deadline=None)
@given(st.lists(st.tuples(TITLES, INSTANTS), min_size=1, max_size=10, unique_by=lambda r: headline_id(r[0], "")))
def test_written_headlines_are_read_back_with_their_first_sight(rows: list[tuple[str, datetime]]) -> None:
    frame = pl.DataFrame(
        {"title": [t for t, _ in rows], "publisher": "Wire", "first_seen": [s for _, s in rows]},
        schema_overrides={"first_seen": pl.Datetime("us", "UTC")},
    )
    result = parse(write_headlines(frame))
    found = {r["source_row"]: r["known_at"] for r in result.rows.iter_rows(named=True)}
    dropped = {r for r, _, reason in reasons(result) if reason == "duplicate_headline"}
    assert found == {i: seen for i, (_, seen) in enumerate(rows) if i not in dropped}


@examples(max_examples=80, deadline=None)
@given(
    st.binary(max_size=200), st.sampled_from([RSS, ATOM, b'{"title": "Pork"}\n' * 3, b"date;title\n1/2/2025;Pork\n"])
)
def test_whatever_the_bytes_only_the_parsers_own_error(noise: bytes, valid: bytes) -> None:
    at = len(noise) * 7 % len(valid)
    for content in (noise, b"<" + noise, b"{" + noise, valid[:at] + noise + valid[at:], valid[:at] + noise):
        try:
            result = parse_headlines(payload(NEWS, content), MARKETS)
        except ParseError:
            continue
        assert result.unaccounted() == []


@examples(max_examples=60, deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["title", "published", "first_seen", "url", "publisher"]),
            st.one_of(st.none(), st.text(max_size=12), st.integers(), st.floats(), st.dates().map(str)),
        ),
        max_size=6,
    )
)
def test_any_json_value_in_any_field_is_accounted_for(entries: list[dict[str, object]]) -> None:
    result = parse(lines({"title": "Pork"}, *entries))
    assert result.total_rows == 1 + len(entries)
    assert (result.rows["known_at"] <= FETCHED).all()


def request() -> FetchRequest:
    return FetchRequest(NEWS, (HOGS,), None, date(2025, 1, 3), datetime(2025, 1, 3, 20, tzinfo=UTC))


def test_source_reads_files_and_feeds_and_asks_conditionally(tmp_path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "drop.jsonl").write_bytes(lines({"title": "Pork up"}))
    with VendorServer() as vendor:
        vendor.on("/rss", conditional(RSS, '"7"', "Fri, 03 Jan 2025 19:00:00 GMT"))
        bound = settings(tmp_path, "feeds", (str(NEWS),), files="*.jsonl", urls=[vendor.url("/rss")], publisher="Me")
        source = FeedsSource(bound, HttpPolicy(min_interval=0.0))
        first = list(source.fetch(request()))
        assert [p.content for p in first] == [lines({"title": "Pork up"}), RSS]
        assert source.parse(first[0], MARKETS).rows["publisher"].to_list() == ["Me"]
        assert source.parse(first[1], MARKETS).rows["known_at"].unique().to_list() == [request().now]
        Archive(tmp_path / "archive").store(first[1].sha256, RSS)
        assert [p.content for p in source.fetch(request())] == [p.content for p in first]
        assert vendor.requests[-1].headers["if-none-match"] == '"7"'
        assert source.check().ok


def test_a_failing_feed_does_not_keep_the_others_back(tmp_path) -> None:
    with VendorServer() as vendor:
        vendor.on("/down", status(503))
        vendor.on("/page", html())
        vendor.on("/rss", ok(RSS))
        urls = [vendor.url(path) for path in ("/down", "/page", "/rss")]
        bound = settings(tmp_path, "feeds", (str(NEWS),), urls=urls)
        source = FeedsSource(bound, HttpPolicy(attempts=1, min_interval=0.0))
        delivered: list[Payload] = []
        with pytest.raises(SourceError) as caught:
            delivered.extend(source.fetch(request()))
        assert caught.value.state is PayloadState.UNREACHABLE
        assert "/down" in caught.value.detail
        page, feed = delivered
        assert feed.content == RSS
        with pytest.raises(ParseError, match="html_instead_of_xml"):
            source.parse(page, MARKETS)
        assert not source.check().ok
