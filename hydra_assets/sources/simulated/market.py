"""One simulated market up to a date: latent path, contracts and curve, computed once and shared by its datasets."""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import numpy as np

from hydra_assets.markets.model import MarketSpec
from hydra_assets.sources.simulated.curve import Curve, simulate_curve
from hydra_assets.sources.simulated.listing import Futures, OptionSeries, futures_of, option_series_of
from hydra_assets.sources.simulated.states import LatentPath, simulate
from hydra_assets.sources.simulated.world import World


@dataclass(frozen=True, slots=True)
class SimulatedMarket:
    """Path, contracts and prices of one market from the world's start to a last session, in that session's view."""

    path: LatentPath
    futures: Futures
    series: OptionSeries | None
    curve: Curve

    def rows(self, first: date, last: date) -> slice:
        """Numbers of the sessions from first to last, both included."""
        return slice(self.path.index(first), int((self.path.sessions <= np.datetime64(last, "D")).sum()))


def build_market(spec: MarketSpec, world: World, seed: int, start: date, last: date) -> SimulatedMarket | None:
    """The market from the first session at or after ``start`` to ``last``; None where there is no session between."""
    return _build(spec.model_dump_json(), world, seed, start, last)


@lru_cache(maxsize=16)
def _build(spec_json: str, world: World, seed: int, start: date, last: date) -> SimulatedMarket | None:
    spec = MarketSpec.model_validate_json(spec_json)
    path = simulate(spec, world, seed, start, last)
    if not len(path.sessions):
        return None
    futures = futures_of(spec, path.sessions, path.model.listed_futures)
    series = option_series_of(spec, path.sessions, futures, path.model.listed_expiries)
    return SimulatedMarket(path, futures, series, simulate_curve(path, futures))
