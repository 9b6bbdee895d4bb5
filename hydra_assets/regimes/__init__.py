"""In which state a market is, filtered: what a session's regime says was known at its cutoff and never changes."""
