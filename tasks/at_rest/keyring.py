"""The keys of `PETIOLE_TASKS_IMAGE_STORE_KEY`, and how an object looks that one of them encrypted.

It has a head: what it is, which key, a random salt, a mark of the name that it lies under. Segments
of AES-256-GCM follow, under a key of the object's own, so that a picture in a large archive is read
without the rest. None can be changed, moved, left out, or read under another name.

Source: AES-GCM-HKDF streaming AEAD of Tink; STREAM, Hoang, Reyhanitabar, Rogaway, Vizár 2015.
"""

import base64
import binascii
import hmac
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any, Final

from tasks.errors import DamagedUploadError, ImageKeyError

SETTING: Final = "PETIOLE_TASKS_IMAGE_STORE_KEY"
KEY_BYTES: Final = 32
WHAT_IT_IS: Final = f"the base64 of {KEY_BYTES} random bytes, as `openssl rand -base64 32` makes it"
MAGIC: Final = b"\x89ptl-e1\n"
SEGMENT_BYTES: Final = 65_536
TAG_BYTES: Final = 16
STORED_BYTES: Final = SEGMENT_BYTES + TAG_BYTES
"""Of a segment as it lies there; the last one may have fewer, down to the tag alone."""
SALT_BYTES: Final = 32
MARK_BYTES: Final = 16
_HEAD = struct.Struct(f"<{len(MAGIC)}s8s{SALT_BYTES}s{MARK_BYTES}s")
HEAD_BYTES: Final = _HEAD.size
MARK_AT: Final = HEAD_BYTES - MARK_BYTES
_PURPOSE = b"petiole image store 1"

Buffer = bytes | memoryview
ReadStored = Callable[[int, int], Buffer]
ReadAt = Callable[[int, int], bytes]
"""Returns bytes of an object: from where, how many; fewer at its end."""


@dataclass(frozen=True)
class Key:
    """One key; shown by its id alone."""

    secret: bytes = field(repr=False)

    @cached_property
    def id(self) -> str:
        """What it is called, in objects and messages: no secret."""
        return sha256(_PURPOSE + self.secret).hexdigest()[:16]


@dataclass(frozen=True)
class Segments:
    """Encrypts and decrypts the segments of one object, each in its place."""

    _cipher: Any = field(repr=False)
    _name_key: bytes = field(repr=False)

    @classmethod
    def of(cls, key: Key, salt: bytes) -> "Segments":
        """Return those of the object with this salt."""
        # Imported here: most services have no key, and their processes start without OpenSSL.
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415

        hkdf = HKDF(algorithm=hashes.SHA256(), length=2 * KEY_BYTES, salt=salt, info=_PURPOSE)
        made = hkdf.derive(key.secret)
        return cls(AESGCM(made[:KEY_BYTES]), made[KEY_BYTES:])

    def mark(self, name: str) -> bytes:
        """Return what the head says of the name under which the object lies."""
        return hmac.digest(self._name_key, name.encode(), "sha256")[:MARK_BYTES]

    def encrypt(self, index: int, plain: Buffer, *, is_last: bool) -> bytes:
        """Return a segment as it is stored."""
        encrypted: bytes = self._cipher.encrypt(_nonce(index, is_last), plain, None)
        return encrypted

    def decrypt(self, index: int, stored: Buffer, *, is_last: bool) -> bytes:
        """Return what is in a segment.

        Raises:
            DamagedUploadError: it is not what was stored in this place.
        """
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - as above

        try:
            plain: bytes = self._cipher.decrypt(_nonce(index, is_last), stored, None)
        except InvalidTag as exc:
            raise _damaged() from exc
        return plain


