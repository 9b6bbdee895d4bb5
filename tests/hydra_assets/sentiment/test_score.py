"""A session's score by hand, its reasons, and its blindness to what comes later."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.sentiment.score import ITEM_SCHEMA, DecayConfig, TextReason, output_schema, session_scores

START = datetime(2024, 1, 1, 22, tzinfo=UTC)


def items(*rows: tuple[float, float | None, float, bool], market: str = "SIM_HE") -> pl.DataFrame:
    """(days after START, tone, relevance, copy)."""
    data = [(market, START + timedelta(days=d), tone, relevance, copy) for d, tone, relevance, copy in rows]
    return pl.DataFrame(data, schema=ITEM_SCHEMA, orient="row")


def sessions(*days: int, market: str = "SIM_HE") -> pl.DataFrame:
    return pl.DataFrame(
        [(market, date(2024, 1, 1) + timedelta(days=d), START + timedelta(days=d)) for d in days],
        schema={"market": pl.String(), "session": pl.Date(), "cutoff": pl.Datetime("us", "UTC")},
        orient="row",
    )


def scored(found: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    return session_scores(found, asked, DecayConfig(), "headline", TextReason.NO_HEADLINES)


def test_by_hand() -> None:
    row = scored(items((0, -0.5, 0.5, False), (1, 0.9, 1.0, True), (3, 1.0, 1.0, False)), sessions(3)).row(
        0, named=True
    )
    # Weights: 0.5 * 2^-1 = 0.25 and 1; A = 1.25. Score (1 - 0.125) / 1.25 = 0.7.
    assert row["headline_score"] == pytest.approx(0.7)
    # Variance (0.25 * 1.2^2 + 1 * 0.3^2) / 1.25 = 0.36; confidence 1.25 / 4.25 * (1 - 0.6).
    assert row["headline_confidence"] == pytest.approx(1.25 / 4.25 * 0.4)
    assert (row["headline_count"], row["headline_copies"], row["headline_age_days"]) == (2, 1, 0.0)
    assert row["headline_reason"] == TextReason.OK


def test_reasons() -> None:
    found = scored(
        items((5, 1.0, 0.0, False), (5.5, None, 1.0, False), (7, 1.0, 1.0, False)), sessions(4, 6, 7, 17, 18)
    )
    assert found["headline_reason"].to_list() == [
        TextReason.NO_HEADLINES,
        TextReason.IRRELEVANT,
        TextReason.OK,
        TextReason.OK,
        TextReason.STALE,
    ]
    assert found["headline_score"].is_null().to_list() == [True, True, False, False, True]
    assert found["headline_confidence"].is_null().to_list() == [True, True, False, False, True]
    # At exactly ten days a text still counts.
    assert found["headline_age_days"].to_list()[2:4] == [0.0, 10.0]


def test_a_microsecond_after_the_cutoff_is_too_late() -> None:
    late = items((1, 1.0, 1.0, False)).with_columns(pl.col("known_at") + pl.duration(microseconds=1))
    assert scored(late, sessions(1, 2))["headline_reason"].to_list() == [TextReason.NO_HEADLINES, TextReason.OK]


def test_more_texts_and_more_agreement_are_more_confidence() -> None:
    def confidence(*tones: float) -> float:
        found = scored(items(*((1, tone, 1.0, False) for tone in tones)), sessions(1))
        return float(found["headline_confidence"][0])

    assert confidence(0.5) < confidence(0.5, 0.5) < confidence(0.5, 0.5, 0.5)
    assert confidence(0.9, 0.1) < confidence(0.5, 0.5)


def test_markets_are_apart_and_rows_keep_their_order() -> None:
    both = pl.concat([items((0, 1.0, 1.0, False)), items((0, -1.0, 1.0, False), market="SIM_ZO")])
    asked = pl.concat([sessions(1, market="SIM_ZO"), sessions(2, 0), sessions(0, market="SIM_DC")])
    found = scored(both, asked)
    assert found.select("market", "session").equals(asked.select("market", "session"))
    assert found["headline_score"].to_list() == [-1.0, 1.0, 1.0, None]


def test_no_session_no_row() -> None:
    assert scored(items((0, 1.0, 1.0, False)), sessions()).schema == pl.Schema(output_schema("headline"))
    assert scored(items(), sessions(1))["headline_reason"].to_list() == [TextReason.NO_HEADLINES]


TEXTS = st.lists(
    st.tuples(
        st.floats(0, 30), st.one_of(st.none(), st.floats(-1, 1)), st.sampled_from([0.0, 0.5, 1.0]), st.booleans()
    ),
    max_size=25,
)


@settings(max_examples=40, deadline=None)
@given(TEXTS, st.integers(1, 29))
def test_the_future_changes_nothing_and_any_range_gives_the_same_bytes(
    rows: list[tuple[float, float | None, float, bool]], split: int
) -> None:
    ordered = sorted(rows, key=lambda row: row[0])
    whole = scored(items(*ordered), sessions(*range(30)))
    known = [row for row in ordered if START + timedelta(days=row[0]) <= START + timedelta(days=split)]
    assert scored(items(*known), sessions(*range(split + 1))).equals(whole.head(split + 1))
    assert scored(items(*ordered), sessions(split)).equals(whole.slice(split, 1))
    assert whole["headline_score"].drop_nulls().is_between(-1, 1).all()
    assert whole["headline_confidence"].drop_nulls().is_between(0, 1).all()
