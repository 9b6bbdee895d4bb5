from datetime import UTC, date, datetime

import databento_dbn as dbn
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from hydra_assets.sources.base import Dataset, FetchRequest, ParseError, PayloadState
from hydra_assets.sources.databento import DatabentoSource, bundle, parse_databento
from hydra_assets.sources.databento_files import decode
from hydra_assets.sources.databento_records import Reason, SettlementFlag
from hydra_assets.sources.databento_symbology import from_definitions, prices
from tests.support.cot import real
from tests.support.source_markets import context, market, payload, settings

FUTURES, OPTIONS = Dataset.FUTURES_BARS, Dataset.OPTION_CHAINS
FINAL, ACTUAL = SettlementFlag.FINAL, SettlementFlag.ACTUAL
UNIT = 10**9
SAMPLES = [
    *(f"databento_dbn/test_data.{schema}.{v}.dbn.zst" for schema in ("definition", "ohlcv-1d", "statistics") for v in
      ("v1", "v2", "v3")),
    *(f"databento_dbn/test_data.bbo-1m.{v}.dbn.zst" for v in ("v2", "v3")),
    *(f"databento_nautilus/definition-glbx-es-{kind}.dbn.zst" for kind in ("fut", "futspread", "opt")),
]  # fmt: skip


class _Interval:
    def __init__(self, symbol: str) -> None:
        self.start_date, self.end_date, self.symbol = date(2025, 1, 1), date(2025, 2, 1), symbol


class _Mapping:
    def __init__(self, raw_symbol: str, instrument_id: int) -> None:
        self.raw_symbol, self.intervals = raw_symbol, [_Interval(str(instrument_id))]


def ns(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * UNIT


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)


def file(schema: dbn.Schema, *records: object, version: int = 3, mappings: list[_Mapping] | None = None) -> bytes:
    head = dbn.Metadata(
        dataset="GLBX.MDP3",
        start=ns(2025, 1, 2),
        end=ns(2025, 2, 1),
        stype_in=dbn.SType.RAW_SYMBOL,
        stype_out=dbn.SType.INSTRUMENT_ID,
        schema=schema,
        version=version,
        mappings=mappings,
    ).encode()
    return head + b"".join(bytes(record) for record in records)


def definition(instrument_id: int, symbol: str, kind: dbn.InstrumentClass, **more: object) -> dbn.InstrumentDefMsg:
    facts: dict[str, object] = {
        "ts_recv": ns(2025, 1, 2),
        "expiration": ns(2025, 2, 14, 18),
        "maturity_year": 2025,
        "maturity_month": 2,
        "asset": "HE",
    } | more
    return dbn.InstrumentDefMsg(
        publisher_id=1,
        instrument_id=instrument_id,
        ts_event=ns(2025, 1, 2),
        min_price_increment=UNIT // 40,
        display_factor=UNIT // 100,
        raw_symbol=symbol,
        security_type="FUT",
        instrument_class=kind,
        security_update_action=dbn.SecurityUpdateAction.ADD,
        **facts,
    )


def statistic(kind: dbn.StatType, received: int, **more: object) -> dbn.StatMsg:
    facts: dict[str, object] = {
        "instrument_id": 42,
        "ts_ref": ns(2025, 1, 3),
        "price": dbn.UNDEF_PRICE,
        "quantity": dbn.UNDEF_STAT_QUANTITY,
    } | more
    return dbn.StatMsg(publisher_id=1, ts_event=received, ts_recv=received, stat_type=kind, **facts)


def settlement(received: int, price: float, flags: int, **more: object) -> dbn.StatMsg:
    return statistic(dbn.StatType.SETTLEMENT_PRICE, received, price=round(price * UNIT), stat_flags=int(flags), **more)


def quote(received: int, bid: float | None, ask: float | None, instrument_id: int = 42) -> dbn.BBOMsg:
    def scaled(price: float | None) -> int:
        return dbn.UNDEF_PRICE if price is None else round(price * UNIT)

    pair = dbn.BidAskPair(bid_px=scaled(bid), ask_px=scaled(ask), bid_sz=3, ask_sz=4)
    return dbn.BBOMsg(
        rtype=dbn.RType.BBO_1M,
        publisher_id=1,
        instrument_id=instrument_id,
        ts_event=received,
        price=UNIT,
        size=1,
        side=dbn.Side.NONE,
        ts_recv=received,
        levels=pair,
    )


