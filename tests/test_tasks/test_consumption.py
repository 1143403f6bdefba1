"""What a worker that takes nothing does about it, look by look."""

import json
import logging

import pytest

from tasks import readiness, stores
from tasks.consumption import STILL_LOOKS, Notice, Stillness


@pytest.fixture
def done() -> list[str]:
    """What was done so far."""
    return []


@pytest.fixture
def stillness(done: list[str]) -> Stillness:
    """A worker that was not seen yet."""
    return Stillness(lambda: done.append("reconnect"), lambda: done.append("replace"))


def looks(stillness: Stillness, count: int, *, could_take: bool = True) -> None:
    """Look so many times."""
    for _ in range(count):
        stillness.look(could_take=could_take)
        stillness.mend()


def test_one_step_comes_after_the_other(stillness: Stillness, done: list[str]) -> None:
    """The connection first; it costs nothing but a moment."""
    looks(stillness, STILL_LOOKS - 1)
    before = list(done)
    looks(stillness, 1 + STILL_LOOKS)

    assert (before, done) == ([], ["reconnect", "replace"])


def test_what_is_taken_proves_that_it_is_mended(stillness: Stillness, done: list[str]) -> None:
    """The next time begins with the first step again."""
    looks(stillness, STILL_LOOKS)
    stillness.moved()
    looks(stillness, STILL_LOOKS)

    assert done == ["reconnect", "reconnect"]


def test_an_idle_worker_without_work_is_left_alone(stillness: Stillness, done: list[str]) -> None:
    """Nothing waits, or hands are full, or it may not take: no look in a row."""
    for _ in range(3):
        looks(stillness, STILL_LOOKS - 1)
        looks(stillness, 1, could_take=False)

    assert done == []


def test_stillness_is_told_before_it_is_mended(stillness: Stillness) -> None:
    """From the second look on, and after a reconnect that did not help from the first."""
    told = [stillness.look(could_take=True) for _ in range(STILL_LOOKS)]
    stillness.mend()
    again, idle = stillness.look(could_take=True), stillness.look(could_take=False)

    assert told == [None, *["messages wait and none is taken"] * (STILL_LOOKS - 1)]
    assert (again, idle) == (told[-1], None)


def test_a_reason_is_logged_once_and_told(caplog: pytest.LogCaptureFixture) -> None:
    """However often the note is renewed."""
    notice = Notice()
    with caplog.at_level(logging.ERROR, "tasks.consumption"):
        for _ in range(3):
            notice.put(["classify"], reason="it is full")
    (told,) = readiness.consumers(stores.job_store(), "classify")
    notice.clear()

    assert [record.reason for record in caplog.records] == ["it is full"]
    assert (told.is_ready, told.reason) == (False, "it is full")
    assert readiness.consumers(stores.job_store(), "classify") == []


def test_an_api_of_an_earlier_version_reads_the_note() -> None:
    """It is no child's: `queue` says so."""
    Notice().put(["classify"], reason=None)
    (note,) = stores.job_store().ready().values()

    assert json.loads(note)["queue"] == readiness.CONSUMER
    assert readiness.classify_children(stores.job_store()) == []
