"""Dataset of what a market's day looks like."""

from hydra_assets.columns.dataset import derived

TIME_OF_DAY_CURVE = derived(
    "time_of_day_curve",
    "How volume and variance are spread over the local hours of a market's day, from the intraday bars known at the "
    "cutoff.",
    ("bucket_minutes", "bucket_starts", "volume_shares", "variance_shares", "curve_sessions", "time_of_day_reason"),
    (),
    ("bucket_minutes", "curve_sessions", "time_of_day_reason"),
)
