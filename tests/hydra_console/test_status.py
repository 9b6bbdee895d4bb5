import json
from collections.abc import Mapping, Sequence
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from hydra_assets.columns import DENSITY_GATE, IMPLIED_DENSITY, IMPLIED_MOMENTS
from hydra_assets.lake import Lake
from hydra_console.status import judgement_in_words, options_standing, show_status
from tests.support.frames import complete

OLDER, NEWEST = date(2026, 1, 5), date(2026, 1, 6)
Rows = Sequence[Mapping[str, object]]
NO_GRADES = {"A": 0, "B": 0, "C": 0, "D": 0, "E": 0}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def write(lake: Lake, dataset: str, session: date, rows: Rows, market: str = "SIM_HE") -> None:
    frame = complete(dataset, pl.DataFrame(rows).with_columns(market=pl.lit(market), session=pl.lit(session)))
    lake.replace(dataset, market, session, session, frame)


def write_gate(lake: Lake, session: date, state: str, reasons: str | None, market: str = "SIM_HE") -> None:
    write(lake, DENSITY_GATE.name, session, [{"gate_state": state, "gate_reasons": reasons}], market)


def write_grades(lake: Lake, session: date, grades: str) -> None:
    rows = [{"expiry": date(2026, 2 + i, 1), "grade": grade, "grade_reasons": ""} for i, grade in enumerate(grades)]
    write(lake, IMPLIED_DENSITY.name, session, rows)


def write_vol(lake: Lake, session: date, vol: float | None, low: float | None, high: float | None, why: str) -> None:
    other = {"tenor": "30d", "atm_vol": 9.0, "atm_vol_lo": 9.0, "atm_vol_hi": 9.0, "moments_reason": "ok"}
    wanted = {"tenor": "60d", "atm_vol": vol, "atm_vol_lo": low, "atm_vol_hi": high, "moments_reason": why}
    write(lake, IMPLIED_MOMENTS.name, session, [other, wanted])


def printed(options: list[dict[str, Any]]) -> str:
    console = Console(width=140, file=StringIO())
    show_status(standing(options), console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def standing(options: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "home": "/home",
        "kind": "simulated",
        "watermark": None,
        "markets": [],
        "system_state": "RUNNING",
        "datasets": [],
        "options": options,
        "quarantined_rows": 0,
        "open_alerts": [],
        "champions": [],
        "judgements": [],
        "database": {"embedded": True, "version": "18", "size_mb": 1.0},
        "running_runs": [],
    }


def test_the_newest_session_speaks_for_each_market(lake: Lake) -> None:
    write_gate(lake, OLDER, "green", "")
    write_gate(lake, NEWEST, "red", "parity_forward,skew_jump")
    write_gate(lake, OLDER, "green", "", market="SIM_ZO")
    write_grades(lake, OLDER, "AA")
    write_grades(lake, NEWEST, "BCCE")
    write_vol(lake, OLDER, 0.50, 0.45, 0.55, "ok")
    write_vol(lake, NEWEST, 0.2412, 0.2371, 0.2453, "ok")
    hogs, oats = options_standing(lake, ("SIM_HE", "SIM_ZO"))
    assert hogs == {
        "market": "SIM_HE",
        "session": NEWEST,
        "gate_state": "red",
        "gate_reasons": ["parity_forward", "skew_jump"],
        "slices_by_grade": {"A": 0, "B": 1, "C": 2, "D": 0, "E": 1},
        "atm_vol_60d": 0.2412,
        "atm_vol_lo_60d": 0.2371,
        "atm_vol_hi_60d": 0.2453,
        "moments_reason": "ok",
    }
    assert (oats["market"], oats["session"], oats["gate_state"], oats["gate_reasons"]) == ("SIM_ZO", OLDER, "green", [])
    assert (oats["slices_by_grade"], oats["atm_vol_60d"]) == (NO_GRADES, None)
    text = printed([hogs, oats])
    assert "red: parity_forward, skew_jump" in text
    assert "24.1 (23.7 to 24.5)" in text


def test_a_home_without_options_says_so_and_is_json(lake: Lake) -> None:
    (found,) = options_standing(lake, ("SIM_HE",))
    assert (found["session"], found["gate_state"], found["gate_reasons"]) == (None, None, [])
    assert (found["slices_by_grade"], found["atm_vol_60d"], found["moments_reason"]) == (NO_GRADES, None, None)
    assert json.loads(json.dumps(found, default=str)) == found
    assert "no session judged yet" in printed([found])


def test_a_volatility_that_is_missing_says_why(lake: Lake) -> None:
    write_gate(lake, NEWEST, "absent", None)
    write_vol(lake, NEWEST, None, None, None, "not_bracketed")
    (found,) = options_standing(lake, ("SIM_HE",))
    assert (found["gate_state"], found["gate_reasons"], found["moments_reason"]) == ("absent", [], "not_bracketed")
    assert "not_bracketed" in printed([found])


def test_a_home_without_bootstrap_has_no_interval(lake: Lake) -> None:
    write_gate(lake, NEWEST, "green", "")
    write_vol(lake, NEWEST, 0.25, float("nan"), None, "ok")
    (found,) = options_standing(lake, ("SIM_HE",))
    assert (found["atm_vol_60d"], found["atm_vol_lo_60d"], found["atm_vol_hi_60d"]) == (0.25, None, None)
    text = printed([found])
    assert "25.0 (no interval)" in text
    assert "nan" not in text


def test_a_market_not_judged_yet_stands_beside_one_that_is(lake: Lake) -> None:
    write_gate(lake, NEWEST, "green", "")
    text = printed(options_standing(lake, ("SIM_HE", "SIM_ZO")))
    (hogs,), (oats,) = (
        [line for line in text.splitlines() if f" {market} " in line] for market in ("SIM_HE", "SIM_ZO")
    )
    assert ("2026-01-06" in hogs, "green" in hogs) == (True, True)
    assert "none yet" in oats


def test_a_training_date_is_told_with_its_band_or_with_what_stopped_it() -> None:
    promoted = {
        "model_group": "sim",
        "training_date": date(2024, 7, 1),
        "code": "first_champion",
        "message": "boosted passes gates 1-7",
        "sharpe": 1.234,
        "thesis_lower": 0.5,
        "thesis_upper": 1.96,
    }
    assert judgement_in_words(promoted) == (
        "sim on 2024-07-01: first_champion, net Sharpe out of sample 1.23 (90 %: 0.50 to 1.96)"
    )
    stopped = promoted | {"code": "none_passed", "message": "stopped by gate_5", "sharpe": None}
    assert judgement_in_words(stopped) == "sim on 2024-07-01: none_passed. stopped by gate_5"
