"""Columns from the fitted surfaces to the fills."""

from hydra_assets.columns.column import DATE, F64, I64, STR, Column

DECISIONS: dict[str, Column] = {
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
    "pool_markets": Column(I64, "markets", "Other markets that the pool's figures are of.", minimum=0),
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
        allowed=("ok", "no_champion", "no_features", "no_price", "stale_settle", "density_gate_red"),
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
