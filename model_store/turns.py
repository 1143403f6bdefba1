"""Turns in a folder that several processes fill; a kill ends the turn of who is killed."""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger(__name__)


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Wait until no other process or thread has its turn in the folder, which is made if missing.

    Where no turns can be taken, as on a file system without locks, it goes on with a warning.
    """
    handle = _locked(directory)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def _locked(directory: Path) -> int | None:
    handle = None
    try:
        directory.mkdir(parents=True, exist_ok=True)
        handle = os.open(directory, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError as exc:
        # NFS locks no folders.
        logger.warning("folder not locked", extra={"path": str(directory), "reason": str(exc)})
    return handle
