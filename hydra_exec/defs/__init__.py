"""Dagster definitions of execution."""
