"""Files on their way to the image store, which then takes them: too large for memory.

They lie beside the uploads where that is a directory, encrypted as those are. Who breaks off closes
the file, which deletes it; what a killed process leaves is swept with the uploads.
"""

import tempfile
from pathlib import Path
from typing import Self

from tasks import stores
from tasks.bulk.records import PREFIX

HEAD_BYTES = 512


class Spool:
    """One file: written to its end, then read, then taken."""

    def __init__(self, place: Path | None = None) -> None:
        """Make the file in a directory, that of the image store by default.

        Raises:
            OSError: there can be none.
            ServiceUnavailableError: the image store cannot be opened.
        """
        images = stores.image_store()
        place = place or images.spool_directory
        if place is not None:
            place.mkdir(parents=True, exist_ok=True)
        # Closed by whoever has the spool.
        self._file = tempfile.NamedTemporaryFile(  # noqa: SIM115
            prefix=f"{PREFIX}spool-", dir=place, delete=False
        )
        self._stream = images.stream(self._file)
        self.path = Path(self._file.name)
        self.size_bytes = 0

    def write(self, piece: bytes | bytearray) -> int:
        """Write what comes next."""
        self.size_bytes += len(piece)
        return self._stream.write(piece)

    def flush(self) -> None:
        """Let all that was written be taken; nothing is written any more."""
        self._stream.flush()

    def seek(self, position: int) -> None:
        """Let all that was written be taken, and read from a position on."""
        self.flush()
        self._stream.seek(position)

    def read(self, size: int = -1) -> bytes:
        """Return what comes next."""
        return self._stream.read(size)

    def head(self) -> bytes:
        """Return what it begins with."""
        self.seek(0)
        return self.read(HEAD_BYTES)

    def close(self) -> None:
        """Delete the file, unless the store has taken it."""
        self._stream.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        """Have it closed at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()
