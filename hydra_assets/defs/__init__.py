"""Dagster definitions of the datasets: thin, at the edge."""

import warnings

import dagster as dg

# Single-run backfills are in beta and what every ranged run here stands on; one line per asset would drown the rest.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
