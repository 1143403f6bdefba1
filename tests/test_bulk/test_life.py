"""Packs that fail as a whole, and whose failure comes too late."""

from dataclasses import replace
from time import time
from uuid import uuid4

import pytest

from tasks import jobs, stores
from tasks.bulk import life, results, work
from tasks.bulk.items import Item, line_of
from tasks.bulk.records import ZIP, Bulk, Ended, Entry, Pack
from tasks.bulk.results import Cursor
from tasks.errors import BadBulkError, RevokedPackError, UploadMissingError
from tasks.job_stores import FAILURE, STARTED, Job

INDEX = b"".join(line_of(Item(number, f"{number}.jpg")) for number in range(2))


@pytest.fixture
def bulk() -> Bulk:
    """A bulk that is accepted, and of which nothing is done yet."""
    bulk = Bulk(str(uuid4()), "colours@1", 3, ZIP, time())
    stores.bulks().open(bulk)
    return bulk


def claimed(bulk: Bulk) -> Job:
    """Release the next pack and claim it."""
    pack = stores.bulks().next_pack(bulk.bulk_id)
    assert pack
    job = life.job_of(bulk, pack)
    stores.bulks().release(pack, job)
    found = stores.job_store().claim(job.task_id, stage="bulk", owner="me")
    assert found
    return found


def is_there(key: str) -> bool:
    """Tell whether the image store has an object."""
    try:
        return bool(stores.image_store().size_bytes(key) >= 0)
    except UploadMissingError:
        return False


@pytest.fixture
def listed(bulk: Bulk) -> Bulk:
    """The same, listed: two packs of two pictures."""
    job, found = claimed(bulk), replace(bulk, total=4, packs=2, index="index")
    stores.image_store().put("index", INDEX)
    stores.bulks().add_packs(job, [Pack(n, 0, len(INDEX), 2) for n in (1, 2)])
    stores.bulks().end_listing(job, found)
    return found


def test_a_pack_that_fails_has_a_line_for_each_picture(listed: Bulk) -> None:
    """As when an operator revokes its task; the others go on."""
    job = claimed(listed)
    jobs.end_revoked(job.task_id)
    lines, *_ = results.after(life.get(listed.bulk_id), Cursor())

    assert ["0.jpg" in lines[0].text, "1.jpg" in lines[1].text] == [True, True]
    assert all("/problems#pack-revoked" in line.text for line in lines)
    assert life.get(listed.bulk_id).failed >= len(lines)


def test_a_failure_after_the_end_takes_nothing_back(listed: Bulk) -> None:
    """Whatever happened to a task whose pack had its entry already."""
    job = claimed(listed)
    stores.bulks().end_pack(job, Ended(Entry(Pack(1), key="k"), 2, 0), fence=job.fence)
    jobs.fail(job.task_id, RevokedPackError("too late"), fence=job.fence)

    assert (life.get(listed.bulk_id).state, life.get(listed.bulk_id).failed) == (STARTED, 0)


def test_a_failed_listing_ends_its_bulk_unless_another_one_goes_on(bulk: Bulk) -> None:
    """Who was cut off and fails late is not asked."""
    first = claimed(bulk)
    second = stores.job_store().claim(first.task_id, stage="bulk", owner="another")
    assert second
    jobs.fail(first.task_id, BadBulkError("late"), fence=first.fence)
    before = life.get(bulk.bulk_id).state
    jobs.fail(second.task_id, BadBulkError("no picture"), fence=second.fence)
    now = life.get(bulk.bulk_id)

    assert before not in {FAILURE, STARTED}
    assert (now.state, now.problem and now.problem.detail) == (FAILURE, "no picture")


def test_what_a_killed_child_wrote_goes_with_the_end_of_its_pack(listed: Bulk) -> None:
    """It wrote the lines down and was killed before the end; nobody knows its object."""
    first = claimed(listed)
    pack = stores.bulks().pack_of(first.task_id)
    second = stores.job_store().claim(first.task_id, stage="bulk", owner="another")
    assert pack
    assert second
    keys = [f"bulk-{first.task_id}-{fence}" for fence in (first.fence, second.fence)]
    stores.image_store().put(keys[0], b"half")
    work.keep([], listed, pack, second)

    assert [is_there(key) for key in keys] == [False, True]


def test_who_is_late_takes_what_it_wrote_away(listed: Bulk) -> None:
    """And nothing else."""
    first = claimed(listed)
    pack = stores.bulks().pack_of(first.task_id)
    second = stores.job_store().claim(first.task_id, stage="bulk", owner="another")
    assert pack
    assert second
    work.keep([], listed, pack, second)
    work.keep([], listed, pack, first)
    keys = [f"bulk-{first.task_id}-{fence}" for fence in (first.fence, second.fence)]

    assert [is_there(key) for key in keys] == [False, True]
