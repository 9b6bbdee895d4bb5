"""What was learned of impact enters a replay for the sessions after it, and nowhere else."""

from dataclasses import fields, replace
from datetime import date, timedelta

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.replay.batched import replay
from hydra_assets.replay.impact_versions import VERSION_SCHEMA, no_versions, with_impact_versions
from hydra_assets.replay.market import MarketArrays
from hydra_assets.replay.result import KINDS, CostKind
from tests.hydra_assets.replay.worlds import config, lots, world

FIRST = date(1970, 1, 1) + timedelta(days=18_000)
IMPACT = KINDS.index(CostKind.IMPACT)


def versions(*rows: tuple[str, int, float]) -> pl.DataFrame:
    """(market, place of the session after which it holds, multiplier)."""
    found = [(market, FIRST + timedelta(days=place), multiplier) for market, place, multiplier in rows]
    return pl.DataFrame(found, schema=VERSION_SCHEMA, orient="row")


def impacts(market: MarketArrays, *wanted: float) -> list[int]:
    """Cents of impact of each session."""
    return [int(value) for value in replay(market, lots(*wanted), config()).cost_cents[IMPACT, 0]]


def test_without_a_version_nothing_is_another_object() -> None:
    market = world([80.0] * 4)
    assert with_impact_versions(market, no_versions()) is market
    assert with_impact_versions(market, versions(("SIM_7", 1, 2.0))) is market


def test_each_row_has_the_newest_version_by_then() -> None:
    market = world(np.full((5, 2), 80.0))
    found = with_impact_versions(market, versions(("SIM_0", 3, 0.5), ("SIM_0", 1, 1.5), ("SIM_1", -9, 2.0)))
    assert found.impact_factor is not None
    np.testing.assert_array_equal(found.impact_factor[:, 0], [np.nan, 1.5, 1.5, 0.5, 0.5])
    np.testing.assert_array_equal(found.impact_factor[:, 1], [2.0] * 5)
    for field in fields(market):
        if field.name != "impact_factor":
            assert getattr(found, field.name) is getattr(market, field.name)


def test_it_multiplies_what_the_hours_make_of_impact() -> None:
    market = world([80.0] * 4, impact_factor=[1.2, np.nan, 1.2, np.nan])
    found = with_impact_versions(market, versions(("SIM_0", 2, 1.5)))
    assert found.impact_factor is not None
    np.testing.assert_array_equal(found.impact_factor[:, 0], [1.2, np.nan, 1.2 * 1.5, 1.5])


def test_a_fill_pays_what_was_known_before_its_session() -> None:
    # Decided at 0, 1, 2, 3 and done at 1, 2, 3, 4, a lot each: 512 cents by the market's own Y.
    market, wanted = world([80.0] * 5), (1.0, 2.0, 3.0, 4.0, 4.0)
    assert impacts(market, *wanted) == [0, 512, 512, 512, 512]
    learned = with_impact_versions(market, versions(("SIM_0", 2, 1.5)))
    assert impacts(learned, *wanted) == [0, 512, 512, 768, 768]


def test_y_and_pessimism_are_a_factor_of_the_market_s_y() -> None:
    wanted = (1.0, 3.0, 0.0, 2.0, 2.0)
    learned = with_impact_versions(world([80.0] * 5), versions(("SIM_0", -1, 1.2 * 1.25 / 0.8)))
    own = world([80.0] * 5)
    plain = replace(own, terms=replace(own.terms, impact_y=np.array([1.2 * 1.25])))
    assert impacts(learned, *wanted) == impacts(plain, *wanted)


@given(
    place=st.integers(-2, 12),
    multiplier=st.floats(0.25, 4.0),
    earlier=st.lists(st.tuples(st.integers(-5, -1), st.floats(0.25, 4.0)), max_size=2, unique_by=lambda pair: pair[0]),
    seed=st.integers(0, 100),
)
def test_a_later_version_changes_nothing_at_or_before_its_session(
    place: int, multiplier: float, earlier: list[tuple[int, float]], seed: int
) -> None:
    random = np.random.default_rng(seed)
    market = world(80.0 * np.exp(np.cumsum(random.normal(0.0, 0.02, 12))))
    known = [("SIM_0", at, value) for at, value in earlier if at < place]
    wanted = lots(*random.integers(-5, 6, 12).astype(float))
    before = replay(with_impact_versions(market, versions(*known)), wanted, config())
    after = replay(with_impact_versions(market, versions(*known, ("SIM_0", place, multiplier))), wanted, config())
    until = max(place + 1, 0)
    for name in ("cost_cents", "net_cents"):
        np.testing.assert_array_equal(getattr(before, name)[..., :until], getattr(after, name)[..., :until])
