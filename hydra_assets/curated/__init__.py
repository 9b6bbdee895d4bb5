"""Curated datasets: pure functions from as-of reads to the curve, the positions and the quotes of each session."""
