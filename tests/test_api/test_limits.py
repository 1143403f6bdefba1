"""How much one client may ask for, and how it is told."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient

from api import create_app
from tasks import once, stores
from tasks.keys.records import BULK, CLASSIFY, MODELS, NO_LIMITS, Limits, new
from tests.conftest import picture

GREEN = picture("green")
ELSEWHERE = {"REMOTE_ADDR": "203.0.113.7"}
Limited = Callable[..., tuple[FlaskClient, dict[str, str]]]


@pytest.fixture
def limited(colour_store: str, monkeypatch: pytest.MonkeyPatch) -> Limited:
    """Make an API with limits; returns a client and the header that shows its key."""

    def make(limits: Limits = NO_LIMITS, **said: str) -> tuple[FlaskClient, dict[str, str]]:
        settings = {"REQUIRE_KEYS": "true"} | said
        for name, value in settings.items():
            monkeypatch.setenv(f"PETIOLE_API_{name}", value)
        monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", colour_store)
        once.begin_anew()
        key, token = new("ana", (CLASSIFY, BULK, MODELS), limits=limits)
        stores.keys().create(key)
        return create_app().test_client(), {"Authorization": f"Bearer {token}"}

    return make


def test_too_many_requests_are_told_when_to_come_back(limited: Limited) -> None:
    """429 with Retry-After; the fields say how much one may, and what is left."""
    client, key = limited(REQUESTS_PER_SECOND="0.5")
    first, second = (client.get("/models", headers=key) for _ in range(2))

    assert (first.status_code, second.status_code) == (200, 429)
    assert first.headers["RateLimit"] == '"requests";r=0;t=1'
    assert first.headers["RateLimit-Policy"].startswith('"requests";q=1;w=2')
    assert second.json["type"] == "/problems#too-many-requests"
    assert second.headers["Retry-After"] == "2"
    assert client.get("/livez").status_code == 200


def test_bytes_of_a_day_are_bounded(limited: Limited) -> None:
    """Of single pictures and of many."""
    client, key = limited(BYTES_PER_DAY=str(len(GREEN) + 10))
    sent = {"data": GREEN, "content_type": "image/jpeg", "headers": key}
    answers = [client.post("/classify", **sent).status_code for _ in range(2)]
    bulk = client.post("/bulk", json=["https://example.org/a.jpg"] * 9, headers=key)

    assert answers == [202, 429]
    assert bulk.status_code == 429
    assert client.get("/models", headers=key).status_code == 200


def test_open_jobs_are_bounded_by_the_id_that_the_job_gets(limited: Limited) -> None:
    """The place that was taken is that of the task that is answered."""
    client, key = limited(OPEN_JOBS="1")
    sent = {"data": GREEN, "content_type": "image/jpeg", "headers": key}
    first, second = (client.post("/classify", **sent) for _ in range(2))
    owner = stores.keys().all()[0].owner

    assert (first.status_code, second.status_code) == (202, 429)
    assert list(stores.limits()._jobs[owner]) == [first.json["task_id"]]
    assert client.get(first.json["result_url"], headers=key).status_code == 200


def test_who_tries_many_keys_is_slowed_down_before_they_are_looked_up(limited: Limited) -> None:
    """By address; a key that is remembered is not held up by its neighbours."""
    client, key = limited()
    assert client.get("/models", headers=key).status_code == 200
    tried = []
    for n in range(40):
        wrong = {"Authorization": f"Bearer ptl_{n:012x}.{'x' * 43}"}
        tried.append(client.get("/models", headers=wrong).status_code)

    assert tried[:10] == [401] * 10
    assert tried[-1] == 429
    assert client.get("/models", headers=key).status_code == 200


def test_without_keys_addresses_are_counted_and_this_machine_is_not(limited: Limited) -> None:
    """On loopback nothing changes."""
    client, _ = limited(HOST="0.0.0.0", REQUIRE_KEYS="false", INSECURE="1", REQUESTS_PER_SECOND="1")  # noqa: S104
    here = [client.get("/models").status_code for _ in range(5)]
    there = [client.get("/models", environ_base=ELSEWHERE).status_code for _ in range(3)]

    assert here == [200] * 5
    assert there == [200, 200, 429]
    assert "RateLimit" not in client.get("/models").headers


def test_a_key_may_have_limits_of_its_own(limited: Limited) -> None:
    """Tighter than those of all, and only where it has some; what it is told are its own."""
    own = Limits(requests_per_second=0.5, open_jobs=1)
    client, key = limited(own, OPEN_JOBS="50", BYTES_PER_DAY="1000000")
    sent = {"data": GREEN, "content_type": "image/jpeg", "headers": key}
    first, second = (client.get("/models", headers=key) for _ in range(2))

    assert (first.status_code, second.status_code) == (200, 429)
    assert "0.5 requests may be sent in a second" in second.json["detail"]
    assert first.headers["RateLimit-Policy"].startswith('"requests";q=1;w=2, "bytes";q=1000000;')
    _other, other = new("ben", (CLASSIFY, MODELS))
    stores.keys().create(_other)
    shown = {"Authorization": f"Bearer {other}"}
    assert [client.get("/models", headers=shown).status_code for _ in range(5)] == [200] * 5
    assert client.post("/classify", **sent | {"headers": shown}).status_code == 202


@pytest.mark.parametrize("looser", [Limits(bytes_per_day=0), Limits(bytes_per_day=10**9)])
def test_a_key_may_be_let_do_more(limited: Limited, looser: Limits) -> None:
    """Than all others; 0 is without a limit."""
    client, key = limited(looser, BYTES_PER_DAY="10")
    sent = {"data": GREEN, "content_type": "image/jpeg", "headers": key}

    assert client.post("/classify", **sent).status_code == 202


def test_both_keys_of_a_name_are_counted_together(limited: Limited) -> None:
    """Each within the limits of the one that is shown: a second key doubles nothing."""
    client, key = limited(OPEN_JOBS="3")
    follower, token = new("ana", (CLASSIFY,), limits=Limits(open_jobs=2))
    stores.keys().create(follower)
    keys = (key, {"Authorization": f"Bearer {token}"}, key, key)
    sent = {"data": GREEN, "content_type": "image/jpeg"}

    codes = [client.post("/classify", **sent, headers=each).status_code for each in keys]

    assert codes == [202, 202, 202, 429]
    assert client.post("/classify", **sent, headers=keys[1]).status_code == 429
