"""Columns of the sentiment sources, their composite, and the divergence."""

from hydra_assets.columns.column import BOOL, F64, I64, STR, Column

SD = "standard deviations"
COT_CODES = ("ok", "no_report", "not_published", "stale", "short_history")
HEADLINE_CODES = ("ok", "no_headlines", "stale", "irrelevant")
POST_CODES = ("ok", "no_posts", "stale", "irrelevant")


def _score(description: str) -> Column:
    return Column(F64, "score", description, minimum=-1, maximum=1)


def _confidence(description: str) -> Column:
    return Column(F64, "fraction", description, minimum=0, maximum=1)


def _age(description: str) -> Column:
    return Column(F64, "days", description, minimum=0)


_GROUPS = {"producers": "producers and merchants", "swap_dealers": "swap dealers", "others": "other large traders"}

SIGNAL_COLUMNS: dict[str, Column] = {
    # --- crowd -----------------------------------------------------------------------------------------
    "history_weeks": Column(I64, "weeks", "Published weeks that the score ranks the report among.", minimum=0),
    "crowd_score": _score("Speculators' net share, ranked; +1 is most long."),
    "crowd_confidence": _confidence("Trust in the score: history, age, gaps, open interest, traders."),
    "crowd_reason": Column(STR, "code", "Why a session has a crowd score, or none.", allowed=COT_CODES),
    "crowd_score_z": Column(F64, SD, "Speculators' net share against its published weeks."),
    "crowd_change_1w": Column(F64, "fraction", "Change of the net share to the week before; missing across a gap."),
    "crowd_change_z": Column(F64, SD, "crowd_change_1w against its published weeks."),
    "crowd_change_reason": Column(
        STR,
        "code",
        "Why there is a change, or none.",
        allowed=(*COT_CODES, "first_report", "gap", "unseen"),
    ),
    "open_interest_relative": Column(F64, "1", "The report's open interest over its own past.", minimum=0),
    "crowd_traders": Column(F64, "traders", "Speculators in the report.", minimum=0),
    "crowd_concentration": Column(F64, "1", "Share of open interest of an average speculator.", minimum=0),
    "gap_weeks": Column(F64, "weeks", "Missing weeks before the report, fading as weeks return.", minimum=0),
    **{f"{g}_score": _score(f"Net share of the {who}, ranked.") for g, who in _GROUPS.items()},
    **{f"{g}_z": Column(F64, SD, f"Net share of the {who} against its past.") for g, who in _GROUPS.items()},
    **{
        f"{g}_change_1w": Column(F64, "fraction", f"Change of the {who}' net share; missing across a gap.")
        for g, who in _GROUPS.items()
    },
    **{
        f"{g}_reason": Column(STR, "code", f"Why the {who} have a score, or none.", allowed=COT_CODES)
        for g, who in _GROUPS.items()
    },
    # --- headlines, posts, order flow, composite --------------------------------------------------------------
    "headline_score": _score("What the headlines say, by lexicon and classifier, fading with age."),
    "headline_confidence": _confidence("Trust in it: independent headlines, their agreement and age."),
    "headline_count": Column(I64, "headlines", "Independent headlines that it is made of.", minimum=0),
    "headline_copies": Column(I64, "headlines", "Syndicated copies beside them.", minimum=0),
    "headline_age_days": _age("Age of the newest of them."),
    "headline_reason": Column(STR, "code", "Why there is a score, or none.", allowed=HEADLINE_CODES),
    "post_score": _score("What social posts say, read like headlines, fading faster."),
    "post_confidence": _confidence("Trust in it: posts of different authors, their agreement and age."),
    "post_count": Column(
        I64, "posts", "Posts that it is made of, without reposts, spam and the loudest authors.", minimum=0
    ),
    "post_copies": Column(I64, "posts", "Copies beside them.", minimum=0),
    "post_age_days": _age("Age of the newest of them."),
    "post_reason": Column(STR, "code", "Why there is a score, or none.", allowed=POST_CODES),
    "order_flow_score": _score("Accumulation (+) against liquidation (-) by price, open interest and volume."),
    "order_flow_confidence": _confidence("Trust in it: history and age."),
    "order_flow_age_days": _age("Age of the activity it is made of."),
    "flow_z": Column(F64, SD, "The signed flow against its own past."),
    "open_interest_change": Column(F64, "1", "Log change of open interest behind the flow."),
    "flow_volume_ratio": Column(F64, "1", "Volume behind the flow over its own past.", minimum=0),
    "size_imbalance": Column(F64, "fraction", "(bid - ask) over total size at the best quotes.", minimum=-1, maximum=1),
    "order_flow_reason": Column(
        STR,
        "code",
        "Why there is a score, or none.",
        allowed=("ok", "no_activity", "unchanged", "no_return", "short_history"),
    ),
    "sentiment_score": _score("Sources' scores, weighted by confidence and faded by age."),
    "sentiment_confidence": _confidence("Trust in the composite."),
    "sentiment_sources": Column(STR, "name,...", "Sources that it is made of."),
    "sentiment_reason": Column(
        STR, "code", "Why there is a composite, or none.", allowed=("ok", "no_sources", "no_confidence")
    ),
    # --- divergence ------------------------------------------------------------------------------------
    "tilt_z": Column(F64, SD, "Tilt against its own past."),
    "risk_reversal_25_z": Column(F64, SD, "Risk reversal against its own past."),
    "skew_z": Column(F64, SD, "Skewness against its own past."),
    "expected_return_z": Column(F64, SD, "Real-world expected return against its own past."),
    "tilt_noise": Column(BOOL, "flag", "The tilt is inside its own noise."),
    "risk_reversal_25_noise": Column(BOOL, "flag", "The risk reversal is inside its own noise."),
    "skew_noise": Column(BOOL, "flag", "The skewness is inside its own noise."),
    "expected_return_noise": Column(BOOL, "flag", "The expected return is inside its own noise."),
    "options_readings": Column(I64, "readings", "Readings that the options view is made of.", minimum=0),
    "options_z": Column(F64, SD, "The options view: mean of its readings, bullish positive."),
    "options_z_se": Column(F64, SD, "Standard error of the options view.", minimum=0),
    "options_noise": Column(BOOL, "flag", "The options view is inside its own noise."),
    "options_change_z": Column(F64, SD, "Change of the options view against its own past."),
    "options_change_noise": Column(BOOL, "flag", "The change is inside its own noise."),
    "kurt_z": Column(F64, SD, "Kurtosis against its own past."),
    "kurt_noise": Column(BOOL, "flag", "The kurtosis is inside its own noise."),
    "sentiment_z": Column(F64, SD, "Sentiment against its own past."),
    "sentiment_change_z": Column(F64, SD, "Change of sentiment against its own past."),
    "divergence_gap": Column(F64, SD, "options_z minus sentiment_z."),
    "divergence_z": Column(F64, SD, "The gap against its own past."),
    "history_sessions": Column(I64, "sessions", "Earlier sessions with a gap.", minimum=0),
    "divergence_type": Column(
        STR,
        "code",
        "What the pair of views is.",
        allowed=(
            "bullish_divergence",
            "bearish_divergence",
            "sentiment_overreaction",
            "early_signal",
            "trend_follow",
            "volatility_play",
            "neutral",
            "absent",
        ),
    ),
    "divergence_direction": Column(I64, "sign", "Suggested side of the future.", minimum=-1, maximum=1),
    "divergence_confidence": _confidence("Trust in the type."),
    "suggested_bias": Column(STR, "code", "The direction in words.", allowed=("long", "short", "flat")),
    "size_factor": _confidence("By what a position is cut down: fat tails."),
    "divergence_reason": Column(
        STR,
        "code",
        "Why a session has a divergence, or none.",
        allowed=("ok", "no_options_view", "no_sentiment_view", "short_history"),
    ),
}
