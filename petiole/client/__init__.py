"""The Python client of a running service.

    from petiole.client import Client

    with Client("http://127.0.0.1:8000") as client:
        print(client.classify("coffee.jpg").best.label)

It needs httpx2 and nothing else of what Petiole needs; see `docs/client.md`.
"""

from petiole.client.answers import (
    AcceptedTask,
    ClassifiedTask,
    ExplainedTask,
    Neighbour,
    Prediction,
    Problem,
    Progress,
    RevokedTask,
    Timings,
    TrainedTask,
)
from petiole.client.asynchronous import AsyncClient
from petiole.client.errors import (
    AccessDeniedError,
    BadPictureError,
    BusyError,
    DownloadError,
    ExpiredResultError,
    InvalidRequestError,
    NotFinishedError,
    PetioleError,
    PictureTooLargeError,
    ProblemError,
    RevokedError,
    ServiceFailedError,
    TrainingError,
    UnexpectedAnswerError,
    UnknownModelError,
    UnknownTaskError,
    UnreachableError,
    UnreadablePictureError,
)
from petiole.client.outcomes import Outcome
from petiole.client.pictures import Picture
from petiole.client.synchronous import Client

__all__ = [
    "AcceptedTask",
    "AccessDeniedError",
    "AsyncClient",
    "BadPictureError",
    "BusyError",
    "ClassifiedTask",
    "Client",
    "DownloadError",
    "ExpiredResultError",
    "ExplainedTask",
    "InvalidRequestError",
    "Neighbour",
    "NotFinishedError",
    "Outcome",
    "PetioleError",
    "Picture",
    "PictureTooLargeError",
    "Prediction",
    "Problem",
    "ProblemError",
    "Progress",
    "RevokedError",
    "RevokedTask",
    "ServiceFailedError",
    "Timings",
    "TrainedTask",
    "TrainingError",
    "UnexpectedAnswerError",
    "UnknownModelError",
    "UnknownTaskError",
    "UnreachableError",
    "UnreadablePictureError",
]
