"""What can be asked for while the model store's bucket is away: what was known a moment before."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api.catalog import LIMITS, REMEMBER_SECONDS, Catalog
from model_store import ModelStore
from model_store.errors import StoreUnavailableError
from tests import colour_model
from tests.doorway import Doorway, doorway

# For what a slow machine adds to what is promised.
SLOW_SECONDS = 2.0


@pytest.fixture
def door(bucket_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Doorway]:
    """The way to the bucket, which has `colours@1`."""
    colour_model.publish(bucket_url)
    with doorway(os.environ["AWS_ENDPOINT_URL"], closed_for=0) as door:
        monkeypatch.setenv("AWS_ENDPOINT_URL", door.address)
        yield door


@pytest.fixture
def catalog(door: Doorway, bucket_url: str, tmp_path: Path) -> Catalog:
    """A catalog that knows `colours`, but not that it is so now."""
    catalog = Catalog(ModelStore.open(bucket_url, cache_directory=tmp_path))
    assert catalog.version_of("colours") == "colours@1"
    time.sleep(REMEMBER_SECONDS)
    return catalog


def test_known_models_are_accepted_while_the_store_is_away(catalog: Catalog, door: Doorway) -> None:
    """As what they meant last; a model that nobody asked for before cannot be."""
    door.close()

    assert [catalog.version_of("colours") for _ in range(3)] == ["colours@1"] * 3
    with pytest.raises(StoreUnavailableError, match="the model store cannot be used"):
        catalog.version_of("colours@1")


def test_a_new_version_is_seen_when_the_store_is_back(
    catalog: Catalog, door: Doorway, bucket_url: str, tmp_path: Path
) -> None:
    """A moment's failure does not put the next look off for long."""
    store = ModelStore.open(bucket_url, cache_directory=tmp_path)
    colour_model.publish(bucket_url)
    store.promote("colours", 2)
    door.turn_away(1 + LIMITS.retries)
    before = catalog.version_of("colours")
    deadline = time.monotonic() + 30
    while catalog.version_of("colours") == before and time.monotonic() < deadline:
        time.sleep(0.1)

    assert (before, catalog.version_of("colours")) == ("colours@1", "colours@2")


def test_a_silent_store_holds_one_thread(catalog: Catalog, door: Doorway) -> None:
    """One request finds out that nothing is said; the rest go on with what is known.

    Once it is found out nobody is sure of it, and no answer that is known is given again.
    """
    door.fall_silent()
    with ThreadPoolExecutor(30) as pool:
        answers = []
        for _ in range(18):
            answers.append(pool.submit(catalog.meaning_of, "colours"))
            time.sleep(0.2)

    meanings = [answer.result() for answer in answers]
    assert {meaning.version for meaning in meanings} == {"colours@1"}
    assert (meanings[1].anew_percent, meanings[-1].anew_percent) == (0.0, 100.0)
    assert door.left_waiting == 1


def test_a_silent_store_is_waited_for_once(silent_bucket_url: str, tmp_path: Path) -> None:
    """Whoever asks for what is not known gets a 503 after one silence, and the next at once."""
    catalog = Catalog(ModelStore.open(silent_bucket_url, cache_directory=tmp_path))
    waits = []
    for ask in (
        lambda: catalog.version_of("colours"),
        lambda: catalog.version_of("cats"),
        catalog.models,
    ):
        started = time.monotonic()
        with pytest.raises(StoreUnavailableError):
            ask()
        waits.append(time.monotonic() - started)

    assert waits[0] < LIMITS.silence_seconds + SLOW_SECONDS
    assert max(waits[1:]) < 0.1
