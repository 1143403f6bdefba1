"""Answers that are kept in the memory of one process, as `redis_kept` keeps them in Redis."""

from dataclasses import replace
from time import monotonic
from typing import NamedTuple

from tasks.job_stores import STARTED, Ask, Job, Kept, Told
from tasks.job_stores.kept import HIT, MISS
from tasks.job_stores.memory_keys import MemoryKeys
from tasks.settings import TasksSettings


class _Entry(NamedTuple):
    kept: Kept
    made_at: float
    source: str


class MemoryKept(MemoryKeys):
    """The part of `MemoryJobStore` that is about answers that are given again."""

    def __init__(self, settings: TasksSettings) -> None:
        """Start empty."""
        super().__init__(settings)
        self._kept: dict[str, _Entry] = {}
        self._answering: dict[str, str] = {}

    def kept_answers(self) -> tuple[int, int]:
        """Return how many answers are kept, and their bytes together."""
        return len(self._kept), sum(each.kept.size_bytes for each in self._kept.values())

    def look_again(self, job: Job) -> Job:
        """Return a started job with what is known of its answer now."""
        with self._changed:
            return self._known(job)

    def _known(self, job: Job) -> Job:
        if not job.answer_key or job.stage != "classify":
            return job
        if (entry := self._entry(job.answer_key)) is not None:
            return replace(job, answer=entry.kept.members, behind="")
        first = self._jobs.get(self._answering.get(job.answer_key, ""))
        is_held = first is not None and first.state == STARTED and first.owner in self.ready()
        if first is not None and is_held and first.task_id != job.task_id:
            return replace(job, answer="", behind=first.task_id)
        self._answering[job.answer_key] = job.task_id
        return replace(job, answer="", behind="")

    def _recalled(self, job: Job, ask: Ask) -> tuple[str, Told]:
        """Return the document of a new job, if its answer is there, and what is told."""
        entry = self._entry(job.answer_key)
        if entry is None:
            self.count({ask.missed: 1})
            return "", Told(MISS)
        before, between, after = ask.parts
        kept = entry.kept
        document = f"{before}{kept.model}{between}{kept.found}{after}{kept.warnings}}}"
        return document, Told(HIT, document, monotonic() - entry.made_at)

    def _entry(self, key: str) -> _Entry | None:
        entry = self._kept.get(key)
        is_old = entry and monotonic() - entry.made_at >= self._settings.cache_ttl_seconds
        return None if is_old else entry

    def _keep(self, kept: Kept, task_id: str) -> None:
        self._kept.pop(kept.key, None)
        self._kept[kept.key] = _Entry(kept, monotonic(), task_id)
        while self.kept_answers()[1] > self._settings.cache_max_bytes or not self._entry(
            next(iter(self._kept))
        ):
            self._kept.pop(next(iter(self._kept)))
            if not self._kept:
                return

    def _forget_answer(self, job: Job) -> None:
        entry = self._kept.get(job.answer_key)
        if entry is not None and entry.source == job.task_id:
            del self._kept[job.answer_key]
