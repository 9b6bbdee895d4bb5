"""A commodity lexicon: which words say more, which say less, of what, and whether that is good for the price.

A headline says that a *quantity* (supply, demand, rain) goes in a *direction* (rises, tight, weak); more demand is
bullish, more supply bearish. So tone = sign of the quantity x the direction, found by pairing each direction word with
the nearest quantity of its clause. A direction alone is about the price ("hogs tumble"), a quantity alone counts where
it is an event ("drought"), and fixed expressions have a tone of their own ("weigh on").
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

FILE = Path(__file__).with_name("data") / "lexicon.json"
MASK = "commodity"
"""What a commodity's name becomes: the tone of a sentence must not depend on whose it is."""
STOP = "|"
REACH = 3
"""Words between which a direction, a quantity or a negation still belong together; VADER looks as far back."""
NEGATED = -0.74
"""Factor of a negated tone: "not bullish" is less bearish than "bearish" (Hutto & Gilbert 2014, VADER)."""
CONCEDED = 0.5
"""Factor behind "despite": what is said to have had no effect."""
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|[|;,:]")
_CONTRAST = re.compile(r";|\bwhile\b|\bwhereas\b|\bbut\b")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The committed word lists, as stems joined by single spaces.

    ``quantities`` and ``directions``: stem -> (sign when paired, tone alone). ``tones``: stem -> tone.
    """

    quantities: Mapping[str, tuple[float, float]]
    directions: Mapping[str, tuple[float, float]]
    transitive: frozenset[str]
    tones: Mapping[str, float]
    negators: frozenset[str]
    barriers: frozenset[str]
    concessives: frozenset[str]
    market_words: frozenset[str]
    off_topic: tuple[str, ...]
    commodities: tuple[str, ...]
    longest: int


@dataclass(frozen=True, slots=True)
class Tone:
    """Score in [-1, +1] of a text and the number of expressions it rests on; no expression, no score."""

    score: float | None
    hits: int


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """Crude stem, the same for the lists and for the text: rallies, rallied -> rally; slipped -> slip; surging -> surg.

    >>> [stem(w) for w in ("supplies", "falling", "slipped", "surged", "prices")]
    ['supply', 'fall', 'slip', 'surg', 'pric']
    """
    if len(word) > 4 and word.endswith(("ies", "ied")):
        return word[:-3] + "y"
    cut = word
    if len(word) > 5 and word.endswith("ing"):
        cut = word[:-3]
    elif len(word) > 4 and word.endswith(("ed", "shes", "ches", "sses", "xes")):
        cut = word[:-2]
    elif len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        cut = word[:-1]
    if cut is not word and len(cut) > 3 and cut[-1] == cut[-2] and cut[-1] not in "lsz":
        cut = cut[:-1]
    return cut[:-1] if len(cut) > 3 and cut.endswith("e") else cut


def normal(text: str) -> str:
    """Text without regard to case, width and kind of dash or apostrophe; dashes between words part clauses."""
    text = unicodedata.normalize("NFKC", text).casefold().replace("\u2019", "'")
    text = re.sub(r"\s[-\u2013\u2014]+\s|[\u2013\u2014]", f" {STOP} ", text)
    return " ".join(text.replace("-", " ").split())


def numbers(text: str) -> frozenset[str]:
    """Numbers of a text as written, without thousands separators."""
    return frozenset(found.replace(",", "") for found in _NUMBER.findall(text))


def _any_of(phrases: Iterable[str]) -> re.Pattern[str]:
    ordered = sorted({normal(p) for p in phrases if p.strip()}, key=lambda p: (-len(p), p))
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, ordered))})(?!\w)" if ordered else r"(?!)")


@cache
def _pattern(phrases: tuple[str, ...]) -> re.Pattern[str]:
    return _any_of(phrases)


def _words(text: str) -> list[str]:
    found = _WORD.findall(text)
    return [STOP if w in "|;,:" else "not" if w.endswith("n't") else stem(w.removesuffix("'s")) for w in found]


def _stems(phrases: Iterable[str]) -> list[str]:
    return [" ".join(_words(normal(p))) for p in phrases]


@cache
def load_lexicon(path: Path = FILE) -> Lexicon:
    """Read the word lists.

    Raises
    ------
    ValueError
        A list is missing, or a tone lies outside [-1, +1].
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        pairs = {name: {k: (float(a), float(b)) for k, (a, b) in raw[name].items()} for name in _PAIRED}
        tones = {k: float(v) for k, v in raw["tones"].items()}
        lists = {name: tuple(raw[name]) for name in _LISTS}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name} is no lexicon: {error!r}") from error
    values = [v for pair in pairs.values() for both in pair.values() for v in both] + list(tones.values())
    if not all(-1 <= v <= 1 for v in values):
        raise ValueError(f"{path.name}: a tone outside [-1, +1]")
    quantities, directions = (dict(zip(_stems(pairs[n]), pairs[n].values(), strict=True)) for n in _PAIRED)
    toned = dict(zip(_stems(tones), tones.values(), strict=True))
    return Lexicon(
        quantities,
        directions,
        frozenset(_stems(lists["transitive"])),
        toned,
        frozenset(_stems(lists["negators"])),
        frozenset(_stems(lists["barriers"])),
        frozenset(_stems(lists["concessives"])),
        frozenset(_stems(lists["market_words"])),
        lists["off_topic"],
        lists["commodities"],
        max(len(k.split()) for k in (*quantities, *directions, *toned)),
    )


_PAIRED = ("quantities", "directions")
_LISTS = ("transitive", "negators", "barriers", "concessives", "market_words", "off_topic", "commodities")


