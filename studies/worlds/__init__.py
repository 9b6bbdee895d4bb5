"""Many simulated worlds, fast: features, curve, labels and regimes without quoting or fitting one option."""

from studies.worlds.edges import EDGES
from studies.worlds.world import START, WorldFrames, edge_of, fast_world, fast_worlds, world_frames

__all__ = ["EDGES", "START", "WorldFrames", "edge_of", "fast_world", "fast_worlds", "world_frames"]
