"""What a client is promised beside the labels: room, place, deadline, priority, one job a key."""

from base64 import b64encode
from datetime import UTC, datetime
from time import sleep, time

import pytest
from flask.testing import FlaskClient

from tasks import jobs, lanes, once, publisher, stores
from tasks.job_stores import Job
from tasks.reconciler import Reconciler
from tests.conftest import picture, stored_uploads


def recorded(task_id: str, **more: object) -> str:
    """Record a job that no worker takes, and return its id."""
    now = time()
    fields = {"accepted_at": now, "queued_since": now, "lane": "classify", **more}
    stores.job_store().create(Job(task_id, "colours", 5, "photo.jpg", **fields))
    return task_id


def send(client: FlaskClient, upload: bytes = b"", query: str = "", key: str | None = None):
    """POST one picture, perhaps with an Idempotency-Key."""
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(
        f"/classify{query}",
        data=upload or picture(),
        content_type="image/jpeg",
        headers=headers,
    )


@pytest.fixture
def full(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A client of a service that has room for one picture, and has one."""
    monkeypatch.setenv("PETIOLE_TASKS_MAX_OPEN_JOBS", "1")
    once.begin_anew()
    recorded("first")
    return client


def test_a_full_service_takes_nothing(full: FlaskClient) -> None:
    """503 with the seconds until there is room; neither upload nor record stays."""
    responses = [send(full), send(full), full.get("/classify?image_url=http://1.1.1.1/a.jpg")]

    assert [r.status_code for r in responses] == [503] * 3
    assert {r.json["type"] for r in responses} == {"/problems#queue-full"}
    assert {r.headers["Retry-After"] for r in responses} == {"5"}
    assert (stored_uploads(), list(stores.job_store()._jobs)) == (0, ["first"])


def test_there_is_room_again_at_once(full: FlaskClient) -> None:
    """Well within the second that a refused client waits."""
    refused = send(full)
    full.delete("/result/first")
    sleep(0.15)

    assert (refused.status_code, send(full).status_code) == (503, 202)


def test_a_waiting_picture_has_a_place(client: FlaskClient) -> None:
    """When it was sent, how many are before it; an estimate once there is one."""
    ids = [recorded(str(n)) for n in range(9)]
    before = client.get("/result/8").json
    for task_id in ids[:7]:
        stores.job_store().claim(task_id, stage="classify")
        jobs.end_revoked(task_id) if task_id == "0" else jobs.fail(task_id, ValueError("no"))
    after = client.get("/result/8").json

    sent = datetime.fromisoformat(before["submitted_at"])
    assert abs((datetime.now(UTC) - sent).total_seconds()) < 30
    assert (before["ahead"], "estimate_seconds" in before) == (8, False)
    assert (after["ahead"], 0 <= after["estimate_seconds"] < 5) == (1, True)


def test_a_started_picture_has_none(client: FlaskClient) -> None:
    """It is in somebody's hands."""
    stores.job_store().claim(recorded("one"), stage="classify")
    answer = client.get("/result/one").json

    assert set(answer) == {"task_id", "state", "result_url", "submitted_at"}


def test_a_late_picture_is_dropped_when_it_is_taken(client: FlaskClient) -> None:
    """REVOKED with the reason, its upload gone, and counted."""
    from tasks.celery import app
    from tasks.classify import classify

    stores.image_store().put(recorded("late", deadline_seconds=0.01), picture())
    sleep(0.05)
    outcome = classify.apply(args=("late",), task_id="late")
    document = client.get("/result/late").json

    assert (outcome.state, app.AsyncResult("late").state) == ("IGNORED", "REVOKED")
    assert (document["state"], document["reason"]) == ("REVOKED", "deadline")
    assert stored_uploads() == 0
    assert 'petiole_jobs_total{error="deadline"' in client.get("/metrics").text


def test_a_late_picture_that_nobody_takes_is_dropped(client: FlaskClient) -> None:
    """By those who look for lost jobs; one that is worked on is left."""
    for task_id in ("late", "started", "patient"):
        seconds = 100.0 if task_id == "patient" else 0.3
        stores.image_store().put(recorded(task_id, deadline_seconds=seconds), picture())
    stores.job_store().claim("started", stage="classify")
    sleep(0.35)
    Reconciler().look()

    states = [client.get(f"/result/{t}").json["state"] for t in ("late", "started", "patient")]
    assert states == ["REVOKED", "STARTED", "PENDING"]
    assert stored_uploads() == 2


def test_a_record_that_expired_waits_nowhere(client: FlaskClient) -> None:
    """Else it would be looked at for ever, and take a place for ever."""
    recorded("gone")
    stores.job_store()._jobs.pop("gone")
    again = jobs.try_again("gone", ValueError())

    assert (again, stores.job_store().load().open_jobs) == (False, 0)


@pytest.mark.parametrize("where", ["query", "form", "json"])
def test_deadline_and_priority_may_stand_anywhere(client: FlaskClient, where: str) -> None:
    """As every option."""
    upload, said = picture(), {"deadline": "60", "priority": "low"}
    if where == "query":
        response = send(client, upload, "?deadline=60&priority=low")
    elif where == "form":
        response = client.post(
            "/classify", data={"image": (upload_stream(upload), "a.jpg"), **said}
        )
    else:
        body = {"image": b64encode(upload).decode(), "deadline": 60, "priority": "low"}
        response = client.post("/classify", json=body)
    job = stores.job_store().get(response.json["task_id"])

    assert (job.deadline_seconds, job.priority) == (60.0, "low")
    assert job.lane == lanes.lane("classify", lanes.LOW)


def upload_stream(upload: bytes):
    """Return bytes as a file."""
    from io import BytesIO

    return BytesIO(upload)


@pytest.mark.parametrize(
    "query", ["?deadline=0", "?deadline=-1", "?deadline=nan", "?deadline=x", "?priority=high"]
)
def test_what_cannot_be_promised_is_refused(client: FlaskClient, query: str) -> None:
    """422 with the option's name."""
    response = send(client, query=query)

    assert (response.status_code, response.json["type"]) == (422, "/problems#invalid-option")
    assert response.json["errors"][0]["option"] in query


def test_a_broker_without_priorities_says_so(client: FlaskClient, monkeypatch) -> None:
    """Over RabbitMQ low priority would be ignored."""
    monkeypatch.setenv("CELERY_BROKER_URL", "amqp://127.0.0.1:1//")
    monkeypatch.setitem(publisher.worker_app.conf, "task_always_eager", False)
    response = send(client, query="?priority=low")

    assert (response.status_code, response.json["errors"][0]["option"]) == (422, "priority")


def test_metrics_tell_what_waits(client: FlaskClient) -> None:
    """By queue and priority, and all that is open with its bytes."""
    recorded("one", upload_bytes=7)
    recorded("two", upload_bytes=5, lane=lanes.lane("classify", lanes.LOW), priority="low")
    recorded("three", lane="downloads", upload_bytes=0)
    stores.job_store().claim("two", stage="classify")
    series = set(client.get("/metrics").text.splitlines())

    assert {
        'petiole_waiting_jobs{priority="normal",queue="classify"} 1.0',
        'petiole_waiting_jobs{priority="low",queue="classify"} 0.0',
        'petiole_running_jobs{queue="classify"} 1.0',
        'petiole_open_jobs{queue="classify"} 2.0',
        'petiole_open_jobs{queue="downloads"} 1.0',
        *("petiole_open_pictures 3.0", "petiole_open_bytes 12.0"),
    } <= series


def test_who_scales_workers_is_told_the_open_work(client: FlaskClient) -> None:
    """What waits and what is begun, as numbers, without any reader of metrics."""
    recorded("one")
    recorded("two", lane=lanes.lane("classify", lanes.LOW), priority="low")
    stores.job_store().claim("one", stage="classify")

    answer = {"classify": 2, "downloads": 0, "bulk": 0, "explain": 0}
    assert client.get("/metrics/open-work").json == answer


def test_the_same_key_is_the_same_task(client: FlaskClient) -> None:
    """Answered as the first request was; nothing is stored or done for the second."""
    first, second = send(client, key="mine"), send(client, key="mine")
    waited = send(client, query="?wait=5", key="mine")

    assert [r.status_code for r in (first, second, waited)] == [202, 202, 200]
    assert len({r.json["task_id"] for r in (first, second, waited)}) == 1
    assert waited.json["state"] == "SUCCESS"
    assert (len(stores.job_store()._jobs), stored_uploads()) == (1, 0)


@pytest.mark.parametrize("other", ["picture", "option", "address"])
def test_the_same_key_for_another_request_is_refused(client: FlaskClient, other: str) -> None:
    """422, whatever differs."""
    send(client, key="mine")
    if other == "address":
        body, headers = {"image_url": "http://example.org/a.jpg"}, {"Idempotency-Key": "mine"}
        response = client.post("/classify", json=body, headers=headers)
    else:
        upload, query = (picture("blue"), "") if other == "picture" else (b"", "?top_k=1")
        response = send(client, upload, query, key="mine")

    assert response.status_code == 422
    assert response.json["type"] == "/problems#idempotency-key-reused"


@pytest.mark.parametrize("key", ["", "a" * 256, "caf\u00e9", "a\tb"])
def test_a_key_that_is_no_name_is_refused(client: FlaskClient, key: str) -> None:
    """1 to 255 printable characters."""
    response = send(client, key=key)

    assert (response.status_code, response.json["type"]) == (422, "/problems#invalid-option")


def test_a_key_whose_task_was_forgotten_is_gone(client: FlaskClient) -> None:
    """Who waits for it learns that; no new job is made behind the client's back."""
    task_id = send(client, key="mine").json["task_id"]
    client.delete(f"/result/{task_id}")

    assert send(client, query="?wait=1", key="mine").status_code == 410


def test_a_failed_acceptance_frees_the_key(client: FlaskClient, monkeypatch) -> None:
    """The broker was away: 503, nothing is left, and the next try makes a job."""
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setitem(publisher.worker_app.conf, "task_always_eager", False)
    failed = send(client, key="mine")
    left = (stored_uploads(), dict(stores.job_store()._jobs))
    monkeypatch.setitem(publisher.worker_app.conf, "task_always_eager", True)

    assert (failed.status_code, left) == (503, (0, {}))
    assert send(client, key="mine").status_code == 202


def test_a_cancelled_picture_is_not_predicted(client: FlaskClient, monkeypatch) -> None:
    """Its worker looks after a long decode; the answer of a short one is dropped at the end."""
    from tasks import cancellation, classify

    monkeypatch.setattr(classify, "LOOK_AFTER_SECONDS", 0.0)
    stores.image_store().put(recorded("one"), picture())
    job = jobs.claim("one", stage="classify")
    upload = stores.image_store().get("one")
    cancellation.cancel("one")
    model = classify.loaded_models.get("colours")

    with pytest.raises(classify.Ignore):
        classify._classified_or_failed(job, upload, model)
    with pytest.raises(classify.Ignore), classify._upload_of(job) as read_upload:
        read_upload()
    assert client.get("/result/one").json["state"] == "REVOKED"
