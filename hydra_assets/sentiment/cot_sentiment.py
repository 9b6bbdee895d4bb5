"""One row per session: the crowd's score with all that speaks for it, and the scores of the other groups.

``crowd_confidence`` knows history, age, open interest, numbers of traders and gaps, also those that have closed.
"""

import polars as pl

from hydra_assets.sentiment.cot_config import CotConfig, Group
from hydra_assets.sentiment.cot_groups import cot_groups

CROWD_COLUMNS = {
    "family": "family",
    "scope": "scope",
    "category": "category",
    "report_date": "report_date",
    "report_age_days": "report_age_days",
    "history_weeks": "history_weeks",
    "share": "net_share",
    "score": "crowd_score",
    "confidence": "crowd_confidence",
    "reason": "crowd_reason",
    "z": "crowd_score_z",
    "change_1w": "crowd_change_1w",
    "change_z": "crowd_change_z",
    "change_reason": "crowd_change_reason",
    "open_interest_relative": "open_interest_relative",
    "traders": "crowd_traders",
    "concentration": "crowd_concentration",
    "gap_weeks": "gap_weeks",
}
"""Columns of the crowd's row, and their names here. ``net_share`` is the first published one."""
OTHER_COLUMNS = ("score", "z", "change_1w", "reason")
"""Columns of the other groups, prefixed with the group."""
OTHER_GROUPS = (Group.PRODUCERS, Group.SWAP_DEALERS, Group.OTHERS)
_DEFAULT = CotConfig()


def cot_sentiment(positions: pl.DataFrame, sessions: pl.DataFrame, config: CotConfig = _DEFAULT) -> pl.DataFrame:
    """Scores of all groups, one row per (market, session) of ``sessions``; parameters as in ``cot_groups``."""
    groups = cot_groups(positions, sessions, config)
    key = ["market", "session"]
    out = groups.filter(pl.col("group") == Group.CROWD).select(
        *key, *(pl.col(name).alias(new) for name, new in CROWD_COLUMNS.items())
    )
    for group in OTHER_GROUPS:
        part = groups.filter(pl.col("group") == group).select(
            *key, *(pl.col(name).alias(f"{group}_{name}") for name in OTHER_COLUMNS)
        )
        out = out.join(part, on=key, how="left", maintain_order="left")
    return out
