import gzip
from datetime import date
from pathlib import Path

import pytest

from hydra_assets.markets.model import MarketSpec
from hydra_assets.sources.detect import Detected, bindings_for, detect, detect_sources
from tests.support.cot import real
from tests.support.tables import BARS, CHAINS, markets, source

REAL = [spec for symbol, spec in markets().items() if not spec.simulated and symbol != "DCE_A"]


def entries(folder: Path) -> dict[str, Detected]:
    return {d.files: d for d in detect(folder, REAL)}


def test_the_real_folder_is_recognised() -> None:
    found = entries(real("SOURCES.md").parent)
    csv = {f: (d.map, d.markets) for f, d in found.items() if d.source == "csv"}
    lean = "options/lean_milk/Data"
    assert csv == {
        "formats/DCE_20211028_1635487856657_Daily.txt": ("dce", ()),
        "options/crypto_daily/deribit/*.csv": ("deribit", ("BTC", "ETH")),
        "options/crypto_daily/okx/*.csv": ("okx", ("BTC", "ETH")),
        "options/henryhub/henry_hub_european_options.2020-10-15.csv": ("henryhub", ("NG",)),
        f"{lean}/future/cme/daily/dc_*.zip": ("lean", ("DC",)),
        f"{lean}/future/cme/minute/dc/*.zip": ("lean", ("DC",)),
        f"{lean}/future/cme/universes/dc/*.csv": ("lean", ("DC",)),
        f"{lean}/futureoption/cme/daily/dc/20120401/*.zip": ("lean", ("DC",)),
        f"{lean}/futureoption/cme/minute/dc/20120401/*.zip": ("lean", ("DC",)),
        f"{lean}/futureoption/cme/universes/dc/20120401/*.csv": ("lean", ("DC",)),
        "prices/pysystemtrade/multiple_prices_csv/CORN.csv": ("pysystemtrade", ("ZC",)),
        "prices/pysystemtrade/multiple_prices_csv/ETHANOL.csv": ("pysystemtrade", ("EH",)),
        "prices/pysystemtrade/multiple_prices_csv/LEANHOG.csv": ("pysystemtrade", ("HE",)),
        "prices/pysystemtrade/multiple_prices_csv/LIVECOW.csv": ("pysystemtrade", ("LE",)),
        "prices/pysystemtrade/multiple_prices_csv/OATIES.csv": ("pysystemtrade", ("ZO",)),
        "prices/pysystemtrade/multiple_prices_csv/RICE.csv": ("pysystemtrade", ("ZR",)),
        "prices/schwartz97/corn.csv.gz": ("schwartz97", ("ZC",)),
        "prices/schwartz97/live_cattle.csv.gz": ("schwartz97", ("LE",)),
        "prices/schwartz97/lumber.csv.gz": ("schwartz97", ("LBS",)),
        "prices/single_contract/MWK22-Daily--historical-data.csv": ("barchart", ("MW",)),
    }
    cftc = {f: d.scope for f, d in found.items() if d.source == "cftc"}
    assert cftc == {
        "cot/disagg_fut_2021/f_year.txt": "futures_only",
        "cot/legacy_comb_2026/annualof.txt": "combined",
        "cot/legacy_fut_vintages_2025/annual.asof_*.txt": "futures_only",
        "cot/legacy_socrata_multiyear/CoT_Disagg_FutsOnly.xlsx": "futures_only",
    }
    others = {d.source: d.sentence for d in found.values() if d.source not in {"csv", "cftc"}}
    assert set(others) == {"cme_settlement", "databento", "feeds"}
    assert all(d.sentence for d in found.values())


def test_bindings_of_the_real_folder_match_files_and_serve_both_kinds() -> None:
    data = real("SOURCES.md").parent
    detection = detect_sources(data, REAL)
    assert set(detection.bindings) == {s.symbol for s in REAL} - {"GF"}
    sources = {symbol: [b.source for b in bound] for symbol, bound in detection.bindings.items()}
    assert sources["HE"] == ["csv", "cftc", "feeds"]
    # The ethanol contract here has no CFTC code, and gets no report.
    assert sources["EH"] == ["csv", "feeds"]
    maps = [(b.options["map"], b.datasets) for b in detection.bindings["BTC"] if b.source == "csv"]
    assert maps == [("deribit", (str(BARS), str(CHAINS))), ("okx", (str(CHAINS),))]
    csv = {s: tuple(b for b in bound if b.source == "csv") for s, bound in detection.bindings.items()}
    health = source(data, data, csv).check()
    assert health.ok, health.detail
    assert (detection.first, detection.last) == (date(1970, 4, 3), date(2026, 7, 31))


def test_dates_of_one_market_alone() -> None:
    data = real("SOURCES.md").parent
    milk = detect_sources(data, [markets()["DC"]])
    assert (milk.first, milk.last) == (date(2012, 1, 3), date(2012, 1, 3))
    lumber = detect_sources(data, [markets()["LBS"]])
    assert (lumber.first, lumber.last) == (date(1995, 1, 3), date(2010, 9, 7))


