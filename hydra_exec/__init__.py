"""What trades: targets, the risk gate, orders and fills. Imports ``hydra_assets`` and nothing of the agent."""
