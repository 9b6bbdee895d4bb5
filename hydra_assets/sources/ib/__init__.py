"""Interactive Brokers as a source: daily bars of futures, and chains of options collected forward."""
