"""The models on real data: corn judged by the gates; hogs, cattle, oats and rice loaded and scored.

``HYDRA_REAL_DATA=... uv run python -m studies.real_models`` loads that folder into two homes of real markets through
the jobs of a cycle and prints what came out: corn 2009 to 2023 with a model at every quarterly training date, and four
thin markets over the eleven weeks in which prices and reports overlap, without one. ``--homes DIR`` keeps the homes,
and reads them where they are already there.
"""

import argparse
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import sqlalchemy as sa

from hydra_assets.defs.group import GroupHistory
from hydra_assets.features.curve_group import held_returns
from hydra_assets.features.dictionary import FEATURES
from hydra_assets.home import HomeConfig, Span, write_home
from hydra_assets.lake import Lake
from hydra_assets.markets.loader import load_markets
from hydra_assets.models.labelled import feature_matrix, labelled_rows
from hydra_assets.models.protocol import unusable
from hydra_assets.models.recipe import LOGISTIC, STRATEGIES, THESIS, THESIS_FEATURES
from hydra_assets.models.splits import fold_masks, open_folds
from hydra_assets.sources.detect import detect_sources
from hydra_assets.state.db import connect
from hydra_assets.state.tables import judgements
from hydra_console.bootstrap.environment import ensure, stop
from hydra_console.runner import JobRequest, run_job
from studies.real_verdicts import judged, volume_ends, with_volume_carried_on
from studies.targets import show

NOW = "2026-11-20T23:45:00+00:00"
CORN = "ZC"
CORN_SPAN = {CORN: (date(2009, 1, 2), date(2023, 8, 31))}
"""From the first report on file to the last price."""
WHOLE_UNTIL = date(2019, 12, 31)
"""From 2020 on the price file has a daily close on a part of the sessions only."""
THIN_SPANS = dict.fromkeys(("HE", "LE", "ZO", "ZR"), (date(2020, 7, 1), date(2021, 3, 31)))
"""Half a year of prices before the eleven reports, for the features that look back."""
OVERLAP = (date(2021, 1, 8), date(2021, 3, 26))
"""From the release of the first of the eleven reports of 2021 to a week after the last."""
Spans = Mapping[str, tuple[date, date]]


def load(home: Path, data: Path, spans: Spans, models: bool) -> None:
    """Make a home and run a cycle's jobs over each market's span; models and predictions where asked for."""
    os.environ |= {"HYDRA_HOME": str(home), "HYDRA_NOW": NOW}
    specs = load_markets()
    detected = detect_sources(data, [specs[symbol] for symbol in spans])
    first, last = min(a for a, _ in spans.values()), max(b for _, b in spans.values())
    config = HomeConfig(
        kind="real",
        markets=tuple(spans),
        history_start=first,
        history_end=last,
        data=str(data),
        spans={market: Span(first=a, last=b) for market, (a, b) in spans.items()},
        bindings={market: tuple(found) for market, found in detected.bindings.items()},
    )
    write_home(home, config)
    ensure(home)
    from hydra_assets.defs.downstream import downstream_runs  # noqa: PLC0415  the home must be there
    from hydra_assets.defs.jobs import DATASETS_JOB, REPORTS_JOB, range_tags, week_tags  # noqa: PLC0415

    jobs = [(REPORTS_JOB, week_tags(first, last))]
    jobs += [(DATASETS_JOB, range_tags([market], a, b)) for market, (a, b) in spans.items()]
    if models:
        jobs += downstream_runs(config, [specs[symbol] for symbol in spans], list(spans), first, last)
    with dg.DagsterInstance.get() as instance:
        for job, tags in jobs:
            outcome = run_job(instance, JobRequest("hydra_assets.definitions", job, tags))
            print(f"{job}: {sum(outcome.materialised.values())} partitions in {outcome.seconds:.0f} s", flush=True)
            for check in outcome.checks:
                if not check.passed:
                    print(f"    {check.asset} {check.check}: {check.description}", flush=True)
            if not outcome.success:
                raise RuntimeError("; ".join(f"{f.step}: {f.message}" for f in outcome.failures))


