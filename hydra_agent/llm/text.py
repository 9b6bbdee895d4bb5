"""Text that is not trusted: stripped of control characters, fenced as data, measured without a tokenizer."""

import html
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

_HIDDEN = frozenset({"Cc", "Cf", "Co", "Cs"})
"""Control, formatting (bidirectional marks among them), private use and lone surrogates."""


def plain(text: str) -> str:
    """Text without characters that steer a terminal, a database or a reader's eye; newlines and tabs stay."""
    return "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in _HIDDEN)


def estimate_tokens(text: str) -> int:
    """A count that tokenizers do not exceed on prose and JSON: one token per three bytes of UTF-8, rounded up."""
    return math.ceil(len(text.encode("utf-8", "replace")) / 3)


def fenced(label: str, text: str) -> str:
    """Untrusted text as a labelled block. Its own angle brackets are escaped, so that it cannot close the block."""
    inside = html.escape(plain(text), quote=False)
    name = "".join(c for c in plain(label) if c not in '<>"\n\t')
    return f'<data label="{name}">\n{inside}\n</data>'


@dataclass(frozen=True, slots=True)
class Entry:
    """One journal entry or headline that goes into a prompt whole or not at all."""

    when: date
    text: str
    relevance: float = 0.0
    """Higher is kept longer; NaN counts as the lowest."""

    def block(self) -> str:
        """The entry as it stands in a prompt."""
        return fenced(f"entry of {self.when.isoformat()}", self.text)


def trimmed(entries: Sequence[Entry], tokens: int) -> tuple[Entry, ...]:
    """Drop whole entries, the least relevant first and the oldest of equals, until the rest fits; in order of date."""
    kept = sorted(entries, key=lambda e: (-math.inf if math.isnan(e.relevance) else e.relevance, e.when))
    sizes = [estimate_tokens(e.block() + "\n") for e in kept]
    first, size = 0, sum(sizes)
    while size > tokens and first < len(kept):
        size -= sizes[first]
        first += 1
    return tuple(sorted(kept[first:], key=lambda e: e.when))
