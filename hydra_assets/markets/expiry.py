"""When contracts end and when the front rolls, by the exchanges' own rules on the exchanges' own calendars.

Every rule is a function of the contract month and the trading days alone, valid from 1970 to 2030. Where a source
states an expiry itself, that one is used and these rules are not asked.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hydra_assets.markets.contracts import add_months, future_id, month_letter, month_number
from hydra_assets.markets.model import Expiry, ExpiryRule, MarketSpec
from hydra_assets.markets.sessions import trading_days

FIRST_MONTH = date(1970, 1, 1)
LAST_MONTH = date(2031, 12, 1)
FRIDAY, THURSDAY, WEDNESDAY = 4, 3, 2
GRAIN_RULE_CHANGE = date(2000, 3, 1)
"""First CBOT contract month that ends before the 15th; earlier ones end late in the month."""
CLASS_PRICE_ON_WEDNESDAYS = date(2012, 4, 1)
"""Since this month the USDA announces class prices on Wednesdays, before it on Fridays."""


@dataclass(frozen=True)
class _Days:
    """Trading days in order with the index arithmetic that the rules need."""

    days: NDArray[np.datetime64]

    def on_or_before(self, day: date, back: int = 0) -> date:
        """Trading day on a date or the last before it, then ``back`` more trading days earlier."""
        index = int(np.searchsorted(self.days, np.datetime64(day, "D"), side="right")) - 1 - back
        return self._at(index)

    def before(self, day: date, n: int = 1) -> date:
        """The n-th trading day strictly before a date."""
        return self._at(int(np.searchsorted(self.days, np.datetime64(day, "D"), side="left")) - n)

    def on_or_after(self, day: date, ahead: int = 0) -> date:
        """Trading day on a date or the first after it, then ``ahead`` more trading days later."""
        return self._at(int(np.searchsorted(self.days, np.datetime64(day, "D"), side="left")) + ahead)

    def open(self, day: date) -> bool:
        """Whether a date is a trading day."""
        return self.on_or_before(day) == day

    def _at(self, index: int) -> date:
        day: date = self.days[index].astype("datetime64[D]").item()
        return day


def last_trade(spec: MarketSpec, month: date) -> date:
    """Last trading date of the future of a contract month (first of month)."""
    return _by_rule(spec.calendar, spec.last_trade.rule, spec.last_trade.n, month)


def first_notice(spec: MarketSpec, month: date) -> date | None:
    """First notice day of a physically delivered future, None where settlement is in cash.

    ``n`` business days before the contract month begins; 0 is the first business day of the month.
    """
    return _notice(spec.calendar, spec.first_notice_business_days_before_month, month)


def option_underlying_month(spec: MarketSpec, option_month: date) -> date | None:
    """Contract month of the future an option month is exercised into; None where that month is not listed."""
    if spec.options is None:
        return None
    letter = spec.options.underlying_month.get(month_letter(option_month.month))
    if letter is None:
        return None
    return add_months(option_month, (month_number(letter) - option_month.month) % 12)


def option_expiry(spec: MarketSpec, option_month: date) -> date | None:
    """Last trading date of the options of an option month; None where that month is not listed."""
    underlying = option_underlying_month(spec, option_month)
    if spec.options is None or underlying is None:
        return None
    rule = spec.options.expiry.rule
    if rule is ExpiryRule.SAME_AS_FUTURE:
        return last_trade(spec, underlying)
    return _by_rule(spec.calendar, rule, spec.options.expiry.n, option_month)


def contracts_of(spec: MarketSpec) -> pl.DataFrame:
    """Every contract month of a market from 1970 to 2031, in order: one row per contract, cached.

    Columns ``contract``, ``contract_month``, ``last_trade``, ``first_notice`` and ``roll`` (the first session on
    which the contract is no longer the front: ``roll_days_before_expiry`` business days before the earlier of
    first notice and last trade).
    """
    return _contracts(
        spec.root,
        spec.calendar,
        spec.contract_months,
        spec.last_trade,
        spec.first_notice_business_days_before_month,
        spec.roll_days_before_expiry,
    )


def listed_contracts(spec: MarketSpec, session: date, horizon_months: int = 24) -> list[date]:
    """Contract months still trading on a session, nearest first, out to a horizon.

    The last trading date itself counts. How far out an exchange lists changed over the decades; the horizon
    bounds what is asked for and says nothing on what traded.
    """
    table = contracts_of(spec)
    furthest = add_months(session, horizon_months)
    alive = table.filter((pl.col("last_trade") >= session) & (pl.col("contract_month") <= furthest))
    return alive["contract_month"].to_list()


def front_contracts(spec: MarketSpec, sessions: pl.Series, place: int = 0) -> pl.Series:
    """Front contract month of each session, ``[n]`` dates; ``place`` 1 is the next one, and so on.

    The front is the first contract whose roll lies after the session.
    """
    table = contracts_of(spec)
    rolls = np.maximum.accumulate(table["roll"].to_numpy().astype("datetime64[D]"))
    index = np.searchsorted(rolls, sessions.to_numpy().astype("datetime64[D]"), side="right") + place
    inside = np.minimum(index, table.height - 1)
    months = table["contract_month"].gather(inside)
    return (
        pl.DataFrame({"month": months, "inside": index < table.height})
        .select(pl.when("inside").then("month").alias("contract_month"))
        .to_series()
    )


def front_contract(spec: MarketSpec, session: date) -> date:
    """Front contract month of one session."""
    month: date = front_contracts(spec, pl.Series([session], dtype=pl.Date)).item()
    return month


@lru_cache(maxsize=64)
def _contracts(
    root: str, calendar: str, months: str, expiry: Expiry, notice_days: int | None, roll_days: int
) -> pl.DataFrame:
    days = _days(calendar)
    rows = []
    month = FIRST_MONTH
    while month <= LAST_MONTH:
        if month_letter(month.month) in months:
            ends = _by_rule(calendar, expiry.rule, expiry.n, month)
            notice = _notice(calendar, notice_days, month)
            deadline = min(ends, notice) if notice is not None else ends
            rows.append((future_id(root, month), month, ends, notice, days.on_or_before(deadline, back=roll_days)))
        month = add_months(month, 1)
    schema = {
        "contract": pl.String(),
        "contract_month": pl.Date(),
        "last_trade": pl.Date(),
        "first_notice": pl.Date(),
        "roll": pl.Date(),
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def _notice(calendar: str, n: int | None, month: date) -> date | None:
    if n is None:
        return None
    days = _days(calendar)
    return days.on_or_after(month) if n == 0 else days.before(month, n)


@lru_cache(maxsize=64)
def _days(calendar: str) -> _Days:
    return _Days(trading_days(calendar))


@lru_cache(maxsize=65536)
def _by_rule(calendar: str, rule: ExpiryRule, n: int | None, month: date) -> date:
    return _RULES[rule](_days(calendar), month, n)


def _last_weekday(month: date, weekday: int) -> date:
    end = add_months(month, 1) - timedelta(days=1)
    return end - timedelta(days=(end.weekday() - weekday) % 7)


def _nth_business_day(days: _Days, month: date, n: int | None) -> date:
    """CME 152: "Trading ... shall terminate on the tenth Business Day of the contract month" (lean hogs)."""
    return days.on_or_after(month, (n or 1) - 1)


def _last_business_day(days: _Days, month: date, _: int | None) -> date:
    """CME 101: "Trading ... shall terminate on the last Business Day of the contract month" (live cattle)."""
    return days.before(add_months(month, 1))


def _last_thursday(days: _Days, month: date, _: int | None) -> date:
    """CME 102 (feeder cattle): the last Thursday of the month, in November the Thursday before Thanksgiving Day.

    Where that Thursday or any of the four weekdays before it is a holiday: the Thursday before that, and so on.
    """
    thursday = _last_weekday(month, THURSDAY)
    if month.month == 11:
        first = month + timedelta(days=(THURSDAY - month.weekday()) % 7)
        thursday = first + timedelta(weeks=2)
    while not all(days.open(d) for d in _weekdays_ending(thursday, 5)):
        thursday -= timedelta(weeks=1)
    return thursday


def _weekdays_ending(day: date, n: int) -> list[date]:
    found: list[date] = []
    while len(found) < n:
        if day.weekday() < 5:
            found.append(day)
        day -= timedelta(days=1)
    return found


def _before_15th(days: _Days, month: date, _: int | None) -> date:
    """CBOT 10102: "the business day prior to the 15th calendar day of the contract month".

    Contract months before March 2000 ended on the seventh business day preceding the month's last business day.
    """
    if month < GRAIN_RULE_CHANGE:
        return days.on_or_before(_last_business_day(days, month, None), back=7)
    return days.before(month.replace(day=15))


def _before_16th(days: _Days, month: date, _: int | None) -> date:
    """CME 201: "the business day immediately preceding the sixteenth calendar day of the contract month"."""
    return days.before(month.replace(day=16))


def _before_usda_price(days: _Days, month: date, _: int | None) -> date:
    """CME 52: "the Business Day immediately preceding the day on which the USDA announces the Class III price".

    7 CFR 1000.53 has the price announced on or before the 5th of the following month. It comes with the weekly
    product prices, on Wednesdays since April 2012 and on Fridays before; a federal holiday from Monday to that day
    moves it one day on, and where that would be after the 5th, the week before is taken. Checked against the last
    trading dates of 2012 to 2015. A shutdown (October 2013) moves it further: then the source's own date is used.
    """
    weekday = WEDNESDAY if month >= CLASS_PRICE_ON_WEDNESDAYS else FRIDAY
    limit = add_months(month, 1).replace(day=5)
    usual = limit - timedelta(days=(limit.weekday() - weekday) % 7)
    announced = _after_holidays(days, usual, weekday)
    if announced > limit:
        announced = _after_holidays(days, usual - timedelta(weeks=1), weekday)
    return days.before(announced)


def _after_holidays(days: _Days, usual: date, weekday: int) -> date:
    if weekday == FRIDAY:
        return days.on_or_before(usual)
    closed = sum(not days.open(usual - timedelta(days=k)) for k in range(weekday + 1))
    return days.on_or_after(usual + timedelta(days=min(closed, 1)))


def _friday_before_notice(days: _Days, month: date, _: int | None) -> date:
    """CBOT 10A01: the last Friday at least two business days before the previous month's last business day.

    Where that Friday is a holiday: the business day before it.
    """
    limit = days.before(days.before(month), 2)
    friday = limit - timedelta(days=(limit.weekday() - FRIDAY) % 7)
    return days.on_or_before(friday)


def _first_friday(days: _Days, month: date, _: int | None) -> date:
    """CME 101A: "the first Friday of the contract month"; where a holiday, the business day before it."""
    return days.on_or_before(month + timedelta(days=(FRIDAY - month.weekday()) % 7))


def _last_friday(days: _Days, month: date, _: int | None) -> date:
    """Deribit: monthly and quarterly contracts expire on the last Friday of the month, 08:00 UTC."""
    return days.on_or_before(_last_weekday(month, FRIDAY))


def _third_last_of_previous(days: _Days, month: date, _: int | None) -> date:
    """NYMEX 220: "the third last business day of the month prior to the contract month" (Henry Hub)."""
    return days.before(month, 3)


def _business_days_before(days: _Days, month: date, n: int | None) -> date:
    """NYMEX 560: European options end "on the Business Day preceding the expiration of the underlying future"."""
    return days.before(month, n or 1)


_RULES: Mapping[ExpiryRule, Callable[[_Days, date, int | None], date]] = {
    ExpiryRule.NTH_BUSINESS_DAY: _nth_business_day,
    ExpiryRule.LAST_BUSINESS_DAY: _last_business_day,
    ExpiryRule.LAST_THURSDAY_WITH_EXCEPTIONS: _last_thursday,
    ExpiryRule.BUSINESS_DAY_BEFORE_15TH: _before_15th,
    ExpiryRule.BUSINESS_DAY_BEFORE_16TH: _before_16th,
    ExpiryRule.DAY_BEFORE_USDA_PRICE: _before_usda_price,
    ExpiryRule.FRIDAY_BEFORE_FIRST_NOTICE: _friday_before_notice,
    ExpiryRule.FIRST_FRIDAY: _first_friday,
    ExpiryRule.LAST_FRIDAY: _last_friday,
    ExpiryRule.THIRD_LAST_BUSINESS_DAY_OF_PREVIOUS_MONTH: _third_last_of_previous,
    ExpiryRule.BUSINESS_DAYS_BEFORE_MONTH: _business_days_before,
}
