"""The work on a pack: pictures are read and decoded ahead by threads, and predicted in batches.

A picture that cannot be classified gets its problem for a line, and the others their labels.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from time import process_time
from typing import TYPE_CHECKING

from tasks import documents, problems
from tasks.bulk.documents import LabelledPicture, RefusedPicture
from tasks.bulk.items import Item
from tasks.bulk.pictures import Pictures
from tasks.errors import CAN_HEAL, JobMemoryError, PoisonedJobError
from tasks.once import once
from tasks.prepared import prepared
from tasks.settings import settings

if TYPE_CHECKING:
    from model_store.predictions import Answer, Wanted
    from model_store.preprocessing import Prepared
    from model_store.serving import ServedModel

DECODERS, DOWNLOADERS = 2, 8
"""Threads that prepare pictures ahead of the model; most of a download is waiting."""
LARGEST_MEASURED = 8
WORTH_IT = 0.97
"""A batch is taken where a picture costs at most so much of what it costs alone."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Line:
    """What became of one picture: its line of JSON."""

    text: str
    has_labels: bool


@dataclass(frozen=True)
class Work:
    """What all pictures of a pack have in common.

    `moved` is told of each picture that is done.
    """

    model: ServedModel
    wanted: Wanted
    pictures: Pictures
    moved: Callable[[], None]


def classified(work: Work, items: Sequence[Item]) -> Iterator[Line]:
    """Give the lines of some pictures, in their order.

    Raises:
        CAN_HEAL: a store did not answer.
    """
    threads = DOWNLOADERS if any(item.url or item.key for item in items) else DECODERS
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        ahead = [pool.submit(_prepared, work, item) for item in items]
        try:
            waiting, n = list(zip(items, ahead, strict=True)), batch_of(work.model)
            for begin in range(0, len(waiting), n):
                yield from _batch(work, waiting[begin : begin + n])
        finally:
            for each in ahead:
                each.cancel()


def one_by_one(
    work: Work,
    items: Sequence[Item],
    *,
    begun_before: Callable[[Item], int],
) -> Iterator[tuple[Item, Line]]:
    """Give the lines of pictures that are done alone, after one took its process with it.

    `begun_before` notes that a picture is in work and tells how often it was: one that never came
    to an end is not begun another time.
    """
    for item in items:
        n = begun_before(item)
        if n >= settings().max_attempts:
            yield item, refused(item, PoisonedJobError(f"the picture took its worker {n} times"))
        else:
            yield item, next(classified(work, [item]))


def refused(item: Item, exc: BaseException) -> Line:
    """Return the line of a picture that has no labels."""
    return refused_by(item, problems.of(exc).document(problems.detail_of(exc)))


def refused_by(item: Item, problem: documents.ProblemDocument) -> Line:
    """Return the line of a picture that has this problem."""
    line = RefusedPicture(item.number, item.name, "FAILURE", problem)
    return Line(documents.to_json(line), has_labels=False)


def _prepared(work: Work, item: Item) -> Prepared | Line:
    """Return the pixels of a picture, or the line that says why there are none."""
    if item.problem:
        return refused_by(item, item.problem)
    try:
        return prepared(work.model, work.pictures.read(item))
    except CAN_HEAL:
        raise
    except (MemoryError, RecursionError) as exc:
        return refused(item, JobMemoryError.of(exc))
    except Exception as exc:
        # Whatever one picture does, the others have nothing to do with it.
        if problems.of(exc) is problems.INTERNAL:
            logger.exception("picture of a bulk failed", extra={"number": item.number})
        return refused(item, exc)


def _batch(work: Work, some: Sequence[tuple[Item, Future[Prepared | Line]]]) -> Iterator[Line]:
    """Give the lines of pictures that are predicted together."""
    # Imported here: only processes that predict load NumPy.
    import numpy as np  # noqa: PLC0415

    lines: dict[int, Line] = {}
    images: list[tuple[Item, Prepared]] = []
    for item, ahead in some:
        found = ahead.result()
        if isinstance(found, Line):
            lines[item.number] = found
        else:
            images.append((item, found))
    if images:
        answers = work.model.answer(np.stack([image.pixels for _, image in images]), work.wanted)
        for (item, image), answer in zip(images, answers, strict=True):
            lines[item.number] = _labelled(work, item, image, answer)
    for item, _ in some:
        work.moved()
        yield lines[item.number]


def _labelled(work: Work, item: Item, image: Prepared, answer: Answer) -> Line:
    model = work.model
    line = LabelledPicture(
        item.number,
        item.name,
        "SUCCESS",
        model=model.card.name,
        model_version=model.card.version,
        runtime=model.runtime,
        predictions=answer.predictions,
        warnings=image.warnings or None,
        **documents.members_of(answer.doubts, model.card.name, model.card.version),
    )
    return Line(documents.to_json(line), has_labels=True)


def batch_of(model: ServedModel) -> int:
    """Return how many pictures a model is given at once."""
    return settings().bulk_batch or _measured_batch(model.card.ref, partial(_cost_of, model))


@once
def _batches() -> dict[str, int]:
    return {}


def _measured_batch(ref: str, cost: Callable[[int], float]) -> int:
    """Return the batch that costs less, measured once for each version in this process."""
    if ref not in _batches():
        alone, together = cost(1), cost(LARGEST_MEASURED)
        _batches()[ref] = LARGEST_MEASURED if together < WORTH_IT * alone else 1
        logger.info("batch measured", extra={"model": ref, "batch": _batches()[ref]})
    return _batches()[ref]


def _cost_of(model: ServedModel, n: int) -> float:
    """Return the CPU seconds of this process for one of eight pictures, `n` at a time.

    CPU time, because a process of the lowest priority waits for others at any moment.
    """
    import numpy as np  # noqa: PLC0415 - as above

    size = model.card.preprocessing.input_size
    images = np.zeros((n, size, size, 3), np.uint8)
    model.predict(images)
    begun = process_time()
    for _ in range(LARGEST_MEASURED // n):
        model.predict(images)
    return (process_time() - begun) / LARGEST_MEASURED
