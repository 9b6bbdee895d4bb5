"""Why a bar or quote of an archived answer is no canonical row. Pure."""

from collections.abc import Mapping
from enum import StrEnum

from hydra_assets.sources.base import Disposition


class Reason(StrEnum):
    """Reasons of rejects."""

    OTHER_TERMS = "other_terms"
    UNKNOWN_CONTRACT = "unknown_contract"
    BAD_DATE = "bad_date"
    BAD_NUMBER = "bad_number"
    NOT_POSITIVE_PRICE = "not_positive_price"
    OUTSIDE_A_SESSION = "outside_a_session"
    SESSION_NOT_OVER = "session_not_over"
    BAD_EXPIRY = "bad_expiry"
    BAD_RIGHT = "bad_right"
    BAD_STRIKE = "bad_strike"
    DELAYED_DATA = "delayed_data"
    NO_VALUE = "no_value"


DETAILS: Mapping[Reason, str] = {
    Reason.OTHER_TERMS: "the listed contract is not the one of the market's file",
    Reason.UNKNOWN_CONTRACT: "nothing in the answer says which contract this is",
    Reason.BAD_DATE: "the date cannot be read",
    Reason.BAD_NUMBER: "a value is missing or no finite number",
    Reason.NOT_POSITIVE_PRICE: "a price of zero or less",
    Reason.OUTSIDE_A_SESSION: "the exchange was closed on that date",
    Reason.SESSION_NOT_OVER: "the session had no settlement yet when it was asked for",
    Reason.BAD_EXPIRY: "the expiry cannot be read, or has passed",
    Reason.BAD_RIGHT: "neither call nor put",
    Reason.BAD_STRIKE: "no strike above zero",
    Reason.DELAYED_DATA: "not live data: of another moment than it says",
    Reason.NO_VALUE: "no value at all",
}

SET_ASIDE = frozenset({Reason.OUTSIDE_A_SESSION, Reason.SESSION_NOT_OVER, Reason.NO_VALUE})


def disposition(reason: Reason) -> Disposition:
    """What becomes of a row with a reason."""
    return Disposition.SET_ASIDE if reason in SET_ASIDE else Disposition.QUARANTINED
