"""From the pipeline's frames to what the loop looks at."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl

from hydra_agent.arena import played, squared_errors, tested_span
from hydra_agent.view import UNKNOWN, Feed, FeedKind, Floats, GroupView, Outcomes, Reign, Walk
from hydra_assets.evaluation.evidence import EPOCH, pooled_regimes
from hydra_assets.features.dictionary import FEATURE_NAMES, FEATURES, Group
from hydra_assets.labels.known import LabelKind
from hydra_assets.models.labelled import outcomes, target
from hydra_assets.models.recipe import Recipe
from hydra_assets.registry.reigning import Champion, PromotionReason, champion_as_of
from hydra_assets.replay.inputs import aligned
from hydra_assets.replay.market import MarketArrays

OPTION_GROUPS, REPORT_GROUPS, TEXT_GROUPS = {Group.OPTIONS, Group.FLOWS}, {Group.CROWD}, {Group.SENTIMENT}
FEEDS = (
    Feed(
        "prices",
        FeedKind.PRICES,
        1,
        tuple(f.name for f in FEATURES if f.source == "futures_curve" and f.group is Group.CURVE),
    ),
    Feed("volumes", FeedKind.VOLUMES, 1, ("volume_ratio", "open_interest_change_20")),
    Feed("options", FeedKind.OPTIONS, 1, tuple(f.name for f in FEATURES if f.group in OPTION_GROUPS)),
    # A holiday in the week puts a release off by a session.
    Feed("reports", FeedKind.REPORTS, 6, tuple(f.name for f in FEATURES if f.group in REPORT_GROUPS), has_unit=False),
)


def view_of(
    features: pl.DataFrame, labels: pl.DataFrame, regimes: pl.DataFrame, curve: pl.DataFrame, market: MarketArrays
) -> GroupView:
    """View of a group from rows of ``feature_vector``, ``labels``, ``regimes`` and ``futures_curve``, and its arrays.

    All frames end with the same session; none has later rows.
    """
    columns = [aligned(features, name, market) for name in FEATURE_NAMES]
    found = {kind: _outcomes(labels, kind, market) for kind in LabelKind}
    own = found.pop(LabelKind.FIXED_HORIZON)
    levels, ages = zip(*(_feed(feed, features, curve, market) for feed in FEEDS), strict=True)
    return GroupView(
        market=market,
        regime=pooled_regimes(regimes, market) if len(regimes) else np.zeros(len(market.days), dtype=np.int64),
        feature_names=FEATURE_NAMES,
        features=np.stack(columns, axis=2),
        up=own.up,
        exit_row=own.exit_row,
        feeds=FEEDS,
        feed_level=np.stack(levels, axis=2),
        feed_age=np.stack(ages, axis=2),
        others=found,
    )


def _outcomes(labels: pl.DataFrame, kind: LabelKind, market: MarketArrays) -> Outcomes:
    known = outcomes(labels, kind)
    up = known.select("market", "session", pl.Series("up", target(known)))
    ends = known.select("market", "session", pl.col("exit_session").to_physical().cast(pl.Float64).alias("end"))
    end = aligned(ends, "end", market)
    row = np.searchsorted(market.days, np.nan_to_num(end, nan=-1.0).astype(np.int64))
    there = np.isfinite(end) & (row < len(market.days))
    return Outcomes(np.where(there, aligned(up, "up", market), np.nan), np.where(there, row, UNKNOWN).astype(np.int64))


def _feed(feed: Feed, features: pl.DataFrame, curve: pl.DataFrame, market: MarketArrays) -> tuple[Floats, Floats]:
    """Levels and ages of one feed, ``[T, M]`` each."""
    match feed.kind:
        case FeedKind.PRICES:
            level = market.settle
        case FeedKind.VOLUMES:
            # Of all contracts: the front's own falls with every roll, and that is no drought.
            published = curve.drop_nulls("volume").group_by("market", "session", maintain_order=True)
            level = aligned(published.agg(pl.col("volume").sum().cast(pl.Float64)), "volume", market)
        case FeedKind.OPTIONS:
            # A chain may be there and say nothing (a thin market); what counts is that it came.
            came = aligned(features, "slices_usable", market)
            level = aligned(features, "atm_vol", market)
            return _held(level), _age(np.isfinite(came), market)
        case _:
            report = aligned(features, "report_age_days", market)
            new = np.isfinite(report)
            # Against the last age that was seen: after a session without any, an older report is no new one.
            new[1:] &= ~(report[1:] > _held(report)[:-1])
            return np.full(report.shape, np.nan), _age(new, market)
    return _held(level), _age(np.isfinite(level), market)


def _held(level: Floats) -> Floats:
    """Newest value of each column, ``[T, M]``."""
    row = np.where(np.isfinite(level), np.arange(len(level))[:, None], -1)
    last = np.maximum.accumulate(row, axis=0)
    return np.where(last >= 0, np.take_along_axis(level, np.maximum(last, 0), axis=0), np.nan)


def _age(came: np.ndarray[tuple[int, ...], np.dtype[np.bool_]], market: MarketArrays) -> Floats:
    """Sessions of the market's own since something came, ``[T, M]``; its holidays do not count."""
    own = market.tradable | came
    number = np.cumsum(own, axis=0)
    at = np.maximum.accumulate(np.where(came, number, -1), axis=0)
    return np.where(at >= 0, (number - at).astype(np.float64), np.nan)


