"""As-of reads against a brute-force reading of the rule, one cutoff at a time."""

from datetime import date, timedelta

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.lake.asof import known_versions, latest_known
from tests.support.frames import CHICAGO, bars

SESSIONS = CHICAGO.between(date(2024, 11, 20), date(2024, 12, 10))
KEY = ("contract", "record")


def ranked(rows: pl.DataFrame, rank: int = 0) -> pl.DataFrame:
    return rows.with_columns(pl.lit(rank, dtype=pl.Int64).alias("source_rank"))


def test_a_restatement_is_seen_from_its_own_time_on() -> None:
    first = bars([("HE-2024-12", SESSIONS[2], 80.0)])
    restated = bars([("HE-2024-12", SESSIONS[2], 81.0)], known_after=timedelta(days=4))
    seen = known_versions(ranked(pl.concat([restated, first])), CHICAGO, SESSIONS[:6], KEY, 5)
    by_target = {row["target"]: row["settle"] for row in seen.iter_rows(named=True)}
    assert SESSIONS[1] not in by_target
    assert by_target[SESSIONS[2]] == 80.0
    restated_known = restated["known_at"][0]
    for session in SESSIONS[3:6]:
        assert by_target[session] == (81.0 if CHICAGO.cutoff(session) >= restated_known else 80.0)
    assert [by_target[s] for s in SESSIONS[2:6]] == [80.0, 80.0, 81.0, 81.0]


def test_past_the_staleness_limit_there_is_nothing() -> None:
    seen = latest_known(ranked(bars([("HE-2024-12", SESSIONS[0], 80.0)])), CHICAGO, SESSIONS, KEY, 3)
    assert seen["target"].to_list() == SESSIONS[:4]
    assert seen["lag"].to_list() == [0, 1, 2, 3]


def test_a_better_source_that_prints_later_does_not_erase_what_was_known() -> None:
    plain = ranked(bars([("HE-2024-12", SESSIONS[0], 80.0)]), rank=1)
    better = ranked(bars([("HE-2024-12", SESSIONS[0], 80.5)], known_after=timedelta(days=1)), rank=0)
    seen = known_versions(pl.concat([plain, better]), CHICAGO, SESSIONS[:2], KEY, 1)
    assert dict(zip(seen["target"], seen["settle"], strict=True)) == {SESSIONS[0]: 80.0, SESSIONS[1]: 80.5}


rows_strategy = st.lists(
    st.tuples(
        st.sampled_from(["HE-2024-12", "HE-2025-02"]),
        st.sampled_from(SESSIONS),
        st.integers(0, 9),
        st.integers(0, 5),
    ),
    min_size=1,
    max_size=25,
    unique_by=lambda row: (row[0], row[1], row[3]),
)


@settings(max_examples=60, deadline=None)
@given(rows=rows_strategy, max_lag=st.integers(0, 4))
def test_equals_brute_force(rows: list[tuple[str, date, int, int]], max_lag: int) -> None:
    frame = ranked(
        pl.concat([bars([(c, d, float(v))], known_after=timedelta(hours=17 * delay)) for c, d, v, delay in rows])
    )
    fast = latest_known(frame, CHICAGO, SESSIONS, KEY, max_lag)
    got = {(r["contract"], r["target"]): (r["event_session"], r["settle"]) for r in fast.iter_rows(named=True)}
    expected: dict[tuple[str, date], tuple[date, float]] = {}
    for i, target in enumerate(SESSIONS):
        window = set(SESSIONS[max(0, i - max_lag) : i + 1])
        known = [
            r
            for r in frame.iter_rows(named=True)
            if r["known_at"] <= CHICAGO.cutoff(target) and r["event_session"] in window
        ]
        for row in sorted(known, key=lambda r: (r["event_session"], r["known_at"])):
            expected[row["contract"], target] = (row["event_session"], row["settle"])
    assert got == expected


@settings(max_examples=40, deadline=None)
@given(rows=rows_strategy, cut=st.integers(2, len(SESSIONS) - 2))
def test_what_is_known_after_a_cutoff_changes_nothing_before_it(
    rows: list[tuple[str, date, int, int]], cut: int
) -> None:
    frame = ranked(
        pl.concat([bars([(c, d, float(v))], known_after=timedelta(hours=17 * delay)) for c, d, v, delay in rows])
    )
    boundary = CHICAGO.cutoff(SESSIONS[cut])
    perturbed = frame.with_columns(
        pl.when(pl.col("known_at") > boundary).then(pl.col("settle") * 7 + 3).otherwise("settle").alias("settle")
    )
    before, after = (
        latest_known(f, CHICAGO, SESSIONS[: cut + 1], KEY, 4).sort(["contract", "target"]) for f in (frame, perturbed)
    )
    assert before.equals(after)
