"""Makes a backup, also of a service that runs: nothing of it stands still meanwhile.

A picture's record is read before its bytes, so a job whose bytes are gone has ended since. What was
open when the backup began and is so at its end is in it; what ended meanwhile may be.
"""

import json
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from model_store.publishing import CLAIM
from petiole.backup.archive import MANIFEST, MODELS, RECORDS, UPLOADS, Manifest, Writer, written
from petiole.backup.errors import BackupError
from petiole.backup.places import Places
from tasks import lanes

Progress = Callable[[str], None]


def take(path: Path, places: Places, progress: Progress) -> Manifest:
    """Write a backup to `path` and return what is in it.

    Raises:
        BackupError: it cannot be written, or a version was removed meanwhile.
    """
    with written(path) as writer, tempfile.TemporaryDirectory(dir=path.parent) as spool:
        copying = _Copying(writer, places, Path(spool) / "object", progress)
        records: dict[str, list[Any]] = {
            "jobs": copying.jobs(),
            "bulks": copying.bulks(),
            "keys": [asdict(key) for key in places.keys.all()],
            "audit": places.deeds(),
        }
        versions = copying.models()
        writer.add_text(RECORDS, json.dumps(records))
        counts = {name: len(found) for name, found in records.items()} | {"versions": versions}
        now = datetime.now(UTC).isoformat(timespec="seconds")
        manifest = Manifest(now, counts, dict(writer.members))
        writer.add_text(MANIFEST, manifest.text)
    return manifest


class _Copying:
    """The steps of one backup; each returns what it copied."""

    def __init__(self, writer: Writer, places: Places, spool: Path, progress: Progress) -> None:
        self._writer, self._places = writer, places
        self._spool, self._progress = spool, progress

    def jobs(self) -> list[Any]:
        """Copy open pictures, those whose bytes are not there yet by their records alone."""
        found = []
        for task_id in self._places.jobs.open_ids():
            copy = self._places.jobs.of(task_id)
            if copy is None:
                continue
            waits_for_bytes = lanes.queue_of(copy.job.lane) == lanes.DOWNLOADS
            if waits_for_bytes or self._upload(task_id):
                found.append(asdict(copy))
        return found

    def bulks(self) -> list[Any]:
        """Copy open bulks with all of their objects."""
        copies = [self._places.bulks.of(bulk_id) for bulk_id in self._places.bulks.open_ids()]
        objects = self._places.uploads.tree() if any(copies) else []
        found = []
        for copy in filter(None, copies):
            keys = [key for key in objects if copy.owns(key)]
            if all([self._upload(key) for key in keys]):
                found.append({**asdict(copy), "objects": keys})
            elif self._places.bulks.of(copy.bulk_id) is not None:
                raise _changed(f"bulk {copy.bulk_id}")
        return found

    def models(self) -> int:
        """Copy every visible version, and all else but what a publisher has not finished."""
        store = self._places.model_store
        visible = {f"{name}/{n}" for name in store.names() for n in store.versions(name)}
        for path in sorted(self._places.models.tree()):
            name, version, *rest = [*path.split("/", 2), ""][:3]
            is_of_version = version.isdecimal() and rest != [CLAIM]
            if is_of_version and f"{name}/{version}" not in visible:
                continue
            if not self._copy(MODELS + path, self._places.models, path):
                raise _changed(path)
        return len(visible)

    def _upload(self, key: str) -> bool:
        return self._copy(UPLOADS + key, self._places.uploads, key)

    def _copy(self, name: str, objects: Any, path: str) -> bool:
        self._progress(f"Copying {name}")
        try:
            objects.download(path, self._spool)
        except FileNotFoundError:
            return False
        self._writer.add(name, self._spool)
        return True


def _changed(what: str) -> BackupError:
    return BackupError(f"{what} changed while it was being copied; make the backup once more")
