"""What each feature group is worth, and what a recipe does in a sentiment blackout: ``python -m studies.ablation``.

Worlds of the statistical tier (``studies.worlds``) with an edge that is constant and never breaks. A group that is left
out is missing in training and in prediction, in every session. Two recipes: the standing boosted one with the features
that it has, and ``BROAD``, which has all of them and believes nothing beforehand. Every figure is out of sample and
after costs; differences are taken world by world.

A blackout in the test folds is another thing: the model and its calibration were made with the groups, and their
features are then missing whenever it decides.
"""

import argparse
import json
import multiprocessing
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
import polars as pl

from hydra_assets.evaluation.evidence import Played
from hydra_assets.evaluation.strategies import played, walked
from hydra_assets.features.dictionary import FEATURES, Group
from hydra_assets.models.labelled import KEY, calendar_of, feature_matrix, labelled_rows, outcomes, target
from hydra_assets.models.lightgbm_model import LightGbm
from hydra_assets.models.out_of_fold import out_of_fold
from hydra_assets.models.recalibrated import learned, recalibrated
from hydra_assets.models.recipe import BOOSTED, FIRST_RECIPES, Recipe
from hydra_assets.models.splits import fold_masks, open_folds
from hydra_assets.models.weights import average_uniqueness
from hydra_assets.replay.inputs import market_arrays
from hydra_assets.stats.returns import Floats
from studies.recipes import markdown, sharpe, with_held_contracts
from studies.worlds import EDGES, WorldFrames, fast_worlds

FIRST_SEED = 50_001
"""Seeds that nothing was chosen on and that no other study reports."""
AT_ONCE = 3
BROAD = Recipe(
    model=LightGbm(
        trees=100, learning_rate=0.03, leaves=4, min_rows_per_leaf=200, l2=50.0, feature_share=0.3, row_share=0.7
    ),
    refit_sessions=126,
)
"""All features. As shallow and as shrunk as the standing recipe, with more trees, as no prior does their work; refitted
every half year to halve the fits of the study."""
RECIPES: Mapping[str, Recipe] = {"broad": BROAD, BOOSTED: FIRST_RECIPES[BOOSTED]}
SENTIMENT = frozenset({Group.CROWD, Group.SENTIMENT, Group.DIVERGENCE})
"""Every group that a trader's opinion goes into: positions, headlines, posts, order flow, and the gap to them."""
SHOWN = {"net": (1.0, 2), "ic": (100.0, 2), "brier": (1e4, 1)}
"""Measures of the group tables, each with its scale and digits."""
FULL, TESTED, DARK, NIGHT = "full", "with all in the test folds", "sentiment out, test folds", "all out, test folds"
BLACKOUT = "sentiment out, throughout"


@dataclass(frozen=True, slots=True)
class Measures:
    """One variant over its tested sessions."""

    net: float
    """Annual net Sharpe ratio."""
    brier: float
    base_brier: float
    """Of the base rate that was known at each decision."""
    ic: float
    """Rank correlation of probability above the base rate with the return, mean of the markets'; 0 without a spread."""
    held: float
    """Share of market sessions with a position."""
    lots: float
    """Mean absolute position."""
    unpredicted: int
    """Tested decisions without a probability."""


@dataclass(frozen=True, slots=True)
class Found:
    """One world: measures by recipe and variant."""

    edge: float
    seed: int
    variants: Mapping[str, Mapping[str, Measures]]


def groups_in(recipe: Recipe) -> list[Group]:
    """Groups that the recipe has a feature of."""
    return [group for group in Group if any(f.group is group and f.name in recipe.features for f in FEATURES)]


def without(rows: pl.DataFrame, groups: Collection[Group]) -> pl.DataFrame:
    """Rows of ``feature_vector``, or of some of its features, in which some groups are missing."""
    names = [feature.name for feature in FEATURES if feature.group in groups and feature.name in rows.columns]
    return rows.with_columns(pl.lit(None, rows.schema[name]).alias(name) for name in names)


def ablated(features: pl.DataFrame, labels: pl.DataFrame, recipe: Recipe) -> dict[str, pl.DataFrame]:
    """Calibrated walk-forwards by variant: full, each group left out, each alone, a blackout throughout."""
    groups = groups_in(recipe)
    kept: dict[str, set[Group]] = {FULL: set(groups), BLACKOUT: set(groups) - SENTIMENT}
    for group in groups:
        kept[f"without {group}"] = set(groups) - {group}
        kept[f"only {group}"] = {group}
    return {name: walked(without(features, set(Group) - stay), labels, recipe) for name, stay in kept.items()}


