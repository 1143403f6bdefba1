"""A picture that another client sent meanwhile: it is predicted once, and its answer is for both.

Both were accepted before there was an answer; each has its record, its upload and its message, and
so nothing is lost with the other one. Whichever is started later takes the answer of the first, or
waits for it as long as a living process works on that one.
"""

from __future__ import annotations

from dataclasses import replace
from time import monotonic, sleep, time
from typing import TYPE_CHECKING, Final

from tasks import answer_cache, collecting, loaded_models, stores
from tasks.documents import ClassifiedTask, Timings

if TYPE_CHECKING:
    from tasks.job_stores import Job
    from tasks.trials import Trial

WAIT_SECONDS: Final = 5.0
"""Longer than nearly every picture takes; after that it is predicted a second time, so that one
which takes very long does not hold a child for each of its copies."""

SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.002, 0.05


def settled(job: Job, trial: Trial | None) -> Job:
    """Return a started job with its answer, if that is or soon will be there; else without one.

    A picture of a trial or a collection is predicted, and one for which another version answers by
    now than when it was accepted.
    """
    if not (job.answer or job.behind):
        return job
    if trial is not None or not _is_up_to_date(job):
        return replace(job, answer="", behind="")
    return _waited_for(job)


def _is_up_to_date(job: Job) -> bool:
    card = loaded_models.get(job.model).card
    return card.ref == job.version and not collecting.of_this_process().asks_for(card.name)


def _waited_for(job: Job) -> Job:
    """Look again until the answer is there, or nobody works on the other job any more."""
    pause, until = SHORTEST_PAUSE_SECONDS, monotonic() + WAIT_SECONDS
    while job.behind and monotonic() < until:
        sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        job = stores.job_store().look_again(job)
    return job


def document_of(job: Job) -> ClassifiedTask:
    """Return the finished document of a job that has its answer; it was not decoded."""
    times = Timings(
        queued=round(job.queued_ms, 2),
        download=round(job.download_ms, 2),
        decode=0.0,
        predict=0.0,
        total=round(max(0.0, time() - job.accepted_at) * 1000, 2),
    )
    return answer_cache.document_of(job, times)
