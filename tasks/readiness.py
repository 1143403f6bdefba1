"""Readiness of worker processes: a key each, renewed while it lasts, gone soon after the process.

Celery calls a worker ready before its models are loaded; these keys say which process
really is, and why one is not. A worker's main process has one of its own (see `consumption`).
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from threading import Event, Thread
from typing import Final, Literal

from pydantic import TypeAdapter

from tasks import documents, holding, stores
from tasks.errors import ServiceUnavailableError
from tasks.job_stores import JobStore
from tasks.settings import settings

READY: Final = "ready"
NOT_READY: Final = "not ready"
CONSUMER: Final = "consumer"
"""In the place of the queue, for the note of a worker's main process."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Note:
    """What one worker process says about itself.

    Attributes:
        process: Queue, host and process id.
        queue: The queue that it serves.
        state: Whether it takes jobs.
        reason: Why not, where it does not.
        models: The versions in its memory with their runtimes, as in `imagenet@1 on openvino`.
        refused: Why versions that should answer do not, by `name@version`.
        trials: The number of the rollout that it follows, by model.
        holds: The jobs that it works on.
        consumes: The queues that a worker's main process takes messages from.
        fit: Variants that answer on its CPU as where they were made, with the figures.
        unfit: Those that do not, or of which nobody knows; `auto` leaves them out.
        image_keys: The ids of the keys with which it reads the image store.
    """

    process: str
    queue: str
    state: Literal["ready", "not ready"]
    reason: str | None = None
    models: tuple[str, ...] | None = None
    refused: Mapping[str, str] | None = None
    trials: Mapping[str, int] | None = None
    holds: tuple[str, ...] | None = None
    consumes: tuple[str, ...] | None = None
    fit: Mapping[str, str] | None = None
    unfit: Mapping[str, str] | None = None
    image_keys: tuple[str, ...] | None = None

    def reads(self, key: str) -> bool:
        """Tell whether it can read what a key of this id encrypted; without one everybody can."""
        return not key or key in (self.image_keys or ())

    @property
    def is_ready(self) -> bool:
        """Whether it takes jobs."""
        return self.state == READY


_note: TypeAdapter[Note] = TypeAdapter(Note)


def classify_children(store: JobStore) -> list[Note]:
    """Return a note for each classify child that has announced itself: warm, or why not."""
    return _notes(store, "classify")


def downloaders(store: JobStore) -> list[Note]:
    """Return a note for each download worker."""
    return _notes(store, "downloads")


def bulk_children(store: JobStore) -> list[Note]:
    """Return a note for each child that does many pictures at once."""
    return _notes(store, "bulk")


def explainers(store: JobStore) -> list[Note]:
    """Return a note for each child that makes explanations."""
    return _notes(store, "explain")


def consumers(store: JobStore, *queues: str) -> list[Note]:
    """Return a note for each worker that takes messages from one of `queues`, or should."""
    return [note for note in _notes(store, CONSUMER) if {*queues} & {*(note.consumes or ())}]


def notes(store: JobStore) -> list[Note]:
    """Return the notes of all worker processes."""
    said = store.ready().items()
    return [_note.validate_python({"process": m, **json.loads(text)}) for m, text in said]


def _notes(store: JobStore, queue: str) -> list[Note]:
    return [note for note in notes(store) if note.queue == queue]


class Place:
    """Where one process puts its note; what it cannot put there is logged once."""

    def __init__(self, queue: str) -> None:
        """Choose the place of this process among those of `queue`."""
        self.member = holding.member(queue)
        self._refused = ""

    def put(self, note: str) -> None:
        """Renew the note for its time to live."""
        try:
            stores.prompt_job_store().announce_ready(self.member, note)
        except ServiceUnavailableError as exc:
            if str(exc) != self._refused:
                logger.warning("readiness not announced", extra={"reason": str(exc)})
            self._refused = str(exc)
            return
        if self._refused:
            logger.info("readiness announced again")
        self._refused = ""

    def clear(self) -> None:
        """Take the note back at once, as at a tidy end."""
        try:
            stores.prompt_job_store().withdraw_ready(self.member)
        except ServiceUnavailableError:
            logger.info("readiness not withdrawn; its key expires by itself")


class Announcement:
    """What this process says about itself, renewed by a thread until it ends."""

    def __init__(self, queue: str) -> None:
        """Prepare for the worker of `queue`; nothing is announced yet."""
        self._queue = queue
        self._place = Place(queue)
        self._note = Note(self._place.member, queue, NOT_READY)
        self._stop = Event()
        self._thread: Thread | None = None

    def ready(
        self,
        *,
        models: tuple[str, ...] | None = None,
        refused: Mapping[str, str] | None = None,
        trials: Mapping[str, int] | None = None,
        fit: Mapping[str, str] | None = None,
        unfit: Mapping[str, str] | None = None,
    ) -> None:
        """Announce that this process takes jobs, from now on."""
        note = Note(self._place.member, self._queue, READY, None, models, refused, trials)
        self._say(replace(note, fit=fit, unfit=unfit))

    def not_ready(self, reason: str) -> None:
        """Announce why this process takes no job, from now on."""
        self._say(Note(self._place.member, self._queue, NOT_READY, reason))

    def _say(self, note: Note) -> None:
        self._note = replace(note, image_keys=stores.keyring().ids or None)
        self._announce()
        if self._thread is None:
            self._thread = Thread(target=self._renew, name="readiness", daemon=True)
            self._thread.start()

    def withdraw(self) -> None:
        """Take the announcement back at once, as at a tidy end."""
        self._stop.set()
        self._place.clear()

    def _renew(self) -> None:
        while not self._stop.wait(settings().ready_ttl_seconds / 3):
            self._announce()

    def _announce(self) -> None:
        self._place.put(documents.to_json(replace(self._note, holds=holding.task_ids())))
