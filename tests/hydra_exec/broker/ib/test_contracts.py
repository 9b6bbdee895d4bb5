"""Our contracts and the broker's: units, ticks, names, and what is refused."""

from typing import Any

import pytest
from ib_async import Contract, ContractDetails, PriceIncrement

from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.model import MarketSpec
from hydra_exec.broker.ib.contracts import ListingError, about, directory, listing, rule_of, wanted

HE, ZR, ZC = (load_markets()[name] for name in ("HE", "ZR", "ZC"))


def details(symbol: str, multiplier: str, min_tick: float, magnifier: int, **changes: Any) -> ContractDetails:
    contract = {
        "conId": 77,
        "symbol": symbol,
        "secType": "FUT",
        "lastTradeDateOrContractMonth": "20250414",
        "multiplier": multiplier,
        "exchange": "CME",
        "currency": "USD",
        "localSymbol": f"{symbol}J5",
        "tradingClass": symbol,
    } | changes.pop("contract", {})
    given = {
        "contractMonth": "202504",
        "minTick": min_tick,
        "priceMagnifier": magnifier,
        "validExchanges": "CME",
        "marketRuleIds": "67",
        "realExpirationDate": "20250414",
        "timeZoneId": "US/Central",
        "tradingHours": "20250303:0830-20250303:1305",
    } | changes
    return ContractDetails(contract=Contract(**contract), **given)


