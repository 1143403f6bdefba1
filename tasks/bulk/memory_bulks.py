"""Bulks in the memory of one process: for Celery's eager mode and for tests."""

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import replace
from threading import RLock
from time import time

from tasks.bulk.records import LISTING, Bulk, Ended, Entry, Pace, Pack, bulk_of
from tasks.bulk.redis_bulks import PACKS_OUT, full, pace_of
from tasks.envelopes import Envelope
from tasks.job_stores import OVER, STARTED, SUCCESS, Job, JobStore, Outcome
from tasks.settings import TasksSettings


class MemoryBulks:
    """Keeps bulks until the process ends, but honours their time to live."""

    def __init__(self, settings: TasksSettings, jobs: JobStore) -> None:
        """Start empty, beside the job records."""
        self._settings, self._jobs = settings, jobs
        self._bulks: dict[str, Bulk] = {}
        self._packs: dict[str, deque[Pack]] = defaultdict(deque)
        self._out: dict[str, dict[str, Pack]] = defaultdict(dict)
        self._found: dict[tuple[str, int], list[Pack]] = defaultdict(list)
        self._entries: dict[str, list[Entry]] = defaultdict(list)
        self._ends: dict[str, list[tuple[float, int]]] = defaultdict(list)
        self._begun: dict[tuple[str, int], int] = defaultdict(int)
        self._lines: dict[str, dict[int, str]] = defaultdict(dict)
        self._lock = RLock()

    def open(self, bulk: Bulk) -> None:
        """Accept a bulk, whose listing waits to be released."""
        with self._lock:
            open_ = [self._bulks[each] for each in self.open_ids()]
            is_many = len(open_) >= self._settings.bulk_max_open
            total = sum(each.size_bytes for each in open_) + bulk.size_bytes
            if is_many or total > self._settings.bulk_max_open_bytes:
                raise full(self._settings, is_many=is_many)
            self._bulks[bulk.bulk_id] = bulk
            self._packs[bulk.bulk_id].append(Pack(LISTING))

    def get(self, bulk_id: str) -> Bulk | None:
        """Return a bulk, or None when there is none."""
        bulk = self._bulks.get(bulk_id)
        is_gone = bulk and bulk.over_at and time() > bulk.over_at + self._settings.bulk_ttl_seconds
        return None if is_gone else bulk

    def open_ids(self) -> list[str]:
        """Return the bulks that are not over."""
        return [bulk.bulk_id for bulk in self._bulks.values() if bulk.state not in OVER]

    def next_pack(self, bulk_id: str) -> Pack | None:
        """Return the pack that may be released now."""
        with self._lock:
            waiting, bulk = self._packs[bulk_id], self._open(bulk_id)
            is_due = bulk and not bulk.is_paused and len(self._out[bulk_id]) < PACKS_OUT
            return waiting[0] if waiting and is_due else None

    def release(self, pack: Pack, job: Job, envelope: Envelope | None = None) -> bool:
        """Make a job of the next pack; there is no broker here that could take its message."""
        bulk_id = bulk_of(job.task_id)
        with self._lock:
            if self.next_pack(bulk_id) != pack:
                return False
            self._packs[bulk_id].popleft()
            self._out[bulk_id][job.task_id] = pack
            # Without a lane: it is in no sum of single pictures.
            self._jobs.create(replace(job, lane=""))
            return True

    def put_back(self, pack: Pack, job: Job) -> bool:
        """Let a claimed pack wait in its bulk again."""
        bulk_id = bulk_of(job.task_id)
        with self._lock:
            if not self._jobs.postpone(job, seconds=0.0):
                return False
            self._out[bulk_id].pop(job.task_id)
            self._packs[bulk_id].appendleft(pack)
            return True

    def pack_of(self, pack_id: str) -> Pack | None:
        """Return the pack of a job that is not over."""
        return self._out[bulk_of(pack_id)].get(pack_id)

    def add_packs(self, job: Job, packs: list[Pack]) -> None:
        """Keep packs that a listing found."""
        self._found[job.task_id, job.fence] += packs

    def end_listing(self, job: Job, bulk: Bulk) -> bool:
        """End a listing."""
        with self._lock:
            if not self._leave(job, job.fence) or not self._open(bulk.bulk_id):
                return False
            self._packs[bulk.bulk_id] = deque(self._found.pop((job.task_id, job.fence)))
            self._change(bulk.bulk_id, lambda now: _listed(now, bulk))
            return True

    def end_pack(self, job: Job, ended: Ended, *, fence: int | None) -> bool:
        """End a pack and append its entry."""
        bulk_id = bulk_of(job.task_id)
        with self._lock:
            if not self._leave(job, fence) or not self._open(bulk_id):
                return False
            self._entries[bulk_id].append(ended.entry)
            self._ends[bulk_id].insert(0, (time(), ended.succeeded + ended.failed))
            self._change(bulk_id, lambda now: _further(now, ended))
            return True

    def _leave(self, job: Job, fence: int | None) -> bool:
        outcome = Outcome(SUCCESS, "{}", {}, lives_seconds=1)
        if not self._jobs.finish(job.task_id, outcome, fence=fence):
            return False
        self._out[bulk_of(job.task_id)].pop(job.task_id, None)
        self._lines.pop(job.task_id, None)
        return True

    def drop_pack(self, job: Job, *, fence: int | None = None) -> bool:
        """End the job of a pack and nothing else."""
        return self._leave(job, fence)

    def end(self, bulk_id: str, state: str, *, error: str = "") -> bool:
        """End a bulk before its time."""
        with self._lock:
            if not self._open(bulk_id):
                return False
            over_at = time()
            self._change(bulk_id, lambda b: replace(b, state=state, error=error, over_at=over_at))
            self._packs[bulk_id].clear()
            return True

    def pause(self, bulk_id: str, *, is_paused: bool) -> bool:
        """Let no more packs be released, or again."""
        with self._lock:
            if not self._open(bulk_id):
                return False
            self._change(bulk_id, lambda bulk: replace(bulk, is_paused=is_paused))
            return True

    def forget(self, bulk_id: str) -> None:
        """Delete all that is kept of a bulk."""
        for kept in (self._bulks, self._packs, self._out, self._entries, self._ends):
            kept.pop(bulk_id, None)

    def entries(self, bulk_id: str, *, start: int, limit: int) -> list[Entry]:
        """Return entries in the order in which packs ended."""
        return self._entries[bulk_id][start : start + limit]

    def pace(self, bulk_id: str) -> Pace:
        """Return how fast pictures of a bulk end."""
        return pace_of(self._ends[bulk_id], time())

    def begin_picture(self, job: Job, number: int) -> int:
        """Note that one picture of a pack is in work now."""
        self._begun[job.task_id, number] += 1
        return self._begun[job.task_id, number] - 1

    def end_picture(self, job: Job, number: int, line: str) -> None:
        """Keep the line of one picture."""
        self._lines[job.task_id][number] = line

    def lines(self, pack_id: str) -> dict[int, str]:
        """Return the lines that are kept of a pack, by the pictures' numbers."""
        return dict(self._lines[pack_id])

    def _open(self, bulk_id: str) -> Bulk | None:
        bulk = self._bulks.get(bulk_id)
        return bulk if bulk and bulk.state not in OVER else None

    def _change(self, bulk_id: str, change: Callable[[Bulk], Bulk]) -> None:
        self._bulks[bulk_id] = change(self._bulks[bulk_id])


def _listed(now: Bulk, bulk: Bulk) -> Bulk:
    """Return the bulk as it is now, with what a listing found."""
    return replace(
        now,
        state=STARTED,
        total=bulk.total,
        packs=bulk.packs,
        body=bulk.body,
        index=bulk.index,
    )


def _further(bulk: Bulk, ended: Ended) -> Bulk:
    """Return the bulk after one more pack."""
    done = bulk.packs_done + 1
    is_over = done >= bulk.packs
    return replace(
        bulk,
        packs_done=done,
        succeeded=bulk.succeeded + ended.succeeded,
        failed=bulk.failed + ended.failed,
        state=SUCCESS if is_over else bulk.state,
        over_at=time() if is_over else 0.0,
    )
