"""Names of contracts: our ids, and how vendors write a contract month.

A future is ``ROOT-YYYY-MM`` (``HE-2025-12``), an option ``ROOT-YYYY-MM-DD-R-STRIKE`` with the option's root, last
trading date, right and shortest decimal strike (``HE-2025-12-12-C-82.5``). Each id has a scalar and a vectorised
form that agree to the byte.

Vendors' contract months, all understood by :func:`contract_month` and :func:`contract_month_expr`:

==================  =====================================================
``20251200``        year, month and a day that is zero or ignored
``202512``          year and month
``HEZ25``           root, month letter, two-digit year
``HEZ2025``         root, month letter, four-digit year
``HEZ5``            root, month letter, last digit of the year
``C H97 Comdty``    the same after Bloomberg's fashion, root padded to two
``LBK8 08 Comdty``  Bloomberg again: last digit, then the two-digit year
``a2111``           lower-case root, two-digit year, month (Chinese exchanges)
==================  =====================================================

A one-digit year is read against the date of the row it stands in: the earliest such month that is not before the
month preceding that date (a milk contract trades into the month after its own). A two-digit year is read against
the same date, from 10 years before to 89 after; without a date the pivot is 1970 (70-99 are 19xx, 00-69 are 20xx).
"""

import re
from datetime import date

import polars as pl

from hydra_assets.markets.model import MONTH_CODES

STRIKE_DECIMALS = 6
"""Strikes are exact to a millionth of the price unit."""
PIVOT_YEAR = 1970
_UNIT: int = 10**STRIKE_DECIMALS
_VENDOR = rf"^ *([A-Z0-9]{{1,5}}?) ?([{MONTH_CODES}])(?:[0-9] +)?([0-9]{{4}}|[0-9]{{1,2}})(?: +Comdty)? *$"
_DIGITS = r"^ *([0-9]{4})(0[1-9]|1[0-2])(?:[0-9]{2})?(?:\.0)? *$"
_YEAR_MONTH = r"^ *[a-z]{1,2}([0-9]{2})(0[1-9]|1[0-2]) *$"


class ContractError(ValueError):
    """A text that names no contract."""


def month_letter(month: int) -> str:
    """Futures letter of a month, 1 to 12."""
    return MONTH_CODES[month - 1]


def month_number(letter: str) -> int:
    """Month, 1 to 12, of a futures letter; ContractError where it is none."""
    index = MONTH_CODES.find(letter)
    if len(letter) != 1 or index < 0:
        msg = f"{letter!r} is not a futures month letter ({MONTH_CODES})"
        raise ContractError(msg)
    return index + 1


