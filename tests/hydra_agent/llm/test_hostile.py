import pytest

from hydra_agent.llm.hostile import GOOD_REPLIES, HostileTransport, fuzzed_reply
from hydra_agent.llm.journal_filter import JournalFilter
from hydra_agent.llm.mutations import Proposal, Proposals
from hydra_agent.llm.rerank import Ranking
from hydra_agent.llm.transport import Message
from studies.llm_fuzz import ask_all, filter_escapes, main, proposals_escape, ranking_escapes, read_all


def test_a_seed_is_a_reply_for_ever() -> None:
    first = [fuzzed_reply(seed) for seed in range(200)]
    before = repr(GOOD_REPLIES)
    assert [fuzzed_reply(seed) for seed in reversed(range(200))] == first[::-1]
    assert repr(GOOD_REPLIES) == before
    assert len(set(first)) > 150


def test_nothing_escapes_and_not_everything_is_refused() -> None:
    read, asked = read_all(500), ask_all(150)
    assert [tally.escapes for part in (read, asked) for tally in part.values()] == [[]] * 6
    for tally in read.values():
        assert sum(tally.codes.values()) == 500
        assert 10 < tally.codes["ok"] < 100
        assert len(tally.codes) >= 8
    assert sum(tally.codes["ok"] for tally in asked.values()) > 3


@pytest.mark.parametrize(
    "value",
    [
        Ranking(("promote_now",), ""),
        Ranking(("stale_source", "stale_source"), ""),
        Ranking(("stale_source",), "\x1b[2J"),
        Ranking(("stale_source",), "x" * 601),
    ],
)
def test_the_study_would_see_an_order_that_escaped(value: Ranking) -> None:
    assert ranking_escapes(value)


@pytest.mark.parametrize(
    "proposal",
    [
        Proposal("promote_now", {"num_leaves": 15}, ""),
        Proposal("shrink_trees", {"num_leaves": 64}, ""),
        Proposal("shrink_trees", {"num_leaves": 46.5}, ""),
        Proposal("shrink_trees", {"num_leaves": True}, ""),
        Proposal("shrink_trees", {"num_leaves": 15, "path": "../etc"}, ""),
        Proposal("drop_features", {"names": ("cot_z", "DROP TABLE")}, ""),
        Proposal("drop_features", {"names": ("cot_z",)}, "\u202e"),
    ],
)
def test_the_study_would_see_a_proposal_that_escaped(proposal: Proposal) -> None:
    assert proposals_escape(Proposals((proposal,)))


@pytest.mark.parametrize(
    "value",
    [JournalFilter(kind="orders"), JournalFilter(tags=("x",)), JournalFilter(limit=0), JournalFilter(limit=True)],
)
def test_the_study_would_see_a_filter_that_escaped(value: JournalFilter) -> None:
    assert filter_escapes(value)


def test_the_study_prints_its_tables(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--replies", "30"]) == 0
    assert "escapes: none" in capsys.readouterr().out


def test_the_transport_repeats_what_it_was_asked_now_and_then() -> None:
    transport = HostileTransport(0)
    texts = [transport.complete([Message("user", "the question")]).text for _ in range(20)]
    assert [i for i, text in enumerate(texts, 1) if text.startswith("the question")] == [10, 20]
