"""Observe: what is sound about the data, the features, the probabilities and the edge, session by session. Pure."""
