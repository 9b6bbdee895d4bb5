"""Columns from the fitted surfaces to the fills."""

from hydra_assets.columns.column import BOOL, DATE, F64, I64, STR, Column

LABEL_KINDS = ("fixed_horizon", "fixed_horizon_3", "fixed_horizon_10", "triple_barrier", "triple_barrier_5")

DECISIONS: dict[str, Column] = {
    # --- features --------------------------------------------------------------------------------------
    "pool_markets": Column(I64, "markets", "Other markets that the pool's figures are of.", minimum=0),
    # --- labels and regimes ----------------------------------------------------------------------------
    "label_kind": Column(
        STR,
        "code",
        "How the label is made; a number is its sessions, 5 of a fixed horizon and 10 of barriers without one.",
        allowed=LABEL_KINDS,
    ),
    "decision_session": Column(DATE, "exchange trading date", "Session whose features the label belongs to."),
    "entry_session": Column(DATE, "exchange trading date", "First executable price after the decision."),
    "label_return": Column(F64, "fraction", "Return of the held contract from entry to exit, before cost."),
    "label_cost": Column(F64, "fraction", "Round trip, and once more for each roll within.", minimum=0),
    "label_rolls": Column(I64, "rolls", "Rolls between entry and exit.", minimum=0),
    "label_sigma": Column(F64, "fraction", "Volatility of the horizon as known at the decision.", minimum=0),
    "label_vol_units": Column(F64, "1", "What the right side kept after cost, over label_sigma."),
    "label_class": Column(STR, "code", "Direction of the return.", allowed=("up", "down", "neutral")),
    "label_barrier": Column(STR, "code", "What ended the position.", allowed=("upper", "lower", "vertical")),
    "label_reason": Column(
        STR,
        "code",
        "Why a session has a label, or none.",
        allowed=("ok", "no_vol", "no_cost", "contract_gap", "no_price", "not_positive"),
    ),
    "regime_vol": Column(STR, "code", "Likeliest volatility state.", allowed=("calm", "normal", "stressed")),
    "regime_vol_probability": Column(F64, "fraction", "Its filtered probability.", minimum=0, maximum=1),
    "regime_trend": Column(STR, "code", "Likeliest trend state.", allowed=("up", "down", "none")),
    "regime_trend_probability": Column(F64, "fraction", "Its filtered probability.", minimum=0, maximum=1),
    **{
        f"regime_probability_{state}": Column(
            F64, "fraction", f"Filtered probability of {state}.", minimum=0, maximum=1
        )
        for state in ("calm", "stressed", "up", "down")
    },
    "regime_reason": Column(
        STR,
        "code",
        "Why a session has a regime, or none.",
        allowed=("ok", "short_history", "no_observation", "no_variation"),
    ),
    "features_missing": Column(STR, "group:reason,...", "Feature groups that are absent, and why."),
    # --- walk-forward ----------------------------------------------------------------------------------
    "fold": Column(I64, "number", "Fold that the session stands in.", minimum=0),
    "trained_until": Column(DATE, "exchange trading date", "Last session whose labels the fold's models knew."),
    "training_rows": Column(I64, "rows", "Labelled rows that they were trained on.", minimum=0),
    "strategy": Column(STR, "name", "Recipe that was walked forward."),
    "probability_raw": Column(F64, "fraction", "P(up) as the model gives it, uncalibrated.", minimum=0, maximum=1),
    "probability_lower": Column(F64, "fraction", "Lower end of the 90 % band of P(up).", minimum=0, maximum=1),
    "probability_upper": Column(F64, "fraction", "Upper end of the 90 % band of P(up).", minimum=0, maximum=1),
    "base_rate": Column(F64, "fraction", "P(up) without a signal, as known then.", minimum=0, maximum=1),
    "calibration": Column(
        STR, "code", "How the probability was calibrated.", allowed=("identity", "platt", "isotonic", "")
    ),
    "fold_reason": Column(STR, "code", "ok, or why there is no probability."),
    "feature": Column(STR, "name", "Feature of the dictionary."),
    "contribution": Column(F64, "log-odds", "What the feature added to the log-odds of a rise (Shapley value)."),
    # --- replay ----------------------------------------------------------------------------------------
    "position_lots": Column(I64, "contracts", "Held at the cutoff, long positive."),
    "fill_lots": Column(I64, "contracts", "Traded in the session, bought positive; rolls left out."),
    "gross_money": Column(F64, "currency", "Result of the session before costs."),
    "spread_money": Column(F64, "currency", "Half-spreads paid, with slippage.", minimum=0),
    "fee_money": Column(F64, "currency", "Fees paid.", minimum=0),
    "impact_money": Column(F64, "currency", "Own impact paid.", minimum=0),
    "roll_money": Column(F64, "currency", "Cost of changing the contract.", minimum=0),
    "net_money": Column(F64, "currency", "Result after costs."),
    "account_equity": Column(F64, "currency", "Equity of the account at the cutoff, all markets."),
    "breaker_state": Column(
        STR, "code", "Circuit breaker of the account.", allowed=("active", "triggered", "cooldown")
    ),
    "market_fault": Column(STR, "code", "Why the session took no decision, or none."),
    # --- models ----------------------------------------------------------------------------------------
    "model_group": Column(STR, "name", "Markets that one model is trained on."),
    "model_version": Column(I64, "number", "Version in the registry.", minimum=1),
    "model_sha256": Column(STR, "hex", "Digest of the model artefact."),
    "model_label": Column(
        STR, "code", "Label that the probability is about; missing: fixed_horizon.", allowed=LABEL_KINDS
    ),
    "probability_up": Column(F64, "fraction", "Probability of a positive held return.", minimum=0, maximum=1),
    "horizon_sessions": Column(I64, "sessions", "Sessions that the prediction is about.", minimum=1),
    "thesis_gate": Column(
        STR, "code", "Whether the champion had earned anything out of sample.", allowed=("green", "red")
    ),
    "feature_sha256": Column(STR, "hex", "Digest of the feature row that was predicted from."),
    "squared_error": Column(F64, "1", "(P(up) - outcome)^2.", minimum=0, maximum=1),
    "prediction_reason": Column(
        STR, "code", "Why a session has a prediction, or none.", allowed=("ok", "no_champion", "no_features")
    ),
    # --- the champion's health ------------------------------------------------------------------------
    "health_family": Column(
        STR,
        "code",
        "What a signal is about.",
        allowed=("contract", "freshness", "activity", "drift", "regime", "calibration", "performance"),
    ),
    "health_signal": Column(STR, "name", "What is watched: a feed, a feature, the edge."),
    "health_scope": Column(STR, "name", "Market that it is of; * is the whole group."),
    "health_statistic": Column(F64, "1", "The detector's statistic; missing where nothing can be said."),
    "health_threshold": Column(F64, "1", "Statistic above which it is at least a warning."),
    "health_level": Column(STR, "code", "How much it matters.", allowed=("OK", "INFO", "WARNING", "CRITICAL")),
    "health_reason": Column(STR, "code", "What it says."),
    "cause": Column(STR, "code", "The cause that is acted on, or none."),
    "cause_confidence": Column(F64, "fraction", "How well the evidence fits it and no other.", minimum=0, maximum=1),
    "causes": Column(STR, "JSON", "All causes, best first, with their evidence."),
    "response": Column(STR, "code", "What is done at once."),
    "exposure": Column(F64, "fraction", "Share of its size that the market may trade.", minimum=0, maximum=1),
    "champion_stage": Column(
        STR, "code", "How far the champion is trusted.", allowed=("provisional", "full", "retired", "none")
    ),
    "size_fraction": Column(F64, "fraction", "Share of its size that its stage allows.", minimum=0, maximum=1),
    "masked_features": Column(STR, "name,...", "Features that are taken for missing."),
    # --- trading ---------------------------------------------------------------------------------------
    "target_contracts": Column(I64, "contracts", "Wanted position, long positive."),
    "target_reason": Column(
        STR,
        "code",
        "Why the wanted position is what it is.",
        allowed=(
            "ok",
            "no_champion",
            "no_features",
            "no_price",
            "stale_settle",
            "no_size",
            "density_gate_red",
            "thesis_gate_red",
            "not_observed",
            "blocked",
        ),
    ),
    "limit_reference": Column(F64, "price unit", "Settle that the order's limit is set from."),
    "order_ref": Column(STR, "name", "The order's own name: the same decision has the same name."),
    "side": Column(STR, "code", "Direction of the order.", allowed=("BUY", "SELL")),
    "quantity": Column(I64, "contracts", "Contracts of the order or fill, positive.", minimum=1),
    "limit_price": Column(F64, "price unit", "Worst price at which the order may fill."),
    "reference_price": Column(F64, "price unit", "Settle that the order was decided on."),
    "motive": Column(
        STR,
        "code",
        "Why the order was wanted.",
        allowed=("target", "roll", "near_end", "breaker", "lockdown", "operator"),
    ),
    "algo": Column(STR, "code", "How the order is worked.", allowed=("patience", "twap", "at_once")),
    "gate_code": Column(STR, "code", "Verdict of the risk gate: passed, or why the order was denied."),
    "position_contracts": Column(I64, "contracts", "Position after the session, long positive."),
    "broker_contracts": Column(I64, "contracts", "Position by the broker's own word, missing where it was not asked."),
    "position_agrees": Column(BOOL, "flag", "Whether the fills and the broker say the same."),
    "traded_contracts": Column(I64, "contracts", "Contracts traded, both sides.", minimum=0),
    "rolled_contracts": Column(I64, "contracts", "Contracts that went from one month to another.", minimum=0),
    "carried_money": Column(F64, "currency", "What the position carried into the session earned."),
    "traded_money": Column(F64, "currency", "What the session's fills earned from their prices to the settle."),
    "roll_result_money": Column(F64, "currency", "Part of the result that rolled contracts have, after their fees."),
    "mid_at_send": Column(F64, "price unit", "Middle of the quote that the ticket was sent on."),
    "half_spread_ticks": Column(F64, "ticks", "Half the spread that the market's terms expect.", minimum=0),
    "decision_slippage_ticks": Column(F64, "ticks", "Paid beyond the settle of the decision, a lot."),
    "arrival_slippage_ticks": Column(F64, "ticks", "Paid beyond the middle of the quote at the send, a lot."),
    "predicted_slippage_ticks": Column(F64, "ticks", "Expected by the cost model, a lot."),
    "impact_unit_ticks": Column(F64, "ticks", "Impact of a lot that Y = 1 expects.", minimum=0),
    "decision_slippage_money": Column(F64, "currency", "As decision_slippage_ticks, of the whole fill."),
    "arrival_slippage_money": Column(F64, "currency", "As arrival_slippage_ticks, of the whole fill."),
    "predicted_slippage_money": Column(F64, "currency", "As predicted_slippage_ticks, of the whole fill."),
    "hour_bucket": Column(I64, "hour", "Local hour in which it filled.", minimum=0, maximum=23),
    "size_bucket": Column(STR, "lots", "Size of the order's fills.", allowed=("1", "2-5", "6-20", "21+")),
    "exec_id": Column(STR, "name", "The broker's name of the fill."),
    "fill_price": Column(F64, "price unit", "Price of the fill."),
    "fee": Column(F64, "currency", "Fee of the whole fill.", minimum=0),
    "ordered_session": Column(DATE, "exchange trading date", "Session after whose cutoff the order was sent."),
}
