"""Bodies that are too large for memory: a file beside the uploads, which the store then takes.

A request that breaks off closes its file, which deletes it; what a killed process leaves is swept
with the uploads.
"""

import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from api.settings import settings
from tasks import stores
from tasks.bulk.records import PREFIX

HEAD_BYTES = 512


class Spool:
    """One body on its way to the image store."""

    def __init__(self) -> None:
        """Make the file.

        Raises:
            OSError: there can be none.
            ServiceUnavailableError: the image store cannot be opened.
        """
        place = _place()
        if place is not None:
            place.mkdir(parents=True, exist_ok=True)
        # Closed by whoever has the spool.
        self._file = tempfile.NamedTemporaryFile(  # noqa: SIM115
            prefix=f"{PREFIX}spool-", dir=place, delete=False
        )
        self.path = Path(self._file.name)

    def write(self, piece: bytes | bytearray) -> int:
        """Write what comes next."""
        return self._file.write(piece)

    def seek(self, position: int) -> None:
        """Let all that was written be read by others; a body is read from its begin."""
        self._file.flush()
        self._file.seek(position)

    def read(self, size: int = -1) -> bytes:
        """Return what comes next."""
        return self._file.read(size)

    def head(self) -> bytes:
        """Return what the body begins with."""
        self.seek(0)
        return self._file.read(HEAD_BYTES)

    def close(self) -> None:
        """Delete the file, unless the store has taken it."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        """Have it closed at the end."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()


def _place() -> Path | None:
    named = settings().spool_directory
    return Path(named) if named else stores.image_store().spool_directory
