"""What of a hostile language model's words gets past the schemas and the caller's list: nothing should.

``uv run python -m studies.llm_fuzz --replies 10000`` throws fuzzed replies (``hydra_agent.llm.hostile``, seeds 0 to
n - 1) at the readers of all three questions, and as many at the assistant, which shows each refusal once and reads what
comes next. An escape is an accepted value outside of what was offered, by checks written here and not by the schemas,
or an exception.
"""

import argparse
import math
import re
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial

from rich.console import Console
from rich.table import Table

from hydra_agent.llm.assistant import Assistant
from hydra_agent.llm.budget import Spent
from hydra_agent.llm.config import BreakerPolicy, LlmConfig, Provider, Retry
from hydra_agent.llm.hostile import HostileTransport, fuzzed_reply
from hydra_agent.llm.journal_filter import JournalFilter, Vocabulary, read_filter
from hydra_agent.llm.mutations import ParameterValue, Playbook, Proposals, read_proposals
from hydra_agent.llm.records import Answer, CallCode, Checked, T
from hydra_agent.llm.rerank import Cause, Ranking, read_ranking

CAUSES = tuple(Cause(code, {"z": 3.1}) for code in ("stale_source", "regime_change", "feature_corrupt"))
PLAYBOOKS = (
    Playbook("shrink_trees", "fewer leaves", {"num_leaves": {"type": "integer", "minimum": 4, "maximum": 63}}),
    Playbook("drop_features", "without some", {"names": {"items": {"enum": ["cot_z", "skew"]}}}),
)
VOCABULARY = Vocabulary(
    kinds={"experiment": (), "promotion": ()},
    outcomes={"rejected": (), "promoted": ()},
    heads={"technical": ()},
    regimes={"stressed": ()},
    mutations={"shrink_trees": ()},
    tags={"drift": ()},
)
QUESTION = "rejected experiments of the technical head in March 2025"


def validate(playbook: str, parameters: Mapping[str, ParameterValue]) -> str | None:
    """Two playbooks' bounds, as strict as a real one's."""
    if playbook == "shrink_trees":
        leaves, rate = parameters.get("num_leaves"), parameters.get("rate", 0.1)
        good = type(leaves) is int and 4 <= leaves <= 63 and type(rate) is float and 0.0 < rate <= 1.0
        return None if good and set(parameters) <= {"num_leaves", "rate"} else "num_leaves or rate out of bounds"
    names = parameters.get("names")
    good = isinstance(names, tuple) and set(names) <= {"cot_z", "skew"} and type(parameters.get("refit", True)) is bool
    return None if good and set(parameters) <= {"names", "refit"} else "names or refit out of bounds"


def ranking_escapes(value: Ranking) -> bool:
    """Whether an order names what was not given, twice, or the note holds what a terminal would obey."""
    known = {cause.code for cause in CAUSES}
    applied = value.applied(CAUSES)
    whole = len(value.order) == len(set(value.order)) and {c.code for c in applied} == known and len(applied) == 3
    return not (whole and set(value.order) <= known and _clean(value.note, 600))


def proposals_escape(value: Proposals) -> bool:
    """Whether an accepted change is not one that its playbook allows."""
    everything = [*value.accepted, *(r.proposal for r in value.rejected)]
    flat = all(_flat(v) for p in everything for v in p.parameters.values())
    names = all(p.playbook in {"shrink_trees", "drop_features"} and _clean(p.rationale, 600) for p in everything)
    return not (
        flat
        and names
        and len(everything) <= 3
        and all(validate(p.playbook, p.parameters) is None for p in value.accepted)
    )


def _flat(value: object) -> bool:
    if isinstance(value, tuple):
        return len(value) <= 32 and all(isinstance(v, str) and _flat(v) for v in value)
    if isinstance(value, str):
        return re.fullmatch(r"[\w.-]{1,64}", value, re.ASCII) is not None
    return isinstance(value, (bool, int, float)) and math.isfinite(value) and abs(value) <= 1e9


def filter_escapes(value: JournalFilter) -> bool:
    """Whether a filter holds a value that the vocabulary does not, or a field of another type."""
    named = all(
        getattr(value, name) is None or getattr(value, name) in known for name, known in VOCABULARY.fields().items()
    )
    days = [day for day in (value.date_from, value.date_to) if day is not None]
    dated = all(type(day) is date and 1970 <= day.year <= 2200 for day in days) and days == sorted(days)
    bounded = type(value.limit) is int and 1 <= value.limit <= 200 and set(value.tags) <= set(VOCABULARY.tags)
    return not (named and dated and bounded and _clean(value.text or "", 200))


