"""What people and programs are told, and do, where a real API asks for keys."""

import pytest
import redis

from petiole import key_hints, probes
from petiole.client import AccessDeniedError, Client, UnknownTaskError
from tasks.keys.records import ADMIN, CLASSIFY, new
from tasks.keys.stores import RedisKeys
from tasks.settings import TasksSettings
from tests.api_server import Start, start

__all__ = ["start"]
pytestmark = pytest.mark.server

ID = "0b5a6c1e-3f0e-4c58-9a3c-000000000000"


def test_an_operator_is_led_to_the_first_key_and_programs_show_it(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None was made; one was made and is not shown; it is shown, by hand or by PETIOLE_KEY."""
    monkeypatch.delenv("PETIOLE_KEY", raising=False)
    server = start(PETIOLE_API_REQUIRE_KEYS="true")
    with redis.Redis.from_url(server.redis_url) as client:
        client.delete("petiole:keys")
    before = key_hints.of(server.url, job_store_url=server.redis_url)
    key, token = new("op", (CLASSIFY, ADMIN))
    RedisKeys(TasksSettings(job_store_url=server.redis_url)).create(key)
    after = key_hints.of(server.url, job_store_url=server.redis_url)
    with Client(server.url) as client, pytest.raises(AccessDeniedError) as without:
        client.result(ID, wait=0)
    with Client(server.url, key=token) as client, pytest.raises(UnknownTaskError) as given:
        client.result(ID, wait=0)
    monkeypatch.setenv("PETIOLE_KEY", token)
    with Client(server.url) as client, pytest.raises(UnknownTaskError) as said:
        client.result(ID, wait=0)

    assert "no key has been made; make the first" in before
    assert "set PETIOLE_KEY" in after
    assert [e.value.slug for e in (without, given, said)] == ["no-key", *["unknown-task"] * 2]
    assert key_hints.of(server.url, job_store_url=server.redis_url) == ""
    assert "no child has a warm model" in probes.readiness_of(server.url).missing


def test_no_hint_where_no_key_is_asked_for(start: Start) -> None:
    """On loopback nothing changes."""
    assert key_hints.of(start().url) == ""
