"""Every address below the path that a proxy puts before it; and whom the API believes that."""

import re
from io import BytesIO

import pytest
from flask.testing import FlaskClient

from api import create_app
from api.wsgi import environ_of
from tasks import once
from tests.conftest import picture
from tests.test_api.test_events import told

PREFIX = "/pictures"
PAGES = ("/", "/models", "/models/colours", "/problems", "/docs/", "/no-such-page", "/admin")
STRANGER, NEIGHBOUR = "203.0.113.9", "127.0.0.1"


@pytest.fixture(params=["SCRIPT_NAME", "X-Forwarded-Prefix"])
def below(
    request: pytest.FixtureRequest, colour_store: str, monkeypatch: pytest.MonkeyPatch
) -> FlaskClient:
    """A client of an API that is below a prefix: its server says so, or a trusted proxy."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", colour_store)
    if request.param == "SCRIPT_NAME":
        app = create_app()
        inner = app.wsgi_app
        app.wsgi_app = lambda environ, start: inner(environ | {"SCRIPT_NAME": PREFIX}, start)
        return app.test_client()
    client = behind(monkeypatch, proxies=1)
    client.environ_base |= {
        "HTTP_X_FORWARDED_PREFIX": f"{PREFIX}/",
        "HTTP_X_FORWARDED_FOR": NEIGHBOUR,
    }
    return client


def behind(monkeypatch: pytest.MonkeyPatch, *, proxies: int) -> FlaskClient:
    """Return a client of an API that trusts so many proxies."""
    monkeypatch.setenv("PETIOLE_API_TRUSTED_PROXIES", str(proxies))
    monkeypatch.setenv("PETIOLE_API_REQUIRE_KEYS", "false")
    once.begin_anew()
    return create_app().test_client()


def test_an_accepted_picture(below: FlaskClient) -> None:
    """`Location` and `result_url` lead through the proxy."""
    answer = below.post("/classify", data=picture(), content_type="image/png")

    expected = f"{PREFIX}/result/{answer.json['task_id']}"
    assert [answer.headers["Location"], answer.json["result_url"]] == [expected, expected]


def test_a_finished_picture(below: FlaskClient) -> None:
    """`Content-Location` leads through the proxy; a browser's form is led there, too."""
    query = {"wait": "5"}
    data = below.post("/classify", data=picture(), content_type="image/png", query_string=query)
    form = below.post("/classify", data=picture(), headers=as_browser(), query_string=query)

    assert data.status_code == 200
    assert data.headers["Content-Location"] == f"{PREFIX}/result/{data.json['task_id']}"
    assert form.status_code == 303
    assert form.headers["Location"].startswith(f"{PREFIX}/result/")


def as_browser() -> dict[str, str]:
    """Return what a browser says that it takes."""
    return {"Accept": "text/html", "Content-Type": "image/png"}


def test_a_failed_picture(below: FlaskClient) -> None:
    """The document that a worker stored without a prefix has it in every answer."""
    cut = picture(kind="PNG")[:-40]
    sent = below.post("/classify", data=cut, content_type="image/png", query_string={"wait": "5"})
    asked = below.get(f"/result/{sent.json['task_id']}")
    streamed = told(below.get(f"/events?task={sent.json['task_id']}").data)[-1]

    expected = [f"{PREFIX}/problems#truncated-image", f"{PREFIX}/result/{sent.json['task_id']}"]
    assert sent.status_code == 422
    for document in (sent.json, asked.json, streamed["data"]):
        assert [document["error"]["type"], document["error"]["instance"]] == expected
    page = below.get(f"/result/{sent.json['task_id']}", headers=as_browser()).text
    assert f'href="{expected[0]}"' in page


def test_problems(below: FlaskClient) -> None:
    """`type` and `instance` of every refusal, the table, and what a stream tells of a stranger."""
    refused = below.get("/result/unknown").json
    streamed = told(below.get("/events?task=unknown").data)[-1]
    table = below.get("/problems", headers={"Accept": "application/json"}).json

    expected = (f"{PREFIX}/problems#unknown-task", f"{PREFIX}/result/unknown")
    for document in (refused, streamed["data"]):
        assert (document["type"], document["instance"]) == expected
    assert all(row["type"].startswith(f"{PREFIX}/problems#") for row in table)
    assert below.get("/no-such-page").json["type"] == "about:blank"