def _clean(text: str, longest: int) -> bool:
    hidden = [c for c in text if c not in "\n\t" and unicodedata.category(c) in {"Cc", "Cf", "Co", "Cs"}]
    return not hidden and len(text) <= longest


@dataclass(slots=True)
class Tally:
    """What became of the replies to one question."""

    codes: Counter[str] = field(default_factory=Counter)
    escapes: list[int] = field(default_factory=list)
    """Seeds."""

    def add(self, seed: int, code: str, escaped: bool) -> None:
        """Count one reply."""
        self.codes[code] += 1
        if escaped:
            self.escapes.append(seed)


def read_all(replies: int) -> dict[str, Tally]:
    """Every reply through the readers of all three questions."""
    tallies = {name: Tally() for name in ("rerank", "mutate", "filter")}
    for seed in range(replies):
        text = fuzzed_reply(seed).decode("utf-8", "replace")
        _read(tallies["rerank"], seed, partial(read_ranking, text, CAUSES), ranking_escapes)
        _read(tallies["mutate"], seed, partial(read_proposals, text, PLAYBOOKS, validate), proposals_escape)
        _read(tallies["filter"], seed, partial(read_filter, text, VOCABULARY), filter_escapes)
    return tallies


def _read(tally: Tally, seed: int, read: Callable[[], Checked[T]], escapes: Callable[[T], bool]) -> None:
    try:
        checked = read()
    except Exception as error:  # an escape is what is counted
        tally.add(seed, type(error).__name__, True)
        return
    tally.add(seed, checked.code.value, checked.value is not None and escapes(checked.value))


def ask_all(replies: int) -> dict[str, Tally]:
    """As many questions to the assistant, all three kinds in turn."""
    tallies = {name: Tally() for name in ("rerank", "mutate", "filter")}
    failed: list[CallCode] = []
    config = LlmConfig(
        chain=(Provider(name="hostile", base_url="http://127.0.0.1:9", model="none"),),
        retry=Retry(attempts=1),
        # Never opens: a breaker would spare the assistant most of what it is to be shown.
        breaker=BreakerPolicy(failures=10 * replies + 10),
    )
    assistant = Assistant(
        config,
        lambda record: failed.append(record.code) if record.code is CallCode.READER_FAILED else None,
        lambda day: Spent(),
        lambda: datetime(2026, 11, 21, tzinfo=UTC),
        transport_for=lambda provider, config: HostileTransport(0),
    )
    for seed in range(replies):
        name = ("rerank", "mutate", "filter")[seed % 3]
        _ask(tallies[name], seed, assistant, name, failed)
    return tallies


def _ask(tally: Tally, seed: int, assistant: Assistant, name: str, failed: list[CallCode]) -> None:
    before = len(failed)
    try:
        if name == "rerank":
            ranking = assistant.rerank(CAUSES)
            _count(tally, seed, ranking, ranking.value is not None and ranking_escapes(ranking.value))
        elif name == "mutate":
            proposals = assistant.propose(PLAYBOOKS, CAUSES, validate)
            _count(tally, seed, proposals, proposals.value is not None and proposals_escape(proposals.value))
        else:
            found = assistant.filter(QUESTION, VOCABULARY)
            _count(tally, seed, found, found.value is not None and filter_escapes(found.value))
    except Exception as error:  # an escape is what is counted
        tally.add(seed, type(error).__name__, True)
    if len(failed) > before:
        tally.escapes.append(seed)


def _count(tally: Tally, seed: int, answer: Answer[T], escaped: bool) -> None:
    tally.add(seed, answer.code.value, escaped)


def table(title: str, tallies: Mapping[str, Tally]) -> Table:
    """One row per outcome, one column per question."""
    found = Table("outcome", *tallies, title=title)
    codes = sorted({code for tally in tallies.values() for code in tally.codes}, key=lambda code: (code != "ok", code))
    for code in codes:
        found.add_row(code, *(str(tally.codes[code]) for tally in tallies.values()))
    found.add_section()
    found.add_row("escapes", *(str(len(tally.escapes)) for tally in tallies.values()))
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print both tables; 1 where anything escaped."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replies", type=int, default=10_000)
    replies = parser.parse_args(arguments).replies
    mark, console = time.perf_counter(), Console(width=110)
    read, asked = read_all(replies), ask_all(replies)
    console.print(table(f"{replies} fuzzed replies, each read as an answer to every question", read))
    console.print(table(f"{replies} questions to the assistant, one repair each", asked))
    parts = {"reader": read, "assistant": asked}
    escaped = {f"{part} {name}": t.escapes[:5] for part in parts for name, t in parts[part].items() if t.escapes}
    console.print(f"{time.perf_counter() - mark:.0f} s; escapes: {escaped or 'none'}")
    return 1 if escaped else 0


if __name__ == "__main__":
    sys.exit(main())
