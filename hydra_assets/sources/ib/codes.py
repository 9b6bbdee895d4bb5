"""What the terminal's codes mean for a question about data. Pure.

One code says several things: 162 is a refusal for pacing, a missing subscription or simply no data, and only its text
tells which. Source: Interactive Brokers, "TWS API: message codes".
"""

from collections.abc import Sequence
from enum import StrEnum

from hydra_assets.sources.base import PayloadState, SourceError


class Fault(StrEnum):
    """Why a question has no answer: the reason of the delivery that it ends."""

    NO_DATA = "no_data"
    """There is nothing for this contract and time: no failure."""
    NO_CONTRACT = "no_contract"
    PACING = "pacing"
    NOT_SUBSCRIBED = "not_subscribed"
    """The login pays for no live data of the exchange."""
    NO_PERMISSION = "no_permission"
    COMPETING_SESSION = "competing_session"
    """The same user is logged in elsewhere, and the data goes there."""
    QUERY_GONE = "query_gone"
    """The terminal knows nothing of the question any more."""
    REFUSED = "refused"
    """Any other code."""
    TIMEOUT = "timeout"
    """No end of the answer: what had come of it is dropped."""
    LINK_LOST = "link_lost"
    """The terminal has lost Interactive Brokers."""
    DISCONNECTED = "disconnected"
    CLIENT_ID_IN_USE = "client_id_in_use"
    NO_TERMINAL = "no_terminal"
    OTHER_TERMS = "other_terms"
    """The listed contract is not the one of the market's file."""
    NOT_LISTED = "not_listed"
    """The market's file does not say how Interactive Brokers lists it, or lists no options."""
    SEVERAL_CLASSES = "several_classes"
    NO_UNDERLYING_PRICE = "no_underlying_price"


NO_FAILURE = frozenset({Fault.NO_DATA})
CONNECTION_FAULTS = frozenset({Fault.LINK_LOST, Fault.DISCONNECTED})
"""Faults after which nothing more can be asked."""
WHOLE_MARKET = frozenset({Fault.NOT_SUBSCRIBED, Fault.NO_PERMISSION, Fault.COMPETING_SESSION})
"""Faults that the next contract of the market has as well."""

REMARKS = frozenset({165, 300, 399, *range(2100, 2110), *range(2111, 2200)})
"""Codes that end nothing."""
LINK_CODES = frozenset({1100, 1300, 2110})
TAKEN_CODE = 326

_CODES = {
    100: Fault.PACING,
    200: Fault.NO_CONTRACT,
    354: Fault.NOT_SUBSCRIBED,
    366: Fault.QUERY_GONE,
    420: Fault.PACING,
    10089: Fault.NOT_SUBSCRIBED,
    10090: Fault.NOT_SUBSCRIBED,
    10167: Fault.NOT_SUBSCRIBED,
    10168: Fault.NOT_SUBSCRIBED,
    10186: Fault.NOT_SUBSCRIBED,
    10187: Fault.NO_DATA,
    10197: Fault.COMPETING_SESSION,
}
_WORDS = (
    ("pacing", Fault.PACING),
    ("permission", Fault.NO_PERMISSION),
    ("subscri", Fault.NOT_SUBSCRIBED),
    ("no data", Fault.NO_DATA),
    ("cancel", Fault.QUERY_GONE),
)
_HISTORY = frozenset({162, 321, 322, 420})


def fault_of(code: int, text: str) -> Fault | None:
    """What a code about a question means; None where the answer goes on."""
    if code in REMARKS:
        return None
    if code in _HISTORY:
        low = text.lower()
        for word, fault in _WORDS:
            if word in low:
                return fault
    return _CODES.get(code, Fault.REFUSED)


class AskError(Exception):
    """A question that has no answer, or a market that cannot be asked for."""

    def __init__(self, fault: Fault, detail: str, code: int = 0) -> None:
        super().__init__(f"{fault}: {detail}")
        self.fault = fault
        self.detail = detail
        self.code = code


def source_error(errors: Sequence[AskError], shown: int = 5) -> SourceError:
    """One error of several; the first failure gives the reason, and where none is one there was nothing new."""
    failed = [error for error in errors if error.fault not in NO_FAILURE]
    told = failed or list(errors)
    more = f"; and {len(told) - shown} more" if len(told) > shown else ""
    detail = "; ".join(error.detail for error in told[:shown]) + more
    state = PayloadState.UNREACHABLE if failed else PayloadState.NOTHING_NEW
    return SourceError(str(told[0].fault), detail, state=state)
