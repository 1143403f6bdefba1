"""Publishing task messages by name, from the API and from the download worker.

A second Celery app without a result backend: publishing through an app that has one
subscribes to a channel for every task (11.8 ms against 2.9 ms measured).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from amqp.exceptions import ChannelError
from celery import Celery
from kombu import Connection
from kombu.exceptions import KombuError

from tasks import addresses, envelopes, lanes, rabbitmq
from tasks.celery import app as worker_app
from tasks.envelopes import Envelope
from tasks.errors import ServiceUnavailableError
from tasks.once import once
from tasks.settings import settings

POOL_LIMIT = 200
MAILBOX = "petiole"
"""The workers' mailbox for what is asked here; Celery's own one takes every command."""
TRY_AGAIN = {"max_retries": 1, "interval_start": 0.1}
TRAIN = "training.tasks.train"
PICTURE = "classify_picture"
QUEUE_OF_TASK = {
    "classify": lanes.CLASSIFY,
    PICTURE: lanes.CLASSIFY,
    "download": lanes.DOWNLOADS,
    "bulk": lanes.BULK,
    "explain": lanes.EXPLAIN,
    TRAIN: "training",
}


class PromptConnection(Connection):
    """A connection that gives up soon, also where kombu's own callers set no limit.

    A broadcast is such a caller: it would go on for as long as the broker is away, and hold the
    request that sent it (`Mailbox._publish` in kombu/pidbox.py).
    """

    def ensure(
        self, obj: Any, fun: Callable[..., Any], *args: Any, **options: Any
    ) -> Callable[..., Any]:
        """Return `fun` such that it is tried once more after a lost connection, by default."""
        ensured: Callable[..., Any] = super().ensure(obj, fun, *args, **{**TRY_AGAIN, **options})
        return ensured


@once
def _publishing_app() -> Celery:
    app = Celery("petiole-publisher", set_as_current=False)
    app.config_from_object("celeryconfig")
    app.conf.control_exchange = MAILBOX
    app.amqp.Connection = PromptConnection
    # Else broadcasts would be sent over a pooled connection, which is of kombu's own class.
    app.control.mailbox.producer_pool = None  # type: ignore[attr-defined] # the stubs lack it
    # CELERY_RESULT_BACKEND in the environment beats every setting, but not this attribute.
    app.backend_cls = "disabled"
    app.conf.task_always_eager = False
    prompt = {"socket_timeout": 1.0, "socket_connect_timeout": 1.0}
    transport = {**prompt, "client_name": "publisher", "keeps_house": False}
    app.conf.broker_transport_options = {**app.conf.broker_transport_options, **transport}
    # Each waiting thread of the API may publish at once; an acquire beyond the limit would wait.
    app.conf.broker_pool_limit = POOL_LIMIT
    app.conf.task_publish_retry_policy = TRY_AGAIN
    return app


def runs_here() -> bool:
    """Tell whether tasks run in this process, as in Celery's eager mode."""
    return bool(worker_app.conf.task_always_eager)


def lane(task_name: str, priority: str = lanes.NORMAL) -> str:
    """Return where the messages of a task wait."""
    return lanes.lane(QUEUE_OF_TASK[task_name], priority)


def has_priorities() -> bool:
    """Tell whether `priority=low` can be kept: over Redis, and in eager mode.

    RabbitMQ ignores the priority of a message unless its queue was declared with `x-max-priority`,
    which cannot be changed for a queue that is there.
    """
    return runs_here() or _publishing_app().connection_for_write().transport.driver_type == "redis"


def publish(task_name: str, task_id: str, *, priority: str = lanes.NORMAL) -> None:
    """Queue one task for one job; in eager mode, run it now in this process.

    Raises:
        ServiceUnavailableError: the broker did not take the message.
    """
    if runs_here():
        worker_app.loader.import_default_modules()
        worker_app.tasks[task_name].apply(args=(task_id,), task_id=celery_id(task_name, task_id))
        return
    with _translated("the job"):
        _send(task_name, task_id, task_id, priority=lanes.NUMBERS[priority])


def envelope(task_name: str, task_id: str, *, priority: str = lanes.NORMAL) -> Envelope | None:
    """Return the message of one job, for the job store to write together with its record.

    None where the broker is another server than the job store, and in eager mode.
    """
    if runs_here() or not is_the_job_store():
        return None
    id_, waits_in = celery_id(task_name, envelopes.ID), lane(task_name, priority)
    return envelopes.template(_publishing_app(), task_name, id_, waits_in).of(task_id)


