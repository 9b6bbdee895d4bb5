from datetime import date
from pathlib import Path

import pytest

from hydra_assets.markets.model import SourceBinding
from hydra_assets.sources.base import Dataset, FetchRequest, ParseError, Payload, SourceError
from hydra_assets.sources.csv_source import CsvSource
from tests.support.cot import real
from tests.support.tables import BARS, CHAINS, NOW, binding, context, loaded, markets, source

PST = "DATETIME,CARRY,CARRY_CONTRACT,PRICE,PRICE_CONTRACT,FORWARD,FORWARD_CONTRACT\n"
ROW = "2023-08-29 23:00:00,,20231000,74.3,20231200,,20240200\n"
CRYPTO = (
    "snapshot_utc,exchange,underlying,instrument,expiry,strike,type,mark_price,bid,ask,mark_iv,delta,gamma,vega,theta,"
    "open_interest,volume_24h,underlying_price\n"
    "2026-07-06 04:24:07,deribit,BTC,x,2026-08-28,48000,call,0.25,0.24,0.26,50,,,,,37.5,2,60000\n"
    "2026-07-06 04:24:07,deribit,ETH,x,2026-08-28,1800,put,0.25,0.24,0.26,50,,,,,37.5,2,1700\n"
)


def request(dataset: Dataset, *symbols: str) -> FetchRequest:
    return FetchRequest(dataset, tuple(markets()[s] for s in symbols), None, date(2026, 11, 20), NOW)


def fetched(csv: CsvSource, dataset: Dataset, *symbols: str) -> list[Payload]:
    return list(csv.fetch(request(dataset, *symbols)))


def test_files_of_a_market_become_payloads_that_parse(tmp_path: Path) -> None:
    (tmp_path / "prices").mkdir()
    for name in ("b.csv", "a.csv"):
        (tmp_path / "prices" / name).write_text(PST + ROW, encoding="utf-8")
    csv = source(tmp_path, tmp_path, {"HE": (binding("pysystemtrade", ["prices/*.csv"]),)})
    payloads = fetched(csv, BARS, "HE")
    assert [p.name for p in payloads] == ["prices/a.csv", "prices/b.csv"]
    assert {p.source for p in payloads} == {"csv:pysystemtrade"}
    assert payloads[0].meta == {"map": "pysystemtrade", "market": "HE", "markets": "HE"}
    assert payloads[0].available_at is None
    result = csv.parse(payloads[0], context())
    assert result.rows["contract"].to_list() == ["HE-2023-12"]


def test_a_file_of_two_markets_is_one_payload_read_for_both(tmp_path: Path) -> None:
    (tmp_path / "2026-07-06.csv").write_text(CRYPTO, encoding="utf-8")
    bound = (binding("deribit", ["*.csv"], BARS, CHAINS),)
    csv = source(tmp_path, tmp_path, {"BTC": bound, "ETH": bound})
    (payload,) = fetched(csv, CHAINS, "BTC", "ETH")
    assert payload.meta["markets"] == "BTC,ETH"
    assert set(csv.parse(payload, context()).rows["market"]) == {"BTC", "ETH"}
    (alone,) = fetched(csv, CHAINS, "ETH")
    result = csv.parse(alone, context())
    assert set(result.rows["market"]) == {"ETH"}
    assert result.rejects["reason"].to_list() == ["other_market"]


def test_only_the_datasets_and_markets_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(PST + ROW, encoding="utf-8")
    csv = source(tmp_path, tmp_path, {"HE": (binding("pysystemtrade", ["a.csv"]),)})
    assert fetched(csv, CHAINS, "HE") == []
    assert fetched(csv, BARS, "LE") == []


def test_a_vendors_name_of_the_market_comes_from_the_binding(tmp_path: Path) -> None:
    text = "Symbol,Date,Open,High,Low,Close,Volume,Open Interest\nLHZ23,2023-08-29,1,1,1,1,5,9\n"
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    csv = source(tmp_path, tmp_path, {"HE": (binding("barchart", ["a.csv"], root="LH"),)})
    (payload,) = fetched(csv, BARS, "HE")
    assert loaded(csv.parse(payload, context())) == 1


