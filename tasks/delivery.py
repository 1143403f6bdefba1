"""One delivered task in the worker's main process: its end is written, or it is done again.

A job by address ends here for Flower as well, when it never becomes a `classify`.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from billiard.einfo import ExceptionWithTraceback  # type: ignore[attr-defined] # stubs lack it
from celery.exceptions import Reject
from celery.worker.request import Request
from redis.exceptions import RedisError

from tasks import end_events
from tasks.told import Told, ToldOfMany

_Request: Any = Request  # the stubs know few of its methods

child: ContextVar[int | None] = ContextVar("child", default=None)
"""The process that had the task whose failure is being told; None when it began nothing."""

logger = logging.getLogger(__name__)


class Delivery(_Request):  # type: ignore[misc]
    """A request whose message goes back to its queue when its end could not be written.

    Celery's pool logs what such a callback raises and goes on: the message would stay
    unacknowledged, and its credit would be lost.
    """

    def on_failure(self, exc_info: Any, *args: Any, **options: Any) -> None:
        """Write that the task failed; put back one whose retry could not be sent."""
        exception = exc_info.exception
        if isinstance(exception, ExceptionWithTraceback):
            exception = exception.exc
        if isinstance(exception, Reject):
            # No task of ours rejects: Celery does, for one that found no broker for its retry.
            exception.requeue = True  # type: ignore[attr-defined] # stubs lack it
        with self._told(), self._put_back_if_refused():
            super().on_failure(exc_info, *args, **options)
        self._show_end_of_download()

    def send_event(self, type: str, **fields: Any) -> None:
        """Tell Flower of this task, and with its end of the pictures that were taken along."""
        told = ToldOfMany.read(str(fields.get("result", "")))
        if told is not None:
            super().send_event(type, result=told.result, runtime=told.seconds)
            self._tell_of(told.along)
        elif type == "task-failed" and self.args and end_events.has_succeeded(str(self.args[0])):
            # Its child was lost with a picture that it had taken along after this one.
            super().send_event("task-succeeded", result="", runtime=None)
        else:
            super().send_event(type, **fields)

    def _tell_of(self, along: Iterable[Told]) -> None:
        if self._eventer and self._eventer.enabled:
            for event in (event for each in along for event in each.events()):
                self._eventer.send(**event)

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """Write that the time is over."""
        with self._told(), self._put_back_if_refused():
            super().on_timeout(soft, timeout)

    def _announce_revoked(self, *args: Any) -> None:
        with self._told(), self._put_back_if_refused():
            super()._announce_revoked(*args)
        self._show_end_of_download()

    def _show_end_of_download(self) -> None:
        """Let Flower show the end of a job by address under its client's id.

        Celery tells of the download alone, which has an id of its own; the task of the client's id
        will never be sent.
        """
        if self.task.name != "download" or not self.args or not self._eventer:
            return
        if event := end_events.of(str(self.args[0])):
            self._eventer.send(**event)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Let who listens know which child it was; Celery's signals do not say it."""
        token = child.set(self.worker_pid)
        try:
            yield
        finally:
            child.reset(token)

    @contextmanager
    def _put_back_if_refused(self) -> Iterator[None]:
        try:
            yield
        except Exception as exc:
            # Whatever the result backend raises: the claim bounds how often the task runs.
            foreseen = isinstance(exc, (RedisError, OSError))
            fields = {"task_id": self.id, "reason": repr(exc)}
            logger.warning("end of a task not written", exc_info=not foreseen, extra=fields)
            self.reject(requeue=True)
