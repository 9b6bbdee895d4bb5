"""Chains of a thin market around a known truth: the design of the accuracy study.

Every choice, where the design leaves one:

- strikes are even in ln(K/F), symmetric about F, and measured in standard deviations of the truth itself; out-of-the-
  money options only, and none exactly at F;
- the half-spread is a share of the option's true price, at least half a tick;
- the mid is displaced from the true price by a normal of half a half-spread, cut at nine tenths of one: the true price
  lies between bid and ask, as a market maker's quote has it;
- bids are rounded down to the tick and asks up; a bid that is thereby below one tick is none;
- a stale quote is a fair one of an earlier time, when the forward stood elsewhere: it is made in the same way around
  the price at a forward that is moved by a normal of a quarter of a standard deviation (some four sessions of 63), a
  move of its own for each stale quote;
- a cell and draw has a random stream of its own, so that a part of the study has the numbers of the whole, and a new
  truth moves none of the others; its clean and stale chains share strikes and noise.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import product
from zlib import crc32

import numpy as np
import polars as pl

from hydra_assets.columns import OPTION_QUOTES
from studies.truths import FORWARD, YEARS, Floats, moments, truth

TICK = 0.025
STRIKES: dict[int, float] = {8: 1.25, 12: 1.6, 20: 2.0, 40: 2.5}
"""Number of strikes, and how many standard deviations they reach on either side."""
HALF_SPREADS = (0.01, 0.05, 0.15)
STALE_SHARE = 0.12
STALE_MOVE_SDS = 0.25
DRAWS = 5
NOISE_HALF_SPREADS = 0.5
MAX_NOISE_HALF_SPREADS = 0.9
SEED = 20_260_101
SESSION = date(2026, 1, 5)
EXPIRY = SESSION + timedelta(days=91)


@dataclass(frozen=True, slots=True)
class Cell:
    """One chain of the study."""

    truth: str
    strikes: int
    half_spread: float
    stale: bool
    draw: int

    @property
    def name(self) -> str:
        """What the frames of the pipeline call its market: each cell is a market of its own."""
        kind = "stale" if self.stale else "clean"
        return f"{self.truth}-{self.strikes}-{round(100 * self.half_spread)}-{kind}-{self.draw}"


def design(truths: tuple[str, ...], draws: int = DRAWS) -> list[Cell]:
    """All cells, 120 a truth at five draws."""
    return [Cell(*parts) for parts in product(truths, STRIKES, HALF_SPREADS, (False, True), range(draws))]


def strikes_of(cell: Cell) -> Floats:
    """Strikes, ascending."""
    reach = STRIKES[cell.strikes] * moments(truth(cell.truth)).sd
    strikes: Floats = FORWARD * np.exp(np.linspace(-reach, reach, cell.strikes))
    return strikes


def bids_and_asks(cell: Cell) -> tuple[Floats, Floats, Floats]:
    """Strikes, bids (NaN where there is none) and asks."""
    law, strike = truth(cell.truth), strikes_of(cell)
    random = np.random.default_rng(
        [SEED, crc32(cell.truth.encode()), cell.strikes, round(1e4 * cell.half_spread), cell.draw]
    )
    noise = np.clip(
        NOISE_HALF_SPREADS * random.standard_normal(len(strike)), -MAX_NOISE_HALF_SPREADS, MAX_NOISE_HALF_SPREADS
    )
    is_stale = random.random(len(strike)) < STALE_SHARE
    move = STALE_MOVE_SDS * moments(law).sd * random.standard_normal(len(strike))
    at = np.exp(np.where(is_stale & cell.stale, move, 0.0))
    call = at * law.call(strike / at)
    price = np.where(strike >= FORWARD, call, call - at * FORWARD + strike)
    half_spread = np.maximum(cell.half_spread * price, 0.5 * TICK)
    mid = price + noise * half_spread
    # A price that sits on a tick stays there: without the margin its last bit decides.
    bid = TICK * np.floor((mid - half_spread) / TICK + 1e-9)
    ask = TICK * np.ceil((mid + half_spread) / TICK - 1e-9)
    return strike, np.where(bid >= TICK, bid, np.nan), ask


def option_quotes(cells: list[Cell]) -> pl.DataFrame:
    """The chains as rows of ``option_quotes`` with ``rate``: European, undiscounted, seen at the close."""
    parts = []
    for cell in cells:
        strike, bid, ask = bids_and_asks(cell)
        right = np.where(strike >= FORWARD, "C", "P")
        parts.append(
            pl.DataFrame(
                {
                    "market": cell.name,
                    "option": [f"{cell.name}-{r}-{k:.4f}" for r, k in zip(right, strike, strict=True)],
                    "strike": strike,
                    "right": right,
                    "bid": pl.Series(bid).fill_nan(None),
                    "ask": ask,
                }
            )
        )
    constants = {
        "session": SESSION,
        "expiry": EXPIRY,
        "underlying_contract": "STUDY-2026-04",
        "underlying_settle": FORWARD,
        "underlying_age_sessions": 0,
        "days_to_expiry": (EXPIRY - SESSION).days,
        "year_fraction": YEARS,
        "quote_age_hours": 0.0,
        "exercise": "european",
        "margin_style": "premium_upfront",
    }
    rows = pl.concat(parts).with_columns(pl.lit(value).alias(name) for name, value in constants.items())
    return rows.select(
        *((pl.col(n) if n in rows.columns else pl.lit(None)).cast(t).alias(n) for n, t in OPTION_QUOTES.schema.items()),
        pl.lit(0.0).alias("rate"),
    )
