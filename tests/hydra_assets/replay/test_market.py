import numpy as np
import pytest

from hydra_assets.markets.loader import load_markets
from hydra_assets.replay.market import FAULTS, MarketFault, MarketTerms, faults, stale_sessions
from tests.hydra_assets.replay.worlds import world

NAN = float("nan")


def test_every_fault_has_its_code() -> None:
    market = world(
        [80.0, 80.0, NAN, 0.0, -37.63, 80.0, 80.0, 80.0],
        adv=[100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 0.0, NAN],
        tradable=[True, False, True, True, True, True, True, True],
        sigma_daily=[0.02, 0.02, 0.02, 0.02, 0.02, 0.0, 0.02, 0.02],
    )
    found = [FAULTS[code] for code in faults(market)[:, 0]]
    assert found == [
        MarketFault.NONE,
        MarketFault.NOT_TRADABLE,
        MarketFault.BAD_PRICE,
        MarketFault.BAD_PRICE,
        MarketFault.BAD_PRICE,
        MarketFault.NO_VOLATILITY,
        MarketFault.NO_VOLUME,
        MarketFault.NO_VOLUME,
    ]
    assert stale_sessions(faults(market))[:, 0].tolist() == [0, 1, 2, 3, 4, 5, 6, 7]


def test_staleness_starts_anew_after_a_good_session() -> None:
    fault = np.array([[1], [0], [2], [2], [0], [1]], dtype=np.int8)
    assert stale_sessions(fault)[:, 0].tolist() == [1, 0, 1, 2, 0, 1]


def test_a_change_that_would_be_lost_is_an_error() -> None:
    with pytest.raises(ValueError, match="held_change is missing at session 2 of SIM_0"):
        world([80.0, NAN, 80.0], held_change=[NAN, NAN, NAN])
    assert world([80.0, NAN, 80.0], held_change=[NAN, NAN, 0.0]).settle.shape == (3, 1)
    # The first session that a market has needs none.
    assert world([NAN, 80.0, 80.0], held_change=[NAN, NAN, 0.0]).settle.shape == (3, 1)


def test_shapes_and_order_are_checked() -> None:
    good = world([80.0, 80.0])
    columns = {
        name: getattr(good, name) for name in ("terms", "settle", "held_change", "sigma_daily", "roll", "tradable")
    }
    with pytest.raises(ValueError, match="not in order"):
        type(good)(days=good.days[::-1], adv=good.adv, **columns)
    with pytest.raises(ValueError, match="adv is"):
        type(good)(days=good.days, adv=good.adv[:1], **columns)


def test_terms_are_those_of_the_specifications() -> None:
    specs = [spec for spec in load_markets().values() if spec.symbol in ("HE", "SIM_HE")]
    terms = MarketTerms.of(specs)
    assert terms.symbols == tuple(spec.symbol for spec in specs)
    # One tick of hogs is 10 in money.
    assert (terms.multiplier * terms.tick == 10.0).all()
    assert terms.participation_cap.tolist() == [0.01] * len(specs)
