"""Which runs follow from a range of sessions."""

from datetime import date

from hydra_assets.defs.downstream import downstream_runs
from hydra_assets.defs.models import MODEL_JOB
from hydra_assets.home import HomeConfig
from hydra_assets.markets.loader import load_markets
from hydra_assets.markets.sessions import calendar_of

MARKETS = ("SIM_HE", "SIM_ZO")
SPECS = [load_markets()[name] for name in MARKETS]
HOME = HomeConfig(kind="simulated", markets=MARKETS, history_start=date(2022, 1, 3))


def models_due(first: date, last: date) -> list[str]:
    """First and last training date of the range's model run."""
    return [
        key.split("|")[1]
        for job, tags in downstream_runs(HOME, SPECS, MARKETS, first, last)
        if job == MODEL_JOB
        for key in tags.values()
    ]


def test_a_training_date_is_due_with_the_last_session_before_it() -> None:
    # 1 October 2023 is a Sunday; the session before it is Friday's.
    assert models_due(date(2023, 9, 29), date(2023, 9, 29)) == ["2023-10-01", "2023-10-01"]
    assert models_due(date(2023, 9, 28), date(2023, 9, 28)) == []
    assert models_due(date(2023, 10, 2), date(2023, 10, 2)) == []


def test_a_holiday_before_a_training_date_hides_it_from_no_run() -> None:
    # 29 March 2024 is Good Friday: the session before 1 April is Thursday's.
    assert models_due(date(2024, 3, 28), date(2024, 3, 28)) == ["2024-04-01", "2024-04-01"]
    assert models_due(date(2024, 4, 1), date(2024, 4, 1)) == []


def test_session_by_session_each_training_date_is_due_once() -> None:
    sessions = calendar_of(SPECS[0]).between(date(2023, 6, 1), date(2024, 6, 28))
    due = [key for session in sessions for key in models_due(session, session)[:1]]
    quarters = ["2023-07-01", "2023-10-01", "2024-01-01", "2024-04-01", "2024-07-01"]
    assert due == quarters
    assert models_due(sessions[0], sessions[-1]) == [quarters[0], quarters[-1]]
