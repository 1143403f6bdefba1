"""What is lost when a master dies behind Sentinels, and what keeps it from being accepted."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import redis
import requests

from petiole import parts
from tests import brokers
from tests.brokers import MASTER, Broker
from tests.conftest import picture
from tests.test_end_to_end.conftest import wait_until
from tests.test_workers.conftest import HTTP_SECONDS, Stage, empty_stage

pytestmark = pytest.mark.end_to_end


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A master, a replica and three Sentinels."""
    with brokers.sentinels(tmp_path / "b") as made:
        yield made


@pytest.fixture
def service(
    broker: Broker, tmp_path: Path, colour_store: str, original_environment: dict[str, str]
) -> Iterator[Stage]:
    """An API over it; nobody works."""
    made = empty_stage(tmp_path, colour_store, original_environment, **broker.settings)
    with made.running(parts.http_api(tmp_path / "m")):
        wait_until(lambda: posted_status(made) == 202)
        yield made


def posted(service: Stage) -> requests.Response:
    """Send a picture."""
    sent = {"image": ("a.jpg", picture())}
    return requests.post(f"{service.api_url}/classify", files=sent, timeout=HTTP_SECONDS)


def posted_status(service: Stage) -> int:
    """Send a picture, and return how that was answered; 0 before somebody listens."""
    try:
        return posted(service).status_code
    except requests.ConnectionError:
        return 0


@dataclass(frozen=True)
class Replicated:
    """The two servers, as clients reach each, and the process of the second."""

    master: redis.Redis
    replica: redis.Redis
    process: psutil.Process


@pytest.fixture
def servers(broker: Broker) -> Iterator[Replicated]:
    """Those that the Sentinels know; the replica goes on with the end of the test."""
    first = urlsplit(broker.settings["REDIS_URL"].partition(";")[0])
    with redis.Redis(port=first.port, decode_responses=True) as sentinel:
        (following,) = sentinel.sentinel_slaves(MASTER)
        master = redis.Redis(port=sentinel.sentinel_master(MASTER)["port"])
    replica = redis.Redis(port=int(following["port"]), db=4)
    process = psutil.Process(replica.info()["process_id"])
    yield Replicated(master, replica, process)
    if process.is_running():
        process.resume()


def test_what_the_replica_did_not_have_is_unknown_after_a_failover(
    service: Stage, broker: Broker, servers: Replicated
) -> None:
    """Its client was answered 202, and is told 404; what it had is kept."""
    kept = posted(service).json()["task_id"]
    wait_until(lambda: servers.replica.exists(f"petiole:job:{kept}"))
    servers.process.suspend()
    servers.master.client_kill_filter(_type="replica")  # else its socket would hold what it reads
    lost = posted(service).json()["task_id"]
    broker.main.kill()
    servers.process.resume()
    broker.serves_again()
    wait_until(lambda: service.get(f"/result/{kept}").status_code == 202)

    assert service.get(f"/result/{lost}").status_code == 404


def test_a_master_that_wants_a_replica_refuses_pictures_without_one(
    service: Stage, servers: Replicated
) -> None:
    """With 503, until there is one again."""
    servers.master.config_set("min-replicas-to-write", 1)
    servers.master.config_set("min-replicas-max-lag", 1)
    before = posted_status(service)
    servers.process.suspend()
    wait_until(lambda: posted_status(service) == 503)
    servers.process.resume()

    assert before == 202
    assert wait_until(lambda: posted_status(service) == 202)
