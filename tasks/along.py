"""Pictures that a child takes along: with the end of one it starts the next one that waits.

Celery's main process reads each message, hands it to a child, hears of its start and of its end,
acknowledges it and tells Flower: a fifth of all that a picture costs, beside what its own child
pays for that. While pictures wait, a child therefore takes the next one from the queue itself, in
the same step that writes the end of the one before. The main process hears of all of them with the
end of the first.
"""

from collections.abc import Callable
from time import monotonic, time
from types import TracebackType
from typing import Any, Self

import structlog
from billiard.process import current_process
from celery.exceptions import Ignore

from tasks import (
    celery_results,
    correlation,
    envelopes,
    holding,
    jobs,
    lanes,
    permission,
    publisher,
    working,
)
from tasks.errors import JobMemoryError
from tasks.job_stores import SUCCESS, Job, Take
from tasks.told import IGNORED, Told, ToldOfMany
from tasks.tracing import spans

SECONDS = 0.5
"""After so long the main process hears of a child again, and Flower of what it did."""

LANES = tuple(lanes.lane(lanes.CLASSIFY, priority) for priority in (lanes.NORMAL, lanes.LOW))


class Along:
    """What a child does beyond the task that it was given; a context around that task's work."""

    def __init__(self, work: Callable[[Job, "Along"], dict[str, Any]], *, request: Any) -> None:
        """Begin with the task of `request`; `work` does one job and returns its document."""
        self._work = work
        self._may_take = _is_of_a_pool() and envelopes.is_own(request)
        self._began, self._first_seconds = monotonic(), 0.0
        self._following: Job | None = None
        self._told: list[Told] = []

    def take(self) -> Take | None:
        """Return what to start with the end of a job, or None once the time is over."""
        is_time = monotonic() - self._began < SECONDS
        if not (self._may_take and is_time and permission.is_given()):
            return None
        return Take(LANES, stage="classify", owner=holding.member("classify"))

    def follow(self, job: Job | None) -> None:
        """Note the job that was started, which is done as soon as the one before is."""
        self._following = job
        if job is not None:
            holding.hold(job)

    def answer(self, members: dict[str, Any]) -> "dict[str, Any] | ToldOfMany":
        """Return what the task returns: the document, and for the main process all that was done.

        Only another program needs the document; a task that one sent takes nothing along.
        """
        if not self._may_take:
            return members
        return ToldOfMany(summary(members), self._first_seconds, tuple(self._told))

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Do what was started meanwhile, whatever became of the first job."""
        self._first_seconds = monotonic() - self._began
        while (job := self._following) is not None:
            self._following = None
            self._told.append(self._one(job))

    def _one(self, job: Job) -> Told:
        """Do one job; whatever goes wrong is its own, and says so in its record."""
        began, began_at = monotonic(), time()
        result, error = "", ""
        with structlog.contextvars.bound_contextvars(task_id=job.task_id), correlation.of(job):
            try:
                with spans.attempt(job, began_at=began_at), working.putting_off(job.task_id, job):
                    result = summary(self._work(job, self))
            except Ignore:
                result = IGNORED
            except (MemoryError, RecursionError) as exc:
                error = _failed(job, JobMemoryError.of(exc))
            except Exception as exc:  # noqa: BLE001 - the line of the job's end has it
                # Whatever it is, it ends this job alone, as Celery's signal does for a task's own.
                error = _failed(job, exc)
            finally:
                holding.release(job.task_id)
        return Told(job.task_id, began_at, monotonic() - began, result, error)


def _failed(job: Job, exc: Exception) -> str:
    """End a job, unless it is over already; return what Flower shows of it."""
    jobs.fail(job.task_id, exc, fence=job.fence)
    return repr(exc)


def summary(members: dict[str, Any]) -> str:
    """Return a document as Flower shows it: the best label, its probability and the version."""
    if members["state"] != SUCCESS:
        return str(members["state"])
    model = f"{members['model']}@{members['model_version']}"
    if not members["predictions"]:
        return f"no label probable enough, {model}"
    best = members["predictions"][0]
    return f"{best['label']} {best['probability']:.3f}, {model}"


def _is_of_a_pool() -> bool:
    """Tell whether this is a child whose messages, records and results lie in one Redis."""
    return (
        getattr(current_process(), "inq", None) is not None
        and not publisher.runs_here()
        and publisher.is_the_job_store()
        and celery_results.are_written_with_the_record()
    )
