"""RabbitMQ that already has a queue of ours, of its classic kind, as another program made it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from kombu import Connection, Exchange, Queue

from petiole import parts
from tests import brokers
from tests.conftest import picture
from tests.test_end_to_end.conftest import wait_until
from tests.test_workers.conftest import HTTP_SECONDS, Stage, answers, empty_stage

pytestmark = pytest.mark.end_to_end

NAME = "classify"
WORDS = "delete both once the queue is empty"
MOST_LINES = 12
"""Of a worker that has tried for some seconds, several times in each."""


@pytest.fixture
def service(
    tmp_path: Path, colour_store: str, original_environment: dict[str, str]
) -> Iterator[Stage]:
    """An API and a worker, started after the classic queue was made."""
    with brokers.rabbitmq(tmp_path / "b") as broker:
        with Connection(broker.settings["CELERY_BROKER_URL"]) as connection:
            Queue(NAME, Exchange(NAME), NAME).bind(connection.default_channel).declare()
        made = empty_stage(tmp_path, colour_store, original_environment, **broker.settings)
        with made.running(parts.http_api(tmp_path / "m")), made.running(parts.worker(1)):
            wait_until(lambda: answers(made))
            yield made


def posted(service: Stage) -> requests.Response:
    """Send a picture."""
    sent = {"image": ("a.jpg", picture("blue"))}
    return requests.post(f"{service.api_url}/classify", files=sent, timeout=HTTP_SECONDS)


def test_it_is_named_until_it_is_deleted_and_then_all_goes_on(service: Stage) -> None:
    """By the API and by the worker, which says it once and not with each of its tries."""
    wait_until(lambda: "Frequent restarts" in service.log)
    refused, ready = posted(service), service.get("/readyz").json()
    wait_until(lambda: WORDS in service.get("/readyz").text)
    said = service.log.partition("Connected to")[2]
    with Connection(service.environment["CELERY_BROKER_URL"]) as connection:
        connection.default_channel.queue_delete(NAME)
        connection.default_channel.exchange_delete(NAME)
    wait_until(lambda: service.get("/readyz").ok)

    assert (refused.status_code, WORDS in refused.json()["detail"]) == (503, True)
    assert WORDS in ready["checks"]["broker"]
    assert said.count(WORDS) == 1
    assert said.count("\n") <= MOST_LINES
    assert service.answered([posted(service).json()["task_id"]], seconds=30)
