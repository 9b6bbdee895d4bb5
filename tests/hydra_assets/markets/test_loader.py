from datetime import date
from pathlib import Path

import pytest
import yaml

from hydra_assets.home import HomeConfig
from hydra_assets.markets.loader import MarketError, load_markets, markets_of
from hydra_assets.markets.model import MarketSpec, SourceBinding

REAL = {"HE", "ZO", "LE", "GF", "DC", "ZR", "ZC", "EH", "NG", "BTC", "ETH", "LBS", "MW"}


def as_yaml(spec: MarketSpec, **changes: object) -> str:
    return yaml.safe_dump({**spec.model_dump(mode="json", exclude_none=True), **changes})


def test_all_packaged_markets_load() -> None:
    markets = load_markets()
    assert set(markets) == REAL | {"SIM_HE", "SIM_ZO", "SIM_LE", "SIM_DC"}
    assert list(markets) == sorted(markets)


@pytest.mark.parametrize(
    ("symbol", "tick_value", "notional_of_one_unit"),
    [
        ("HE", 10.0, 400),
        ("LE", 10.0, 400),
        ("GF", 12.5, 500),
        ("ZC", 12.5, 50),
        ("ZO", 12.5, 50),
        ("ZR", 10.0, 2000),
        ("DC", 20.0, 2000),
        ("NG", 10.0, 10_000),
        ("EH", 29.0, 29_000),
        ("LBS", 11.0, 110),
        ("MW", 12.5, 50),
    ],
)
def test_a_tick_is_worth_what_the_exchange_says(symbol: str, tick_value: float, notional_of_one_unit: float) -> None:
    spec = load_markets()[symbol]
    assert spec.tick * spec.multiplier == pytest.approx(tick_value)
    assert spec.multiplier == notional_of_one_unit


@pytest.mark.parametrize(
    ("symbol", "code"),
    [
        ("HE", "054642"),
        ("ZO", "004603"),
        ("LE", "057642"),
        ("GF", "061641"),
        ("DC", "052641"),
        ("ZR", "039601"),
        ("ZC", "002602"),
        ("NG", "023651"),
        ("BTC", "133741"),
    ],
)
def test_cftc_codes(symbol: str, code: str) -> None:
    assert [c.code for c in load_markets()[symbol].cftc_codes] == [code]


def test_no_market_has_the_code_of_another_ethanol_contract() -> None:
    markets = load_markets()
    assert markets["EH"].cftc_codes == ()
    assert "025651" not in {c.code for spec in markets.values() for c in spec.cftc_codes}


def test_lumber_codes_never_stand_for_one_day_together() -> None:
    old, new = load_markets()["LBS"].cftc_codes
    assert (old.code, new.code) == ("058643", "058644")
    assert old.valid_to is not None
    assert new.valid_from is not None
    assert old.valid_to < new.valid_from


def test_simulated_markets_carry_their_models_facts() -> None:
    markets = load_markets()
    for model in ("HE", "ZO", "LE", "DC"):
        sim, real = markets[f"SIM_{model}"], markets[model]
        differing = {f for f in MarketSpec.model_fields if getattr(sim, f) != getattr(real, f)}
        assert differing == {"symbol", "name", "group", "sources", "facts_source", "options", "ib"}
        assert sim.options is not None
        assert sim.options.model_copy(update={"discount_rate": None}) == real.options
        assert sim.simulated
        assert not real.simulated
        assert {d for b in sim.sources for d in b.datasets} == {
            "raw_futures_bars",
            "raw_intraday_bars",
            "raw_option_chains",
            "raw_cot_reports",
            "raw_headlines",
            "raw_posts",
        }


def test_every_market_says_where_its_facts_come_from_and_decides_after_settlement() -> None:
    for spec in load_markets().values():
        assert spec.facts_source
        assert spec.cutoff.at >= spec.settlement_published


def test_a_homes_file_overrides_and_adds(tmp_path: Path) -> None:
    he = load_markets()["HE"]
    (tmp_path / "he.yaml").write_text(as_yaml(he, tick=0.05), encoding="utf-8")
    (tmp_path / "xx.yaml").write_text(as_yaml(he, symbol="XX"), encoding="utf-8")
    markets = load_markets(tmp_path)
    assert markets["HE"].tick == 0.05
    assert markets["XX"].root == "HE"
    assert markets["LE"] == load_markets()["LE"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("symbol: [", "bad.yaml"),
        ("- a\n- b\n", "mapping"),
        ("symbol: HE\nsymbol: LE\n", "twice"),
        ("symbol: HE\n", "tick"),
    ],
)
def test_a_bad_file_is_named_with_its_fault(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "bad.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(MarketError) as error:
        load_markets(tmp_path)
    assert "bad.yaml" in str(error.value)
    assert named in str(error.value)


def test_an_unknown_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "he.yaml").write_text(as_yaml(load_markets()["HE"], tikc=1), encoding="utf-8")
    with pytest.raises(MarketError, match=r"he\.yaml: tikc"):
        load_markets(tmp_path)


def test_undecodable_bytes_are_a_market_error(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_bytes(b"symbol: \xff\xfe")
    with pytest.raises(MarketError, match=r"bad\.yaml"):
        load_markets(tmp_path)


def test_two_files_of_one_folder_for_one_symbol_are_refused(tmp_path: Path) -> None:
    he = load_markets()["HE"]
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(as_yaml(he), encoding="utf-8")
    with pytest.raises(MarketError, match=r"b\.yaml.*a\.yaml"):
        load_markets(tmp_path)


def test_a_home_gets_its_markets_in_its_order_with_its_bindings(tmp_path: Path) -> None:
    binding = SourceBinding(
        source="csv", datasets=("raw_futures_bars",), options={"map": "pysystemtrade", "files": ["a"]}
    )
    home = HomeConfig(kind="real", markets=("ZO", "HE"), history_start=date(2020, 1, 2), bindings={"HE": (binding,)})
    markets = markets_of(home, tmp_path)
    assert list(markets) == ["ZO", "HE"]
    assert markets["HE"].sources == (binding,)
    assert markets["ZO"].sources == load_markets()["ZO"].sources


def test_a_home_with_an_unknown_market_or_binding_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MarketError, match="QQ"):
        markets_of(HomeConfig(kind="real", markets=("QQ",), history_start=date(2020, 1, 2)), tmp_path)
    home = HomeConfig(kind="real", markets=("HE",), history_start=date(2020, 1, 2), bindings={"LE": ()})
    with pytest.raises(MarketError, match="LE"):
        markets_of(home, tmp_path)