def bar(day: int, *values: int, volume: int = 70) -> dbn.OHLCVMsg:
    opened, high, low, close = values or (80 * UNIT, 82 * UNIT, 79 * UNIT, 81 * UNIT)
    return dbn.OHLCVMsg(
        rtype=dbn.RType.OHLCV_1D,
        publisher_id=1,
        instrument_id=42,
        ts_event=ns(2025, 1, day),
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=volume,
    )


DEFINITIONS = file(
    dbn.Schema.DEFINITION,
    definition(42, "HEG5", dbn.InstrumentClass.FUTURE),
    definition(
        43,
        "HEG5 C8200",
        dbn.InstrumentClass.CALL,
        strike_price=82 * UNIT,
        underlying="HEG5",
    ),
    definition(44, "HEG5-HEJ5", dbn.InstrumentClass.FUTURE_SPREAD),
    definition(45, "H1FF5 C8200", dbn.InstrumentClass.CALL, strike_price=82 * UNIT, maturity_month=1),
    definition(46, "ESH5", dbn.InstrumentClass.FUTURE, asset="ES", maturity_month=3),
)


def parse(*files: bytes, dataset: Dataset = FUTURES, meta: dict[str, str] | None = None):
    named = [("0-definitions.dbn", DEFINITIONS), *((f"{i + 1}.dbn", content) for i, content in enumerate(files))]
    result = parse_databento(payload(dataset, bundle(named), meta=meta), context())
    assert result.unaccounted() == []
    return result


def reasons(result) -> list[tuple[str, str]]:
    found = result.rejects.filter(pl.col("reason") != str(Reason.DEFINITION))
    return found.select("disposition", "reason").rows()


@pytest.mark.parametrize("sample", SAMPLES)
def test_samples_decode_as_the_vendors_own_decoder_does(sample: str) -> None:
    content = real(f"formats/{sample}").read_bytes()
    ours = decode(content)
    plain = pa.CompressedInputStream(pa.BufferReader(content), "zstd").read()
    decoder = dbn.DBNDecoder(upgrade_policy=dbn.VersionUpgradePolicy.AS_IS)
    decoder.write(plain)
    metadata, *records = decoder.decode()
    assert ours.total == len(records)
    assert ours.dataset == metadata.dataset
    mapped = {
        (symbol, span["symbol"], f"{span['start_date']:%Y%m%d}")
        for symbol, spans in metadata.mappings.items()
        for span in spans
    }
    assert {(s.symbol, str(s.instrument_id), str(s.first)) for s in ours.symbols} == mapped
    for group in ours.groups:
        assert group.array is not None
        for row, record in zip(group.rows, group.array, strict=True):
            theirs = records[row]
            assert int(record["instrument_id"]) == theirs.instrument_id
            assert int(record["ts_event"]) == theirs.ts_event
            for name in ("price", "open", "close", "strike_price", "ts_recv", "quantity"):
                if name in group.array.dtype.names:
                    assert int(record[name]) == getattr(theirs, name)


def test_real_definitions_of_futures_spreads_and_options() -> None:
    es = context(market("ES", root="ES", option_root="ES"))
    tables = [
        from_definitions(decode(real(f"formats/{name}").read_bytes()).groups[0].array, es) for name in SAMPLES[-3:]
    ]
    future, spread, option = (table.row(0, named=True) for table in tables)
    assert (future["kind"], future["contract"], future["market"]) == ("future", "ES-2023-06", "ES")
    assert spread["kind"] == "spread"
    assert (option["option"], option["underlying_contract"]) == ("ES-2024-06-21-C-4250", "ES-2024-06")


def test_real_quotes_become_the_last_one_before_the_cutoff() -> None:
    es = context(market("ES", root="ES"))
    for version in ("v2", "v3"):
        content = real(f"formats/databento_dbn/test_data.bbo-1m.{version}.dbn.zst").read_bytes()
        result = parse_databento(payload(FUTURES, content), es)
        assert result.unaccounted() == []
        row = result.rows.row(0, named=True)
        assert result.rows.height == 1
        assert (row["contract"], row["event_session"]) == ("ES-2021-03", date(2020, 12, 28))
        assert (row["bid"], row["ask"], row["bid_size"], row["ask_size"]) == (3704.25, 3704.75, 10, 18)
        assert row["known_at"] == row["event_time"] == at(2020, 12, 28, 0, 3)
        assert result.rejects["reason"].to_list() == ["earlier_quote"] * 3


