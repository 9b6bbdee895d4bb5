"""Columns from the fitted surfaces to the fills."""

from hydra_assets.columns.column import DATE, F64, I64, STR, Column

DECISIONS: dict[str, Column] = {
    # --- features --------------------------------------------------------------------------------------
    "pool_markets": Column(I64, "markets", "Other markets that the pool's figures are of.", minimum=0),
    # --- labels and regimes ----------------------------------------------------------------------------
    "label_kind": Column(STR, "code", "How the label is made.", allowed=("fixed_horizon", "triple_barrier")),
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
    "probability_boosted": Column(F64, "fraction", "P(up), boosted trees.", minimum=0, maximum=1),
    "probability_logistic": Column(F64, "fraction", "P(up), regularised logistic.", minimum=0, maximum=1),
    "probability_base_rate": Column(F64, "fraction", "P(up), no signal: the base rate.", minimum=0, maximum=1),
    "fold_reason": Column(STR, "code or model:code,...", "ok, or why there is no probability."),
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
