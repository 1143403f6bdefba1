"""Restores a backup: nothing is written before all of it was found whole and the place fit for it.

What is there already is left as it is, so a restore that was cut off may be done once more.
"""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from model_store import verification
from model_store.objects import Objects
from model_store.publishing import CARD, SAVED_MODEL
from petiole.backup.archive import MODELS, RECORDS, UPLOADS, Manifest, Reader, verified
from petiole.backup.errors import BackupError, BadBackupError
from petiole.backup.places import Places
from tasks import audit, lanes, stores, submission
from tasks.audit import Deed
from tasks.bulk import life
from tasks.bulk.copies import BulkCopy
from tasks.job_stores.copies import JobCopy
from tasks.keys.records import ApiKey, Limits
from tasks.settings import settings

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Restored:
    """What was restored, and how much of each was there already."""

    manifest: Manifest
    written: dict[str, int]


def restore(path: Path, places: Places, progress: Progress, *, adds: bool = False) -> Restored:
    """Bring back what a backup holds; with `adds` also where something is already.

    Raises:
        BadBackupError: it is no whole backup; nothing was changed.
        BackupError: the place is not empty, or too small; nothing was changed.
    """
    with verified(path, progress) as reader, tempfile.TemporaryDirectory() as spool:
        records = _Records.of(reader.text(RECORDS))
        _check_room(records)
        if not adds and (filled := places.filled()):
            message = f"there are {filled} already; --add leaves those and adds what is missing"
            raise BackupError(f"nothing is restored: {message}")
        writing = _Writing(reader, places, Path(spool) / "object", progress)
        writing.check_models()
        written = writing.everything(records)
    particulars = {name: str(number) for name, number in written.items()}
    audit.note(audit.RESTORED, path.name, made_at=reader.manifest.created_at, **particulars)
    return Restored(reader.manifest, written)


@dataclass(frozen=True)
class _Records:
    """What the Redis of the service had."""

    jobs: list[JobCopy]
    bulks: list[tuple[BulkCopy, list[str]]]
    keys: list[ApiKey]
    deeds: list[Deed]

    @classmethod
    def of(cls, text: str) -> "_Records":
        """Return what `records.json` says.

        Raises:
            BadBackupError: this release does not understand it.
        """
        try:
            told: dict[str, list[Any]] = json.loads(text)
            jobs = [JobCopy(**_known(JobCopy, each)) for each in told["jobs"]]
            for copy in jobs:
                lanes.task_of(copy.job.lane)
            return cls(
                jobs,
                [_bulk(each) for each in told["bulks"]],
                [_key(each) for each in told["keys"]],
                [Deed(**json.loads(line)) for line in told["audit"]],
            )
        except (ValueError, LookupError, TypeError, AttributeError) as exc:
            raise BadBackupError(f"its {RECORDS} is not understood: {exc}") from exc


def _known(kind: type[Any], told: dict[str, Any]) -> dict[str, Any]:
    return {each.name: told[each.name] for each in fields(kind) if each.name in told}


def _key(told: dict[str, Any]) -> ApiKey:
    limits = Limits(**told.get("limits", {}))
    return ApiKey(**told | {"scopes": tuple(told["scopes"]), "limits": limits})


def _bulk(told: dict[str, Any]) -> tuple[BulkCopy, list[str]]:
    copy = BulkCopy(told["record"], tuple(told["packs"]), tuple(told["results"]))
    if strange := [key for key in told["objects"] if not copy.owns(key)]:
        raise ValueError(f"{strange[0]!r} belongs to no bulk {copy.bulk_id!r}")
    return copy, told["objects"]


def _check_room(records: _Records) -> None:
    limits = settings()
    jobs_bytes = sum(copy.job.upload_bytes for copy in records.jobs)
    too_small = {
        "PETIOLE_TASKS_MAX_OPEN_JOBS": (len(records.jobs), limits.max_open_jobs),
        "PETIOLE_TASKS_MAX_OPEN_BYTES": (jobs_bytes, limits.max_open_bytes),
    }
    for name, (needed, limit) in too_small.items():
        if needed > limit:
            raise BackupError(f"nothing is restored: it needs {name} of {needed}; it is {limit}")


class _Writing:
    """The steps of one restore."""

    def __init__(self, reader: Reader, places: Places, spool: Path, progress: Progress) -> None:
        self._reader, self._places = reader, places
        self._spool, self._progress = spool, progress

    def check_models(self) -> None:
        """Refuse a model store that has other bytes under a name of the backup."""
        there = set(self._places.models.tree())
        for name in self._reader.names(MODELS):
            path = name.removeprefix(MODELS)
            if path in there and self._digest(path) != self._reader.manifest.members[name].sha256:
                message = f"the model store has {path} with other bytes than the backup"
                raise BackupError(f"nothing is restored: {message}")

    def _digest(self, path: str) -> str:
        self._places.models.download(path, self._spool)
        return verification.file_digest(self._spool)

    def everything(self, records: _Records) -> dict[str, int]:
        """Write what is missing: models first, and jobs last, once what answers them is there."""
        return {
            "files": self._models(),
            "keys": sum(self._places.keys.put_back(key) for key in records.keys),
            "audit": self._trail(records.deeds),
            "bulks": sum(self._bulk(copy, objects) for copy, objects in records.bulks),
            "jobs": sum(self._job(copy) for copy in records.jobs),
        }

    def _models(self) -> int:
        there = set(self._places.models.tree())
        missing = [n for n in self._reader.names(MODELS) if n.removeprefix(MODELS) not in there]
        for name in sorted(missing, key=_turn):
            self._object(name, self._places.models, name.removeprefix(MODELS))
        return len(missing)

    def _trail(self, deeds: list[Deed]) -> int:
        there = set(self._places.deeds())
        missing = [deed for deed in deeds if deed.line not in there]
        self._places.trail.append_all(missing)
        return len(missing)

    def _bulk(self, copy: BulkCopy, objects: list[str]) -> bool:
        if stores.prompt_bulks().get(copy.bulk_id) is not None:
            return False
        for key in objects:
            self._object(UPLOADS + key, self._places.uploads, key)
        written = self._places.bulks.write(copy)
        life.release(copy.bulk_id)
        return written

    def _job(self, copy: JobCopy) -> bool:
        job = copy.job
        if stores.prompt_job_store().get(job.task_id) is not None:
            return False
        name = UPLOADS + job.task_id
        if name in self._reader.manifest.members:
            self._object(name, self._places.uploads, job.task_id)
        submission.record_and_publish(job, lanes.task_of(job.lane), copy.digest)
        return True

    def _object(self, name: str, objects: Objects, path: str) -> None:
        self._progress(f"Restoring {name}")
        self._reader.extract(name, self._spool)
        objects.write(path, self._spool)


def _turn(name: str) -> tuple[int, str]:
    """Return when a file of the model store comes: a card makes visible, an alias names it."""
    parts = name.removeprefix(MODELS).split("/")
    if len(parts) < 3 or not parts[1].isdecimal():  # noqa: PLR2004 - <name>/<version>/<path>
        return 3, name
    return {SAVED_MODEL: 1, CARD: 2}.get(parts[-1], 0), name
