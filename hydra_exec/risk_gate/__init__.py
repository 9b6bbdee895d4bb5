"""The risk gate: nothing reaches a broker but through here, and everything that may not is denied with a code."""

from hydra_exec.risk_gate.book import Book
from hydra_exec.risk_gate.codes import GateCode, Generation, Verdict, generation
from hydra_exec.risk_gate.decide import decide
from hydra_exec.risk_gate.facts import (
    BookView,
    Exposure,
    GateRules,
    Limits,
    Moment,
    OrderFacts,
    OrderWish,
    Situation,
    WireSituation,
)
from hydra_exec.risk_gate.gate import GuardedBroker, guard
from hydra_exec.risk_gate.grid import PriceGrid
from hydra_exec.risk_gate.wire import Handed, Request, Step, may_cancel, may_send

__all__ = [
    "Book",
    "BookView",
    "Exposure",
    "GateCode",
    "GateRules",
    "Generation",
    "GuardedBroker",
    "Handed",
    "Limits",
    "Moment",
    "OrderFacts",
    "OrderWish",
    "PriceGrid",
    "Request",
    "Situation",
    "Step",
    "Verdict",
    "WireSituation",
    "decide",
    "generation",
    "guard",
    "may_cancel",
    "may_send",
]
