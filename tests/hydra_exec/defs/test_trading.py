"""Whose session an execution is."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest
import sqlalchemy as sa

from hydra_assets.defs.resources import DatabaseResource, HomeResource, LakeResource
from hydra_assets.home import HomeConfig, write_home
from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.sessions import calendar_of
from hydra_exec.broker.simulated.tape import working_window
from hydra_exec.defs.books import LONG_AGO, Books
from hydra_exec.defs.trading import executed_until
from tests.support.journal_scene import JournalScene, fill

SESSION, NEXT = date(2026, 1, 6), date(2026, 1, 7)


@pytest.mark.parametrize("market", load_markets())
def test_all_of_a_session_s_hours_are_the_session_s(market: str) -> None:
    spec = load_markets()[market]
    calendar = calendar_of(spec)
    before = executed_until(calendar, calendar.previous_session(SESSION))
    opens, closes = working_window(spec, calendar, SESSION)
    assert before < opens < closes <= executed_until(calendar, SESSION)
    ends = pl.Series([opens, closes], dtype=pl.Datetime("us", "UTC"))
    assert calendar.session_for(ends).to_list() == [SESSION, SESSION]


def test_a_fill_after_the_settlement_is_booked_once_and_in_its_session(state_engine: sa.Engine, tmp_path: Path) -> None:
    config = {"kind": "real", "markets": ("BTC",), "history_start": date(2026, 1, 2), "trading": {"account": "SIM"}}
    write_home(tmp_path, HomeConfig.model_validate(config))
    url = sa.make_url(state_engine.url).render_as_string(hide_password=False)
    books = Books(HomeResource(path=str(tmp_path)), LakeResource(uri=str(tmp_path)), DatabaseResource(url=url))
    calendar = books.home.calendars["BTC"]
    settled = calendar.at_local(SESSION, calendar.settlement_published)
    _, closes = working_window(books.home.markets["BTC"], calendar, SESSION)
    assert settled < closes
    JournalScene(state_engine, "SIM").journal.take([fill(1, contract="BTC-2026-01", executed_at=closes)])
    assert books.fills("BTC", LONG_AGO, SESSION)["session"].to_list() == [SESSION]
    assert books.fills("BTC", executed_until(calendar, SESSION), NEXT).height == 0
