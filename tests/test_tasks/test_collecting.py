"""Pixels of real pictures, collected on a real server and left by nobody."""

import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import redis

from model_store.errors import CalibrationError
from tasks import collecting, loaded_models, real_pictures, stores
from tasks.job_stores.collections import CLOSED, Collection
from tests.conftest import picture, stored_uploads


@pytest.fixture
def store(
    colour_store: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[redis.Redis]:
    """A process that answers with `colours` and has its jobs on an empty server."""
    monkeypatch.setenv("PETIOLE_MODELS_STORE_URL", colour_store)
    monkeypatch.setenv("PETIOLE_TASKS_JOB_STORE_URL", redis_url)
    loaded_models.get("colours")
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        client.flushdb()
        yield client


def asked(wanted: int = 10, *, version: int = 1, percent: float = 100.0) -> Collection:
    """Ask for pixels of `colours`, and let this process see it."""
    collection = real_pictures.request("colours", version, wanted=wanted, percent=percent)
    assert stores.collections().begin(collection)
    collecting.of_this_process().refresh()
    return collection


def offer(*colours: str, version: int = 1) -> None:
    """Offer pictures as if they had just been answered."""
    for colour in colours:
        members = {"model": "colours", "model_version": version, "task_id": "any"}
        collecting.offer(members, picture(colour))


def test_pixels_are_written_as_the_model_takes_them(store: redis.Redis) -> None:
    """Different pictures once each; of their names or ids nothing is kept."""
    collection = asked()
    offer("red", "blue", "red")
    digests = stores.collections().digests(collection)
    kept = [
        np.frombuffer(stores.image_store().get(collecting.key_of(collection.id, each)), np.uint8)
        for each in digests
    ]
    expected = [loaded_models.get("colours").prepare(picture(c)) for c in ("red", "blue")]

    assert sorted(pixels.tobytes() for pixels in kept) == sorted(e.tobytes() for e in expected)
    assert stored_uploads() == 2


@pytest.mark.parametrize(("version", "percent"), [(2, 100.0), (1, 0.0)])
def test_what_is_not_asked_for_is_not_written(
    store: redis.Redis, version: int, percent: float
) -> None:
    """Neither pictures that another version answered nor those outside of the share."""
    asked(version=version, percent=percent)
    offer("red")

    assert stored_uploads() == 0


def test_no_more_are_written_than_were_wanted(store: redis.Redis) -> None:
    """What is one too many is deleted at once, and nothing is tried after it."""
    collection = asked(wanted=2)
    offer("red", "green", "blue", "white")

    assert stores.collections().count(collection) == 2
    assert stored_uploads() == 2


def test_a_child_without_a_request_asks_redis_once_in_a_while(store: redis.Redis) -> None:
    """One command for all models when it is time, and none for a picture."""
    collecting.of_this_process().refresh()
    before = int(store.info("commandstats").get("cmdstat_mget", {}).get("calls", 0))
    for _ in range(5):
        offer("red")
        collecting.of_this_process().refresh()
    after = int(store.info("commandstats")["cmdstat_mget"]["calls"])

    assert after == before


def test_nothing_is_left_of_a_collection(store: redis.Redis) -> None:
    """Its pixels are returned and deleted; a child that did not hear of the end leaves none."""
    collection = real_pictures.request("colours", 1, wanted=2, percent=100.0)

    def while_waiting(_: int) -> None:
        collecting.of_this_process().refresh()
        offer("red", "blue")

    pixels = real_pictures.collect(collection, within_seconds=30, report=while_waiting)
    offer("green")

    assert len(pixels) == 2
    assert (stored_uploads(), store.keys("petiole:collect*")) == (0, [])


def test_an_interrupt_deletes_what_was_collected(store: redis.Redis) -> None:
    """Also where it comes in the middle."""
    collection = real_pictures.request("colours", 1, wanted=9, percent=100.0)

    def interrupted(_: int) -> None:
        collecting.of_this_process().refresh()
        offer("red")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        real_pictures.collect(collection, within_seconds=30, report=interrupted)

    assert (stored_uploads(), store.keys("petiole:collect*")) == (0, [])


def test_of_two_who_collect_one_waits(store: redis.Redis) -> None:
    """The second is told so, and the first one's pictures stay."""
    asked()
    second = real_pictures.request("colours", 1, wanted=9, percent=100.0)

    with pytest.raises(CalibrationError, match="are being collected already"):
        real_pictures.collect(second, within_seconds=1, report=lambda _: None)


def test_the_sweep_deletes_what_a_killed_collector_left(store: redis.Redis) -> None:
    """Its keys run out by themselves; until then the sweep leaves its pictures alone."""
    collection = asked()
    offer("red")
    images = stores.image_store()
    kept = images.sweep(older_than_seconds=-60, is_wanted=collecting.is_wanted)
    ttl = store.ttl(f"petiole:collected:{collection.id}")
    stores.collections().forget(collection)
    swept = images.sweep(older_than_seconds=-60, is_wanted=collecting.is_wanted)

    assert (kept, swept) == (0, 1)
    assert 0 < ttl <= 60


def test_only_the_services_user_may_look_at_pixels(
    store: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the image store is a directory; it goes with the last of them."""
    monkeypatch.setenv("PETIOLE_TASKS_IMAGE_STORE_URL", str(tmp_path))
    collection = asked()
    offer("red")
    folder = tmp_path / "collected" / collection.id
    mode = stat.S_IMODE(folder.stat().st_mode)
    stored_uploads()

    assert (mode, folder.exists()) == (0o700, False)


def test_an_ended_collection_takes_nothing(store: redis.Redis) -> None:
    """Nor does one of the same model that began after it take what was meant for the first."""
    first = asked()
    stores.collections().close(first)
    asked()

    assert stores.collections().add(first, "digest") == CLOSED