def test_a_record_grows_by_what_becomes_known() -> None:
    result = parse(
        file(dbn.Schema.BBO_1M, quote(ns(2025, 1, 3, 18), 80, 81), quote(ns(2025, 1, 3, 19), 80.5, None)),
        file(
            dbn.Schema.STATISTICS,
            settlement(ns(2025, 1, 3, 19, 10), 81, ACTUAL),
            settlement(ns(2025, 1, 3, 23, 10), 81.5, FINAL | ACTUAL),
        ),
        file(dbn.Schema.OHLCV_1D, bar(3)),
    )
    rows = result.rows.filter(pl.col("record") == "price").sort("known_at")
    assert rows.select("known_at", "settle", "bid", "ask", "close").rows() == [
        (at(2025, 1, 3, 19), None, 80.5, None, None),
        # The preliminary settle was seen at 19:10; the market's rule says public at 16:00 Chicago.
        (at(2025, 1, 3, 22), 81.0, 80.5, None, None),
        (at(2025, 1, 3, 23, 10), 81.5, 80.5, None, None),
        # The vendor's bar of the UTC day is complete at its end.
        (at(2025, 1, 4), 81.5, 80.5, None, 81.0),
    ]
    assert rows["event_time"].unique().to_list() == [at(2025, 1, 3, 19)]
    assert reasons(result) == [("set_aside", "earlier_quote")]


def test_final_settlement_is_not_taken_back_by_a_preliminary_or_theoretical_one() -> None:
    result = parse(
        file(
            dbn.Schema.STATISTICS,
            settlement(ns(2025, 1, 3, 23), 81.5, FINAL | ACTUAL),
            settlement(ns(2025, 1, 3, 23, 30), 80, ACTUAL),
            settlement(ns(2025, 1, 3, 23, 40), 79, FINAL),
            settlement(ns(2025, 1, 6, 12), 81.75, FINAL | ACTUAL),
            settlement(ns(2025, 1, 6, 13), 81.75, FINAL | ACTUAL),
        )
    )
    assert result.rows.select("known_at", "settle").sort("known_at").rows() == [
        (at(2025, 1, 3, 23), 81.5),
        (at(2025, 1, 6, 12), 81.75),
    ]
    assert [r for _, r in reasons(result)] == ["superseded_by_final"] * 2 + ["repeated_value"]


def test_both_settlements_before_publication_leave_the_better_one() -> None:
    result = parse(
        file(
            dbn.Schema.STATISTICS,
            settlement(ns(2025, 1, 3, 20), 81.5, FINAL | ACTUAL),
            settlement(ns(2025, 1, 3, 19), 80, FINAL),
        )
    )
    assert result.rows.select("known_at", "settle").rows() == [(at(2025, 1, 3, 22), 81.5)]
    assert reasons(result) == [("set_aside", "merged")]


def test_activity_is_known_one_session_later_or_when_received() -> None:
    # Friday's open interest, received on Monday before publication, and its cleared volume after it.
    result = parse(
        file(
            dbn.Schema.STATISTICS,
            statistic(dbn.StatType.OPEN_INTEREST, ns(2025, 1, 6, 12), quantity=1000),
            statistic(dbn.StatType.CLEARED_VOLUME, ns(2025, 1, 6, 23), quantity=77),
        ),
        file(dbn.Schema.OHLCV_1D, bar(3)),
    )
    rows = result.rows.filter(pl.col("record") == "activity")
    assert rows.select("event_session", "known_at", "volume", "open_interest").sort("known_at").rows() == [
        (date(2025, 1, 3), at(2025, 1, 6, 22), 70.0, 1000.0),
        (date(2025, 1, 3), at(2025, 1, 6, 23), 77.0, 1000.0),
    ]
    assert rows["settle"].null_count() == rows.height


def test_known_at_follows_the_clock_change() -> None:
    def known(month: int, day: int) -> datetime:
        record = settlement(ns(2025, month, day, 19), 81, FINAL | ACTUAL, ts_ref=ns(2025, month, day), instrument_id=47)
        later = file(
            dbn.Schema.DEFINITION,
            definition(47, "HEJ5", dbn.InstrumentClass.FUTURE, expiration=ns(2025, 4, 14, 17), maturity_month=4),
        )
        return parse(later, file(dbn.Schema.STATISTICS, record)).rows["known_at"][0]

    assert (known(3, 7), known(3, 10)) == (at(2025, 3, 7, 22), at(2025, 3, 10, 21))


