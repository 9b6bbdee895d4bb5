"""Datasets of the sources of sentiment."""

from hydra_assets.columns.dataset import derived

POST_SCORES = derived(
    "post_scores",
    "What the social posts known at the cutoff say of the market, without reposts, copies and spam, fading with age.",
    ("post_score", "post_confidence", "post_count", "post_copies", "post_age_days", "post_reason"),
    (),
    ("post_reason",),
)
