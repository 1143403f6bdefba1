"""What can go wrong with a job or with the parts that carry it.

The tree::

    TasksError
    ├── JobError                        this job ends as FAILURE, the message is for the client
    │   ├── UploadMissingError          its bytes are no longer in the image store
    │   ├── DamagedUploadError          its bytes there were changed after they were encrypted
    │   ├── JobMemoryError              the picture needed more memory than the worker has
    │   ├── PictureTimeLimitError       decoding and predicting took too long
    │   ├── PoisonedJobError            it lost its worker too often
    │   ├── UnknownTaskTypeError        its message names a task that no worker has
    │   ├── MalformedMessageError       its message cannot be read
    │   ├── BadCallError                its program asked for what cannot be done
    │   ├── PictureTooLargeError        it has too many bytes
    │   ├── RevokedPackError            an operator revoked the task that it was part of
    │   ├── MemberError                 it cannot be taken out of its archive
    │   │   ├── UnsafeNameError         its path leads out of the archive
    │   │   ├── EncryptedMemberError    it needs a password
    │   │   ├── DamagedMemberError      it is not whole
    │   │   └── UnsupportedMemberError  it is no file, or packed in another way
    │   └── DownloadError
    │       ├── DownloadRefusedError    the address may not be asked
    │       ├── DownloadStatusError     the server answered something else than 200
    │       ├── DownloadTooLargeError   more bytes than the limit
    │       ├── DownloadTimeoutError    not finished in time
    │       └── DownloadUnreachableError  no answer; may heal, so it is tried again
    ├── ServiceUnavailableError         Redis, the broker or the image store cannot be reached
    │   └── ImageKeyError               the image store is encrypted with a key that is not there
    ├── UnknownJobError                 no record of this task id
    ├── ExpiredJobError                 its result was kept for its time to live and is gone
    ├── BadBulkError                    what was sent as many pictures cannot be read
    ├── UnknownBulkError                no record of this bulk
    ├── BulkOverError                   it is over: nothing can be done about it any more
    ├── ExplanationsOffError            this service makes no explanations
    ├── UnexplainableError              the job has no label that could be explained, or no map
    ├── PictureNotKeptError             the picture is deleted, so nothing can be explained
    ├── NotAskedError                   nobody asked for this explanation
    ├── QueueFullError                  there is too much to do already
    └── ReusedKeyError                  an `Idempotency-Key` came with another request

Each is made from one string, so that Celery's JSON results can carry it.
"""

from typing import Self

from model_store.errors import StoreUnavailableError


class TasksError(Exception):
    """Root of the errors of the work room."""


class JobError(TasksError):
    """The job cannot succeed; the message says why, to the client."""


class UploadMissingError(JobError):
    """The bytes of the job are no longer in the image store."""


class DamagedUploadError(JobError):
    """The bytes of the job in the image store are not what was encrypted there."""


class JobMemoryError(JobError):
    """The worker ran out of memory on this picture."""

    @classmethod
    def of(cls, exc: MemoryError | RecursionError) -> Self:
        """Return what a client is told of what Python ran out of."""
        return cls(f"the picture needs more memory than the worker has ({type(exc).__name__})")


class PictureTimeLimitError(JobError):
    """Decoding and predicting took longer than the soft time limit."""


class PoisonedJobError(JobError):
    """The job lost its worker `max_attempts` times."""


class UnknownTaskTypeError(JobError):
    """The job's message names a task that no worker has."""


class MalformedMessageError(JobError):
    """The job's message cannot be read."""


class BadCallError(JobError):
    """A program sent a task with arguments that cannot be; the message says which."""


class PictureTooLargeError(JobError):
    """The picture has more bytes than PETIOLE_TASKS_MAX_UPLOAD_BYTES."""


class RevokedPackError(JobError):
    """An operator revoked the task that the picture was part of."""


class MemberError(JobError):
    """A picture cannot be taken out of its archive."""


class UnsafeNameError(MemberError):
    """The path of an archive's member leads out of the archive."""


class EncryptedMemberError(MemberError):
    """An archive's member needs a password."""


class DamagedMemberError(MemberError):
    """An archive's member is not whole."""


class UnsupportedMemberError(MemberError):
    """An archive's member is no file, or is packed in a way that is not taken."""


class DownloadError(JobError):
    """The picture could not be downloaded."""


class DownloadRefusedError(DownloadError):
    """The address may not be asked: scheme, host or network."""


class DownloadStatusError(DownloadError):
    """The server answered with another status than 200."""


class DownloadTooLargeError(DownloadError):
    """The body is larger than PETIOLE_TASKS_MAX_UPLOAD_BYTES."""


class DownloadTimeoutError(DownloadError):
    """The download did not end within its time limits."""


class DownloadUnreachableError(DownloadError):
    """No answer came, or not all of it; another try may succeed."""


class ServiceUnavailableError(TasksError):
    """Redis, the broker or the image store cannot be reached."""


class ImageKeyError(ServiceUnavailableError):
    """A process has another PETIOLE_TASKS_IMAGE_STORE_KEY than what encrypted the image store.

    Jobs wait for a process that has it. The message is for operators and names ids of keys.
    """


class UnknownJobError(TasksError):
    """There is no record of this task id."""


class ExpiredJobError(TasksError):
    """The result was kept for its time to live and is gone."""


class BadBulkError(TasksError):
    """What was sent as many pictures cannot be read; the message says why, to the client."""


class UnknownBulkError(TasksError):
    """There is no record of this bulk."""


class BulkOverError(TasksError):
    """The bulk is over: it cannot be paused or go on."""


class ExplanationsOffError(TasksError):
    """This service keeps no pictures, so it makes no explanations."""


class UnexplainableError(TasksError):
    """The job has no label that could be explained, or its explanation no map."""


class PictureNotKeptError(TasksError):
    """The picture is deleted, so nothing can be explained any more."""


class NotAskedError(TasksError):
    """Nobody asked for this explanation."""


class QueueFullError(TasksError):
    """There are so many open jobs that a further one is not accepted."""

    def __init__(self, message: str, *, retry_after_seconds: int = 1) -> None:
        """Say what is full, and when to send it again."""
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class ReusedKeyError(TasksError):
    """The same `Idempotency-Key` came with another request before."""


CAN_HEAL = (ServiceUnavailableError, StoreUnavailableError)
"""What is no fault of the job, and may be over at its next try."""
