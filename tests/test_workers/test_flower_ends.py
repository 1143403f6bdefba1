"""Ends of which Flower does not hear, and what it shows of them: a table of docs/operations.md."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psutil
import pytest
import requests

from petiole import parts
from petiole.settings import FlowerSettings
from tests.conftest import free_port, picture
from tests.test_end_to_end.conftest import FLOWER_AUTH, alive, wait_until
from tests.test_workers.conftest import HTTP_SECONDS, Stage, faulty_worker, staged, worker
from tests.test_workers.faulty import LONG
from tests.test_workers.test_forged import HEADERS, raw

pytestmark = pytest.mark.end_to_end

NOTHING = "nothing"
DOWNLOADER = worker("--pool", "threads", "--concurrency", "1", queue="downloads")


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory,
    colour_store: str,
    original_environment: dict[str, str],
) -> Iterator[Stage]:
    """A service that gives a picture up as soon as it has lost its worker; none classifies yet."""
    directory = tmp_path_factory.mktemp("flower")
    settings = {"PETIOLE_TASKS_LOST_AFTER_SECONDS": "1", "PETIOLE_TASKS_MAX_ATTEMPTS": "1"}
    with (
        staged(directory, colour_store, original_environment, **settings) as made,
        flower_of(made, int(made.environment["FLOWER_PORT"])),
    ):
        yield made


@contextmanager
def flower_of(service: Stage, port: int) -> Iterator[None]:
    """Run a Flower that has its first events from now on."""

    def answers() -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{port}/healthcheck", timeout=HTTP_SECONDS).ok
        except requests.ConnectionError:
            return False

    with service.running(parts.flower(FlowerSettings(port=port))):
        wait_until(answers)
        yield


@contextmanager
def classifying(service: Stage) -> Iterator[psutil.Process]:
    """Run a worker of one child that can be told to be slow."""
    with service.working(faulty_worker("--concurrency", "1")) as process:
        yield process


def shown(service: Stage, task_id: str, *, port: int = 0) -> str:
    """Return the state that Flower shows of a task."""
    address = f"http://127.0.0.1:{port or service.environment['FLOWER_PORT']}"
    answer = requests.get(
        f"{address}/api/task/info/{task_id}", auth=FLOWER_AUTH, timeout=HTTP_SECONDS
    )
    return str(answer.json()["state"]) if answer.ok else NOTHING


def is_shown(service: Stage, task_id: str, state: str) -> bool:
    """Wait until Flower shows it."""
    return bool(wait_until(lambda: shown(service, task_id) == state))


def ended(service: Stage, task_id: str, *, since: str = "PENDING STARTED") -> dict[str, str]:
    """Return the result of a job once it is over."""
    return dict(
        wait_until(
            lambda: (
                (said := service.get(f"/result/{task_id}").json())["state"] not in since and said
            )
        )
    )


def a_later_one_is_shown(service: Stage, *, port: int = 0) -> None:
    """Have another picture classified, and wait for Flower: it has heard what was before."""
    (task_id,) = service.accepted()
    wait_until(lambda: shown(service, task_id, port=port) == "SUCCESS")


def in_work(service: Stage) -> str:
    """Send a picture that takes long, and return its id once Flower shows it as begun."""
    (task_id,) = service.accepted(image=picture() + LONG)
    assert is_shown(service, task_id, "STARTED")
    return task_id


def test_one_that_is_cancelled_while_it_is_classified_stays_started(service: Stage) -> None:
    """The worker leaves it, and goes on with the next one."""
    with classifying(service):
        task_id = in_work(service)
        requests.delete(f"{service.api_url}/result/{task_id}", timeout=HTTP_SECONDS)
        a_later_one_is_shown(service)

    assert ended(service, task_id)["state"] == "REVOKED"
    assert shown(service, task_id) == "STARTED"


def test_one_whose_download_is_over_its_deadline_is_shown_as_revoked(service: Stage) -> None:
    """Under the id that its client has."""
    with service.running(DOWNLOADER) as process, ExitStack() as stack:
        wait_until(lambda: service.get("/readyz").json()["downloaders"])
        process.suspend()
        stack.callback(process.resume)
        sent = requests.post(
            f"{service.api_url}/classify?deadline=1",
            json={"image_url": f"http://127.0.0.1:{free_port()}/a.jpg"},
            timeout=HTTP_SECONDS,
        )
        task_id = str(sent.json()["task_id"])
        assert ended(service, task_id)["state"] == "REVOKED"
        process.resume()
        assert is_shown(service, task_id, "REVOKED")

    assert shown(service, f"{task_id}.download") == "STARTED"


def test_one_that_lost_its_child_has_failed_and_one_that_lost_its_worker_stays(
    service: Stage,
) -> None:
    """A main process that lives tells of the end of its child; nobody tells of its own."""
    with classifying(service) as process:
        of_child = in_work(service)
        process.children()[0].kill()
        is_shown(service, of_child, "FAILURE")
    with classifying(service) as process:
        of_worker = in_work(service)
        for each in alive([*process.children(recursive=True), process]):
            each.kill()
    with classifying(service):
        ends = [ended(service, task_id) for task_id in (of_child, of_worker)]
        a_later_one_is_shown(service)

    assert [end["state"] for end in ends] == ["FAILURE"] * 2
    assert shown(service, of_worker) == "STARTED"


def test_one_whose_message_cannot_be_read_is_not_shown(service: Stage) -> None:
    """Its client is told."""
    (task_id,) = service.accepted()
    service.redis.delete("classify")
    service.redis.lpush("classify", raw({"a": 1}, headers=HEADERS | {"id": task_id}))
    with classifying(service):
        end = ended(service, task_id)
        a_later_one_is_shown(service)

    assert end["state"] == "FAILURE"
    assert shown(service, task_id) == NOTHING


def test_what_ended_before_flower_was_started_is_not_shown(service: Stage) -> None:
    """It remembers in memory alone, and so many."""
    port = free_port()
    assert "--max-tasks=10000" in parts.flower(FlowerSettings(port=port)).command
    with classifying(service):
        (task_id,) = service.accepted()
        assert is_shown(service, task_id, "SUCCESS")
        with flower_of(service, port):
            a_later_one_is_shown(service, port=port)
            assert shown(service, task_id, port=port) == NOTHING
