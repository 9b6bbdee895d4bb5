"""Dagster definitions of the agent."""
