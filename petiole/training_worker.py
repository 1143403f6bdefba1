"""The Celery app of a training worker: `celery -A petiole.training_worker worker`.

Here the task, which knows no jobs, meets the job records, which know no training.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from celery import Celery, Task, signals
from celery.exceptions import Ignore

from model_store import environment
from model_store.settings import ModelSettings
from tasks import (
    audit,
    jobs,
    log_format,
    problems,
    publisher,
    stopping,
    stores,
    training_jobs,
    worker_start,
)
from tasks.documents import Progress, TrainedTask
from tasks.errors import CAN_HEAL, ServiceUnavailableError
from tasks.job_stores import SUCCESS
from tasks.settings import TasksSettings
from training import errors as training_errors
from training.image_dir import model_name_from
from training.settings import TrainingPlaces
from training.tasks import NAME, PhaseProgress, Trained

DAY_SECONDS = 24 * 3600
RETRY_SECONDS = 10

logger = logging.getLogger(__name__)

signals.worker_ready.connect(stopping.take_over)

problems.know(
    {
        training_errors.SettingsError: problems.BAD_SETTINGS,
        training_errors.DataError: problems.BAD_DATA,
        training_errors.BackboneUnavailableError: problems.NO_BACKBONE,
        training_errors.GateError: problems.GATE_FAILED,
        training_errors.TrainingError: problems.TRAINING_FAILED,
    }
)


class RecordedTask(Task):  # type: ignore[type-arg]
    """A task that writes down in its job record what becomes of it."""

    Request = "tasks.delivery:Delivery"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Start the job, run, and end it; one that was revoked while it waited is left alone.

        The record ends before Celery's own result: of a kill between the two Celery knows nothing
        and starts the task again, which finds that it is over.
        """
        try:
            if not self._claimed(*args, **kwargs):
                raise Ignore
            result = super().__call__(*args, **kwargs)
            trained = Trained(**result)
            training_jobs.finish(_document(str(self.request.id), trained))
            audit.note(
                audit.TRAINING_FINISHED,
                str(self.request.id),
                by=audit.THE_SERVICE,
                model=trained.model,
                version=str(trained.model_version),
            )
        except CAN_HEAL as exc:
            # The next start finds what this one computed and published.
            raise self.retry(exc=exc, countdown=RETRY_SECONDS) from exc
        return result

    def _claimed(self, settings: Mapping[str, Any]) -> bool:
        pictures = Path(str(settings.get("image_dir", "")))
        return training_jobs.claim(
            str(self.request.id),
            model=str(settings.get("name") or model_name_from(pictures.name)),
            pictures=pictures.name,
            retries=self.request.retries,
        )

    def update_state(
        self,
        task_id: str | None = None,
        state: str | None = None,
        meta: dict[str, Any] | None = None,
        **others: Any,
    ) -> None:
        """Tell Celery's result backend, as ever, and the job record."""
        super().update_state(task_id, state, meta, **others)
        try:
            training_jobs.note(task_id or str(self.request.id), _noted(PhaseProgress(**meta or {})))
        except ServiceUnavailableError as exc:
            # How far it is matters less than that it goes on.
            logger.warning("progress not noted", extra={"reason": str(exc)})


def _document(task_id: str, trained: Trained) -> TrainedTask:
    return TrainedTask(
        task_id=task_id,
        state=SUCCESS,
        model=trained.model,
        filename=trained.filename,
        report=trained.report,
        top1=trained.top1,
        test_pictures=trained.test_pictures,
        model_version=trained.model_version,
    )


def _noted(told: PhaseProgress) -> Progress:
    return Progress(told.phase, told.done, told.total, told.seconds_left)


app = Celery("petiole-training", task_cls=RecordedTask, include=["training.tasks"])
app.config_from_object("celeryconfig")
app.conf.update(
    # A run may take hours. Any worker hands on what is older than its own visibility timeout, of
    # all messages that are kept under the same keys, so these have keys of their own.
    broker_transport_options={
        **app.conf.broker_transport_options,
        "visibility_timeout": DAY_SECONDS + 3600,
        "unacked_key": "unacked-training",
        "unacked_index_key": "unacked-training-index",
        "unacked_mutex_key": "unacked-training-mutex",
    },
    # A training that lost its process is started again by Celery, at most `max_retries` times.
    task_retry_on_worker_lost=True,
    task_reject_on_worker_lost=True,
    task_soft_time_limit=None,
    task_time_limit=DAY_SECONDS,
    worker_concurrency=1,
    # TensorFlow keeps what it took; the next run starts in a process of its own.
    worker_max_tasks_per_child=1,
    worker_max_memory_per_child=None,
)


@signals.setup_logging.connect
def _configure_logging(loglevel: int | str = "INFO", **_: Any) -> None:
    log_format.configure(loglevel)
    environment.warn(TasksSettings, ModelSettings, TrainingPlaces)


@signals.worker_init.connect
def _keep_to_own_queue(sender: Any, **_: Any) -> None:
    worker_start.refuse_green_pool(sender)
    worker_start.keep_to(sender, {publisher.QUEUE_OF_TASK[NAME]})


@signals.task_failure.connect
def _fail_job(sender: Any, task_id: str, exception: BaseException, **_: Any) -> None:
    """End the job as FAILURE: in the child, or in its parent when the child is gone."""
    if sender.name == NAME:
        jobs.fail(task_id, exception)


@signals.task_revoked.connect
def _end_revoked(sender: Any, request: Any, **_: Any) -> None:
    """End the job as REVOKED, also when it was terminated from Flower."""
    if sender.name == NAME:
        jobs.end_revoked(request.id)


@signals.task_retry.connect
def _show_retry(sender: Any, request: Any, **_: Any) -> None:
    if sender.name == NAME:
        stores.job_store().mark_retry(request.id)
