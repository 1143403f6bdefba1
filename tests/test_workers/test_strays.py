"""Messages that reach a worker which cannot do them: sent on, or the end of their job."""

import json
import time
from uuid import uuid4

import pytest
from celery import Celery
from kombu import Connection, Producer

from petiole import parts
from petiole.parts import Part
from tasks.publisher import TRAIN
from tests.test_end_to_end.conftest import wait_until
from tests.test_workers.conftest import Stage, worker

pytestmark = pytest.mark.end_to_end


def send(stage: Stage, queue: str, task_name: str, task_id: str, body: str | None = None) -> None:
    """Publish a message as another program would, or one with a body that nobody can read.

    Without a task's name its headers say nothing, as in the first version of Celery's protocol.
    """
    args = ({"image_dir": "/nowhere/roses"} if task_name == TRAIN else task_id,)
    message = Celery(set_as_current=False).amqp.as_task_v2(task_id, task_name, args=args)
    with Connection(stage.redis_url) as connection:
        Producer(connection).publish(
            body or message.body,
            routing_key=queue,
            headers=message.headers if task_name else {},
            content_type="application/json" if body else None,
            content_encoding="utf-8" if body else None,
            serializer=None if body else "json",
            **message.properties,
        )


def without_queues(part: Part) -> Part:
    """Return a worker that was not told which queues to consume."""
    words = list(part.command)
    place = words.index("-Q")
    return Part(part.name, (*words[:place], *words[place + 2 :]), part.environment)


def test_each_app_keeps_to_its_own_queues(stage: Stage) -> None:
    """A training worker without `-Q` takes no picture, and a classify worker no training."""
    with stage.running(without_queues(parts.trainer())):
        accepted = stage.accepted(4)
        wait_until(lambda: "ready." in stage.log)
        time.sleep(1)
        left = stage.redis.llen("classify")
        with stage.working(without_queues(parts.worker(1))):
            stage.answered(accepted, seconds=30)
            send(stage, "training", TRAIN, task_id := str(uuid4()))
            document = wait_until(
                lambda: stage.redis.get(f"petiole:document:{task_id}"), seconds=60
            )

    assert left == 4
    assert json.loads(document)["error"]["type"].startswith("/problems#")
    assert stage.redis.llen("training") == 0


def test_a_message_of_another_app_is_sent_on(stage: Stage) -> None:
    """Whoever published it to the wrong queue: it arrives where it can be done."""
    with stage.working(worker()):
        send(stage, "classify", TRAIN, str(uuid4()))
        arrived = wait_until(lambda: stage.redis.llen("training"), seconds=20)
        stage.answered(stage.accepted(1), seconds=10)

    assert arrived == 1
    stage.redis.delete("training")


@pytest.mark.parametrize(
    ("task_name", "body", "slug"),
    [
        ("sort", None, "unknown-task-type"),
        ("classify", "{not json", "malformed-message"),
        ("", '{"colour": "red"}', "malformed-message"),
        ("", '{"task": "classify", "kwargs": "none"}', "malformed-message"),
    ],
)
def test_a_message_that_nobody_can_do_ends_its_job(
    stage: Stage, task_name: str, body: str | None, slug: str
) -> None:
    """Its client is told, and the next picture is classified."""
    (task_id,) = stage.accepted(1)
    stage.redis.delete("classify")
    send(stage, "classify", task_name, task_id, body)
    with stage.working(worker()):
        document = wait_until(lambda: stage.get(f"/result/{task_id}").json().get("error"))
        stage.answered(stage.accepted(1), seconds=10)

    assert document["type"] == f"/problems#{slug}"
    assert stage.redis.hlen("unacked") == 0
