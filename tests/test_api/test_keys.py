"""Who may ask for what, where keys are required: each test fails when its wall is taken out."""

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import validate

from api import access, create_app
from tasks import once, stores
from tasks.keys.records import ADMIN, BULK, CLASSIFY, MODELS, SCOPES, TRAIN
from tests.conftest import picture
from tests.test_api.keyed import ID, MakeKey, client, guarded, key, slug_of

__all__ = ["client", "guarded", "key"]

GREEN = picture("green")


def routes(app: Flask) -> list[tuple[str, str, str]]:
    """Return method, path and endpoint of everything that can be asked."""
    fill = {"task_id": ID, "bulk_id": ID, "name": "colours", "path": "index.html"}
    fill |= {"number": "0", "version": "1"}
    found = []
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<\w+:", "<", rule.rule)
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
        (
            CLASSIFY,
            {
                *{"classify", "compatible", "events", "explanations", "results"},
                *{"open_inference", "tensorflow_serving"},
            },
        ),
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


def test_what_another_key_sent_is_not_told(
    client: FlaskClient, key: MakeKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer is given again to the key that it was made for, and to no other one."""
    monkeypatch.setenv("PETIOLE_TASKS_CACHE_TTL_SECONDS", "60")
    once.begin_anew()
    ana, ben = key("ana"), key("ben")
    answers = [
        client.post("/classify?wait=5", data=GREEN, headers={**each, "Content-Type": "image/png"})
        for each in (ana, ben, ana)
    ]

    assert [each.headers["X-Cache"] for each in answers] == ["miss", "miss", "hit"]


def test_an_explanation_is_there_for_the_key_that_made_it_alone(
    client: FlaskClient, key: MakeKey
) -> None:
    """As the result that it explains."""
    ana, ben = key("ana"), key("ben")
    sent = client.post(
        "/classify?wait=5&keep=true", data=GREEN, headers={**ana, "Content-Type": "image/png"}
    )
    address = f"/result/{sent.json['task_id']}/explanation"
    made = client.post(address, headers=ana)

    assert made.status_code in {200, 202}
    assert slug_of(client.post(address, headers=ben)) == (404, "unknown-task")
    assert slug_of(client.get(address, headers=ben)) == (404, "unknown-task")
    assert client.get(address, headers=ana).status_code == 200


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


def test_an_operator_with_a_key_needs_no_known_name(client: FlaskClient, key: MakeKey) -> None:
    """The key says who asks; a name that leads here brings none."""
    headers = {"Host": "photos.example.org"}

    assert client.get("/jobs", headers=headers | key("op", ADMIN)).status_code == 200
    assert client.get("/jobs", headers=headers).status_code == 401


def test_the_specification_says_where_a_key_is_needed(client: FlaskClient, key: MakeKey) -> None:
    """Everywhere but at two doors; 429 is among the answers."""
    spec = client.get("/openapi.json", headers=key()).json
    paths = spec["paths"].items()
    needed = {path for path, each in paths for one in each.values() if "security" in one}

    validate(spec)
    assert set(spec["paths"]) - needed == {"/livez", "/readyz"}
    assert "429" in spec["paths"]["/classify"]["post"]["responses"]


def test_a_stream_in_a_thread_ends_with_the_key_too(client: FlaskClient, key: MakeKey) -> None:
    """Under a server that gives each stream a thread."""
    shown = key("ana")
    (mine,) = stores.keys().all()
    sent = {"data": GREEN, "content_type": "image/jpeg", "headers": shown}
    task_id = client.post("/classify", **sent).json["task_id"]
    pieces = iter(client.get(f"/events?task={task_id}", headers=shown, buffered=False).response)
    begun = next(pieces)
    stores.keys().revoke(mine.key_id)

    assert begun.startswith(b"retry:")
    assert b"".join(pieces) == b""
