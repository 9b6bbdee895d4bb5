"""A home: the directory that holds one installation's state, and ``home.yaml``, which says what it is.

A home is simulated or real for its whole life; the two never mix. Everything under it but ``home.yaml``,
``markets/`` and ``data/`` can be made again.
"""

import os
from datetime import date
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import ConfigDict, Field, ValidationError, model_validator

from hydra_assets.markets.model import SourceBinding, Strict

DEFAULT_SIM_MARKETS = ("SIM_HE", "SIM_ZO", "SIM_LE", "SIM_DC")


class HomeError(Exception):
    """A home that cannot be used; the message says what to do."""


class Span(Strict):
    """Sessions of one market that are materialised, where they differ from the home's."""

    first: date | None = None
    last: date | None = None


class HomeConfig(Strict):
    """Contents of ``home.yaml``."""

    # A key that was pasted into the file must not come back in the error that refuses it.
    model_config = ConfigDict(hide_input_in_errors=True)

    kind: Literal["simulated", "real"]
    markets: tuple[str, ...] = Field(min_length=1)
    history_start: date
    """First session that is materialised; rows known earlier are loaded into it, so that history is there."""
    history_end: date | None = None
    """Last session that is materialised, for a home on a finished data set; None follows the clock."""
    spans: dict[str, Span] = Field(default_factory=dict)
    """Per market, another first or last session than the home's (a finished file beside a live feed)."""
    seed: int = 20_260_101
    """Seed of the embedded market; of no meaning in a real home."""
    data: str | None = None
    """Folder of the vendor files in a real home; relative paths are relative to the home."""
    bindings: dict[str, tuple[SourceBinding, ...]] = Field(default_factory=dict)
    """Per market, the sources of its datasets in order of preference; a market's own file may name them too."""
    bootstrap_draws: int = Field(default=60, ge=0, le=1000)
    """Refits of each slice behind its standard errors; 0 leaves them out."""
    transformer: str | None = None
    """Directory of a sequence classifier that reads headlines and posts as a further voice; relative paths are relative
    to the home, and None is none. Needs the extra ``transformer``."""
    webhook_url: str | None = None
    """Where alerts are posted besides the table and the log."""
    llm: dict[str, Any] = Field(default_factory=dict)
    """Language models that the agent may ask, as ``hydra_agent.llm.config`` reads them; no ``chain`` is none."""
    trading: dict[str, Any] = Field(default_factory=dict)
    """The broker, the account and what it may do, as ``hydra_exec.config`` reads them; nothing is the simulated one."""

    @model_validator(mode="after")
    def _never_mix(self) -> Self:
        wrong = [m for m in self.markets if m.startswith("SIM_") != (self.kind == "simulated")]
        if wrong:
            msg = f"a {self.kind} home cannot hold {', '.join(wrong)}: simulated and real markets never mix"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _spans_lie_in_history(self) -> Self:
        for market, span in self.spans.items():
            if market not in self.markets:
                msg = f"spans: {market} is not among this home's markets"
                raise ValueError(msg)
            if self.first_session(market) < self.history_start or (
                span.last is not None and span.last < self.first_session(market)
            ):
                msg = (
                    f"spans: {market} must begin on or after history_start {self.history_start} and end after it begins"
                )
                raise ValueError(msg)
        return self

    def first_session(self, market: str) -> date:
        """First session that is materialised of a market; rows known earlier belong to it."""
        span = self.spans.get(market)
        return span.first if span and span.first else self.history_start

    def last_session(self, market: str) -> date | None:
        """Last session that is materialised of a market, None where it follows the clock."""
        span = self.spans.get(market)
        return span.last if span and span.last else self.history_end


def home_path() -> Path:
    """``HYDRA_HOME``, or ``.hydra`` in the working directory."""
    return Path(os.environ.get("HYDRA_HOME") or ".hydra").absolute()


def read_home(path: Path) -> HomeConfig:
    """Read and check ``home.yaml``; HomeError with the offending key where it is wrong."""
    file = path / "home.yaml"
    try:
        return HomeConfig.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        msg = f"{path} is no home yet: run `hydra cycle` for the embedded market or `hydra init --real` for your own"
        raise HomeError(msg) from error
    except yaml.MarkedYAMLError as error:
        # Its own text quotes the line, and with it what was pasted there.
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        msg = f"{file}: line {line} is no YAML: {error.problem}"
        raise HomeError(msg) from None
    except (ValidationError, yaml.YAMLError, UnicodeDecodeError) as error:
        msg = f"{file}: {error}"
        raise HomeError(msg) from error


def write_home(path: Path, config: HomeConfig) -> None:
    """Write ``home.yaml`` atomically; refuses to turn a simulated home real or the other way round."""
    file = path / "home.yaml"
    if file.exists() and read_home(path).kind != config.kind:
        msg = f"{path} is a {read_home(path).kind} home and stays one; use another HYDRA_HOME for a {config.kind} one"
        raise HomeError(msg)
    path.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".tmp")
    temporary.write_text(yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False), encoding="utf-8")
    temporary.replace(file)