def blacked_out(
    features: pl.DataFrame, labels: pl.DataFrame, recipe: Recipe, dark: Mapping[str, Collection[Group]]
) -> dict[str, pl.DataFrame]:
    """Calibrated walk-forwards of models that were made with all groups and decide without some.

    Parameters
    ----------
    features, labels, recipe
        As for ``out_of_fold``.
    dark
        Groups that are missing in the test folds, by variant. Calibration is learned from what the models said with
        all of them, as that of a champion is whose feed breaks.
    """
    rows = labelled_rows(features, labels, recipe.features, recipe.label)
    matrix, up, calendar = feature_matrix(rows, recipe.features), target(rows), calendar_of(rows)
    seen = {name: feature_matrix(without(rows, groups), recipe.features) for name, groups in dark.items()}
    clear = out_of_fold(features, labels, recipe).predictions
    raw = {name: np.full(len(rows), np.nan) for name in seen}
    own = np.full(len(rows), np.nan)
    for fold in open_folds(rows["session"].to_list(), recipe.plan):
        train = np.flatnonzero(fold_masks(fold, rows).train & np.isfinite(up))
        weights = average_uniqueness(rows[train], calendar)
        fitted = recipe.model.fit(matrix[train], up[train], weights, recipe.features, recipe.seed)
        tested = rows["session"].is_between(fold.test_first, fold.test_last).to_numpy()
        own[tested] = fitted.probability(matrix[tested])
        for name, values in seen.items():
            raw[name][tested] = fitted.probability(values[tested])
    made = _said(clear, rows, own)
    out = {TESTED: recalibrated(made, labels, recipe)}
    parts = made.partition_by("fold", maintain_order=True)
    found = [learned(made, labels, recipe, part["trained_until"][0]).calibrator for part in parts]
    for name, values in raw.items():
        said = _said(clear, rows, values).partition_by("fold", maintain_order=True)
        out[name] = pl.concat(
            part.with_columns(
                pl.Series("probability_up", calibrate(part["probability_raw"].to_numpy())),
                pl.Series("base_rate", calibrate(part["base_raw"].to_numpy())),
            )
            for part, calibrate in zip(said, found, strict=True)
        )
    return out


def _said(clear: pl.DataFrame, rows: pl.DataFrame, raw: Floats) -> pl.DataFrame:
    """Predictions with other raw probabilities ``[n]`` of all rows."""
    other = rows.select(KEY).with_columns(pl.Series("probability_raw", raw, nan_to_null=True))
    return clear.drop("probability_raw").join(other, on=KEY, how="left", maintain_order="left")


def measured(world: WorldFrames, walks: Mapping[str, pl.DataFrame], recipe: Recipe) -> dict[str, Measures]:
    """Replay variants of a recipe in one pass and measure each from the first tested session on."""
    market, recipes = market_arrays(with_held_contracts(world.curve), world.specs), dict.fromkeys(walks, recipe)
    result = played(walks, recipes, market)
    play = Played(recipes, walks, market, result)
    known = outcomes(world.labels, recipe.label)
    out = {}
    for place, (name, rows) in enumerate(walks.items()):
        span = play.span(name, world.last)
        lots = np.abs(result.positions[place, span]) if result.positions is not None else np.zeros((1, 1))
        done = rows.drop_nulls("probability_up").join(known, on=KEY, how="inner", maintain_order="left")
        up = target(done)
        out[name] = Measures(
            net=sharpe(play.returns(name)[span]),
            brier=float(np.mean((done["probability_up"].to_numpy() - up) ** 2)),
            base_brier=float(np.mean((done["base_rate"].to_numpy() - up) ** 2)),
            ic=information(done),
            held=float(np.mean(lots > 0)),
            lots=float(np.mean(lots)),
            unpredicted=rows["probability_up"].null_count(),
        )
    return out


def information(done: pl.DataFrame) -> float:
    """Rank correlation of what is bet on with what it earned, mean over markets."""
    bet = (pl.col("probability_up") - pl.col("base_rate")).alias("bet")
    by_market = done.with_columns(bet).group_by("market").agg(pl.corr("bet", "label_return", method="spearman"))
    mean = by_market["bet"].fill_nan(0.0).fill_null(0.0).mean()
    return mean if isinstance(mean, float) else 0.0


def studied(edge: float, world: WorldFrames) -> Found:
    """All variants of all recipes in one world."""
    found = {}
    for name, recipe in RECIPES.items():
        walks = ablated(world.features, world.labels, recipe)
        walks |= blacked_out(world.features, world.labels, recipe, {DARK: SENTIMENT, NIGHT: set(Group)})
        found[name] = measured(world, walks, recipe)
    return Found(edge, world.seed, found)


