"""Experiments: a recipe walked forward in a process of its own, on an immutable snapshot, with limits."""
