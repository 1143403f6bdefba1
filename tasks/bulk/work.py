"""The task `bulk`: lists what is in a bulk's body, or classifies one pack of it.

It runs in processes of their own, of the lowest priority, which load the model when the first pack
comes: a service that is never sent a bulk does not pay for it.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import perf_counter

from tasks import celery_results, loaded_models, stores, working
from tasks.base import JobTask
from tasks.bulk import life, listing, packs, watchdog
from tasks.bulk.items import Item, items_of
from tasks.bulk.packs import Line, Work
from tasks.bulk.pictures import Pictures
from tasks.bulk.records import LISTING, PREFIX, Bulk, Ended, Entry, Pack, bulk_of
from tasks.celery import app
from tasks.errors import BadBulkError, ServiceUnavailableError, UploadMissingError
from tasks.job_stores import OVER, SUCCESS, Job
from tasks.tracing import spans

LONGEST_SECONDS = 86_400

logger = logging.getLogger(__name__)


@app.task(
    name=life.TASK,
    ignore_result=True,
    store_errors_even_if_ignored=not celery_results.are_written_with_the_record(),
    # What goes on for ever is ended by the watchdog, which counts CPU time.
    soft_time_limit=LONGEST_SECONDS,
    time_limit=LONGEST_SECONDS + 3600,
    throws=(*JobTask.throws, BadBulkError),
)
def bulk(task_id: str) -> None:
    """Do one pack of a bulk; number 0 is its listing."""
    with working.work_on(task_id, stage=life.TASK, queue="bulk") as job:
        if job is None:
            raise working.ignored(task_id)
        store = stores.bulks()
        found, pack = store.get(bulk_of(task_id)), store.pack_of(task_id)
        if found is None or pack is None or found.state in OVER:
            store.drop_pack(job)
        elif found.is_paused:
            store.put_back(pack, job)
        else:
            _do(found, pack, job)


def _do(bulk: Bulk, pack: Pack, job: Job) -> None:
    try:
        if pack.number == LISTING:
            _list(bulk, job)
        else:
            _classify(bulk, pack, job)
    except UploadMissingError:
        # The body is deleted when its bulk is cancelled; then there is nothing to be told.
        now = stores.bulks().get(bulk.bulk_id)
        if now is not None and now.state not in OVER:
            raise
        stores.bulks().drop_pack(job)


def _list(bulk: Bulk, job: Job) -> None:
    found = listing.listed(bulk, job)
    if stores.bulks().end_listing(job, found):
        logger.info("bulk listed", extra={"bulk_id": bulk.bulk_id, "pictures": found.total})
        if found.body != bulk.body_key:
            stores.image_store().delete(bulk.body_key)
        life.go_on(bulk.bulk_id)


def _classify(bulk: Bulk, pack: Pack, job: Job) -> None:
    began = perf_counter()
    lines = _lines(bulk, pack, job)
    predicted, n = perf_counter(), sum(line.has_labels for line in lines)
    counts = {"pictures": len(lines), "succeeded": n, "failed": len(lines) - n}
    spans.stage(job, "predict", began, predicted, **counts)
    keep(lines, bulk, pack, job)
    spans.stage(job, "finish", predicted, perf_counter())


def keep(lines: list[Line], bulk: Bulk, pack: Pack, job: Job) -> None:
    """Write the lines of a pack down and end it; what was written for it in vain is deleted.

    That is what a claimer before wrote that was killed before its end, or this one's that is late.
    """
    keys = [f"{PREFIX}{bulk.bulk_id}-{pack.number}-{fence}" for fence in range(1, job.fence + 1)]
    text = "".join(f"{line.text}\n" for line in lines)
    stores.image_store().put(keys[-1], text.encode())
    succeeded = sum(line.has_labels for line in lines)
    ended = Ended(Entry(pack, key=keys[-1]), succeeded, failed=len(lines) - succeeded)
    in_vain = keys[:-1] if life.end_pack(job, ended) else keys[-1:]
    if in_vain:
        with suppress(ServiceUnavailableError):  # swept with its bulk
            stores.image_store().delete_all(in_vain)


def _lines(bulk: Bulk, pack: Pack, job: Job) -> list[Line]:
    items = items_in(bulk, pack)
    with _watched() as dog:
        model = loaded_models.get(job.model)
        work = Work(model, job.wanted, Pictures(bulk), moved=dog.moved)
        if job.attempts > 1:
            return list(_carefully(work, items, job))
        return list(packs.classified(work, items))


@contextmanager
def _watched() -> Iterator[watchdog.Watchdog]:
    dog = watchdog.of_this_process()
    dog.moved()
    try:
        yield dog
    finally:
        dog.rest()


def items_in(bulk: Bulk, pack: Pack) -> list[Item]:
    """Return the pictures of a pack.

    Raises:
        UploadMissingError: the index is gone.
        ServiceUnavailableError: the store cannot be read.
    """
    return list(items_of(stores.image_store().reader_of(bulk.index)(pack.start, pack.length)))


def _carefully(work: Work, items: list[Item], job: Job) -> Iterator[Line]:
    """Give the lines of a pack that lost its worker, keeping each as soon as it is there."""
    store = stores.bulks()
    kept = {n: _kept(text) for n, text in store.lines(job.task_id).items()}

    def begun_before(item: Item) -> int:
        n = store.begin_picture(job, item.number)
        if n < 0:
            raise working.ignored(job.task_id)
        return n

    left = [item for item in items if item.number not in kept]
    for item, line in packs.one_by_one(work, left, begun_before=begun_before):
        store.end_picture(job, item.number, line.text)
        kept[item.number] = line
    for item in items:
        yield kept[item.number]


def _kept(text: str) -> Line:
    return Line(text, has_labels=json.loads(text)["state"] == SUCCESS)
