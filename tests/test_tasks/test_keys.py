"""One contract, run on every store of API keys; and what a key and an id tell without a store."""

from dataclasses import replace
from time import time

import pytest
import redis

from tasks.errors import ServiceUnavailableError
from tasks.keys import ownership
from tasks.keys.door import Door
from tasks.keys.records import CLASSIFY, OF_CLIENTS, ApiKey, KeyNotMadeError, KeyStore, is_of, new
from tasks.keys.stores import MemoryKeys, RedisKeys
from tasks.settings import TasksSettings
from tests.conftest import free_port


@pytest.fixture(params=["memory", "redis"])
def keys(request: pytest.FixtureRequest) -> KeyStore:
    """Each implementation in turn, empty."""
    if request.param == "memory":
        return MemoryKeys()
    url = request.getfixturevalue("redis_url")
    with redis.Redis.from_url(url) as client:
        client.flushdb()
    return RedisKeys(TasksSettings(job_store_url=url))


def test_a_key_comes_back_as_it_was_made_and_without_its_secret(keys: KeyStore) -> None:
    """What is kept opens no door."""
    key, token = new("ana", OF_CLIENTS, expires_at=time() + 60)
    kept = keys.create(key)
    secret = token.partition(".")[2]

    assert keys.get(key.key_id) == kept == key
    assert keys.all() == [key]
    assert secret not in repr(keys.get(key.key_id))
    assert is_of(key, secret)
    assert not is_of(key, secret[::-1])
    assert not is_of(None, "")


def test_two_of_a_name_are_active_and_share_what_they_made(keys: KeyStore) -> None:
    """The key that follows another has its owner; a third waits until one is gone."""
    first, second = (keys.create(new("ana", OF_CLIENTS)[0]) for _ in range(2))
    with pytest.raises(KeyNotMadeError, match="ana has 2 active keys"):
        keys.create(new("ana", OF_CLIENTS)[0])
    other = keys.create(new("ben", OF_CLIENTS)[0])
    keys.revoke(first.key_id)
    third = keys.create(new("ana", OF_CLIENTS)[0])

    assert first.owner == second.owner == third.owner != other.owner


def test_who_gets_a_name_anew_gets_nothing_of_whom_had_it(keys: KeyStore) -> None:
    """Neither after a revocation nor after an expired key."""
    old = keys.create(new("ana", OF_CLIENTS, expires_at=time() - 1)[0])
    late = keys.create(new("ana", OF_CLIENTS)[0])
    keys.revoke(late.key_id)
    new_one = keys.create(new("ana", OF_CLIENTS)[0])

    assert len({old.owner, late.owner, new_one.owner}) == 3


def test_what_was_revoked_does_not_come_back(keys: KeyStore) -> None:
    """Not even by the note of its last use, which may be under way."""
    key = keys.create(new("ana", OF_CLIENTS)[0])

    assert [keys.revoke(key.key_id), keys.revoke(key.key_id)] == [True, False]
    keys.touch(key.key_id, at=1.0)
    assert keys.get(key.key_id) is None
    assert keys.all() == []


def test_a_door_notes_the_last_use_and_forgets_a_revoked_key(keys: KeyStore) -> None:
    """Remembered for no time, it is looked up each time."""
    key, token = new("ana", OF_CLIENTS)
    keys.create(key)
    door = Door(keys, memory_seconds=0.0)
    admitted = door.admit(token)
    used_at = keys.get(key.key_id).used_at
    keys.revoke(key.key_id)

    assert admitted is not None
    assert used_at > 0
    assert door.admit(token) is None


def test_a_door_remembers_for_a_while_but_lets_no_late_key_in(keys: KeyStore) -> None:
    """Within its memory a revoked key still passes, an expired one does not."""
    door = Door(keys, memory_seconds=60.0)
    lasting, token = new("ana", OF_CLIENTS)
    keys.create(lasting)
    ending, late = new("ben", OF_CLIENTS, expires_at=time() + 60)
    keys.create(ending)
    assert door.admit(token)
    assert door.admit(late)
    keys.revoke(lasting.key_id)
    known, until = door._known[ending.key_id]
    door._known[ending.key_id] = replace(known, expires_at=time() - 1), until

    assert door.admit(token) is not None
    assert door.admit(late) is None


@pytest.mark.parametrize("strange", ["", "ptl_", "x" * 200, "ptl_0123456789ab." + "é" * 43])
def test_what_is_no_token_opens_nothing(keys: KeyStore, strange: str) -> None:
    """It is not even looked up."""
    assert Door(keys, memory_seconds=0.0).admit(strange) is None


def test_a_store_that_is_away_lets_nobody_in() -> None:
    """Not known is not admitted; the error says that nobody could look."""
    away = RedisKeys(TasksSettings(job_store_url=f"redis://127.0.0.1:{free_port()}/0"))

    with pytest.raises(ServiceUnavailableError):
        Door(away, memory_seconds=5.0).admit(new("ana", OF_CLIENTS)[1])


@pytest.mark.parametrize(
    ("name", "scopes"), [("", OF_CLIENTS), ("a b", OF_CLIENTS), ("ana", (CLASSIFY, "root"))]
)
def test_an_impossible_key_is_not_made(name: str, scopes: tuple[str, ...]) -> None:
    """The message names what is wrong."""
    with pytest.raises(KeyNotMadeError, match=r"is no (name|scope)"):
        new(name, scopes)


def test_an_id_says_whose_it_is() -> None:
    """Of its owner alone; one that nobody owns is nobody's, and so is one that was changed."""
    task_id = ownership.new_id("ana")
    changed = ("0" if task_id[0] != "0" else "1") + task_id[1:]

    assert ownership.belongs(task_id, "ana")
    assert not ownership.belongs(task_id, "ben")
    assert not ownership.belongs(changed, "ana")
    assert not ownership.belongs(ownership.new_id(""), "")
    assert not ownership.belongs("é", "ana")


def test_a_remembered_key_costs_the_store_nothing() -> None:
    """One look and one note of its use, for a hundred requests."""
    asked: list[str] = []

    class Counted(MemoryKeys):
        def get(self, key_id: str) -> ApiKey | None:
            asked.append("get")
            return super().get(key_id)

        def touch(self, key_id: str, *, at: float) -> None:
            asked.append("touch")
            super().touch(key_id, at=at)

    keys = Counted()
    key, token = new("ana", OF_CLIENTS)
    keys.create(key)
    door = Door(keys, memory_seconds=60.0)

    assert all(door.admit(token) for _ in range(100))
    assert asked == ["get", "touch"]
