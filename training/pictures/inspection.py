"""One file of a data set: read, decoded and fingerprinted, or the reason why it cannot be used."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from model_store.errors import ImageError
from model_store.pictures import decoding
from model_store.pictures.decoding import decode
from model_store.pictures.headers import read_header
from model_store.settings import available_cores
from training.journal import Advance
from training.pictures import fingerprints
from training.pictures.entries import Entry
from training.pictures.row_cache import RowCache
from training.pictures.sources import Source

MIN_SIDE_PIXELS = 32

# A large JPEG is decoded no smaller than twice this, which the thumbnail's averages do not notice.
_FINGERPRINT_SIDE_PIXELS = 64
_FILES_AT_ONCE = 64

_SUFFIXES = {
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"},
    "PNG": {".png"},
    "WEBP": {".webp"},
    "GIF": {".gif"},
    "BMP": {".bmp", ".dib"},
    "TIFF": {".tif", ".tiff"},
    "AVIF": {".avif"},
    "HEIC": {".heic", ".heif", ".hif"},
}


class _UnusableError(Exception):
    """The file cannot be trained on; the text says why."""


@dataclass(frozen=True)
class Inspected:
    """One file after reading it.

    Attributes:
        entry: The file.
        digest: SHA-256 of its bytes, in hexadecimal; empty when it could not be read.
        fingerprint: See `fingerprints.fingerprint`; None when it is no usable picture.
        reason: Why it cannot be used; empty when it can.
        note: What is odd about it although it can be used; mostly empty.
    """

    entry: Entry
    digest: str = ""
    fingerprint: NDArray[np.uint8] | None = None
    reason: str = ""
    note: str = ""


def findings_cache(directory: Path) -> RowCache:
    """Return the fingerprints that earlier checks left in a folder."""
    place = directory / f"decoded-{decoding.VERSION}"
    return RowCache(place, width=fingerprints.FINGERPRINT_BYTES, dtype=np.uint8)


def inspect_all(
    source: Source, entries: Sequence[Entry], cache: RowCache, *, advance: Advance
) -> list[Inspected]:
    """Return every file after reading it, in order; pictures in the cache are not decoded again."""
    inspected: list[Inspected] = []
    with ThreadPoolExecutor(available_cores()) as pool:
        for start in range(0, len(entries), _FILES_AT_ONCE):
            some = entries[start : start + _FILES_AT_ONCE]
            fresh = list(pool.map(lambda entry: _inspect(source, entry, cache), some))
            _remember(fresh, cache)
            inspected += fresh
            advance(len(inspected), len(entries))
    return inspected


def _inspect(source: Source, entry: Entry, cache: RowCache) -> Inspected:
    if not entry.label:
        return Inspected(entry, reason="it lies beside the label folders, so it has no label")
    try:
        upload = source.read(entry.path)
    except OSError as exc:
        return Inspected(entry, reason=f"it cannot be read: {exc}")
    digest = hashlib.sha256(upload).hexdigest()
    try:
        found = _fingerprint(upload, digest, cache)
        return Inspected(entry, digest, found, note=_note(entry.path, upload))
    except (ImageError, _UnusableError) as exc:
        return Inspected(entry, digest, reason=str(exc))


def _fingerprint(upload: bytes, digest: str, cache: RowCache) -> NDArray[np.uint8]:
    if not cache.missing([digest]):
        known: NDArray[np.uint8] = cache.rows([digest])[0].astype(np.uint8, copy=False)
        return known
    image = decode(upload, shorter_side=_FINGERPRINT_SIDE_PIXELS)
    if min(image.size) < MIN_SIDE_PIXELS:
        raise _UnusableError(
            f"it has {image.width} x {image.height} pixels; each side needs {MIN_SIDE_PIXELS}"
        )
    return fingerprints.fingerprint(image)


def _note(path: str, upload: bytes) -> str:
    suffix, format = PurePosixPath(path).suffix.lower(), read_header(upload).format
    if suffix in _SUFFIXES.get(format, {suffix}):
        return ""
    return f"{path} is a {format} whatever its name says; it is used"


def _remember(inspected: Sequence[Inspected], cache: RowCache) -> None:
    found = {one.digest: one.fingerprint for one in inspected if one.fingerprint is not None}
    fresh = cache.missing(list(found))
    if fresh:
        cache.add(fresh, np.stack([found[digest] for digest in fresh]))
