"""What the job store in memory tells those who look after it: sums, lanes, readiness, turns."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from time import monotonic, time

from tasks import lanes
from tasks.job_stores import STARTED, Job, Load, Work, tallying
from tasks.job_stores.measuring import work_of
from tasks.job_stores.memory_waiting import MemoryFollowing
from tasks.settings import TasksSettings
from tasks.statistics import Tally


class MemoryUpkeep(MemoryFollowing):
    """The part of `MemoryJobStore` that is not about one job."""

    def __init__(self, settings: TasksSettings) -> None:
        """Start empty."""
        super().__init__()
        self._settings = settings
        self._jobs: dict[str, Job] = {}
        self._sizes: dict[str, int] = {}
        self._deadlines: dict[str, float] = {}
        self._counts: dict[str, float] = defaultdict(float)
        self._ready: dict[str, tuple[str, float]] = {}
        self._queued: dict[str, float] = {}
        self._turns: dict[str, tuple[str, float]] = {}

    def count(self, counts: Mapping[str, float]) -> None:
        """Add to the sums outside of a job's end."""
        with self._changed:
            for name, amount in counts.items():
                self._counts[name] += amount

    def tally(self, tally: Tally) -> None:
        """Add what a process has added up."""
        with self._changed:
            tallying.add(self._counts, tally, most_labels=self._settings.metrics_labels)

    def counts(self) -> dict[str, float]:
        """Return the sums of all `Outcome.counts`."""
        return dict(self._counts)

    def queued_since(self, lane: str, task_ids: Sequence[str]) -> list[float]:
        """Return when those of these jobs that wait in a lane were queued."""
        waiting = self._waiting(lane)
        return [waiting[task_id] for task_id in task_ids if task_id in waiting]

    def overdue(self, lane: str, *, before: float, limit: int) -> list[str]:
        """Return jobs of a lane that were queued before a moment, the oldest first."""
        waiting = sorted((since, task_id) for task_id, since in self._waiting(lane).items())
        return [task_id for since, task_id in waiting if since <= before][:limit]

    def _waiting(self, lane: str) -> dict[str, float]:
        queued = self._queued.items()
        return {t: since for t, since in queued if lane and self._jobs[t].lane == lane}

    def late(self, *, before: float, limit: int) -> list[str]:
        """Return jobs whose deadline was before a moment."""
        return [task_id for task_id, at in list(self._deadlines.items()) if at < before][:limit]

    def load(self) -> Load:
        """Return how much there is to do."""
        waiting = {lane: len(self._waiting(lane)) for lane in lanes.EVERY}
        return Load(waiting, len(self._sizes), sum(self._sizes.values()))

    def work(self) -> dict[str, Work]:
        """Return what waits and what is worked on, by queue."""
        return work_of({lane: self._row(lane) for lane in lanes.WATCHED})

    def _row(self, lane: str) -> tuple[int, float, int]:
        waiting = self._waiting(lane).values()
        started = sum(each.lane == lane and each.state == STARTED for each in self.jobs())
        return len(waiting), max(0.0, time() - min(waiting, default=time())), started

    def first_messages(self, lane: str, *, limit: int) -> list[str]:
        """Return nothing: there is no broker here."""
        return []

    def jobs(self) -> list[Job]:
        """Return every record, the oldest first."""
        return list(self._jobs.values())

    def held(self) -> dict[str, str]:
        """Return the started jobs that are watched over, with the process that claimed each."""
        return {job.task_id: job.owner for job in self.jobs() if job.lane and job.state == STARTED}

    def now(self) -> float:
        """Return this process' time, in seconds since the epoch."""
        return time()

    def take_turn(self, name: str, owner: str, *, seconds: float) -> bool:
        """Tell whether `owner` is the one process that does something for the next seconds."""
        with self._changed:
            holder, until = self._turns.get(name, (owner, 0.0))
            if holder != owner and monotonic() < until:
                return False
            self._turns[name] = owner, monotonic() + seconds
            return True

    def announce_ready(self, member: str, note: str) -> None:
        """Renew the readiness key of one worker process."""
        self._ready[member] = (note, monotonic() + self._settings.ready_ttl_seconds)

    def withdraw_ready(self, member: str) -> None:
        """Remove the readiness key of one worker process."""
        self._ready.pop(member, None)

    def ready(self) -> dict[str, str]:
        """Return the notes of the processes whose readiness has not run out."""
        alive = ((m, note) for m, (note, until) in self._ready.items() if monotonic() < until)
        return dict(alive)
