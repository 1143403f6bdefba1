"""`/metrics` of two API hosts and two workers, one of which is killed: sums are what was sent."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import psutil
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from petiole import parts
from tests.conftest import ORIGINAL_ENVIRONMENT, free_port, picture
from tests.test_end_to_end.conftest import alive, wait_until
from tests.test_workers.conftest import HTTP_SECONDS, Stage, worker

pytestmark = pytest.mark.end_to_end

PICTURES = 24
SAME = picture("blue", size=(60, 40), kind="PNG")


@pytest.fixture(scope="module")
def original_environment() -> dict[str, str]:
    """The environment with the cache on."""
    return {**ORIGINAL_ENVIRONMENT, "PETIOLE_TASKS_CACHE_TTL_SECONDS": "600"}


@dataclass(frozen=True)
class Sent:
    """What was sent to both APIs, and what they answered."""

    apis: tuple[str, str]
    statuses: Counter[int]
    accepted: tuple[str, ...]

    def series(self, api: int, name: str, **labels: str) -> float:
        """Return the sum of all series of a name with these labels, as one of the APIs has them."""
        text = requests.get(f"{self.apis[api]}/metrics", timeout=HTTP_SECONDS).text
        samples = (s for family in text_string_to_metric_families(text) for s in family.samples)
        return sum(
            s.value for s in samples if s.name == name and labels.items() <= s.labels.items()
        )


@pytest.fixture(scope="module")
def sent(stage: Stage) -> Iterator[Sent]:
    """Good, broken, known and refused pictures, in turn to each API; one worker dies among them."""
    port = free_port()
    second = {"PETIOLE_API_PORT": str(port), "PETIOLE_API_PROCESSES": "2"}
    apis = (stage.api_url, f"http://127.0.0.1:{port}")
    with ExitStack() as stack:
        stack.enter_context(stage.running(parts.http_api(stage.directory / "other"), **second))
        lives, dies = (
            stack.enter_context(stage.running(worker("-n", f"{name}@%h", "--concurrency", "2")))
            for name in ("lives", "dies")
        )
        wait_until(lambda: len([*lives.children(), *dies.children()]) == 4)
        wait_until(lambda: stage.get("/readyz").ok and _answers(apis[1]))
        answers = [_post(apis[n % 2], picture(size=(64, 40 + n))) for n in range(PICTURES)]
        _kill(dies)
        answers += [_post(apis[n % 2], picture(size=(400, 300 + n))[:700]) for n in range(4)]
        answers += [_post(apis[n % 2], b"no picture") for n in range(6)]
        answers += [_post(apis[n % 2], picture(), "?model=invented") for n in range(2)]
        first = _post(apis[0], SAME)
        wait_until(lambda: stage.states([first.json()["task_id"]]) == ["SUCCESS"])
        answers += [first, _post(apis[1], SAME)]
        ids = tuple(each.json()["task_id"] for each in answers if each.status_code == 202)
        wait_until(lambda: set(stage.states([*ids])) == {"SUCCESS", "FAILURE"}, seconds=90)
        yield Sent(apis, Counter(each.status_code for each in answers), ids)


def _answers(api: str) -> bool:
    try:
        return requests.get(f"{api}/livez", timeout=HTTP_SECONDS).ok
    except requests.ConnectionError:
        return False


def _post(api: str, image: bytes, query: str = "") -> requests.Response:
    files = {"image": ("a", image)}
    return requests.post(f"{api}/classify{query}", files=files, timeout=HTTP_SECONDS)


def _kill(process: psutil.Process) -> None:
    for each in alive([process, *process.children(recursive=True)]):
        os.kill(each.pid, signal.SIGKILL)


def test_every_picture_is_counted_once(sent: Sent) -> None:
    """What was accepted has ended, whichever process is asked."""
    for api in (0, 1):
        assert sent.series(api, "petiole_accepted_total") == sent.statuses[202] == PICTURES + 6
        assert sent.series(api, "petiole_jobs_total") == PICTURES + 6
        assert sent.series(api, "petiole_jobs_total", state="FAILURE", error="truncated-image") == 4
        assert sent.series(api, "petiole_accepted_total", entry="known") == 1
        assert sent.series(api, "petiole_open_jobs") == sent.series(api, "petiole_withdrawn_total")


def test_times_and_labels_lack_at_most_what_a_killed_process_had(sent: Sent) -> None:
    """Its last second; each stage, the verdict and the label of a picture go together."""

    def times(stage: str) -> float:
        return sent.series(0, "petiole_stage_seconds_count", model="colours@1", stage=stage)

    # The last one was predicted by a worker that lives.
    wait_until(lambda: 1 <= times("predict") <= PICTURES + 1)
    assert times("queued") == times("decode") == times("total") == times("predict")
    assert sent.series(1, "petiole_labels_total", model="colours@1") == times("predict")


def test_refusals_are_counted_by_reason_where_they_were_made(sent: Sent) -> None:
    """Each API counts its own requests, over its processes; the sum of both is all of them."""

    def refused(reason: str) -> float:
        found = (
            sent.series(api, "petiole_refused_requests_total", reason=reason) for api in (0, 1)
        )
        return sum(found)

    assert (refused("not-an-image"), refused("unknown-model")) == (6, 2)
    assert sent.statuses == {202: PICTURES + 6, 415: 6, 404: 2}


def test_workers_are_counted_by_queue(sent: Sent) -> None:
    """The killed one is gone once its notes have run out."""

    def children() -> float:
        return sent.series(1, "petiole_children", queue="classify", state="ready")

    wait_until(lambda: children() == 2)
    assert sent.series(1, "petiole_children", queue="bulk") == 0
    assert sent.series(1, "petiole_consumers", queue="classify", state="ready") == 1
    assert sent.series(1, "petiole_loaded_children", model="colours@1") == 2
