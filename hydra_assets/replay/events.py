"""The event-by-event replay: one candidate's orders, fills, positions and cash, one at a time, in plain integers.

It shares the models with the batched replay (what a lot costs, what a cap is, when a breaker trips) and none of the
bookkeeping: money here is cash that moves when a fill is booked or a settle is published. The two must agree to the
cent. Slow, and meant to be read and stepped through.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hydra_assets.replay.breakers import (
    AccountFindings,
    Breaker,
    BreakerConfig,
    BreakerState,
    MarketFindings,
    Transition,
    account_breach,
    market_breach,
)
from hydra_assets.replay.costs import (
    CENTS,
    fee_cents,
    impact_cents,
    impact_coefficient,
    slippage_multiplier,
    spread_cents,
)
from hydra_assets.replay.decisions import DecisionKind, Decisions
from hydra_assets.replay.fills import FillMode, cap_lots, fill_lots, limit_prices, traded_through
from hydra_assets.replay.ledger import Account, Day, Fill, Order, Position, Roll
from hydra_assets.replay.market import FAULTS, MarketArrays, MarketFault, faults, known_factor
from hydra_assets.replay.sizing import SizingTables, capped_lots, check_payoffs, kelly_lots, signed_kelly, sizing_tables
from hydra_assets.replay.tables import ReplayConfig

Floats = NDArray[np.float64]


def replay_one(
    market: MarketArrays,
    decisions: Decisions,
    config: ReplayConfig,
    margin_per_lot: Floats | None = None,
) -> Account:
    """Replay one candidate: ``decisions`` is a batch of one (``Decisions.candidate``)."""
    if len(decisions.values) != 1:
        msg = f"one candidate at a time, not {len(decisions.values)}"
        raise ValueError(msg)
    check_payoffs(config.sizing.payoff_long, config.sizing.payoff_short)
    return _Life(market, decisions, config, sizing_tables(market, config.sizing, margin_per_lot)).run()


class _Life:
    """One candidate living through the sessions."""

    def __init__(self, market: MarketArrays, decisions: Decisions, config: ReplayConfig, sizes: SizingTables) -> None:
        self.market, self.decisions, self.config, self.sizes = market, decisions, config, sizes
        self.fault = faults(market)
        self.cap_factor, self.impact_factor = (
            known_factor(factor, market.adv) for factor in (market.cap_factor, market.impact_factor)
        )
        sessions, markets = self.fault.shape
        self.sessions, self.markets = sessions, range(markets)
        self.account = Account(config.capital_cents, config.capital_cents, [Position() for _ in self.markets])
        self.orders: list[Order] = []
        self.account_breaker = Breaker()
        self.market_breakers = [Breaker(market) for market in self.markets]

    def run(self) -> Account:
        account = self.account
        for t in range(self.sessions):
            day = Day()
            before = account.cash
            for order in self.orders or [Order(t - 1, m, 0) for m in self.markets]:
                self._live(t, order, day)
            account.cash += day.net
            account.peak = max(account.peak, account.cash)
            for m in self.markets:
                position = account.positions[m]
                position.stale_sessions = position.stale_sessions + 1 if self.fault[t, m] else 0
            if self.config.breakers is not None:
                account.transitions += self._judge(t, before, self.config.breakers)
            account.states.append(self.account_breaker.state)
            account.equity.append(account.cash)
            account.held.append(tuple(position.lots for position in account.positions))
            self.orders = [self._order(t, m, day) for m in self.markets] if t + 1 < self.sessions else []
            account.orders += [order for order in self.orders if order.lots]
            account.days.append(day)
        return account

    def _live(self, t: int, order: Order, day: Day) -> None:
        """One market's session: variation on what was carried in, the order's fill, then the roll."""
        m, position = order.market, self.account.positions[order.market]
        change = self.market.held_change[t, m]
        variation = position.lots * round(CENTS * float(change)) if np.isfinite(change) else 0
        day.gross += variation
        position.trade_profit += variation
        position.roll_due = position.roll_due or bool(self.market.roll[t, m])
        if not self._can_trade(t, m):
            return
        carried = position.lots
        fill = self._fill(t, order)
        if fill is not None:
            self.account.fills.append(fill)
            position.lots += fill.lots
            day.gross += fill.to_settle
            day.spread += fill.spread
            day.fee += fill.fee
            day.impact += fill.impact
            day.turnover += abs(fill.lots)
        if carried * position.lots <= 0:
            position.trade_profit = 0
        if fill is not None and position.lots:
            position.trade_profit += fill.to_settle
        if position.roll_due:
            self._roll(t, m, carried, day)

    def _can_trade(self, t: int, m: int) -> bool:
        """Whether the inputs were usable at the decision and there is a price to trade at now."""
        return t > 0 and FAULTS[self.fault[t - 1, m]] is MarketFault.NONE and bool(self.market.priced[t, m])

    def _fill(self, t: int, order: Order) -> Fill | None:
        m, terms, fills = order.market, self.market.terms, self.config.fills
        price = self._price(t, order)
        if not order.lots or price is None:
            return None
        own = fills.participation_cap
        share = float(terms.participation_cap[m]) if own is None else own
        cap = cap_lots(share, float(self.market.adv[t - 1, m]), fills.cap_factor * float(self.cap_factor[t - 1, m]))
        lots = int(fill_lots(order.lots, cap, cap))
        if not lots:
            return None
        size = abs(lots)
        limit = fills.mode is FillMode.LIMIT
        return Fill(
            session=t,
            market=m,
            lots=lots,
            price=price,
            to_settle=lots * round(CENTS * float(terms.multiplier[m]) * (float(self.market.settle[t, m]) - price)),
            spread=0 if limit else size * self._spread(t, m),
            fee=size * self._fee(m),
            impact=self._impact(t, m, size),
        )

    def _price(self, t: int, order: Order) -> float | None:
        """Price that the order is done at in session t; None where it is not."""
        market, m = self.market, order.market
        mode = self.config.fills.mode
        if mode is FillMode.NEXT_SETTLE:
            return float(market.settle[t, m])
        if mode is FillMode.NEXT_OPEN:
            assert market.open is not None  # noqa: S101 - the tables need it for the same mode
            price = float(market.open[t, m])
            return price if np.isfinite(price) and price > 0.0 else None
        assert market.low is not None  # noqa: S101
        assert market.high is not None  # noqa: S101
        tick = float(market.terms.tick[m])
        buy, sell = limit_prices(float(market.settle[t - 1, m]), float(market.terms.half_spread_ticks[m]), tick)
        bought, sold = traded_through(buy, sell, float(market.low[t, m]), float(market.high[t, m]), tick)
        if order.lots > 0:
            return float(buy) if bought else None
        return float(sell) if sold else None

    def _slippage(self, t: int, m: int) -> float:
        terms = self.market.terms
        drawn = slippage_multiplier(
            self.config.costs,
            terms.symbols[m : m + 1],
            self.market.days[t : t + 1],
            self.market.adv[t - 1 : t, m : m + 1],
            terms.typical_daily_volume[m : m + 1],
        )
        return float(drawn[0, 0])

    def _spread(self, t: int, m: int) -> int:
        terms = self.market.terms
        half, tick, money = (float(a[m]) for a in (terms.half_spread_ticks, terms.tick, terms.multiplier))
        return int(spread_cents(half, tick, money, self._slippage(t, m), self.config.costs.scale))

    def _fee(self, m: int) -> int:
        return int(fee_cents(float(self.market.terms.fee_per_contract[m]), self.config.costs.scale))

    def _impact(self, t: int, m: int, size: int) -> int:
        terms, costs = self.market.terms, self.config.costs
        row = t - 1
        coefficient = impact_coefficient(
            float(terms.impact_y[m]) if costs.impact_y is None else costs.impact_y,
            float(self.market.sigma_daily[row, m]),
            float(self.market.settle[row, m]),
            float(terms.multiplier[m]),
            float(self.market.adv[row, m]),
            self._slippage(t, m) * costs.scale * self.config.fills.impact_factor * float(self.impact_factor[row, m]),
        )
        return int(impact_cents(coefficient, float(size)))

    def _roll(self, t: int, m: int, carried: int, day: Day) -> None:
        """Sell what is kept in the old contract and buy it in the new: two sides of everything."""
        position = self.account.positions[m]
        position.roll_due = False
        kept = min(abs(carried), abs(position.lots)) if carried * position.lots > 0 else 0
        if not kept:
            return
        side = kept * (self._spread(t, m) + self._fee(m)) + self._impact(t, m, kept)
        self.account.rolls.append(Roll(t, m, kept, 2 * side))
        day.roll += 2 * side
        day.turnover += 2 * kept

    def _judge(self, t: int, before: int, config: BreakerConfig) -> Iterator[Transition]:
        """Every breaker at the cutoff of t, the account's first."""
        account, market = self.account, self.market
        live = [account.positions[m] for m in self.markets if not self.fault[t, m]]
        move = self.account_breaker.advance(
            t,
            account_breach(AccountFindings(account.cash, before, account.peak), config),
            all(position.lots == 0 for position in live),
            config.cooldown_sessions,
        )
        if move is not None:
            if move.after is BreakerState.ACTIVE:
                account.peak = account.cash
            yield move
        own = self.config.fills.participation_cap
        for m in self.markets:
            position, bad = account.positions[m], bool(self.fault[t, m])
            share = float(market.terms.participation_cap[m]) if own is None else own
            value = CENTS * float(market.settle[t, m]) * float(market.terms.multiplier[m])
            found = MarketFindings(
                lots=position.lots,
                trade_profit=position.trade_profit,
                equity=account.cash,
                notional=np.nan if bad else round(value),
                cap=np.nan if bad else share * (float(market.adv[t, m]) * float(self.cap_factor[t, m])),
                stale_sessions=position.stale_sessions,
            )
            breach = market_breach(found, config)
            move = self.market_breakers[m].advance(t, breach, position.lots == 0, config.cooldown_sessions)
            if move is not None:
                yield move

    def _order(self, t: int, m: int, day: Day) -> Order:
        """The order from what is held to what is wanted; none without a decision, out where a breaker rests."""
        held = self.account.positions[m].lots
        wanted = held
        if not self.fault[t, m]:
            size = self._size(t, m)
            if np.isnan(size):
                day.missing += 1
            else:
                wanted = int(size)
        breakers = (self.account_breaker, self.market_breakers[m])
        if any(breaker.state is not BreakerState.ACTIVE for breaker in breakers):
            wanted = 0
        return Order(t, m, wanted - held)

    def _size(self, t: int, m: int) -> float:
        decisions, sizing = self.decisions, self.config.sizing
        value = float(decisions.values[0, t, m])
        factor = 1.0
        if decisions.size_factor is not None:
            factors = decisions.size_factor
            factor = float(factors[t, m] if factors.ndim == 2 else factors[0, t, m])
        cap = float(self.sizes.cap_lots[t, m])
        if decisions.kind is DecisionKind.LOTS:
            return float(capped_lots(value, cap, factor))
        if decisions.kind is DecisionKind.PROBABILITY:
            down = None if decisions.probability_down is None else float(decisions.probability_down[0, t, m])
            value = float(signed_kelly(value, down, sizing.payoff_long, sizing.payoff_short))
        rate, most = float(self.sizes.rate[t, m]), float(self.sizes.cap_rate[t, m])
        return float(kelly_lots(value, float(self.account.cash), rate, most, cap, factor))
