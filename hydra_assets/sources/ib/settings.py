"""Where the terminal listens, what a market's binding may ask of it, and how patient we are. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hydra_assets.home import HomeConfig
from hydra_assets.markets.model import SourceBinding, Strict
from hydra_assets.sources.base import SourceError


class _Terminal(BaseModel):
    """What this source reads of ``trading.ib``; the keys of execution are not its business."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    host: str = "127.0.0.1"
    paper_port: Annotated[int, Field(gt=0, lt=65536)] = 4002
    live_port: Annotated[int, Field(gt=0, lt=65536)] = 4001
    client_id: Annotated[int, Field(ge=1, lt=1_000_000)] = 71
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] = 10.0


class _Trading(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    mode: Literal["paper", "live"] = "paper"
    ib: _Terminal = _Terminal()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The terminal that is asked, and as which client."""

    host: str
    port: int
    client_id: int
    """The trading role's next one: two connections never share an id."""
    timeout_s: float
    """Until a connection stands or an answer has come to its end."""


def endpoint_of(home: HomeConfig) -> Endpoint:
    """Read ``trading`` of a home; SourceError with the offending key."""
    try:
        trading = _Trading.model_validate(home.trading)
    except ValidationError as error:
        raise SourceError("bad_option", f"home.yaml, trading: {_faults(error)}") from None
    ib = trading.ib
    port = ib.live_port if trading.mode == "live" else ib.paper_port
    return Endpoint(ib.host, port, ib.client_id + 1, ib.timeout_seconds)


class BindingOptions(Strict):
    """Options of a market's binding."""

    contracts: Annotated[int, Field(ge=1, le=60)] = 12
    """Contract months that are asked for bars, the nearest first, besides those that ended in the window."""
    settle_hours: Annotated[float, Field(ge=0, le=96)] = 12.0
    """Hours after the settlement's publication from which a daily bar's close is taken for the settlement."""
    expiries: Annotated[int, Field(ge=1, le=24)] = 4
    """Option expiries that are quoted, the nearest first."""
    max_options: Annotated[int, Field(ge=2, le=1_000)] = 100
    """Options that a run quotes, those around the money first."""
    option_classes: tuple[str, ...] = ()
    """Trading classes of options; empty takes the one whose expiries are those of the market's file."""


def options_of(symbol: str, bindings: Sequence[SourceBinding], dataset: str) -> BindingOptions:
    """Options of the first of a market's bindings for a dataset; SourceError where they are not understood."""
    given: dict[str, Any] = next((dict(b.options) for b in bindings if dataset in b.datasets), {})
    try:
        return BindingOptions.model_validate(given)
    except ValidationError as error:
        raise SourceError("bad_option", f"{symbol}, source ib: {_faults(error)}") from None


@dataclass(frozen=True, slots=True)
class Patience:
    """How much is asked at once, and how long a snapshot may take."""

    snapshot_s: float = 15.0
    """The terminal ends a snapshot after eleven seconds, whatever has come by then."""
    lines: int = 40
    """Snapshots at once; an account begins with 100 market data lines, which its terminal shares."""
    pacing_wait_s: float = 15.0
    """After a refusal for pacing, before the one further try."""


def _faults(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
