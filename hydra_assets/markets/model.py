"""The typed description of one market: what a YAML file in ``markets/specs`` must say.

A market is data, never code: adding one is adding one file. Prices are quoted in ``price_unit``; one whole
unit of price on one contract is worth ``multiplier`` units of ``currency``.
"""

from datetime import date, time
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MONTH_CODES = "FGHJKMNQUVXZ"
"""Futures month letters, January to December."""


class Exercise(StrEnum):
    """When an option may be exercised."""

    AMERICAN = "american"
    EUROPEAN = "european"


class MarginStyle(StrEnum):
    """How an option's premium is paid."""

    PREMIUM_UPFRONT = "premium_upfront"
    FUTURES_STYLE = "futures_style"


class Settlement(StrEnum):
    """What happens at a future's last trade."""

    CASH = "cash"
    PHYSICAL = "physical"


class Strict(BaseModel):
    """Base of every configuration model: frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Cutoff(Strict):
    """The local instant of a session's decision: after settlement is published, before the next open."""

    at: time
    day_offset: Annotated[int, Field(ge=0, le=1)] = 0


class ExpiryRule(StrEnum):
    """Last-trade rules, each a few lines in ``expiry.py`` with the rulebook sentence beside it."""

    NTH_BUSINESS_DAY = "nth_business_day"
    """The n-th business day of the contract month (lean hogs: 10th)."""
    LAST_BUSINESS_DAY = "last_business_day"
    """The last business day of the contract month (live cattle futures)."""
    LAST_THURSDAY_WITH_EXCEPTIONS = "last_thursday_with_exceptions"
    """The last Thursday of the contract month, moved where a holiday falls into it (feeder cattle)."""
    BUSINESS_DAY_BEFORE_15TH = "business_day_before_15th"
    """The business day before the 15th calendar day of the contract month (grains)."""
    DAY_BEFORE_USDA_PRICE = "day_before_usda_price"
    """The business day before the USDA announces the month's class price (class III milk)."""
    FRIDAY_BEFORE_FIRST_NOTICE = "friday_before_first_notice"
    """Last Friday at least two business days before the last business day of the previous month (grain options)."""
    FIRST_FRIDAY = "first_friday"
    """The first Friday of the contract month (live cattle options)."""
    LAST_FRIDAY = "last_friday"
    """The last Friday of the contract month, the business day before it where that is a holiday."""
    THIRD_LAST_BUSINESS_DAY_OF_PREVIOUS_MONTH = "third_last_business_day_of_previous_month"
    """Three business days before the contract month begins (natural gas)."""
    BUSINESS_DAY_BEFORE_16TH = "business_day_before_16th"
    """The business day before the 16th calendar day of the contract month (random length lumber)."""
    BUSINESS_DAYS_BEFORE_MONTH = "business_days_before_month"
    """The n-th business day before the contract month begins (Henry Hub European options: 4th)."""
    SAME_AS_FUTURE = "same_as_future"
    """Options that stop with their underlying (hogs, feeders, milk)."""


class Expiry(Strict):
    """A last-trade rule with its parameter."""

    rule: ExpiryRule
    n: Annotated[int, Field(ge=1, le=23)] | None = None

    @model_validator(mode="after")
    def _n_belongs_to_its_rule(self) -> Self:
        counted = {ExpiryRule.NTH_BUSINESS_DAY, ExpiryRule.BUSINESS_DAYS_BEFORE_MONTH}
        if (self.rule in counted) != (self.n is not None):
            msg = "n is given for nth_business_day and business_days_before_month and for no other rule"
            raise ValueError(msg)
        return self


class OptionTerms(Strict):
    """The options on the market's futures.

    ``underlying_month`` maps an option's month letter to the month letter of the future it is exercised
    into: itself for a standard month, the next listed one for a serial month. ``discount_rate`` is the continuously
    compounded rate a year that premiums are discounted with; None takes the policy rate of the session.
    """

    root: str
    exercise: Exercise
    margin_style: MarginStyle
    expiry: Expiry
    tick: Annotated[float, Field(gt=0)]
    strike_interval: Annotated[float, Field(gt=0)]
    underlying_month: dict[str, str]
    discount_rate: Annotated[float, Field(ge=-0.05, le=0.25)] | None = None
    expires_at: time | None = None
    """Local instant of the expiry date at which an option ends; None counts to the end of the date in UTC."""

    @model_validator(mode="after")
    def _months_are_letters(self) -> Self:
        for letter in (*self.underlying_month, *self.underlying_month.values()):
            if len(letter) != 1 or letter not in MONTH_CODES:
                msg = f"underlying_month: {letter!r} is not a futures month letter ({MONTH_CODES})"
                raise ValueError(msg)
        return self


