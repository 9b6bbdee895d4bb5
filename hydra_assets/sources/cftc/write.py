"""Reports in the CFTC's own text layouts, written from canonical quantities; the inverse of ``parse_cot``.

The embedded market publishes through this, so that simulated reports take the same way as real ones. All quantities
go into the "All" and "Old" columns, "Other" is zero; changes are against the previous report of the same frame, ``.``
where there is none; concentrations are not simulated and stand as ``.``.
"""

from collections.abc import Sequence

import polars as pl

from hydra_assets.sources.cftc.layout import CATEGORIES, SPREADING, Family, Scope

_YEARS = ("All", "Old", "Other")


def write_legacy(rows: pl.DataFrame) -> bytes:
    """The 129-column legacy text (``annual.txt`` futures only, ``annualof.txt`` combined: the name tells which).

    ``rows``: one row per (cftc_code, report_date, category) with columns ``cftc_code``, ``report_date`` (Date),
    ``category``, ``open_interest``, ``long_contracts``, ``short_contracts``, ``spread_contracts``,
    ``traders_long``, ``traders_short``, ``traders_spread`` (whole numbers; null traders are written ``.``) and
    optionally ``name`` and ``contract_units``. Every category of the family must be there; ValueError otherwise.
    Newest report first, as the CFTC sorts them; LF line ends.
    """
    return _write(Family.LEGACY, rows, None)


def write_disaggregated(rows: pl.DataFrame, scope: Scope | str = Scope.FUTURES_ONLY) -> bytes:
    """The 191-column disaggregated text (``f_year.txt``, ``c_year.txt``); ``rows`` as in ``write_legacy``.

    The scope stands in the last column of every row. CRLF line ends.
    """
    return _write(Family.DISAGGREGATED, rows, Scope(scope))


def legacy_header() -> list[str]:
    """The 129 column names of the legacy text, with the blanks and spellings the CFTC prints."""
    head = [
        "Market and Exchange Names",
        "As of Date in Form YYMMDD",
        "As of Date in Form YYYY-MM-DD",
        "CFTC Contract Market Code",
        "CFTC Market Code in Initials",
        "CFTC Region Code",
        "CFTC Commodity Code",
    ]
    sides = [
        ("Noncommercial", "Long"),
        ("Noncommercial", "Short"),
        ("Noncommercial", "Spreading"),
        ("Commercial", "Long"),
        ("Commercial", "Short"),
        ("Total Reportable", "Long"),
        ("Total Reportable", "Short"),
        ("Nonreportable", "Long"),
        ("Nonreportable", "Short"),
    ]
    for year in _YEARS:
        head.append(f"Open Interest ({year})")
        head += [
            f"{' ' if (who, side, year) == ('Total Reportable', 'Long', 'All') else ''}{who} Positions-{side} ({year})"
            for who, side in sides
        ]
    head.append("Change in Open Interest (All)")
    head += [f"Change in {who}-{side} (All)" for who, side in sides]
    for year in _YEARS:
        head.append(f"% of Open Interest (OI){'' if year == 'Old' else ' '}({year})")
        head += [f"% of OI-{who}-{side} ({year})" for who, side in sides]
    for year in _YEARS:
        head.append(f"Traders-Total ({year})")
        head += [f"Traders-{who}-{side} ({year})" for who, side in sides if who != "Nonreportable"]
    for year in _YEARS:
        for gross in ("Gross", "Net"):
            for n in (4, 8):
                for side in ("Long", "Short"):
                    first = (gross, n, side, year) == ("Gross", 4, "Long", "All")
                    tight = year == "Other" and gross == "Gross" and side == "Short"
                    head.append(
                        f"Concentration-{gross} LT ={' ' if first else ''}{n} TDR-{side}{'' if tight else ' '}({year})"
                    )
    return [
        *head,
        "Contract Units",
        "CFTC Contract Market Code (Quotes)",
        "CFTC Market Code in Initials (Quotes)",
        "CFTC Commodity Code (Quotes)",
    ]


def disaggregated_header() -> list[str]:
    """The 191 column names of the disaggregated text, doubled underscores included."""
    head = [
        "Market_and_Exchange_Names",
        "As_of_Date_In_Form_YYMMDD",
        "Report_Date_as_YYYY-MM-DD",
        "CFTC_Contract_Market_Code",
        "CFTC_Market_Code",
        "CFTC_Region_Code",
        "CFTC_Commodity_Code",
    ]
    sides = [
        ("Prod_Merc", "Long"),
        ("Prod_Merc", "Short"),
        *((who, side) for who in ("Swap", "M_Money", "Other_Rept") for side in ("Long", "Short", "Spread")),
        ("Tot_Rept", "Long"),
        ("Tot_Rept", "Short"),
        ("NonRept", "Long"),
        ("NonRept", "Short"),
    ]
    for year in _YEARS:
        head.append(f"Open_Interest_{year}")
        head += [
            f"{who}_{'_' if who == 'Swap' and side != 'Long' else ''}Positions_{side}_{year}" for who, side in sides
        ]
    head.append("Change_in_Open_Interest_All")
    head += [f"Change_in_{who}_{side}_All" for who, side in sides]
    for year in _YEARS:
        head.append(f"Pct_of_Open_Interest_{year}")
        head += [f"Pct_of_OI_{who}_{side}_{year}" for who, side in sides]
    for year in _YEARS:
        head.append(f"Traders_Tot_{year}")
        head += [f"Traders_{who}_{side}_{year}" for who, side in sides if who != "NonRept"]
    head += [
        f"Conc_{gross}_LE_{n}_TDR_{side}_{year}"
        for year in _YEARS
        for gross in ("Gross", "Net")
        for n in (4, 8)
        for side in ("Long", "Short")
    ]
    return [
        *head,
        "Contract_Units",
        "CFTC_Contract_Market_Code_Quotes",
        "CFTC_Market_Code_Quotes",
        "CFTC_Commodity_Code_Quotes",
        "CFTC_SubGroup_Code",
        "FutOnly_or_Combined",
    ]


