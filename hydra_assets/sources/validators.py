"""What vendors said about the version of a resource, kept between runs for conditional requests.

A validator is remembered only after its payload was taken in, so that a crash in between asks for the bytes again.
The file may be deleted at any time; the price is one full download.
"""

import json
from pathlib import Path

from hydra_assets.sources.http import Validators


class ValidatorStore:
    """Validators by URL in one JSON file of the home."""

    def __init__(self, home_path: Path, source: str) -> None:
        """Name the file; it is made with the first remembered validator."""
        self._file = home_path / "http" / f"{source}.json"

    def get(self, url: str) -> Validators | None:
        """What was remembered for a URL; None where nothing is, or the file is unreadable."""
        entry = self._read().get(url)
        return Validators(entry.get("etag"), entry.get("last_modified")) if entry else None

    def remember(self, url: str, validators: Validators) -> None:
        """Keep a reply's validators, replacing the file atomically; a reply without any leaves no trace."""
        if not validators.headers():
            return
        entries = self._read()
        entries[url] = {"etag": validators.etag, "last_modified": validators.last_modified}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._file.with_suffix(".tmp")
        temporary.write_text(json.dumps(entries, indent=1, sort_keys=True), encoding="utf-8")
        temporary.replace(self._file)

    def _read(self) -> dict[str, dict[str, str | None]]:
        try:
            entries = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return entries if isinstance(entries, dict) else {}
