"""What can go wrong for a client; each class is something that it can do differently.

The tree::

    PetioleError
    ├── UnreadablePictureError     nothing was sent: no such file, an array of floats, …
    ├── UnreachableError           no connection, or no answer in time
    ├── UnexpectedAnswerError      what answers there is no Petiole service
    ├── NotFinishedError           the wait is over, the task goes on; `.task` says how far it is
    ├── RevokedError               the task was cancelled, or its deadline passed
    └── ProblemError               a problem document (RFC 9457), of the request or of the task
        ├── BadPictureError        the picture cannot be classified
        │   └── PictureTooLargeError   too many bytes or pixels: send a smaller one
        ├── DownloadError          the service could not fetch the picture from its address
        ├── UnknownModelError      no such model or version
        ├── InvalidRequestError    an option or the request itself is impossible
        ├── UnknownTaskError       no such task id
        ├── ExpiredResultError     the result is no longer kept
        ├── AccessDeniedError      a key is needed, or this one does not do
        ├── BusyError              too much to do, or a part is away: later, `.retry_after_seconds`
        ├── TrainingError          the training failed
        └── ServiceFailedError     the fault is the service's
"""

from petiole.client.answers import AcceptedTask, Problem, RevokedTask

BUSY_STATUSES = frozenset({429, 503})
DENIED_STATUSES = frozenset({401, 403})
FIRST_SERVER_STATUS = 500


class PetioleError(Exception):
    """Root of what the client raises; `slug` is a stable name of what went wrong."""

    slug = "error"


class UnreadablePictureError(PetioleError):
    """The picture could not be read or encoded, and nothing was sent."""

    slug = "unreadable-picture"


class UnreachableError(PetioleError):
    """The service gave no answer, again and again."""

    slug = "unreachable"


class UnexpectedAnswerError(PetioleError):
    """The answer is none that a Petiole service gives."""

    slug = "unexpected-answer"


class NotFinishedError(PetioleError):
    """The wait is over before the task is; it goes on, and can be asked for by its id."""

    slug = "not-finished"

    def __init__(self, message: str, *, task: AcceptedTask) -> None:
        """Say how far `task` is."""
        super().__init__(message)
        self.task = task


class RevokedError(PetioleError):
    """The task was revoked: by a client, or because its deadline passed."""

    slug = "revoked"

    def __init__(self, message: str, *, task: RevokedTask) -> None:
        """Say why `task` has no answer."""
        super().__init__(message)
        self.task = task


class ProblemError(PetioleError):
    """A problem document; `task_id` is there when it is a task that failed."""

    def __init__(
        self, problem: Problem, *, task_id: str = "", retry_after_seconds: float | None = None
    ) -> None:
        """Say what the document says."""
        super().__init__(problem.detail)
        self.problem = problem
        self.slug = problem.slug or f"http-{problem.status}"
        self.task_id = task_id
        self.retry_after_seconds = retry_after_seconds


class BadPictureError(ProblemError):
    """The picture cannot be classified; another try gives the same."""


class PictureTooLargeError(BadPictureError):
    """The picture has too many bytes or pixels."""


class DownloadError(ProblemError):
    """The service could not fetch the picture from its address."""


class UnknownModelError(ProblemError):
    """There is no such model or version; the message names the known ones."""


class InvalidRequestError(ProblemError):
    """The request or one of its options is impossible."""


class UnknownTaskError(ProblemError):
    """The task id was never handed out."""


class ExpiredResultError(ProblemError):
    """The result was kept for its time, or was forgotten."""


class AccessDeniedError(ProblemError):
    """A key is needed, or the one that was given does not do."""


class BusyError(ProblemError):
    """There is too much to do, or a part of the service is away; may be over soon."""


class TrainingError(ProblemError):
    """The training that the task stands for failed."""


class ServiceFailedError(ProblemError):
    """The fault is the service's; its log has it."""


BY_SLUG: dict[str, type[ProblemError]] = {
    "not-an-image": BadPictureError,
    "unsupported-image-format": BadPictureError,
    "truncated-image": BadPictureError,
    "bad-image": BadPictureError,
    "no-image": BadPictureError,
    "time-limit": BadPictureError,
    "worker-lost": BadPictureError,
    "upload-too-large": PictureTooLargeError,
    "too-many-pixels": PictureTooLargeError,
    "out-of-memory": PictureTooLargeError,
    "download-too-large": PictureTooLargeError,
    "download-failed": DownloadError,
    "download-refused": DownloadError,
    "download-status": DownloadError,
    "download-timeout": DownloadError,
    "download-unreachable": DownloadError,
    "unknown-model": UnknownModelError,
    "unknown-version": UnknownModelError,
    "bad-model-reference": UnknownModelError,
    "no-key": AccessDeniedError,
    "unknown-key": AccessDeniedError,
    "scope-missing": AccessDeniedError,
    "malformed-request": InvalidRequestError,
    "unsupported-media-type": InvalidRequestError,
    "invalid-option": InvalidRequestError,
    "idempotency-key-reused": InvalidRequestError,
    "bad-call": InvalidRequestError,
    "unknown-task": UnknownTaskError,
    "expired-result": ExpiredResultError,
    "picture-not-kept": ExpiredResultError,
    "unknown-explanation": UnknownTaskError,
    "unknown-label": InvalidRequestError,
    "unexplainable": InvalidRequestError,
    "explanations-off": InvalidRequestError,
    "too-many-requests": BusyError,
    "queue-full": BusyError,
    "too-many-waiters": BusyError,
    "service-unavailable": BusyError,
    "not-ready": BusyError,
    "bad-training-settings": TrainingError,
    "bad-training-data": TrainingError,
    "backbone-unavailable": TrainingError,
    "gate-failed": TrainingError,
    "training-failed": TrainingError,
    "internal-error": ServiceFailedError,
    "corrupt-model": ServiceFailedError,
    "unusable-model": ServiceFailedError,
    "runtime-unavailable": ServiceFailedError,
    "golden-mismatch": ServiceFailedError,
    "upload-missing": ServiceFailedError,
    "upload-damaged": ServiceFailedError,
    "unknown-task-type": ServiceFailedError,
    "malformed-message": ServiceFailedError,
}
"""The class of each problem that the service knows; a newer service's go by their status."""


def of_problem(
    problem: Problem, *, task_id: str = "", retry_after_seconds: float | None = None
) -> ProblemError:
    """Return the error of a problem: of the request, or of the task that failed with it."""
    kind = BY_SLUG.get(problem.slug) or _by_status(problem.status)
    return kind(problem, task_id=task_id, retry_after_seconds=retry_after_seconds)


def _by_status(status: int) -> type[ProblemError]:
    if status in BUSY_STATUSES:
        return BusyError
    if status in DENIED_STATUSES:
        return AccessDeniedError
    return ServiceFailedError if status >= FIRST_SERVER_STATUS else ProblemError