@once
def is_the_job_store() -> bool:
    """Tell whether messages and job records live in one Redis."""
    return addresses.are_one(str(worker_app.conf.broker_url), settings().job_store_url)


def publish_training(task_id: str, settings: Mapping[str, Any]) -> None:
    """Queue a training, whose task gets its settings instead of the id; never run it here.

    Raises:
        ServiceUnavailableError: the broker did not take the message.
    """
    with _translated("the training"):
        _send(TRAIN, task_id, dict(settings))


def _send(
    task_name: str, task_id: str, argument: str | dict[str, Any], *, priority: int = 0
) -> None:
    app = _publishing_app()
    # An explicitly acquired producer saves a third of the time (2.9 → 1.9 ms measured).
    with app.producer_pool.acquire(block=True, timeout=2.0) as producer:
        app.send_task(
            task_name,
            args=(argument,),
            task_id=celery_id(task_name, task_id),
            queue=QUEUE_OF_TASK[task_name],
            producer=producer,
            priority=priority,
            headers=envelopes.OWN,
        )


def revoke(task_id: str) -> None:
    """Tell the workers to skip the job's tasks, so that Flower shows them as revoked.

    The job record is what stops the job; a worker that missed this finds it there.
    """
    ids = [celery_id(task_name, task_id) for task_name in ("classify", "download")]
    with _translated("the revocation"), _connection() as connection:
        _publishing_app().control.revoke(ids, connection=connection)


def stop_training(task_id: str) -> None:
    """Tell the workers to skip a training, or to leave it where it is.

    The signal is Celery's soft time limit, an exception in the task: it ends what it started.
    """
    with _translated("the revocation"), _connection() as connection:
        control = _publishing_app().control
        control.revoke(task_id, terminate=True, signal="SIGUSR1", connection=connection)


def has_worker(queue: str) -> bool:
    """Tell whether a worker that consumes a queue answers within a second."""
    with _translated("a question to the workers"), _connection() as connection:
        asked = _publishing_app().control.inspect(timeout=1.0, connection=connection)
        answers = asked.active_queues() or {}
    return any(each["name"] == queue for queues in answers.values() for each in queues)


def answers(worker: str) -> bool:
    """Tell whether a worker answers within some seconds, by its name as in `classify@host`."""
    with _translated("a question to the worker"), _connection() as connection:
        control = _publishing_app().control
        return bool(control.inspect([worker], timeout=5.0, connection=connection).ping())


def ping() -> None:
    """Check that the broker answers, and that RabbitMQ has the queue of pictures as it should be.

    Raises:
        ServiceUnavailableError: it does not.
    """
    with _translated("a connection"), _connection() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, timeout=2)
        if connection.transport.driver_type == "amqp":
            _publishing_app().amqp.queues[lanes.CLASSIFY](connection.default_channel).declare()
        _length(connection.default_channel, QUEUE_OF_TASK["classify"])


def queue_lengths() -> dict[str, int]:
    """Return how many messages of any priority wait in each queue, not yet given to a worker."""
    with _translated("a look at its queues"), _connection() as connection:
        channel = connection.default_channel
        return {queue: _length(channel, queue) for queue in QUEUE_OF_TASK.values()}


def _length(channel: Any, queue: str) -> int:
    try:
        return int(channel.queue_declare(queue, passive=True).message_count)
    except ChannelError:
        # Nothing was ever published to it and no worker has declared it.
        return 0


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except _broker_errors() as exc:
        cure = rabbitmq.cure(exc)
        reason = f": {cure}" if cure else f" ({type(exc).__name__}); try again shortly"
        message = f"the broker did not take {what}{reason}"
        raise ServiceUnavailableError(message) from exc


def _connection() -> Connection:
    """Return a new connection of the caller's own, not yet connected."""
    return _publishing_app().connection_for_write()


@once
def _broker_errors() -> tuple[type[BaseException], ...]:
    """Return all that a call can raise; kombu leaves some errors of its libraries as they are."""
    connection = _connection()
    return (KombuError, OSError, *connection.connection_errors, *connection.channel_errors)


def celery_id(task_name: str, task_id: str) -> str:
    """Return the Celery id: the client's `task_id`, except for a download, which has no result."""
    return f"{task_id}.{task_name}" if task_name == "download" else task_id
