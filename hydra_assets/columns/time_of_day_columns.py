"""Columns of what a market's day looks like."""

from hydra_assets.columns.column import I64, LIST_F64, STR, Column

TIME_OF_DAY: dict[str, Column] = {
    "bucket_minutes": Column(I64, "minutes", "Length of a bucket of the day.", minimum=1, maximum=1440),
    "bucket_starts": Column(
        LIST_F64, "minutes", "Starts of the buckets in which anything was traded, minutes after local midnight."
    ),
    "volume_shares": Column(LIST_F64, "fraction", "Share of the day's volume in each bucket, mean of the sessions."),
    "variance_shares": Column(
        LIST_F64,
        "fraction",
        "Share of the trading day's variance in each bucket, mean of the sessions; its square root is the bucket's "
        "volatility over the day's.",
    ),
    "curve_sessions": Column(I64, "sessions", "Sessions with bars behind the shares.", minimum=0),
    "time_of_day_reason": Column(
        STR, "code", "Why there is a curve, or none.", allowed=("ok", "no_intraday_bars", "short_history")
    ),
}
