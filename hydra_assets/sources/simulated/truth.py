"""What the embedded market hides: latent states, true densities, and what could at best be earned from them.

Nothing that computes a signal may import this module (an import contract says so): it exists for tests, studies and
the healing benchmark. Truth is written to a directory of its own by an explicit call, never by ``fetch``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.markets.contracts import future_id
from hydra_assets.markets.expiry import front_contracts
from hydra_assets.markets.model import MarketSpec
from hydra_assets.sources.cftc.calendar import release_time
from hydra_assets.sources.simulated.curve import settles
from hydra_assets.sources.simulated.market import SimulatedMarket, build_market
from hydra_assets.sources.simulated.mixture import MINOR_WEIGHT, mixture
from hydra_assets.sources.simulated.positions import is_reported, report_dates
from hydra_assets.sources.simulated.states import decay, edge_size
from hydra_assets.sources.simulated.surface import surface_of
from hydra_assets.sources.simulated.world import SESSIONS_PER_YEAR, Edge, World

Array = NDArray[np.float64]

RISK_PER_MARKET = 1000.0
"""Currency units of daily standard deviation that one unit of signal is given: a few lots of any market."""
ADJUSTMENT = 0.25
"""Share of the way from the held to the wanted position that the oracle trades in a session."""


class Knowledge(StrEnum):
    """What the oracle knows at a session's cutoff, besides the world's parameters."""

    PUBLISHED = "published"
    """The options' view without quote noise, and the positions of the newest report that was public by then."""
    LATENT = "latent"
    """The options' view and the positions themselves."""


def world_truth(
    world: World, seed: int, specs: Sequence[MarketSpec], start: date, last: date
) -> dict[str, pl.DataFrame]:
    """Frames of the truth: ``latent`` per market and session, ``density`` per market, session and expiry.

    ``latent``: regime, volatility multiplier, view, position, gap, the edge's size and the mean of the next session's
    return of the front contract. ``density``: forward, total variance and the mixture's parameters, in force at the
    session's settlement.
    """
    latent, density = [], []
    for spec in specs:
        market = build_market(spec, world, seed, start, last)
        if market is not None:
            latent.append(_latent(market))
            if market.series is not None:
                density.append(_density(market))
    return {"latent": pl.concat(latent), "density": pl.concat(density)}


