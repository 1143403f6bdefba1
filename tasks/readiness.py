"""Readiness of worker processes: a key each, renewed by a thread, gone soon after the process.

Celery calls a worker ready before its models are loaded; these keys say which process
really is, and why one is not.
"""

import json
import logging
import os
import socket
from threading import Event, Thread
from typing import Any

from tasks import stores
from tasks.errors import ServiceUnavailableError
from tasks.job_stores import JobStore
from tasks.settings import settings

logger = logging.getLogger(__name__)


def classify_children(store: JobStore) -> list[dict[str, Any]]:
    """Return a note for each classify child that has announced itself: warm, or why not."""
    return _notes(store, "classify")


def downloaders(store: JobStore) -> list[dict[str, Any]]:
    """Return a note for each download worker."""
    return _notes(store, "downloads")


def _notes(store: JobStore, queue: str) -> list[dict[str, Any]]:
    notes = ((member, json.loads(note)) for member, note in store.ready().items())
    return [{"process": m, **note} for m, note in notes if note["queue"] == queue]


class Announcement:
    """What this process says about itself, renewed until it ends."""

    def __init__(self, queue: str) -> None:
        """Prepare for the worker of `queue`; nothing is announced yet."""
        self._queue = queue
        self._member = f"{queue}:{socket.gethostname()}:{os.getpid()}"
        self._note = ""
        self._stop = Event()
        self._thread: Thread | None = None

    def say(self, *, ready: bool, **details: Any) -> None:
        """Announce readiness, or its absence with a reason, from now on."""
        state = "ready" if ready else "not ready"
        self._note = json.dumps({"queue": self._queue, "state": state, **details})
        self._announce()
        if self._thread is None:
            self._thread = Thread(target=self._renew, name="readiness", daemon=True)
            self._thread.start()

    def withdraw(self) -> None:
        """Take the announcement back at once, as at a tidy end."""
        self._stop.set()
        try:
            stores.prompt_job_store().withdraw_ready(self._member)
        except ServiceUnavailableError:
            logger.info("readiness not withdrawn; its key expires by itself")

    def _renew(self) -> None:
        while not self._stop.wait(settings().ready_ttl_seconds / 3):
            self._announce()

    def _announce(self) -> None:
        try:
            stores.prompt_job_store().announce_ready(self._member, self._note)
        except ServiceUnavailableError as exc:
            logger.warning("readiness not announced", extra={"reason": str(exc)})
