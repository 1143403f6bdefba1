"""A job that ends is one line of the log at most: which ends are, and what is said of them."""

import json
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient

from api import create_app
from tasks import jobs, once, stores
from tasks.job_stores import Job
from tests.conftest import picture

NAMED = {"X-Request-ID": "order-1"}


@pytest.fixture
def client(colour_store: str, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A client of an API that tells of every end and knows answers again."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", colour_store)
    monkeypatch.setenv("PETIOLE_TASKS_LOG_ENDS", "all")
    monkeypatch.setenv("PETIOLE_TASKS_CACHE_TTL_SECONDS", "60")
    return create_app().test_client()


def sent(client: FlaskClient, image: bytes = b"") -> str:
    """Send a picture and return its task."""
    form = {"image": (BytesIO(image or picture()), "a.jpg")}
    return str(client.post("/classify", data=form, headers=NAMED).json["task_id"])


def told(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return the fields of the lines that say that a job is over."""
    return [vars(each) for each in caplog.records if each.message == "job over"]


def waiting(kind: str = "classification") -> Job:
    """Return a job that nobody works on."""
    job = Job("four", "colours", 5, "a.jpg", 0.0, 0.0, kind=kind, request_id="order-2")
    stores.job_store().create(job)
    return job


def test_a_known_answer_is_an_end_like_any(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    """The second of two equal pictures is over when it is accepted."""
    caplog.set_level("INFO")
    sent_ids = [sent(client), sent(client)]
    found = told(caplog)

    assert [each["task_id"] for each in found] == sent_ids
    assert {(each["state"], each["model"], each["request_id"]) for each in found} == {
        ("SUCCESS", "colours@1", "order-1")
    }


def test_a_cancelled_job_is_one_line(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    """Under the id of the request that it came with, not of the one that cancels it."""
    caplog.set_level("INFO")
    waiting()
    client.delete("/result/four", headers=NAMED)
    jobs.fail("four", ZeroDivisionError())
    jobs.end_revoked("four")
    (end,) = told(caplog)

    assert (end["state"], end["request_id"], end["task_id"]) == ("REVOKED", "order-2", "four")


WANTED = {"all": ["SUCCESS", "FAILURE"], "failures": ["FAILURE"], "none": []}


@pytest.mark.parametrize("setting", WANTED)
def test_which_ends_are_told_is_a_setting(
    client: FlaskClient,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
) -> None:
    """A picture that is broken is its client's fault, and no error of the service."""
    monkeypatch.setenv("PETIOLE_TASKS_LOG_ENDS", setting)
    once.begin_anew()
    caplog.set_level("INFO")
    sent(client)
    sent(client, picture(size=(300, 300))[:-900])

    assert WANTED[setting] == [each["state"] for each in told(caplog)]
    assert {each["levelname"] for each in told(caplog)} <= {"INFO"}


def test_an_unforeseen_error_is_always_told(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its traceback; its message may name what a client must not see."""
    monkeypatch.setenv("PETIOLE_TASKS_LOG_ENDS", "none")
    once.begin_anew()
    waiting()
    jobs.fail("four", ZeroDivisionError("a place of the inside"))
    (end,) = told(caplog)
    document = json.loads(stores.job_store().document("four") or "")

    assert (end["levelname"], end["error"]) == ("ERROR", "internal-error")
    assert "a place of the inside" in caplog.text
    assert "a place of the inside" not in json.dumps(document)
