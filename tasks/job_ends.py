"""The line that is logged when a job is over: one at most, by whoever ended it."""

import logging
from collections.abc import Mapping
from time import time
from typing import Any, Final

from tasks import problems
from tasks.correlation import Correlation
from tasks.job_stores import FAILURE, Job
from tasks.once import once
from tasks.settings import settings

ALL: Final = "all"
BY_FORMAT: Final = {"json": ALL, "console": "failures"}

logger = logging.getLogger(__name__)


def say(
    job: Job,
    state: str,
    *,
    model: str = "",
    error: str = "",
    counts: Mapping[str, int] | None = None,
) -> None:
    """Log that a job ended well, or was revoked, where that is wanted.

    Args:
        job: It; a line has its ids and never what its client sent.
        state: Its end.
        model: The version that answered.
        error: Why there is no answer, as the slug of a problem.
        counts: How many pictures of it have labels, and how many a problem.
    """
    if _wanted() == ALL:
        logger.info("job over", extra={**_fields(job, state, model, error), **(counts or {})})


def say_failed(job: Job, exc: BaseException, *, model: str) -> None:
    """Log that a job failed; an error that nobody has foreseen with its traceback."""
    problem = problems.of(exc)
    fields = _fields(job, FAILURE, model, problem.slug) | {"reason": problems.detail_of(exc)}
    if problem is problems.INTERNAL:
        logger.error("job over", exc_info=exc, extra=fields)
    elif _wanted() != "none":
        logger.info("job over", extra=fields)


@once
def _wanted() -> str:
    return settings().log_ends or BY_FORMAT[settings().log_format]


def _fields(job: Job, state: str, model: str, error: str) -> dict[str, Any]:
    return {
        "task_id": job.task_id,
        "request_id": job.request_id,
        "trace_id": Correlation(trace=job.trace).trace_id,
        "kind": job.kind,
        "state": state,
        "model": model or job.version or job.model,
        "seconds": round(max(0.0, time() - job.accepted_at), 3),
        **({"error": error} if error else {}),
    }
