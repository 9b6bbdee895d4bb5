from datetime import UTC, date, datetime

import dagster as dg

from hydra_assets.home import HomeConfig
from hydra_assets.markets.loader import load_markets
from hydra_assets.partitions import SESSION, common_holidays, market_session_partitions

HOME = HomeConfig(kind="simulated", markets=("SIM_HE", "SIM_ZO"), history_start=date(2016, 12, 24))
MARKETS = [load_markets()[symbol] for symbol in HOME.markets]


def session_keys() -> list[str]:
    definition = market_session_partitions(HOME, MARKETS).get_partitions_def_for_dimension(SESSION)
    return list(definition.get_partition_keys(current_time=datetime(2026, 11, 20, 9, tzinfo=UTC)))


def test_keys_are_weekdays_on_which_some_market_trades() -> None:
    keys = session_keys()
    assert keys[0] == "2016-12-27"  # the history starts on a Saturday, and Monday the 26th is a holiday
    assert keys[-1] == "2026-11-20"  # today, before its end
    assert not {"2025-12-25", "2026-04-03", "2026-07-03"} & set(keys)
    assert "2026-11-27" not in keys
    assert all(date.fromisoformat(key).weekday() < 5 for key in keys)


def test_the_list_of_holidays_stays_short() -> None:
    """Dagster goes through the whole list for every key: thousands of entries cost a minute per asset and page."""
    definition = market_session_partitions(HOME, MARKETS).get_partitions_def_for_dimension(SESSION)
    years = datetime.now(UTC).year + 2 - 2016
    assert 8 * (years - 1) <= len(definition.exclusions or ()) <= 11 * years


def test_a_holiday_of_one_calendar_only_is_no_common_one() -> None:
    common = common_holidays(["CMEGlobex_Lean_Hog", "weekdays"], date(2025, 1, 1), date(2025, 12, 31))
    assert common == []


def test_keys_are_made_once_a_day_and_are_those_of_their_day() -> None:
    definition = market_session_partitions(HOME, MARKETS)
    plain = dg.MultiPartitionsDefinition({d.name: d.partitions_def for d in definition.partitions_defs})
    morning, evening = (datetime(2026, 11, 19, hour, tzinfo=UTC) for hour in (1, 23))
    next_day = datetime(2026, 11, 20, 1, tzinfo=UTC)
    keys = definition.get_partition_keys(morning)
    assert list(keys) == list(plain.get_partition_keys(morning))
    assert definition.get_partition_keys(evening) is keys
    assert list(definition.get_partition_keys(next_day)) == list(plain.get_partition_keys(next_day))
    assert len(definition.get_partition_keys(next_day)) == len(keys) + len(MARKETS)
