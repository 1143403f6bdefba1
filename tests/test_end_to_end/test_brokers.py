"""Every broker that the documents name: what clients are promised holds over each of them."""

import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import psutil
import pytest
import requests

from petiole import parts
from petiole.settings import FlowerSettings
from tests import brokers
from tests.brokers import Broker
from tests.conftest import ROOT, picture
from tests.test_bulk.conftest import zipped
from tests.test_end_to_end.conftest import FLOWER_AUTH, alive, wait_until
from tests.test_workers.conftest import Stage, empty_stage

pytestmark = pytest.mark.end_to_end

OUTAGE_SECONDS = 4.0
LINES_AFTERWARDS = 3
"""Most lines of a program in that time: one of each of its processes."""


@dataclass
class Told(Stage):
    """A service whose broker and worker are at hand to be taken away."""

    broker: Broker = None  # type: ignore[assignment] # a dataclass wants one, as its parent has some
    worker: psutil.Process = None  # type: ignore[assignment] # alike
    stack: ExitStack = field(default_factory=ExitStack)

    def start_worker(self) -> None:
        """Start a worker of pictures, in the place of one that was killed."""
        self.worker = self.stack.enter_context(self.running(parts.worker(2)))
        wait_until(lambda: is_ready(self), seconds=90)

    @contextmanager
    def standing_still(self) -> Iterator[list[psutil.Process]]:
        """Let the children of the worker do nothing meanwhile."""
        children = self.worker.children()
        for child in children:
            child.suspend()
        try:
            yield children
        finally:
            for child in alive(children):
                child.resume()

    def run(self, *words: str) -> None:
        """Run a command of Celery's."""
        command = [*parts.CELERY, *words]
        subprocess.run(
            command, cwd=ROOT, env=self.environment, check=True, capture_output=True, timeout=60
        )


@pytest.fixture(scope="module", params=brokers.KINDS)
def service(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    colour_store: str,
    original_environment: dict[str, str],
) -> Iterator[Told]:
    """An API, a worker of pictures and one of bulks, and Flower, over one of the brokers."""
    folder = tmp_path_factory.mktemp("b")
    with ExitStack() as stack:
        broker = stack.enter_context(brokers.KINDS[request.param](folder))
        empty = empty_stage(folder, colour_store, original_environment, **broker.settings)
        made = Told(**vars(empty), broker=broker, stack=stack)
        flower = parts.flower(FlowerSettings(port=int(made.environment["FLOWER_PORT"])))
        for part in (parts.http_api(folder / "metrics"), parts.bulk_worker(1), flower):
            stack.enter_context(made.running(part))
        made.start_worker()
        yield made


def is_ready(service: Told) -> bool:
    """Tell whether pictures and bulks are worked on."""
    try:
        said = service.get("/readyz")
    except requests.ConnectionError:
        return False
    return said.ok and len(said.json()["bulk_children"]) == 1


def ends(service: Told, task_ids: list[str]) -> dict[str, int]:
    """Return how many jobs are in each state once all are over; what is no answer is its status."""
    found: Counter[str] = Counter()

    def are_over() -> bool:
        answers = [service.get(f"/result/{task_id}") for task_id in task_ids]
        found.clear()
        found.update(str(each.json().get("state", each.status_code)) for each in answers)
        return not {"PENDING", "STARTED", "503"} & set(found)

    wait_until(are_over, seconds=120)
    return found


def cancelled(service: Told, task_id: str) -> requests.Response:
    """Cancel a job."""
    return requests.delete(f"{service.api_url}/result/{task_id}", timeout=30)


def lines(service: Told) -> dict[str, int]:
    """Return how many lines each program has logged."""
    return {log.stem: log.read_text().count("\n") for log in service.logs}


def test_a_picture_is_classified(service: Told) -> None:
    """While the client waits, and when it asks for the result later."""
    (task_id,) = service.accepted(image=picture("blue"))

    assert service.answered([task_id], seconds=30)
    assert service.get(f"/result/{task_id}").json()["predictions"][0]["label"] == "blue"


def test_flower_shows_it(service: Told) -> None:
    """With the id that its client has."""
    (task_id,) = service.accepted()
    service.answered([task_id], seconds=30)
    address = f"http://127.0.0.1:{service.environment['FLOWER_PORT']}/api/task/info/{task_id}"

    def state() -> bool:
        answer = requests.get(address, auth=FLOWER_AUTH, timeout=10)
        return answer.ok and answer.json()["state"] == "SUCCESS"

    assert wait_until(state, seconds=30)


def test_a_bulk_is_done(service: Told) -> None:
    """Each of its pictures has its line."""
    members = {f"{n}.jpg": picture("green") for n in range(5)}
    sent = requests.post(f"{service.api_url}/bulk", data=zipped(members), timeout=30).json()
    answer = service.get(f"/bulk/{sent['bulk_id']}/results?wait=60")

    assert answer.text.count('"SUCCESS"') == len(members)


def test_a_cancelled_picture_is_not_classified(service: Told) -> None:
    """Whether its message waits, or a worker has it in hand."""
    with service.standing_still():
        task_ids = service.accepted(4)
        answers = [cancelled(service, each) for each in task_ids]

    assert {answer.status_code for answer in answers} == {200}
    assert service.states(task_ids) == ["REVOKED"] * 4


def test_a_killed_child_loses_no_picture(service: Told) -> None:
    """Nor those that the worker has taken for it."""
    with service.standing_still() as children:
        task_ids = service.accepted(6)
        for child in children:
            child.kill()

    assert service.answered(task_ids, seconds=90)


def test_lost_messages_are_sent_again(service: Told) -> None:
    """Their records say that they wait."""
    service.worker.suspend()
    task_ids = service.accepted(4)
    service.run("purge", "--force", "--queues=classify")
    service.worker.resume()

    assert service.answered(task_ids, seconds=90)


def test_a_killed_worker_loses_no_picture(service: Told) -> None:
    """Another one does what it had in hand, and what waited."""
    with service.standing_still() as children:
        task_ids = service.accepted(6)
        for process in (service.worker, *children):
            process.kill()
    service.start_worker()

    assert service.answered(task_ids, seconds=90)


def test_a_broker_that_is_away_loses_no_accepted_picture(service: Told) -> None:
    """Killed with pictures that wait and that are worked on; nobody else is started again.

    Whoever misses it has said so within seconds, and does not say so again for each try.
    """
    with service.standing_still():
        task_ids = service.accepted(6)
        service.broker.main.kill()
    for _ in range(3):
        time.sleep(1.0)
        task_ids += service.accepted()
    at_first = lines(service)
    time.sleep(OUTAGE_SECONDS)
    later = lines(service)
    service.broker.serves_again()
    wait_until(lambda: is_ready(service), seconds=90)
    task_ids += service.accepted(2)

    assert ends(service, task_ids) == {"SUCCESS": len(task_ids)}
    said = {name: later[name] - at_first[name] for name in later}
    tries = [log.read_text().count("Cannot connect to ") for log in service.logs]
    assert service.broker.is_replaced or max(said.values()) <= LINES_AFTERWARDS, said
    assert service.broker.is_replaced or max(tries) <= 2
