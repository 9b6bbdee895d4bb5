"""The healing benchmark: thin markets whose edge is known, things that go wrong in them, and what the best would earn.

The statistical tier: a world of four markets and twelve years in a tenth of a second, candidates walked forward on
arrays. Imported by no pipeline code.
"""