def tokens(text: str, terms: Sequence[str] = (), lexicon: Lexicon | None = None) -> list[str]:
    """Stems of a text in order, every commodity's name replaced by ``MASK`` and every clause end by ``STOP``."""
    words = lexicon or load_lexicon()
    return _words(_pattern((*words.commodities, *terms)).sub(f" {MASK} ", normal(text)))


def own_part(text: str, terms: Sequence[str], lexicon: Lexicon | None = None) -> str:
    """Return what a headline says about this market where it contrasts it with another one.

    "Corn rallies while oats slump" is "Corn rallies" for corn. Clauses that name no commodity stay.
    """
    words = lexicon or load_lexicon()
    clauses = _CONTRAST.split(normal(text))
    own, anyone = _pattern(tuple(terms)), _pattern(words.commodities)
    kept = [c for c in clauses if own.search(c) or not anyone.search(c)]
    return " ; ".join(c.strip() for c in kept) if any(own.search(c) for c in kept) else normal(text)


def relevance(text: str, terms: Sequence[str], lexicon: Lexicon | None = None) -> float:
    """How far a text concerns the market: 0 not at all, 0.5 it names it, 1 it names it and speaks of trade.

    Off-topic words (recipes, sports, films) make it 0 unless it speaks of trade.
    """
    words = lexicon or load_lexicon()
    plain = normal(text)
    if not _pattern(tuple(terms)).search(plain):
        return 0.0
    said = tokens(text, terms, words)
    on_topic = any(w in words.market_words for w in said) or lexicon_tone(said, words).hits > 0
    off_topic = _pattern(words.off_topic).search(plain) is not None
    if off_topic:
        return 1.0 if any(w in words.market_words for w in said) else 0.0
    return 1.0 if on_topic else 0.5


def lexicon_tone(said: Sequence[str], lexicon: Lexicon | None = None) -> Tone:
    """Tone of the stems of a text: sum of tones / (1 + sum of their absolute values).

    The one in the denominator is a neutral word that every text is given: a single full tone scores 0.5, two 2/3.
    """
    words = lexicon or load_lexicon()
    units = _units(said, words)
    clause, conceded = _clauses(units, words)
    used: set[int] = set()
    found: list[tuple[int, float]] = []
    for _, _, i, j in sorted(_pairs(units, clause, words)):
        if i not in used and j not in used:
            used |= {i, j}
            found.append((i, words.directions[units[i]][0] * words.quantities[units[j]][0]))
    alone = {**{k: v[1] for k, v in (*words.directions.items(), *words.quantities.items())}, **words.tones}
    found += [(i, alone[u]) for i, u in enumerate(units) if i not in used and u in alone]
    values = []
    for i, value in sorted(found):
        reach = range(max(i - REACH, 0), i)
        negated = sum(units[k] in words.negators and units[k] not in words.concessives for k in reach)
        values.append(value * (NEGATED if negated % 2 else 1.0) * (CONCEDED if conceded[i] else 1.0))
    values = [v for v in values if v]
    return Tone(sum(values) / (1 + sum(map(abs, values))), len(values)) if values else Tone(None, 0)


def word_classes(said: Sequence[str], lexicon: Lexicon | None = None) -> list[str]:
    """Stems with what the lexicon knows put into its class: a quantity Q, a direction D, a tone T with its sign, or B.

    >>> word_classes(tokens("Tight supplies lift corn on Monday"))
    ['D-', 'Q-', 'D+', 'commodity', 'B', 'monday']
    """
    words = lexicon or load_lexicon()
    return [_word_class(unit, words) for unit in _units(said, words)]


def _word_class(unit: str, words: Lexicon) -> str:
    if unit == STOP or unit in words.barriers:
        return "B"
    if unit in words.tones:
        letter, sign = "T", words.tones[unit]
    elif unit in words.quantities:
        letter, sign = "Q", words.quantities[unit][0]
    elif unit in words.directions:
        letter, sign = "D", words.directions[unit][0]
    else:
        return unit
    return letter + ("+" if sign > 0 else "-" if sign < 0 else "")


def _units(said: Sequence[str], words: Lexicon) -> list[str]:
    """Stems with the expressions of the lists joined, the longest first."""
    out, i = [], 0
    while i < len(said):
        for n in range(min(words.longest, len(said) - i), 0, -1):
            joined = " ".join(said[i : i + n])
            if n == 1 or joined in words.tones or joined in words.quantities or joined in words.directions:
                out.append(joined)
                i += n
                break
    return out


def _clauses(units: Sequence[str], words: Lexicon) -> tuple[list[int], list[bool]]:
    """Clause number of each unit, and whether its clause is a concession."""
    number, yielding = 0, False
    clause, conceded = [], []
    for unit in units:
        if unit == STOP or unit in words.barriers:
            number, yielding = number + 1, unit in words.concessives
        clause.append(number)
        conceded.append(yielding)
    return clause, conceded


def _pairs(units: Sequence[str], clause: Sequence[int], words: Lexicon) -> Iterable[tuple[int, bool, int, int]]:
    """Candidates (distance, quantity stands before, direction, quantity) within reach in one clause."""
    quantities = [j for j, u in enumerate(units) if u in words.quantities and u not in words.tones]
    for i, unit in enumerate(units):
        if unit not in words.directions:
            continue
        for j in quantities:
            before = j < i
            if abs(i - j) <= REACH and clause[i] == clause[j] and not (before and unit in words.transitive):
                yield abs(i - j), before, i, j
