"""Open jobs as they are carried to another place: their records, read from the Redis of the jobs.

A copy holds what clients were promised, and nothing of who has it in hand: it waits anew.
"""

from dataclasses import dataclass, replace
from typing import Any

from tasks.job_stores import hashes
from tasks.job_stores.connection import connect, translated
from tasks.job_stores.measuring import SIZES
from tasks.job_stores.records import CLASSIFICATION, OVER, PENDING, Job
from tasks.job_stores.redis_upkeep import JOB, KEY
from tasks.settings import TasksSettings

PATIENCE_SECONDS = 5.0
TOTAL = "total"


@dataclass(frozen=True)
class JobCopy:
    """The record of an open job, name by name, and the digest of the request that made it."""

    record: dict[str, str]
    digest: str = ""

    @property
    def job(self) -> Job:
        """The job, as one that waits and that nobody has claimed.

        Raises:
            ValueError: the record is none that this release understands.
        """
        job = hashes.job_of(self.record)
        if job is None or not job.lane:
            raise ValueError("a job of the backup has no record, or no lane to wait in")
        return replace(
            job, state=PENDING, owner="", stage="", fence=0, attempts=0, before="", behind=""
        )


class JobCopies:
    """Reads open jobs; raises `ServiceUnavailableError` when Redis cannot be reached."""

    def __init__(self, settings: TasksSettings) -> None:
        """Connect when first used."""
        self._client: Any = connect(settings.job_store_url, patience_seconds=PATIENCE_SECONDS)

    @translated
    def open_ids(self) -> list[str]:
        """Return the pictures that are not over."""
        return sorted(each for each in self._client.hkeys(SIZES) if each != TOTAL)

    @translated
    def of(self, task_id: str) -> JobCopy | None:
        """Return a copy of a picture's job, or None when it is over or is no picture's."""
        record: dict[str, str] = self._client.hgetall(JOB + task_id)
        if not record or record.get("state") in OVER:
            return None
        if record.get("kind", CLASSIFICATION) != CLASSIFICATION:
            return None
        key = record.get("key", "")
        digest = self._client.hget(KEY + key, "digest") if key else ""
        return JobCopy(record, digest or "")

    @translated
    def knows_any(self) -> bool:
        """Tell whether there is the record of any job, over or not."""
        return next(self._client.scan_iter(match=f"{JOB}*", count=1000), None) is not None
