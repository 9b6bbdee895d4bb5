"""The payload archive: every delivery's bytes under their digest, written before anything reads them."""

import os
from pathlib import Path

import pyarrow as pa


class Archive:
    """A content-addressed directory of zstd-compressed payloads."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, sha256: str) -> Path:
        """Where the payload of a digest is kept."""
        return self.root / sha256[:2] / f"{sha256}.zst"

    def store(self, sha256: str, content: bytes) -> Path:
        """Keep bytes under their digest; writing the same bytes again does nothing."""
        target = self.path(sha256)
        if target.exists():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
        with pa.CompressedOutputStream(pa.OSFile(str(temporary), "wb"), "zstd") as stream:
            stream.write(content)
        temporary.replace(target)
        return target

    def load(self, sha256: str) -> bytes:
        """Give back the bytes of a digest; FileNotFoundError where they were never archived."""
        with pa.CompressedInputStream(pa.OSFile(str(self.path(sha256)), "rb"), "zstd") as stream:
            return bytes(stream.read())
