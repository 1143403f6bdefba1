"""Upload bytes from POST to decode: a directory, an S3 bucket or memory, chosen by URL.

Messages and job records carry only the key.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from model_store.errors import StoreUnavailableError
from model_store.objects import Limits, Objects
from tasks.errors import ServiceUnavailableError, UploadMissingError

CALLED = "the image store"

# A client waits meanwhile, and one of the API's threads with it: a server that takes the call and
# says nothing costs one silence and no second try. A picture of 10 MB goes out in two parts, which
# have that time together: 2 MB a second suffice.
LIMITS = Limits(
    connect_seconds=2, silence_seconds=5, request_seconds=30, retries=2, retry_seconds=3
)
# `/readyz` promises its answer within three seconds, and a probe is two requests.
PROBE_LIMITS = Limits(
    connect_seconds=1, silence_seconds=1.25, request_seconds=1.25, retries=0, retry_seconds=0
)

logger = logging.getLogger(__name__)


class ImageStore:
    """Puts, gets and deletes uploads by key.

    obstore starts threads at its first use, which do not survive a fork: a process that
    uses this store must not fork afterwards (measured: the child hangs in its first call).
    """

    def __init__(self, objects: Objects) -> None:
        """Keep uploads in `objects`; see `open` for URLs."""
        self._objects, self._probed = objects, objects.within(PROBE_LIMITS)

    @classmethod
    def open(cls, url: str) -> Self:
        """Return the store at `memory://`, at an object store's URL or in a directory.

        Raises:
            ServiceUnavailableError: there cannot be one.
        """
        with _translated("open"):
            return cls(Objects.open(url, called=CALLED, limits=LIMITS))

    def put(self, key: str, upload: bytes) -> None:
        """Store one upload, replacing an older one under the same key.

        Raises:
            ServiceUnavailableError: the store cannot be written.
        """
        with _translated("take the upload"):
            self._objects.write(key, upload)

    def get(self, key: str) -> bytes:
        """Return the bytes of one upload.

        Raises:
            UploadMissingError: there is nothing under this key.
            ServiceUnavailableError: the store cannot be read.
        """
        with _found():
            return self._objects.read(key)

    def size_bytes(self, key: str) -> int:
        """Return the size of an upload; raises what `get` does."""
        with _found():
            return self._objects.size_bytes(key)

    def reader_of(self, key: str) -> Callable[[int, int], bytes]:
        """Return what gives bytes of an upload: from where, how many; fewer at its end.

        It may raise what `get` does.
        """
        size = self.size_bytes(key)

        def read(start: int, length: int) -> bytes:
            length = min(length, size - start)
            if start < 0 or length <= 0:
                return b""
            with _found():
                return self._objects.read_range(key, start, length)

        return read

    def take(self, key: str, file: Path) -> None:
        """Store a file under a key; one in `spool_directory` is moved, not copied.

        Raises:
            ServiceUnavailableError: the store cannot be written.
        """
        with _translated("take the upload"):
            self._objects.take(key, file)

    @property
    def spool_directory(self) -> Path | None:
        """Where files are best written that the store is to take; None for a bucket or memory."""
        return self._objects.directory

    def delete_all(self, keys: Sequence[str]) -> None:
        """Remove uploads; missing ones are fine.

        Raises:
            ServiceUnavailableError: the store cannot be written.
        """
        with _translated("delete the uploads"):
            self._objects.delete_all(keys)

    def delete(self, key: str) -> None:
        """Remove one upload; a missing one is fine.

        Raises:
            ServiceUnavailableError: the store cannot be written.
        """
        with _translated("delete the upload"):
            self._objects.delete(key)

    def make_private(self, folder: str) -> None:
        """Make a folder that no other user of this machine may look into; nothing in a bucket.

        Raises:
            ServiceUnavailableError: it cannot be made.
        """
        with _translated("make a folder"):
            self._objects.make_private(folder)

    def probe(self) -> None:
        """Check that the store can be written, giving up within three seconds.

        Raises:
            ServiceUnavailableError: it cannot.
        """
        with _translated("take the upload"):
            self._probed.write("probe", b"")
            self._probed.delete("probe")

    def sweep(self, *, older_than_seconds: float, is_wanted: Callable[[str], bool]) -> int:
        """Delete uploads of some age that nothing wants any more; returns how many.

        Raises:
            ServiceUnavailableError: the store cannot be read or written.
        """
        limit = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
        with _translated("list the uploads"):
            old = self._objects.tree(before=limit)
        unwanted = [key for key in old if not is_wanted(key)]
        for key in unwanted:
            self.delete(key)
        return len(unwanted)


@contextmanager
def _found() -> Iterator[None]:
    try:
        with _translated("answer"):
            yield
    except FileNotFoundError as exc:
        raise UploadMissingError("the picture's bytes are gone; send it again") from exc


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Raise the error for clients; paths and addresses of the store go to the log only."""
    try:
        yield
    except StoreUnavailableError as exc:
        logger.warning("image store failed", extra={"reason": str(exc)})
        raise ServiceUnavailableError(f"the image store did not {what}; try again shortly") from exc
