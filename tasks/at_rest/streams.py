"""Bodies on their way to the image store, encrypted as they are written to disk."""

from io import BytesIO
from tempfile import TemporaryFile
from typing import IO, Self

from tasks.at_rest import keyring
from tasks.at_rest.keyring import SEGMENT_BYTES, Keyring


class EncryptedStream:
    """A file that is written to its end, and then read; only what is encrypted reaches it.

    It has no name yet: `Keyring.named` gives it one.
    """

    def __init__(self, file: IO[bytes], keys: Keyring) -> None:
        """Begin a file that is empty."""
        head, self._segments = keys.begin("")
        self._file = file
        self._waiting = bytearray()
        self._index, self._position = 0, 0
        self._stored_bytes = file.write(head)
        self._is_whole = False

    def write(self, piece: bytes | bytearray) -> int:
        """Write what comes next, before anything was read."""
        self._waiting += piece
        # The last segment is marked as such, so one is kept back.
        while len(self._waiting) > SEGMENT_BYTES:
            self._put(bytes(self._waiting[:SEGMENT_BYTES]), is_last=False)
            del self._waiting[:SEGMENT_BYTES]
        return len(piece)

    def _put(self, plain: bytes, *, is_last: bool) -> None:
        encrypted = self._segments.encrypt(self._index, plain, is_last=is_last)
        self._stored_bytes += self._file.write(encrypted)
        self._index += 1

    def flush(self) -> None:
        """End the writing: all is in the file now."""
        if not self._is_whole:
            self._put(bytes(self._waiting), is_last=True)
            self._waiting.clear()
            self._is_whole = True
        self._file.flush()

    def seek(self, position: int) -> None:
        """End the writing, and read from a position on."""
        self.flush()
        self._position = position

    def read(self, size: int = -1) -> bytes:
        """Return what comes next."""
        self.flush()
        if size < 0:
            size = keyring.plain_bytes(self._stored_bytes)
        found = keyring.read(self._segments, self._stored, self._stored_bytes, self._position, size)
        self._position += len(found)
        return found

    def _stored(self, start: int, length: int) -> bytes:
        self._file.seek(start)
        return self._file.read(length)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class EncryptedBody:
    """A body in memory, which goes to an encrypted temporary file when it grows."""

    def __init__(self, keys: Keyring, *, memory_bytes: int) -> None:
        """Begin an empty one."""
        self._keys, self._memory_bytes = keys, memory_bytes
        self._held: BytesIO | EncryptedStream = BytesIO()
        self._size = 0

    def write(self, piece: bytes | bytearray) -> int:
        """Write what comes next, before anything was read."""
        self._size += len(piece)
        if isinstance(self._held, BytesIO) and self._size > self._memory_bytes:
            so_far = self._held.getvalue()
            # Closed by whoever has the body.
            self._held = EncryptedStream(TemporaryFile(), self._keys)  # noqa: SIM115
            self._held.write(so_far)
        return self._held.write(piece)

    def seek(self, position: int) -> None:
        """End the writing, and read from a position on."""
        self._held.seek(position)

    def read(self, size: int = -1) -> bytes:
        """Return what comes next."""
        return self._held.read(size)

    def close(self) -> None:
        """Forget it."""
        self._held.close()

    def __enter__(self) -> Self:
        """Have it closed at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()
