"""What is noted for explanations, in memory and on a real server."""

from collections.abc import Iterator

import pytest
import redis

from tasks.explaining.memory_keeping import MemoryKeeping
from tasks.explaining.records import Keeping, id_of, is_mine, key_of
from tasks.explaining.redis_keeping import RedisKeeping
from tasks.settings import TasksSettings


@pytest.fixture(params=["memory", "redis"])
def keeping(request: pytest.FixtureRequest) -> Iterator[Keeping]:
    """An empty one of each kind."""
    if request.param == "memory":
        yield MemoryKeeping()
        return
    url = request.getfixturevalue("redis_url")
    with redis.Redis.from_url(url) as client:
        client.flushdb()
        yield RedisKeeping(TasksSettings(job_store_url=url))


def test_a_picture_is_kept_for_its_time(keeping: Keeping) -> None:
    """Before and after it nothing is."""
    assert not keeping.has("a")
    assert keeping.keep("a", seconds=60, most=5)
    assert keeping.keep("b", seconds=-1, most=5)

    assert (keeping.has("a"), keeping.has("b")) == (True, False)
    assert keeping.over(limit=5) == ["b"]


def test_the_oldest_are_over_first(keeping: Keeping) -> None:
    """And as many as are asked for."""
    for task_id, seconds in (("a", -1), ("b", -3), ("c", -2)):
        keeping.keep(task_id, seconds=seconds, most=5)

    assert keeping.over(limit=2) == ["b", "c"]


def test_no_more_are_kept_than_the_bound(keeping: Keeping) -> None:
    """One that is kept already may be kept for longer; one that is dropped makes room."""
    assert keeping.keep("a", seconds=60, most=1)
    assert not keeping.keep("b", seconds=60, most=1)
    assert keeping.keep("a", seconds=90, most=1)
    keeping.drop("a")

    assert keeping.keep("b", seconds=60, most=1)


def test_what_was_asked_for_is_known(keeping: Keeping) -> None:
    """Each once, and nothing of other pictures."""
    for explanation_id in ("x", "y", "x"):
        keeping.note("a", explanation_id, seconds=60)

    assert sorted(keeping.asked("a")) == ["x", "y"]
    assert list(keeping.asked("b")) == []


def test_an_id_follows_from_what_is_asked() -> None:
    """The same for the same question, another one for another label or picture."""
    ids = {id_of("a"), id_of("a", "cat"), id_of("b"), id_of("b", "cat")}

    assert len(ids) == 4
    assert id_of("a", "cat") in ids
    assert is_mine(key_of("a", id_of("a"), "png"))
    assert not is_mine("a")
