"""What worker processes say about themselves, and what is read of it."""

import json
from time import sleep

import pytest
from celery import signals

from tasks import once, readiness, stores, working
from tasks import signals as ours  # noqa: F401 - it listens to Celery's
from tasks.classify import classify
from tasks.job_stores import Job
from tasks.readiness import Announcement, Note


def children() -> list[Note]:
    """Return the notes of the classify children."""
    return readiness.classify_children(stores.job_store())


def test_a_child_says_what_it_has() -> None:
    """The note comes back as it was said; the last one holds."""
    announcement = Announcement("classify")
    announcement.not_ready("the model is being loaded")
    (before,) = children()
    announcement.ready(models=("m@1 on litert",), refused={"m@2": "damaged"}, trials={"m": 3})
    (after,) = children()
    announcement.withdraw()

    assert (before.is_ready, before.reason) == (False, "the model is being loaded")
    assert (after.is_ready, after.reason, after.models) == (True, None, ("m@1 on litert",))
    assert (after.refused, after.trials) == ({"m@2": "damaged"}, {"m": 3})
    assert children() == []


def test_each_queue_has_its_own() -> None:
    """A download worker is no child that classifies."""
    announcement = Announcement("downloads")
    announcement.ready()
    (downloader,) = readiness.downloaders(stores.job_store())
    announcement.withdraw()

    assert (downloader.queue, downloader.is_ready, downloader.models) == ("downloads", True, None)
    assert children() == []


def test_a_note_of_a_later_version_is_read() -> None:
    """Workers are replaced one after the other; what is not known yet is left out."""
    text = json.dumps({"queue": "classify", "state": "ready", "mood": "good"})
    stores.job_store().announce_ready("classify:host:1", text)

    assert children() == [Note("classify:host:1", "classify", "ready")]


def test_a_child_says_what_it_works_on() -> None:
    """From its claim until Celery is done with it: others know then that the job is not lost."""
    job = Job("id", "colours", 1, "a.jpg", accepted_at=1.0, queued_since=1.0)
    stores.job_store().create(job)
    announcement, held = Announcement("classify"), []
    with working.work_on("id", stage="classify", queue="classify"):
        announcement.ready()
        held += [child.holds for child in children()]
    signals.task_postrun.send(sender=classify, task_id="id", args=("id",))
    announcement.ready()
    held += [child.holds for child in children()]
    announcement.withdraw()

    assert held == [("id",), ()]


def test_it_is_said_again_until_it_is_withdrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than a note lives; a process that dies is gone after that time."""
    monkeypatch.setenv("PETIOLE_TASKS_READY_TTL_SECONDS", "3")
    once.begin_anew()
    announcement = Announcement("classify")
    announcement.ready()
    sleep(3.5)
    still_there = len(children())
    announcement.withdraw()

    assert (still_there, children()) == (1, [])
