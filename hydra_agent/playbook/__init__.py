"""The playbook: every change of a recipe that may be tried, each with bounds. Pure."""
