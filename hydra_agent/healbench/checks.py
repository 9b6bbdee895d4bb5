"""F10 and F11, which no path shows: hostile replies and a tampered journal, each counted.

F12 (kill -9 anywhere in the loop) needs processes and a database: ``studies.kill9`` and tests/hydra_agent/defs.
"""

from dataclasses import dataclass, replace

import numpy as np

from hydra_agent.diagnose.causes import CauseCode
from hydra_agent.healbench.policies.misled import BAD_ADVICE, refusal
from hydra_agent.llm.hostile import GOOD_REPLIES, fuzzed_reply
from hydra_agent.llm.mutations import Playbook, read_proposals
from hydra_agent.llm.rerank import Cause, read_ranking
from hydra_agent.playbook.mutations import MUTATIONS, MutationError, read_mutation
from hydra_assets.models.recipe import FIRST_RECIPES, LOGISTIC
from hydra_assets.state.chain import Anchor, Entry, EntryKind, linked, series_bytes, verify


@dataclass(frozen=True, slots=True)
class Count:
    """So many of so many."""

    found: int
    of: int


def hostile_replies(count: int) -> Count:
    """Replies that got past the reader as something that was never offered, of so many."""
    causes = [Cause(str(code)) for code in CauseCode]
    codes = {cause.code for cause in causes}
    books = [Playbook(kind.id, kind.id) for kind in MUTATIONS.values()]
    champion = FIRST_RECIPES[LOGISTIC]
    escapes = 0
    for seed in range(count):
        text = fuzzed_reply(seed, (*GOOD_REPLIES, *BAD_ADVICE)).decode("utf-8", "replace")
        try:
            ranking = read_ranking(text, causes).value
            proposals = read_proposals(text, books, lambda name, values: refusal(champion, name, values)).value
            escaped = ranking is not None and not set(ranking.order) <= codes
            for each in proposals.accepted if proposals is not None else ():
                read_mutation(each.playbook, each.parameters).applied(champion)
        except (MutationError, ValueError, TypeError, KeyError, RecursionError):
            escaped = True
        escapes += escaped
    return Count(escapes, count)


def tampered_journal(entries: int = 40) -> Count:
    """Edits of a chain that were detected, of all single ones: a field changed, an entry dropped, swapped, doubled."""
    chain: list[Entry] = []
    for i in range(entries):
        before = Anchor(chain[-1].seq, chain[-1].sha256) if chain else None
        series = series_bytes(np.arange(3), np.full(3, 0.01 * i)) if i % 2 else None
        chain.append(linked(before, EntryKind.TRIAL, "sim", f"experiment {i}", {"code": "stopped", "n": i}, series))
    anchor = Anchor(chain[-1].seq, chain[-1].sha256)
    tried = detected = 0
    for i, entry in enumerate(chain):
        changes = [
            replace(entry, body=entry.body.replace("stopped", "promote")),
            replace(entry, subject="another"),
            replace(entry, model_group="other"),
            replace(entry, kind=EntryKind.PROMOTION),
            replace(entry, previous="0" * 64 if i else "1" * 64),
            replace(entry, series=series_bytes(np.arange(3), np.full(3, 9.0))),
            # Who edits may reckon the digest anew: then the next entry, or the anchor, no longer fits.
            linked(
                Anchor(chain[i - 1].seq, chain[i - 1].sha256) if i else None,
                entry.kind,
                entry.model_group,
                entry.subject,
                {"code": "promote"},
                entry.series,
            ),
        ]
        edited = [[*chain[:i], changed, *chain[i + 1 :]] for changed in changes]
        edited += [[*chain[:i], *chain[i + 1 :]], [*chain[: i + 1], entry, *chain[i + 1 :]]]
        if i + 1 < len(chain):
            edited.append([*chain[:i], chain[i + 1], entry, *chain[i + 2 :]])
        tried += len(edited)
        detected += sum(not verify(one, anchor).intact for one in edited)
    return Count(detected, tried)
