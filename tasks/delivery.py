"""One delivered task in the worker's main process: its end is written, or it is done again.

A job by address ends here for Flower as well, when it never becomes a `classify`.
"""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from billiard.einfo import ExceptionWithTraceback  # type: ignore[attr-defined] # stubs lack it
from celery import signals
from celery.exceptions import Reject, TimeLimitExceeded
from celery.worker import state
from celery.worker.request import Request
from redis.exceptions import RedisError

from tasks import callers, end_events, publisher
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

    _came_back = False

    def on_failure(self, exc_info: Any, *args: Any, **options: Any) -> None:
        """Write that the task failed; put back one whose retry could not be sent."""
        exception = exc_info.exception
        if isinstance(exception, ExceptionWithTraceback):
            exception = exception.exc
        if isinstance(exception, Reject):
            # No task of ours rejects: Celery does, for one that found no broker for its retry.
            exception.requeue = True  # type: ignore[attr-defined] # stubs lack it
        if isinstance(exception, callers.LOST) and self._comes_back(exception):
            return
        with self._told(), self._put_back_if_refused():
            super().on_failure(exc_info, *args, **options)
        self._show_end_of_download()

    def send_event(self, type: str, **fields: Any) -> None:
        """Tell Flower of this task, and with its end of the pictures that were taken along."""
        told = ToldOfMany.read(str(fields.get("result", "")))
        if told is not None:
            super().send_event(type, result=told.result, runtime=told.seconds)
            self._tell_of(told.along)
        elif type == "task-failed" and end_events.has_succeeded(self._job_id):
            # Its child was lost with a picture that it had taken along after this one.
            super().send_event("task-succeeded", result="", runtime=None)
        else:
            super().send_event(type, **fields)

    @property
    def _job_id(self) -> str:
        return callers.job_of(self.name, self.id, self.args)

    def _tell_of(self, along: Iterable[Told]) -> None:
        if self._eventer and self._eventer.enabled:
            for event in (event for each in along for event in each.events()):
                self._eventer.send(**event)

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """Write that the time is over."""
        if not soft and self._comes_back(TimeLimitExceeded(timeout)):
            return
        with self._told(), self._put_back_if_refused():
            super().on_timeout(soft, timeout)

    def _comes_back(self, exception: Exception) -> bool:
        """Put the message back, if a program waits for it; its job is tried again meanwhile.

        Celery would call what is linked to it with a failure, which this is not yet.
        """
        if self._came_back or self.acknowledged or not callers.come_back_after_loss(self):
            return self._came_back
        self._came_back = True
        state.task_ready(self)
        with self._told():
            signals.task_failure.send(
                sender=self.task, task_id=self.id, exception=exception, args=self.args
            )
        self.reject(requeue=True)
        return True

    @property
    def argsrepr(self) -> str:
        """What Flower and logs show of the arguments; of a picture nothing."""
        return "" if self._carries_picture() else str(super().argsrepr)

    @property
    def kwargsrepr(self) -> str:
        """The same of the named ones."""
        return "" if self._carries_picture() else str(super().kwargsrepr)

    def info(self, safe: bool = False) -> dict[str, Any]:
        """Return what `celery inspect` shows; no picture."""
        shown: dict[str, Any] = super().info(safe=safe)
        return {**shown, "args": [], "kwargs": {}} if self._carries_picture() else shown

    def _carries_picture(self) -> bool:
        return bool(self.name == publisher.PICTURE)

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
        if event := end_events.of(self._job_id):
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