def test_quotes_after_the_cutoff_belong_to_the_next_session() -> None:
    result = parse(
        file(
            dbn.Schema.BBO_1M,
            quote(ns(2025, 1, 3, 23, 30), 80, 81),
            quote(ns(2025, 1, 3, 23, 31), 70, 71),
            quote(ns(2025, 1, 6, 20), None, None),
        )
    )
    # 17:30 Chicago is the cutoff of Friday; the minute after it is Monday's.
    assert result.rows.select("event_session", "bid").sort("bid").rows() == [
        (date(2025, 1, 6), 70.0),
        (date(2025, 1, 3), 80.0),
    ]
    assert reasons(result) == [("set_aside", "empty_book")]


def test_options_resolve_through_their_definitions() -> None:
    result = parse(
        file(dbn.Schema.BBO_1M, quote(ns(2025, 1, 3, 18), 2, 2.5, 43)),
        file(dbn.Schema.STATISTICS, settlement(ns(2025, 1, 3, 23), 2.25, FINAL | ACTUAL, instrument_id=43)),
        dataset=OPTIONS,
    )
    last = result.rows.sort("known_at").row(-1, named=True)
    assert (last["option"], last["underlying_contract"]) == ("HE-2025-02-14-C-82", "HE-2025-02")
    assert (last["settle"], last["bid"], last["ask"]) == (2.25, 2.0, 2.5)


@pytest.mark.parametrize(
    ("record", "dataset", "expected"),
    [
        (quote(ns(2025, 1, 3, 18), 1, 2, 44), FUTURES, ("set_aside", "spread")),
        (quote(ns(2025, 1, 3, 18), 1, 2, 43), FUTURES, ("set_aside", "other_dataset")),
        (quote(ns(2025, 1, 3, 18), 1, 2, 45), OPTIONS, ("set_aside", "not_a_monthly_contract")),
        (quote(ns(2025, 1, 3, 18), 1, 2, 46), FUTURES, ("set_aside", "market_not_configured")),
        (quote(ns(2025, 1, 3, 18), 1, 2, 99), FUTURES, ("quarantined", "unknown_instrument")),
        (quote(ns(2025, 3, 3, 18), 1, 2), FUTURES, ("quarantined", "unknown_instrument")),
        (quote(dbn.UNDEF_TIMESTAMP, 1, 2), FUTURES, ("quarantined", "implausible_time")),
        (bar(4), FUTURES, ("set_aside", "outside_a_session")),
        (bar(3, *[dbn.UNDEF_PRICE] * 4), FUTURES, ("quarantined", "undefined_value")),
        (settlement(ns(2025, 1, 3, 20), 81, SettlementFlag.INTRADAY), FUTURES, ("set_aside", "intraday_settlement")),
        (settlement(ns(2025, 1, 3, 20), 81, 1, ts_ref=ns(2025, 1, 5)), FUTURES, ("quarantined", "not_a_session")),
        (
            settlement(ns(2025, 1, 3, 20), 81, 1, ts_ref=dbn.UNDEF_TIMESTAMP),
            FUTURES,
            ("quarantined", "missing_reference_date"),
        ),
        (statistic(dbn.StatType.OPEN_INTEREST, ns(2025, 1, 6)), FUTURES, ("quarantined", "undefined_value")),
        (statistic(dbn.StatType.LOWEST_OFFER, ns(2025, 1, 3)), FUTURES, ("set_aside", "unused_statistic")),
        (
            statistic(
                dbn.StatType.OPEN_INTEREST, ns(2025, 1, 6), quantity=1, update_action=dbn.StatUpdateAction.DELETE
            ),
            FUTURES,
            ("quarantined", "statistic_deleted"),
        ),
    ],
)
def test_each_refused_record_has_its_reason(record: object, dataset: Dataset, expected: tuple[str, str]) -> None:
    result = parse(file(dbn.Schema.STATISTICS, record), dataset=dataset)
    assert reasons(result) == [expected]
    assert result.rows.is_empty()
    if expected[0] == "quarantined":
        assert '"instrument_id":' in result.rejects.filter(pl.col("reason") == expected[1])["raw"][0]


