"""Copies of one picture in both job stores: the first is worked on, the others learn of it."""

import json

import pytest

from tasks.job_stores import FAILURE, STARTED, SUCCESS, JobStore, Kept, Outcome
from tests.test_tasks.test_kept_answers import (
    FOUND,
    KEY,
    MODEL,
    OWNER,
    answered,
    new,
    opened,
    started,
    store,
)

__all__ = ["opened", "store"]


def test_a_job_that_is_started_later_has_the_answer(store: JobStore) -> None:
    """It was accepted before there was one."""
    later = new()
    store.create(later)
    answered(store)
    job = store.claim(later.task_id, stage="classify", owner=OWNER)

    assert json.loads(job.answer) == {"model": "colours", "predictions": []}
    assert (job.behind, store.get(later.task_id).answer) == ("", "")


def test_a_job_that_is_started_meanwhile_is_behind_the_first(store: JobStore) -> None:
    """Until that has its answer; the first one is behind nobody, whenever it is looked at."""
    first, second = started(store, new()), started(store, new())
    before = store.look_again(second)
    store.finish(first.task_id, Outcome(SUCCESS, "{}", {}, kept=Kept(KEY, MODEL, FOUND)))
    after = store.look_again(second)

    assert (first.behind, store.look_again(first).behind) == ("", "")
    assert (second.behind, before.behind, after.behind) == (first.task_id, first.task_id, "")
    assert json.loads(after.answer) == {"model": "colours", "predictions": []}


@pytest.mark.parametrize("what", ["fails", "is put off", "is cancelled", "loses its process"])
def test_who_is_behind_a_job_that_gets_no_answer_is_the_first(store: JobStore, what: str) -> None:
    """Whatever became of that, somebody predicts the picture, and the next one is behind it."""
    first, second, third = (started(store, new()) for _ in range(3))
    {
        "fails": lambda: store.finish(first.task_id, Outcome(FAILURE, "{}", {})),
        "is put off": lambda: store.postpone(first, seconds=60),
        "is cancelled": lambda: store.revoke(
            first.task_id, Outcome("REVOKED", "{}", {}), started=True
        ),
        "loses its process": lambda: store.withdraw_ready(OWNER),
    }[what]()
    second = store.look_again(second)
    store.announce_ready(OWNER, "{}")

    assert (second.behind, second.answer) == ("", "")
    assert store.look_again(third).behind == second.task_id


def test_a_download_is_behind_nobody(store: JobStore) -> None:
    """Its bytes are not there yet."""
    started(store, new("downloaded"), stage="download")
    job = started(store, new("downloaded"), stage="download")

    assert (job.state, job.behind, job.answer) == (STARTED, "", "")
