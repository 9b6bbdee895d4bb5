"""What a home says of its trading: the broker, the account, its capital and limits. Pure."""

from datetime import time
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from hydra_assets.home import HomeConfig, HomeError
from hydra_assets.markets.model import Strict
from hydra_assets.replay.breakers import BreakerConfig
from hydra_exec.broker.port import BrokerKind

SIMULATED_ACCOUNT = "SIM"


class IbConnection(Strict):
    """Where the terminal or gateway listens. Ports differ between programs and are configuration, never a guess."""

    host: str = "127.0.0.1"
    paper_port: Annotated[int, Field(gt=0, lt=65536)] = 4002
    live_port: Annotated[int, Field(gt=0, lt=65536)] = 4001
    client_id: Annotated[int, Field(ge=1, lt=1_000_000)] = 71
    """Of the trading role; the data role takes the next one. 0 is the terminal's own and is not ours to take."""
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] = 10.0
    restart_at: time = time(23, 45)
    """Local instant of the gateway's nightly restart."""
    restart_timezone: str = "America/New_York"
    restart_margin_minutes: Annotated[int, Field(ge=1, le=60)] = 5
    paper_prefixes: tuple[Annotated[str, Field(pattern="^D[A-Z]+$")], ...] = ("DU", "DF")
    """How account names begin that hold no money: a D and more, or every name would be one of paper."""


class PatienceConfig(Strict):
    """How an order is worked. Shares are of the session's working window.

    An order stands at the near side first, steps towards the far side at each share of ``step_share`` and crosses at
    ``cross_share``; at ``end_share`` it is given up. Orders above ``twap_lots`` are cut into as many slices as keep
    each at or below it.
    """

    open_share: Annotated[float, Field(ge=0, lt=1)] = 0.04
    """Nothing is sent in the first moments, when the touch means least."""
    step_share: Annotated[float, Field(gt=0, le=1)] = 0.08
    cross_share: Annotated[float, Field(gt=0, le=1)] = 0.6
    end_share: Annotated[float, Field(gt=0, le=1)] = 0.92
    twap_lots: Annotated[int, Field(ge=1)] = 5
    max_quote_age_seconds: Annotated[float, Field(gt=0)] = 1_200.0

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.open_share < self.cross_share < self.end_share:
            msg = "patience: open_share < cross_share < end_share"
            raise ValueError(msg)
        return self


class AccountLimits(Strict):
    """Limits of the whole account, beside those of each market. Shares are of the account's equity."""

    max_notional_share: Annotated[float, Field(gt=0)] = 4.0
    """Value of all positions together."""
    max_margin_share: Annotated[float, Field(gt=0, le=1)] = 0.6
    orders_per_minute: Annotated[int, Field(ge=1)] = 30
    orders_per_session: Annotated[int, Field(ge=1)] = 200


class TradingConfig(Strict):
    """Contents of ``trading`` in ``home.yaml``."""

    broker: BrokerKind = BrokerKind.SIMULATED
    mode: Literal["paper", "live"] = "paper"
    account: str = SIMULATED_ACCOUNT
    capital: Annotated[float, Field(gt=0)] = 1_000_000.0
    """Equity that sizes are made for; P&L is added to it. In money of the markets' currency."""
    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0
    """Of the simulated broker's quotes, rejects and delays."""
    ib: IbConnection = IbConnection()
    patience: PatienceConfig = PatienceConfig()
    limits: AccountLimits = AccountLimits()
    breakers: BreakerConfig = BreakerConfig()

    @model_validator(mode="after")
    def _a_broker_has_its_account(self) -> Self:
        simulated = self.broker is BrokerKind.SIMULATED
        if simulated != (self.account == SIMULATED_ACCOUNT):
            msg = f"account: the simulated broker's is {SIMULATED_ACCOUNT}, and no other broker has one of that name"
            raise ValueError(msg)
        if simulated and self.mode == "live":
            msg = "mode: the simulated broker has no live account"
            raise ValueError(msg)
        return self


def trading_config(home: HomeConfig) -> TradingConfig:
    """Read ``trading`` of a home; HomeError with the offending key, and where simulated markets meet a real broker."""
    try:
        config = TradingConfig.model_validate(home.trading)
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        msg = f"home.yaml, trading: {faults}"
        raise HomeError(msg) from None
    if home.kind == "simulated" and config.broker is not BrokerKind.SIMULATED:
        msg = "home.yaml, trading: a simulated home's champion is refused by every broker but the simulated one"
        raise HomeError(msg)
    return config
