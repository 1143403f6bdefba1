"""Asks the children for pixels of real pictures, waits for them, and leaves none behind.

The other side of `collecting`, in the process that makes int8 of a model.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from uuid import uuid4

from model_store.errors import CalibrationError
from tasks import stores
from tasks.collecting import key_of
from tasks.errors import UploadMissingError
from tasks.job_stores.collections import Collection

POLL_SECONDS = 1.0


def request(model: str, version: int, *, wanted: int, percent: float) -> Collection:
    """Return a new request, which nobody knows yet."""
    return Collection(uuid4().hex, model, version, wanted, percent)


def collect(
    collection: Collection, *, within_seconds: float, report: Callable[[int], None]
) -> list[bytes]:
    """Return the pixels of as many different pictures as were wanted, or as came in the time.

    Whatever happens, nothing of them is left in the image store, nor is it asked for any more.

    Args:
        collection: What is wanted.
        within_seconds: How long it is waited for.
        report: Called every second with how many there are.

    Raises:
        CalibrationError: somebody else collects for this model.
        ServiceUnavailableError: a store cannot be reached.
    """
    if not stores.collections().begin(collection):
        raise CalibrationError(
            f"pictures of {collection.model} are being collected already, or were until a process"
            " was killed a minute ago; try again when that is over"
        )
    with _deleted_afterwards(collection):
        _wait(collection, within_seconds, report)
        stores.collections().close(collection)
        return list(_read(collection))


def _wait(collection: Collection, within_seconds: float, report: Callable[[int], None]) -> None:
    deadline = monotonic() + within_seconds
    while (n := stores.collections().renew(collection)) < collection.wanted:
        if monotonic() > deadline:
            return
        report(n)
        sleep(POLL_SECONDS)


def _read(collection: Collection) -> Iterator[bytes]:
    for digest in stores.collections().digests(collection):
        try:
            yield stores.image_store().get(key_of(collection.id, digest))
        except UploadMissingError:
            continue  # The sweep came first, after this process had stood still for long.


@contextmanager
def _deleted_afterwards(collection: Collection) -> Iterator[None]:
    try:
        yield
    finally:
        stores.collections().close(collection)
        for digest in stores.collections().digests(collection):
            stores.image_store().delete(key_of(collection.id, digest))
        stores.collections().forget(collection)
