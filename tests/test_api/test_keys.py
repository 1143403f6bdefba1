"""Who may ask for what, where keys are required: each test fails when its wall is taken out."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api import access, create_app
from tasks import once, stores
from tasks.keys.records import ADMIN, BULK, CLASSIFY, MODELS, SCOPES, TRAIN, new
from tests.conftest import picture

GREEN = picture("green")
ID = "0b5a6c1e-3f0e-4c58-9a3c-000000000000"
BROWSER = {"Accept": "text/html"}
MakeKey = Callable[..., dict[str, str]]


@pytest.fixture
def guarded(colour_store: str, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """An API that requires keys, and forgets what it has looked up at once."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", colour_store)
    monkeypatch.setenv("PETIOLE_API_REQUIRE_KEYS", "true")
    monkeypatch.setenv("PETIOLE_API_KEY_MEMORY_SECONDS", "0")
    once.begin_anew()
    return create_app()


@pytest.fixture
def client(guarded: Flask) -> FlaskClient:
    """A client without a key."""
    return guarded.test_client()


@pytest.fixture
def key(guarded: Flask) -> MakeKey:
    """Make a key; returns the header that shows it."""

    def make(name: str = "ana", *scopes: str) -> dict[str, str]:
        made, token = new(name, scopes or (CLASSIFY, BULK, MODELS))
        stores.keys().create(made)
        return {"Authorization": f"Bearer {token}"}

    return make


def slug_of(answer: TestResponse) -> tuple[int, str]:
    """Return the status of an answer and the kind of its problem."""
    return answer.status_code, (answer.json or {}).get("type", "").partition("#")[2]


def routes(app: Flask) -> list[tuple[str, str, str]]:
    """Return method, path and endpoint of everything that can be asked."""
    fill = {"task_id": ID, "bulk_id": ID, "name": "colours", "path": "index.html"}
    found = []
    for rule in app.url_map.iter_rules():
        path = rule.rule.replace("<path:", "<")
        for name, value in fill.items():
            path = path.replace(f"<{name}>", value)
        found += [(m, path, rule.endpoint) for m in rule.methods - {"HEAD", "OPTIONS"}]
    return found


def test_every_route_but_the_open_ones_needs_a_key(guarded: Flask, client: FlaskClient) -> None:
    """Also those that are added later: what is in no table is closed."""
    closed = [(m, p) for m, p, endpoint in routes(guarded) if endpoint not in access.OPEN]
    answers = [client.open(path, method=method) for method, path in closed]

    assert {slug_of(each) for each in answers} == {(401, "no-key")}
    assert {each.headers["WWW-Authenticate"] for each in answers} == {'Bearer realm="petiole"'}
    assert len(closed) > 20


def test_a_route_that_nobody_listed_is_closed_to_every_key(guarded: Flask, key: MakeKey) -> None:
    """Whoever adds one has to say who may ask for it."""
    once.begin_anew()
    app = create_app()
    app.add_url_rule("/new", "new.route", lambda: "open")

    answer = app.test_client().get("/new", headers=key("ana", *SCOPES))

    assert slug_of(answer) == (403, "scope-missing")


@pytest.mark.parametrize(
    ("scope", "allowed"),
    [
        (CLASSIFY, {"classify", "compatible", "events", "results"}),
        (BULK, {"bulk"}),
        (TRAIN, {"events", "results"}),
        (MODELS, {"metrics"}),
        (ADMIN, {"admin", "jobs", "metrics", "results"}),
    ],
)
def test_a_scope_opens_its_routes_alone(
    guarded: Flask, client: FlaskClient, key: MakeKey, scope: str, allowed: set[str]
) -> None:
    """Those that any key may ask for are left out."""
    headers, opened = key("ana", scope), set()
    for method, path, endpoint in routes(guarded):
        blueprint = endpoint.partition(".")[0]
        if endpoint in access.OPEN or access.NEEDED[blueprint] == access.ANY:
            continue
        answer = client.open(path, method=method, headers=headers)
        if slug_of(answer) != (403, "scope-missing"):
            opened.add(blueprint)

    assert opened == allowed


