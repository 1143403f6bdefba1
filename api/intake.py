"""How the body of a request is taken in: how much, how long, and where to."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import Any, Self

from api import spool
from api.settings import settings
from tasks import stores
from tasks.at_rest.streams import EncryptedBody
from tasks.settings import settings as tasks_settings

MEMORY_BYTES = 262_144
"""A longer body goes to a temporary file, so that many slow uploads do not fill the memory."""

WRITTEN_AT_ONCE_BYTES = 1_048_576
"""So much of a large body is given to a thread to be written: a disk may be slow, and all other
requests would wait for it."""


@dataclass(frozen=True)
class Intake:
    """What is taken of a body, and where it is written."""

    max_bytes: int
    seconds: float
    open: Callable[[], Any]
    is_large: bool = False

    @classmethod
    def of_pictures(cls, *, max_bytes: int, seconds: float) -> Self:
        """Return how single pictures are taken in."""
        return cls(max_bytes, seconds, _picture_body)

    @classmethod
    def of_bulk(cls) -> Self:
        """Return how many pictures at once are taken in."""
        max_bytes, seconds = tasks_settings().bulk_max_bytes, settings().bulk_request_seconds
        return cls(max_bytes, seconds, spool.opened, is_large=True)

    async def write(self, body: Any, pieces: bytearray, *, is_last: bool) -> None:
        """Write what has come, if it is enough to be worth it; `pieces` is then empty."""
        if not self.is_large:
            body.write(pieces)
        elif is_last or len(pieces) >= WRITTEN_AT_ONCE_BYTES:
            await asyncio.to_thread(body.write, bytes(pieces))
        else:
            return
        pieces.clear()


def _picture_body() -> Any:
    keys = stores.keyring()
    if keys.ids:
        return EncryptedBody(keys, memory_bytes=MEMORY_BYTES)
    return SpooledTemporaryFile(MEMORY_BYTES)
