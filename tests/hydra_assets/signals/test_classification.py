"""The type table, cell by cell, with both sides of every border."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hydra_assets.signals.classification import Classified, SignalType, classify
from hydra_assets.signals.thresholds import DivergenceConfig, TypeThresholds, ViewWeights

T = SignalType
NAN = float("nan")
THRESHOLDS = TypeThresholds(view_sd=1.0, extreme_sd=1.5, change_sd=0.75, kurt_sd=2.0, volatility_size_factor=0.25)


def inside(border: float) -> float:
    """The last number before a border, seen from 0."""
    return math.nextafter(border, 0.0)


REST = "rest"
TABLE: dict[tuple[str, str], tuple[str, int]] = {
    ("up", "extreme short"): (T.BULLISH_DIVERGENCE, 1),
    ("up", "short"): (T.BULLISH_DIVERGENCE, 1),
    ("up", "flat"): (T.EARLY_SIGNAL, 1),
    ("up", "long"): (T.TREND_FOLLOW, 1),
    ("up", "extreme long"): (T.TREND_FOLLOW, 1),
    ("quiet", "extreme short"): (T.SENTIMENT_OVERREACTION, 1),
    ("quiet", "short"): (REST, 0),
    ("quiet", "flat"): (REST, 0),
    ("quiet", "long"): (REST, 0),
    ("quiet", "extreme long"): (T.SENTIMENT_OVERREACTION, -1),
    ("down", "extreme short"): (T.TREND_FOLLOW, -1),
    ("down", "short"): (T.TREND_FOLLOW, -1),
    ("down", "flat"): (T.EARLY_SIGNAL, -1),
    ("down", "long"): (T.BEARISH_DIVERGENCE, -1),
    ("down", "extreme long"): (T.BEARISH_DIVERGENCE, -1),
}
"""The cell of each pair; an early signal that is not fresh is rest."""

# A value of each region and both sides of each border.
OPTIONS = [
    *((z, False, "up") for z in (1.0, 1.2, 5.0)),
    *((z, False, "quiet") for z in (inside(1.0), 0.4, 0.0, -0.4, inside(-1.0))),
    *((z, False, "down") for z in (-1.0, -1.2, -5.0)),
    *((z, True, "quiet") for z in (5.0, 1.0, 0.0, -1.0, -5.0)),
]
SENTIMENT = [
    *((z, "extreme long") for z in (1.5, 4.0)),
    *((z, "long") for z in (1.0, 1.2, inside(1.5))),
    *((z, "flat") for z in (inside(1.0), 0.3, 0.0, -0.3, inside(-1.0))),
    *((z, "short") for z in (-1.0, -1.2, inside(-1.5))),
    *((z, "extreme short") for z in (-1.5, -4.0)),
]
OPTIONS_CHANGE = [
    *((z, "up") for z in (0.75, 3.0)),
    *((z, "none") for z in (inside(0.75), 0.0, inside(-0.75), NAN)),
    *((z, "down") for z in (-0.75, -3.0)),
]
SENTIMENT_CHANGE = [
    *((z, True) for z in (0.0, inside(0.75), inside(-0.75))),
    *((z, False) for z in (0.75, -0.75, 3.0, NAN)),
]
"""Whether sentiment has kept still; a missing change is not known to have."""
KURTOSIS = [
    *((z, grade, True) for z in (2.0, 9.0) for grade in ("A", "B")),
    *((z, grade, False) for z in (2.0, 9.0) for grade in ("C", "D", "E", None)),
    *((z, "A", False) for z in (inside(2.0), 0.0, -9.0, NAN)),
]


def run(cases: list[tuple[float, bool, float, float, float, float, str | None]]) -> Classified:
    columns = list(zip(*cases, strict=True))
    o, noise, s, do, ds, k, grade = (np.array(c, dtype=object) for c in columns)
    z, s_z, do_z, ds_z, k_z = (c.astype(np.float64) for c in (o, s, do, ds, k))
    return classify(z, noise.astype(np.bool_), s_z, do_z, ds_z, k_z, grade, THRESHOLDS)


def test_every_cell_and_every_border() -> None:
    cases, expected = [], []
    for (o, noise, side), (s, crowd), (do, moved), (ds, still), (k, grade, volatile) in itertools.product(
        OPTIONS, SENTIMENT, OPTIONS_CHANGE, SENTIMENT_CHANGE, KURTOSIS
    ):
        kind, direction = TABLE[side, crowd]
        if kind == T.EARLY_SIGNAL and not (moved == side and still):
            kind, direction = REST, 0
        if kind == REST:
            kind = T.VOLATILITY_PLAY if volatile else T.NEUTRAL
        cases.append((o, noise, s, do, ds, k, grade))
        expected.append((str(kind), direction, volatile, 0.25 if volatile else 1.0))
    found = run(cases)
    rows = list(
        zip(
            found.kind.tolist(),
            found.direction.tolist(),
            found.volatile.tolist(),
            found.size_factor.tolist(),
            strict=True,
        )
    )
    wrong = [(case, got, want) for case, got, want in zip(cases, rows, expected, strict=True) if got != want]
    assert wrong == []
    # All but absent are in the table, so nothing above was vacuous.
    assert {row[0] for row in rows} == {str(kind) for kind in T} - {"absent"}


@pytest.mark.parametrize(("o", "s"), [(NAN, 2.0), (2.0, NAN), (NAN, NAN)])
@pytest.mark.parametrize("noise", [False, True])
def test_a_missing_view_is_absent(o: float, s: float, noise: bool) -> None:
    found = run([(o, noise, s, 3.0, 0.0, 9.0, "A")])
    assert (found.kind[0], found.direction[0], found.volatile[0]) == (T.ABSENT, 0, False)
    assert np.isnan(found.size_factor[0])


z_scores = st.floats(-6.0, 6.0)


@settings(max_examples=80, deadline=None)
@given(z_scores, st.booleans(), z_scores, z_scores, z_scores, z_scores, st.sampled_from(["A", "B", "C", None]))
def test_the_table_is_odd(o: float, noise: bool, s: float, do: float, ds: float, k: float, grade: str | None) -> None:
    """Both views turned round turn the direction round, and nothing else."""
    here, there = run([(o, noise, s, do, ds, k, grade)]), run([(-o, noise, -s, -do, -ds, k, grade)])
    swapped = {T.BULLISH_DIVERGENCE: T.BEARISH_DIVERGENCE, T.BEARISH_DIVERGENCE: T.BULLISH_DIVERGENCE}
    kind = SignalType(str(here.kind[0]))
    assert there.kind[0] == swapped.get(kind, kind)
    assert there.direction[0] == -here.direction[0]
    assert (there.volatile[0], there.size_factor[0]) == (here.volatile[0], here.size_factor[0])


def test_no_sessions() -> None:
    none = np.array([])
    found = classify(none, none.astype(bool), none, none, none, none, none.astype(object), THRESHOLDS)
    assert len(found.kind) == len(found.direction) == len(found.size_factor) == 0


def test_configuration_refuses_what_makes_no_table() -> None:
    with pytest.raises(ValidationError, match="extreme_sd"):
        TypeThresholds(view_sd=2.0, extreme_sd=2.0)
    with pytest.raises(ValidationError, match="tilt must have a weight"):
        ViewWeights(tilt=0.0)
    with pytest.raises(ValidationError):
        TypeThresholds(volatility_size_factor=1.5)
    with pytest.raises(ValidationError):
        DivergenceConfig.model_validate({"threshold": 1.0})