@pytest.mark.parametrize(
    "shown",
    ["Bearer ptl_0123456789ab." + "x" * 43, "Bearer ", "Bearer x", "bearer ptl_x.y, Bearer z"],
)
def test_what_is_no_key_is_refused(client: FlaskClient, key: MakeKey, shown: str) -> None:
    """Whatever else is right."""
    key()

    answer = client.get("/models", headers={"Authorization": shown})
    assert slug_of(answer) == (401, "unknown-key")


def test_another_keys_secret_does_not_open(client: FlaskClient, key: MakeKey) -> None:
    """An id of one key with the secret of another is none of both."""
    one, other = key("ana")["Authorization"], key("ben")["Authorization"]
    mixed = f"{one.partition('.')[0]}.{other.partition('.')[2]}"

    assert client.get("/models", headers={"Authorization": mixed}).status_code == 401


def test_a_revoked_key_is_refused(client: FlaskClient, key: MakeKey) -> None:
    """As soon as it is not remembered."""
    headers = key()
    before = client.get("/models", headers=headers).status_code
    (made,) = stores.keys().all()
    stores.keys().revoke(made.key_id)

    assert (before, client.get("/models", headers=headers).status_code) == (200, 401)


def classified(client: FlaskClient, headers: dict[str, str], **more: str) -> str:
    """Return the id of a picture that was classified."""
    answer = client.post(
        "/classify?wait=5", data=GREEN, content_type="image/jpeg", headers=headers | more
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json["task_id"])


def test_a_result_is_there_for_the_key_that_made_it_alone(
    client: FlaskClient, key: MakeKey
) -> None:
    """Read, cancelled, forgotten or followed by another it is as unknown as one that never was."""
    ana, ben = key("ana"), key("ben", *SCOPES)
    task_id = classified(client, ana)
    ways = [("GET", "/result/{}"), ("DELETE", "/result/{}"), ("GET", "/events?task={}")]
    for method, path in ways:
        foreign, unknown = (
            client.open(path.format(each), method=method, headers=ben) for each in (task_id, ID)
        )
        assert slug_of(foreign) == slug_of(unknown) == (404, "unknown-task")
        assert foreign.text.replace(task_id, "") == unknown.text.replace(ID, "")

    assert client.get(f"/result/{task_id}", headers=ana).json["state"] == "SUCCESS"
    assert client.get(f"/events?task={task_id}", headers=ana).status_code == 200


def test_the_key_that_follows_reads_what_the_first_made(client: FlaskClient, key: MakeKey) -> None:
    """A rotation loses nothing."""
    task_id = classified(client, key("ana"))

    assert client.get(f"/result/{task_id}", headers=key("ana")).status_code == 200


def test_an_idempotency_key_is_its_clients_alone(client: FlaskClient, key: MakeKey) -> None:
    """The same name of two clients stands for two tasks, of one client for one."""
    ana, ben = key("ana"), key("ben")
    name = {"Idempotency-Key": "first"}
    ids = [classified(client, each, **name) for each in (ana, ana, ben)]

    assert ids[0] == ids[1] != ids[2]


def test_a_bulk_is_there_for_the_key_that_made_it_alone(client: FlaskClient, key: MakeKey) -> None:
    """Status, results, pause, cancel and deletion are all refused with the words for unknown."""
    ana, ben = key("ana"), key("ben")
    made = client.post("/bulk", json=["https://example.org/a.jpg"], headers=ana)
    bulk_id = made.json["bulk_id"]
    ways = [("GET", ""), ("GET", "/results"), ("DELETE", "")]
    ways += [("POST", f"/{verb}") for verb in ("pause", "resume", "cancel")]
    answers = [client.open(f"/bulk/{bulk_id}{p}", method=m, headers=ben) for m, p in ways]

    assert {slug_of(each) for each in answers} == {(404, "unknown-bulk")}
    assert client.get(f"/bulk/{bulk_id}", headers=ana).status_code == 200