@pytest.mark.parametrize(
    ("spec", "multiplier", "min_tick", "magnifier", "scale"),
    [
        (HE, "400", 0.025, 1, 1.0),
        (HE, "40000", 0.00025, 100, 1.0),  # as listed: quoted in cents, ticks in dollars
        (HE, "40000", 0.025, 100, 1.0),
        (ZC, "5000", 0.0025, 100, 1.0),
        (ZR, "2000", 0.005, 1, 1.0),
        (ZR, "2000", 0.5, 100, 100.0),  # quoted in cents, and we count in dollars
        (ZR, "2000", 0.005, 100, 100.0),
    ],
)
def test_units(spec: MarketSpec, multiplier: str, min_tick: float, magnifier: int, scale: float) -> None:
    one = listing(spec, details(spec.root, multiplier, min_tick, magnifier), [])
    assert (one.contract, one.con_id, one.scale) == (f"{spec.root}-2025-04", 77, scale)
    assert one.tick(12.0) == one.tick(0.0) == one.tick(-3.0) == spec.tick
    assert one.outward(14.125) == 14.125 * scale
    assert one.inward(one.outward(14.125)) == 14.125


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"multiplier": "40000"}, "is worth 40000 / 1"),
        ({"multiplier": ""}, "worth nothing"),
        ({"multiplier": "200"}, "the market's file says 400"),
        ({"min_tick": 0.05}, "least tick is 0.05"),
        ({"min_tick": 0.00025}, "least tick is 0.00025"),
        ({"contract": {"currency": "CAD"}}, "is in CAD"),
        ({"contractMonth": "April"}, "no contract month"),
        ({"realExpirationDate": "soon"}, "no last trading date"),
    ],
)
def test_another_contract_is_refused_in_words(changes: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {"multiplier": "400", "min_tick": 0.025, "magnifier": 1} | changes
    with pytest.raises(ListingError, match=words):
        listing(HE, details("HE", **given), [])


def test_ticks_by_the_level_of_the_price() -> None:
    rule = [PriceIncrement(100.0, 0.1), PriceIncrement(0.0, 0.025)]
    one = listing(HE, details("HE", "400", 0.025, 1), rule)
    assert [one.tick(price) for price in (0.0, 99.975, 100.0, 250.0, -150.0)] == [0.025, 0.025, 0.1, 0.1, 0.1]
    magnified = listing(
        HE, details("HE", "40000", 0.00025, 100), [PriceIncrement(0, 0.00025), PriceIncrement(1, 0.001)]
    )
    assert magnified.increments == ((0.0, 0.025), (100.0, 0.1))


def test_the_month_is_that_of_the_contract_and_not_of_its_last_trade() -> None:
    early = details("HE", "400", 0.025, 1, contractMonth="202505")
    assert listing(HE, early, []).contract == "HE-2025-05"
    unsaid = details("HE", "400", 0.025, 1, contractMonth="")
    assert listing(HE, unsaid, []).contract == "HE-2025-04"


def test_the_rule_of_the_own_exchange() -> None:
    assert rule_of(details("HE", "400", 0.025, 1, validExchanges="SMART,CME", marketRuleIds="26,67")) == 67
    assert rule_of(details("HE", "400", 0.025, 1, validExchanges="OTHER", marketRuleIds="26")) == 26
    assert rule_of(details("HE", "400", 0.025, 1, marketRuleIds="")) is None


def test_two_contracts_of_a_month_are_a_fault_of_that_month_alone() -> None:
    big = listing(HE, details("HE", "400", 0.025, 1), [])
    other = listing(HE, details("HE", "400", 0.025, 1, contract={"conId": 78, "localSymbol": "HEX"}), [])
    rice = listing(ZR, details("ZR", "2000", 0.005, 1), [])
    may = listing(HE, details("HE", "400", 0.025, 1, contractMonth="202505", contract={"conId": 79}), [])
    both = directory([big, other, may, rice], {}, [HE, ZR])
    assert list(both.listings) == ["HE-2025-05", "ZR-2025-04"]
    assert both.unlisted == ()
    assert both.of(77) is not None  # rice has the same id here
    assert both.of(78) is None
    with pytest.raises(ListingError, match="HEJ5 and HEX"):
        both.find("HE-2025-04")
    with pytest.raises(ListingError, match="lists no such contract"):
        both.find("ZR-2026-04")
    assert both.of(5) is None


def test_an_odd_contract_leaves_the_good_one_of_its_month() -> None:
    odd = details("HE", "200", 0.025, 1)
    good = listing(HE, details("HE", "400", 0.025, 1), [])
    known = directory([good], {about(HE, odd): "odd"}, [HE])
    assert known.find("HE-2025-04") is good
    assert known.faults == {"HE-2025-04": "odd"}


def test_what_details_are_about() -> None:
    assert about(HE, details("HE", "200", 0.025, 1, contractMonth="202505")) == "HE-2025-05"
    assert about(HE, details("HE", "200", 0.025, 1, contractMonth="May")) == "HE"
    assert about(HE, ContractDetails()) == "HE"


def test_markets_of_which_nothing_is_known() -> None:
    rice = listing(ZR, details("ZR", "2000", 0.005, 1), [])
    known = directory([rice], {"HE-2025-04": "worth nothing", "HE": "no month"}, [HE, ZR, ZC])
    assert known.unlisted == (
        "worth nothing",
        "no month",
        "ZC: the broker lists no such contract (ZC at CBOT)",
    )
    for contract, words in (("HE-2025-04", "worth nothing"), ("HE-2025-05", "no month"), ("ZC-2025-05", "ZC at CBOT")):
        with pytest.raises(ListingError, match=words):
            known.find(contract)


def test_futures_of_our_markets_listed_or_not() -> None:
    known = directory([], {}, [HE, load_markets()["NG"]])

    def claimed(**contract: Any) -> bool:
        return known.claims(Contract(**({"secType": "FUT", "conId": 5} | contract)))

    assert claimed(symbol="HE")
    assert claimed(symbol="HE", exchange="CME")
    assert claimed(symbol="NG", exchange="NYMEX", tradingClass="NG")
    assert not claimed(symbol="HE", exchange="EUREX")
    assert not claimed(symbol="HE", secType="FOP")
    assert not claimed(symbol="LE")
    # The market's file says which class of the symbol is meant.
    assert not claimed(symbol="NG", exchange="NYMEX", tradingClass="NGT")


def test_what_is_asked_for() -> None:
    asked = wanted(load_markets()["NG"])
    assert (asked.secType, asked.symbol, asked.exchange, asked.currency, asked.tradingClass) == (
        "FUT",
        "NG",
        "NYMEX",
        "USD",
        "NG",
    )
    with pytest.raises(ListingError, match="under ib"):
        wanted(load_markets()["SIM_HE"])
