"""What Celery's signals set in motion: warm models, readiness, job records that end.

Loaded by workers only.
"""

import gc
import logging
import os
import select
from functools import partial
from threading import Event, Thread
from typing import Any

import structlog
from billiard.process import current_process
from celery import signals
from celery.exceptions import TaskRevokedError, WorkerLostError

from model_store import ModelStoreError, environment
from model_store.settings import ModelSettings
from tasks import (
    callers,
    celery_results,
    collecting,
    delivery,
    holding,
    jobs,
    lanes,
    loaded_models,
    log_format,
    publisher,
    reconciler,
    revocations,
    stopping,
    stores,
    sums,
    trials,
    webhooks,
    worker_start,
)
from tasks.bulk import children, life
from tasks.celery import app
from tasks.errors import ServiceUnavailableError, UnknownJobError
from tasks.explaining import ends as explanations
from tasks.explaining import records
from tasks.job_stores import REVOKED
from tasks.once import once
from tasks.readiness import Announcement
from tasks.settings import TasksSettings
from tasks.tracing import recording

WORKER = "worker"
LOAD_RETRY_SECONDS = 5.0
SWEEP_INTERVAL_SECONDS = 600.0

logger = logging.getLogger(__name__)


@once
def _of_child() -> Announcement:
    return Announcement("classify")


@once
def _of_downloader() -> Announcement:
    return Announcement("downloads")


@once
def _downloads_begun() -> Event:
    return Event()


signals.worker_ready.connect(stopping.take_over)


def _consumes(queue: str) -> bool:
    return queue in app.amqp.queues.consume_from


@signals.setup_logging.connect
def _configure_logging(loglevel: int | str = "INFO", logfile: str | None = None, **_: Any) -> None:
    log_format.configure(loglevel, logfile)
    environment.warn(TasksSettings, ModelSettings)


@signals.worker_init.connect
def _remember_children(sender: Any, **_: Any) -> None:
    """Prepare what the children share: the cores, and the pages of what is imported here.

    Where there are no children the models are loaded now, before anything is consumed.
    """
    worker_start.refuse_green_pool(sender)
    revocations.take_over()
    worker_start.keep_to(sender, lanes.QUEUES)
    children.prepare(app.amqp.queues, ("classify", "downloads"))
    if _consumes("classify"):
        from model_store import serving  # noqa: F401, PLC0415 - NumPy, for this worker only
    loaded_models.share_cores_among(sender.pool_cls.__module__, children=sender.concurrency or 1)
    if worker_start.pool_of(sender) == "thread":  # solo sends the children's signal itself
        recording.begin(WORKER)
        if _consumes("classify"):
            _load_models()


@signals.worker_process_init.connect
def _begin_child(**_: Any) -> None:
    """Begin what belongs to the queues of this worker, in the process that does their tasks."""
    recording.begin(WORKER)
    if _consumes("classify"):
        _load_models()
    if _consumes("downloads"):
        _begin_downloads()
    if children.is_one(app.amqp.queues):
        children.begin(app.amqp.queues)


def _load_models() -> None:
    """Load and warm the default model; until then this child takes no job.

    Celery would swallow an exception here and feed jobs to a child without a model, so a
    model that cannot be loaded is tried again, with the reason on `/readyz`.
    """
    announcement = _of_child()
    announcement.not_ready("the model is being loaded")
    warm = Event()
    Thread(target=_end_at_farewell_unless, args=(warm,), name="farewell", daemon=True).start()
    _load_until_warm(announcement)
    warm.set()
    # What was made so far lives as long as the process: the collector need not look at it.
    gc.freeze()
    loaded_models.of_this_process().watch(partial(_refresh, announcement))


def _end_at_farewell_unless(warm: Event) -> None:
    """End this child when its worker says farewell before `warm` is set.

    The worker waits until every child has read its farewell, which it does only after its
    initializer, and meanwhile ignores signals. A child that is not up yet is sent no job
    (celery/concurrency/asynpool.py, `on_process_alive`), so nothing else can have come.
    """
    inbox = getattr(current_process(), "inq", None)
    if inbox is not None:
        select.select([inbox._reader], [], [])
        if not warm.is_set():
            os._exit(0)


def _load_until_warm(announcement: Announcement) -> None:
    """Try until the model is warm; each reason why not is announced, and logged once."""
    logged = ""
    while reason := _why_default_is_not_warm(logged):
        announcement.not_ready(reason)
        logged = reason
        Event().wait(LOAD_RETRY_SECONDS)
    _announce_models(announcement)


def _why_default_is_not_warm(logged: str) -> str:
    """Load, warm and check; returns what went wrong, logged unless it equals `logged`."""
    try:
        loaded_models.get(ModelSettings().default_model)
        stores.image_store().probe()
    except Exception as exc:
        # Whatever it is, the child must not serve. What the store refuses needs no traceback.
        expected = isinstance(exc, (ModelStoreError, ServiceUnavailableError))
        reason = f"{type(exc).__name__}: {exc}"
        if reason != logged:
            logger.error("model not loaded", exc_info=not expected, extra={"reason": reason})
        return reason
    return ""


def _refresh(announcement: Announcement) -> None:
    models_changed = loaded_models.of_this_process().refresh()
    trials_changed = trials.of_this_process().refresh()
    collecting.of_this_process().refresh()
    if models_changed or trials_changed:
        _announce_models(announcement)


def _announce_models(announcement: Announcement) -> None:
    models = loaded_models.of_this_process()
    logger.info("models ready", extra={"models": models.loaded, "refused": models.refused})
    announcement.ready(
        models=tuple(models.loaded),
        refused=models.refused,
        trials=trials.of_this_process().numbers,
        fit={each.called: each.reason for each in models.judgements if each.is_fit},
        unfit={each.called: each.reason for each in models.judgements if not each.is_fit},
    )


