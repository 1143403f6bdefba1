"""Problem documents (RFC 9457): one row for each error that a client can meet.

The API answers with them, and a job that failed carries one in its `error`.
"""

from dataclasses import dataclass
from typing import Any

TYPE_PREFIX = "/problems#"
"""`type` is a URI reference; the API serves the table at `/problems`."""


@dataclass(frozen=True)
class Problem:
    """One kind of problem: its stable slug, its title and the HTTP status that fits it."""

    slug: str
    title: str
    status: int

    def document(self, detail: str, *, instance: str | None = None) -> dict[str, Any]:
        """Return the RFC 9457 object for one occurrence."""
        members = {
            "type": f"{TYPE_PREFIX}{self.slug}",
            "title": self.title,
            "status": self.status,
            "detail": detail,
        }
        return members | ({"instance": instance} if instance else {})


INTERNAL = Problem("internal-error", "The service failed", 500)
UNAVAILABLE = Problem("service-unavailable", "A part of the service is not reachable", 503)

PROBLEMS: dict[str, Problem] = {
    # Pictures (model_store.errors)
    "NotAnImageError": Problem("not-an-image", "The upload is not a picture", 415),
    "UnsupportedImageFormatError": Problem(
        "unsupported-image-format", "This picture format is not accepted", 415
    ),
    "TruncatedImageError": Problem("truncated-image", "The picture is cut off or damaged", 422),
    "TooManyPixelsError": Problem("too-many-pixels", "The picture has too many pixels", 422),
    "ImageError": Problem("bad-image", "The picture cannot be read", 422),
    # Models (model_store.errors)
    "UnknownModelError": Problem("unknown-model", "There is no such model", 404),
    "UnknownVersionError": Problem("unknown-version", "The model has no such version", 404),
    "BadModelReferenceError": Problem("bad-model-reference", "Not a model reference", 422),
    "CorruptVersionError": Problem("corrupt-model", "The model's files are damaged", 500),
    "ModelFormatError": Problem("unusable-model", "The model cannot be used", 500),
    "RuntimeUnavailableError": Problem("runtime-unavailable", "The runtime cannot serve", 500),
    "GoldenMismatchError": Problem("golden-mismatch", "The model answers differently here", 500),
    # Jobs (tasks.errors)
    "UploadMissingError": Problem("upload-missing", "The picture is no longer stored", 500),
    "JobMemoryError": Problem("out-of-memory", "The picture needs too much memory", 422),
    "PoisonedJobError": Problem("worker-lost", "The job lost its worker too often", 500),
    "DownloadError": Problem("download-failed", "The picture could not be downloaded", 422),
    "DownloadRefusedError": Problem("download-refused", "This address may not be asked", 422),
    "DownloadStatusError": Problem("download-status", "The server did not give the picture", 422),
    "DownloadTooLargeError": Problem("download-too-large", "The picture has too many bytes", 422),
    "DownloadTimeoutError": Problem("download-timeout", "The download took too long", 422),
    "DownloadUnreachableError": Problem("download-unreachable", "The server is unreachable", 422),
    "ServiceUnavailableError": UNAVAILABLE,
    "StoreUnavailableError": UNAVAILABLE,
    "UnknownJobError": Problem("unknown-task", "There is no such task", 404),
    "ExpiredJobError": Problem("expired-result", "The result is no longer kept", 410),
    "NotRevocableError": Problem("not-revocable", "The task can no longer be revoked", 409),
    # Training (training.errors)
    "SettingsError": Problem("bad-training-settings", "A setting of the training is wrong", 422),
    "DataError": Problem("bad-training-data", "The pictures cannot be trained on", 422),
    "BackboneUnavailableError": Problem("backbone-unavailable", "The backbone is missing", 422),
    "GateError": Problem("gate-failed", "The model is not good enough to be published", 422),
    "TrainingError": Problem("training-failed", "The training failed", 500),
    # Celery's own
    "WorkerLostError": Problem("worker-lost", "The job lost its worker too often", 500),
    "SoftTimeLimitExceeded": Problem("time-limit", "The job took too long", 422),
    "TimeLimitExceeded": Problem("time-limit", "The job took too long", 422),
}
"""Problems by the name of the exception class; the class's parents are looked up after it."""


def of(exc: BaseException) -> Problem:
    """Return the problem of an exception, by its class or the nearest parent that has one."""
    names = (parent.__name__ for parent in type(exc).__mro__)
    return next((PROBLEMS[name] for name in names if name in PROBLEMS), INTERNAL)


def detail_of(exc: BaseException) -> str:
    """Return the message for the client; an unforeseen error's own text stays in the log."""
    if of(exc) is INTERNAL:
        return "an unforeseen error; the service's log has it under this task id"
    return str(exc) or of(exc).title
