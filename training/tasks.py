"""The task `training.tasks.train`: a training run as Celery task, on the queue `training`.

Its app is the worker's business, as is what its progress is written down in. While it runs, its
state is PROGRESS, with the phase and how much of that is done.
"""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from celery import shared_task
from celery.exceptions import BackendError, Ignore, SoftTimeLimitExceeded
from kombu.exceptions import KombuError
from redis import RedisError

from model_store import ModelStore, ModelStoreError
from model_store.settings import ModelSettings
from training import time_left
from training.errors import GateError, TrainingError
from training.journal import Journal
from training.settings import TrainingSettings, settings_from_afar

if TYPE_CHECKING:
    from training.run import Outcome

logger = logging.getLogger(__name__)

NAME = "training.tasks.train"
PROGRESS = "PROGRESS"


@dataclass(frozen=True)
class Trained:
    """What the task returns, as plain JSON: the version, if one was published, and its worth.

    Attributes:
        model: Its name.
        filename: That of the pictures' folder or file.
        report: Address of the report on this machine.
        top1: Share of the test pictures whose best label is right.
        test_pictures: How many.
        model_version: None when nothing was published.
    """

    model: str
    filename: str
    report: str
    top1: float
    test_pictures: int
    model_version: int | None


@dataclass(frozen=True)
class PhaseProgress:
    """What the task's state carries while it runs: `done` of `total`, both 0 if none is counted.

    `seconds_left` are those of the phase, where they are known.
    """

    phase: str
    done: int
    total: int
    seconds_left: float | None = None

    def __str__(self) -> str:
        """Return it for people, as in `Computing features 3 of 9, about 20 s left`."""
        counted = f"{self.phase} {self.done} of {self.total}" if self.total else self.phase
        return ", ".join(filter(None, (counted, time_left.in_words(self.seconds_left))))


@shared_task(
    name=NAME,
    bind=True,
    max_retries=2,
    default_retry_delay=1,
    throws=(TrainingError, ModelStoreError),
)
def train(self: Any, settings: dict[str, Any]) -> dict[str, Any]:
    """Train as `petiole train` does with these settings; return the members of `Trained`.

    Raises:
        Ignore: it was revoked while it ran; what it computed so far is kept for the next one.
        GateError: the model is not good enough; the message has the reason and the report.
        TrainingError, ModelStoreError: as for the command.
    """
    wanted = settings_from_afar(settings)
    try:
        outcome = _run(wanted, Journal(_Teller(self)))
    except SoftTimeLimitExceeded as exc:
        # No such limit is set: it is how a revocation reaches a task without killing its process.
        raise Ignore from exc
    except MemoryError as exc:
        # Celery would end the whole worker over it.
        raise TrainingError("the training needs more memory than this machine has") from exc
    report = outcome.report.resolve().as_uri()
    if not outcome.verdict.passed:
        raise GateError(f"{outcome.verdict.text}; see {report}")
    trained = Trained(
        model=outcome.name,
        filename=wanted.pictures_name,
        report=report,
        top1=outcome.evaluation.top1.value,
        test_pictures=outcome.evaluation.pictures,
        model_version=outcome.version,
    )
    return asdict(trained)


def _run(settings: TrainingSettings, journal: Journal) -> "Outcome":
    # Imported here: who only sends the task needs neither NumPy nor a runtime.
    from training import run  # noqa: PLC0415

    return run.train(settings, ModelStore.of(ModelSettings()), journal)


class _Teller:
    """Tells Celery's result backend and Flower how far a run is."""

    def __init__(self, task: Any) -> None:
        self._task = task

    def event(self, name: str, fields: Mapping[str, Any]) -> None:
        """Pass on beginnings of phases and counts."""
        if name not in {"phase started", "progress"}:
            return
        done, total = int(fields.get("done", 0)), int(fields.get("total", 0))
        try:
            left = fields.get("seconds_left")
            self._tell(PhaseProgress(str(fields["phase"]), done, total, left))
        except (KombuError, BackendError, RedisError, OSError) as exc:
            # How far it is matters less than that it goes on while the broker is away.
            logger.warning("progress not told", extra={"reason": f"{type(exc).__name__}: {exc}"})

    def _tell(self, progress: PhaseProgress) -> None:
        self._task.update_state(state=PROGRESS, meta=asdict(progress))
        # An event of no known kind becomes the task's state in Flower, its `result` a column.
        self._task.send_event(f"task-{PROGRESS.lower()}", result=str(progress))
