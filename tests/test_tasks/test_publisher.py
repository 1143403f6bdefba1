"""What leaves this process for the workers, and what happens while the broker is away."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import psutil
import pytest

from petiole import parts
from tasks import once, publisher
from tasks.errors import ServiceUnavailableError
from tests.conftest import free_port, wait_for_redis

HANG_SECONDS = 30.0
"""Far more than the timeouts add up to; who takes longer would go on for ever."""

CALLS: dict[str, Callable[[], object]] = {
    "publish": lambda: publisher.publish("classify", "id"),
    "publish_training": lambda: publisher.publish_training("id", {}),
    "revoke": lambda: publisher.revoke("id"),
    "stop_training": lambda: publisher.stop_training("id"),
    "has_worker": lambda: publisher.has_worker("training"),
    "queue_lengths": publisher.queue_lengths,
    "ping": publisher.ping,
}


@pytest.fixture
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[subprocess.Popen[bytes]]:
    """A real server of this test's own, which the publisher is connected to."""
    port = free_port()
    server = subprocess.Popen(parts.redis(port, tmp_path).command, stdout=subprocess.DEVNULL)
    wait_for_redis(url := f"redis://127.0.0.1:{port}/0")
    monkeypatch.setenv("CELERY_BROKER_URL", url)
    monkeypatch.setitem(publisher.worker_app.conf, "task_always_eager", False)
    once.begin_anew()
    publisher.publish("classify", "first")
    publisher.revoke("first")
    yield server
    server.kill()
    server.wait(timeout=10)


def outcome_of(call: Callable[[], object]) -> BaseException | object:
    """Return what a call gave or raised; fail when it hangs."""
    outcomes: list[BaseException | object] = []

    def run() -> None:
        try:
            outcomes.append(call())
        except Exception as exc:  # noqa: BLE001 - whatever it is, the test looks at it
            outcomes.append(exc)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(HANG_SECONDS)
    assert outcomes, f"no answer within {HANG_SECONDS:g} s"
    return outcomes[0]


def test_messages_wait_where_workers_look(broker: subprocess.Popen[bytes]) -> None:
    """Each task in its queue, and only its ids in the message."""
    publisher.publish("classify", "second")
    publisher.publish("download", "third")

    others = {"bulk": 0, "explain": 0, "training": 0}
    assert publisher.queue_lengths() == {"classify": 2, "downloads": 1, **others}
    assert publisher.has_worker("classify") is False


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_nothing_hangs_while_the_broker_is_away(
    broker: subprocess.Popen[bytes], call: Callable[[], object], how: str
) -> None:
    """Neither a server that is gone nor one that takes the call and says nothing holds a caller."""
    broker.kill() if how == "killed" else psutil.Process(broker.pid).suspend()
    outcome = outcome_of(call)

    assert isinstance(outcome, ServiceUnavailableError), outcome
    assert "the broker did not take" in str(outcome)


def test_a_download_has_an_id_of_its_own() -> None:
    """The client's id is that of the classification, which has the result."""
    ids = [publisher.celery_id(name, "id") for name in ("classify", "download")]

    assert ids == ["id", "id.download"]


@pytest.mark.parametrize(("store", "is_written"), [("the broker", True), ("another server", False)])
def test_one_server_takes_record_and_message_in_one_step(
    store: str, is_written: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message is given to the job store then; another broker gets it afterwards."""
    urls = {"the broker": "redis://127.0.0.1:1/0", "another server": "redis://127.0.0.1:2/0"}
    monkeypatch.setenv("CELERY_BROKER_URL", urls["the broker"])
    monkeypatch.setenv("PETIOLE_TASKS_JOB_STORE_URL", urls[store])
    monkeypatch.setitem(publisher.worker_app.conf, "task_always_eager", False)
    once.begin_anew()
    envelope = publisher.envelope("classify", "id")

    assert (envelope is not None) == is_written
    assert envelope is None or (envelope.key, '"id": "id"' in envelope.payload) == (
        *("classify", True),
    )
