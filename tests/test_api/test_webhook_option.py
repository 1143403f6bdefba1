"""`webhook_url`: taken wherever options are, refused where it cannot be kept."""

import json
from base64 import b64encode
from io import BytesIO

import pytest
from flask.testing import FlaskClient
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tasks import once, stores
from tests.conftest import picture
from tests.test_tasks.test_webhooks import SECRETS


@pytest.fixture
def signing(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A client of an API that can sign, and may tell loopback."""
    monkeypatch.setenv("PETIOLE_TASKS_WEBHOOK_SECRET", SECRETS[0])
    monkeypatch.setenv("PETIOLE_TASKS_WEBHOOK_ALLOW_NETWORKS", "127.0.0.1/32")
    once.begin_anew()
    return client


@pytest.fixture
def received(httpserver: HTTPServer) -> list[Request]:
    """What a receiver at `/told` is sent."""
    seen: list[Request] = []

    def answer(request: Request) -> Response:
        request.get_data()
        seen.append(request)
        return Response(status=204)

    httpserver.expect_request("/told").respond_with_handler(answer)
    return seen


def send(client: FlaskClient, where: str, url: str):
    """POST a picture with a webhook_url in the query, the form or the JSON body."""
    if where == "query":
        query = {"webhook_url": url}
        return client.post(
            "/classify", query_string=query, data=picture(), content_type="image/jpeg"
        )
    if where == "form":
        data = {"image": (BytesIO(picture()), "a.jpg"), "webhook_url": url}
        return client.post("/classify", data=data)
    body = {"image": b64encode(picture()).decode(), "webhook_url": url}
    return client.post("/classify", json=body)


@pytest.mark.parametrize("where", ["query", "form", "json"])
def test_the_client_is_told(
    signing: FlaskClient, httpserver: HTTPServer, received: list[Request], where: str
) -> None:
    """Of what `GET /result` says."""
    response = send(signing, where, httpserver.url_for("/told"))
    document = signing.get(response.json["result_url"]).json
    (request,) = received

    assert (response.status_code, json.loads(request.get_data())["data"]) == (202, document)
    assert request.headers["webhook-id"] == f"msg_{response.json['task_id']}"


def test_a_failure_is_told(
    signing: FlaskClient, httpserver: HTTPServer, received: list[Request]
) -> None:
    """With the problem that `GET /result` has, too."""
    broken = picture(size=(400, 300))[:700]
    url = {"webhook_url": httpserver.url_for("/told")}
    signing.post("/classify", query_string=url, data=broken, content_type="image/jpeg")
    (event,) = (json.loads(request.get_data()) for request in received)

    assert event["type"] == "task.failed"
    assert event["data"]["error"]["type"] == "/problems#truncated-image"


def test_without_a_secret_it_is_refused(client: FlaskClient) -> None:
    """And says what to set; no job was made."""
    response = send(client, "query", "https://example.org/told")

    assert (response.status_code, response.json["type"]) == (422, "/problems#invalid-option")
    assert "set PETIOLE_TASKS_WEBHOOK_SECRET to whsec_" in response.json["errors"][0]["detail"]
    assert stores.job_store().load().open_jobs == 0


@pytest.mark.parametrize(
    "url", ["", "told", "ftp://example.org/", "http://", "https://user@example.org/"]
)
def test_what_is_no_address_is_refused(signing: FlaskClient, url: str) -> None:
    """Before anything is accepted."""
    response = send(signing, "json", url)

    assert (response.status_code, response.json["errors"][0]["option"]) == (422, "webhook_url")


def test_metrics_tell_of_webhooks(
    signing: FlaskClient, httpserver: HTTPServer, received: list[Request]
) -> None:
    """How many wait, how many were given up, and what became of each try."""
    send(signing, "query", httpserver.url_for("/told"))
    send(signing, "query", "http://10.0.0.1/told")
    text = signing.get("/metrics").text

    assert 'petiole_webhooks{state="due"} 0.0' in text
    assert 'petiole_webhooks{state="given up"} 1.0' in text
    assert 'petiole_webhook_tries_total{outcome="delivered"} 1.0' in text
    assert 'petiole_webhook_tries_total{outcome="given up"} 1.0' in text


def test_a_key_is_for_one_webhook(signing: FlaskClient, httpserver: HTTPServer) -> None:
    """The same request with another address to be told at is another request."""
    headers = {"Idempotency-Key": "mine"}

    def post(query: dict[str, str]):
        return signing.post(
            "/classify",
            query_string=query,
            data=picture(),
            content_type="image/jpeg",
            headers=headers,
        )

    first, other = post({}), post({"webhook_url": "http://10.0.0.1/told"})

    assert [first.status_code, other.status_code] == [202, 422]
    assert other.json["type"] == "/problems#idempotency-key-reused"
