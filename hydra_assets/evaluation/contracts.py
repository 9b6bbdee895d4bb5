"""Data contracts on the inputs of an evaluation: what gate 1 asks to be green before anything is judged."""

from collections.abc import Mapping
from datetime import date

import polars as pl

from hydra_assets.columns import FEATURE_VECTOR, LABELS
from hydra_assets.features.dictionary import FEATURE_NAMES
from hydra_assets.models.leakage import LeakReason, LeakVerdict, association_leaks
from hydra_assets.quality import check_schema
from hydra_assets.verdict import Severity, Verdict

LEAKAGE, REACH = "no_look_ahead", "features_reach_the_cutoff"


def input_contracts(
    features: pl.DataFrame, labels: pl.DataFrame, held: pl.DataFrame, expected: Mapping[str, date], cutoff: date
) -> tuple[Verdict, ...]:
    """Check what was known at a cutoff.

    Parameters
    ----------
    features, labels
        Rows of ``feature_vector`` and ``labels``; later ones than the cutoff are left out of every check.
    held
        market, session, held_return of the front contract.
    expected
        By market the last session up to the cutoff: its features must be there, or a model of them would not repeat.
    """
    features, labels, held = (frame.filter(pl.col("session") <= cutoff) for frame in (features, labels, held))
    return (
        check_schema(features, FEATURE_VECTOR),
        check_schema(labels, LABELS),
        reaches(features, expected),
        no_look_ahead(features, held),
    )


def reaches(features: pl.DataFrame, expected: Mapping[str, date]) -> Verdict:
    """Every market has features of its last session up to the cutoff."""
    newest = dict(features.group_by("market").agg(pl.col("session").max()).iter_rows())
    late = [market for market, session in expected.items() if newest.get(market, date.min) < session]
    message = f"features do not reach the cutoff: {', '.join(late)}" if late else "features reach the cutoff"
    return Verdict(REACH, not late, Severity.ERROR, "features_not_ready" if late else "ok", message)


def no_look_ahead(features: pl.DataFrame, held: pl.DataFrame) -> Verdict:
    """No feature is associated with later returns beyond what an honest one can be.

    Too short a history to check anything is no leak and says so.
    """
    found = association_leaks(features, held, FEATURE_NAMES)
    return Verdict(
        LEAKAGE,
        not found.leaks,
        Severity.ERROR,
        str(found.reason),
        leak_message(found),
        {"compared": found.comparisons},
    )


def leak_message(found: LeakVerdict) -> str:
    """What was found, in one line."""
    if found.reason is LeakReason.NOTHING_CHECKED:
        return "too few sessions to compare any feature with later returns"
    if not found.leaks:
        return f"{found.comparisons} comparisons of features with later returns, none beyond its bound"
    named = "; ".join(
        f"{leak.feature} in {leak.market} {leak.lead or 'the label'} ahead: {leak.correlation:+.2f}, "
        f"bound {leak.bound:.2f}"
        for leak in found.leaks
    )
    return f"features that know the future: {named}"
