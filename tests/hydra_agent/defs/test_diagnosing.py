"""Whose errors they are and where the bets stand, against the same computed decision by decision."""

import json
from dataclasses import replace
from datetime import date
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import polars as pl
import pytest

from hydra_agent.defs import diagnosing
from hydra_agent.defs.diagnosing import errors_of, shadow_of
from hydra_agent.frames import view_of, walk_of
from hydra_agent.shadow import BETS
from hydra_agent.view import GroupView, Reign
from hydra_agent.watch import GroupWatch
from hydra_assets.defs.group import GroupHistory
from hydra_assets.registry.champions import Champion, PromotionReason
from hydra_assets.state.records import ChampionStage, StageKind
from hydra_assets.stats.eprocess import e_process
from tests.support.groups import NAMES, SEEING, Group, day, group

SINCE, RECENT = 200, 60


class Model:
    """A fit whose contributions are its features times its strength; the last column is the expectation."""

    recipe, name = SEEING, "seeing"

    def __init__(self, strength: float) -> None:
        self.strength = strength

    def contributions(self, rows: pl.DataFrame) -> np.ndarray[Any, Any] | None:
        return np.column_stack([self.strength * rows[name].to_numpy() for name in NAMES] + [np.ones(len(rows))])


class Opaque(Model):
    def contributions(self, rows: pl.DataFrame) -> None:
        return None


def champion(version: int, strength: float, after: date, kind: type[Model] = Model, reason: str = "x") -> Champion:
    return Champion(version, str(version), cast("Any", kind(strength)), after, reason)


@pytest.fixture(scope="module")
def made() -> Group:
    return group()


@pytest.fixture(scope="module")
def view(made: Group) -> GroupView:
    return view_of(made.features, made.labels, made.regimes, made.curve, made.market)


@pytest.fixture(scope="module")
def reign(made: Group, view: GroupView) -> Reign:
    walk = walk_of("seeing", SEEING, made.predictions["logistic"], made.market)
    net = np.where(np.arange(len(view)) < SINCE, np.nan, 0.002 * np.sin(np.arange(len(view))) + 0.001)
    return Reign(walk, 1, SINCE, net, net, 0.001, 0.01, 0.25)


def history(made: Group) -> GroupHistory:
    return cast("GroupHistory", SimpleNamespace(features=made.features, market=made.market, factors=None))


def test_errors_are_blamed_on_the_fit_that_made_them(made: Group, view: GroupView, reign: Reign) -> None:
    champions = [champion(1, 1.0, day(SINCE - 1)), champion(2, -3.0, day(299))]
    found = errors_of(history(made), view, reign, champions, RECENT)
    assert found is not None
    # The same by hand, decision by decision.
    values = {(row["session"], row["market"]): row for row in made.features.iter_rows(named=True)}
    added: dict[bool, list[list[float]]] = {True: [], False: []}
    for t in range(SINCE, len(view)):
        for m, market in enumerate(view.symbols):
            if view.exit_row[t, m] < 0 or not np.isfinite(reign.walk.probability[t, m]):
                continue
            error = view.up[t, m] - reign.walk.probability[t, m]
            strength = 1.0 if t < 300 else -3.0
            row = values[day(t), market]
            added[t >= len(view) - RECENT].append([-strength * row[name] * error for name in NAMES])
    expected = np.mean(added[True], axis=0) - np.mean(added[False], axis=0)
    assert list(found.harm) == list(NAMES)
    np.testing.assert_allclose(list(found.harm.values()), expected)
    assert (found.decisions, found.reference_decisions) == (len(added[True]), len(added[False]))
    assert found.decisions > 50


def test_a_model_without_exact_contributions_blames_nobody(made: Group, view: GroupView, reign: Reign) -> None:
    champions = [champion(1, 1.0, day(SINCE - 1)), champion(2, 1.0, day(299), Opaque)]
    assert errors_of(history(made), view, reign, champions, RECENT) is None


