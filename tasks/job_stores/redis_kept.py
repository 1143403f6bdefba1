"""Answers that are kept in Redis, as far as they are about a job; see `kept_scripts`."""

import json
from dataclasses import replace
from typing import Any

from tasks.errors import ReusedKeyError
from tasks.job_stores import SUCCESS, Ask, Job, Kept, Told, hashes
from tasks.job_stores.collections import OPEN as COLLECTING
from tasks.job_stores.connection import Clock, Memory, translated
from tasks.job_stores.kept import HIT, UNWANTED
from tasks.job_stores.kept_scripts import ANSWER, KEPT_NOW, LOOK_AGAIN, RECALL
from tasks.job_stores.redis_upkeep import COUNTS, DISCARDED, DOCUMENT, JOB, KEY, RedisUpkeep
from tasks.settings import TasksSettings


class RedisKept(RedisUpkeep):
    """The part of `RedisJobStore` that is about answers that are given again."""

    _clock: Clock
    _memory: Memory

    def _register_kept(self) -> None:
        register = self._client.register_script
        self._recall, self._look_again = register(RECALL), register(LOOK_AGAIN)
        self._kept_now = register(KEPT_NOW)

    @translated
    def recall(self, job: Job, ask: Ask) -> Told:
        """End a new job at once, if the answer of its `answer_key` is there; else write nothing."""
        if self._memory.share() > self._settings.max_memory_share:
            return Told(UNWANTED)  # Whoever accepts jobs says what is full.
        lives = self._settings.result_ttl_seconds
        result_key, *around_result = ask.celery_result
        counts = [part for pair in ask.counts.items() for part in pair]
        outcome, *more = self._recall(
            keys=[
                ANSWER + job.answer_key,
                JOB + job.task_id,
                DOCUMENT + job.task_id,
                COUNTS,
                result_key,
                KEY + job.key if job.key else "",
                DISCARDED + job.task_id,
                COLLECTING + ask.model,
            ],
            args=[
                job.task_id,
                lives,
                lives + self._settings.tombstone_ttl_seconds,
                self._clock.too_late(),
                ask.digest,
                self._settings.longest_record_seconds,
                self._settings.webhook_ttl_seconds,
                *ask.parts,
                *around_result,
                job.webhook_url,
                ask.missed,
                len(counts),
                *counts,
                *hashes.flat(replace(job, state=SUCCESS, answer_key=""), whole=False),
            ],
        )
        return _told(outcome, more)

    @translated
    def look_again(self, job: Job) -> Job:
        """Return a started job with what is known of its answer now."""
        flat = self._look_again(args=[job.answer_key, job.task_id])
        return hashes.with_known(job, hashes.paired(flat))

    @translated
    def kept_answers(self) -> tuple[int, int]:
        """Return how many answers are kept, and their bytes together."""
        n, total = self._kept_now()
        return int(n), int(total)


def _told(outcome: str, more: list[Any]) -> Told:
    if outcome == HIT:
        document, age = more
        return Told(HIT, document, max(0.0, float(age)))
    return Told(outcome, task_id=earlier_id(outcome, *more))


def earlier_id(said: str, task_id: str = "") -> str:
    """Return the task of an earlier request with the same key, as a script says it.

    Raises:
        ReusedKeyError: that request was another one.
    """
    if said == "REUSED":
        raise ReusedKeyError("this Idempotency-Key came with another request before")
    return task_id


def text_of(kept: Kept | None, settings: TasksSettings) -> str:
    """Return what the script that ends a job is told of an answer to keep; mostly nothing."""
    if kept is None:
        return ""
    return json.dumps(
        {
            "key": kept.key,
            "model": kept.model,
            "found": kept.found,
            "further": kept.further,
            "bytes": kept.size_bytes,
            "seconds": settings.cache_ttl_seconds,
            "most_bytes": settings.cache_max_bytes,
        }
    )
