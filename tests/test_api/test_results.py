"""`/result/<task_id>`: what a client sees of a job from acceptance to expiry."""

from dataclasses import replace
from io import BytesIO
from time import time
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from tasks import jobs, stores
from tasks.job_stores import Job, Outcome
from tests.conftest import picture, stored_uploads


def submitted(client: FlaskClient, upload: bytes) -> str:
    """POST one picture and return its task id."""
    response = client.post("/classify", data={"image": (BytesIO(upload), "photo.jpg")})
    return str(response.json["task_id"])


def waiting_job(*, lane: str = "") -> str:
    """Record a job that no worker has taken yet, and return its id."""
    now = time()
    job = Job(str(uuid4()), "colours", 5, "photo.jpg", accepted_at=now, queued_since=now, lane=lane)
    stores.job_store().create(job)
    return job.task_id


def test_a_finished_job_is_a_whole_document(client: FlaskClient) -> None:
    """Everything that was promised is in it, with labels from best to worst."""
    task_id = submitted(client, picture("blue"))
    response = client.get(f"/result/{task_id}")

    document = response.json
    labels = [prediction["label"] for prediction in document["predictions"]]
    assert response.status_code == 200
    assert (document["task_id"], document["state"]) == (task_id, "SUCCESS")
    assert (document["model"], document["model_version"]) == ("colours", 1)
    assert (document["runtime"], document["filename"]) == ("openvino", "photo.jpg")
    assert labels[0] == "blue"
    assert set(document["timings_ms"]) == {"queued", "download", "decode", "predict", "total"}


def test_probabilities_are_the_networks(client: FlaskClient) -> None:
    """Softmax over the channel means, computed by hand for pure blue."""
    task_id = submitted(client, picture("blue", kind="PNG"))
    predictions = client.get(f"/result/{task_id}").json["predictions"]

    # exp(0.02 * 255) = 164.02; 164.02 / (164.02 + 2) = 0.98795
    assert predictions[0] == {
        "label": "blue",
        "class_index": 2,
        "probability": pytest.approx(0.98795, abs=1e-4),
    }


