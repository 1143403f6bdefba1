"""What an operator sees of the whole service at one moment; it costs the same whatever waits."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from tasks import documents, lanes, ledger, readiness, statistics, stores
from tasks.documents import FailedTask, Progress, TrainedTask
from tasks.job_stores import OVER
from tasks.job_stores.quarantine import Quarantined
from tasks.job_stores.sight import Shown, Sight
from tasks.ledger import Listed
from tasks.readiness import Note
from tasks.settings import settings

MOST_SHOWN = 10


@dataclass(frozen=True)
class LaneSeen:
    """The pictures of one queue and priority that wait, and for how long the oldest one does."""

    queue: str
    priority: str
    waiting: int
    oldest_seconds: float | None = None


@dataclass(frozen=True)
class LoadSeen:
    """How much there is to do, and how much was done since the job store counts.

    Attributes:
        accepted: Pictures accepted so far; with two looks, the rate at which they come.
        ended: Pictures that ended, by state; with two looks, the rate at which they leave.
        open_jobs: Pictures that wait or are worked on; at most `max_open_jobs` are accepted.
        in_work: Pictures that are worked on.
        jobs_per_second: At which pictures leave while some wait, where that is known.
        resent: How often a lost message or worker was made up for.
    """

    accepted: int
    ended: dict[str, int]
    open_jobs: int
    max_open_jobs: int
    open_bytes: int
    max_open_bytes: int
    in_work: int
    resent: int
    lanes: tuple[LaneSeen, ...]
    jobs_per_second: float | None = None


@dataclass(frozen=True)
class RefusalSeen:
    """A version that should answer and does not, why, and in how many children."""

    version: str
    reason: str
    children: int


@dataclass(frozen=True)
class TrainingSeen:
    """A training: how far it is, or what it made, or why it failed (as in its result)."""

    task_id: str
    state: str
    model: str
    pictures: str
    submitted_at: float
    progress: Progress | None = None
    model_version: int | None = None
    top1: float | None = None
    test_pictures: int | None = None
    report: str | None = None
    cause: str | None = None


@dataclass(frozen=True)
class JobsSeen:
    """At most `MOST_SHOWN` jobs of each kind: the oldest that are open, the latest that failed."""

    waiting: tuple[Listed, ...]
    started: tuple[Listed, ...]
    failed: tuple[Listed, ...]
    quarantined: tuple[Listed, ...]
    in_quarantine: int


@dataclass(frozen=True)
class Survey:
    """The service at one moment (seconds since the epoch): load, workers, jobs, trainings."""

    at: float
    load: LoadSeen
    workers: tuple[Note, ...]
    refused: tuple[RefusalSeen, ...]
    jobs: JobsSeen
    trainings: tuple[TrainingSeen, ...]


def take() -> tuple[Survey, Mapping[str, float]]:
    """Return what is so now, and the job store's sums, which have the figures of trials.

    Raises:
        ServiceUnavailableError: the job store cannot be reached.
    """
    sight = stores.lookout().look(limit=MOST_SHOWN)
    notes = tuple(readiness.notes(stores.prompt_job_store()))
    survey = Survey(
        at=sight.now,
        load=_load(sight),
        workers=notes,
        refused=_refused(notes),
        jobs=_jobs(sight, stores.quarantine().all()),
        trainings=tuple(map(_training, sight.trainings)),
    )
    return survey, sight.counts


def _load(sight: Sight) -> LoadSeen:
    ended: dict[str, int] = {}
    for (state, _, _), amount in statistics.totals(sight.counts).ended.items():
        ended[state] = ended.get(state, 0) + round(amount)
    return LoadSeen(
        accepted=sum(ended.values()) + sight.load.open_jobs,
        ended=ended,
        open_jobs=sight.load.open_jobs,
        max_open_jobs=settings().max_open_jobs,
        open_bytes=sight.load.open_bytes,
        max_open_bytes=settings().max_open_bytes,
        in_work=sight.in_work,
        resent=round(sight.counts.get(statistics.RESENT, 0)),
        lanes=tuple(_lane(sight, lane) for lane in lanes.EVERY),
        jobs_per_second=sight.rates.get(lanes.CLASSIFY),
    )


def _lane(sight: Sight, lane: str) -> LaneSeen:
    oldest = sight.waiting[lane][:1]
    ages = [max(0.0, sight.now - each.since) for each in oldest]
    waiting = sight.load.waiting[lane]
    return LaneSeen(lanes.queue_of(lane), lanes.priority_of(lane), waiting, *ages)


def _refused(notes: Iterable[Note]) -> tuple[RefusalSeen, ...]:
    said = [item for note in notes for item in (note.refused or {}).items()]
    return tuple(RefusalSeen(*item, said.count(item)) for item in sorted(set(said)))


def _jobs(sight: Sight, kept: list[Quarantined]) -> JobsSeen:
    waiting = sorted(
        (each for lane in sight.waiting.values() for each in lane), key=lambda each: each.since
    )
    in_quarantine = {each.job.task_id for each in kept}
    failed = [each for each in sight.failed if each.job.task_id not in in_quarantine]
    return JobsSeen(
        waiting=_listed(waiting[:MOST_SHOWN], "waiting"),
        started=_listed(sight.started, "started"),
        failed=_listed(failed, "over"),
        quarantined=tuple(map(ledger.quarantined, kept[:MOST_SHOWN])),
        in_quarantine=len(kept),
    )


def _listed(shown: Iterable[Shown], place: ledger.Place) -> tuple[Listed, ...]:
    return tuple(
        ledger.listed(each.job, place, since=each.since, cause=_cause(each)) for each in shown
    )


def _cause(shown: Shown) -> str:
    end = documents.finished(shown.document) if shown.document else None
    return end.error.detail if isinstance(end, FailedTask) else ""


def _training(shown: Shown) -> TrainingSeen:
    job = shown.job
    end = documents.finished(shown.document) if shown.document else None
    seen = TrainingSeen(job.task_id, job.state, job.model, job.filename, job.accepted_at)
    if isinstance(end, TrainedTask):
        return replace(
            seen,
            model_version=end.model_version,
            top1=end.top1,
            test_pictures=end.test_pictures,
            report=end.report,
        )
    if isinstance(end, FailedTask):
        return replace(seen, cause=end.error.detail)
    if job.state in OVER or not job.progress:
        return seen
    return replace(seen, progress=Progress(**json.loads(job.progress)))
