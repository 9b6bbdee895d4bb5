"""Whatever bytes arrive: the parser's own error or every row accounted for."""

import io
import zipfile
from collections.abc import Callable

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.columns import DATASETS
from hydra_assets.sources.base import Dataset, ParseError
from hydra_assets.sources.csv_lean_files import bundle
from hydra_assets.sources.csv_rows import ADDED_BY_INGEST
from tests.support.tables import BARS, CHAINS, MAPS, read

CRYPTO = (
    "snapshot_utc,exchange,underlying,instrument,expiry,strike,type,mark_price,bid,ask,mark_iv,delta,gamma,vega,theta,"
    "open_interest,volume_24h,underlying_price\n"
    "2026-07-06 04:24:07,deribit,BTC,x,2026-08-28,48000,call,0.25,0.24,0.26,50,,,,,37.5,2,60000\n"
    "2026-07-06 04:24:07,deribit,ETH,x,2026-08-21,1800,put,0.25,,0.26,50,,,,,37.5,2,1700\n"
)
HENRY = (
    "futures-expirationDate,tradeDate,options-priorSettle,options-strikePrice,futures-priorSettle,options-id,"
    "futures-productId,options-optiontype,options-updated,options-mdKey,futures-productName,futures-updated\n"
    "2021-01-01,2020-10-15,0.0109,10000.0,3.396,1352,444,call,2020-10-15 17:56:10,LNE,HH,2020-10-15 20:04:11\n"
    "2021-02-01,2020-10-15,0.0109,10250.0,3.355,1352,444,put,2020-10-15 17:56:10,LNE,HH,2020-11-01 01:30:00\n"
)
SAMPLES: dict[str, tuple[str, Dataset, str]] = {
    "pysystemtrade": (
        "HE",
        BARS,
        "DATETIME,CARRY,CARRY_CONTRACT,PRICE,PRICE_CONTRACT,FORWARD,FORWARD_CONTRACT\n"
        "1974-07-22 23:00:00,43.35,19750600,44.0,19750700,,19760600\n"
        "2023-08-31 18:00:00,82.575,20231000,74.325,20231200,78.65,20240200\n",
    ),
    "schwartz97": (
        "LE",
        BARS,
        "date,rank,contract,last_trade_date,settle,open_interest,volume,ttm_days\n"
        "2004-07-01,1,LCQ04 Comdty,2004-08-31,85.275,65437.0,5319.0,61.0\n"
        "2010-09-07,6,LCQ1 Comdty,2011-08-31,98.35,4887.0,,358.0\n",
    ),
    "barchart": (
        "MW",
        BARS,
        "Symbol,Date,Open,High,Low,Close,Volume,Open Interest\n"
        "MWK22,2022-03-29,1079.5,1084.75,1063.75,1066,440,0\nMWK22,2022-03-25,1086,1109,1071.25,1104.25,3479,26285\n",
    ),
    "generic_prices": (
        "HE",
        BARS,
        "date,contract,open,high,low,close,settle,volume,open_interest\n2025-03-03,HEZ5,1,2,1,2,2,10,20\n",
    ),
    "generic_intraday": (
        "HE",
        Dataset.INTRADAY_BARS,
        "bar_start,bar_minutes,contract,open,high,low,close,volume\n2025-03-04T14:30:00Z,30,HEZ25,80,81,79,80,5\n",
    ),
    "generic_chain": (
        "HE",
        CHAINS,
        "date,expiry,strike,right,bid,ask,settle,volume,open_interest\n2025-03-03,2025-06-13,82.5,P,1.1,1.3,1.2,3,40\n",
    ),
    "deribit": ("BTC,ETH", CHAINS, CRYPTO),
    "okx": ("BTC", CHAINS, CRYPTO),
    "henryhub": ("NG", CHAINS, HENRY),
    "dce": (
        "DCE_A",
        BARS,
        "Contract\tOpen\t\tHigh\tLow\tClose\tSettle\tVolume\tOI\na2204\t0\t\t0\t0\t4,021\t4,021\t0\t3\t\n"
        "a Subtotal\t-\t-\t-\t0\t0\t183,934\t198,809\t\n",
    ),
}
FUTURES_TOO = [("deribit", BARS), ("henryhub", BARS)]
CASES = [(name, dataset) for name, (_, dataset, _) in SAMPLES.items()] + FUTURES_TOO
TEXTS = st.one_of(
    st.sampled_from(["", "-", "0", "-1", "1e999", "nan", "inf", "None", "9999-12-31", "0000-00-00", "20251399"]),
    st.sampled_from(["1582-10-15", "2032-12-31", "1968-01-01", "٣", "1,5", "\t", "2023-03-12 02:30:00", "HEZ5"]),
    st.floats().map(str),
    st.text(max_size=8),
)


def outcome(content: bytes, name: str, dataset: Dataset) -> int | None:
    """Payload rows, all accounted for by :func:`read`, with canonical columns; None where the parser refused."""
    try:
        result = read(content, name, SAMPLES[name][0], dataset, "DCE_20211028_1_Daily.txt")
    except ParseError:
        return None
    spec = DATASETS[dataset]
    assert result.rows.columns == [c for c in spec.columns if c not in ADDED_BY_INGEST]
    assert list(result.rows.schema.values()) == [t for c, t in spec.schema.items() if c not in ADDED_BY_INGEST]
    required = [c for c in spec.required if c not in ADDED_BY_INGEST]
    assert sum(result.rows.select(required).null_count().row(0)) == 0
    floats = result.rows.select(pl.col(pl.Float64))
    assert all(floats[c].drop_nulls().is_finite().all() for c in floats.columns)
    assert result.rejects.null_count().drop("raw").row(0) == (0, 0, 0, 0)
    return result.total_rows


