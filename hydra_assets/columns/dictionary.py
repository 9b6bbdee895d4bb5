"""All columns by name."""

from hydra_assets.columns.column import F64, Column
from hydra_assets.columns.decisions import DECISIONS
from hydra_assets.columns.market_data import MARKET_DATA
from hydra_assets.columns.option_columns import OPTION_COLUMNS
from hydra_assets.columns.signal_columns import SIGNAL_COLUMNS
from hydra_assets.columns.time_of_day_columns import TIME_OF_DAY
from hydra_assets.features.dictionary import FEATURES

_OWN = MARKET_DATA | OPTION_COLUMNS | SIGNAL_COLUMNS | TIME_OF_DAY | DECISIONS
COLUMNS: dict[str, Column] = _OWN | {
    f.name: Column(F64, f.unit, f.description, f.known_when) for f in FEATURES if f.name not in _OWN
}
"""Every column of every dataset; a name stands once. A feature that is a column of its source is that column."""
