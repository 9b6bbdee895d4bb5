"""The lexicon's arithmetic by hand, its grammar by example, and what concerns a market."""

import doctest
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_assets.sentiment import lexicon
from hydra_assets.sentiment.lexicon import (
    FILE,
    MASK,
    STOP,
    Tone,
    lexicon_tone,
    load_lexicon,
    normal,
    numbers,
    own_part,
    relevance,
    stem,
    tokens,
    word_classes,
)

CORN = ("corn futures", "corn", "maize")


def tone(text: str) -> float | None:
    return lexicon_tone(tokens(text)).score


def test_docstrings_run() -> None:
    assert doctest.testmod(lexicon).failed == 0


def test_score_by_hand() -> None:
    # tight (-1) x supply (-1) = +1, lift alone +1: 2 / (1 + 2)
    assert tone("Tight supplies lift corn") == pytest.approx(2 / 3)
    assert lexicon_tone(tokens("Tight supplies lift corn")).hits == 2
    # weak (-1) x export sale (+1) = -1, fall alone -1: -2 / 3
    assert tone("Corn falls on weak export sales") == pytest.approx(-2 / 3)
    # drought +1, negated: -0.74 / 1.74
    assert tone("No drought seen") == pytest.approx(-0.74 / 1.74)
    # falls -1; conceded strong (+1) x demand (+1) = +1 at half: (-1 + 0.5) / (1 + 1.5)
    assert tone("Corn falls despite strong demand") == pytest.approx(-0.5 / 2.5)
    # ease (-1) x drought (+1)
    assert tone("Drought eases") == pytest.approx(-0.5)


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("OPEC supply cut agreed", 1),
        ("Bumper corn crop expected", -1),
        ("Drought cuts corn crop", 1),
        ("Corn stocks shrink", 1),
        ("Corn stocks swell", -1),
        ("Funds add to bullish bets on corn", 1),
        ("Funds cut bullish bets on corn", -1),
        ("Funds cut bearish bets on corn", 1),
        ("Beneficial rains across Iowa", -1),
        ("Corn isn't bullish", -1),
        ("Production beats expectations", -1),
        ("Demand beats expectations", 1),
        ("Supplies weigh on prices", -1),
    ],
)
def test_signs(text: str, sign: int) -> None:
    score = tone(text)
    assert score is not None
    assert score * sign > 0


def test_a_clause_is_a_wall() -> None:
    # Across the wall nothing is paired: falls -1 alone, and supplies alone say nothing. Without it they are +1.
    assert tone("Corn falls as supplies meet forecasts") == pytest.approx(-0.5)
    assert tone("Corn falls - supplies meet forecasts") == pytest.approx(-0.5)
    assert tone("Falling supplies meet forecasts") == pytest.approx(0.5)


@pytest.mark.parametrize("text", ["", "Corn", "USDA meets on Friday", "12 345", "???"])
def test_nothing_said_is_no_score(text: str) -> None:
    assert lexicon_tone(tokens(text)) == Tone(None, 0)


def test_a_name_is_never_a_tone() -> None:
    assert tone("Feeder cattle tumble") == tone("Rough rice tumbles") == tone("Corn tumbles")
    assert tokens("Spring wheat: up", ()) == [MASK, STOP, "up"]
    assert tokens("Quinoa up", ("quinoa",)) == [MASK, "up"]


def test_stems() -> None:
    groups = [("rally", "rallies", "rallied"), ("slip", "slips", "slipped", "slipping"), ("surge", "surging", "surged")]
    for group in groups:
        assert len({stem(word) for word in group}) == 1, group
    assert stem("falling") == stem("fall") == "fall"
    assert stem("glass") == "glass"


def test_word_classes() -> None:
    assert word_classes(tokens("Weak exports weigh on maize")) == ["D-", "Q+", "T-", MASK]


def test_normal_text_and_numbers() -> None:
    assert normal("ＣＯＲＮ’s  week — up") == "corn's week | up"  # noqa: RUF001
    assert numbers("1,200 t and 0.4%") == {"1200", "0.4"}


def test_contrast_leaves_a_market_its_own_part() -> None:
    text = "Corn rallies while oats slump"
    assert own_part(text, CORN) == "corn rallies"
    assert own_part(text, ("oats",)) == "oats slump"
    assert own_part("Corn rallies while traders wait", CORN) == "corn rallies ; traders wait"
    assert own_part("Wheat rallies; oats slump", CORN) == "wheat rallies ; oats slump".replace(" ;", ";")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Corn futures rally", 1.0),
        ("Corn growers meet", 1.0),
        ("A corn story", 0.5),
        ("Ten corn recipes for summer", 0.0),
        ("Corn prices reach restaurant menus", 1.0),
        ("Wheat futures rally", 0.0),
        ("Popcorn futures rally", 0.0),
        ("Cornwall prices rise", 0.0),
    ],
)
def test_relevance(text: str, expected: float) -> None:
    assert relevance(text, CORN) == expected


def test_relevance_without_terms_is_none() -> None:
    assert relevance("Corn futures rally", ()) == 0.0


def test_every_listed_expression_is_reachable() -> None:
    words = load_lexicon()
    raw = json.loads(FILE.read_text(encoding="utf-8"))
    for name in ("quantities", "directions", "tones"):
        assert len(getattr(words, name)) == len({" ".join(tokens(k)) for k in raw[name]})


@pytest.mark.parametrize(
    "damage", [{"tones": {"up": 2}}, {"quantities": {"supply": [1]}}, {"negators": None}, {"tones": {"up": "x"}}]
)
def test_a_damaged_list_is_refused(tmp_path: Path, damage: dict[str, object]) -> None:
    path = tmp_path / "lexicon.json"
    path.write_text(json.dumps({**json.loads(FILE.read_text(encoding="utf-8")), **damage}))
    with pytest.raises(ValueError, match=r"lexicon\.json"):
        load_lexicon(path)


@given(st.text(max_size=80))
def test_any_text_has_a_bounded_tone(text: str) -> None:
    found = lexicon_tone(tokens(text))
    assert (found.score is None) == (found.hits == 0)
    assert found.score is None or -1 < found.score < 1
    assert relevance(text, CORN) in {0.0, 0.5, 1.0}


WORDS = ["corn", "supply", "tight", "rise", "drought", "no", "despite", "on", "|", "fall", "demand", "bumper"]


@given(st.lists(st.sampled_from(WORDS), max_size=9))
def test_any_words_have_a_bounded_tone(words: list[str]) -> None:
    score = lexicon_tone(tokens(" ".join(words))).score
    assert score is None or -1 < score < 1
