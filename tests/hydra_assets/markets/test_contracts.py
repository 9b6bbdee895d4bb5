from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydra_assets.markets.contracts import (
    ContractError,
    add_months,
    contract_month,
    contract_month_expr,
    contract_root,
    format_strike,
    future_id,
    future_id_expr,
    future_month,
    month_letter,
    month_number,
    option_id,
    option_id_expr,
    strike_expr,
)

KNOWN = [
    ("19750700", date(1974, 7, 22), date(1975, 7, 1)),
    ("20251200", None, date(2025, 12, 1)),
    ("202512", None, date(2025, 12, 1)),
    ("HEZ25", date(2025, 3, 3), date(2025, 12, 1)),
    ("HEZ2025", None, date(2025, 12, 1)),
    ("MWK22", date(2020, 9, 18), date(2022, 5, 1)),
    ("C H97 Comdty", date(1997, 1, 2), date(1997, 3, 1)),
    ("LCQ04 Comdty", date(2004, 7, 1), date(2004, 8, 1)),
    ("LBK8 08 Comdty", date(2007, 6, 1), date(2008, 5, 1)),
    ("C U1 Comdty", date(2010, 9, 7), date(2011, 9, 1)),
    ("LBX9 Comdty", date(2008, 11, 17), date(2009, 11, 1)),
    ("DCZ0", date(2011, 1, 3), date(2010, 12, 1)),
    ("HEZ0", date(2010, 12, 31), date(2010, 12, 1)),
    ("a2111", date(2021, 10, 28), date(2021, 11, 1)),
    ("HEZ70", None, date(1970, 12, 1)),
    ("HEZ69", None, date(2069, 12, 1)),
    ("HEZ70", date(1969, 5, 1), date(1970, 12, 1)),
]


@pytest.mark.parametrize(("text", "reference", "month"), KNOWN)
def test_vendor_names_give_their_month(text: str, reference: date | None, month: date) -> None:
    assert contract_month(text, reference) == month


def test_vectorised_months_agree_with_the_scalar_ones() -> None:
    frame = pl.DataFrame(
        {"text": [k[0] for k in KNOWN], "reference": [k[1] for k in KNOWN]},
        schema={"text": pl.String, "reference": pl.Date},
    )
    got = frame.select(contract_month_expr(pl.col("text"), pl.col("reference"))).to_series().to_list()
    assert got == [k[2] for k in KNOWN]


@pytest.mark.parametrize("text", ["", "HE", "HEA25", "20251300", "2025", "None", "a2113", "12", "HEZ999", "Z0000"])
def test_what_names_no_month_is_refused(text: str) -> None:
    with pytest.raises(ContractError):
        contract_month(text, date(2025, 1, 2))
    frame = pl.DataFrame({"t": [text], "d": [date(2025, 1, 2)]})
    assert frame.select(contract_month_expr(pl.col("t"), pl.col("d"))).item() is None


def test_a_one_digit_year_needs_its_row() -> None:
    with pytest.raises(ContractError, match="one-digit"):
        contract_month("HEZ5")
    frame = pl.DataFrame({"t": ["HEZ5"], "d": [None]}, schema={"t": pl.String, "d": pl.Date})
    assert frame.select(contract_month_expr(pl.col("t"), pl.col("d"))).item() is None


@given(
    text=st.one_of(
        st.from_regex(r"[A-Z]{1,3} ?[FGHJKMNQUVXZ](\d{1,2}|\d{4})( Comdty)?", fullmatch=True),
        st.from_regex(r"[a-z]{1,2}\d{4}", fullmatch=True),
        st.from_regex(r"\d{6,8}", fullmatch=True),
        st.text(alphabet="HEZ0125 mC", max_size=12),
    ),
    reference=st.dates(date(1970, 1, 1), date(2031, 12, 31)),
)
@settings(max_examples=300)
def test_scalar_and_vectorised_months_agree(text: str, reference: date) -> None:
    try:
        scalar = contract_month(text, reference)
    except ContractError:
        scalar = None
    frame = pl.DataFrame({"t": [text], "d": [reference]})
    assert frame.select(contract_month_expr(pl.col("t"), pl.col("d"))).item() == scalar


@given(st.integers(0, 10**13))
@settings(max_examples=200)
def test_strikes_are_written_without_exponent_and_read_back(millionths: int) -> None:
    strike = millionths / 10**6
    text = format_strike(strike)
    assert "e" not in text
    assert round(float(text) * 10**6) == millionths
    assert pl.DataFrame({"k": [strike]}).select(strike_expr(pl.col("k"))).item() == text


@pytest.mark.parametrize(
    ("strike", "text"), [(82.5, "82.5"), (100_000.0, "100000"), (0.035, "0.035"), (15.25, "15.25")]
)
def test_strike_texts(strike: float, text: str) -> None:
    assert format_strike(strike) == text


def test_ids() -> None:
    assert future_id("HE", date(2025, 12, 1)) == "HE-2025-12"
    assert option_id("HE", date(2025, 12, 12), "C", 82.5) == "HE-2025-12-12-C-82.5"
    assert future_month("HE-2025-12") == date(2025, 12, 1)
    frame = pl.DataFrame(
        {"m": [date(2025, 12, 1), None], "e": [date(2025, 12, 12)] * 2, "r": ["C"] * 2, "k": [82.5] * 2}
    )
    ids = frame.select(
        future_id_expr("HE", pl.col("m")).alias("f"),
        option_id_expr("HE", pl.col("e"), pl.col("r"), pl.col("k")).alias("o"),
    )
    assert ids["f"].to_list() == ["HE-2025-12", None]
    assert ids["o"].to_list() == ["HE-2025-12-12-C-82.5"] * 2


@pytest.mark.parametrize("text", ["HE", "HE-2025", "HE-2025-13", "HE-2025-12-12"])
def test_what_is_no_future_id_is_refused(text: str) -> None:
    with pytest.raises(ContractError):
        future_month(text)


def test_month_letters_and_arithmetic() -> None:
    assert [month_number(month_letter(m)) for m in range(1, 13)] == list(range(1, 13))
    assert add_months(date(2023, 12, 14), 1) == date(2024, 1, 1)
    assert add_months(date(2024, 1, 1), -13) == date(2022, 12, 1)
    with pytest.raises(ContractError):
        month_number("A")


def test_roots_of_vendor_names() -> None:
    assert contract_root("LCQ04 Comdty") == "LC"
    assert contract_root("C H97 Comdty") == "C"
    assert contract_root("20251200") is None
