"""What differs between kinds of jobs: how long they are kept, which count, what is tidied up."""

from collections.abc import Callable
from dataclasses import dataclass

from tasks import publisher, stores
from tasks.bulk import life
from tasks.documents import ProblemDocument
from tasks.explaining import ends as explanations
from tasks.job_stores import BULK, CLASSIFICATION, EXPLANATION, TRAINING, Job
from tasks.settings import settings


@dataclass(frozen=True)
class JobKind:
    """One kind of job.

    Attributes:
        ttl_setting: The setting that says for how many seconds a finished document is kept.
        has_its_result_written: Whether Celery's result of a failure is written with its end.
        is_counted: Whether its end counts in the statistics, which are those of pictures.
        tidy: What is done for a revoked task id once the record says so.
        fail: Ends a job of this kind that failed, where that is more than its document; it is given
            the fence of the claim that failed, if there was one, and tells whether it ended it.
    """

    ttl_setting: str
    has_its_result_written: bool
    is_counted: bool
    tidy: tuple[Callable[[str], None], ...]
    fail: Callable[[Job, ProblemDocument, int | None], bool] | None = None

    @property
    def lives_seconds(self) -> int:
        """How long a finished document is kept."""
        return int(getattr(settings(), self.ttl_setting))


def _delete_upload(task_id: str) -> None:
    stores.image_store().delete(task_id)


_KINDS = {
    CLASSIFICATION: JobKind(
        ttl_setting="result_ttl_seconds",
        has_its_result_written=True,
        is_counted=True,
        tidy=(publisher.revoke, _delete_upload, explanations.tidy),
    ),
    TRAINING: JobKind(
        ttl_setting="training_ttl_seconds",
        has_its_result_written=False,
        is_counted=False,
        tidy=(publisher.stop_training,),
    ),
    BULK: JobKind(
        ttl_setting="bulk_ttl_seconds",
        has_its_result_written=False,
        is_counted=False,
        tidy=(),
        fail=life.fail_pack,
    ),
    EXPLANATION: JobKind(
        ttl_setting="explanation_ttl_seconds",
        has_its_result_written=False,
        is_counted=False,
        tidy=(publisher.revoke,),
        fail=explanations.fail,
    ),
}


def of(job: Job) -> JobKind:
    """Return the kind of a job."""
    return named(job.kind)


def named(kind: str) -> JobKind:
    """Return the kind that jobs name so."""
    return _KINDS[kind]
