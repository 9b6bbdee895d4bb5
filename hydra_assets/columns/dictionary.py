"""All columns by name."""

from hydra_assets.columns.column import Column
from hydra_assets.columns.decisions import DECISIONS
from hydra_assets.columns.market_data import MARKET_DATA
from hydra_assets.columns.option_columns import OPTION_COLUMNS

COLUMNS: dict[str, Column] = MARKET_DATA | OPTION_COLUMNS | DECISIONS
"""Every column of every dataset; a name stands once."""
