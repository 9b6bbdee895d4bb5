"""A long range in blocks: every day once, in order, decided sessions with their own block."""

from datetime import date, timedelta

from hydra_assets.defs.derived import BLOCK_DAYS, _blocks
from hydra_assets.defs.ranges import MarketRange


def test_blocks_cover_the_range_once_and_in_order() -> None:
    days = [date(2024, 1, 1) + timedelta(days=i) for i in range(2 * BLOCK_DAYS + 3)]
    sessions = days[5:-1]
    part = MarketRange("SIM_HE", days, sessions, {day: "closed" for day in days if day not in sessions})
    blocks = _blocks(part)
    assert [len(block.days) for block in blocks] == [BLOCK_DAYS, BLOCK_DAYS, 3]
    assert [day for block in blocks for day in block.days] == days
    assert [day for block in blocks for day in block.sessions] == sessions
    assert all(block.first <= s <= block.last for block in blocks for s in block.sessions)


def test_a_stretch_of_closed_or_open_days_is_not_computed() -> None:
    days = [date(2024, 1, 1) + timedelta(days=i) for i in range(BLOCK_DAYS + 2)]
    [block] = _blocks(MarketRange("SIM_HE", days, days[:BLOCK_DAYS], {}))
    assert block.days == days[:BLOCK_DAYS]
