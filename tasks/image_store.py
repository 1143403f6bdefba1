"""Upload bytes from POST to decode: a directory, an S3 bucket or memory, chosen by URL.

Messages and job records carry only the key.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Self

from model_store.errors import StoreUnavailableError
from model_store.objects import Limits, Objects
from tasks.at_rest.keyring import Keyring
from tasks.at_rest.objects import CHECK, EncryptedObjects
from tasks.at_rest.streams import EncryptedStream
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

    def __init__(self, objects: Objects, keys: Keyring) -> None:
        """Keep uploads in `objects`, encrypted if there is a key; see `open` for URLs."""
        self._objects, self._probed = objects, objects.within(PROBE_LIMITS)
        self._contents = EncryptedObjects(objects, keys)
        self._probed_contents = EncryptedObjects(self._probed, keys)

    @classmethod
    def open(cls, url: str, keys: Keyring | None = None) -> Self:
        """Return the store at `memory://`, at an object store's URL or in a directory.

        Args:
            url: Where it is.
            keys: What its contents are encrypted with; left out, they are not.

        Raises:
            ServiceUnavailableError: there cannot be one.
        """
        with _translated("open"):
            return cls(Objects.open(url, called=CALLED, limits=LIMITS), keys or Keyring())

    def put(self, key: str, upload: bytes) -> None:
        """Store one upload, replacing an older one under the same key.

        Raises:
            ServiceUnavailableError: the store cannot be written.
        """
        with _translated("take the upload"):
            self._contents.write(key, upload)

    def get(self, key: str) -> bytes:
        """Return the bytes of one upload.

        Raises:
            UploadMissingError: there is nothing under this key.
            DamagedUploadError: it is not what was stored there.
            ServiceUnavailableError: the store cannot be read.
        """
        with _found():
            return self._contents.read(key)

    def size_bytes(self, key: str) -> int:
        """Return the size of an upload; raises what `get` does."""
        with _found():
            return self._contents.reader(key)[0]

    def reader_of(self, key: str) -> Callable[[int, int], bytes]:
        """Return what gives bytes of an upload: from where, how many; fewer at its end.

        It may raise what `get` does.
        """
        with _found():
            _, read_at = self._contents.reader(key)

        def read(start: int, length: int) -> bytes:
            with _found():
                return read_at(start, length)

        return read

    def take(self, key: str, file: Path) -> None:
        """Store a file that `stream` wrote; one in `spool_directory` is moved, not copied.

        Raises:
            ServiceUnavailableError: the store cannot be written.
        """
        with _translated("take the upload"):
            self._contents.take(key, file)

    def stream(self, file: IO[bytes]) -> IO[bytes] | EncryptedStream:
        """Return what writes a file that the store is to take."""
        return self._contents.stream(file)

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
        """Check that the store can be written with the keys of this process, within three seconds.

        Raises:
            ServiceUnavailableError: it cannot; an `ImageKeyError` has another key.
        """
        with _translated("take the upload"):
            self._probed_contents.check()
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
        unwanted = [key for key in old if key != CHECK and not is_wanted(key)]
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
