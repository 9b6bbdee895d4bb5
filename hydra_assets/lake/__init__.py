"""The lake: Delta tables on disk or in an object store, their as-of reads, content hashes and quarantine."""

from hydra_assets.lake.tables import Lake, LakeError

__all__ = ["Lake", "LakeError"]