def watch(view: GroupView, reign: Reign, *stages: ChampionStage) -> GroupWatch:
    return GroupWatch("sim", view, (reign,), stages)


def stage(kind: StageKind, row: int, reason: str = "x") -> ChampionStage:
    return ChampionStage("sim", "sha", day(row), kind, 1.0, reason)


def test_bets_against_cash_begin_after_the_first_session(made: Group, view: GroupView, reign: Reign) -> None:
    first = [champion(1, 1.0, day(SINCE - 1), reason=PromotionReason.FIRST_CHAMPION)]
    found = shadow_of(history(made), watch(view, reign), first)
    track = e_process(reign.net[SINCE + 1 :], BETS)
    assert found is not None
    assert found.against == "cash"
    assert found.e_for == pytest.approx(np.exp(track.log_e_for[-1]))
    assert found.e_against == pytest.approx(np.exp(track.log_e_against[-1]))
    assert found.e_for > 1.0


def test_a_confirmed_champion_s_wealth_begins_anew_and_a_retired_one_bets_no_more(
    made: Group, view: GroupView, reign: Reign
) -> None:
    first = [champion(1, 1.0, day(SINCE - 1), reason=PromotionReason.FIRST_CHAMPION)]
    found = shadow_of(history(made), watch(view, reign, stage(StageKind.FULL, 350, "confirmed")), first)
    track = e_process(reign.net[351:], BETS)
    assert found is not None
    assert found.e_for == pytest.approx(np.exp(track.log_e_for[-1]))
    assert shadow_of(history(made), watch(view, reign, stage(StageKind.RETIRED, 350)), first) is None
    assert shadow_of(history(made), GroupWatch("sim", view, (), ()), first) is None


def test_a_predecessor_is_played_in_shadow(
    made: Group, view: GroupView, reign: Reign, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = champion(1, 1.0, day(50))
    cast("Any", before.model).recipe = SEEING.model_copy(update={"refit_sessions": 60})
    own = replace(reign, version=2)
    shadow = np.full(len(view), 0.001)
    monkeypatch.setattr(diagnosing, "said_by", lambda *_: "what it said")
    monkeypatch.setattr(diagnosing, "played", lambda *_, **__: SimpleNamespace(net=[shadow]))
    found = shadow_of(history(made), watch(view, own), [before, champion(2, 1.0, day(SINCE - 1))])
    assert found is not None
    assert found.against == "version 1"
    track = e_process((reign.net - shadow)[SINCE + 1 :], BETS)
    assert found.e_against == pytest.approx(np.exp(track.log_e_against[-1]))


def test_a_group_is_told_whole_and_as_json(
    made: Group, view: GroupView, reign: Reign, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = watch(view, reign, stage(StageKind.PROVISIONAL, SINCE - 1))
    monkeypatch.setattr(diagnosing, "group_watch", lambda *_: found)
    first = [champion(1, 1.0, day(SINCE - 1), reason=PromotionReason.FIRST_CHAMPION)]
    parts = SimpleNamespace(champions=lambda _: first, history=lambda *_: history(made))
    finding = diagnosing.diagnosed(cast("Any", parts), "sim")
    assert finding is not None
    assert (finding.session, finding.champion, finding.stage) == (day(399), "version 1, seeing", "provisional")
    diagnosis, response = found.decided(399)
    assert (finding.causes, finding.response) == (diagnosis.causes, response)
    assert set(finding.exposure) == set(view.symbols)
    record = json.loads(json.dumps(finding.record(), allow_nan=False, default=str))
    assert record["response"] == str(response.code)
    assert [cause["code"] for cause in record["causes"]] == [str(cause.code) for cause in diagnosis.causes]
    monkeypatch.setattr(diagnosing, "group_watch", lambda *_: None)
    assert diagnosing.diagnosed(cast("Any", parts), "sim") is None
