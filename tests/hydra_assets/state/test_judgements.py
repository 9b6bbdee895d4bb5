from dataclasses import replace
from datetime import date

import sqlalchemy as sa

from hydra_assets.state.judgements import newest_judgements, record_judgement
from hydra_assets.state.records import Judgement

FIRST = Judgement("sim", date(2024, 4, 1), "none_passed", "stopped by gate 3", {"sharpe": 0.4}, [{"gate": "3"}], "a")


def test_judging_again_replaces_the_word(state_engine: sa.Engine) -> None:
    record_judgement(state_engine, FIRST)
    other = replace(FIRST, code="first_champion", metrics={"sharpe": 1.2}, gates=[], run_id="b")
    record_judgement(state_engine, other)
    assert newest_judgements(state_engine) == [other]


def test_what_judges_nothing_replaces_nothing(state_engine: sa.Engine) -> None:
    record_judgement(state_engine, FIRST)
    record_judgement(state_engine, replace(FIRST, code="already_fitted", message=""), keep_earlier=True)
    assert newest_judgements(state_engine) == [FIRST]
    unseen = Judgement("sim", date(2024, 7, 1), "older_than_champion", "", {}, [], "c")
    record_judgement(state_engine, unseen, keep_earlier=True)
    assert newest_judgements(state_engine) == [unseen]
