"""The healing benchmark's full-chain tier: homes from quotes on, and what they hide."""