def test_a_homes_own_map_is_found(tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "mine.yaml").write_text(
        "name: mine\nkind: bars\ndescription: mine\nwhen: {column: day, formats: ['%d.%m.%Y']}\n"
        "layout: {separator: ';', thousands: '.'}\nlegs: [{contract: c, prices: {settle: s}}]\nprice_scale: 0.01\n",
        encoding="utf-8",
    )
    (tmp_path / "a.csv").write_text("day;c;s\n29.08.2023;HEZ3;8.125\n", encoding="utf-8")
    csv = source(tmp_path, tmp_path, {"HE": (binding("mine", ["a.csv"]),)})
    (payload,) = fetched(csv, BARS, "HE")
    row = csv.parse(payload, context()).rows.row(0, named=True)
    assert (row["contract"], row["settle"]) == ("HE-2023-12", 81.25)


def test_a_bad_map_of_the_home_is_a_source_error(tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "mine.yaml").write_text("kind: sheet", encoding="utf-8")
    with pytest.raises(SourceError, match=r"mine\.yaml"):
        source(tmp_path, tmp_path, {"HE": ()})


@pytest.mark.parametrize(
    ("bound", "reason"),
    [
        (binding("nothing_known", ["a.csv"]), "unknown_map"),
        (SourceBinding(source="csv", datasets=(BARS,), options={"files": ["a.csv"]}), "no_map"),
        (SourceBinding(source="csv", datasets=(BARS,), options={"map": "barchart"}), "no_files"),
        (binding("barchart", ["../a.csv"]), "bad_pattern"),
        (binding("barchart", ["/etc/*"]), "bad_pattern"),
    ],
)
def test_a_bad_binding_is_named_by_fetch_and_by_check(tmp_path: Path, bound: SourceBinding, reason: str) -> None:
    csv = source(tmp_path, tmp_path, {"HE": (bound,)})
    with pytest.raises(SourceError) as error:
        fetched(csv, BARS, "HE")
    assert error.value.reason == reason
    health = csv.check()
    assert not health.ok
    assert "HE" in health.detail


def test_check_names_globs_without_files_and_datasets_a_map_lacks(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(PST, encoding="utf-8")
    csv = source(tmp_path, tmp_path, {"HE": (binding("pysystemtrade", ["a.csv", "b/*.csv"]),)})
    assert "b/*.csv matches no file" in csv.check().detail
    csv = source(tmp_path, tmp_path, {"HE": (binding("pysystemtrade", ["a.csv"], BARS, CHAINS),)})
    assert "raw_option_chains" in csv.check().detail
    csv = source(tmp_path, tmp_path, {"HE": (binding("pysystemtrade", ["a.csv"]),)})
    assert csv.check().ok


def test_a_payload_of_an_unknown_map_is_refused(tmp_path: Path) -> None:
    csv = source(tmp_path, tmp_path, {"HE": ()})
    with pytest.raises(ParseError, match="unknown_map"):
        csv.parse(Payload(BARS, "csv:x", "x", b"x", NOW, meta={"map": "x"}), context())


def test_a_lean_folder_is_one_payload(tmp_path: Path) -> None:
    data = real("options/lean_milk/Data").parent
    patterns = [
        "Data/future/cme/daily/dc_*.zip",
        "Data/future/cme/minute/dc/*.zip",
        "Data/future/cme/universes/dc/*.csv",
    ]
    csv = source(data, tmp_path, {"DC": (binding("lean", patterns),)})
    payloads = fetched(csv, BARS, "DC")
    assert [p.name for p in payloads] == [
        "Data/future/cme/daily",
        "Data/future/cme/minute/dc",
        "Data/future/cme/universes/dc",
    ]
    assert [p.sha256 for p in payloads] == [p.sha256 for p in fetched(csv, BARS, "DC")]
    results = [csv.parse(payload, context()) for payload in payloads]
    assert [r.total_rows for r in results] == [47, 3_122, 48]