def only(*symbols: str) -> list[MarketSpec]:
    return [markets()[s] for s in symbols]


def test_an_unknown_or_broken_file_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing to see", encoding="utf-8")
    (tmp_path / "half.csv.gz").write_bytes(gzip.compress(b"date,rank,contract")[:-5])
    (tmp_path / "dc_quote.zip").write_bytes(b"no zip")
    (tmp_path / "empty.csv").write_bytes(b"")
    assert detect(tmp_path, REAL) == []
    assert detect_sources(tmp_path, REAL).bindings == {}


def test_plain_tables_name_their_market(tmp_path: Path) -> None:
    header = "date,contract,open,high,low,close,settle,volume,open_interest\n"
    (tmp_path / "hogs.csv").write_text(header + "2025-03-03,HEZ25,,,,,81.5,,\n", encoding="utf-8")
    (tmp_path / "LE.csv").write_text(header + "2025-03-04,202512,,,,,181.5,,\n", encoding="utf-8")
    chain = "date,expiry,strike,right,bid,ask,settle,volume,open_interest\n"
    (tmp_path / "HE.chain.csv").write_text(chain + "2025-03-03,2025-06-13,82.5,P,,,1.2,,\n", encoding="utf-8")
    intraday = "bar_start,bar_minutes,contract,open,high,low,close,volume\n"
    (tmp_path / "bars.csv").write_text(intraday + "2025-03-04T14:30:00Z,30,HEJ25,80,81,79,80,5\n", encoding="utf-8")
    found = entries(tmp_path)
    assert {f: (d.map, d.markets) for f, d in found.items()} == {
        "hogs.csv": ("generic_prices", ("HE",)),
        "LE.csv": ("generic_prices", ("LE",)),
        "HE.chain.csv": ("generic_chain", ("HE",)),
        "bars.csv": ("generic_intraday", ("HE",)),
    }
    assert (found["LE.csv"].first, found["LE.csv"].last) == (date(2025, 3, 4), date(2025, 3, 4))


@pytest.mark.parametrize(
    ("name", "header", "found_source"),
    [
        (
            "dme.settle.20220208.s.csv",
            "BizDt,Sym,ID,StrkPx,SecTyp,MMY,x\n2022-02-08,HE,HE,,FUT,202204,\n",
            "cme_settlement",
        ),
        ("glbx-HE.dbn", "DBN", "databento"),
        ("deacot2024.zip", "PK", "cftc"),
        ("headlines.csv", "published,title\n2025-01-02,hogs up\n", "feeds"),
        ("headlines.jsonl", '{"title": "hogs up"}\n', "feeds"),
        ("talk.csv", "created_at,user,text\n2025-01-02,bo,hogs up\n", "feeds"),
    ],
)
def test_other_sources_files(tmp_path: Path, name: str, header: str, found_source: str) -> None:
    (tmp_path / name).write_text(header, encoding="utf-8")
    (d,) = detect(tmp_path, only("HE"))
    assert d.source == found_source
    assert d.any_market or d.markets == ("HE",)


@pytest.mark.parametrize(
    ("name", "content", "dataset"),
    [
        ("a.csv", "created_at,user,text\n2025-01-02,bo,hogs up\n", "raw_posts"),
        ("a.jsonl", '{"text": "hogs up", "author": "bo"}\n', "raw_posts"),
        ("a.csv", "date,title,text,author\n2025-01-02,Hogs up,More,bo\n", "raw_headlines"),
        ("a.jsonl", '{"title": "Hogs up", "text": "More", "author": "bo"}\n', "raw_headlines"),
    ],
)
def test_posts_have_a_text_and_an_author_and_no_title(tmp_path: Path, name: str, content: str, dataset: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    (d,) = detect(tmp_path, only("HE"))
    assert d.datasets == (dataset,)


def test_headlines_and_posts_get_a_binding_each(tmp_path: Path) -> None:
    (tmp_path / "HE.csv").write_text("date,contract,settle,volume,open_interest\n2025-01-02,HE202504,80,1,1\n")
    (tmp_path / "news.jsonl").write_text('{"title": "hogs up"}\n', encoding="utf-8")
    (tmp_path / "talk.jsonl").write_text('{"text": "hogs up", "author": "bo"}\n', encoding="utf-8")
    bound = bindings_for(detect(tmp_path, only("HE")), only("HE"))["HE"]
    feeds = {b.datasets: b.options["files"] for b in bound if b.source == "feeds"}
    assert feeds == {("raw_headlines",): ["news.jsonl"], ("raw_posts",): ["talk.jsonl"]}


def test_what_serves_every_market_alone_binds_none(tmp_path: Path) -> None:
    (tmp_path / "headlines.csv").write_text("published,title\n2025-01-02,hogs up\n", encoding="utf-8")
    assert bindings_for(detect(tmp_path, REAL), REAL) == {}
