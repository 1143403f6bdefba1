"""Messages that no task here can do: sent on to who can, or the end of their job.

Celery throws them away, and whoever waits for such a job waits until its record expires.
"""

import logging
from typing import Any

from celery.app.task import Context
from kombu import Producer
from kombu.exceptions import ContentDisallowed

from tasks import forged, jobs, stores
from tasks.broker import REFUSALS
from tasks.errors import (
    MalformedMessageError,
    ServiceUnavailableError,
    TasksError,
    UnknownTaskTypeError,
)
from tasks.publisher import QUEUE_OF_TASK

PAUSE_SECONDS = 5.0
"""Before a message is sent on: it may come back at once, to a worker that does not know it."""

logger = logging.getLogger(__name__)


def of_unknown_task(message: Any, consumer: Any) -> None:
    """Send a message on after a pause when another app knows its task, else end its job."""
    task_name = str(message.headers.get("task"))
    queue = QUEUE_OF_TASK.get(task_name)
    if queue is None:
        error = UnknownTaskTypeError(f"no worker knows the task {task_name!r}")
        _end(message, consumer, error, counted=forged.UNKNOWN_TASK)
        return
    fields = {"task": task_name, "queue": queue, "task_id": _id_of(message)}
    logger.warning("message of another worker; sent on", extra=fields)
    consumer.timer.call_after(PAUSE_SECONDS, _send_on, (message, queue))


def malformed(message: Any, consumer: Any, reason: str | Exception) -> None:
    """End the job of a message that cannot be read."""
    is_foreign = isinstance(reason, ContentDisallowed)
    error = MalformedMessageError(f"the message cannot be read: {reason}")
    _end(message, consumer, error, counted=forged.CONTENT if is_foreign else forged.MALFORMED)


def _send_on(message: Any, queue: str) -> None:
    try:
        Producer(message.channel, auto_declare=False).publish(
            message.body,
            routing_key=queue,
            content_type=message.content_type,
            content_encoding=message.content_encoding,
            headers=message.headers,
            **{k: v for k, v in message.properties.items() if k in KEPT_PROPERTIES},
        )
    except REFUSALS as exc:
        logger.warning("message not sent on; put back", extra={"reason": repr(exc)})
        message.requeue()
        return
    message.ack()


KEPT_PROPERTIES = ("correlation_id", "reply_to", "delivery_mode", "priority")


def _end(message: Any, consumer: Any, error: TasksError, *, counted: str) -> None:
    """End the job under the message's id, if there is one, and Celery's result for its sender."""
    task_id = _id_of(message)
    fields = {"task_id": task_id, "reason": str(error)}
    logger.error("message thrown away", extra=fields)
    try:
        if task_id:
            jobs.fail(task_id, error, store=stores.prompt_job_store())
            consumer.app.backend.mark_as_failure(task_id, error, request=Context(id=task_id))
        forged.count(counted)
    except (*REFUSALS, ServiceUnavailableError) as exc:
        logger.warning("its job is not ended; put back", extra={"reason": repr(exc)})
        consumer.timer.call_after(PAUSE_SECONDS, message.requeue)
        return
    message.ack()


def _id_of(message: Any) -> str:
    headers = message.headers if isinstance(message.headers, dict) else {}
    return str(headers.get("id") or message.properties.get("correlation_id") or "")