def test_symbol_mappings_name_outright_futures_and_nothing_else() -> None:
    content = file(
        dbn.Schema.BBO_1M,
        quote(ns(2025, 1, 3, 18), 80, 81),
        quote(ns(2025, 1, 3, 18), 2, 3, 43),
        quote(ns(2025, 1, 3, 18), -1, 1, 44),
        mappings=[_Mapping("HEG5", 42), _Mapping("HEG5 C8200", 43), _Mapping("HEG5-HEJ5", 44)],
    )
    result = parse_databento(payload(FUTURES, content), context())
    assert result.rows["contract"].to_list() == ["HE-2025-02"]
    assert result.rejects["reason"].to_list() == ["unknown_instrument", "spread"]


def test_a_reused_id_stands_for_the_newest_definition_before_the_record() -> None:
    reused = file(
        dbn.Schema.DEFINITION,
        definition(
            42,
            "HEM5",
            dbn.InstrumentClass.FUTURE,
            ts_recv=ns(2025, 3, 3),
            expiration=ns(2025, 6, 13, 17),
            maturity_month=6,
        ),
    )
    quotes = file(dbn.Schema.BBO_1M, quote(ns(2025, 1, 3, 18), 80, 81), quote(ns(2025, 3, 4, 18), 90, 91))
    assert parse(reused, quotes).rows.sort("bid")["contract"].to_list() == ["HE-2025-02", "HE-2025-06"]


def test_version_one_statistics_have_their_own_sentinel() -> None:
    old = dbn.StatMsgV1(
        publisher_id=1,
        instrument_id=42,
        ts_event=ns(2025, 1, 6),
        ts_recv=ns(2025, 1, 6),
        ts_ref=ns(2025, 1, 3),
        price=dbn.UNDEF_PRICE,
        quantity=2**31 - 1,
        stat_type=dbn.StatType.OPEN_INTEREST,
    )
    result = parse(file(dbn.Schema.STATISTICS, old, version=1))
    assert reasons(result) == [("quarantined", "undefined_value")]


def test_a_file_that_mixes_record_types_is_walked() -> None:
    mixed = file(
        dbn.Schema.STATISTICS,
        settlement(ns(2025, 1, 3, 23), 81, FINAL | ACTUAL),
        dbn.SystemMsg(ts_event=ns(2025, 1, 3), msg="heartbeat"),
        quote(ns(2025, 1, 3, 18), 80, 81),
        bar(3),
    )
    result = parse(mixed)
    assert reasons(result) == [("set_aside", "unused_record")]
    assert result.rows.filter(pl.col("record") == "price").sort("known_at")["close"].to_list()[-1] == 81.0


def test_sessions_before_the_window_are_left_to_an_earlier_bundle() -> None:
    statistics = file(
        dbn.Schema.STATISTICS,
        settlement(ns(2025, 1, 3, 23), 81, 3),
        settlement(ns(2025, 1, 6, 23), 82, 3, ts_ref=ns(2025, 1, 6)),
    )
    result = parse(statistics, meta={"emit_from": "2025-01-06"})
    assert result.rows["event_session"].to_list() == [date(2025, 1, 6)]
    assert reasons(result) == [("set_aside", "before_window")]


def test_prices_are_the_nearest_floats() -> None:
    raw = np.array([81_325_000_000, 1, -37_630_000_000, dbn.UNDEF_PRICE], dtype=np.int64)
    assert prices(raw).to_list() == [81.325, 1e-9, -37.63, None]


