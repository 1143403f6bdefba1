"""What a client does when something goes wrong on the way, or when its caller goes away."""

import asyncio
import sys
import threading
from pathlib import Path

import pytest

from petiole.client import AsyncClient, Client, UnreachableError
from tests.conftest import free_port, picture
from tests.doorway import doorway
from tests.test_client.conftest import MOST_OPEN, Ask, ended_jobs, interrupted, open_jobs
from tests.test_end_to_end.conftest import RunningService, frozen_children, wait_until

pytestmark = pytest.mark.end_to_end


def test_what_is_under_way_is_withdrawn_when_nobody_wants_it_any_more(
    service: RunningService,
) -> None:
    """An iteration that ends early leaves no job behind."""
    with Client(service.api) as client, frozen_children(service):
        outcomes = client.map([b"no picture", *[picture()] * 20], concurrency=4)
        first = next(outcomes)
        wait_until(lambda: open_jobs(service) >= 3)
        outcomes.close()
        left = open_jobs(service)

    assert (first.error.slug, left) == ("not-an-image", 0)


def test_an_interrupted_program_withdraws_its_picture(
    service: RunningService, tmp_path: Path
) -> None:
    """Ctrl-C in `classify` ends the job and then the program."""
    (tmp_path / "red.jpg").write_bytes(picture())
    program = f"from petiole.client import Client; Client({service.api!r}).classify('red.jpg')"
    words = [sys.executable, "-c", program]
    left, _, errors = interrupted(service, words, cwd=tmp_path, open_before=1)

    assert (left, errors.splitlines()[-1]) == (0, "KeyboardInterrupt")


def test_a_task_of_asyncio_that_is_cancelled_withdraws_its_picture(
    service: RunningService,
) -> None:
    """Whoever cancelled it cannot ask for the result."""

    async def cancelled() -> int:
        async with AsyncClient(service.api) as client:
            waiting = asyncio.create_task(client.classify(picture()))
            await asyncio.to_thread(wait_until, lambda: open_jobs(service) == 1)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            return open_jobs(service)

    with frozen_children(service):
        assert asyncio.run(cancelled()) == 0


def test_a_full_service_is_tried_again_when_it_says(ask: Ask, service: RunningService) -> None:
    """Nothing is lost by a bound on what it accepts."""
    with Client(service.api) as client, frozen_children(service):
        waiting = [client.submit(picture()).task_id for _ in range(MOST_OPEN)]
        timer = threading.Timer(1.0, _resume, [service])
        timer.start()
        task = ask("classify", picture("green"))
        timer.join()

    assert task.best.label == "green"
    with Client(service.api) as client:
        assert {client.result(each).state for each in waiting} == {"SUCCESS"}


def _resume(service: RunningService) -> None:
    for child in service.part("worker").children():
        child.resume()


def test_a_request_whose_answer_is_lost_is_one_job(ask: Ask, service: RunningService) -> None:
    """The service classified it; the client sends it again with the same key."""
    before = ended_jobs(service)
    with doorway(service.api, closed_for=0) as door:
        door.lose_answers(2)
        task = ask("classify", picture("blue"), url=door.address)
        lost = door.lost_answers

    assert (task.best.label, lost) == ("blue", 2)
    assert ended_jobs(service) - before == 1


def test_a_connection_that_is_cut_during_the_wait_costs_nothing(
    ask: Ask, service: RunningService
) -> None:
    """It is asked again, of the same task."""
    before = ended_jobs(service)
    with doorway(service.api, closed_for=0) as door, frozen_children(service):
        cut = threading.Timer(0.7, door.turn_away, [1])
        cut.start()
        thaw = threading.Timer(1.2, _resume, [service])
        thaw.start()
        task = ask("classify", picture("green"), url=door.address)
        cut.join()
        thaw.join()

    assert task.best.label == "green"
    assert ended_jobs(service) - before == 1


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_service_that_was_there_is_waited_for(
    service: RunningService, kind: type[Client | AsyncClient]
) -> None:
    """Its address cannot be wrong, although nothing listens there for a moment."""
    port = free_port()
    client = kind(f"http://127.0.0.1:{port}")
    with asyncio.Runner() as runner:
        do = runner.run if kind is AsyncClient else lambda answer: answer
        with doorway(service.api, closed_for=0, listens_on=port):
            do(client.classify(picture()))
        back = threading.Event()
        threading.Thread(target=_return, args=(service, port, back)).start()
        task = do(client.classify(picture("blue")))
        do(client.close())
        back.set()

    assert task.best.label == "blue"


def _return(service: RunningService, port: int, back: threading.Event) -> None:
    """Open the door again after a moment, until it is no longer needed."""
    back.wait(0.5)
    with doorway(service.api, closed_for=0, listens_on=port):
        back.wait(30)


def test_a_service_that_is_not_there_is_said_at_once(ask: Ask) -> None:
    """An address that has never answered is more likely wrong than away."""
    address = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(UnreachableError, match=address):
        ask("classify", picture(), url=address)


def test_a_request_that_cannot_be_sent_is_said_at_once(ask: Ask) -> None:
    """Whatever is tried again would end alike."""
    with pytest.raises(UnreachableError, match="cannot be sent"):
        ask("submit", picture(), idempotency_key="two\nlines")
