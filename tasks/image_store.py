"""Upload bytes from POST to decode: a directory, an S3 bucket or memory, chosen by URL.

Messages and job records carry only the key.
"""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, ObjectStore, from_url

from tasks.errors import ServiceUnavailableError, UploadMissingError

logger = logging.getLogger(__name__)


class ImageStore:
    """Puts, gets and deletes uploads by key.

    obstore starts threads at its first use, which do not survive a fork: a process that
    uses this store must not fork afterwards (measured: the child hangs in its first call).
    """

    def __init__(self, store: ObjectStore) -> None:
        """Wrap an obstore store; see `open` for URLs."""
        self._store = store

    @classmethod
    def open(cls, url: str) -> Self:
        """Return the store at `memory://`, at an object store's URL or in a directory."""
        if url == "memory://":
            return cls(MemoryStore())
        if "://" in url:
            return cls(from_url(url))
        return cls(LocalStore(Path(url).resolve(), mkdir=True))

    def put(self, key: str, upload: bytes) -> None:
        """Store one upload, replacing an older one under the same key.

        Raises:
            ServiceUnavailableError: the store cannot be written.
        """
        try:
            obstore.put(self._store, key, upload)
        except (BaseError, OSError) as exc:
            raise _unavailable("take the upload", exc) from exc

    def get(self, key: str) -> bytes:
        """Return the bytes of one upload.

        Raises:
            UploadMissingError: there is nothing under this key.
            ServiceUnavailableError: the store cannot be read.
        """
        try:
            return bytes(obstore.get(self._store, key).bytes())
        except FileNotFoundError as exc:
            raise UploadMissingError("the picture's bytes are gone; send it again") from exc
        except (BaseError, OSError) as exc:
            raise _unavailable("answer", exc) from exc

    def delete(self, key: str) -> None:
        """Remove one upload; a missing one is fine."""
        try:
            obstore.delete(self._store, key)
        except FileNotFoundError:
            return
        except (BaseError, OSError) as exc:
            raise _unavailable("delete the upload", exc) from exc

    def probe(self) -> None:
        """Check that the store can be written.

        Raises:
            ServiceUnavailableError: it cannot.
        """
        self.put("probe", b"")
        self.delete("probe")

    def sweep(self, *, older_than_seconds: float, is_wanted: Callable[[str], bool]) -> int:
        """Delete uploads of some age that nothing wants any more; returns how many."""
        limit = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
        listed = (meta for batch in obstore.list(self._store) for meta in batch)
        old = [meta["path"] for meta in listed if meta["last_modified"] < limit]
        unwanted = [key for key in old if not is_wanted(key)]
        for key in unwanted:
            self.delete(key)
        return len(unwanted)


def _unavailable(what: str, exc: Exception) -> ServiceUnavailableError:
    """Return the error for clients; paths and addresses of the store go to the log only."""
    logger.warning("image store failed", extra={"reason": str(exc)})
    return ServiceUnavailableError(f"the image store did not {what}; try again shortly")