class CftcCode(Strict):
    """A CFTC contract market code and the report dates for which it stood for this market."""

    code: Annotated[str, Field(pattern=r"^[0-9A-Z+]{6}$")]
    valid_from: date | None = None
    valid_to: date | None = None


class WorkingHours(Strict):
    """Local hours; over midnight where the end is the earlier one."""

    start: time
    end: time

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self.start == self.end:
            msg = f"hours from {self.start} to {self.end} are none"
            raise ValueError(msg)
        return self


class Liquidity(Strict):
    """What trading costs and how much fits; used by the simulator, the replay and the risk gate."""

    half_spread_ticks: Annotated[float, Field(gt=0)]
    fee_per_contract: Annotated[float, Field(ge=0)]
    impact_y: Annotated[float, Field(gt=0)] = 0.8
    typical_daily_volume: Annotated[int, Field(gt=0)]
    participation_cap: Annotated[float, Field(gt=0, le=0.1)] = 0.01
    working_hours: WorkingHours | None = None
    """Hours in which the replay's orders work: they give the share of the day's volume that the cap is taken of, and
    the impact, as ``time_of_day_curve`` says. None: the whole session."""


class RiskLimits(Strict):
    """Hard limits of the risk gate, per market."""

    max_position_contracts: Annotated[int, Field(ge=0)] = 5
    price_collar_fraction: Annotated[float, Field(gt=0, le=0.5)] = 0.05
    """No order's limit is further than this from the settle, nor from the quote that it is sent on."""
    chase_fraction: Annotated[float, Field(gt=0, le=0.5)] = 0.02
    """An order is given up rather than filled worse than the settle of its decision by more than this."""


class IbTerms(Strict):
    """How Interactive Brokers lists the market's future."""

    symbol: str
    exchange: str
    currency: str = "USD"
    trading_class: str = ""


class SourceBinding(Strict):
    """One source for some datasets of a market, in order of preference, with the source's own options."""

    source: Literal["simulated", "cftc", "databento", "cme_settlement", "csv", "feeds", "ib"]
    datasets: tuple[str, ...]
    options: dict[str, str | int | float | bool | list[str] | dict[str, str]] = {}


class MarketSpec(Strict):
    """One market, whole. ``symbol`` is its partition key; ``SIM_`` marks a simulated one."""

    symbol: Annotated[str, Field(pattern=r"^[A-Z0-9_]{1,16}$")]
    name: str
    group: str
    exchange: str
    calendar: str
    timezone: str
    cutoff: Cutoff
    settlement_published: time
    """Local time after which the daily settlement is public; the floor of a bar's ``known_at``."""
    currency: str
    price_unit: str
    tick: Annotated[float, Field(gt=0)]
    multiplier: Annotated[float, Field(gt=0)]
    root: str
    """Exchange root symbol of the future (HE, ZC, DC ...); a simulated market keeps its model's root."""
    contract_months: Annotated[str, Field(pattern=rf"^[{MONTH_CODES}]{{1,12}}$")]
    settlement: Settlement
    last_trade: Expiry
    first_notice_business_days_before_month: Annotated[int, Field(ge=0, le=15)] | None = None
    """First notice day, as business days before the contract month's first; None where cash-settled."""
    roll_days_before_expiry: Annotated[int, Field(ge=1, le=90)]
    """Business days before last trade (or first notice, whichever is earlier) at which the front rolls."""
    options: OptionTerms | None = None
    cftc_codes: tuple[CftcCode, ...] = ()
    headline_terms: tuple[str, ...] = ()
    """Lower-case words or phrases; a headline or post with one of them belongs to this market."""
    liquidity: Liquidity
    risk: RiskLimits = RiskLimits()
    sources: tuple[SourceBinding, ...] = ()
    trading_hours: WorkingHours = WorkingHours(start=time(8, 30), end=time(13, 5))
    """Local hours of a session in which execution works orders."""
    ib: IbTerms | None = None
    price_jump_limit: Annotated[float, Field(gt=0, lt=1)] = 0.15
    """A day-to-day move of a contract's settle beyond this fraction is flagged (unit change, bad print)."""
    facts_source: str = ""
    """Where the contract facts come from (rulebook chapter, publisher's page)."""

    @property
    def simulated(self) -> bool:
        """Whether the market belongs to the embedded simulation."""
        return self.symbol.startswith("SIM_")

    @property
    def round_trip_money(self) -> float:
        """Half the spread twice and the fee twice for one contract, in the market's currency."""
        liquidity = self.liquidity
        return 2.0 * (liquidity.half_spread_ticks * self.tick * self.multiplier + liquidity.fee_per_contract)

    @model_validator(mode="after")
    def _physical_has_first_notice(self) -> Self:
        if (self.settlement is Settlement.PHYSICAL) != (self.first_notice_business_days_before_month is not None):
            msg = "first_notice_business_days_before_month is given exactly for physical delivery"
            raise ValueError(msg)
        return self
