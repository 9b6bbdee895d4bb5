"""What was learned of impact, as a replay reads it: the same version that execution says held at the time."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hydra_assets.markets.loader import load_markets
from hydra_assets.replay.impact_versions import with_impact_versions
from hydra_assets.state.slippage import impact_multipliers
from hydra_exec.slippage.learn import SlippageVersion
from hydra_exec.slippage.versions import as_of, record
from tests.hydra_assets.replay.worlds import terms, world

HE, ZO = load_markets()["SIM_HE"], load_markets()["SIM_ZO"]
D = [date(2025, 3, 3) + timedelta(days=k) for k in range(12)]


def version(market: str, day: date, y: float, pessimism: float = 1.0) -> SlippageVersion:
    return SlippageVersion(market, day, y, pessimism, 200)


def test_a_multiplier_is_over_the_market_s_own_y(state_engine: sa.Engine) -> None:
    assert impact_multipliers(state_engine, [HE, ZO]).is_empty()
    record(state_engine, version("SIM_ZO", D[0], 0.9))
    record(state_engine, version("SIM_HE", D[3], 0.4))
    record(state_engine, version("SIM_HE", D[1], 0.8, 1.5))
    y = HE.liquidity.impact_y
    assert impact_multipliers(state_engine, [HE]).rows() == [("SIM_HE", D[1], 0.8 * 1.5 / y), ("SIM_HE", D[3], 0.4 / y)]
    assert impact_multipliers(state_engine, [ZO, HE])["market"].to_list() == ["SIM_HE", "SIM_HE", "SIM_ZO"]


@given(known=st.dictionaries(st.integers(0, 11), st.floats(0.2, 3.0), max_size=4))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_fill_pays_by_the_version_that_held_in_its_session(state_engine: sa.Engine, known: dict[int, float]) -> None:
    # Versions cannot be taken back: every example has a market of its own.
    with state_engine.connect() as connection:
        place = connection.scalar(sa.text("SELECT count(DISTINCT market) FROM hydra.slippage_versions"))
    spec = HE.model_copy(update={"symbol": f"SIM_{place}"})
    for day, y in known.items():
        record(state_engine, version(spec.symbol, D[day], y, 1.25))
    days = np.array([(day - date(1970, 1, 1)).days for day in D])
    market = replace(world([80.0] * len(D), terms=replace(terms(), symbols=(spec.symbol,))), days=days)
    found = with_impact_versions(market, impact_multipliers(state_engine, [spec])).impact_factor
    for t in range(1, len(D)):
        held = as_of(state_engine, spec.symbol, D[t])
        paid = None if found is None or np.isnan(found[t - 1, 0]) else found[t - 1, 0]
        assert paid == (None if held is None else held.impact_y * held.pessimism / spec.liquidity.impact_y)
