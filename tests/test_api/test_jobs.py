"""`/jobs`: an operator's view, and what becomes of pictures in quarantine."""

import pytest
from flask.testing import FlaskClient

from model_store.errors import NotAnImageError
from tasks import jobs, once, stores, working
from tasks.errors import PoisonedJobError
from tests.conftest import picture, stored_uploads
from tests.test_api.test_results import waiting_job


@pytest.fixture
def quarantined(client: FlaskClient) -> str:
    """The id of a job whose picture, a green one, took every worker with it."""
    task_id = waiting_job()
    stores.image_store().put(task_id, picture("green"))
    for _ in range(3):
        stores.job_store().claim(task_id, stage="classify")
    jobs.try_again(task_id, PoisonedJobError("the job lost its worker 3 times"))
    return task_id


def test_a_picture_that_takes_workers_is_kept(client: FlaskClient, quarantined: str) -> None:
    """The job has failed, and its picture can still be looked at."""
    listed = client.get("/jobs").json["quarantined"]

    assert [(job["task_id"], job["attempts"]) for job in listed] == [(quarantined, 3)]
    assert client.get(f"/result/{quarantined}").json["state"] == "FAILURE"
    assert jobs.is_wanted(quarantined)


def test_it_is_tried_again_as_a_new_job(client: FlaskClient, quarantined: str) -> None:
    """The failed one stays failed: a terminal state never changes."""
    again = client.post(f"/jobs/{quarantined}/retry")
    document = client.get(again.headers["Location"]).json

    assert (again.status_code, document["predictions"][0]["label"]) == (202, "green")
    assert client.get(f"/result/{quarantined}").json["state"] == "FAILURE"
    assert client.get("/jobs").json["quarantined"] == []
    assert stored_uploads() == 0


def test_the_new_job_is_below_a_proxys_path(client: FlaskClient, quarantined: str) -> None:
    """`Location` and `result_url` lead through the proxy."""
    again = client.post(f"/jobs/{quarantined}/retry", base_url="http://localhost/pictures")

    assert again.headers["Location"] == again.json["result_url"]
    assert again.json["result_url"] == f"/pictures/result/{again.json['task_id']}"


def test_a_failed_upload_cannot_be_tried_again(client: FlaskClient) -> None:
    """Its bytes are deleted: 410, as the specification says, and what to do."""
    task_id = waiting_job()
    jobs.fail(task_id, NotAnImageError("not a picture"))
    refused = client.post(f"/jobs/{task_id}/retry")
    operation = client.get("/openapi.json").json["paths"]["/jobs/{task_id}/retry"]["post"]

    assert (refused.status_code, "410" in operation["responses"]) == (410, True)
    assert "its client has to send it again" in refused.json["detail"]


def test_what_a_client_cancelled_is_not_fetched_again(client: FlaskClient) -> None:
    """It has not failed: nobody wants it."""
    task_id = waiting_job()
    client.delete(f"/result/{task_id}")

    assert client.post(f"/jobs/{task_id}/retry").status_code == 404


def test_it_can_be_purged_once(client: FlaskClient, quarantined: str) -> None:
    """Picture and entry are gone; what is not in quarantine is not purged."""
    statuses = [client.delete(f"/jobs/{quarantined}").status_code for _ in range(2)]

    assert statuses == [204, 404]
    assert stored_uploads() == 0


def test_its_client_can_have_it_forgotten(client: FlaskClient, quarantined: str) -> None:
    """Then its picture is kept for nobody."""
    statuses = [client.delete(f"/result/{quarantined}").status_code for _ in range(2)]

    assert statuses == [204, 410]
    assert client.get("/jobs").json["quarantined"] == []
    assert stored_uploads() == 0


def test_open_jobs_are_listed_where_they_are(client: FlaskClient) -> None:
    """Waiting until they are claimed, then started."""
    waiting, started = waiting_job(lane="classify"), waiting_job(lane="classify")
    stores.job_store().claim(started, stage="classify", owner="classify:here:1")
    overview = client.get("/jobs").json
    one = client.get(f"/jobs/{started}").json

    assert [job["task_id"] for job in overview["waiting"]] == [waiting]
    assert [job["task_id"] for job in overview["started"]] == [started]
    assert (one["place"], one["owner"]) == ("started", "classify:here:1")


@pytest.mark.parametrize(
    ("host", "said", "status"),
    [("127.0.0.1", "", 200), ("0.0.0.0", "", 404), ("0.0.0.0", "true", 200), ("::1", "no", 404)],  # noqa: S104
)
def test_strangers_do_not_see_them(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, host: str, said: str, status: int
) -> None:
    """Only where this machine alone can ask, or on request."""
    monkeypatch.setenv("PETIOLE_API_HOST", host)
    monkeypatch.setenv("PETIOLE_API_INSECURE", "true")
    if said:
        monkeypatch.setenv("PETIOLE_API_SHOW_JOBS", said)
    once.begin_anew()

    assert client.get("/jobs").status_code == status


def test_an_end_that_nobody_heard_of_leaves_no_picture(client: FlaskClient) -> None:
    """Redis stood still and wrote it later: whoever puts the job off finds it over."""
    task_id = waiting_job(lane="classify")
    stores.image_store().put(task_id, picture("green"))
    job = stores.job_store().claim(task_id, stage="classify", owner="classify:here:1")
    jobs.end_revoked(task_id)
    working.put_off(task_id, job, TimeoutError())

    assert client.get(f"/result/{task_id}").json["state"] == "REVOKED"
    assert stored_uploads() == 0