def in_its_own_process(home: Path, data: Path, spans: Spans, *, models: bool) -> None:
    """Load a home where no other's definitions are imported yet."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(load, home, data, spans, models).result()


def what_the_data_hold(history: GroupHistory, reports: pl.DataFrame) -> None:
    """Sessions, settles, volumes and reports by year."""
    front = held_returns(history.lake.read("futures_curve", markets=[CORN], last=history.last))
    year = pl.col("session").dt.year().alias("year")
    sessions = history.features.group_by(year).agg(pl.len().alias("sessions"))
    settled = front.group_by(year).agg(
        (pl.col("settle_age_sessions") == 0).sum().alias("front settled"),
        pl.col("volume").count().alias("with volume"),
        pl.col("held_return").count().alias("returns"),
        pl.col("days_to_last_trade").median().cast(pl.Int64).alias("front's days to last trade"),
    )
    weeks = reports.filter(pl.col("market") == CORN).group_by(pl.col("report_date").dt.year().alias("year"))
    labels = history.labels.filter(label_kind="fixed_horizon", label_reason="ok").group_by(year)
    print("\nCorn, what the data hold by year")
    parts = (
        settled,
        weeks.agg(pl.col("report_date").n_unique().alias("reports")),
        labels.agg(pl.len().alias("labels")),
    )
    for part in parts:
        sessions = sessions.join(part, on="year", how="left")
    show(sessions.sort("year").fill_null(0))


def which_features_there_are(history: GroupHistory) -> None:
    """Share of sessions with each of the recipes' features, why the others are absent, and what folds could use."""
    features = history.features
    reasons = features.select(pl.col("features_missing").str.split(",").explode()).to_series()
    why = reasons.value_counts().with_columns((pl.col("count") / features.height).alias("share of sessions"))
    print("\nCorn, absent groups of features with the reason, share of sessions")
    with pl.Config(fmt_str_lengths=60):
        show(why.sort("share of sessions", "features_missing", descending=[True, False]).drop("count"))
    recipe = STRATEGIES[LOGISTIC]
    rows = labelled_rows(features, history.labels, recipe.features, recipe.label)
    matrix, labelled = feature_matrix(rows, recipe.features), rows["label_class"].is_not_null().to_numpy()
    folds = open_folds(rows["session"].to_list(), recipe.plan)
    unused = [unusable(matrix[fold_masks(fold, rows).train & labelled], recipe.features) for fold in folds]
    groups = {feature.name: str(feature.group) for feature in FEATURES}
    first, last = (fold_masks(fold, rows).train.sum() for fold in (folds[0], folds[-1]))
    print(f"\nThe recipes' features; {len(folds)} folds, {first} labelled rows in the first, {last} in the last")
    table = [
        {
            "feature": name,
            "group": groups[name],
            "share of sessions": 1.0 - features[name].null_count() / features.height,
            "folds that could use it": sum(name not in found for found in unused),
            "unused because": ", ".join(sorted({str(found[name]) for found in unused if name in found})),
            "prior, log-odds a unit": THESIS.get(name, 0.0),
        }
        for name in THESIS_FEATURES
    ]
    show(pl.DataFrame(table))