def _begin_downloads() -> None:
    """Say that this process downloads, and do what comes with that: sweep, watch, tell of ends.

    It starts threads and touches the image store, so it is never done in a process that forks
    children, but in each of them.
    """
    _downloads_begun().set()
    _of_downloader().ready()
    Thread(target=_sweep_forever, name="upload-sweep", daemon=True).start()
    reconciler.watch()
    webhooks.of_this_process().begin()


@signals.worker_shutting_down.connect
def _end_downloads(**_: Any) -> None:
    """Take no more webhooks and withdraw, at once, in a process that began it."""
    if _downloads_begun().is_set():
        _downloads_begun().clear()
        webhooks.of_this_process().end()
        _of_downloader().withdraw()


@signals.worker_process_shutdown.connect
def _withdraw_child(**_: Any) -> None:
    if _consumes("classify"):
        _of_child().withdraw()
    if children.is_one(app.amqp.queues):
        children.withdraw()
    _end_downloads()
    sums.of_this_process().give()
    recording.end()


@signals.worker_shutdown.connect
def _withdraw_in_main_process(sender: Any, **_: Any) -> None:
    if worker_start.pool_of(sender) in worker_start.IN_MAIN_PROCESS:
        _withdraw_child()


@signals.worker_ready.connect
def _begin_downloads_in_threads(sender: Any, **_: Any) -> None:
    if worker_start.pool_of(sender.controller) == "thread" and _consumes("downloads"):
        _begin_downloads()


def _sweep_forever() -> None:
    """Delete uploads whose job is over or gone: one that failed outside of its child."""
    while True:
        try:
            swept = stores.image_store().sweep(
                older_than_seconds=SWEEP_INTERVAL_SECONDS, is_wanted=_is_wanted
            )
            logger.debug("uploads swept", extra={"deleted": swept})
        except ServiceUnavailableError as exc:
            logger.warning("uploads not swept", extra={"reason": str(exc)})
        Event().wait(SWEEP_INTERVAL_SECONDS)


def _is_wanted(key: str) -> bool:
    if life.is_mine(key):
        return life.is_wanted(key)
    return explanations.is_wanted(key) if records.is_mine(key) else collecting.is_wanted(key)


@signals.task_prerun.connect
def _bind_task_id(sender: Any, task_id: str, args: tuple[Any, ...], **_: Any) -> None:
    structlog.contextvars.bind_contextvars(task_id=callers.job_of(sender.name, task_id, args))


@signals.task_postrun.connect
def _release(sender: Any, task_id: str, args: tuple[Any, ...], **_: Any) -> None:
    holding.release(callers.job_of(sender.name, task_id, args))
    structlog.contextvars.unbind_contextvars("task_id")


@signals.task_failure.connect
def _fail_job(
    sender: Any, task_id: str, args: tuple[Any, ...], exception: BaseException, **_: Any
) -> None:
    """End the job as FAILURE; but one that lost its child is tried again."""
    job_id = callers.job_of(sender.name, task_id, args)
    if isinstance(exception, callers.LOST):
        _try_again(job_id, exception, queue=publisher.QUEUE_OF_TASK[sender.name])
    elif isinstance(exception, UnknownJobError):
        # Nobody waits for a record; a program that sent the task itself waits for its result.
        callers.tell_failure(task_id, exception)
    elif sender.name == publisher.PICTURE and stores.job_store().get(job_id) is None:
        return  # It was refused before there was a job; Celery has told its program.
    else:
        _end_as_failed(sender.name, task_id, job_id, exception)


def _end_as_failed(name: str, celery_id: str, job_id: str, exception: BaseException) -> None:
    job = holding.held(job_id)
    jobs.fail(job_id, exception, fence=None if job is None else job.fence)
    if name == "classify" and celery_id != job_id:
        callers.tell_failure(celery_id, exception)
    elif name != "classify" and not celery_results.are_written_with_the_record():
        # The client's id is the id of `classify`, which will now never run.
        callers.tell_failure(job_id, exception)


def _try_again(job_id: str, exception: BaseException, *, queue: str) -> None:
    """Send anew what a child had that is gone; called in the worker's main process.

    That is the job whose task it was given, and one that it took along. After a long standstill a
    job may be another worker's by now, which must not lose it. One that the child had yet to make
    of its message is made when that comes back, and must not be known as gone by then.
    """
    process = delivery.child.get()
    owner = holding.member(queue, process) if process else ""
    try:
        for each in {job_id, *_held_by(owner)}:
            if stores.prompt_job_store().get(each) is not None:
                jobs.try_again(each, exception, lost_by=owner)
    except ServiceUnavailableError as exc:
        # Its main process must not wait: those who look for lost jobs find this one.
        logger.warning("lost job not sent", extra={"task_id": job_id, "reason": str(exc)})


def _held_by(owner: str) -> list[str]:
    held = stores.prompt_job_store().held() if owner else {}
    return [task_id for task_id, member in held.items() if member == owner]


@signals.task_revoked.connect
def _end_revoked(sender: Any, request: Any, terminated: bool = False, **_: Any) -> None:
    """End the job as REVOKED: from Flower or `celery control revoke`, waiting or terminated.

    What the terminated child had taken along besides is tried again.
    """
    job_id = callers.job_of(sender.name, request.id, request.args)
    jobs.end_revoked(job_id)
    if sender.name == "classify" and request.id != job_id:
        callers.tell_failure(request.id, TaskRevokedError("revoked"), state=REVOKED)
    if terminated:
        lost = WorkerLostError("its child was terminated")
        _try_again(job_id, lost, queue=publisher.QUEUE_OF_TASK[sender.name])
