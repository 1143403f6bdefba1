"""Who did what: a line of JSON for each deed that changes who may do what, or what answers.

Lines are only ever appended: to a stream beside the job records, the last hundred thousand of which
are kept, and to the log of whoever did it. No line has a key, a picture or what a client sent.
"""

import getpass
import json
import logging
import os
import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from time import time
from typing import Any, Final, Protocol

from tasks.errors import ServiceUnavailableError
from tasks.job_stores.connection import connect, translated
from tasks.settings import TasksSettings

KEY_CREATED, KEY_REVOKED = "key-created", "key-revoked"
PROMOTED, ROLLED_BACK, TAKEN_BACK = "version-promoted", "version-rolled-back", "version-taken-back"
TRIAL_BEGUN, TRIAL_ENDED = "trial-begun", "trial-ended"
QUARANTINED, RETRIED, PURGED = "picture-quarantined", "picture-retried", "picture-purged"
RESTORED: Final = "backup-restored"
TRAINING_QUEUED, TRAINING_FINISHED = "training-queued", "training-finished"
THE_SERVICE: Final = "the service"

STREAM, MOST_KEPT = "petiole:audit", 100_000
LINE = "line"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Deed:
    """One line: what was done to what, by whom, when (seconds since the epoch), and particulars."""

    what: str
    subject: str
    by: str
    at: float = field(default_factory=time)
    particulars: dict[str, str] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """It as JSON, on one line."""
        return json.dumps(asdict(self), sort_keys=True)


class Trail(Protocol):
    """Keeps deeds in their order; every method may raise `ServiceUnavailableError`."""

    def append(self, deed: Deed) -> None:
        """Keep a deed; none is ever changed or taken out, only the oldest fall off."""

    def append_all(self, deeds: Sequence[Deed]) -> None:
        """Keep deeds of a backup, in their order."""

    def latest(self, n: int) -> list[Deed]:
        """Return the last `n` deeds, the oldest first."""


class MemoryTrail:
    """For Celery's eager mode and for tests."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        self._deeds: deque[Deed] = deque(maxlen=MOST_KEPT)

    def append(self, deed: Deed) -> None:
        """Keep a deed."""
        self._deeds.append(deed)

    def append_all(self, deeds: Sequence[Deed]) -> None:
        """Keep deeds of a backup."""
        self._deeds.extend(deeds)

    def latest(self, n: int) -> list[Deed]:
        """Return the last `n` deeds."""
        return list(self._deeds)[-n:]


class RedisTrail:
    """A stream beside the job records."""

    def __init__(self, settings: TasksSettings) -> None:
        """Connect when first used."""
        self._client: Any = connect(settings.job_store_url, patience_seconds=0.0)

    @translated
    def append(self, deed: Deed) -> None:
        """Keep a deed."""
        self._client.xadd(STREAM, {LINE: deed.line}, maxlen=MOST_KEPT, approximate=True)

    @translated
    def append_all(self, deeds: Sequence[Deed]) -> None:
        """Keep deeds of a backup."""
        with self._client.pipeline(transaction=False) as pipeline:
            for deed in deeds:
                pipeline.xadd(STREAM, {LINE: deed.line}, maxlen=MOST_KEPT, approximate=True)
            pipeline.execute()

    @translated
    def latest(self, n: int) -> list[Deed]:
        """Return the last `n` deeds."""
        found = self._client.xrevrange(STREAM, count=n)
        return [Deed(**json.loads(values[LINE])) for _, values in reversed(found)]


def note(what: str, subject: str, *, by: str = "", **particulars: str) -> None:
    """Write down what was done; left out, `by` is the user of this process.

    A trail that is away does not undo the deed: its line is in the log then, as an error.
    """
    from tasks import stores  # noqa: PLC0415 - opens this trail, among the others

    deed = Deed(what, subject, by or this_user(), particulars=particulars)
    try:
        stores.audit().append(deed)
    except ServiceUnavailableError as exc:
        logger.error("audit line not kept", extra={"line": deed.line, "reason": str(exc)})
        return
    logger.info("audit", extra={"line": deed.line})


def this_user() -> str:
    """Return who runs this process, and where; by number where the user has no name."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"uid {os.getuid()}"
    return f"{name} on {socket.gethostname()}"
