import gzip

import pytest

from hydra_assets.sources.base import ParseError, PayloadState
from hydra_assets.sources.csv_layout import Layout
from hydra_assets.sources.csv_table import read_table

NEEDED = ["a", "b"]


def reasons(content: bytes, layout: Layout) -> dict[int, str]:
    table = read_table(content, layout, NEEDED)
    return dict(table.rejects.select("source_row", "reason").iter_rows())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "zero_length"),
        (b"\xef\xbb\xbf", "zero_length"),
        (b"<!DOCTYPE html><p>Service unavailable", "html"),
        (b"  \n<html>", "html"),
        (b"a,b\n1,\x00", "binary"),
        (b"a,b\n1,\xff\xfe", "wrong_encoding"),
        (b"a,c\n1,2\n", "missing_column"),
        (b"a,b,b\n1,2,3\n", "duplicate_column"),
        (b'a,b\n"1,2\n', "bad_quoting"),
        (b"\x1f\x8b\x08 not gzip", "bad_gzip"),
        (gzip.compress(b"a,b\n1,2\n" * 1000, mtime=0)[:-9], "bad_gzip"),
    ],
)
def test_what_cannot_be_read_at_all(content: bytes, reason: str) -> None:
    with pytest.raises(ParseError) as error:
        read_table(content, Layout(), NEEDED)
    assert error.value.reason == reason


def test_an_empty_payload_says_so() -> None:
    with pytest.raises(ParseError) as error:
        read_table(b"", Layout(), NEEDED)
    assert error.value.state is PayloadState.EMPTY


def test_shuffled_and_new_columns_are_found_by_name() -> None:
    table = read_table(b"new,b,old,a\nx,2,y,1\n", Layout(ignored=("old",)), NEEDED)
    assert table.frame.select("a", "b").rows() == [("1", "2")]
    assert table.notes == ("new_column:new",)


def test_ragged_and_blank_lines_are_kept_with_their_text() -> None:
    table = read_table(b"a,b\r\n1,2\r\n3\r\n\r\n5,6,7\r\n", Layout(), NEEDED)
    assert table.total_rows == 4
    assert table.frame["source_row"].to_list() == [0]
    assert table.rejects.select("source_row", "disposition", "reason", "raw").rows() == [
        (1, "quarantined", "ragged_row", "3"),
        (2, "set_aside", "blank_line", ""),
        (3, "quarantined", "ragged_row", "5,6,7"),
    ]


def test_half_a_file_does_not_pass_a_cut_number_as_a_value() -> None:
    whole = b"a,b\n1,234.5\n2,345.6\n"
    vendor_ends_lines = Layout(ends_with_newline=True)
    assert reasons(whole, vendor_ends_lines) == {}
    assert reasons(whole[:-3], vendor_ends_lines) == {1: "cut_off_row"}
    assert reasons(whole[:-1], Layout()) == {}


def test_gzip_quotes_missing_texts_and_a_byte_order_mark() -> None:
    content = gzip.compress(b'\xef\xbb\xbfa,b\n"1,5","None"\n2, \n', mtime=0)
    table = read_table(content, Layout(missing=("", "None")), NEEDED)
    assert table.frame.select("a", "b").rows() == [("1,5", None), ("2", None)]


def test_runs_of_tabs_and_subtotals() -> None:
    layout = Layout(separator="tabs", subtotal="(?i)total")
    table = read_table(b"a\t\tb\n1\t\t2\t\nx Subtotal\t-\n", layout, NEEDED)
    assert table.frame.select("a", "b").rows() == [("1", "2")]
    assert table.rejects.select("source_row", "disposition", "reason").rows() == [(1, "set_aside", "subtotal")]


def test_a_header_alone_is_a_table_without_rows() -> None:
    assert read_table(b"a,b\n", Layout(), NEEDED).total_rows == 0
