"""Messages as the broker's Redis keeps them, for scripts that write one together with its record.

Celery and kombu make the envelope, once for each task, over a transport that keeps what it is
given; later ones differ by their ids alone. A release of theirs that changes it changes it here.
"""

import json
from base64 import b64decode, b64encode
from dataclasses import dataclass
from functools import cache
from typing import Any
from uuid import uuid4

from celery import Celery
from kombu import Connection
from kombu.transport import memory, redis

from tasks import lanes

ID = "00000000-0000-4000-8000-000000000000"
TAG = "00000000-0000-4000-8000-000000000001"
BODY = "the body"
OWN = {"petiole": "own"}
"""Header of the service's own messages, with whose end nothing more is to be done than to write the
record. A child takes no other ones along."""


@dataclass(frozen=True)
class Envelope:
    """One message: the Redis list that is its queue, and its JSON."""

    key: str
    payload: str


@dataclass(frozen=True)
class Template:
    """The message of one task, but for its ids."""

    key: str
    payload: str
    body: str

    def of(self, task_id: str) -> Envelope:
        """Return the message for one job; each has a delivery tag of its own."""
        body = b64encode(self.body.replace(ID, task_id).encode()).decode()
        payload = self.payload.replace(ID, task_id).replace(TAG, str(uuid4()))
        return Envelope(self.key, payload.replace(BODY, body))


class _Channel(memory.Channel):
    """Keeps messages instead of putting them anywhere, with the list that Redis has for them."""

    sep, priority_steps = redis.Channel.sep, redis.Channel.priority_steps
    priority = redis.Channel.priority
    list_of = redis.Channel._q_for_pri  # type: ignore[attr-defined] # the stubs lack it

    def _put(self, queue: str, message: dict[str, Any], **_: Any) -> None:
        connection: Any = self.connection  # the transport, whose client is ours
        key = self.list_of(queue, self._get_message_priority(message))
        connection.client.kept = (key, message)


class _Transport(memory.Transport):
    Channel = _Channel


class _Keeping(Connection):
    """A connection that ends in `kept`."""

    kept: tuple[str, dict[str, Any]]


@cache
def template(app: Celery, task_name: str, celery_id: str, lane: str) -> Template:
    """Return what a message of this task looks like, as `app` would send it to Redis.

    Args:
        app: It sends the task.
        task_name: Its name.
        celery_id: The id of the Celery task, with `ID` in the place of the job's.
        lane: Where it waits.
    """
    queue, number = lanes.queue_of(lane), lanes.number_of(lane)
    with _Keeping(transport=_Transport) as connection:
        producer = app.amqp.Producer(connection, auto_declare=False)
        app.send_task(
            task_name,
            args=(ID,),
            task_id=celery_id,
            queue=queue,
            priority=number,
            headers=OWN,
            producer=producer,
        )
        key, message = connection.kept
    body = b64decode(message["body"]).decode()
    message["properties"]["delivery_tag"] = TAG
    return Template(key, json.dumps({**message, "body": BODY}), body)


def job_of(celery_id: str) -> str:
    """Return the job that a Celery id belongs to; that of a download has more behind it."""
    return celery_id.partition(".")[0]


def is_own(request: Any) -> bool:
    """Tell whether the message of a task's request is one of the service's own."""
    return all(getattr(request, name, None) == value for name, value in OWN.items())


def task_id_of(payload: str) -> str | None:
    """Return the job that a message is for, or None when it is none of ours."""
    try:
        return job_of(str(json.loads(payload)["headers"]["id"]))
    except (ValueError, LookupError, TypeError):
        return None