@pytest.mark.parametrize(("name", "dataset"), CASES)
def test_the_samples_themselves_are_read(name: str, dataset: Dataset) -> None:
    text = SAMPLES[name][2]
    assert outcome(text.encode(), name, dataset) == text.count("\n") - 1


@pytest.mark.parametrize("name", sorted(MAPS.keys() & SAMPLES.keys()))
@given(content=st.binary(max_size=200))
@settings(max_examples=25, deadline=None)
def test_any_bytes(name: str, content: bytes) -> None:
    outcome(content, name, SAMPLES[name][1])


@pytest.mark.parametrize(("name", "dataset"), CASES)
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_mutated_files(name: str, dataset: Dataset, data: st.DataObject) -> None:
    content = bytearray(SAMPLES[name][2].encode())
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(content) - 1))
        operation = data.draw(st.sampled_from(["flip", "cut", "insert", "end"]))
        if operation == "flip":
            content[place] = data.draw(st.integers(0, 255))
        elif operation == "cut":
            del content[place : place + data.draw(st.integers(1, 8))]
        elif operation == "insert":
            content[place:place] = data.draw(st.binary(max_size=6))
        else:
            del content[place:]
        if not content:
            break
    outcome(bytes(content), name, dataset)


@pytest.mark.parametrize(("name", "dataset"), CASES)
@given(data=st.data())
@settings(max_examples=30, deadline=None)
def test_any_values_under_a_good_header_are_all_accounted_for(name: str, dataset: Dataset, data: st.DataObject) -> None:
    header, *rows = SAMPLES[name][2].rstrip("\n").split("\n")
    separator = "\t" if name == "dce" else ","
    lines = []
    for _ in range(data.draw(st.integers(1, 4))):
        fields = data.draw(st.sampled_from(rows)).split(separator)
        for index in data.draw(st.lists(st.integers(0, len(fields) - 1), max_size=3)):
            fields[index] = "".join(c for c in data.draw(TEXTS) if c not in '"\r\n\x00')
        lines.append(separator.join(fields))
    content = ("\n".join([header, *lines]) + "\n").encode("utf-8", "replace")
    assert outcome(content, name, dataset) == len(lines)


@pytest.mark.parametrize(("name", "dataset"), CASES)
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_columns_shuffled_added_and_missing(name: str, dataset: Dataset, data: st.DataObject) -> None:
    if name == "dce":
        return
    table = [line.split(",") for line in SAMPLES[name][2].rstrip("\n").split("\n")]
    order = data.draw(st.permutations(range(len(table[0]))))
    shuffled = [[row[i] for i in order] for row in table]
    plain = "\n".join(",".join(row) for row in table) + "\n"
    mixed = "\n".join(",".join([*row, "new"]) for row in shuffled) + "\n"
    symbols = SAMPLES[name][0]
    before, after = (read(text.encode(), name, symbols, dataset).rows for text in (plain, mixed))
    assert before.equals(after)
    lost = data.draw(st.integers(0, len(order) - 1))
    less = "\n".join(",".join(v for i, v in enumerate(row) if i != lost) for row in table) + "\n"
    outcome(less.encode(), name, dataset)


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


LEAN_FILES = {
    "dc_quote_201203_20120401.csv": b"20120103 00:00,1,1,1,1,1,2,2,2,2,1\n",
    "dc_trade_201203_20120401.csv": b"20120103 00:00,1,1,1,1,5\n20120104 00:00,1,1,1,1,5",
    "dc_quote_american_put_150000_20120401.csv": b"20120103 00:00,,,,,0,2,2,2,2,1",
    "20111230.csv": b"#expiry,open\n20120301,1\n",
}


def lean(content: bytes, dataset: Dataset) -> None:
    try:
        read(content, "lean", "DC", dataset)
    except ParseError:
        return


@given(content=st.binary(max_size=200), dataset=st.sampled_from([BARS, CHAINS]))
@settings(max_examples=50, deadline=None)
def test_lean_any_bytes(content: bytes, dataset: Dataset) -> None:
    lean(content, dataset)
    lean(bundle([("part.zip", content)]), dataset)
    lean(zipped(dict.fromkeys(LEAN_FILES, content)), dataset)


@given(
    data=st.data(),
    dataset=st.sampled_from([BARS, CHAINS]),
    build=st.sampled_from([zipped, lambda files: bundle([("part.zip", zipped(files))])]),
)
@settings(max_examples=60, deadline=None)
def test_lean_mutated_archives_and_rows(
    data: st.DataObject, dataset: Dataset, build: Callable[[dict[str, bytes]], bytes]
) -> None:
    files = dict(LEAN_FILES)
    name = data.draw(st.sampled_from(sorted(files)))
    fields = files[name].decode().split(",")
    fields[data.draw(st.integers(0, len(fields) - 1))] = data.draw(TEXTS)
    files[name] = ",".join(fields).encode("utf-8", "replace")
    content = bytearray(build(files))
    lean(bytes(content), dataset)
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    lean(bytes(content), dataset)
