"""Circuit breakers on what an account has really earned: the replay's machine, thresholds and codes on real figures."""
