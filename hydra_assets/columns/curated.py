"""Curated datasets: the curve, the positions and the quotes of each session."""

from hydra_assets.columns.dataset import DatasetSpec, Layer, PartitionedBy, checked

FUTURES_CURVE = checked(
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

COT_POSITIONS = checked(
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

OPTION_QUOTES = checked(
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
