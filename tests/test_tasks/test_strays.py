"""A message that nobody can do, while its job cannot be ended."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest

from tasks import strays
from tasks.celery import app
from tests.conftest import free_port


def test_a_job_that_cannot_be_ended_now_is_ended_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """The job store is away: the message goes back to its queue, after a pause."""
    monkeypatch.setenv("PETIOLE_TASKS_JOB_STORE_URL", f"redis://127.0.0.1:{free_port()}/0")
    done: list[str] = []
    planned: list[Callable[[], None]] = []
    message = SimpleNamespace(
        headers={"id": "id"},
        properties={},
        ack=lambda: done.append("acknowledged"),
        requeue=lambda: done.append("put back"),
    )
    timer = SimpleNamespace(call_after=lambda _, call: planned.append(call))
    strays.malformed(message, SimpleNamespace(timer=timer, app=app), "it is no JSON")
    before = list(done)
    for call in planned:
        call()

    assert (before, done) == ([], ["put back"])