def test_ready_tells_strangers_that_and_nothing_more(client: FlaskClient, key: MakeKey) -> None:
    """No host, no model, no reason; an operator is told all."""
    stores.job_store().announce_ready(
        "classify@inner-host:1",
        '{"process": "classify@inner-host:1", "queue": "classify", "state": "not ready",'
        ' "reason": "secret reason"}',
    )
    stranger, operator = client.get("/readyz"), client.get("/readyz", headers=key("op", ADMIN))

    assert client.get("/livez").status_code == 200
    assert "inner-host" in operator.text
    assert "secret reason" in operator.text
    assert "inner-host" not in stranger.text
    assert "secret reason" not in stranger.text
    assert stranger.json["checks"]["worker"] == "missing"


def logged_in(guarded: Flask, headers: dict[str, str]) -> FlaskClient:
    """Return a browser that has shown a key."""
    browser = guarded.test_client()
    form = {"key": headers["Authorization"].removeprefix("Bearer ")}
    answer = browser.post("/login", data=form, headers={"Sec-Fetch-Site": "same-origin"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    return browser


def test_a_browser_logs_in_and_out(guarded: Flask, client: FlaskClient, key: MakeKey) -> None:
    """Without a key a page leads to the login; the cookie is out of others' reach."""
    led = client.get("/", headers=BROWSER)
    browser = logged_in(guarded, key("ana", ADMIN, CLASSIFY))
    cookie = browser.get_cookie("petiole_session")
    page = browser.get("/", headers=BROWSER)
    browser.post("/logout", headers={"Sec-Fetch-Site": "same-origin"})

    assert (led.status_code, led.headers["Location"]) == (303, "/login")
    assert (cookie.http_only, cookie.same_site) == (True, "Strict")
    assert "Log out" in page.text
    assert "Admin" in page.text
    assert browser.get("/", headers=BROWSER).status_code == 303


def test_a_wrong_key_is_told_so_on_the_page(guarded: Flask) -> None:
    """The form comes again, and no cookie with it."""
    own = {"Sec-Fetch-Site": "same-origin"}
    answer = guarded.test_client().post("/login", data={"key": "ptl_x"}, headers=own)

    assert answer.status_code == 401
    assert "This key was never made here" in answer.text
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://localhost:3000"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "null"},
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/classify"),
        ("POST", "/login"),
        ("POST", "/logout"),
        ("DELETE", f"/jobs/{ID}"),
        ("GET", "/classify?image_url=http://example.org/a.jpg"),
    ],
)
def test_no_page_of_another_site_uses_the_cookie(
    guarded: Flask, key: MakeKey, method: str, path: str, headers: dict[str, str]
) -> None:
    """Nor one that does not say whose it is."""
    browser = logged_in(guarded, key("ana", *SCOPES))

    answer = browser.open(path, method=method, headers=headers)
    assert slug_of(answer) == (403, "cross-site-request")


def test_a_cookie_is_worth_nothing_when_changed_late_or_without_its_key(
    guarded: Flask, key: MakeKey
) -> None:
    """It names its key and its end, and both are signed."""
    headers = key("ana")
    browser = logged_in(guarded, headers)
    key_id, until, signature = browser.get_cookie("petiole_session").value.split(".")
    forged = [
        f"{key_id}.{int(until) + 1}.{signature}",
        f"{key_id}.1.{signature}",
        f"{key_id}.{until}.{'0' * 64}",
        f"{'0' * 12}.{until}.{signature}",
    ]
    statuses = []
    for value in forged:
        browser.set_cookie("petiole_session", value)
        statuses.append(browser.get("/models").status_code)
    again = logged_in(guarded, headers)
    stores.keys().revoke(key_id)

    assert statuses == [401] * 4
    assert again.get("/models").status_code == 401


def test_an_operator_with_a_key_needs_no_known_name(client: FlaskClient, key: MakeKey) -> None:
    """The key says who asks; a name that leads here brings none."""
    headers = {"Host": "photos.example.org"}

    assert client.get("/jobs", headers=headers | key("op", ADMIN)).status_code == 200
    assert client.get("/jobs", headers=headers).status_code == 401