def corn(home: Path) -> None:
    """Everything about corn."""
    lake, cutoff = Lake(str(home / "lake")), CORN_SPAN[CORN][1]
    history = GroupHistory(lake, (load_markets()[CORN],), cutoff)
    what_the_data_hold(history, lake.read("raw_cot_reports"))
    which_features_there_are(history)
    print("\nDivergence of corn, by type and reason")
    show(lake.read("divergence").group_by("divergence_type", "divergence_reason").agg(pl.len().alias("sessions")))
    with connect(os.environ["HYDRA_POSTGRES_URL"]).connect() as connection:
        codes = [row.code for row in connection.execute(sa.select(judgements.c.code))]
    print("\nWhat the quarterly training dates came to")
    show(pl.Series("outcome", codes).value_counts(name="dates").sort("outcome"))
    show(lake.read("predictions").group_by("prediction_reason").agg(pl.len().alias("predictions")))
    terms = history.market.terms
    money = (terms.half_spread_ticks * terms.tick * terms.multiplier).item()
    fee, impact = terms.fee_per_contract.item(), terms.impact_y.item()
    print(
        f"\nCosts a lot and side: half-spread {money:.2f}, fee {fee:.2f}, impact with Y = {impact:g}; capital 1,000,000"
    )
    ends = volume_ends(history.market)
    print(f"Average volume is known to {ends}; no size and no fill after it")
    judged(history, history.played, ends, f"Corn as the data are, {ends}: the last session with a volume")
    judged(
        history,
        history.played,
        cutoff,
        f"Corn as the data are, at the last session, {cutoff}: nothing trades after {ends}",
    )
    assumed, lots = with_volume_carried_on(history)
    for day in (WHOLE_UNTIL, cutoff):
        judged(history, assumed, day, f"Corn at {day} under the assumption that {lots:,.0f} lots a day went on trading")


def thin(home: Path) -> None:
    """What is there of the thin markets in the weeks in which prices and reports overlap."""
    lake, (first, last) = Lake(str(home / "lake")), OVERLAP
    rows = []
    for market in THIN_SPANS:
        reports = lake.read("raw_cot_reports").filter(
            (pl.col("market") == market) & (pl.col("family") == "disaggregated") & (pl.col("report_date") < last)
        )
        scores = lake.read("cot_scores", markets=[market], first=first, last=last)
        vector = lake.read("feature_vector", markets=[market], first=first, last=last)
        front = held_returns(lake.read("futures_curve", markets=[market], first=first, last=last))
        why = scores["crowd_reason"].value_counts().sort("count", descending=True)
        rows.append(
            {
                "market": market,
                "reports": reports["report_date"].n_unique(),
                "sessions": vector.height,
                "front settled": front.filter(pl.col("settle_age_sessions") == 0).height,
                "returns": front["held_return"].count(),
                **{name: vector[name].count() for name in ("carry", "momentum_20")},
                "newest net share": net[-1] if len(net := scores.sort("session")["net_share"].drop_nulls()) else None,
                "crowd_score": scores["crowd_score"].count(),
                "crowd_reason": ", ".join(f"{n} {reason}" for reason, n in why.iter_rows()),
            }
        )
    print(f"\nThin markets, {first} to {last}: sessions with each")
    with pl.Config(fmt_str_lengths=60):
        show(pl.DataFrame(rows))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--homes", type=Path, help="make the homes in here and keep them, or read them")
    options = parser.parse_args(arguments)
    data = os.environ.get("HYDRA_REAL_DATA")
    homes = (options.homes or Path(tempfile.mkdtemp(prefix="hydra-real-models-"))).absolute()
    os.environ.pop("HYDRA_POSTGRES_URL", None)
    try:
        for name, spans, read, models in (("corn", CORN_SPAN, corn, True), ("thin", THIN_SPANS, thin, False)):
            home = homes / name
            if not (home / "lake" / "feature_vector").exists():
                if not data:
                    raise SystemExit("HYDRA_REAL_DATA does not name the folder of real files")
                in_its_own_process(home, Path(data), spans, models=models)
            os.environ["HYDRA_HOME"] = str(home)
            ensure(home)
            read(home)
            os.environ.pop("HYDRA_POSTGRES_URL", None)
    finally:
        for name in ("corn", "thin"):
            if (homes / name).exists():
                stop(homes / name)
        if not options.homes:
            shutil.rmtree(homes, ignore_errors=True)


if __name__ == "__main__":
    main()
