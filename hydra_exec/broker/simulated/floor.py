"""The session that the simulated broker is in: whose steps begin when, and what each contract quotes. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property

from hydra_assets.state.records import Side
from hydra_exec.broker.port import Quote
from hydra_exec.broker.simulated.books import Used
from hydra_exec.broker.simulated.config import SimConfig
from hydra_exec.broker.simulated.matching import Allowance, Touch
from hydra_exec.broker.simulated.path import PathKey, QuotePath, quote_path, quotes
from hydra_exec.broker.simulated.tape import SessionTape


class Floor:
    """One session of all markets. Markets with other hours have steps of their own; quotes are drawn when asked for."""

    def __init__(self, tapes: Sequence[SessionTape], config: SimConfig) -> None:
        self._tapes, self._config = tapes, config
        self._of_contract = {contract: tape for tape in tapes for contract in tape.bars}
        self._paths: dict[str, QuotePath] = {}

    @cached_property
    def instants(self) -> list[datetime]:
        """When anything changes: the steps of all markets, in order, closes included."""
        return sorted({at for tape in self._tapes for at in tape.instants(self._config.steps)})

    def next_instant(self, now: datetime) -> datetime | None:
        """The next one after ``now``, None after the last."""
        place = bisect_right(self.instants, now)
        return self.instants[place] if place < len(self.instants) else None

    def tape(self, contract: str) -> SessionTape | None:
        """The tape of a contract, None where it has no bar in this session."""
        return self._of_contract.get(contract)

    def step(self, tape: SessionTape, now: datetime) -> int:
        """Which step of its session a market is in: -1 before the open, the number of steps from the close on."""
        return bisect_right(tape.instants(self._config.steps), now) - 1

    def over(self, contract: str, now: datetime) -> bool:
        """Whether day orders of a contract have ended. One without a bar has the hours of the whole session."""
        tape = self.tape(contract)
        if tape is None:
            return self.next_instant(now) is None
        return now >= tape.closes_at

    def touch(self, contract: str, now: datetime) -> Touch | None:
        """What can be traded on now."""
        tape = self.tape(contract)
        if tape is None or not tape.opens_at <= now < tape.closes_at:
            return None
        path, step = self._path(contract, tape), self.step(tape, now)
        return Touch(float(path.bids[step]), float(path.asks[step]))

    def quote(self, contract: str, now: datetime) -> Quote | None:
        """The touch as last heard: after the close, the last one, with its own instant."""
        tape = self.tape(contract)
        if tape is None or now < tape.opens_at:
            return None
        instants = tape.instants(self._config.steps)
        step = min(bisect_right(instants, now), self._config.steps) - 1
        path = self._path(contract, tape)
        return Quote(float(path.bids[step]), float(path.asks[step]), instants[step])

    def allowances(self, contract: str, used: dict[Side, Used], now: datetime) -> dict[Side, Allowance]:
        """What a contract's step and session still give to each side."""
        tape = self.tape(contract)
        if tape is None:
            return {side: Allowance(0, 0) for side in Side}
        step, cap = self.step(tape, now), tape.step_cap(self._config.steps)
        return {
            side: Allowance(
                cap - (used[side].of_step if used[side].step == step else 0),
                tape.day_cap - used[side].of_day,
                used[side].took,
            )
            for side in Side
        }

    def _path(self, contract: str, tape: SessionTape) -> QuotePath:
        if contract not in self._paths:
            key = PathKey(self._config.seed, contract, tape.session)
            mids = quote_path(tape.bars[contract], self._config.steps, key)
            self._paths[contract] = quotes(mids, tape.terms.half_spread_ticks, tape.terms.tick)
        return self._paths[contract]
