"""The breakers of one account, session by session: findings from its books, moves on record."""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import sqlalchemy as sa

from hydra_assets.markets.model import MarketSpec
from hydra_assets.replay.breakers import BreakerConfig, MarketFindings
from hydra_assets.state.system import Demand
from hydra_exec.breakers.demand import demand_of
from hydra_exec.breakers.judge import AccountHistory, Move, judge
from hydra_exec.breakers.log import append, load
from hydra_exec.market_days import MarketDay
from hydra_exec.valuation import CENTS, Valuation

LOST_SIGHT_SESSIONS = 1_000
"""Age of a contract that is held and not listed any more."""


class AccountBreakers:
    """Where an account's machines stand; what it was worth before is read from its sessions on record."""

    def __init__(
        self,
        engine: sa.Engine,
        account: str,
        config: BreakerConfig,
        markets: Mapping[str, MarketSpec],
        equities: Sequence[tuple[date, int]],
        run_id: str = "",
    ) -> None:
        self._engine, self._account, self._config, self._markets = engine, account, config, markets
        self._run_id = run_id
        self._equities = list(equities)
        self._book = load(engine, account)

    def resting(self) -> tuple[bool, frozenset[str]]:
        """Whether the account's own machine rests, and which markets' do."""
        return self._book.account_rests, self._book.resting_markets

    @property
    def demand(self) -> Demand:
        """What they demand of the system's state."""
        return demand_of(self._book)

    def judge(self, session: date, valuation: Valuation, days: Mapping[str, MarketDay]) -> list[Move]:
        """Judge a session at its cutoff; the moves, which are on record when this returns.

        A market without a day was closed: its machine only cools.
        """
        before = [(day, equity) for day, equity in self._equities if day < session]
        self._equities = [*before, (session, valuation.equity)]
        history = AccountHistory(valuation.capital, self._equities)
        found = {symbol: self._findings(self._markets[symbol], valuation, day) for symbol, day in days.items()}
        moves = judge(self._book, history, found, self._config)
        append(self._engine, self._account, moves, self._run_id)
        self._book = self._book.after(moves)
        return moves

    def _findings(self, spec: MarketSpec, valuation: Valuation, day: MarketDay) -> MarketFindings:
        held = valuation.lots(spec.symbol)
        listed = day.contracts
        ages = [listed[c].settle_age_sessions if c in listed else LOST_SIGHT_SESSIONS for c in held]
        stale = max(ages, default=0)
        prices = [listed[c].settle for c in held if c in listed]
        usable = stale == 0
        return MarketFindings(
            lots=sum(held.values()),
            trade_profit=valuation.open_profit(spec.symbol),
            equity=valuation.equity,
            notional=round(CENTS * max(prices, default=0.0) * spec.multiplier) if usable else np.nan,
            cap=float(day.day_cap) if usable else np.nan,
            stale_sessions=stale,
        )
