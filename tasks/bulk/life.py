"""The life of a bulk: accept, release, end a pack, pause, cancel, forget.

The only module that changes bulks; the API, the task and the reconciler call it.
"""

import logging
from dataclasses import asdict
from json import dumps
from pathlib import Path
from time import time
from uuid import UUID

from tasks import job_ends, publisher, stores
from tasks.bulk.records import LISTING, PREFIX, Bulk, Ended, Entry, Pack, bulk_of
from tasks.documents import ProblemDocument
from tasks.errors import BulkOverError, ServiceUnavailableError, TasksError, UnknownBulkError
from tasks.job_stores import BULK, FAILURE, OVER, REVOKED, SUCCESS, Job

TASK = "bulk"

logger = logging.getLogger(__name__)


def accept(bulk: Bulk, body: Path | None) -> None:
    """Store the body, record the bulk, and queue the listing: all of it or nothing.

    Raises:
        ServiceUnavailableError: a part did not answer; nothing is left behind.
        QueueFullError: there are too many bulks already; nothing is left behind.
    """
    if body is not None:
        stores.image_store().take(bulk.body_key, body)
    try:
        stores.prompt_bulks().open(bulk)
    except ServiceUnavailableError:
        _undo(bulk)
        raise
    except TasksError:
        _drop(bulk)
        raise
    try:
        release(bulk.bulk_id)
    except ServiceUnavailableError as exc:
        # It is accepted; the reconciler releases what nobody else does.
        logger.warning("bulk not released", extra={"bulk_id": bulk.bulk_id, "reason": str(exc)})


def _undo(bulk: Bulk) -> None:
    try:
        stores.prompt_bulks().forget(bulk.bulk_id)
    except ServiceUnavailableError as exc:
        # Without its body its listing fails, and nobody has its id.
        logger.warning("bulk not undone", extra={"bulk_id": bulk.bulk_id, "reason": str(exc)})
    _drop(bulk)


def get(bulk_id: str) -> Bulk:
    """Return a bulk.

    Raises:
        UnknownBulkError: there is none, or it is over for too long.
    """
    bulk = stores.prompt_bulks().get(bulk_id)
    if bulk is None:
        raise UnknownBulkError(f"there is no bulk {bulk_id!r}")
    return bulk


def release(bulk_id: str) -> int:
    """Make jobs of the packs that may be done now; returns how many.

    Raises:
        ServiceUnavailableError: the store or the broker did not answer.
    """
    store, released = stores.prompt_bulks(), 0
    while pack := store.next_pack(bulk_id):
        bulk = store.get(bulk_id)
        if bulk is None:
            break
        job = job_of(bulk, pack)
        envelope = publisher.envelope(TASK, job.task_id)
        if not store.release(pack, job, envelope):
            break  # Somebody else has done it, and goes on.
        released += 1
        if envelope is None:
            publisher.publish(TASK, job.task_id)
    return released


def release_all() -> None:
    """Release what is due of every open bulk, as after somebody was killed who should have.

    Raises:
        ServiceUnavailableError: the store or the broker did not answer.
    """
    for bulk_id in stores.prompt_bulks().open_ids():
        release(bulk_id)


def job_of(bulk: Bulk, pack: Pack) -> Job:
    """Return the job that a pack becomes when it is released."""
    now = time()
    return Job(
        task_id=pack.id_in(bulk.bulk_id),
        model=bulk.model,
        top_k=bulk.top_k,
        min_probability=bulk.min_probability,
        unknown=bulk.unknown,
        neighbours=bulk.neighbours,
        filename=f"pack {pack.number} of bulk {bulk.bulk_id}",
        accepted_at=now,
        queued_since=now,
        kind=BULK,
        lane=publisher.lane(TASK),
        request_id=bulk.request_id,
        trace=bulk.trace,
    )