def test_a_broken_picture_fails_with_a_problem_document(client: FlaskClient) -> None:
    """The header was fine, the pixels are not: FAILURE, 200, and a stable type."""
    whole = picture(size=(400, 300))
    task_id = submitted(client, whole[: len(whole) // 2])
    response = client.get(f"/result/{task_id}")

    assert (response.status_code, response.json["state"]) == (200, "FAILURE")
    assert response.json["error"]["type"] == "/problems#truncated-image"
    assert response.json["error"]["instance"] == f"/result/{task_id}"
    assert "predictions" not in response.json


def test_the_picture_is_deleted_when_the_job_is_over(client: FlaskClient) -> None:
    """Neither a success nor a failure leaves its upload behind."""
    submitted(client, picture())
    submitted(client, picture(size=(400, 300))[:700])

    assert stored_uploads() == 0


def test_an_unfinished_job_is_202_with_its_state(client: FlaskClient) -> None:
    """The state is in the body, and the header says when to ask again."""
    task_id = waiting_job()
    pending = client.get(f"/result/{task_id}")
    stores.job_store().claim(task_id, stage="classify")
    started = client.get(f"/result/{task_id}")

    assert [pending.status_code, started.status_code] == [202, 202]
    assert [pending.json["state"], started.json["state"]] == ["PENDING", "STARTED"]
    assert "Retry-After" in pending.headers


def test_an_id_that_never_was_is_404(client: FlaskClient) -> None:
    """Celery would call it PENDING for ever."""
    for response in (client.get("/result/nope?wait=1"), client.delete("/result/nope")):
        assert response.status_code == 404
        assert response.json["type"] == "/problems#unknown-task"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_expired_result_is_410(client: FlaskClient, method: str) -> None:
    """The id existed, its result was kept as long as promised, and is gone."""
    task_id = submitted(client, picture())
    store = stores.job_store()
    store._documents[task_id] = ("", 0.0)
    response = client.open(f"/result/{task_id}", method=method)

    assert (response.status_code, response.json["type"]) == (410, "/problems#expired-result")


def test_a_cancelled_job_is_then_forgotten(client: FlaskClient) -> None:
    """REVOKED is final and keeps no picture; a second DELETE forgets it, a third finds nothing."""
    task_id = waiting_job()
    stores.image_store().put(task_id, picture())
    first, left = client.delete(f"/result/{task_id}"), stored_uploads()
    seen = client.get(f"/result/{task_id}").json["state"]
    claimed = stores.job_store().claim(task_id, stage="classify")
    second, third = client.delete(f"/result/{task_id}"), client.delete(f"/result/{task_id}")

    assert (first.status_code, first.json["state"], seen) == (200, "REVOKED", "REVOKED")
    assert (claimed, left) == (None, 0)
    assert [second.status_code, third.status_code] == [204, 410]


def test_a_running_job_is_cancelled(client: FlaskClient) -> None:
    """What its worker says afterwards counts no more, be it an answer or a failure."""
    task_id = waiting_job()
    stores.job_store().claim(task_id, stage="classify")
    response = client.delete(f"/result/{task_id}")
    jobs.fail(task_id, RuntimeError("late"))
    answered = stores.job_store().finish(task_id, Outcome("SUCCESS", "{}", {}))

    assert (response.status_code, response.json["state"]) == (200, "REVOKED")
    assert not answered
    assert client.get(f"/result/{task_id}").json["state"] == "REVOKED"


def test_a_finished_job_is_forgotten(client: FlaskClient) -> None:
    """Document, picture and what the client told are gone; the id says so from then on."""
    from tasks.celery import app

    task_id = submitted(client, picture())
    before = app.AsyncResult(task_id).state
    response = client.delete(f"/result/{task_id}")
    after = [client.open(f"/result/{task_id}", method=method) for method in ("GET", "DELETE")]

    assert (response.status_code, response.data) == (204, b"")
    assert [(r.status_code, r.json["type"]) for r in after] == [
        (410, "/problems#expired-result")
    ] * 2
    assert "deleted" in after[0].json["detail"]
    assert "photo.jpg" not in repr(stores.job_store().get(task_id))
    assert (before, app.AsyncResult(task_id).state) == ("SUCCESS", "PENDING")


def test_a_message_for_a_revoked_job_changes_nothing(client: FlaskClient) -> None:
    """A worker that missed the revocation finds it in the record."""
    from tasks.classify import classify

    task_id = waiting_job()
    client.delete(f"/result/{task_id}")
    outcome = classify.apply(args=(task_id,), task_id=task_id)

    assert outcome.state == "IGNORED"
    assert client.get(f"/result/{task_id}").json["state"] == "REVOKED"


def test_a_job_that_keeps_losing_its_worker_fails(client: FlaskClient) -> None:
    """After three starts without an end the fourth is refused as poison."""
    from tasks.classify import classify

    task_id = waiting_job()
    for _ in range(3):
        stores.job_store().claim(task_id, stage="classify")
    classify.apply(args=(task_id,), task_id=task_id)

    document = client.get(f"/result/{task_id}").json
    assert document["error"]["type"] == "/problems#worker-lost"


def test_what_is_explained_is_not_held_against_a_job(client: FlaskClient) -> None:
    """A start that was put off for a store that was away is no lost worker."""
    task_id = waiting_job()
    for _ in range(5):
        job = jobs.claim(task_id, stage="classify")
        stores.job_store().postpone(job, seconds=0.0)

    assert jobs.claim(task_id, stage="classify").attempts == 1
    assert stores.job_store().get(task_id).postponed == 5


def test_a_revocation_by_celery_reaches_the_client(client: FlaskClient) -> None:
    """From Flower or the command line: the job is over, and a later end changes nothing."""
    task_id = waiting_job()
    jobs.end_revoked(task_id)
    jobs.fail(task_id, RuntimeError("late"))

    assert client.get(f"/result/{task_id}").json["state"] == "REVOKED"


def test_a_picture_is_wanted_while_its_job_runs(client: FlaskClient) -> None:
    """The sweep takes those of jobs that are over or unknown."""
    running, over = waiting_job(), submitted(client, picture())

    assert [jobs.is_wanted(task_id) for task_id in (running, over, "nope")] == [True, False, False]


@pytest.mark.parametrize("error", [MemoryError, RecursionError])
def test_a_memory_error_fails_only_its_job(error: type[Exception]) -> None:
    """Celery would end the worker's main process with the first; neither is held for a bug."""
    from tasks.celery import app
    from tasks.errors import JobMemoryError

    @app.task(name="greedy", shared=False)
    def greedy() -> None:
        raise error

    outcome = greedy.apply()
    app.tasks.unregister("greedy")

    assert isinstance(outcome.result, JobMemoryError)


def test_replaced_records_keep_their_order() -> None:
    """Time in queues adds up over both stages and is never negative."""
    job = Job("id", "m", 5, "f", accepted_at=10.0, queued_since=10.0)
    later = replace(job, queued_ms=job.queued_ms_at(10.5), queued_since=20.0)

    assert job.queued_ms_at(9.0) == 0.0
    assert later.queued_ms_at(20.25) == pytest.approx(750.0)


def test_the_same_again_is_304(client: FlaskClient) -> None:
    """A finished document has one ETag for ever; a 304 has it again, and no body."""
    url = f"/result/{submitted(client, picture())}"
    first = client.get(url)
    tags = [first.headers["ETag"], f'"other", {first.headers["ETag"]}', "*"]
    again = [client.get(f"{url}?wait=5", headers={"If-None-Match": tag}) for tag in tags]

    assert first.get_etag()[1] is False  # not weak
    assert [(r.status_code, r.data) for r in again] == [(304, b"")] * 3
    assert {r.headers["ETag"] for r in again} == {first.headers["ETag"]}
    assert client.get(url, headers={"If-None-Match": '"other"'}).data == first.data


def test_what_has_changed_is_sent(client: FlaskClient) -> None:
    """A waiting task is 304 while it waits in the same place; each change is a new answer."""
    task_id = waiting_job()
    url = f"/result/{task_id}"
    tag = client.get(url).headers["ETag"]
    same = client.get(url, headers={"If-None-Match": tag})
    stores.job_store().claim(task_id, stage="classify")
    started = client.get(url, headers={"If-None-Match": tag})
    jobs.fail(task_id, ValueError("no"))
    over = client.get(url, headers={"If-None-Match": started.headers["ETag"]})

    assert [r.status_code for r in (same, started, over)] == [304, 202, 200]
    assert (same.headers["Retry-After"], started.json["state"]) == ("1", "STARTED")


def test_what_is_gone_is_no_304(client: FlaskClient) -> None:
    """An ETag does not outlive its result."""
    url = f"/result/{submitted(client, picture())}"
    tag = client.get(url).headers["ETag"]
    client.delete(url)

    assert client.get(url, headers={"If-None-Match": tag}).status_code == 410
