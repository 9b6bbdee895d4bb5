"""Positions: by the fills, beside the broker's own word."""

from datetime import date

import polars as pl

from hydra_exec.accounting.positions import POSITION_COLUMNS, latest_revisions, positions

D1, D2, D3, D4 = (date(2025, 3, day) for day in (3, 4, 5, 6))
A, B = "HE-2025-04", "HE-2025-06"


def fills(*rows: tuple[date, str, str, int], market: str = "HE") -> pl.DataFrame:
    schema = {"session": pl.Date, "contract": pl.String, "side": pl.String, "quantity": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(market=pl.lit(market))


def sessions(*days: date, market: str = "HE") -> pl.DataFrame:
    return pl.DataFrame({"market": [market] * len(days), "session": list(days)}, schema_overrides={"session": pl.Date})


def test_fills_of_before_count_and_what_was_closed_is_shown_once() -> None:
    done = fills((D1, A, "BUY", 3), (D2, A, "SELL", 1), (D3, A, "SELL", 2), (D3, B, "SELL", 4))
    found = positions(done, {}, sessions(D2, D3, D4))
    assert found.columns == list(POSITION_COLUMNS)
    assert found.rows() == [
        ("HE", D2, A, 2, None, None),
        ("HE", D3, A, 0, None, None),
        ("HE", D3, B, -4, None, None),
        ("HE", D4, B, -4, None, None),
    ]


def test_a_later_fill_changes_no_earlier_row() -> None:
    done = fills((D1, A, "BUY", 3), (D3, A, "BUY", 1))
    upto = done.filter(pl.col("session") <= D2)
    assert positions(done, {}, sessions(D1, D2)).equals(positions(upto, {}, sessions(D1, D2)))


def test_the_brokers_word_stands_beside_it() -> None:
    done = fills((D1, A, "BUY", 3))
    word = {"HE": {D1: {A: 3}, D2: {A: 2, B: 1}, D4: {}}}
    assert positions(done, word, sessions(D1, D2, D3, D4)).rows() == [
        ("HE", D1, A, 3, 3, True),
        ("HE", D2, A, 3, 2, False),
        ("HE", D2, B, 0, 1, False),
        ("HE", D3, A, 3, None, None),
        ("HE", D4, A, 3, 0, False),
    ]


def test_markets_do_not_mix_and_nothing_held_has_no_row() -> None:
    done = pl.concat([fills((D1, A, "BUY", 3)), fills((D1, "ZC-2025-05", "BUY", 1), market="ZC")])
    wanted = pl.concat([sessions(D1), sessions(D1, market="ZC"), sessions(D1, market="GF")])
    assert [row[:4] for row in positions(done, {}, wanted).rows()] == [
        ("HE", D1, A, 3),
        ("ZC", D1, "ZC-2025-05", 1),
    ]
    assert positions(fills(), {}, sessions(D1)).is_empty()


def test_the_last_revision_counts_and_a_fill_that_was_taken_back_is_none() -> None:
    rows = pl.DataFrame(
        [("S", "a", 1, 2), ("S", "a", 2, 3), ("S", "b", 1, 1), ("S", "b", 2, 0), ("T", "a", 1, 9)],
        schema=["account", "base_exec_id", "revision", "quantity"],
        orient="row",
    )
    for shuffled in (rows, rows.reverse()):
        assert sorted(latest_revisions(shuffled).rows()) == [("S", "a", 2, 3), ("T", "a", 1, 9)]
