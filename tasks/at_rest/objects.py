"""Objects that are encrypted on their way in and decrypted on their way out, where there is a key.

What lay there before there was one is read as it is. An object of its own, `key-check`, says which
key encrypts: a process that has another one, or none, neither reads nor writes a picture.
"""

from pathlib import Path
from typing import IO, Final

from model_store.objects import Objects
from tasks.at_rest import keyring
from tasks.at_rest.keyring import HEAD_BYTES, Keyring, ReadAt, is_encrypted
from tasks.at_rest.streams import EncryptedStream
from tasks.errors import ImageKeyError

CHECK: Final = "key-check"


class EncryptedObjects:
    """Reads and writes objects as the keys say.

    Besides what those raise every method may raise `ImageKeyError`, where the keys are not those of
    the store, and who reads `DamagedUploadError`, for what was changed there.
    """

    def __init__(self, objects: Objects, keys: Keyring) -> None:
        """Look at nothing yet."""
        self._objects, self._keys = objects, keys
        self._is_checked = False

    def check(self) -> None:
        """Pass if the keys of this process are those of the store; who comes first says which."""
        try:
            found = self._objects.read(CHECK)
        except FileNotFoundError:
            found = self._first_check() if self._keys.ids else b""
        if found and not self._keys.ids:
            raise ImageKeyError(f"the image store is encrypted; {keyring.lacking(self._keys)}")
        if found:
            self._keys.decrypt(found, CHECK)
        if found and not self._keys.has_written(found):
            self._objects.write(CHECK, self._keys.encrypt(b"", CHECK))
        self._is_checked = True

    def _first_check(self) -> bytes:
        made = self._keys.encrypt(b"", CHECK)
        # Two processes may begin at once, with different keys.
        return made if self._objects.create(CHECK, made) else self._objects.read(CHECK)

    def write(self, path: str, content: bytes) -> None:
        """Write bytes, replacing what is there."""
        self._checked()
        self._objects.write(path, self._keys.encrypt(content, path) if self._keys.ids else content)

    def read(self, path: str) -> bytes:
        """Return the bytes of an object."""
        self._checked()
        stored = self._objects.read(path)
        return self._keys.decrypt(stored, path) if self._is_encrypted(stored) else stored

    def reader(self, path: str) -> tuple[int, ReadAt]:
        """Return the size of an object, and what gives bytes of it."""
        self._checked()
        stored_bytes = self._objects.size_bytes(path)

        def stored_at(start: int, length: int) -> bytes:
            length = min(length, stored_bytes - start)
            if start < 0 or length <= 0:
                return b""
            return self._objects.read_range(path, start, length)

        head = stored_at(0, HEAD_BYTES)
        if not self._is_encrypted(head):
            return stored_bytes, stored_at
        segments = self._keys.open(head, path)

        def plain_at(start: int, length: int) -> bytes:
            return keyring.read(segments, stored_at, stored_bytes, start, length)

        return keyring.plain_bytes(stored_bytes), plain_at

    def take(self, path: str, file: Path) -> None:
        """Make an object of a file that `stream` has written."""
        self._checked()
        if self._keys.ids:
            with file.open("r+b") as opened:
                named = self._keys.named(opened.read(HEAD_BYTES), path)
                opened.seek(0)
                opened.write(named)
        self._objects.take(path, file)

    def stream(self, file: IO[bytes]) -> IO[bytes] | EncryptedStream:
        """Return what writes a file that is to be taken."""
        return EncryptedStream(file, self._keys) if self._keys.ids else file

    def _checked(self) -> None:
        if not self._is_checked:
            self.check()

    def _is_encrypted(self, stored: bytes) -> bool:
        """Tell whether an object is to be decrypted."""
        if is_encrypted(stored) and not self._keys.ids:
            self.check()  # The first process with a key may have begun after this one.
            return False
        return is_encrypted(stored)
