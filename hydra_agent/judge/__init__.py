"""Judge: the gates of a promotion in their order, on every trial that was ever made. Pure."""