def _sides(family: Family) -> list[tuple[str, str]]:
    return [
        (category, side)
        for category in CATEGORIES[family]
        for side in ("long", "short", "spread")
        if side != "spread" or category in SPREADING
    ]


def _wide(family: Family, rows: pl.DataFrame) -> pl.DataFrame:
    """One row per report: ``<category>.<side>`` and ``<category>.traders_<side>``; ValueError on a missing category."""
    expected = set(CATEGORIES[family])
    short = (
        rows.group_by("cftc_code", "report_date")
        .agg(pl.col("category").sort())
        .filter(pl.col("category") != pl.lit(sorted(expected), dtype=pl.List(pl.String)))
    )
    if len(short):
        first = short.row(0, named=True)
        msg = f"{first['cftc_code']} {first['report_date']}: categories {first['category']}, not {sorted(expected)}"
        raise ValueError(msg)
    optional = [
        pl.col(c) if c in rows.columns else pl.lit(default).alias(c)
        for c, default in (("name", ""), ("contract_units", "(CONTRACTS)"))
    ]
    keys = rows.with_columns(optional).group_by("cftc_code", "report_date", maintain_order=True)
    wide = keys.agg(
        pl.col("name", "contract_units", "open_interest").first(),
        *(
            pl.col(column).filter(pl.col("category") == category).first().alias(f"{category}.{quantity}")
            for category in CATEGORIES[family]
            for quantity, column in (
                *((side, f"{side}_contracts") for side in ("long", "short", "spread")),
                *((f"traders_{side}", f"traders_{side}") for side in ("long", "short", "spread")),
            )
        ),
    )
    return wide.sort(["cftc_code", "report_date"], descending=[False, True])


def _number(expr: pl.Expr, width: int) -> pl.Expr:
    """Whole number right-aligned in its column; ``.`` where it is missing."""
    return expr.cast(pl.Int64).cast(pl.String).str.pad_start(width, " ").fill_null(".")


def _tenth(expr: pl.Expr, width: int) -> pl.Expr:
    tenths = (expr.fill_nan(None) * 10).round().cast(pl.Int64)
    text = pl.concat_str(tenths // 10, pl.lit("."), tenths % 10)
    return text.str.pad_start(width, " ").fill_null(".")


def _cells(family: Family, scope: Scope | None) -> list[pl.Expr]:
    """Column expressions of one report row, in file order."""
    sides = _sides(family)
    positions = [pl.col("open_interest"), *(pl.col(f"{c}.{s}") for c, s in sides)]
    zero, traders = pl.lit(0), [pl.col(f"{c}.traders_{s}") for c, s in sides if c != "nonreportable"]
    oi = pl.when(pl.col("open_interest") > 0).then(pl.col("open_interest"))
    quoted = pl.concat_str(pl.lit('"'), pl.col("cftc_code"), pl.lit('"'))
    cells: list[pl.Expr] = [
        pl.concat_str(
            pl.lit('"'),
            pl.when(pl.col("name") == "").then(pl.col("cftc_code")).otherwise(pl.col("name").str.replace_all('"', "'")),
            pl.lit('"'),
        ),
        pl.col("report_date").dt.strftime("%y%m%d"),
        pl.col("report_date").dt.strftime("%Y-%m-%d"),
        pl.col("cftc_code"),
        pl.lit("SIM "),
        pl.lit("00"),
        pl.col("cftc_code").str.slice(0, 3) + pl.lit(" "),
    ]
    cells += [_number(p, 8) for _ in ("All", "Old") for p in positions]
    cells += [_number(zero, 8) for _ in positions]
    cells += [_number(p - p.shift(-1).over("cftc_code"), 8) for p in positions]
    cells += [_tenth(100 * p / oi, 7) for _ in ("All", "Old") for p in positions]
    cells += [_tenth(100.0 * zero, 7) for _ in positions]
    cells += [e for _ in ("All", "Old") for e in (pl.lit("."), *(_number(t, 7) for t in traders))]
    cells += [_number(zero, 7) for _ in (zero, *traders)]
    cells += [pl.lit(".")] * 24
    cells += [
        pl.concat_str(pl.lit('"'), pl.col("contract_units"), pl.lit('"')),
        quoted,
        pl.lit('"SIM "'),
        pl.concat_str(pl.lit('"'), pl.col("cftc_code").str.slice(0, 3), pl.lit(' "')),
    ]
    if scope is not None:
        cells += [pl.lit('"A00"'), pl.lit('"FutOnly"' if scope is Scope.FUTURES_ONLY else '"Combined"')]
    return cells


def _write(family: Family, rows: pl.DataFrame, scope: Scope | None) -> bytes:
    header: Sequence[str] = legacy_header() if family is Family.LEGACY else disaggregated_header()
    wide = _wide(family, rows)
    cells = [e.alias(f"c{i}") for i, e in enumerate(_cells(family, scope))]
    if len(cells) != len(header):
        msg = f"{len(cells)} cells for {len(header)} columns"
        raise AssertionError(msg)
    end = "\n" if family is Family.LEGACY else "\r\n"
    lines = wide.select(cells).select(pl.concat_str(pl.all(), separator=",").alias("line"))["line"]
    first = ",".join(f'"{name}"' for name in header)
    return (end.join([first, *lines.to_list()]) + end).encode()
