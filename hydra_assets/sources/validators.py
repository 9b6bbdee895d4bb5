"""What vendors said about the version of a resource, kept between runs for conditional requests.

A validator is remembered with the digest of its bytes, and used only while the archive holds them: where the vendor
answers that nothing changed, the archived bytes are delivered again, and the ingest decides whether they are news. So
neither a run that died half-way nor a market that was added later loses what the vendor will not send twice. The file
may be deleted at any time; the price is one full download.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hydra_assets.lake.archive import Archive
from hydra_assets.sources.base import SourceError
from hydra_assets.sources.http import HttpClient, HttpReply, Validators, http_date


@dataclass(frozen=True, slots=True)
class Resource:
    """A vendor's resource as it is now. ``last_modified`` is transport evidence of when it was public, where given."""

    content: bytes
    last_modified: datetime | None


class ValidatorStore:
    """Validators by URL in one JSON file of the home."""

    def __init__(self, home_path: Path, source: str) -> None:
        """Name the file; it is made with the first remembered validator."""
        self._file = home_path / "http" / f"{source}.json"
        self._archive = Archive(home_path / "archive")

    def get(self, client: HttpClient, url: str) -> Resource:
        """The resource, from the archive where the vendor says that it did not change; SourceError as ``HttpClient``.

        A web page is handed out like anything else: the parser refuses it, and the archive keeps it as evidence.
        """
        entry = self._read().get(url) or {}
        held = self._archive.path(entry["sha256"] or "") if entry.get("sha256") else None
        validators = Validators(entry.get("etag"), entry.get("last_modified")) if held and held.exists() else None
        try:
            reply = client.get(url, validators=validators, expect_html=True)
        except SourceError as error:
            if error.reason != "not_modified" or validators is None:
                raise
            content = self._archive.load(entry["sha256"] or "")
            return Resource(content, http_date(validators.last_modified))
        self._remember(url, reply)
        return Resource(reply.content, reply.last_modified)

    def _remember(self, url: str, reply: HttpReply) -> None:
        """Keep a reply's validators, replacing the file atomically; a reply without any leaves no trace."""
        if not reply.validators.headers():
            return
        entries = self._read()
        entries[url] = {
            "etag": reply.validators.etag,
            "last_modified": reply.validators.last_modified,
            "sha256": reply.sha256,
        }
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
