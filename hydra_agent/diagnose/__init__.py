"""Diagnose: which cause explains the signals, data before model, each with its evidence. Pure."""
