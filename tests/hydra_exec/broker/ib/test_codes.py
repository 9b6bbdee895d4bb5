"""Every code that we know, and what is made of those that we do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydra_exec.broker.ib.codes import CERTAIN_REFUSALS, REMARKS, TABLE, Meaning, meaning, notice_kind, order_word
from hydra_exec.broker.port import NoticeKind, Word

M = Meaning
EXPECTED = {
    M.ORDER_REJECTED: {201, 203},
    M.ORDER_CANCELLED: {202},
    M.ORDER_LIVES: {399, 404, 492, 10349},
    M.REFUSED_AS_WRITTEN: {105, 107, 109, 110, 111, 329, 383, 387, 434},
    M.CANCEL_FAILED: {104, 135, 136, 161, 10147, 10148},
    M.DUPLICATE_ORDER_ID: {103},
    M.CLIENT_ID_IN_USE: {326},
    M.LINK_LOST: {1100, 2110},
    M.LINK_RESTORED: {1102},
    M.LINK_RESTORED_DATA_LOST: {1101},
    M.TERMINAL_GONE: {502, 504, 1300},
    M.PACING: {100, 162, 420},
    M.NO_LIVE_DATA: {354, 10089, 10090, 10167, 10168, 10197},
    M.QUERY_FAILED: {200, 320, 321, 322, 505},
    M.INFORMATION: {165, 300, 366, *REMARKS} - {2110},
}


def test_the_whole_table() -> None:
    known = {code: says for says, codes in EXPECTED.items() for code in codes}
    for code in range(-1, 20_000):
        assert meaning(code) is known.get(code, M.UNKNOWN)
    assert set(TABLE) <= set(known)


@pytest.mark.parametrize("acknowledged", [False, True])
@pytest.mark.parametrize("amended", [False, True])
def test_codes_that_say_the_same_whatever_was_before(*, acknowledged: bool, amended: bool) -> None:
    def said(code: int) -> Word | None:
        return order_word(code, acknowledged=acknowledged, amended=amended)

    assert said(202) is Word.CANCELLED
    for lives in (399, 404, 10349, 2100, 2109, 2199):
        assert said(lives) is None
    for unclear in (161, 10147, 10148, 321, 322, 1100, 354, 99_999):
        assert said(unclear) is Word.UNCLEAR


@pytest.mark.parametrize(
    ("code", "fresh", "only_amended", "acknowledged"),
    [
        (110, Word.REJECTED, Word.UNCLEAR, None),
        (434, Word.REJECTED, Word.UNCLEAR, None),
        (387, Word.REJECTED, Word.UNCLEAR, None),
        (103, Word.REJECTED, Word.UNCLEAR, Word.UNCLEAR),
        (200, Word.REJECTED, Word.UNCLEAR, Word.UNCLEAR),
    ],
)
def test_codes_that_depend_on_what_was_before(
    code: int, fresh: Word, only_amended: Word, acknowledged: Word | None
) -> None:
    assert order_word(code, acknowledged=False, amended=False) is fresh
    assert order_word(code, acknowledged=False, amended=True) is only_amended
    assert order_word(code, acknowledged=True, amended=False) is acknowledged
    assert order_word(code, acknowledged=True, amended=True) is acknowledged


@pytest.mark.parametrize("code", [code for code, says in TABLE.items() if says is M.ORDER_REJECTED])
def test_a_refusal_of_an_order_that_was_amended_may_be_of_the_amendment(code: int) -> None:
    said = [
        order_word(code, acknowledged=acknowledged, amended=amended)
        for acknowledged, amended in ((False, False), (False, True), (True, False), (True, True))
    ]
    assert said == [Word.REJECTED, Word.REJECTED, Word.REJECTED, Word.UNCLEAR]


@given(st.integers(), st.booleans(), st.booleans())
def test_only_codes_that_we_know_end_an_order(code: int, acknowledged: bool, amended: bool) -> None:
    if order_word(code, acknowledged=acknowledged, amended=amended) in {Word.REJECTED, Word.CANCELLED}:
        assert code in {201, 202, 203, *CERTAIN_REFUSALS}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (1100, NoticeKind.LINK_LOST),
        (2110, NoticeKind.LINK_LOST),
        (1101, NoticeKind.LINK_RESTORED_DATA_LOST),
        (1102, NoticeKind.LINK_RESTORED),
        (1300, NoticeKind.DISCONNECTED),
        (100, NoticeKind.PACING),
        (162, NoticeKind.PACING),
        (420, NoticeKind.PACING),
        (354, NoticeKind.NO_LIVE_DATA),
        (10167, NoticeKind.NO_LIVE_DATA),
        (10197, NoticeKind.NO_LIVE_DATA),
        (103, NoticeKind.DUPLICATE_ORDER_ID),
        (2104, NoticeKind.INFORMATION),
        (399, NoticeKind.INFORMATION),
        (321, NoticeKind.INFORMATION),
        (99_999, NoticeKind.UNKNOWN_CODE),
    ],
)
def test_notices(code: int, kind: NoticeKind) -> None:
    assert notice_kind(code) is kind
