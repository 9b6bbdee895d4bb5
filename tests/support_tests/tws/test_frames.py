"""Frames by hand and however the stream is cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.tws.clock import START
from tests.support.tws.fields import UNSET_DOUBLE, flag, number, stamp, text, whole
from tests.support.tws.frames import HELLO, FrameReader, ProtocolError, cut, encode, split_fields, version_range

FIELDS = st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), max_size=8)


def test_a_frame_by_hand() -> None:
    assert encode(("71", "2", "1", "")) == b"\0\0\0\x08" + b"71\0" + b"2\0" + b"1\0" + b"\0"
    assert split_fields(b"71\x002\x001\x00\x00") == ["71", "2", "1", ""]


@given(st.lists(FIELDS, max_size=5), st.lists(st.integers(1, 30), min_size=1, max_size=5))
def test_however_a_stream_is_cut_its_frames_are_the_same(messages: list[list[str]], sizes: list[int]) -> None:
    stream = HELLO + b"".join(map(encode, messages))
    reader = FrameReader()
    pieces = cut(stream, sizes)
    assert b"".join(pieces) == stream
    assert [split_fields(payload) for piece in pieces for payload in reader.feed(piece)] == messages


def test_versions() -> None:
    assert version_range(b"v157..178") == (157, 178)
    assert version_range(b"v157..178 +PACEAPI") == (157, 178)
    assert version_range(b"v176") == (176, 176)
    for wrong in (b"", b"hello", b"v..", b"v1..x"):
        with pytest.raises(ProtocolError):
            version_range(wrong)


def test_what_is_no_protocol_is_said_so() -> None:
    with pytest.raises(ProtocolError, match="no hello"):
        list(FrameReader().feed(b"GET / HTTP/1.1"))
    with pytest.raises(ProtocolError, match="a frame of"):
        list(FrameReader().feed(HELLO + b"\xff\xff\xff\xff"))


def test_values_as_text() -> None:
    assert [text(value) for value in (None, True, False, 3, 3.0, 84.975, "x")] == [
        "",
        "1",
        "0",
        "3",
        "3",
        "84.975",
        "x",
    ]
    assert float(UNSET_DOUBLE) == 1.7976931348623157e308
    assert (number(""), number("85.0"), whole(""), whole("2.0")) == (None, 85.0, 0, 2)
    assert (flag("1"), flag("True"), flag(""), flag("0")) == (True, True, False, False)
    assert stamp(START, "US/Central") == "20250303 09:00:00 US/Central"
