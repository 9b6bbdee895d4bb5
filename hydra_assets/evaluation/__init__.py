"""From a recipe to what it was worth out of sample: walk-forward, replay, evidence and verdict. Pure."""