def walk_of(name: str, recipe: Recipe, predictions: pl.DataFrame, market: MarketArrays) -> Walk:
    """Walk from calibrated out-of-fold predictions (``recalibrated``)."""
    firsts = predictions.group_by("fold").agg(pl.col("session").min()).sort("fold")["session"]
    starts = np.searchsorted(market.days, firsts.to_physical().cast(pl.Int64).to_numpy())
    return Walk(
        name,
        recipe,
        aligned(predictions, "probability_up", market),
        aligned(predictions, "base_rate", market),
        tuple(int(start) for start in starts),
    )


def said_by(
    name: str, recipe: Recipe, features: pl.DataFrame, market: MarketArrays, champion: Callable[[date], Champion | None]
) -> Walk:
    """What the champions of each session said, from their own models: NaN where there was none."""
    probability, base = (np.full(market.settle.shape, np.nan) for _ in range(2))
    starts: list[int] = []
    days = [date.fromordinal(int(day) + EPOCH) for day in market.days]
    found = [champion(day) for day in days]
    t = 0
    while t < len(days):
        end = t
        while end < len(days) and found[end] is found[t]:
            end += 1
        if (reigning := found[t]) is not None:
            rows = features.filter(pl.col("session").is_between(days[t], days[end - 1]))
            said = rows.select("market", "session").hstack(reigning.model.predicted(rows))
            probability[t:end] = aligned(said, "probability_up", market)[t:end]
            base[t:end] = aligned(said, "base_rate", market)[t:end]
            starts.append(t)
        t = end
    return Walk(name, recipe, probability, base, tuple(starts))


def reigns_of(champions: Sequence[Champion]) -> list[tuple[date, Champion]]:
    """First promotion of each recipe in a row, in order of effect: a refit or an amendment goes on with the reign."""
    out: list[tuple[date, Champion]] = []
    for champion in sorted(champions, key=lambda each: each.after):
        begins = champion.reason == PromotionReason.FIRST_CHAMPION
        if not out or begins or out[-1][1].model.recipe != champion.model.recipe:
            out.append((champion.after, champion))
    return out


def reign_of(
    view: GroupView,
    features: pl.DataFrame,
    champions: Sequence[Champion],
    started: tuple[date, Champion],
    ended: date | None,
    trial: Walk,
    factors: Floats | None = None,
) -> Reign:
    """The reign of a recipe over the view's sessions.

    Parameters
    ----------
    view, features
        The group, and rows of ``feature_vector`` of the same sessions.
    champions
        All promotions of the group.
    started, ended
        Of ``reigns_of``: the first session before the reign with its champion; the session before the next, or None.
    trial
        Walk-forward of the recipe over the view: what it earned before the reign is what is expected of it.
    factors
        Size factors of the pipeline, ``[T, M]``.
    """
    after, first = started
    recipe = first.model.recipe
    since = int(np.searchsorted(view.days, after.toordinal() - EPOCH, side="right"))
    last = ended or date.fromordinal(int(view.days[-1]) + EPOCH)

    def champion(day: date) -> Champion | None:
        return champion_as_of(champions, day) if after < day <= last else None

    walk = said_by(first.model.name, recipe, features, view.market, champion)
    returns = played(view.market, [walk, trial], factors=factors)
    span = tested_span(view, [trial])
    before = slice(span.start, max(span.start, since))
    tried = returns.net[1, before]
    errors = squared_errors(view, trial)[before]
    net, gross = returns.net[0].copy(), returns.gross[0].copy()
    net[:since] = gross[:since] = np.nan
    return Reign(
        walk=walk,
        version=first.version,
        since=since,
        net=net,
        gross=gross,
        expected_net=float(tried.mean()) if len(tried) else 0.0,
        expected_sd=float(tried.std(ddof=1)) if len(tried) > 1 else 0.0,
        expected_brier=float(np.nanmean(errors)) if np.isfinite(errors).any() else 0.25,
    )


def session_of(view: GroupView, row: int) -> date:
    """Date of a row."""
    return date(1970, 1, 1) + timedelta(days=int(view.days[row]))