def add_months(month: date, n: int) -> date:
    """First of the month ``n`` months after a date's own."""
    count = month.year * 12 + month.month - 1 + n
    return date(count // 12, count % 12 + 1, 1)


def future_id(root: str, month: date) -> str:
    """Id of a future: ``HE-2025-12``."""
    return f"{root}-{month.year:04d}-{month.month:02d}"


def future_month(contract: str) -> date:
    """Contract month, first of month, of a future's id; ContractError where it is none."""
    match = re.fullmatch(r"[A-Z0-9_]+-(\d{4})-(\d{2})", contract)
    if match is None or not 1 <= int(match[2]) <= 12:
        msg = f"{contract!r} is not a future's id (ROOT-YYYY-MM)"
        raise ContractError(msg)
    return date(int(match[1]), int(match[2]), 1)


def format_strike(strike: float) -> str:
    """Shortest decimal of a strike, without exponent, exact to a millionth: 82.5, 100000, 0.035."""
    units = round(strike * _UNIT)
    whole, fraction = divmod(abs(units), _UNIT)
    decimals = f"{fraction:0{STRIKE_DECIMALS}d}".rstrip("0")
    return f"{'-' if units < 0 else ''}{whole}{'.' if decimals else ''}{decimals}"


def option_id(root: str, expiry: date, right: str, strike: float) -> str:
    """Id of an option: ``HE-2025-12-12-C-82.5``."""
    return f"{root}-{expiry.isoformat()}-{right}-{format_strike(strike)}"


def future_id_expr(root: str | pl.Expr, month: pl.Expr) -> pl.Expr:
    """Vectorised :func:`future_id`; null where the month is null."""
    return pl.concat_str(_text(root), pl.lit("-"), month.dt.strftime("%Y-%m"))


def strike_expr(strike: pl.Expr) -> pl.Expr:
    """Vectorised :func:`format_strike`."""
    # Rounds half to even as Python's round does; such ties lie far below any exchange's strike interval.
    units = (strike * _UNIT).round(0, mode="half_to_even").cast(pl.Int64, strict=False)
    size = units.abs()
    decimals = (size % _UNIT).cast(pl.String).str.zfill(STRIKE_DECIMALS).str.strip_chars_end("0")
    point = pl.when(decimals == "").then(pl.lit("")).otherwise(pl.lit("."))
    sign = pl.when(units < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    return pl.concat_str(sign, (size // _UNIT).cast(pl.String), point, decimals)


def option_id_expr(root: str | pl.Expr, expiry: pl.Expr, right: pl.Expr, strike: pl.Expr) -> pl.Expr:
    """Vectorised :func:`option_id`; null where any part is null."""
    return pl.concat_str(
        _text(root), pl.lit("-"), expiry.dt.strftime("%Y-%m-%d"), pl.lit("-"), right, pl.lit("-"), strike_expr(strike)
    )


def contract_month(text: str, reference: date | None = None) -> date:
    """Contract month, first of month, of a vendor's name; ContractError where it names none.

    ``reference`` is the date of the row; a one-digit year without it is an error.
    """
    digits = re.fullmatch(_DIGITS, text)
    if digits is not None:
        return date(int(digits[1]), int(digits[2]), 1)
    named, plain = re.fullmatch(_VENDOR, text), re.fullmatch(_YEAR_MONTH, text)
    if named is not None:
        month, year, width = month_number(named[2]), int(named[3]), len(named[3])
    elif plain is not None:
        month, year, width = int(plain[2]), int(plain[1]), 2
    else:
        msg = f"{text!r} names no contract month"
        raise ContractError(msg)
    if width == 1:
        if reference is None:
            msg = f"{text!r}: a one-digit year needs the date of its row"
            raise ContractError(msg)
        earliest = add_months(reference, -1)
        return next(
            date(y, month, 1)
            for y in range(earliest.year, earliest.year + 11)
            if y % 10 == year and date(y, month, 1) >= earliest
        )
    if width == 2:
        first = PIVOT_YEAR if reference is None else reference.year - 10
        year = first + (year - first) % 100
    if not 1 <= year <= 9999:
        msg = f"{text!r}: impossible year"
        raise ContractError(msg)
    return date(year, month, 1)


def contract_root(text: str) -> str | None:
    """Vendor's root in a contract name, None where it carries none (``20251200``) or names no contract."""
    named = re.fullmatch(_VENDOR, text)
    return named[1] if named is not None else None


def contract_month_expr(text: pl.Expr, reference: pl.Expr) -> pl.Expr:
    """Vectorised :func:`contract_month`; null where a text names no contract month.

    ``reference`` are the rows' dates (null: the pivot of 1970, and no one-digit years).
    """
    year_digits, month_digits = text.str.extract(_DIGITS, 1), text.str.extract(_DIGITS, 2)
    letter = text.str.extract(_VENDOR, 2)
    written = pl.coalesce(text.str.extract(_VENDOR, 3), text.str.extract(_YEAR_MONTH, 1))
    month = pl.coalesce(
        pl.coalesce(month_digits, text.str.extract(_YEAR_MONTH, 2)).cast(pl.Int32, strict=False),
        letter.replace_strict(list(MONTH_CODES), list(range(1, 13)), default=None, return_dtype=pl.Int32),
    )
    digits = written.cast(pl.Int32, strict=False)
    first = (reference.dt.year() - 10).fill_null(PIVOT_YEAR)
    # Months counted from year 0; the earliest admissible month of a one-digit year is the one before the row's.
    earliest = reference.dt.year() * 12 + reference.dt.month().cast(pl.Int32) - 2
    candidate = earliest // 12 + (digits - earliest // 12) % 10
    one_digit = candidate + pl.when(candidate * 12 + month - 1 < earliest).then(10).otherwise(0)
    width = written.str.len_chars()
    year = (
        pl.when(year_digits.is_not_null())
        .then(year_digits.cast(pl.Int32, strict=False))
        .when(width == 1)
        .then(one_digit)
        .when(width == 2)
        .then(first + (digits - first) % 100)
        .otherwise(digits)
    )
    # A null day drops what names no month; year 0 is no date.
    day = pl.when((year >= 1) & month.is_not_null()).then(pl.lit(1, dtype=pl.Int32))
    return pl.date(year, month, day)


def _text(root: str | pl.Expr) -> pl.Expr:
    return pl.lit(root) if isinstance(root, str) else root
