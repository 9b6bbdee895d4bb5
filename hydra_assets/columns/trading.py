"""Datasets from the wanted position to what it earned."""

from hydra_assets.columns.dataset import derived

TARGET_POSITIONS = derived(
    "target_positions",
    "Wanted position in one real contract, from the champion's prediction.",
    ("contract", "probability_up", "target_contracts", "target_reason", "limit_reference"),
    (),
    ("target_contracts", "target_reason"),
)

ORDERS = derived(
    "orders",
    "Orders decided at the session's cutoff, for the next session to work, passed or denied by the risk gate.",
    (
        "order_ref",
        "contract",
        "side",
        "quantity",
        "limit_price",
        "reference_price",
        "motive",
        "algo",
        "gate_code",
    ),
    ("order_ref",),
    ("contract", "side", "quantity", "limit_price", "motive", "algo", "gate_code"),
)

FILLS = derived(
    "fills",
    "Executions in the session of orders that were decided at an earlier cutoff, by their last revision.",
    ("exec_id", "order_ref", "ordered_session", "contract", "side", "quantity", "fill_price", "fee"),
    ("exec_id",),
    ("contract", "side", "quantity", "fill_price"),
)

POSITIONS = derived(
    "positions",
    "Contracts held at the session's cutoff by the fills, beside the broker's own word where it was asked.",
    ("contract", "position_contracts", "broker_contracts", "position_agrees"),
    ("contract",),
    ("position_contracts",),
)

SLIPPAGE_RECONCILIATION = derived(
    "slippage_reconciliation",
    "What each fill of the session cost beside what the cost model expected.",
    (
        "exec_id",
        "order_ref",
        "contract",
        "side",
        "quantity",
        "fill_price",
        "reference_price",
        "mid_at_send",
        "half_spread_ticks",
        "decision_slippage_ticks",
        "arrival_slippage_ticks",
        "predicted_slippage_ticks",
        "impact_unit_ticks",
        "decision_slippage_money",
        "arrival_slippage_money",
        "predicted_slippage_money",
        "hour_bucket",
        "size_bucket",
    ),
    ("exec_id",),
    ("order_ref", "contract", "side", "quantity", "fill_price", "half_spread_ticks", "size_bucket"),
)

DAILY_PNL = derived(
    "daily_pnl",
    "What each market earned in the session after fees, and what the account is worth.",
    (
        "position_contracts",
        "traded_contracts",
        "rolled_contracts",
        "carried_money",
        "traded_money",
        "fee_money",
        "roll_result_money",
        "net_money",
        "account_equity",
    ),
    (),
    ("position_contracts", "traded_contracts", "net_money", "account_equity"),
)