def _values(found: Sequence[Found], recipe: str, variant: str, name: str) -> Floats:
    return np.array([getattr(world.variants[recipe][variant], name) for world in found], dtype=np.float64)


def spread(values: Floats, scale: float = 1.0, digits: int = 2) -> str:
    """Mean of worlds with its standard error."""
    found = values * scale
    return f"{found.mean():+.{digits}f} ± {found.std(ddof=1) / len(found) ** 0.5:.{digits}f}"


def report(found: Sequence[Found]) -> str:
    """Tables of the study: levels, groups left out and alone, blackouts."""
    parts = []
    for name, recipe in RECIPES.items():
        parts.append(f"### {name}: {len(recipe.features)} features, {len(found)} worlds\n\n" + _groups(found, name))
    parts.append("### Blackouts\n\n" + _blackouts(found))
    return "\n\n".join(parts)


def _groups(found: Sequence[Found], name: str) -> str:
    recipe = RECIPES[name]

    def cells(variant: str, against: str | None) -> list[str]:
        out: list[str] = []
        for column, (scale, digits) in SHOWN.items():
            # Without a model: no position, no spread, the base rate's own score.
            bare = _values(found, name, FULL, "base_brier") if column == "brier" else np.zeros(len(found))
            reference = bare if against is None else _values(found, name, against, column)
            out.append(spread(_values(found, name, variant, column) - reference, scale, digits))
        return out

    rows = [["all", str(len(recipe.features)), *cells(FULL, None), "", "", ""]]
    for group in groups_in(recipe):
        count = sum(feature.group is group and feature.name in recipe.features for feature in FEATURES)
        rows.append([str(group), str(count), *cells(f"only {group}", None), *cells(f"without {group}", FULL)])
    alone = ("net Sharpe alone", "IC alone, %", "Brier alone less base rate's, 1e-4")
    out = ("left out: net Sharpe", "left out: IC, points", "left out: Brier, 1e-4")
    return markdown(("group", "features", *alone, *out), rows)


def _blackouts(found: Sequence[Found]) -> str:
    rows = []
    for name in RECIPES:
        for variant, against in ((FULL, None), (BLACKOUT, FULL), (TESTED, None), (DARK, TESTED), (NIGHT, TESTED)):
            net = _values(found, name, variant, "net")
            ic = _values(found, name, variant, "ic")
            changed = "" if against is None else spread(net - _values(found, name, against, "net"))
            rows.append(
                (
                    name,
                    variant,
                    spread(net),
                    changed,
                    spread(ic, 100.0),
                    f"{_values(found, name, variant, 'held').mean():.0%}",
                    f"{_values(found, name, variant, 'lots').mean():.2f}",
                    f"{_values(found, name, variant, 'unpredicted').sum():.0f}",
                )
            )
    head = ("recipe", "variant", "net Sharpe", "paired change", "IC, %", "sessions held", "mean lots", "no probability")
    return markdown(head, rows)


def _chunk(job: tuple[float, Sequence[int], int]) -> list[Found]:
    edge, seeds, years = job
    return [studied(edge, world) for world in fast_worlds(EDGES[edge], seeds, years)]


def _read(line: str) -> Found:
    data = json.loads(line)
    variants = {r: {v: Measures(**m) for v, m in found.items()} for r, found in data["variants"].items()}
    return Found(data["edge"], data["seed"], variants)


def main() -> None:
    """Run the worlds and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=24)
    parser.add_argument("--edge", type=float, default=2.0, choices=[*EDGES])
    parser.add_argument("--years", type=int, default=5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--figures", type=Path, help="JSON lines by world: those in it are not made again")
    asked = parser.parse_args()
    os.environ["POLARS_MAX_THREADS"] = "1"
    lines = asked.figures.read_text(encoding="utf-8").splitlines() if asked.figures and asked.figures.exists() else []
    found = [world for world in map(_read, lines) if world.edge == asked.edge]
    have = {world.seed for world in found}
    seeds = [seed for seed in range(FIRST_SEED, FIRST_SEED + asked.worlds) if seed not in have]
    jobs = [(asked.edge, seeds[i : i + AT_ONCE], asked.years) for i in range(0, len(seeds), AT_ONCE)]
    began = perf_counter()
    with multiprocessing.get_context("spawn").Pool(asked.workers) as pool:
        for done in pool.imap_unordered(_chunk, jobs):
            found += done
            print(f"{len(found)} worlds, {perf_counter() - began:.0f} s", flush=True)
            if asked.figures:
                with asked.figures.open("a", encoding="utf-8") as file:
                    file.writelines(json.dumps(asdict(world)) + "\n" for world in done)
    print(report(sorted(found, key=lambda world: world.seed)))


if __name__ == "__main__":
    main()
