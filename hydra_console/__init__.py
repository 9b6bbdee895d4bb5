"""The operator's face: the ``hydra`` command and the bootstrap of the local state."""
