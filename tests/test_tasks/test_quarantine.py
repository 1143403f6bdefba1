"""Jobs that took their workers with them, kept for a while: in memory and on a real server."""

import json
from dataclasses import replace
from time import sleep

import pytest
import redis
from pytest_httpserver import HTTPServer

from tasks import jobs, ledger, stores
from tasks.errors import ExpiredJobError, UnknownJobError
from tasks.job_stores import Job
from tasks.job_stores.quarantine import MemoryQuarantine, Quarantine, RedisQuarantine
from tasks.settings import TasksSettings
from tests.conftest import picture

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 - of the tests
JOB = Job("id", "colours", 1, "a.jpg", accepted_at=1.0, queued_since=1.0, attempts=3)


@pytest.fixture(params=["memory", "redis"])
def brief(request: pytest.FixtureRequest) -> Quarantine:
    """Each implementation in turn, empty, in which a job is kept for a second."""
    if request.param == "memory":
        return MemoryQuarantine(TasksSettings(quarantine_ttl_seconds=1))
    url = request.getfixturevalue("redis_url")
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return RedisQuarantine(TasksSettings(job_store_url=url, quarantine_ttl_seconds=1))


def test_a_job_is_kept_until_it_is_released(brief: Quarantine) -> None:
    """As it was when it failed; of two who release it one did."""
    brief.put(JOB)
    kept = [each.job for each in brief.all()]
    released = [brief.release("id") for _ in range(2)]

    assert (kept, released) == ([JOB], [True, False])
    assert (brief.all(), brief.has("id")) == ([], False)


def test_nothing_is_kept_for_ever(brief: Quarantine, redis_url: str) -> None:
    """Nobody looked at it in time: it is gone by itself, with whatever listed it."""
    brief.put(JOB)
    sleep(1.2)
    has = brief.has("id")
    with redis.Redis.from_url(redis_url) as client:
        left = client.keys("petiole:quarantine*")

    assert (has, left) == (False, [])
    assert brief.all() == []


@pytest.mark.parametrize("url", ["", "/picture.png"], ids=["upload", "address"])
def test_who_wanted_to_be_told_is_told_of_the_new_run(
    httpserver: HTTPServer, colour_store: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the id of the new job, with its end."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", colour_store)
    monkeypatch.setenv("PETIOLE_TASKS_WEBHOOK_SECRET", SECRET)
    for kind in ("WEBHOOK", "DOWNLOAD"):
        monkeypatch.setenv(f"PETIOLE_TASKS_{kind}_ALLOW_NETWORKS", "127.0.0.1/32")
    httpserver.expect_request("/picture.png").respond_with_data(picture("green"))
    httpserver.expect_request("/told", method="POST").respond_with_data("")
    kept = replace(JOB, webhook_url=httpserver.url_for("/told"))
    stores.image_store().put(JOB.task_id, picture("green"))
    if url:
        kept = replace(kept, image_url=httpserver.url_for(url), stage="download")
    stores.quarantine().put(kept)
    again = ledger.retry(JOB.task_id)
    told = [json.loads(r.get_data()) for r, _ in httpserver.log if r.path == "/told"]

    assert [each["type"] for each in told] == ["task.succeeded"]
    assert told[0]["data"]["task_id"] == again


@pytest.fixture
def failed(httpserver: HTTPServer, colour_store: str, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A job by address that failed, of a server that answers by now."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", colour_store)
    monkeypatch.setenv("PETIOLE_TASKS_DOWNLOAD_ALLOW_NETWORKS", "127.0.0.1/32")
    httpserver.expect_request("/picture.png").respond_with_data(picture("green"))
    job = replace(JOB, image_url=httpserver.url_for("/picture.png"), priority="low")
    stores.job_store().create(job)
    jobs.fail(JOB.task_id, ExpiredJobError("gone"))
    return job


def test_a_failed_address_is_fetched_again(failed: Job) -> None:
    """As a new job of the same kind; the failed one stays failed."""
    shown = ledger.find(failed.task_id)
    again = stores.job_store().get(ledger.retry(failed.task_id))

    assert (shown.place, shown.can_retry) == ("over", True)
    assert (again.state, again.image_url, again.priority) == ("SUCCESS", failed.image_url, "low")
    assert stores.job_store().get(failed.task_id).state == "FAILURE"
    assert not ledger.find(again.task_id).can_retry


@pytest.mark.parametrize("url", ["", "http://127.0.0.1/gone.png"])
def test_what_cannot_be_tried_again_is_said(url: str) -> None:
    """An upload is deleted when it fails; what did not fail needs no second try."""
    stores.job_store().create(replace(JOB, image_url=url))
    with pytest.raises(UnknownJobError, match="that failed"):
        ledger.retry(JOB.task_id)
    jobs.fail(JOB.task_id, ExpiredJobError("gone"))

    assert ledger.find(JOB.task_id).can_retry == bool(url)
    if not url:
        with pytest.raises(ExpiredJobError, match="has to send it again"):
            ledger.retry(JOB.task_id)