def end_pack(job: Job, ended: Ended) -> bool:
    """End a pack with its entry, and release what comes next; False when it does not count."""
    if not stores.bulks().end_pack(job, ended, fence=job.fence):
        return False
    counts = {"succeeded": ended.succeeded, "failed": ended.failed}
    job_ends.say(job, SUCCESS, counts=counts)
    go_on(bulk_of(job.task_id))
    return True


def go_on(bulk_id: str) -> None:
    """After a pack: release the next, or delete the body once that was the last one."""
    if not publisher.runs_here():  # There whoever released this one goes on.
        release(bulk_id)
    bulk = stores.bulks().get(bulk_id)
    if bulk is not None and bulk.state in OVER:
        _drop(bulk)


def fail_pack(job: Job, problem: ProblemDocument, fence: int | None) -> bool:
    """End a pack whose task failed: its pictures all have this problem, or its listing has it.

    Tells whether this call did. Called wherever a job is failed, also in a worker's main process:
    it touches Redis alone.
    """
    store, bulk_id = stores.prompt_bulks(), bulk_of(job.task_id)
    pack = store.pack_of(job.task_id)
    text = dumps(asdict(problem))
    if pack is None:
        return False  # It is over: whatever failed after its end takes nothing back.
    if pack.number == LISTING:
        is_ours = store.drop_pack(job, fence=fence)
        if is_ours:
            store.end(bulk_id, FAILURE, error=text)
        return is_ours
    ended = Ended(Entry(pack, problem=text), succeeded=0, failed=pack.pictures)
    is_ours = store.end_pack(job, ended, fence=fence)
    if is_ours:
        release(bulk_id)
    return is_ours


def pause(bulk_id: str, *, is_paused: bool) -> Bulk:
    """Let no more packs begin, or again; those in work are finished.

    Raises:
        UnknownBulkError: there is none.
        BulkOverError: it is over.
    """
    get(bulk_id)
    if not stores.prompt_bulks().pause(bulk_id, is_paused=is_paused):
        raise BulkOverError(f"the bulk {bulk_id} is over")
    if not is_paused:
        release(bulk_id)
    return get(bulk_id)


def cancel(bulk_id: str) -> Bulk:
    """End a bulk now; what was done so far can be fetched, and nothing more comes.

    Raises:
        UnknownBulkError: there is none.
        BulkOverError: it is over.
    """
    bulk = get(bulk_id)
    if not stores.prompt_bulks().end(bulk_id, REVOKED):
        raise BulkOverError(f"the bulk {bulk_id} is over")
    _drop(bulk)
    return get(bulk_id)


def forget(bulk_id: str) -> None:
    """Delete a bulk and all that is kept of it; one that is open is cancelled first.

    Raises:
        UnknownBulkError: there is none.
    """
    bulk, store = get(bulk_id), stores.prompt_bulks()
    store.end(bulk_id, REVOKED)
    keys = [e.key for e in store.entries(bulk_id, start=0, limit=bulk.packs + 1) if e.key]
    store.forget(bulk_id)
    _drop(bulk, bulk.index, *keys)


def _drop(bulk: Bulk, *further: str) -> None:
    """Delete the body, and further objects; those whose store is away are swept later."""
    keys = {bulk.body_key, bulk.body, *further} - {""}
    try:
        stores.image_store().delete_all(sorted(keys))
    except ServiceUnavailableError as exc:
        logger.warning("bulk not deleted", extra={"bulk_id": bulk.bulk_id, "reason": str(exc)})


def is_mine(key: str) -> bool:
    """Tell whether an object of the image store belongs to a bulk."""
    return key.startswith(PREFIX)


def is_wanted(key: str) -> bool:
    """Tell whether an object of a bulk may still be asked for.

    What a listing or a pack wrote that was killed before its end is kept as long as its bulk.
    """
    bulk_id = key.removeprefix(PREFIX)[:36]
    try:
        UUID(bulk_id)
    except ValueError:
        return False  # A body that broke off.
    bulk = stores.bulks().get(bulk_id)
    if bulk is None:
        return False
    is_body = key in {bulk.body_key, bulk.body}
    return not (is_body and bulk.state in OVER)
