"""Gate 1's contracts: sound inputs pass, and each fault is found by its own check."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from hydra_assets.evaluation.contracts import LEAKAGE, REACH, input_contracts, reaches
from hydra_assets.verdict import Severity, Verdict
from tests.support.groups import MARKETS, Group, day, group

# An edge that an honest feature may have.
GROUP = group(400, edge=0.001)
CUTOFF = day(350)


def contracts(of: Group = GROUP, last: int = 350) -> dict[str, Verdict]:
    expected = dict.fromkeys(MARKETS, day(last))
    found = input_contracts(of.features, of.labels, of.held, expected, day(last))
    assert [verdict.severity for verdict in found] == [Severity.ERROR] * 4
    return {f"{verdict.name}{i if verdict.name == 'schema' else ''}": verdict for i, verdict in enumerate(found)}


def leaky(noise: float = 0.01, until: int = 400) -> Group:
    """Features whose carry is tomorrow's return, and as much noise again, up to a session."""
    ahead = GROUP.held.select(
        "market", "session", pl.col("held_return").shift(-1).over("market", order_by="session").alias("ahead")
    )
    rows = GROUP.features.join(ahead, on=["market", "session"], how="left", maintain_order="left")
    scatter = pl.Series(noise * np.random.default_rng(1).standard_normal(len(rows)))
    knows = pl.when(pl.col("session") <= day(until)).then(pl.col("ahead") + scatter).otherwise("carry")
    return replace(GROUP, features=rows.with_columns(knows.alias("carry")).select(GROUP.features.columns))


def test_sound_inputs_pass() -> None:
    found = contracts()
    assert {name: verdict.reason for name, verdict in found.items()} == {
        "schema0": "ok",
        "schema1": "ok",
        REACH: "ok",
        LEAKAGE: "ok",
    }
    assert all(verdict.passed for verdict in found.values())
    # Two features in two markets, each with six coming sessions and the label's own return.
    assert found[LEAKAGE].numbers["compared"] == 2 * 2 * 7


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_a_planted_leak_blocks_and_is_named(noise: float) -> None:
    verdict = contracts(leaky(noise))[LEAKAGE]
    assert (verdict.passed, verdict.reason) == (False, "leak")
    assert "features that know the future: carry in SIM_" in verdict.message
    assert "1 ahead" in verdict.message
    assert "tilt" not in verdict.message


def test_what_is_after_the_cutoff_is_no_evidence() -> None:
    later = pl.col("session") > CUTOFF
    broken = replace(
        GROUP,
        features=GROUP.features.with_columns(pl.when(later).then(-9.0).otherwise("tilt").alias("put_share")),
        labels=GROUP.labels.with_columns(pl.when(later).then(pl.lit("?")).otherwise("label_kind").alias("label_kind")),
    )
    assert contracts(replace(broken, features=GROUP.features)) == contracts(GROUP.until(CUTOFF)) == contracts()


def test_late_features_block() -> None:
    gone = (pl.col("market") == "SIM_ZO") & (pl.col("session") >= CUTOFF)
    verdict = contracts(replace(GROUP, features=GROUP.features.filter(~gone)))[REACH]
    assert (verdict.passed, verdict.reason) == (False, "features_not_ready")
    assert verdict.message == "features do not reach the cutoff: SIM_ZO"
    # Another market's newer rows do not stand in for it, and a market without any row is late too.
    none = reaches(GROUP.features.filter(market="SIM_HE"), dict.fromkeys(MARKETS, CUTOFF))
    assert not none.passed
    assert "SIM_ZO" in none.message
    assert reaches(GROUP.features.head(0), {}).passed


@pytest.mark.parametrize(
    ("table", "change", "place"),
    [
        ("features", pl.col("carry").cast(pl.Float32), 0),
        ("features", pl.lit(None, pl.String).alias("market"), 0),
        ("labels", pl.lit("sideways").alias("label_class"), 1),
        ("labels", pl.lit(None, pl.String).alias("label_reason"), 1),
    ],
)
def test_a_schema_fault_blocks(table: str, change: pl.Expr, place: int) -> None:
    frame = getattr(GROUP, table).with_columns(change)
    verdict = input_contracts(
        frame if table == "features" else GROUP.features,
        frame if table == "labels" else GROUP.labels,
        GROUP.held,
        {},
        CUTOFF,
    )[place]
    assert (verdict.passed, verdict.reason) == (False, "schema_fault")
    assert len(verdict.numbers) == 1


def test_too_short_a_history_is_no_leak_and_says_so() -> None:
    verdict = contracts(GROUP.until(day(60)), last=60)[LEAKAGE]
    assert (verdict.passed, verdict.reason) == (True, "nothing_checked")
    assert "too few sessions" in verdict.message
