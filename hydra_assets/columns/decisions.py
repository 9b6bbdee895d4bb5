"""Columns from the fitted surfaces to the fills."""

from hydra_assets.columns.column import DATE, F64, I64, STR, Column

DECISIONS: dict[str, Column] = {
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
