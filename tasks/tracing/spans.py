"""The spans of a job: accept, queue, an attempt for each start with its stages, webhook.

All are below the one of its acceptance. What is sent again is a span that links to what was lost,
and the next attempt links to that.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, time
from typing import Any

from celery.exceptions import Ignore

from tasks import correlation, stores
from tasks.job_stores.records import Job
from tasks.job_stores.webhooks import Webhook
from tasks.tracing import recording
from tasks.tracing.recording import CLIENT, CONSUMER, PRODUCER, Span, below


def of_new(task_id: str) -> str:
    """Return the `traceparent` that a new job travels with: that of its acceptance."""
    trace = correlation.current().trace
    return below(trace, task_id, "accept") if recording.is_recorded(trace) else trace


def accepted(job: Job) -> None:
    """Record that a job was accepted just now."""
    recording.record(
        job.trace,
        lambda: Span(
            "accept",
            correlation.current().trace,
            job.accepted_at,
            time(),
            own=job.trace,
            kind=PRODUCER,
            attributes=_named(job),
        ),
    )


def accepted_before(task_id: str) -> None:
    """Record that a request was given the job of an earlier one; it links to that one's trace."""
    trace, now = correlation.current().trace, time()
    job = stores.prompt_job_store().get(task_id) if recording.is_recorded(trace) else None
    if job is None:
        return
    links = (job.trace,) if job.trace else ()
    recording.record(
        trace,
        lambda: Span("accept", trace, now, now, kind=PRODUCER, links=links, attributes=_named(job)),
    )


@contextmanager
def attempt(job: Job, *, began_at: float) -> Iterator[None]:
    """Record one start of a job: how long it waited, how it was claimed, what the block did."""
    if not recording.is_recorded(job.trace):
        yield
        return
    links, waited_since = _before(job)
    claimed_at, why = time(), {"error": "", "put_off": ""}
    _record(job, "queue", job.trace, waited_since, max(waited_since, began_at), links=links)
    _record(job, "claim", _of_attempt(job), began_at, claimed_at)
    try:
        yield
    except Ignore as exc:
        why["put_off"] = type(exc.__cause__).__name__ if exc.__cause__ else "ignored"
        raise
    except BaseException as exc:
        why["error"] = type(exc).__name__
        raise
    finally:
        _end_attempt(job, began_at, links, **why)


def _end_attempt(
    job: Job, began_at: float, links: tuple[str, ...], *, error: str, put_off: str
) -> None:
    more = {"petiole.put_off": put_off} if put_off else {}
    attributes = {**_named(job), "petiole.attempt": job.attempts, **more}
    recording.record(
        job.trace,
        lambda: Span(
            job.stage,
            job.trace,
            began_at,
            time(),
            own=_of_attempt(job),
            kind=CONSUMER,
            links=links,
            attributes=attributes,
            error=error,
        ),
    )


def _before(job: Job) -> tuple[tuple[str, ...], float]:
    """Return what an attempt follows, and since when its job waited for it."""
    earlier = _of_attempt(job, fence=job.fence - 1)
    if job.resent_at and job.resent_after == job.fence - 1:
        return (_sent_again(job, earlier if job.resent_after else job.trace),), job.resent_at
    return ((earlier,) if job.attempts > 1 else ()), job.queued_since


def _sent_again(job: Job, earlier: str) -> str:
    """Record that a job was sent again, and the attempt that was lost; return the former's.

    Whoever claims the job next records both: the attempt's process is gone, and that which sees
    the loss forks children, so that it has no thread that sends.
    """
    own = below(job.trace, job.task_id, "again", job.resent)
    if job.lost_since:
        lost = "its worker was lost"
        _record(job, job.stage, job.trace, job.lost_since, job.resent_at, own=earlier, error=lost)
    at = job.resent_at
    _record(job, "send again", job.trace, at, at, own=own, kind=PRODUCER, links=(earlier,))
    return own


def stage(job: Job, name: str, began: float, ended: float, **attributes: Any) -> None:
    """Record a part of an attempt, between two readings of `perf_counter`."""
    if recording.is_recorded(job.trace):
        ahead = time() - perf_counter()
        told = {f"petiole.{key}": value for key, value in attributes.items()}
        recording.record(
            job.trace,
            lambda: Span(name, _of_attempt(job), began + ahead, ended + ahead, attributes=told),
        )


def of_try(webhook: Webhook, attempts: int = 0) -> str:
    """Return the `traceparent` of a try to deliver: this one, or that of so many attempts."""
    if not recording.is_recorded(webhook.trace):
        return webhook.trace
    what = (webhook.task_id, "webhook", webhook.since, attempts or webhook.attempts)
    return below(webhook.trace, *what)


def tried(webhook: Webhook, host: str, began_at: float, *, error: str) -> None:
    """Record one try to deliver a webhook; it links to the try before."""
    before = webhook.attempts - 1
    recording.record(
        webhook.trace,
        lambda: Span(
            "webhook",
            webhook.trace,
            began_at,
            time(),
            own=of_try(webhook),
            kind=CLIENT,
            links=(of_try(webhook, before),) if before else (),
            attributes={
                "petiole.task_id": webhook.task_id,
                "petiole.attempt": webhook.attempts,
                "server.address": host,
            },
            error=error,
        ),
    )


def _of_attempt(job: Job, *, fence: int | None = None) -> str:
    return below(job.trace, job.task_id, "attempt", job.fence if fence is None else fence)


def _record(
    job: Job, name: str, parent: str, began_at: float, ended_at: float, **more: Any
) -> None:
    recording.record(job.trace, lambda: Span(name, parent, began_at, ended_at, **more))


def _named(job: Job) -> dict[str, Any]:
    ids = {"petiole.task_id": job.task_id, "petiole.request_id": job.request_id}
    return {**ids, "petiole.kind": job.kind, "petiole.model": job.version or job.model}
