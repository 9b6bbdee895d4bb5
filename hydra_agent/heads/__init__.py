"""Heads: each proposes changes of the champion's recipe, and they compete for the experiments of a cycle. Pure."""
