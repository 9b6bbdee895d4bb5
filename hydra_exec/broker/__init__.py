"""Brokers behind one Protocol."""
