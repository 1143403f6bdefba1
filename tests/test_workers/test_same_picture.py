"""Several asks for one picture at the same moment, with real children: one of them predicts."""

import os
import signal

import psutil
import pytest
import requests

from tests.conftest import ORIGINAL_ENVIRONMENT, picture
from tests.test_end_to_end.conftest import wait_until
from tests.test_workers.conftest import HTTP_SECONDS, Stage, worker
from tests.test_workers.test_along import let_go, stopped

pytestmark = pytest.mark.end_to_end

TWO_CHILDREN = ("--concurrency", "2")
LARGE = (5000, 5000)
"""So many pixels take long enough to decode that another child meets the same picture meanwhile."""


@pytest.fixture(scope="module")
def original_environment() -> dict[str, str]:
    """The environment with the cache on."""
    return {**ORIGINAL_ENVIRONMENT, "PETIOLE_TASKS_CACHE_TTL_SECONDS": "600"}


def counted(stage: Stage) -> dict[str, int]:
    """Return how many pictures were predicted, and how many were answered by another one's end."""
    series = stage.get("/metrics").text.splitlines()
    names = {
        'petiole_jobs_total{error="",model="colours@1",state="SUCCESS"}': "answered",
        'petiole_cache_total{outcome="follower"}': "followers",
        'petiole_cache_total{outcome="hit"}': "hits",
    }
    found = {
        names[n]: int(float(v))
        for n, _, v in (line.rpartition(" ") for line in series)
        if n in names
    }
    found = dict.fromkeys(names.values(), 0) | found
    known = found["followers"] + found["hits"]
    return {"predicted": found.pop("answered") - known, **found}


def more(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    """Return by how much each count grew."""
    return {name: after[name] - before[name] for name in after}


def uploads(stage: Stage) -> list[str]:
    """Return the files of the image store."""
    return [p.name for p in (stage.directory / "uploads").rglob("*") if p.is_file()]


def test_copies_that_wait_together_are_predicted_once(stage: Stage) -> None:
    """The others have its labels, under their own ids; nothing of them is left."""
    with stage.working(worker(*TWO_CHILDREN)) as process:
        before, processes = counted(stage), stopped(process)
        accepted = stage.accepted(12, picture("red", size=LARGE, kind="PNG"))
        let_go(processes)
        answered = stage.answered(accepted, seconds=40)
        documents = [stage.get(f"/result/{task_id}").json() for task_id in accepted]
        wait_until(lambda: not uploads(stage))

    assert answered
    assert more(before, counted(stage)) == {"predicted": 1, "followers": 11, "hits": 0}
    assert [each["task_id"] for each in documents] == accepted
    assert {each["predictions"][0]["label"] for each in documents} == {"red"}
    assert uploads(stage) == []


def test_copies_of_a_picture_whose_process_is_killed_are_not_lost(stage: Stage) -> None:
    """Whoever waits for it predicts it, and it is itself answered by that."""
    with stage.working(worker(*TWO_CHILDREN)) as process:
        before, processes = counted(stage), stopped(process)
        accepted = stage.accepted(6, picture("green", size=LARGE, kind="PNG"))
        let_go(processes)
        os.kill(_who_works_on_the_first(stage), signal.SIGKILL)
        answered = stage.answered(accepted, seconds=40)

    grown = more(before, counted(stage))
    assert answered
    assert grown["predicted"] + grown["followers"] == 6
    assert grown["predicted"] <= 2


def _who_works_on_the_first(stage: Stage) -> int:
    """Return the process id once another child waits for what it does."""

    def owners() -> set[str]:
        jobs = [stage.redis.hgetall(key) for key in stage.redis.keys("petiole:job:*")]
        return {job["owner"] for job in jobs if job.get("state") == "STARTED"}

    assert wait_until(lambda: len(owners()) == 2, seconds=20)
    first = stage.redis.get(_answering(stage))
    owner = str(stage.redis.hget(f"petiole:job:{first}", "owner"))
    return psutil.Process(int(owner.rpartition(":")[2])).pid


def _answering(stage: Stage) -> str:
    keys = stage.redis.keys("petiole:answering:*")
    named = {key: stage.redis.get(key) for key in keys}
    (key,) = [
        k for k, t in named.items() if stage.redis.hget(f"petiole:job:{t}", "state") == "STARTED"
    ]
    return str(key)


def test_what_was_answered_lately_reaches_no_worker(stage: Stage) -> None:
    """The API gives it again, and says so."""
    image = picture("blue", size=(60, 40), kind="PNG")
    with stage.working(worker(*TWO_CHILDREN)):
        before = counted(stage)
        first = _classified(stage, image)
        second = _classified(stage, image)

    assert (first.headers["X-Cache"], second.headers["X-Cache"]) == ("miss", "hit")
    assert second.json()["predictions"] == first.json()["predictions"]
    assert more(before, counted(stage)) == {"predicted": 1, "followers": 0, "hits": 1}


def _classified(stage: Stage, image: bytes) -> requests.Response:
    files = {"image": ("a.png", image)}
    url = f"{stage.api_url}/classify?wait=20"
    return requests.post(url, files=files, timeout=HTTP_SECONDS)
