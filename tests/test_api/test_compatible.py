"""The two tutorials' interfaces: same shapes, honest statuses."""

import base64
from io import BytesIO
from threading import Thread
from time import sleep

import pytest
from flask.testing import FlaskClient

from api import waiting
from api.settings import settings
from tasks import cancellation, once, stores
from tasks.celery import app
from tests.conftest import picture


def predict(client: FlaskClient, upload: bytes, field: str = "image"):
    """POST one picture as the second tutorial's client does."""
    return client.post("/predict", data={field: (BytesIO(upload), "photo.jpg")})


def test_predict_answers_in_the_tutorials_shape(client: FlaskClient) -> None:
    """`success` and up to five rows of label and probability, nothing else."""
    response = predict(client, picture("green"))

    assert response.status_code == 200
    assert response.json["success"] is True
    assert [set(row) for row in response.json["predictions"]] == [{"label", "probability"}] * 3
    assert response.json["predictions"][0]["label"] == "green"


@pytest.mark.parametrize(
    ("upload", "field", "status"),
    [
        (picture(), "file", 400),
        (b"not a picture", "image", 415),
        (picture(size=(400, 300))[:700], "image", 422),
    ],
    ids=["no field", "no picture", "cut off"],
)
def test_predict_refuses_with_a_status(
    client: FlaskClient, upload: bytes, field: str, status: int
) -> None:
    """The original answered 200 with `success: false`, or 500."""
    response = predict(client, upload, field)

    assert response.status_code == status
    assert response.mimetype == "application/problem+json"


def test_classify_url_without_a_url_is_400(client: FlaskClient) -> None:
    """The original answered 500."""
    assert client.get("/classify").status_code == 400


def test_classify_url_refuses_private_addresses(client: FlaskClient) -> None:
    """The service is no way into the network it runs in."""
    response = client.get("/classify?image_url=http://127.0.0.1:1/secret.jpg")

    assert response.status_code == 422
    assert response.json["type"] == "/problems#download-refused"


def test_a_full_house_is_503_without_a_job(client: FlaskClient, monkeypatch) -> None:
    """When every place to wait is taken, nothing is accepted that could not be answered."""
    places = waiting._places()
    taken = [places.acquire(blocking=False) for _ in range(settings().max_waiters)]
    response = predict(client, picture())
    for _ in taken:
        places.release()

    assert (response.status_code, response.headers["Retry-After"]) == (503, "2")
    assert stores.job_store().counts() == {}


@pytest.mark.parametrize("route", ["POST /predict", "GET /classify"])
def test_a_task_that_is_revoked_while_its_client_waits_is_409(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, route: str
) -> None:
    """There is no answer to give, and the client learns which task it was."""
    # No worker takes it: the message stays with the broker.
    monkeypatch.setitem(app.conf, "task_always_eager", False)
    revoked = []
    revoker = Thread(target=lambda: revoked.append(_revoke_the_first()), daemon=True)
    revoker.start()
    if route == "POST /predict":
        response = predict(client, picture())
    else:
        response = client.get("/classify?image_url=http://pictures.example/a.jpg")
    revoker.join(timeout=30)

    assert (response.status_code, response.json["type"]) == (409, "/problems#task-revoked")
    assert [response.json["task_id"]] == revoked


def _revoke_the_first() -> str:
    """Revoke the first job that is accepted, and return its id."""
    jobs_by_id = stores.job_store()._jobs
    while not jobs_by_id:
        sleep(0.01)
    (task_id,) = list(jobs_by_id)
    cancellation.cancel(task_id)
    return str(task_id)


def test_a_service_that_does_not_wait_says_where_to_ask(client: FlaskClient, monkeypatch) -> None:
    """With a wait of 0 seconds the job is accepted, and its answer is fetched."""
    monkeypatch.setenv("PETIOLE_API_COMPATIBLE_WAIT_SECONDS", "0")
    once.begin_anew()
    response = predict(client, picture())

    assert (response.status_code, response.json["type"]) == (504, "/problems#wait-over")
    assert client.get(response.json["result_url"]).json["state"] == "SUCCESS"


def test_a_full_house_is_no_longer_full_when_they_leave(client: FlaskClient) -> None:
    """A place is given back, also by a request that failed."""
    statuses = [predict(client, b"no picture").status_code for _ in range(settings().max_waiters)]

    assert set(statuses) == {415}
    assert predict(client, picture()).status_code == 200


def test_an_address_that_is_the_picture(client: FlaskClient) -> None:
    """A `data:` URL is taken as it is, however its scheme is written."""
    text = base64.b64encode(picture("green")).decode()
    answer = client.get("/classify", query_string={"image_url": f"DATA:image/jpeg;base64,{text}"})

    assert next(iter(answer.json["labels"])) == "green"


def test_the_operators_hosts_are_known_before_there_is_a_job(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An address that may not be asked is refused by its text."""
    monkeypatch.setenv("PETIOLE_TASKS_DOWNLOAD_ALLOW_HOSTS", "*.b.example")
    once.begin_anew()
    answer = client.post("/classify", json={"image_url": "http://a.example/b.jpg"})

    assert (answer.status_code, answer.json["type"]) == (422, "/problems#download-refused")
