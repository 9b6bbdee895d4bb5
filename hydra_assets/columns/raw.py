"""Raw datasets: append-only, bitemporal, as delivered; and what was refused."""

from hydra_assets.columns.dataset import DatasetSpec, Layer, PartitionedBy, checked

PROVENANCE = ("event_time", "known_at", "ingested_at", "source", "payload_sha256", "source_row")

RAW_FUTURES_BARS = checked(
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

RAW_INTRADAY_BARS = checked(
    DatasetSpec(
        name="raw_intraday_bars",
        description="Bars within the session per contract as delivered; a bar in which nothing was traded has no row.",
        layer=Layer.RAW,
        partitioned_by=PartitionedBy.MARKET_SESSION,
        columns=(
            "market",
            "session",
            "contract",
            "bar_start",
            "bar_minutes",
            "open",
            "high",
            "low",
            "close",
            "volume",
            *PROVENANCE,
        ),
        key=("market", "contract", "bar_start", "bar_minutes"),
        required=(
            "market",
            "session",
            "contract",
            "bar_start",
            "bar_minutes",
            "open",
            "high",
            "low",
            "close",
            "volume",
            *PROVENANCE,
        ),
    )
)

RAW_OPTION_CHAINS = checked(
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

RAW_COT_REPORTS = checked(
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

RAW_HEADLINES = checked(
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

RAW_POSTS = checked(
    DatasetSpec(
        name="raw_posts",
        description="Social posts as first seen, one row per market they mention.",
        layer=Layer.RAW,
        partitioned_by=PartitionedBy.MARKET_SESSION,
        columns=("market", "session", "post_id", "text", "author", "url", *PROVENANCE),
        key=("market", "post_id"),
        required=("market", "session", "post_id", "text", *PROVENANCE),
        staleness_days=5,
    )
)

QUARANTINE = checked(
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
