"""Problem documents (RFC 9457): one row for each error that a client can meet.

The API answers with them, and a job that failed carries one in its `error`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from celery.exceptions import SoftTimeLimitExceeded, TimeLimitExceeded, WorkerLostError

from model_store import errors as model_errors
from tasks import errors
from tasks.documents import ProblemDocument

TYPE_PREFIX = "/problems#"
"""`type` is a URI reference; the API serves the table at `/problems`."""


@dataclass(frozen=True)
class Problem:
    """One kind of problem: its stable slug, its title and the HTTP status that fits it."""

    slug: str
    title: str
    status: int

    def document(self, detail: str, *, instance: str | None = None) -> ProblemDocument:
        """Return the RFC 9457 object for one occurrence."""
        type_ = f"{TYPE_PREFIX}{self.slug}"
        return ProblemDocument(type_, self.title, self.status, detail, instance)


INTERNAL = Problem("internal-error", "The service failed", 500)
UNAVAILABLE = Problem("service-unavailable", "A part of the service is not reachable", 503)
LOST = Problem("worker-lost", "The job lost its worker too often", 500)
TIME_LIMIT = Problem("time-limit", "The job took too long", 422)

BAD_SETTINGS = Problem("bad-training-settings", "A setting of the training is wrong", 422)
BAD_DATA = Problem("bad-training-data", "The pictures cannot be trained on", 422)
NO_BACKBONE = Problem("backbone-unavailable", "The backbone is missing", 422)
GATE_FAILED = Problem("gate-failed", "The model is not good enough to be published", 422)
TRAINING_FAILED = Problem("training-failed", "The training failed", 500)
OF_TRAINING = (BAD_SETTINGS, BAD_DATA, NO_BACKBONE, GATE_FAILED, TRAINING_FAILED)
"""Whose errors are classes of a room that this one does not know; see `know`."""

_PROBLEMS: dict[type[BaseException], Problem] = {
    # Pictures
    model_errors.NotAnImageError: Problem("not-an-image", "The upload is not a picture", 415),
    model_errors.UnsupportedImageFormatError: Problem(
        "unsupported-image-format", "This picture format is not accepted", 415
    ),
    model_errors.TruncatedImageError: Problem(
        "truncated-image", "The picture is cut off or damaged", 422
    ),
    model_errors.TooManyPixelsError: Problem(
        "too-many-pixels", "The picture has too many pixels", 422
    ),
    model_errors.ImageError: Problem("bad-image", "The picture cannot be read", 422),
    # Models
    model_errors.UnknownModelError: Problem("unknown-model", "There is no such model", 404),
    model_errors.UnknownVersionError: Problem(
        "unknown-version", "The model has no such version", 404
    ),
    model_errors.UnknownLabelError: Problem("unknown-label", "The model has no such label", 404),
    model_errors.BadModelReferenceError: Problem(
        "bad-model-reference", "Not a model reference", 422
    ),
    model_errors.CorruptVersionError: Problem(
        "corrupt-model", "The model's files are damaged", 500
    ),
    model_errors.ModelFormatError: Problem("unusable-model", "The model cannot be used", 500),
    model_errors.RuntimeUnavailableError: Problem(
        "runtime-unavailable", "The runtime cannot serve", 500
    ),
    model_errors.GoldenMismatchError: Problem(
        "golden-mismatch", "The model answers differently here", 500
    ),
    model_errors.StoreUnavailableError: UNAVAILABLE,
    # Jobs
    errors.UploadMissingError: Problem("upload-missing", "The picture is no longer stored", 500),
    errors.DamagedUploadError: Problem("upload-damaged", "The stored picture was changed", 500),
    errors.JobMemoryError: Problem("out-of-memory", "The picture needs too much memory", 422),
    errors.PoisonedJobError: LOST,
    errors.PictureTimeLimitError: TIME_LIMIT,
    errors.UnknownTaskTypeError: Problem(
        "unknown-task-type", "No worker knows the job's task", 500
    ),
    errors.MalformedMessageError: Problem(
        "malformed-message", "The job's message cannot be read", 500
    ),
    errors.BadCallError: Problem("bad-call", "The task was sent with wrong arguments", 422),
    errors.PictureTooLargeError: Problem(
        "picture-too-large", "The picture has too many bytes", 422
    ),
    errors.RevokedPackError: Problem("pack-revoked", "The picture's task was revoked", 500),
    errors.MemberError: Problem("bad-member", "The archive's member cannot be taken out", 422),
    errors.UnsafeNameError: Problem("unsafe-path", "The member's path leads out", 422),
    errors.EncryptedMemberError: Problem("encrypted-member", "The member is encrypted", 422),
    errors.DamagedMemberError: Problem("damaged-member", "The member is damaged", 422),
    errors.UnsupportedMemberError: Problem(
        "unsupported-member", "The member is of a kind that is not taken", 422
    ),
    errors.DownloadError: Problem("download-failed", "The picture could not be downloaded", 422),
    errors.DownloadRefusedError: Problem("download-refused", "This address may not be asked", 422),
    errors.DownloadStatusError: Problem(
        "download-status", "The server did not give the picture", 422
    ),
    errors.DownloadTooLargeError: Problem(
        "download-too-large", "The picture has too many bytes", 422
    ),
    errors.DownloadTimeoutError: Problem("download-timeout", "The download took too long", 422),
    errors.DownloadUnreachableError: Problem(
        "download-unreachable", "The server is unreachable", 422
    ),
    errors.ServiceUnavailableError: UNAVAILABLE,
    errors.UnknownJobError: Problem("unknown-task", "There is no such task", 404),
    errors.ExpiredJobError: Problem("expired-result", "The result is no longer kept", 410),
    errors.BadBulkError: Problem("bad-bulk", "The pictures cannot be read", 422),
    errors.UnknownBulkError: Problem("unknown-bulk", "There is no such bulk", 404),
    errors.BulkOverError: Problem("bulk-over", "The bulk is over", 409),
    errors.ExplanationsOffError: Problem(
        "explanations-off", "This service makes no explanations", 409
    ),
    errors.UnexplainableError: Problem("unexplainable", "There is nothing to explain", 409),
    errors.PictureNotKeptError: Problem("picture-not-kept", "The picture is deleted", 410),
    errors.NotAskedError: Problem("unknown-explanation", "There is no such explanation", 404),
    errors.QueueFullError: Problem("queue-full", "There is too much to do already", 503),
    errors.ReusedKeyError: Problem(
        "idempotency-key-reused", "This key came with another request", 422
    ),
    # Celery's own
    WorkerLostError: LOST,
    SoftTimeLimitExceeded: TIME_LIMIT,
    TimeLimitExceeded: TIME_LIMIT,
}


def know(problems: Mapping[type[BaseException], Problem]) -> None:
    """Add the problems of errors that only the caller's room knows."""
    _PROBLEMS.update(problems)


def every() -> Iterable[Problem]:
    """Return each kind of problem; some more than once."""
    return (*_PROBLEMS.values(), *OF_TRAINING, INTERNAL)


def of(exc: BaseException) -> Problem:
    """Return the problem of an exception, by its class or the nearest parent that has one."""
    return next((_PROBLEMS[kind] for kind in type(exc).__mro__ if kind in _PROBLEMS), INTERNAL)


def detail_of(exc: BaseException) -> str:
    """Return the message for the client; what names places of the inside stays in the log."""
    if of(exc) is INTERNAL:
        return "an unforeseen error; the service's log has it under this task id"
    if isinstance(exc, model_errors.StoreUnavailableError):
        return "the model store cannot be reached; try again shortly"
    if isinstance(exc, errors.ImageKeyError):
        return "the image store cannot be used; try again shortly"
    return str(exc) or of(exc).title
