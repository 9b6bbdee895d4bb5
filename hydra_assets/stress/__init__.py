"""Synthetic stress of a recipe's out-of-sample decisions: what the risk stack makes of luck redrawn and of shocks.

``stress_report`` replays the decisions over resampled paths (stationary bootstrap, t-copula) and over the past with one
thing changed (crash, drought, explosion of volatility, reversal, outage), and judges what came of it. All paths go
through ``path_replay``, which keeps the books of ``hydra_assets.replay`` to the cent.
"""
