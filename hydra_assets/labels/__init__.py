"""What a model learns to foresee: the return that can be traded after a decision, in units of known volatility."""
