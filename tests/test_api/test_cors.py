"""Pages of other origins: none may read anything, until the operator names them."""

import pytest
from flask.testing import FlaskClient
from pydantic import ValidationError
from werkzeug.test import TestResponse

from api import create_app
from api.settings import ApiSettings
from tasks import once
from tests.conftest import picture

APP, OTHER = "https://app.example", "https://other.example"
ALLOWED = "Access-Control-Allow-Origin"


def opened(monkeypatch: pytest.MonkeyPatch, origins: str) -> FlaskClient:
    """Return a client of an API that is open to some origins."""
    monkeypatch.setenv("PETIOLE_API_CORS_ORIGINS", origins)
    once.begin_anew()
    return create_app().test_client()


@pytest.fixture
def named(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> FlaskClient:
    """A client of an API that is open to `APP` and one more."""
    return opened(monkeypatch, f"http://10.0.0.1:3000, {APP}")


def post(client: FlaskClient, origin: str = APP, **query: str) -> TestResponse:
    """Send a picture as a page of an origin does."""
    headers = {"Origin": origin, "Content-Type": "image/png"}
    return client.post("/classify", data=picture(), headers=headers, query_string=query)


def preflight(client: FlaskClient, path: str, method: str, origin: str = APP) -> TestResponse:
    """Ask what a browser asks before it sends a request that no form could."""
    headers = {
        "Origin": origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "content-type,idempotency-key",
    }
    return client.options(path, headers=headers)


def test_nobody_without_the_setting(client: FlaskClient) -> None:
    """Neither an answer nor a preflight has a word of it."""
    for answer in (post(client), preflight(client, "/classify", "POST")):
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
        assert "Origin" not in answer.vary


def test_a_named_origin_reads_answers_and_their_headers(named: FlaskClient) -> None:
    """By its own name, and never with credentials."""
    answer = post(named)

    assert answer.status_code == 202
    assert answer.headers[ALLOWED] == APP
    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"Location", "Content-Location", "Retry-After", "ETag"} <= set(exposed)
    assert "Origin" in answer.vary
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        *("/result/unknown", "/no-such-page", "/events?task=unknown", "/events"),
        *("/static/client.js", "/openapi.json", "/models", "/readyz", "/problems"),
    ],
)
def test_every_kind_of_answer(named: FlaskClient, path: str) -> None:
    """Problems of every status, streams and files: a script can say what is wrong."""
    answer = named.get(path, headers={"Origin": APP})

    assert (answer.headers[ALLOWED], "Origin" in answer.vary) == (APP, True)


def test_refusals_that_say_when_to_come_again(
    named: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503 with `Retry-After`, and 413 of the largest bodies."""
    monkeypatch.setenv("PETIOLE_TASKS_MAX_OPEN_BYTES", "1")
    once.begin_anew()
    full = post(named)
    headers = {"Origin": APP, "Content-Type": "image/png"}
    large = named.post("/classify", data=bytes(20_000_000), headers=headers)

    assert [full.status_code, large.status_code] == [503, 413]
    assert [full.headers[ALLOWED], large.headers[ALLOWED]] == [APP, APP]
    assert full.headers["Retry-After"]


@pytest.mark.parametrize(
    "origin",
    [OTHER, "null", f"{APP}.evil.example", "http://app.example", f"{APP}:8443", "https://"],
)
def test_no_other_origin(named: FlaskClient, origin: str) -> None:
    """Nor one that resembles it; a cache is told that the answer depends on the origin."""
    answer, before = post(named, origin), preflight(named, "/classify", "POST", origin)

    assert [ALLOWED in answer.headers, ALLOWED in before.headers] == [False, False]
    assert "Access-Control-Allow-Methods" not in before.headers
    assert "Origin" in answer.vary
    assert "Origin" in named.get("/models").vary


@pytest.mark.parametrize(
    ("path", "method"), [("/classify", "POST"), ("/result/x", "DELETE"), ("/events", "GET")]
)
def test_a_preflight(named: FlaskClient, path: str, method: str) -> None:
    """The methods and headers that the clients need are allowed."""
    answer = preflight(named, path, method)

    assert answer.status_code == 200
    assert answer.headers[ALLOWED] == APP
    assert method in answer.headers["Access-Control-Allow-Methods"].split(", ")
    allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"content-type", "idempotency-key", "prefer", "last-event-id"} <= set(allowed)


def test_every_origin(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """`*` is said as such, without credentials."""
    answer = post(opened(monkeypatch, "*"), OTHER)

    assert answer.headers[ALLOWED] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize("origins", [APP, "*"])
@pytest.mark.parametrize("path", ["/admin", "/jobs", "/jobs/x"])
def test_operators_routes_stay_closed(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, origins: str, path: str
) -> None:
    """Whoever is named reads nobody's jobs, and changes none."""
    opened_client = opened(monkeypatch, origins)
    headers = {"Origin": APP, "Host": "127.0.0.1"}
    answers = [opened_client.get(path, headers=headers), preflight(opened_client, path, "DELETE")]

    assert [ALLOWED in answer.headers for answer in answers] == [False, False]
    assert opened_client.delete("/jobs/x", headers=headers).status_code == 403


@pytest.mark.parametrize(
    "origin", ["app.example", f"{APP}/", f"{APP}/page", "HTTPS://App.example", "null", f"{APP}:x"]
)
def test_what_is_no_origin_stops_the_process(origin: str) -> None:
    """A name that no browser ever sends would open nothing, and say nothing."""
    with pytest.raises(ValidationError, match="is no origin"):
        ApiSettings(cors_origins=f"{OTHER}, {origin}")
