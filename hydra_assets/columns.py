"""The one column dictionary: every column of every dataset, with its type, unit, meaning and known-when rule.

Lake schemas, row validation, asset checks and the reference page (``docs/reference/columns.md``) all come from
here, so a column means the same thing wherever it stands.
"""

from dataclasses import dataclass, field
from enum import StrEnum

import polars as pl

UTC_US = pl.Datetime("us", "UTC")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: polars type, unit, meaning, when its value can be known, and the bounds a value must keep."""

    dtype: pl.DataType
    unit: str
    description: str
    known_when: str = "with its row"
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] = ()


class Layer(StrEnum):
    """Where a dataset stands in the flow, and with it how it is written."""

    RAW = "raw"
    """Append-only and bitemporal."""
    DERIVED = "derived"
    """Replaced by (market, session range)."""


class PartitionedBy(StrEnum):
    """What one partition of a dataset is."""

    MARKET_SESSION = "market_session"
    REPORT_WEEK = "report_week"
    NONE = "none"


F64, I64, STR, DATE, BOOL = pl.Float64(), pl.Int64(), pl.String(), pl.Date(), pl.Boolean()

COLUMNS: dict[str, Column] = {
    # --- where and when -----------------------------------------------------------------------------------
    "market": Column(STR, "symbol", "Market symbol, the first partition dimension."),
    "session": Column(
        DATE,
        "exchange trading date",
        "Partition: the first session whose cutoff is not before the row's known_at (raw), "
        "or the session whose cutoff the row was computed for (derived).",
    ),
    "event_session": Column(DATE, "exchange trading date", "The trading date that the row is about."),
    "event_time": Column(UTC_US, "UTC instant", "The instant that the row is about."),
    "known_at": Column(UTC_US, "UTC instant", "The earliest instant at which the row could have been known."),
    "ingested_at": Column(UTC_US, "UTC instant", "When this system first wrote the row; never used for a decision."),
    "source": Column(STR, "name", "The source that delivered the row."),
    "payload_sha256": Column(STR, "hex", "Digest of the archived payload that the row was read from."),
    "source_row": Column(I64, "0-based row", "The row of the payload, without its header.", minimum=0),
    "record": Column(
        STR,
        "code",
        "price (open to settle, quotes) or activity (volume, open interest): they become known at different times.",
        allowed=("price", "activity"),
    ),
    # --- contracts ----------------------------------------------------------------------------------------
    "contract": Column(STR, "ROOT-YYYY-MM", "Future, by exchange root and contract month."),
    "contract_month": Column(DATE, "first of month", "Contract month of the future."),
    "option": Column(STR, "ROOT-YYYY-MM-DD-R-STRIKE", "Option, by root, expiry date, right and strike."),
    "underlying_contract": Column(STR, "ROOT-YYYY-MM", "Future that the option is exercised into."),
    "expiry": Column(DATE, "exchange trading date", "Last trading date of the option or future."),
    "strike": Column(F64, "price unit", "Strike, in the unit of the underlying's price.", minimum=0),
    "right": Column(STR, "code", "Call or put.", allowed=("C", "P")),
    # --- prices -------------------------------------------------------------------------------------------
    "open": Column(F64, "price unit", "First trade of the session."),
    "high": Column(F64, "price unit", "Highest trade of the session."),
    "low": Column(F64, "price unit", "Lowest trade of the session."),
    "close": Column(F64, "price unit", "Last trade of the session."),
    "settle": Column(
        F64,
        "price unit",
        "Settlement price of the session; on the curve the last trade where a vendor has no settlement.",
        "after settlement publication",
    ),
    "bid": Column(F64, "price unit", "Best bid at the quote's instant.", minimum=0),
    "ask": Column(F64, "price unit", "Best offer at the quote's instant.", minimum=0),
    "bid_size": Column(F64, "contracts", "Size at the best bid.", minimum=0),
    "ask_size": Column(F64, "contracts", "Size at the best offer.", minimum=0),
    "underlying_price": Column(F64, "price unit", "The vendor's own underlying price beside the option quote."),
    "vendor_iv": Column(F64, "fraction a year", "The vendor's implied volatility; never used as ours.", minimum=0),
    "volume": Column(F64, "contracts", "Cleared volume of the session.", "one session later", minimum=0),
    "open_interest": Column(F64, "contracts", "Open interest at the session's end.", "one session later", minimum=0),
    # --- positioning --------------------------------------------------------------------------------------
    "report_week": Column(DATE, "Monday", "Partition: the Monday of the week that holds report_date."),
    "report_date": Column(DATE, "date", "As-of date of the CFTC report, usually a Tuesday."),
    "cftc_code": Column(STR, "code", "CFTC contract market code."),
    "family": Column(STR, "code", "Report family.", allowed=("legacy", "disaggregated")),
    "scope": Column(STR, "code", "Futures only, or with options.", allowed=("futures_only", "combined")),
    "category": Column(
        STR,
        "code",
        "Trader category of the family; total for all reportable traders.",
        allowed=(
            "noncommercial",
            "commercial",
            "producer_merchant",
            "swap_dealer",
            "managed_money",
            "other_reportable",
            "total_reportable",
            "nonreportable",
        ),
    ),
    "long_contracts": Column(F64, "contracts", "Long positions of the category.", minimum=0),
    "short_contracts": Column(F64, "contracts", "Short positions of the category.", minimum=0),
    "spread_contracts": Column(F64, "contracts", "Spreading positions of the category.", minimum=0),
    "traders_long": Column(F64, "traders", "Traders long; missing where suppressed (fewer than four).", minimum=0),
    "traders_short": Column(F64, "traders", "Traders short; missing where suppressed.", minimum=0),
    "traders_spread": Column(F64, "traders", "Traders spreading; missing where suppressed.", minimum=0),
    # --- curated: futures curve ---------------------------------------------------------------------------
    "last_trade": Column(DATE, "exchange trading date", "Last trading date of the future by its rulebook rule."),
    "first_notice": Column(DATE, "date", "First notice day where delivery is physical."),
    "settle_age_sessions": Column(I64, "sessions", "Age of the settle; 0 is this session's.", minimum=0),
    "days_to_last_trade": Column(I64, "days", "Calendar days from the session to last trade.", minimum=0),
    "role": Column(
        STR, "code", "Place of the contract in the roll schedule.", allowed=("front", "next", "deferred", "expiring")
    ),
    "carry": Column(F64, "log a year", "ln(front / next) over the months between them; on the front row only."),
    "slope": Column(F64, "log a year", "Least-squares slope of ln settle against years to last trade; front row only."),
    "held_contract": Column(STR, "ROOT-YYYY-MM", "Contract that held_return was earned in: last session's front."),
    "held_return": Column(
        F64, "fraction", "Settle over last session's settle of the same contract, minus one; front row only."
    ),
    # --- curated: positions -------------------------------------------------------------------------------
    "coverage": Column(
        STR,
        "code",
        "State of the report for the market at the cutoff.",
        allowed=("published", "late", "not_published", "no_code"),
    ),
    "report_known_at": Column(UTC_US, "UTC instant", "When the row's report became known."),
    "report_age_days": Column(I64, "days", "Calendar days from report_date to the session.", minimum=0),
    "missing_weeks": Column(I64, "weeks", "Report weeks without this market just before report_date.", minimum=0),
    "net_contracts": Column(F64, "contracts", "Long minus short."),
    "net_share": Column(F64, "fraction", "Net over open interest.", minimum=-1, maximum=1),
    "net_change_1w": Column(F64, "contracts", "Net minus the previous week's, by us; missing across a gap."),
    # --- curated: option quotes ---------------------------------------------------------------------------
    "underlying_settle": Column(F64, "price unit", "Settle of the underlying future as known at the cutoff."),
    "underlying_age_sessions": Column(I64, "sessions", "Age of underlying_settle.", minimum=0),
    "days_to_expiry": Column(I64, "days", "Calendar days from the session to expiry.", minimum=0),
    "year_fraction": Column(F64, "years", "ACT/365 from the cutoff to the end of the expiry date.", minimum=0),
    "quote_age_hours": Column(F64, "hours", "From the quote's instant to the cutoff.", minimum=0),
    "exercise": Column(STR, "code", "Exercise style.", allowed=("american", "european")),
    "margin_style": Column(STR, "code", "Premium style.", allowed=("premium_upfront", "futures_style")),
    # --- text ---------------------------------------------------------------------------------------------
    "headline_id": Column(STR, "hex", "Digest of the normalised title and publisher: the key of a headline."),
    "payload_name": Column(STR, "name", "Name of the delivery, as the vendor or the file system gave it."),
    "dataset": Column(STR, "name", "Dataset that the row was meant for."),
    "reason": Column(STR, "code", "Stable reason code."),
    "detail": Column(STR, "text", "What is wrong, in a sentence."),
    "raw": Column(STR, "text", "The row as delivered."),
    "quarantined_on": Column(DATE, "date", "Date on which the row was set apart."),
    "title": Column(STR, "text", "Headline as delivered."),
    "publisher": Column(STR, "name", "Feed or publication."),
    "url": Column(STR, "URL", "Link as delivered; never followed."),
}


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """One dataset: its columns in order, key, layer, partitioning and limits.

    ``required`` columns must not be null in any row. ``staleness_days`` is the age past which an as-of value
    is missing with the reason ``stale``.
    """

    name: str
    description: str
    layer: Layer
    partitioned_by: PartitionedBy
    columns: tuple[str, ...]
    key: tuple[str, ...]
    required: tuple[str, ...]
    staleness_days: int | None = None
    partition_column: str = field(default="session")

    @property
    def schema(self) -> dict[str, pl.DataType]:
        """Polars schema in column order."""
        return {name: COLUMNS[name].dtype for name in self.columns}


PROVENANCE = ("event_time", "known_at", "ingested_at", "source", "payload_sha256", "source_row")

DATASETS: dict[str, DatasetSpec] = {}


def register(spec: DatasetSpec) -> DatasetSpec:
    """Add a dataset; a name or a column that the dictionary does not know is a programming error."""
    unknown = [name for name in (*spec.columns, *spec.key, *spec.required) if name not in COLUMNS]
    if unknown or spec.name in DATASETS:
        msg = f"dataset {spec.name}: unknown columns {unknown} or name taken"
        raise ValueError(msg)
    DATASETS[spec.name] = spec
    return spec


RAW_FUTURES_BARS = register(
    DatasetSpec(
        name="raw_futures_bars",
        description="Daily bars per contract as delivered; prices and activity are separate records.",
        layer=Layer.RAW,
        partitioned_by=PartitionedBy.MARKET_SESSION,
        columns=(
            "market",
            "session",
            "contract",
            "contract_month",
            "event_session",
            "record",
            "open",
            "high",
            "low",
            "close",
            "settle",
            "bid",
            "ask",
            "bid_size",
            "ask_size",
            "volume",
            "open_interest",
            *PROVENANCE,
        ),
        key=("market", "contract", "event_session", "record"),
        required=("market", "session", "contract", "contract_month", "event_session", "record", *PROVENANCE),
        staleness_days=5,
    )
)

RAW_OPTION_CHAINS = register(
    DatasetSpec(
        name="raw_option_chains",
        description="Option quotes and settlements as delivered; prices and activity are separate records.",
        layer=Layer.RAW,
        partitioned_by=PartitionedBy.MARKET_SESSION,
        columns=(
            "market",
            "session",
            "option",
            "underlying_contract",
            "expiry",
            "strike",
            "right",
            "event_session",
            "record",
            "bid",
            "ask",
            "bid_size",
            "ask_size",
            "close",
            "settle",
            "underlying_price",
            "vendor_iv",
            "volume",
            "open_interest",
            *PROVENANCE,
        ),
        key=("market", "option", "event_session", "record"),
        required=(
            "market",
            "session",
            "option",
            "expiry",
            "strike",
            "right",
            "event_session",
            "record",
            *PROVENANCE,
        ),
        staleness_days=1,
    )
)

RAW_COT_REPORTS = register(
    DatasetSpec(
        name="raw_cot_reports",
        description="CFTC commitments of traders, one row per category, every vintage kept.",
        layer=Layer.RAW,
        partitioned_by=PartitionedBy.REPORT_WEEK,
        columns=(
            "market",
            "report_week",
            "report_date",
            "cftc_code",
            "family",
            "scope",
            "category",
            "open_interest",
            "long_contracts",
            "short_contracts",
            "spread_contracts",
            "traders_long",
            "traders_short",
            "traders_spread",
            *PROVENANCE,
        ),
        key=("market", "family", "scope", "report_date", "category"),
        required=(
            "market",
            "report_week",
            "report_date",
            "cftc_code",
            "family",
            "scope",
            "category",
            *PROVENANCE,
        ),
        staleness_days=14,
        partition_column="report_week",
    )
)

RAW_HEADLINES = register(
    DatasetSpec(
        name="raw_headlines",
        description="Headlines as first seen, one row per market they mention.",
        layer=Layer.RAW,
        partitioned_by=PartitionedBy.MARKET_SESSION,
        columns=("market", "session", "headline_id", "title", "publisher", "url", *PROVENANCE),
        key=("market", "headline_id"),
        required=("market", "session", "headline_id", "title", *PROVENANCE),
        staleness_days=10,
    )
)

QUARANTINE = register(
    DatasetSpec(
        name="quarantine",
        description="Every row that a parser or the validation refused, with the reason and the row as delivered.",
        layer=Layer.RAW,
        partitioned_by=PartitionedBy.NONE,
        columns=(
            "market",
            "dataset",
            "source",
            "payload_sha256",
            "payload_name",
            "source_row",
            "reason",
            "detail",
            "raw",
            "quarantined_on",
        ),
        key=("dataset", "payload_sha256", "source_row", "reason", "detail"),
        required=("market", "dataset", "source", "payload_sha256", "source_row", "reason"),
        partition_column="quarantined_on",
    )
)

FUTURES_CURVE = register(
    DatasetSpec(
        name="futures_curve",
        description="Listed contracts of a session with settle and activity as known at its cutoff, roll and carry.",
        layer=Layer.DERIVED,
        partitioned_by=PartitionedBy.MARKET_SESSION,
        columns=(
            "market",
            "session",
            "contract",
            "contract_month",
            "last_trade",
            "first_notice",
            "days_to_last_trade",
            "role",
            "settle",
            "settle_age_sessions",
            "volume",
            "open_interest",
            "carry",
            "slope",
            "held_contract",
            "held_return",
        ),
        key=("market", "session", "contract"),
        required=("market", "session", "contract", "contract_month", "last_trade", "role"),
    )
)

COT_POSITIONS = register(
    DatasetSpec(
        name="cot_positions",
        description="Newest CFTC report known at a session's cutoff, per category, with its coverage state.",
        layer=Layer.DERIVED,
        partitioned_by=PartitionedBy.MARKET_SESSION,
        columns=(
            "market",
            "session",
            "family",
            "scope",
            "category",
            "coverage",
            "report_date",
            "report_known_at",
            "report_age_days",
            "missing_weeks",
            "open_interest",
            "long_contracts",
            "short_contracts",
            "spread_contracts",
            "net_contracts",
            "net_share",
            "net_change_1w",
            "traders_long",
            "traders_short",
            "traders_spread",
        ),
        key=("market", "session", "family", "scope", "category"),
        required=("market", "session", "family", "scope", "category", "coverage"),
    )
)

OPTION_QUOTES = register(
    DatasetSpec(
        name="option_quotes",
        description="The session's option chain joined to its underlying's settle, expiry and day count.",
        layer=Layer.DERIVED,
        partitioned_by=PartitionedBy.MARKET_SESSION,
        columns=(
            "market",
            "session",
            "option",
            "underlying_contract",
            "expiry",
            "strike",
            "right",
            "bid",
            "ask",
            "bid_size",
            "ask_size",
            "settle",
            "vendor_iv",
            "volume",
            "open_interest",
            "underlying_price",
            "underlying_settle",
            "underlying_age_sessions",
            "days_to_expiry",
            "year_fraction",
            "quote_age_hours",
            "exercise",
            "margin_style",
        ),
        key=("market", "session", "option"),
        required=("market", "session", "option", "expiry", "strike", "right", "days_to_expiry", "year_fraction"),
    )
)


LIST_F64 = pl.List(pl.Float64())

COLUMNS.update(
    {
        # --- options ---------------------------------------------------------------------------------------
        "forward": Column(F64, "price unit", "Settle of the slice's own underlying future.", minimum=0),
        "quotes_seen": Column(I64, "quotes", "Quotes of the slice.", minimum=0),
        "quotes_used": Column(I64, "quotes", "Quotes that entered the fit.", minimum=0),
        "quotes_rejected": Column(STR, "reason=count,...", "Quotes that did not, by reason code."),
        "synthetic_spread": Column(BOOL, "flag", "Some quotes were settlements, with an assumed half-spread."),
        "slice_reason": Column(
            STR,
            "code",
            "Why a slice has parameters, or none.",
            allowed=("ok", "too_few_quotes", "one_wing", "poor_fit"),
        ),
        "atm_total_variance": Column(F64, "variance", "SSVI theta: total variance at the forward.", minimum=0),
        "ssvi_rho": Column(F64, "fraction", "SSVI rho: asymmetry of the smile.", minimum=-1, maximum=1),
        "ssvi_phi": Column(F64, "1", "SSVI phi: curvature of the smile.", minimum=0),
        "rmse_half_spreads": Column(F64, "half-spreads", "Root mean square residual of the fit.", minimum=0),
        "atm_vol": Column(F64, "fraction a year", "Implied volatility at the forward.", minimum=0),
        "density": Column(
            LIST_F64, "1 per unit of z", "Risk-neutral density at 129 points of z = ln(K/F)/sqrt(theta) in [-8, 8]."
        ),
        "mass_residual": Column(F64, "fraction", "Integral of the density minus one."),
        "martingale_residual": Column(F64, "fraction", "E[S_T]/F minus one: a check, never a signal."),
        "min_durrleman_g": Column(F64, "1", "Smallest Durrleman g on the quadrature grid; negative is arbitrage."),
        "implied_sd": Column(F64, "fraction", "Standard deviation of ln(S_T/F) to expiry.", minimum=0),
        "implied_vol_of_density": Column(F64, "fraction a year", "implied_sd over the root of time.", minimum=0),
        "implied_skew": Column(F64, "1", "Skewness of ln(S_T/F)."),
        "tilt": Column(F64, "standard deviations", "(ln(median/F) + v/2)/sqrt(v): zero for every lognormal."),
        "tilt_probability": Column(F64, "fraction", "P(S_T > F) in excess of the lognormal of equal variance."),
        "slices_usable": Column(I64, "slices", "Expiries of the session with a density.", minimum=0),
        "moments_reason": Column(
            STR,
            "code",
            "Why a session has moments, or none.",
            allowed=("ok", "no_quotes", "no_usable_slice", "no_expiry_in_range"),
        ),
        # --- crowd -----------------------------------------------------------------------------------------
        "history_weeks": Column(I64, "weeks", "Published weeks that the score ranks the report among.", minimum=0),
        "crowd_score": Column(F64, "score", "Speculators' net share, ranked; +1 is most long.", minimum=-1, maximum=1),
        "crowd_confidence": Column(F64, "fraction", "Trust in the score: history, age, gaps.", minimum=0, maximum=1),
        "crowd_reason": Column(
            STR,
            "code",
            "Why a session has a crowd score, or none.",
            allowed=("ok", "no_report", "not_published", "stale", "short_history"),
        ),
        # --- divergence ------------------------------------------------------------------------------------
        "tilt_z": Column(F64, "standard deviations", "Tilt against its own past."),
        "crowd_z": Column(F64, "standard deviations", "Crowd score against its own past."),
        "divergence_gap": Column(F64, "standard deviations", "tilt_z minus crowd_z."),
        "divergence_z": Column(F64, "standard deviations", "The gap against its own past."),
        "history_sessions": Column(I64, "sessions", "Earlier sessions with a gap.", minimum=0),
        "divergence_type": Column(
            STR,
            "code",
            "What the pair of views is.",
            allowed=("bullish_divergence", "bearish_divergence", "trend_follow", "neutral", "absent"),
        ),
        "divergence_direction": Column(I64, "sign", "Suggested side of the future.", minimum=-1, maximum=1),
        "divergence_reason": Column(
            STR,
            "code",
            "Why a session has a divergence, or none.",
            allowed=("ok", "no_options_view", "no_crowd_view", "short_history"),
        ),
        # --- features --------------------------------------------------------------------------------------
        "vol_premium": Column(F64, "fraction a year", "atm_vol minus realised_vol_20."),
        "momentum_20": Column(F64, "1", "Sum of 20 held log returns over the root of their sum of squares."),
        "momentum_60": Column(F64, "1", "Sum of 60 held log returns over the root of their sum of squares."),
        "realised_vol_20": Column(F64, "fraction a year", "Volatility of the last 20 held returns.", minimum=0),
        "season_sin": Column(F64, "1", "Sine of the day of the year.", minimum=-1, maximum=1),
        "season_cos": Column(F64, "1", "Cosine of the day of the year.", minimum=-1, maximum=1),
        "features_missing": Column(STR, "group:reason,...", "Feature groups that are absent, and why."),
        # --- models ----------------------------------------------------------------------------------------
        "model_group": Column(STR, "name", "Markets that one model is trained on."),
        "model_version": Column(I64, "number", "Version in the registry.", minimum=1),
        "model_sha256": Column(STR, "hex", "Digest of the model artefact."),
        "probability_up": Column(F64, "fraction", "Probability of a positive held return.", minimum=0, maximum=1),
        "prediction_reason": Column(
            STR, "code", "Why a session has a prediction, or none.", allowed=("ok", "no_champion", "no_features")
        ),
        # --- trading ---------------------------------------------------------------------------------------
        "target_contracts": Column(I64, "contracts", "Wanted position, long positive."),
        "target_reason": Column(
            STR,
            "code",
            "Why the wanted position is what it is.",
            allowed=("ok", "no_champion", "no_features", "no_price", "stale_settle"),
        ),
        "limit_reference": Column(F64, "price unit", "Settle that the order's limit is set from."),
        "order_ref": Column(STR, "name", "The order's own name: the same decision has the same name."),
        "side": Column(STR, "code", "Direction of the order.", allowed=("BUY", "SELL")),
        "quantity": Column(I64, "contracts", "Contracts of the order or fill, positive.", minimum=1),
        "limit_price": Column(F64, "price unit", "Worst price at which the order may fill."),
        "gate_code": Column(STR, "code", "Verdict of the risk gate: passed, or why the order was denied."),
        "exec_id": Column(STR, "name", "The broker's name of the fill."),
        "fill_price": Column(F64, "price unit", "Price of the fill."),
        "fee": Column(F64, "currency", "Fee of the whole fill.", minimum=0),
        "ordered_session": Column(DATE, "exchange trading date", "Session after whose cutoff the order was sent."),
    }
)

_MARKET_SESSION = ("market", "session")


def _derived(
    name: str, description: str, columns: tuple[str, ...], key: tuple[str, ...], required: tuple[str, ...]
) -> DatasetSpec:
    return register(
        DatasetSpec(
            name=name,
            description=description,
            layer=Layer.DERIVED,
            partitioned_by=PartitionedBy.MARKET_SESSION,
            columns=(*_MARKET_SESSION, *columns),
            key=(*_MARKET_SESSION, *key),
            required=(*_MARKET_SESSION, *key, *required),
        )
    )


VOL_SURFACE = _derived(
    "vol_surface",
    "One SSVI slice per expiry, fitted robustly to the session's usable quotes; slices without a fit say why.",
    (
        "expiry",
        "underlying_contract",
        "days_to_expiry",
        "year_fraction",
        "forward",
        "quotes_seen",
        "quotes_used",
        "quotes_rejected",
        "synthetic_spread",
        "slice_reason",
        "atm_total_variance",
        "ssvi_rho",
        "ssvi_phi",
        "rmse_half_spreads",
        "atm_vol",
    ),
    ("expiry",),
    ("quotes_seen", "quotes_used", "slice_reason"),
)

IMPLIED_DENSITY = _derived(
    "implied_density",
    "Risk-neutral density of each fitted slice, with its residuals, moments and tilt over the lognormal.",
    (
        "expiry",
        "underlying_contract",
        "days_to_expiry",
        "year_fraction",
        "atm_vol",
        "density",
        "mass_residual",
        "martingale_residual",
        "min_durrleman_g",
        "implied_sd",
        "implied_skew",
        "tilt",
        "tilt_probability",
    ),
    ("expiry",),
    ("density", "mass_residual", "martingale_residual"),
)

IMPLIED_MOMENTS = _derived(
    "implied_moments",
    "The session's density at the expiry nearest 60 days in a few numbers, or the reason why there are none.",
    (
        "expiry",
        "underlying_contract",
        "days_to_expiry",
        "atm_vol",
        "implied_vol_of_density",
        "implied_skew",
        "tilt",
        "tilt_probability",
        "slices_usable",
        "moments_reason",
    ),
    (),
    ("moments_reason",),
)

COT_SCORES = _derived(
    "cot_scores",
    "Speculators' net position as a score in [-1, +1] among its published weeks, or the reason why there is none.",
    (
        "family",
        "scope",
        "category",
        "report_date",
        "report_age_days",
        "history_weeks",
        "net_share",
        "crowd_score",
        "crowd_confidence",
        "crowd_reason",
    ),
    (),
    ("crowd_reason",),
)

DIVERGENCE = _derived(
    "divergence",
    "Gap between the options' tilt and the crowd's score, each against its own past, with type and direction.",
    (
        "tilt",
        "crowd_score",
        "tilt_z",
        "crowd_z",
        "divergence_gap",
        "divergence_z",
        "history_sessions",
        "divergence_type",
        "divergence_direction",
        "divergence_reason",
    ),
    (),
    ("divergence_type", "divergence_reason"),
)

FEATURE_VECTOR = _derived(
    "feature_vector",
    "What options, crowd, curve and calendar said at the session's cutoff; missing stays missing.",
    (
        "tilt",
        "tilt_z",
        "atm_vol",
        "implied_skew",
        "vol_premium",
        "crowd_score",
        "crowd_confidence",
        "report_age_days",
        "divergence_z",
        "carry",
        "momentum_20",
        "momentum_60",
        "realised_vol_20",
        "season_sin",
        "season_cos",
        "days_to_last_trade",
        "slices_usable",
        "features_missing",
    ),
    (),
    (),
)

PREDICTIONS = _derived(
    "predictions",
    "Probability of a positive held return by the champion as of the session; no champion is a legal answer.",
    ("model_group", "model_version", "model_sha256", "probability_up", "prediction_reason"),
    (),
    ("model_group", "prediction_reason"),
)

TARGET_POSITIONS = _derived(
    "target_positions",
    "Wanted position in one real contract, from the champion's prediction.",
    ("contract", "probability_up", "target_contracts", "target_reason", "limit_reference"),
    (),
    ("target_contracts", "target_reason"),
)

ORDERS = _derived(
    "orders",
    "Limit orders decided at the session's cutoff, sent or denied by the risk gate.",
    ("order_ref", "contract", "side", "quantity", "limit_price", "gate_code"),
    ("order_ref",),
    ("contract", "side", "quantity", "limit_price", "gate_code"),
)

FILLS = _derived(
    "fills",
    "Executions in the session's bar of orders sent after an earlier cutoff.",
    ("exec_id", "order_ref", "ordered_session", "contract", "side", "quantity", "fill_price", "fee"),
    ("exec_id",),
    ("order_ref", "contract", "side", "quantity", "fill_price"),
)