def write_truth(
    directory: Path, world: World, seed: int, specs: Sequence[MarketSpec], start: date, last: date
) -> list[Path]:
    """Write the truth's frames as Parquet into a directory of its own, with ``world.json`` beside them."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, frame in world_truth(world, seed, specs, start, last).items():
        file = directory / f"{name}.parquet"
        frame.write_parquet(file)
        written.append(file)
    file = directory / "world.json"
    file.write_text(world.model_dump_json(indent=1), encoding="utf-8")
    return [*written, file]


@dataclass(frozen=True, slots=True)
class Attainable:
    """Annual Sharpe ratios of the oracle over a span of sessions, markets pooled.

    ``expected`` has the mean of the known drift earned less costs in its numerator, ``realised`` the mean of the
    profit itself: the second is the first plus the luck of the span. ``gross`` is ``expected`` before costs.
    """

    expected: float
    realised: float
    gross: float
    by_market: Mapping[str, float]


def attainable_sharpe(
    world: World,
    seed: int,
    specs: Sequence[MarketSpec],
    start: date,
    sessions: tuple[int, int],
    knowledge: Knowledge = Knowledge.PUBLISHED,
    belief: Edge | None = None,
) -> Attainable:
    """What an oracle that knows the world's parameters earns in sessions [first, last) of the world, net of costs.

    At each cutoff it wants ``edge * E[gap | known] / sd`` lots of the front contract, per market, and trades a quarter
    of the way. A lot traded costs half the spread, the fee and Y sigma price sqrt(Q / ADV), Q the lots of the session;
    a roll costs both sides of the lots held. Profit runs from the settlement of the decision's session to the next.
    With ``belief`` it trades as if that were the edge: a recipe that is wrong, or was right before the break.
    """
    first, last = sessions
    net, expected, gross, by_market = dict[date, float](), dict[date, float](), dict[date, float](), dict[str, float]()
    for spec in specs:
        end = date(start.year + last // SESSIONS_PER_YEAR + 2, 1, 1)
        market = build_market(spec, world, seed, start, end)
        if market is None:
            continue
        days, mean, cost, profit = _oracle(market, knowledge, belief or world.edge, first, last)
        by_market[spec.symbol] = _sharpe(mean - cost, profit - cost)
        for i, day in enumerate(days):
            net[day] = net.get(day, 0.0) + profit[i] - cost[i]
            expected[day] = expected.get(day, 0.0) + mean[i] - cost[i]
            gross[day] = gross.get(day, 0.0) + mean[i]
    risk = np.array(list(net.values()))
    return Attainable(
        expected=_sharpe(np.array(list(expected.values())), risk),
        realised=_sharpe(risk, risk),
        gross=_sharpe(np.array(list(gross.values())), risk),
        by_market=by_market,
    )


def _sharpe(mean: Array, risk: Array) -> float:
    sd = float(np.std(risk)) if len(risk) else 0.0
    return float(np.mean(mean)) / sd * SESSIONS_PER_YEAR**0.5 if sd > 0 else 0.0


def _front(market: SimulatedMarket) -> NDArray[np.int64]:
    """Number of the front contract of each session, ``[n]``."""
    sessions = pl.Series(market.path.sessions).cast(pl.Date)
    position = {month: i for i, month in enumerate(market.futures.months)}
    return np.array([position[month] for month in front_contracts(market.path.spec, sessions).to_list()])


def expected_gap(market: SimulatedMarket, knowledge: Knowledge) -> Array:
    """Gap between the options' view and the positions as the oracle sees it at each session's cutoff, ``[n]``."""
    path = market.path
    if knowledge is Knowledge.LATENT:
        return path.gap
    days = path.sessions.astype("datetime64[D]").tolist()
    dates = [d for d in report_dates(days[0], days[-1]) if is_reported(path, d)]
    released = np.array([release_time(d).date() for d in dates], dtype="datetime64[D]")
    # Released at 15:30 New York: before that session's cutoff. The newest report by then, not the newest release.
    newest = np.searchsorted(np.maximum.accumulate(released), path.sessions, side="right") - 1
    about = np.array([max(path.index(d) - (not _is_session(path.sessions, d)), 0) for d in dates], dtype=np.int64)
    known = newest >= 0
    source = about[np.maximum(newest, 0)] if len(about) else np.zeros(len(days), dtype=np.int64)
    faded = decay(path.world.position_half_life) ** (np.arange(len(days)) - source)
    position = np.where(known, path.position[source] * faded, 0.0)
    return np.asarray((path.view - position) / np.sqrt(2))


def _is_session(sessions: NDArray[np.datetime64], day: date) -> bool:
    return bool(np.isin(np.datetime64(day, "D"), sessions))


def _oracle(
    market: SimulatedMarket, knowledge: Knowledge, believed: Edge, first: int, last: int
) -> tuple[list[date], Array, Array, Array]:
    """Days, known mean, cost and profit of holding from session k to k + 1, for k in [first, last)."""
    path, spec = market.path, market.path.spec
    n = len(path.sessions)
    last = min(last, n - 1)
    right = believed == path.world.edge
    edge = np.array([edge_size(believed, k, bool(path.edge_on[k]) if right else True) for k in range(n)])
    front = _front(market)
    price = settles(path, market.curve)
    rows = np.arange(n - 1)
    held = front[:-1]
    now, then = price[rows, held], price[rows + 1, held]
    sd = market.curve.sd[rows + 1, held]
    lot = spec.multiplier * now
    signal = edge[:-1] * np.sqrt(SESSIONS_PER_YEAR) * expected_gap(market, knowledge)[:-1]
    wanted = RISK_PER_MARKET * signal / (sd * lot)
    lots = np.zeros(n - 1)
    for k in range(first, last):
        before = lots[k - 1] if k > first else 0.0
        lots[k] = before + ADJUSTMENT * (wanted[k] - before)
    previous = np.concatenate([[0.0], lots[:-1]])
    traded = np.abs(lots - previous)
    rolled = np.concatenate([[False], held[1:] != held[:-1]])
    traded = traded + np.where(rolled, 2 * np.abs(previous), 0.0)
    liquidity = spec.liquidity
    per_lot = liquidity.half_spread_ticks * spec.tick * spec.multiplier + liquidity.fee_per_contract
    impact = liquidity.impact_y * sd * lot * np.sqrt(traded / liquidity.typical_daily_volume)
    span = slice(first, last)
    mean = lots * lot * market.curve.drift[rows + 1, held]
    days = path.sessions[1:][span].astype("datetime64[D]").tolist()
    return days, mean[span], (traded * (per_lot + impact))[span], (lots * spec.multiplier * (then - now))[span]


def _latent(market: SimulatedMarket) -> pl.DataFrame:
    path = market.path
    n = len(path.sessions)
    front = _front(market)
    following = np.minimum(np.arange(n) + 1, n - 1)
    drift = market.curve.drift[following, front]
    drift[-1] = np.nan
    return pl.DataFrame(
        {
            "market": pl.repeat(path.spec.symbol, n, eager=True),
            "session": pl.Series(path.sessions).cast(pl.Date),
            "number": np.arange(n),
            "stressed": path.stressed,
            "vol_multiplier": path.scale,
            "view": path.view,
            "position": path.position,
            "gap": path.gap,
            "edge_sds_per_gap": [edge_size(path.world.edge, k, bool(path.edge_on[k])) for k in range(n)],
            "front_contract": [future_id(path.spec.root, market.futures.months[i]) for i in front],
            "next_return_mean": drift,
        }
    )


def _density(market: SimulatedMarket) -> pl.DataFrame:
    path, series = market.path, market.series
    if series is None:
        msg = f"{path.spec.symbol} has no options"
        raise ValueError(msg)
    surface = surface_of(path, market.futures, series, market.curve, slice(0, len(path.sessions)))
    row, which = np.nonzero(series.listed)
    variance, shift = surface.variance[row, which], surface.shift[row, which]
    density = mixture(variance, shift)
    return pl.DataFrame(
        {
            "market": pl.repeat(path.spec.symbol, len(row), eager=True),
            "session": pl.Series(path.sessions[row]).cast(pl.Date),
            "expiry": pl.Series(series.expiry[which]).cast(pl.Date),
            "forward": surface.forward[row, which],
            "total_variance": variance,
            "minor_weight": np.full(len(row), MINOR_WEIGHT),
            "minor_mean": density.mean_minor,
            "major_mean": density.mean_major,
            "minor_sd": density.sd_minor,
            "major_sd": density.sd_major,
        }
    )
