"""What the model learns to foresee: the held return of the five sessions after an entry on the *next* session.

A decision is taken at the cutoff of session t, after its settle. The first executable price is in session t+1, so the
position is entered at the settle of t+1 and left at the settle of t+1+h:

    y_t = prod_{j=2}^{h+1} (1 + r_{t+j}) - 1

with r the held return of the curve (rolled, each day earned in one real contract). y_t is known at the cutoff of its
exit session and not before: a training set at a cutoff holds the labels whose exit is not later.
"""

import numpy as np
import polars as pl

HORIZON_SESSIONS = 5

LABEL_SCHEMA: dict[str, pl.DataType] = {
    "market": pl.String(),
    "session": pl.Date(),
    "entry_session": pl.Date(),
    "exit_session": pl.Date(),
    "label_return": pl.Float64(),
    "label_up": pl.Int64(),
}


def labels(held: pl.DataFrame, horizon: int = HORIZON_SESSIONS) -> pl.DataFrame:
    """Label every session whose exit is in the frame and whose returns are all there.

    ``held`` has market, session and held_return, one row per (market, session). Returns LABEL_SCHEMA; ``label_up`` is
    1 where the return is above zero.
    """
    ordered = held.select("market", "session", "held_return").sort("market", "session")
    parts = [_one_market(part, horizon) for part in ordered.partition_by("market", maintain_order=True)]
    return pl.concat(parts) if parts else pl.DataFrame(schema=LABEL_SCHEMA)


def _one_market(rows: pl.DataFrame, horizon: int) -> pl.DataFrame:
    n = len(rows) - horizon - 1
    if n <= 0:
        return pl.DataFrame(schema=LABEL_SCHEMA)
    growth = 1.0 + rows["held_return"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    path = np.lib.stride_tricks.sliding_window_view(growth[2:], horizon)[:n]
    value = path.prod(axis=1) - 1.0
    session = rows["session"]
    frame = pl.DataFrame(
        {
            "market": rows["market"][:n],
            "session": session[:n],
            "entry_session": session[1 : n + 1],
            "exit_session": session[horizon + 1 : horizon + 1 + n],
            "label_return": value,
        }
    )
    return frame.filter(pl.col("label_return").is_finite()).with_columns(
        (pl.col("label_return") > 0.0).cast(pl.Int64).alias("label_up")
    )
