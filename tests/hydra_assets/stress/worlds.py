"""Worlds to stress: flat ones whose lots are known, and a noisy one whose signal earns."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hydra_assets.replay.batched import replay
from hydra_assets.replay.decisions import DecisionKind, Decisions
from hydra_assets.replay.market import MarketArrays
from hydra_assets.replay.tables import ReplayConfig
from hydra_assets.stress.path_replay import PathBooks
from hydra_assets.stress.paths import PathBatch
from tests.hydra_assets.replay.worlds import MULTIPLIER, terms, world

Floats = NDArray[np.float64]


def known_lots(*most: float, sessions: int = 24, settle: Any = 80.0) -> tuple[MarketArrays, Decisions]:
    """Markets in which as many lots are held as ``most`` says, signed: all in for Kelly, bounded by the market's limit.

    At 1,000,000 of capital and a volatility of 2 % of 80 (640 in money a lot) the volatility target alone would allow
    0.1 / sqrt(252) / sqrt(2 + 2 * 0.3) * 1,000,000 / 640 = 6 lots in each of two markets.
    """
    limits = replace(terms(len(most)), max_position_contracts=np.abs(np.array(most)))
    prices = np.broadcast_to(np.asarray(settle, dtype=np.float64).reshape(-1, 1), (sessions, len(most)))
    shares = np.broadcast_to(np.sign(most), (1, sessions, len(most))).copy()
    return world(prices, terms=limits), Decisions(DecisionKind.KELLY, shares)


def earning(sessions: int = 300, markets: int = 3, edge: float = 0.15, seed: int = 1) -> tuple[MarketArrays, Decisions]:
    """Student-t returns with common shocks; a persistent signal that knows a part of the return two sessions on."""
    random = np.random.default_rng(seed)
    shape = (sessions, markets)
    chi = random.chisquare(4.0, (sessions, 1)) / 4.0
    common = random.standard_normal((sessions, 1))
    z = (0.6 * common + 0.8 * random.standard_normal(shape)) / np.sqrt(chi) / np.sqrt(2.0)
    settle = 80.0 * np.exp(np.cumsum(0.015 * z, axis=0))
    change = np.zeros(shape)
    change[1:] = MULTIPLIER * np.diff(settle, axis=0)
    noise = random.standard_normal(shape)
    state = np.zeros(shape)
    for t in range(1, sessions):
        state[t] = 0.8 * state[t - 1] + 0.6 * noise[t]
    signal = state.copy()
    signal[:-2] += edge / 0.15 * z[2:]
    prices = world(settle, adv=random.uniform(4_000.0, 6_000.0, shape), sigma_daily=np.full(shape, 0.015))
    return prices, Decisions(DecisionKind.PROBABILITY, np.clip(0.5 + 0.05 * signal, 0.0, 1.0)[None])


def assert_same_books(paths: PathBatch, books: PathBooks, told: ReplayConfig) -> None:
    """Compare all paths with the public replay of each."""
    for path in range(paths.shape[2]):
        one = paths.world(path)
        decisions = Decisions(DecisionKind.KELLY, one.wishes.shares[None], one.wishes.factor)
        expected = replay(one.market, decisions, told)
        np.testing.assert_array_equal(books.net_cents[path], expected.net_cents[0])
        assert expected.positions is not None
        np.testing.assert_array_equal(books.positions[path], expected.positions[0])
        assert books.transitions[path] == expected.breakers.of(0)
        np.testing.assert_array_equal(books.fault[path], expected.fault)