class Keyring:
    """All keys: the first one encrypts, each decrypts what it has encrypted."""

    def __init__(self, keys: tuple[bytes, ...] = ()) -> None:
        """Take the keys; without any nothing is encrypted."""
        self._keys = {key.id: key for key in map(Key, keys)}
        self.first = next(iter(self._keys), "")

    @property
    def ids(self) -> tuple[str, ...]:
        """What the keys are called; the first one encrypts."""
        return tuple(self._keys)

    def begin(self, name: str) -> tuple[bytes, Segments]:
        """Return the head of a new object, and what encrypts its segments."""
        salt = os.urandom(SALT_BYTES)
        segments = Segments.of(self._keys[self.first], salt)
        return _HEAD.pack(MAGIC, bytes.fromhex(self.first), salt, segments.mark(name)), segments

    def open(self, head: bytes, name: str) -> Segments:
        """Return what decrypts the segments of the object that has this head.

        Raises:
            ImageKeyError: it was encrypted with a key that is not among these.
            DamagedUploadError: it is not what was stored under this name.
        """
        segments, mark = self._segments(head)
        if not hmac.compare_digest(mark, segments.mark(name)):
            raise _damaged()
        return segments

    def named(self, head: bytes, name: str) -> bytes:
        """Return a head that says that its object lies under another name now."""
        segments, _ = self._segments(head)
        return head[:MARK_AT] + segments.mark(name)

    def _segments(self, head: bytes) -> tuple[Segments, bytes]:
        if len(head) < HEAD_BYTES:
            raise _damaged()
        _, key_id, salt, mark = _HEAD.unpack(head[:HEAD_BYTES])
        key = self._keys.get(key_id.hex())
        if key is None:
            raise ImageKeyError(f"the key {key_id.hex()} is missing here: {lacking(self)}")
        return Segments.of(key, salt), mark

    def has_written(self, stored: bytes) -> bool:
        """Tell whether an object was encrypted with the first key."""
        _, key_id, _, _ = _HEAD.unpack(stored[:HEAD_BYTES])
        return bool(key_id.hex() == self.first)

    def encrypt(self, plain: bytes, name: str) -> bytes:
        """Return an object as it is stored under a name."""
        head, segments = self.begin(name)
        # Views: a picture of ten megabytes is copied once, when its segments are joined.
        view, starts = memoryview(plain), range(0, len(plain) or 1, SEGMENT_BYTES)
        encrypted = (
            segments.encrypt(
                index, view[start : start + SEGMENT_BYTES], is_last=index == len(starts) - 1
            )
            for index, start in enumerate(starts)
        )
        return b"".join((head, *encrypted))

    def decrypt(self, stored: bytes, name: str) -> bytes:
        """Return what was stored under a name; raises what `open` does."""
        segments = self.open(stored, name)
        view, size = memoryview(stored), plain_bytes(len(stored))
        return read(segments, lambda at, n: view[at : at + n], len(stored), 0, size)


def keys_of(said: str) -> tuple[bytes, ...]:
    """Return the keys of a setting: none of an empty one, several of those that replace each other.

    Raises:
        ValueError: one is no key; the message does not repeat it.
    """
    return tuple(map(_key, said.split()))


def lacking(keyring: Keyring) -> str:
    """Return what a process lacks that others have, for its operator."""
    has = f"has {', '.join(keyring.ids)} alone" if keyring.ids else "is not set"
    return f"{SETTING} of this process {has}; all parts of the service need the same keys"


def is_encrypted(stored: bytes) -> bool:
    """Tell whether an object begins as one that was encrypted."""
    return stored.startswith(MAGIC)


def plain_bytes(stored_bytes: int) -> int:
    """Return how many bytes were encrypted in an object of a size."""
    return stored_bytes - HEAD_BYTES - TAG_BYTES * _count(stored_bytes)


def read(
    segments: Segments, read_at: ReadStored, stored_bytes: int, start: int, length: int
) -> bytes:
    """Return plain bytes of an object, decrypting those segments alone that have them.

    Args:
        segments: Of the object.
        read_at: Reads the object as it is stored.
        stored_bytes: The size of that.
        start: The first plain byte that is wanted.
        length: How many; at the end there are fewer.

    Raises:
        DamagedUploadError: a segment is not what was stored.
    """
    if start < 0 or length <= 0:
        return b""
    plain = b"".join(_decrypted(segments, read_at, stored_bytes, start, start + length))
    begin = start % SEGMENT_BYTES
    return plain[begin : begin + length]


def _decrypted(
    segments: Segments, read_at: ReadStored, stored_bytes: int, start: int, end: int
) -> Iterator[bytes]:
    count = _count(stored_bytes)
    first, beyond = start // SEGMENT_BYTES, min(-(-end // SEGMENT_BYTES), count)
    if first >= beyond:
        return
    begin, length = HEAD_BYTES + first * STORED_BYTES, (beyond - first) * STORED_BYTES
    stored = memoryview(read_at(begin, length))
    for index in range(first, beyond):
        at = (index - first) * STORED_BYTES
        is_last = index == count - 1
        yield segments.decrypt(index, stored[at : at + STORED_BYTES], is_last=is_last)


def _count(stored_bytes: int) -> int:
    """Return how many segments an object of a size has.

    Raises:
        DamagedUploadError: none has this size.
    """
    body = stored_bytes - HEAD_BYTES
    if body < TAG_BYTES or 0 < body % STORED_BYTES < TAG_BYTES:
        raise _damaged()
    return -(-body // STORED_BYTES)


def _nonce(index: int, is_last: bool) -> bytes:
    # Unique under a key, for each object has its own.
    return index.to_bytes(11, "big") + bytes([is_last])


def _key(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error as exc:
        raise ValueError(f"it is not {WHAT_IT_IS}") from exc
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key in it has {len(key)} bytes; each is {WHAT_IT_IS}")
    return key


def _damaged() -> DamagedUploadError:
    return DamagedUploadError("the stored picture is damaged, or was changed; send it again")