def test_a_wait_that_is_over(below: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compatible routes name the result's address below the prefix, twice."""
    monkeypatch.setenv("PETIOLE_API_COMPATIBLE_WAIT_SECONDS", "0")
    once.begin_anew()
    answer = below.post("/predict", data={"image": (picture_file(), "a.png")})

    url = f"{PREFIX}/result/{answer.json['task_id']}"
    assert answer.status_code == 504
    assert answer.json["result_url"] == url
    assert f"ask {url} for it" in answer.json["detail"]


def picture_file() -> BytesIO:
    """Return a picture as a file that is open."""
    return BytesIO(picture())


@pytest.mark.parametrize("path", PAGES)
def test_every_link_of_a_page(below: FlaskClient, path: str) -> None:
    """None leads past the proxy, and none of a script, style or picture."""
    page = below.get(path, headers={"Accept": "text/html"}).text
    links = re.findall(r'(?:href|src|action|data-sample)="([^"]*)"', page)
    own = [link for link in links if not link.startswith(("#", "http://127.0.0.1:5555"))]

    assert own
    assert [link for link in own if not link.startswith((f"{PREFIX}/", "./"))] == []


def test_the_specification(below: FlaskClient) -> None:
    """Its server is the address that this client asks, not the one of whoever asked first."""
    first = below.get("/openapi.json", headers={"Host": "first.example"}).json
    second = below.get("/openapi.json", headers={"Host": "second.example:8443"}).json
    page = below.get("/docs/").text

    assert first["servers"] == [{"url": f"http://first.example{PREFIX}"}]
    assert second["servers"] == [{"url": f"http://second.example:8443{PREFIX}"}]
    assert '"../openapi.json"' in page


def test_what_a_trusted_proxy_says(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scheme, name and path are those of the address that the client asked."""
    headers = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "photos.example",
        "X-Forwarded-Prefix": PREFIX,
    }
    trusting = behind(monkeypatch, proxies=1)

    servers = trusting.get("/openapi.json", headers=headers).json["servers"]
    assert servers == [{"url": f"https://photos.example{PREFIX}"}]
    once.begin_anew()
    servers = client.get("/openapi.json", headers=headers).json["servers"]
    assert servers == [{"url": "http://localhost"}]


def test_two_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the outer one says is believed: the inner one adds its own after it."""
    client = behind(monkeypatch, proxies=2)
    headers = {
        "X-Forwarded-Proto": "https, http",
        "X-Forwarded-Host": "photos.example, inner.example",
        "X-Forwarded-Prefix": f"{PREFIX}, /inner",
    }
    servers = client.get("/openapi.json", headers=headers).json["servers"]

    assert servers == [{"url": f"https://photos.example{PREFIX}"}]


@pytest.mark.parametrize(
    "prefix", ["//evil.example", "https://evil.example", "/a//b", "a", "/a b", "/a?b", '/"><b>']
)
def test_a_prefix_that_is_no_path(monkeypatch: pytest.MonkeyPatch, prefix: str) -> None:
    """A proxy that hands on what a client invented leads nobody to another service."""
    client = behind(monkeypatch, proxies=1)
    answer = client.get("/result/unknown", headers={"X-Forwarded-Prefix": prefix})

    assert answer.json["instance"] == "/result/unknown"


@pytest.mark.parametrize(
    ("proxies", "forwarded_for", "sender", "status"),
    [
        (0, None, NEIGHBOUR, 200),
        (0, STRANGER, NEIGHBOUR, 404),
        (0, NEIGHBOUR, NEIGHBOUR, 404),
        (1, None, NEIGHBOUR, 200),
        (1, None, STRANGER, 404),
        (1, NEIGHBOUR, NEIGHBOUR, 200),
        (1, STRANGER, NEIGHBOUR, 404),
        (1, f"{NEIGHBOUR}, {STRANGER}", NEIGHBOUR, 404),
        (1, f"{STRANGER}, {NEIGHBOUR}", NEIGHBOUR, 200),
        (2, f"{NEIGHBOUR}, {STRANGER}, 10.0.0.1", NEIGHBOUR, 404),
        (2, f"{STRANGER}, {NEIGHBOUR}, 10.0.0.1", NEIGHBOUR, 200),
        (2, NEIGHBOUR, NEIGHBOUR, 404),
    ],
)
def test_who_is_on_this_machine(
    monkeypatch: pytest.MonkeyPatch,
    proxies: int,
    forwarded_for: str | None,
    sender: str,
    status: int,
) -> None:
    """Behind a proxy everybody comes from its address; what a client invents is not believed."""
    client = behind(monkeypatch, proxies=proxies)
    headers = {"Host": "127.0.0.1:8000"}
    if forwarded_for:
        headers["X-Forwarded-For"] = forwarded_for
    answers = [
        client.get(path, headers=headers, environ_base={"REMOTE_ADDR": sender}).status_code
        for path in ("/jobs", "/admin")
    ]

    assert answers == [status, status]


def test_the_links_to_the_operators_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A visitor who would be refused is not shown them; an operator may open them to everybody."""
    client = behind(monkeypatch, proxies=1)
    headers = {"X-Forwarded-For": STRANGER, "Accept": "text/html"}

    assert 'href="/jobs"' not in client.get("/", headers=headers).text
    monkeypatch.setenv("PETIOLE_API_SHOW_JOBS", "1")
    once.begin_anew()
    assert 'href="/jobs"' in client.get("/", headers=headers).text


@pytest.mark.parametrize(
    ("asked", "path"),
    [("/pictures/livez", "/livez"), ("/livez", "/livez"), ("/picturesque", "/picturesque")],
)
def test_a_root_path_is_taken_off(asked: str, path: str) -> None:
    """With `SCRIPT_NAME` a proxy may hand on the whole path, or what is below it."""
    scope = {
        "method": "GET",
        "raw_path": asked.encode(),
        "query_string": b"",
        "root_path": PREFIX,
        "server": ("127.0.0.1", 80),
        "client": None,
        "scheme": "http",
        "http_version": "1.1",
        "headers": [],
    }
    environ = environ_of(scope, picture_file(), 0)

    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (PREFIX, path)
