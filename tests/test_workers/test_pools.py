"""Every pool gives every picture its own answer, or is refused when the worker starts."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import requests

from tasks import worker_start
from tests.conftest import picture
from tests.test_end_to_end.conftest import wait_until
from tests.test_workers.conftest import HTTP_SECONDS, Stage, worker

pytestmark = pytest.mark.end_to_end

COLOURS = ("red", "green", "blue") * 10


def label_of(stage: Stage, colour: str) -> str:
    """Return what the service says of a picture of one colour."""
    answer = requests.post(
        f"{stage.api_url}/classify?wait=25",
        data=picture({"green": "lime"}.get(colour, colour)),
        headers={"Content-Type": "image/jpeg"},
        timeout=HTTP_SECONDS,
    ).json()
    return str(answer["predictions"][0]["label"]) if "predictions" in answer else str(answer)


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_every_pool_answers_rightly(stage: Stage, pool: str) -> None:
    """Also with more threads than a runtime's one set of tensors."""
    with stage.working(worker("--pool", pool, "--concurrency", "4")), ThreadPoolExecutor(8) as ask:
        labels = tuple(ask.map(lambda colour: label_of(stage, colour), COLOURS))

    assert labels == COLOURS


@pytest.mark.parametrize("pool", ["celery.concurrency.gevent", "eventlet"])
def test_a_green_pool_is_refused(pool: str) -> None:
    """With what to use instead."""
    with pytest.raises(SystemExit, match=r"does not work here.*use prefork, threads or solo"):
        worker_start.refuse_green_pool(SimpleNamespace(pool_cls=pool))


def test_a_download_worker_leaves_pictures_alone(stage: Stage) -> None:
    """It has no model, and perhaps no runtime; whoever tells it to finds out from its log."""
    with stage.working(worker()):
        pass
    with stage.running(worker("--pool", "threads", queue="downloads")):
        wait_until(lambda: "ready." in stage.log)
        stage.tell("add_consumer", "classify")
        accepted = stage.accepted(2)
        log = stage.log
        states = stage.states(accepted)
    with stage.working(worker()):
        stage.answered(accepted, seconds=20)

    assert "queue not taken up" in log
    assert states == ["PENDING", "PENDING"]