def test_large_files_decode_as_one_array() -> None:
    one = bytes(quote(ns(2025, 1, 3, 18), 80, 81))
    content = file(dbn.Schema.BBO_1M, *[one] * 50_000)
    (group,) = decode(content).groups
    assert group.array is not None
    assert (group.array["bid_px_00"] == 80 * UNIT).all()
    assert len(group.rows) == 50_000


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "zero_length"),
        (b"<html></html>", "not_dbn"),
        (b"DBN\x09" + bytes(200), "unknown_dbn_version"),
        (b"DBN\x03\xff\xff\xff\xff" + bytes(200), "truncated_dbn"),
        (file(dbn.Schema.OHLCV_1D, bar(3))[:-8], "truncated_dbn"),
        (b"\x28\xb5\x2f\xfd" + bytes(20), "broken_zstd"),
        (bundle([("a", b"x")])[:-5], "broken_bundle"),
    ],
)
def test_what_is_no_dbn_is_refused(content: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_databento(payload(FUTURES, content), context())
    assert caught.value.reason == reason


def test_truncated_zstd_is_refused_and_whole_zstd_read() -> None:
    plain = file(dbn.Schema.BBO_1M, *[quote(ns(2025, 1, 3, 18, i), 80 + i, 90) for i in range(50)])
    packed = pa.compress(plain, codec="zstd", asbytes=True)
    assert decode(packed).total == 50
    for cut in (10, len(packed) // 2, len(packed) - 1):
        with pytest.raises(ParseError):
            decode(packed[:cut])


MEMBERS = [
    DEFINITIONS,
    file(dbn.Schema.STATISTICS, settlement(ns(2025, 1, 3, 23), 81, 3), quote(ns(2025, 1, 3, 18), 80, 81)),
    file(dbn.Schema.OHLCV_1D, bar(3), bar(6), mappings=[_Mapping("HEG5", 42)]),
]
VALID = bundle([(str(i), member) for i, member in enumerate(MEMBERS)])


@examples(max_examples=100, deadline=None)
@given(st.data())
def test_whatever_the_bytes_only_the_parsers_own_error(data: st.DataObject) -> None:
    noise = data.draw(st.binary(max_size=64))
    which = data.draw(st.sampled_from([0, 1, 2]))
    member = MEMBERS[which]
    where = data.draw(st.integers(0, len(member)))
    cut = data.draw(st.sampled_from([0, len(noise)]))
    changed = member[:where] + noise + member[where + cut :]
    members = [changed if i == which else m for i, m in enumerate(MEMBERS)]
    packed = pa.compress(changed, codec="zstd", asbytes=True)
    broken = packed[: data.draw(st.integers(0, len(packed)))]
    start = data.draw(st.integers(0, len(VALID)))
    candidates = [
        noise,
        changed,
        broken,
        bundle([(str(i), m) for i, m in enumerate(members)]),
        VALID[:start] + noise + VALID[start + cut :],
    ]
    for content in candidates:
        for dataset in (FUTURES, OPTIONS):
            try:
                result = parse_databento(payload(dataset, content), context())
            except ParseError:
                continue
            assert result.unaccounted() == []


def request(first: date | None, last: date) -> FetchRequest:
    return FetchRequest(FUTURES, (market(),), first, last, at(2025, 1, 20, 12))


def test_source_bundles_the_files_of_the_window_with_all_definitions(tmp_path) -> None:
    folder = tmp_path / "data" / "glbx"
    folder.mkdir(parents=True)
    (folder / "definitions.dbn").write_bytes(DEFINITIONS)
    for day in (2, 3, 13, 14, 21):
        record = settlement(ns(2025, 1, day, 23), 80 + day, 3, ts_ref=ns(2025, 1, day))
        (folder / f"glbx-mdp3-202501{day:02d}.statistics.dbn").write_bytes(file(dbn.Schema.STATISTICS, record))
    bound = settings(
        tmp_path, "databento", (str(FUTURES),), files=["glbx/*.statistics.dbn"], definitions="glbx/definitions.dbn"
    )
    source = DatabentoSource(bound)
    (all_of_it,) = source.fetch(request(None, date(2025, 1, 21)))
    assert source.parse(all_of_it, context()).rows["event_session"].to_list() == [
        date(2025, 1, day) for day in (2, 3, 13, 14)
    ]
    assert all_of_it.available_at == at(2025, 1, 15)
    (recent,) = source.fetch(request(date(2025, 1, 14), date(2025, 1, 17)))
    result = source.parse(recent, context())
    assert result.rows["event_session"].to_list() == [date(2025, 1, 13), date(2025, 1, 14)]
    (again,) = source.fetch(request(date(2025, 1, 14), date(2025, 1, 17)))
    assert again.sha256 == recent.sha256
    assert source.check().ok
    assert list(source.fetch(request(date(2026, 1, 5), date(2026, 1, 5)))) == []


def test_zero_length_file_is_a_named_state(tmp_path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.dbn").write_bytes(b"")
    source = DatabentoSource(settings(tmp_path, "databento", (str(FUTURES),), files="*.dbn"))
    with pytest.raises(ParseError) as caught:
        list(source.fetch(request(None, date(2025, 1, 3))))
    assert caught.value.state is PayloadState.EMPTY
    assert source.check().reason == "zero_length"
