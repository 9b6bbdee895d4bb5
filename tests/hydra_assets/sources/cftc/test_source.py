"""The source from files and over the loopback, with a vendor that misbehaves."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from hydra_assets.home import HomeConfig
from hydra_assets.lake.archive import Archive
from hydra_assets.markets.model import SourceBinding
from hydra_assets.sources.base import (
    Dataset,
    FetchRequest,
    PayloadState,
    SourceError,
    SourceSettings,
)
from hydra_assets.sources.cftc import CftcSource, Family, write_legacy
from hydra_assets.sources.cftc.options import REPORTS
from hydra_assets.sources.cftc.source import vintage_time
from hydra_assets.sources.http import HttpClient, HttpPolicy, is_html
from tests.support.cot import balanced, context, edited, site_row, weekly
from tests.support.vendor_server import (
    Script,
    VendorServer,
    conditional,
    dropped,
    half,
    html,
    huge,
    ok,
    queries,
    stalled,
    status,
    too_many_requests,
    truncated_zip,
    zero_length,
    zipped,
)

NOW = datetime(2025, 3, 28, 22, 0, tzinfo=UTC)
TEXT = write_legacy(weekly(Family.LEGACY, ["002602", "004603"], 3))
ARCHIVE = zipped("annual.txt", TEXT)
MODIFIED = "Fri, 21 Mar 2025 19:30:05 GMT"
ZIP = "/history/deacot2025.zip"


def source(tmp_path: Path, **options: object) -> CftcSource:
    binding = SourceBinding.model_validate(
        {"source": "cftc", "datasets": ["raw_cot_reports"], "options": {"reports": ["legacy_futures_only"], **options}}
    )
    home = HomeConfig(kind="real", markets=("ZC",), history_start=date(2025, 1, 1))
    settings = SourceSettings(tmp_path / "home", home, tmp_path / "data", {"ZC": (binding,), "ZO": (binding,)})
    policy = HttpPolicy(read_timeout=0.3, attempts=3, min_interval=0.0, max_bytes=2_000_000)
    return CftcSource(settings, lambda: HttpClient(policy, sleep=lambda _: None))


def online(tmp_path: Path, vendor: VendorServer, **options: object) -> CftcSource:
    return source(
        tmp_path,
        history_url=vendor.url("/history"),
        site_url=vendor.url("/resource"),
        **({"archives": True, "first_year": 2025} | options),
    )


def request(first: date | None = None) -> FetchRequest:
    markets = tuple(context().markets.values())
    return FetchRequest(Dataset.COT_REPORTS, markets, first, date(2025, 3, 28), NOW)


@pytest.fixture
def vendor() -> Iterator[VendorServer]:
    with VendorServer() as server:
        yield server


def state_of(cftc: CftcSource) -> tuple[PayloadState, str, int]:
    """End state, reason and number of canonical rows of a delivery, as an ingest would record them."""
    try:
        payloads = list(cftc.fetch(request()))
        if not payloads:
            return PayloadState.NOTHING_NEW, "", 0
        result = cftc.parse(payloads[0], context())
    except SourceError as error:
        return error.state, error.reason, 0
    assert result.unaccounted() == []
    return PayloadState.PARSED, ",".join(sorted(set(result.rejects["reason"]))), result.rows.height


class TestFiles:
    """Vintages in order of publication, the undated last."""

    def put(self, tmp_path: Path, *names: str) -> None:
        for name in names:
            path = tmp_path / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(TEXT)

    def test_order_evidence_and_scope(self, tmp_path: Path) -> None:
        self.put(
            tmp_path,
            "a/annualof.txt",
            "v/annual.asof_2025-03-21T23-00-00Z.txt",
            "v/annual.asof_2025-03-14T23-00-00Z.txt",
            "o/cot.txt",
        )
        cftc = source(
            tmp_path, files=["a/*.txt", "v/*.txt", "v/annual.asof_2025-03-1*.txt", "o/*"], scopes={"o/*": "combined"}
        )
        payloads = list(cftc.fetch(request()))
        assert [p.name for p in payloads] == [
            "annual.asof_2025-03-14T23-00-00Z.txt",
            "annual.asof_2025-03-21T23-00-00Z.txt",
            "annualof.txt",
            "cot.txt",
        ]
        assert [p.available_at for p in payloads] == [
            datetime(2025, 3, 14, 23, tzinfo=UTC),
            datetime(2025, 3, 21, 23, tzinfo=UTC),
            None,
            None,
        ]
        assert all(p.fetched_at == NOW for p in payloads)
        assert set(cftc.parse(payloads[3], context()).rows["scope"]) == {"combined"}
        assert cftc.check().ok

    def test_vintages_after_now_or_before_the_window_are_left_out(self, tmp_path: Path) -> None:
        self.put(tmp_path, "annual.asof_2025-03-14T23-00-00Z.txt", "annual.asof_2025-03-28T23-00-00Z.txt")
        cftc = source(tmp_path, files=["*.txt"])
        assert [p.name for p in cftc.fetch(request())] == ["annual.asof_2025-03-14T23-00-00Z.txt"]
        with pytest.raises(SourceError) as error:
            list(cftc.fetch(request(date(2025, 3, 20))))
        assert (error.value.reason, error.value.state) == ("no_files", PayloadState.NOTHING_NEW)

    def test_nothing_there(self, tmp_path: Path) -> None:
        cftc = source(tmp_path, files=["cot/*.txt"])
        assert (cftc.check().ok, cftc.check().reason) == (False, "no_files")
        assert state_of(cftc) == (PayloadState.NOTHING_NEW, "no_files", 0)
        assert source(tmp_path).check().reason == "not_configured"

    @pytest.mark.parametrize("options", [{"files": "x"}, {"reports": ["weekly"]}, {"fles": ["x"]}, {"page_rows": 0}])
    def test_wrong_options(self, tmp_path: Path, options: dict[str, object]) -> None:
        with pytest.raises(SourceError, match="bad_option"):
            source(tmp_path, **options)

    def test_absolute_glob(self, tmp_path: Path) -> None:
        assert source(tmp_path, files=["/etc/*"]).check().reason == "bad_option"

    def test_other_datasets_are_not_its_own(self, tmp_path: Path) -> None:
        bars = FetchRequest(Dataset.FUTURES_BARS, (), None, date(2025, 3, 28), NOW)
        assert list(source(tmp_path).fetch(bars)) == []

    def test_vintage_names(self) -> None:
        assert vintage_time("annual.asof_2025-01-13T23-00-02Z.txt") == datetime(2025, 1, 13, 23, 0, 2, tzinfo=UTC)
        assert vintage_time("annual.txt") is None
        assert vintage_time("annual.asof_2025-13-13T23-00-02Z.txt") is None


def unterminated(content: bytes) -> bytes:
    return content[: len(content) * 3 // 4]


WRONG_DAY = edited(edited(TEXT, 1, "250319"), 2, "2025-03-19")
NEW_COLUMN = b"\n".join(line + (b',"Moon"' if i == 0 else b",full") for i, line in enumerate(TEXT.strip().split(b"\n")))
SHUFFLED = b"\n".join([TEXT.split(b"\n")[0], *reversed(TEXT.strip().split(b"\n")[1:])]) + b"\n"
MISSING_WEEK = b"\n".join(line for line in TEXT.split(b"\n") if b"2025-03-11" not in line)
WRONG_ENCODING = TEXT.decode().encode("utf-16")


class TestMisbehaviour:
    """Each delivery ends in a named state."""

    @pytest.mark.parametrize(
        ("script", "state", "reason", "rows"),
        [
            ([ok(ARCHIVE)], PayloadState.PARSED, "", 24),
            ([zero_length()], PayloadState.EMPTY, "zero_length", 0),
            ([html()], PayloadState.UNREADABLE, "html_instead_of_data", 0),
            ([status(503), ok(ARCHIVE)], PayloadState.PARSED, "", 24),
            ([status(503)], PayloadState.UNREACHABLE, "status_503", 0),
            ([too_many_requests(), ok(ARCHIVE)], PayloadState.PARSED, "", 24),
            ([truncated_zip("annual.txt", TEXT)], PayloadState.UNREADABLE, "truncated_archive", 0),
            ([stalled()], PayloadState.UNREACHABLE, "timeout", 0),
            ([dropped(ARCHIVE)], PayloadState.UNREADABLE, "truncated", 0),
            ([half(ARCHIVE)], PayloadState.UNREADABLE, "truncated", 0),
            ([ok(zipped("annual.txt", unterminated(TEXT)))], PayloadState.UNREADABLE, "truncated", 0),
            ([ok(zipped("annual.txt", WRONG_ENCODING))], PayloadState.UNREADABLE, "wrong_encoding", 0),
            ([ok(zipped("annual.txt", b"<html>moved</html>"))], PayloadState.UNREADABLE, "html_instead_of_data", 0),
            ([huge()], PayloadState.UNREADABLE, "too_large", 0),
            ([ok(zipped("annual.txt", WRONG_DAY))], PayloadState.PARSED, "unexpected_weekday", 20),
            ([ok(zipped("annual.txt", NEW_COLUMN))], PayloadState.PARSED, "", 24),
            ([ok(zipped("annual.txt", SHUFFLED))], PayloadState.PARSED, "", 24),
            ([ok(zipped("annual.txt", MISSING_WEEK))], PayloadState.PARSED, "", 16),
            ([ok(zipped("annualof.txt", TEXT))], PayloadState.UNREADABLE, "ambiguous_report", 0),
            ([status(404)], PayloadState.NOTHING_NEW, "", 0),
        ],
    )
    def test_ends_in(
        self,
        tmp_path: Path,
        vendor: VendorServer,
        script: list[Script],
        state: PayloadState,
        reason: str,
        rows: int,
    ) -> None:
        vendor.on(ZIP, *script)
        assert state_of(online(tmp_path, vendor)) == (state, reason, rows)

    def test_yesterdays_file_again(self, tmp_path: Path, vendor: VendorServer) -> None:
        """A vendor with validators says 304 and the archived bytes stand; one without sends the same bytes."""
        cftc = online(tmp_path, vendor)
        vendor.on(ZIP, conditional(ARCHIVE, '"v1"', MODIFIED))
        first = list(cftc.fetch(request()))
        assert first[0].available_at == datetime(2025, 3, 21, 19, 30, 5, tzinfo=UTC)
        Archive(tmp_path / "home" / "archive").store(first[0].sha256, ARCHIVE)
        assert list(cftc.fetch(request())) == first
        assert vendor.requests[-1].headers["if-none-match"] == '"v1"'
        vendor.on(ZIP, ok(ARCHIVE))
        assert [p.sha256 for p in cftc.fetch(request())] == [first[0].sha256]

    def test_without_the_archived_bytes_everything_is_asked_for_again(
        self, tmp_path: Path, vendor: VendorServer
    ) -> None:
        cftc = online(tmp_path, vendor)
        vendor.on(ZIP, conditional(ARCHIVE, '"v1"', MODIFIED))
        first = list(cftc.fetch(request()))
        assert list(cftc.fetch(request())) == first
        assert "if-none-match" not in vendor.requests[-1].headers

    def test_one_failing_archive_does_not_keep_the_others_back(self, tmp_path: Path, vendor: VendorServer) -> None:
        vendor.on("/history/deacot2023.zip", html()).on("/history/deacot2024.zip", status(403)).on(ZIP, ok(ARCHIVE))
        delivered = online(tmp_path, vendor, first_year=2023).fetch(request())
        page, archive = next(delivered), next(delivered)
        assert (page.name, archive.name) == ("deacot2023.zip", "deacot2025.zip")
        assert is_html(page.content)
        with pytest.raises(SourceError, match="http_status"):
            next(delivered)


class TestNetwork:
    """Which files and pages are asked for."""

    def test_yearly_archives_of_all_kinds(self, tmp_path: Path, vendor: VendorServer) -> None:
        cftc = online(tmp_path, vendor, reports=list(REPORTS), first_year=2020)
        assert list(cftc.fetch(request(date(2025, 2, 3)))) == []
        assert [r.path for r in vendor.requests] == [
            f"/history/{stem}{year}.zip"
            for stem in ("deacot", "deahistfo", "fut_disagg_txt_", "com_disagg_txt_")
            for year in (2024, 2025)
        ]

    def test_site_pages(self, tmp_path: Path, vendor: VendorServer) -> None:
        weeks = [date(2025, 3, 4) + timedelta(days=7 * k) for k in range(3)]
        rows = [site_row(balanced(Family.LEGACY, "002602", day, [900, 800, 50])) for day in weeks]
        pages = {f"$offset={2 * k}": ok(json.dumps(rows[2 * k : 2 * k + 2]).encode()) for k in range(2)}
        vendor.on("/resource/6dca-aqww.json", queries(pages))
        cftc = online(tmp_path, vendor, archives=False, site=True, page_rows=2)
        payloads = list(cftc.fetch(request(date(2025, 3, 3))))
        assert len(payloads) == len(vendor.requests) == 2
        parsed = pl.concat([cftc.parse(p, context()).rows for p in payloads])
        assert sorted(parsed["report_date"].unique()) == weeks
        query = vendor.requests[0].query
        assert "report_date_as_yyyy_mm_dd > '2024-12-18T00:00:00.000'" in query
        assert "cftc_contract_market_code in('002602','004603'," in query

    def test_site_without_anything_new(self, tmp_path: Path, vendor: VendorServer) -> None:
        vendor.on("/resource/6dca-aqww.json", ok(b"[]"))
        assert state_of(online(tmp_path, vendor, archives=False, site=True)) == (PayloadState.NOTHING_NEW, "", 0)

    def test_site_error_object_is_refused_by_the_parser(self, tmp_path: Path, vendor: VendorServer) -> None:
        vendor.on("/resource/6dca-aqww.json", ok(b'{"error": true, "message": "timeout"}'))
        cftc = online(tmp_path, vendor, archives=False, site=True)
        assert state_of(cftc) == (PayloadState.UNREADABLE, "vendor_error", 0)

    def test_check(self, tmp_path: Path, vendor: VendorServer) -> None:
        cftc = online(tmp_path, vendor, site=True)
        vendor.on(ZIP, ok(ARCHIVE)).on("/resource/6dca-aqww.json", ok(b"[]"))
        assert cftc.check().ok
        vendor.on(ZIP, status(503))
        assert cftc.check().reason == "status_503"

    def test_rules_are_told(self, tmp_path: Path) -> None:
        assert "release calendar" in source(tmp_path).known_at_rules[Dataset.COT_REPORTS]
